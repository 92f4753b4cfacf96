//! What a collector's reply means. A reply is hostile input: only its status and one number of it are used.

use prost::Message;

use crate::export::messages::ExportResponse;

/// What a reply means for the body that was sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reply {
    /// The collector took it. Do not retry.
    Accepted {
        /// How many of its data points or spans the collector rejected. The collector's reason is not read.
        rejected: u64,
    },
    /// The collector is busy. Retry later with the same body.
    Busy,
    /// The collector refused it. Do not retry.
    Refused,
}

/// Interprets a reply (OTLP specification, "OTLP/HTTP Response"): `status` is the HTTP status, and `body` the bytes of the response, which
/// are only read if the status means success. A successful reply that cannot be read rejects nothing, because the status counts.
///
/// ```
/// use whimbrel_telemetry::export::{Reply, reply};
///
/// assert_eq!(reply(200, &[]), Reply::Accepted { rejected: 0 });
/// // partial_success { rejected_data_points: 3, error_message: "no" }
/// assert_eq!(reply(200, b"\x0a\x06\x08\x03\x12\x02no"), Reply::Accepted { rejected: 3 });
/// assert_eq!(reply(503, &[]), Reply::Busy);
/// assert_eq!(reply(400, &[]), Reply::Refused);
/// ```
#[must_use]
pub fn reply(status: u16, body: &[u8]) -> Reply {
    match status {
        200..=299 => {
            let partial = ExportResponse::decode(body)
                .ok()
                .and_then(|reply| reply.partial_success);
            let rejected = partial.map_or(0, |partial| u64::try_from(partial.rejected).unwrap_or(0));
            Reply::Accepted { rejected }
        }
        429 | 502 | 503 | 504 => Reply::Busy,
        _ => Reply::Refused,
    }
}

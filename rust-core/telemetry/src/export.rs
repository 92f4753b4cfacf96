//! What can be exported to a collector of the app's developer: figures and spans as OTLP messages (OpenTelemetry Protocol 1.11, binary
//! protobuf over HTTP), and what the collector's reply means. Whether anything is exported is decided elsewhere, by consent and policy;
//! `whimbrel-network` sends it.
//!
//! **No free text can be exported.** [`Body`] is the only type that `whimbrel-network` accepts, and only this module makes one, with
//! [`metrics`] and [`spans`]. The argument that neither can contain text of a user:
//!
//! 1. Every attribute is an `Attribute`, an enum of this module. The payloads of its variants are enums, numbers, an [`InstallId`] or a
//!    `Known` name. No variant has a `String` or a `&str`, and `Attribute::encode` is the only function that makes a `KeyValue`.
//! 2. A `Known` name borrows from what the app's developer gave: from the [`Vocabulary`], or from the [`Resource`] for the name of the
//!    service. A label of a receipt is only looked up there. A name that is not found is exported as `other`, so the name of a file that a
//!    user imported, of an app's private task or of an endpoint stays on the device.
//! 3. The other texts of a message are the names, units and descriptions of metrics, the names of spans and the message of a status. All
//!    of them are `&'static str` that are chosen by enums.
//! 4. Identifiers of traces and spans are hashes of an install's random id and a receipt's number.
//!
//! A test writes planted words into every label of 10,000 receipts and looks for them in all bodies. [`schema`] lists everything that can
//! be exported, and `docs/telemetry.md` shows that list.

mod attributes;
mod instruments;
mod messages;
mod metrics;
mod reply;
mod schema;
mod spans;
#[cfg(test)]
mod tests;
mod vocabulary;

use std::fmt;

pub use metrics::metrics;
pub use reply::{Reply, reply};
pub use schema::{SchemaRow, schema};
pub use spans::{SpanSource, spans};
pub use vocabulary::{InstallId, Os, Resource, Vocabulary};

/// The largest body in bytes, before it is compressed.
pub const BODY_BYTES_MAX: u32 = 128 * 1024;

/// What a body contains. Each signal has its own address at a collector.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Signal {
    /// Figures: sums and histograms over all requests since the meter began.
    Metrics,
    /// Spans: how single requests went.
    Traces,
}

impl Signal {
    /// Every signal.
    pub const ALL: [Signal; 2] = [Signal::Metrics, Signal::Traces];

    /// The word in documents and logs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Signal::Metrics => "metrics",
            Signal::Traces => "traces",
        }
    }

    /// The path below a collector's base address (OTLP specification, "OTLP/HTTP Request").
    #[must_use]
    pub fn path(self) -> &'static str {
        match self {
            Signal::Metrics => "v1/metrics",
            Signal::Traces => "v1/traces",
        }
    }
}

/// A message for a collector. Only [`metrics`] and [`spans`] make one, so its bytes contain nothing outside of the [`schema`].
#[derive(Clone, Eq, PartialEq)]
pub struct Body {
    signal: Signal,
    items: u32,
    bytes: Vec<u8>,
}

impl Body {
    fn new(signal: Signal, items: usize, message: &impl prost::Message) -> Body {
        Body {
            signal,
            items: u32::try_from(items).unwrap_or(u32::MAX),
            bytes: message.encode_to_vec(),
        }
    }

    /// What it contains.
    #[must_use]
    pub fn signal(&self) -> Signal {
        self.signal
    }

    /// The number of data points or spans.
    #[must_use]
    pub fn items(&self) -> u32 {
        self.items
    }

    /// The protobuf bytes, at most [`BODY_BYTES_MAX`], not compressed.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Body")
            .field("signal", &self.signal)
            .field("items", &self.items)
            .field("bytes", &self.bytes.len())
            .finish()
    }
}

/// Milliseconds since 1970 in the unit of OTLP.
fn nanoseconds(milliseconds: u64) -> u64 {
    milliseconds.saturating_mul(1_000_000)
}

//! The third errand of the only door: sending telemetry to a collector by OTLP/HTTP. The addresses, certificates, pins, time limits and keys
//! of a collector follow the rules of chat endpoints. Whether, when and how often something is sent is decided elsewhere: a call sends once.

use std::io::Write;
use std::sync::Arc;
use std::time::SystemTime;

use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::Uri;
use hyper::body::Bytes;
use hyper::header::{self, HeaderMap, HeaderValue};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::time::Instant;
use whimbrel_telemetry::export::{Body, Reply, Signal, reply};

use crate::http::endpoint::{Endpoint, EndpointError};
use crate::http::exchange::{self, IncomingResponse, OutgoingRequest, milliseconds};
use crate::http::pool::EndpointPool;
use crate::http::retry;
use crate::http::secret::Secret;
use crate::http::settings::{EndpointSettings, KeyHeader, PinSettings, Timeouts};
use crate::http::traffic::{RequestProgress, Traffic};
use crate::{EndpointHealth, Failure, ServerCode, TimeLimit};

/// The largest reply of a collector in bytes. A reply has a number and perhaps a message.
pub const REPLY_BYTES_MAX: u32 = 64 * 1024;
/// The longest wait that a collector may ask for, in milliseconds: one day. A longer one is cut to it.
pub const COLLECTOR_RETRY_AFTER_MS_MAX: u64 = 24 * 3_600_000;

/// Room for a request's line and the headers that every message has, but for the collector's own.
const HEAD_BYTES_MAX: u64 = 1_024;

/// The id under which the collector's health is kept, and its name in the log.
const ID: &str = "telemetry";

/// The settings of a collector, as the app's developer provides them. [`Collector::new`] checks them.
///
/// ```
/// use whimbrel_network::CollectorSettings;
///
/// let settings: CollectorSettings = serde_json::from_str(
///     r#"{ "base_url": "https://otlp.example.com", "key_header": { "named": "api-key" } }"#,
/// )?;
/// assert_eq!(settings.timeouts.total_ms, 60_000);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct CollectorSettings {
    /// The base URL to which `/v1/metrics` and `/v1/traces` are appended, such as `https://host`. `http` is accepted for `localhost`,
    /// 127.0.0.0/8 and `[::1]` only.
    pub base_url: String,
    /// Timeouts. `total_ms` is for one message.
    #[serde(default = "default_timeouts")]
    pub timeouts: Timeouts,
    /// How the key is sent.
    #[serde(default)]
    pub key_header: KeyHeader,
    /// Additional headers, sent with every message. Do not use them for keys or personal data.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    /// Whether to trust the public certificate authorities (Mozilla's list, built in).
    #[serde(default = "default_true")]
    pub public_authorities: bool,
    /// Additional certificate authorities to trust, concatenated in PEM.
    #[serde(default)]
    pub authorities_pem: String,
    /// Additional certificate authorities to trust, each in DER.
    #[serde(default)]
    pub authorities_der: Vec<Vec<u8>>,
    /// Keys, at least one of which must be in the collector's certificate chain.
    #[serde(default)]
    pub pins: Option<PinSettings>,
}

/// Nobody waits for telemetry, but it must not keep a connection open for long.
fn default_timeouts() -> Timeouts {
    Timeouts {
        connect_ms: 10_000,
        first_byte_ms: 30_000,
        idle_ms: 10_000,
        total_ms: 60_000,
    }
}

fn default_true() -> bool {
    true
}

impl CollectorSettings {
    /// Settings with default values.
    #[must_use]
    pub fn new(base_url: &str) -> CollectorSettings {
        CollectorSettings {
            base_url: base_url.to_owned(),
            timeouts: default_timeouts(),
            key_header: KeyHeader::default(),
            headers: Vec::new(),
            public_authorities: true,
            authorities_pem: String::new(),
            authorities_der: Vec::new(),
            pins: None,
        }
    }
}

/// A checked collector.
#[derive(Clone, Debug)]
pub struct Collector {
    endpoint: Endpoint,
    metrics_uri: Uri,
    traces_uri: Uri,
}

impl Collector {
    /// Checks settings, by the rules of chat endpoints.
    ///
    /// # Errors
    /// [`EndpointError`], for the first invalid field.
    pub fn new(settings: CollectorSettings) -> Result<Collector, EndpointError> {
        // A collector has no model; the name is never sent.
        let endpoint = Endpoint::new(EndpointSettings {
            timeouts: settings.timeouts,
            response_bytes_max: REPLY_BYTES_MAX,
            key_header: settings.key_header,
            headers: settings.headers,
            public_authorities: settings.public_authorities,
            authorities_pem: settings.authorities_pem,
            authorities_der: settings.authorities_der,
            pins: settings.pins,
            ..EndpointSettings::new(ID, &settings.base_url, ID)
        })?;
        Ok(Collector {
            metrics_uri: endpoint.uri_of(Signal::Metrics.path()),
            traces_uri: endpoint.uri_of(Signal::Traces.path()),
            endpoint,
        })
    }

    /// The most that leaves the device for a message, as [`Traffic`] counts it.
    #[must_use]
    pub fn sent_bytes_max(&self, body: &Body, key: Option<&Secret>) -> u64 {
        let headers = headers(&self.endpoint, key);
        let of_headers: usize = headers
            .iter()
            .map(|(name, value)| name.as_str().len() + value.len() + 4)
            .sum();
        // The address is in the request's line and in the header `host`.
        let of_address = 2 * self.uri(body.signal()).to_string().len();
        HEAD_BYTES_MAX + (compressed(body.bytes()).len() + of_headers + of_address) as u64
    }

    fn uri(&self, signal: Signal) -> &Uri {
        match signal {
            Signal::Metrics => &self.metrics_uri,
            Signal::Traces => &self.traces_uri,
        }
    }
}

/// A message that the collector took.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Sent {
    /// Bytes that left the device, as [`Traffic`] counts them.
    pub bytes_out: u64,
    /// Bytes that were received.
    pub bytes_in: u64,
    /// How many of the data points or spans the collector rejected. Do not retry with them.
    pub rejected: u64,
}

/// A message that the collector did not take, as far as is known. It contains no text of the collector.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("{failure}")]
pub struct TelemetryError {
    /// The reason.
    pub failure: Failure,
    /// Whether the caller may retry with the same message later. The OTLP specification allows it for status 429, 502, 503 and 504, and when
    /// there was no connection or no response. A certificate that is not trusted is one of these cases: a hotel's network shows its own until
    /// its guest has signed in.
    pub is_retryable: bool,
    /// How long the collector asked to wait before, in milliseconds, at most [`COLLECTOR_RETRY_AFTER_MS_MAX`].
    pub retry_after_ms: Option<u64>,
    /// Bytes sent and received.
    pub traffic: Traffic,
}

/// Sends telemetry. Use one for the whole process; it keeps connections.
///
/// ```
/// use whimbrel_network::{Collector, CollectorSettings, TelemetryClient};
/// # use whimbrel_privacy::PrivacyClass;
/// # use whimbrel_record::{Closing, Intent, Label, Outcome};
/// use whimbrel_telemetry::export::{InstallId, Os, Resource, Vocabulary, metrics};
/// use whimbrel_testing::{ChatServer, Reply};
///
/// # let intent = Intent::new(Label::squeezed("1"), Label::squeezed("chat"), PrivacyClass::Public);
/// # let mut meter = whimbrel_telemetry::Meter::new(0, 0);
/// # meter.count(1, 1, 0, &intent, &Closing::new(Outcome::Denied));
/// # let service = Label::squeezed("field-notes");
/// let resource = Resource { service, install: InstallId([7; 16]), os: Os::here(), device: None };
/// let bodies = metrics(&meter, &resource, &Vocabulary::default(), 1_000);
///
/// let server = ChatServer::start(&[Reply::Raw(b"HTTP/1.1 200 \r\ncontent-length: 0\r\n\r\n")]);
/// let collector = Collector::new(CollectorSettings::new(&format!("http://{}", server.address)))?;
/// let client = TelemetryClient::new();
/// let sent = tokio::runtime::Runtime::new()?.block_on(client.send(&collector, &bodies[0], None))?;
/// assert_eq!(sent.rejected, 0);
/// assert!(server.received()[0].head.starts_with("POST /v1/metrics "));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct TelemetryClient {
    endpoints: EndpointPool,
}

impl Default for TelemetryClient {
    fn default() -> TelemetryClient {
        TelemetryClient::new()
    }
}

impl TelemetryClient {
    /// A client. Its tasks run on the runtime in which it is used, which needs I/O and time enabled.
    #[must_use]
    pub fn new() -> TelemetryClient {
        TelemetryClient {
            endpoints: EndpointPool::new(),
        }
    }

    /// Sends a message once, compressed with gzip. Dropping the future closes the connection; the collector may have the message nevertheless.
    ///
    /// # Errors
    /// [`TelemetryError`]. [`Failure::ResponseTooLarge`] means that the collector took the message, and replied with more than
    /// [`REPLY_BYTES_MAX`] bytes.
    pub async fn send(&self, collector: &Collector, body: &Body, key: Option<&Secret>) -> Result<Sent, TelemetryError> {
        let endpoint = &collector.endpoint;
        let request = OutgoingRequest {
            uri: collector.uri(body.signal()).clone(),
            headers: headers(endpoint, key),
            body: compressed(body.bytes()),
        };
        let progress = Arc::new(RequestProgress::default());
        progress.begin_attempt();
        let client = self.endpoints.state(endpoint).client();
        let timeouts = &endpoint.settings().timeouts;
        let deadline = Instant::now() + milliseconds(timeouts.total_ms);
        let attempt = async {
            let sent = exchange::send(&client, &request, &progress, timeouts).await;
            read(sent.map_err(|error| error.failure)?).await
        };
        let limit = TimeLimit::Total;
        let result = exchange::within(deadline, attempt).await;
        let traffic = progress.traffic();
        match result.unwrap_or(Err(Failure::TimedOut { limit })) {
            Ok(rejected) => Ok(Sent {
                bytes_out: traffic.bytes_out,
                bytes_in: traffic.bytes_in,
                rejected,
            }),
            Err(failure) => {
                log::debug!("{ID}: {}: {failure}", body.signal().name());
                Err(TelemetryError::new(failure, traffic))
            }
        }
    }

    /// The health of the collector that was used last; `None` if none has been used. Only the pin misses are counted.
    #[must_use]
    pub fn health(&self) -> Option<EndpointHealth> {
        self.endpoints.health(ID)
    }

    /// Closes all idle connections. Call this when the device changes its network.
    pub fn network_changed(&self) {
        self.endpoints.close_idle();
    }
}

impl TelemetryError {
    fn new(failure: Failure, traffic: Traffic) -> TelemetryError {
        let (is_retryable, retry_after_ms) = match failure {
            Failure::Refused {
                status, retry_after_ms, ..
            } => {
                let is_busy = reply(status, &[]) == Reply::Busy;
                (is_busy, retry_after_ms.filter(|_| is_busy))
            }
            Failure::Unreachable
            | Failure::Handshake
            | Failure::Certificate { .. }
            | Failure::TimedOut { .. }
            | Failure::Lost
            | Failure::Truncated => (true, None),
            _ => (false, None),
        };
        TelemetryError {
            failure,
            is_retryable,
            retry_after_ms,
            traffic,
        }
    }
}

/// Reads a reply, and gives how many items were rejected.
async fn read(mut response: IncomingResponse) -> Result<u64, Failure> {
    let status = response.status();
    let mut body = Vec::new();
    if (200..300).contains(&status) {
        while let Some(more) = response.next(u64::from(REPLY_BYTES_MAX)).await? {
            body.extend_from_slice(&more);
        }
    }
    if let Reply::Accepted { rejected } = reply(status, &body) {
        return Ok(rejected);
    }
    let asked = response.header("retry-after");
    let retry_after_ms = asked.and_then(|value| retry::retry_after_ms(value, SystemTime::now()));
    // Its message is not read for its meaning, only so that the connection can serve again.
    response.error_body().await;
    if (300..400).contains(&status) {
        return Err(Failure::Redirected { status });
    }
    Err(Failure::Refused {
        status,
        code: ServerCode::from_status(status),
        retry_after_ms: retry_after_ms.map(|wait| wait.min(COLLECTOR_RETRY_AFTER_MS_MAX)),
    })
}

fn headers(endpoint: &Endpoint, key: Option<&Secret>) -> HeaderMap {
    let mut headers = endpoint.common_headers(key);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
    headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/x-protobuf"));
    headers
}

fn compressed(bytes: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 4), Compression::default());
    let written = encoder.write_all(bytes).and_then(|()| encoder.finish());
    Bytes::from(written.expect("writing to memory does not fail"))
}

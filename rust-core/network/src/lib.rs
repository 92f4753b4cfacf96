//! The only way to the network: chat completions over HTTP, in OpenAI's format, which many servers use, files, and telemetry. Of text the crate
//! accepts only [`whimbrel_privacy::Cleared`] text, and sends it only to the endpoint for which it was cleared. `whimbrel-policy` decides where
//! a request goes, and whether another place is tried afterwards. [`FileClient`] asks for files, and sends nothing but their addresses.
//! [`TelemetryClient`] sends only a [`Body`](whimbrel_telemetry::export::Body), which cannot contain free text.
//!
//! [`ChatClient`] runs on a tokio runtime that the caller provides, with I/O and time enabled; it starts no thread and no runtime of its
//! own. [`ChatClient::chat`] returns an [`Answer`] at once, from which any executor can pull events.

mod chat;
mod download;
mod error;
mod http;
mod telemetry;

pub use chat::answer::{Answer, Canceller, ChatEvent, EVENTS_WAITING_MAX, Finished};
pub use chat::calls::{CALL_ARGUMENTS_BYTES_MAX, CALL_NAME_BYTES_MAX, CALLS_MAX, CallPiece, CallReader, ChatCall};
pub use chat::client::ChatClient;
pub use chat::completion::{Piece, PieceReader, REPORTED_MODEL_BYTES_MAX, Usage};
pub use chat::finish::FinishReason;
pub use chat::reader::{JSON_BYTES_MAX, LAST_WORD_MS_MAX};
pub use chat::request::{ChatOptions, REQUEST_ID_BYTES_MAX, STOP_BYTES_MAX, STOPS_MAX};
pub use chat::server_error::read_error;
pub use chat::sse::{EVENT_BYTES_MAX, SseError, SseEvent, SseParser};
pub use chat::stream::{PASSED_OVER_BYTES_MAX, PASSED_OVER_EVENTS_MAX};
pub use download::{FileAnswer, FileClient, FileRequest};
pub use error::{CallProblem, CertificateProblem, ChatError, Failure, ServerCode, TimeLimit};
pub use http::breaker::{Admission, Breaker, Circuit, FAILURES_MAX, OPEN_MS_BASE, OPEN_MS_MAX, Verdict};
pub use http::endpoint::{Endpoint, EndpointError};
pub use http::exchange::{ERROR_BODY_BYTES_MAX, HEAD_BYTES_MAX};
pub use http::pins::PinSet;
pub use http::pool::{ENDPOINTS_MAX, EndpointHealth};
pub use http::retry::{
    ATTEMPTS_MAX, BACKOFF_MS_BASE, BACKOFF_MS_MAX, RETRY_AFTER_MS_MAX, backoff_ms, retry_after_ms, wait_ms,
};
pub use http::secret::{SECRET_BYTES_MAX, Secret, SecretError};
pub use http::settings::{
    EndpointSettings, HEADER_BYTES_MAX, HEADERS_MAX, ID_BYTES_MAX, KeyHeader, MODEL_BYTES_MAX, PINS_MAX, PINS_MIN,
    PinSettings, REQUEST_BYTES_MAX, RESPONSE_BYTES_MAX, TIMEOUT_MS_MAX, Timeouts, TokenLimitField, URL_BYTES_MAX,
};
pub use http::traffic::{Delivery, Traffic};
pub use http::trust::{AUTHORITIES_MAX, AUTHORITY_BYTES_MAX, TrustError};
pub use telemetry::{
    COLLECTOR_RETRY_AFTER_MS_MAX, Collector, CollectorSettings, REPLY_BYTES_MAX, Sent, TelemetryClient, TelemetryError,
};

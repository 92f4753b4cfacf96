//! The only door out of the device: chat completions over HTTP, as OpenAI defined them and many servers speak them. It takes nothing
//! but [`whimbrel_privacy::Cleared`] text, and sends it to no other endpoint than the one that it was cleared for. Where a request
//! goes, and whether it is tried elsewhere afterwards, is `whimbrel-policy`'s decision.
//!
//! [`Remote`] works on a tokio runtime whose handle it is given, with I/O and time enabled; it starts no thread and no runtime of its own.
//! [`Remote::chat`] returns at once with an [`Answer`], from which events are pulled by any executor.

mod chat;
mod error;
mod http;

pub use chat::answer::{Answer, Canceller, ChatEvent, EVENTS_WAITING_MAX, Finished, Traffic};
pub use chat::client::{ENDPOINTS_MAX, EndpointHealth, JSON_BYTES_MAX, Remote};
pub use chat::completion::{
    ChatOptions, FinishReason, Piece, REPORTED_MODEL_BYTES_MAX, REQUEST_ID_BYTES_MAX, STOP_BYTES_MAX, STOPS_MAX, Usage,
    read_error, read_piece,
};
pub use chat::sse::{EVENT_BYTES_MAX, SseError, SseEvent, SseParser};
pub use error::{CertificateProblem, ChatError, Delivery, Failure, ServerCode, TimeLimit};
pub use http::breaker::{Admission, Breaker, Circuit, FAILURES_MAX, OPEN_MS_BASE, OPEN_MS_MAX, Verdict};
pub use http::endpoint::{
    Endpoint, EndpointError, EndpointSettings, HEADER_BYTES_MAX, HEADERS_MAX, ID_BYTES_MAX, KeyHeader, MODEL_BYTES_MAX,
    REQUEST_BYTES_MAX, RESPONSE_BYTES_MAX, TIMEOUT_MS_MAX, Timeouts, TokenLimitField, URL_BYTES_MAX,
};
pub use http::exchange::{ERROR_BODY_BYTES_MAX, HEAD_BYTES_MAX};
pub use http::pins::{PINS_MAX, PINS_MIN, PinSet, PinSettings};
pub use http::retry::{
    ATTEMPTS_MAX, BACKOFF_MS_BASE, BACKOFF_MS_MAX, RETRY_AFTER_MS_MAX, backoff_ms, retry_after_ms, wait_ms,
};
pub use http::secret::{SECRET_BYTES_MAX, Secret, SecretError};
pub use http::tls::{AUTHORITIES_MAX, AUTHORITY_BYTES_MAX, TrustError};

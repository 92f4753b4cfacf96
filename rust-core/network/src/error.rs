//! How a request fails. No message of a server and no text of a user is kept in an error.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::http::traffic::{Delivery, RequestProgress, Traffic};

/// A request that failed, and what was done before it did.
#[derive(Clone, Debug, Error, PartialEq)]
#[error("{failure}")]
pub struct ChatError {
    /// Why.
    pub failure: Failure,
    /// Text was given before; it is the beginning of an answer that will not be finished.
    pub partial_text: bool,
    /// Whether the server may have worked, and may charge, for it.
    pub delivery: Delivery,
    /// What went out and came in.
    pub traffic: Traffic,
}

impl ChatError {
    pub(crate) fn new(failure: Failure, progress: &RequestProgress) -> ChatError {
        ChatError {
            failure,
            partial_text: progress.is_text_seen(),
            delivery: progress.delivery(),
            traffic: progress.traffic(),
        }
    }
}

/// Why a request failed.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum Failure {
    /// The payload was cleared for another endpoint.
    #[error("the text was cleared for another endpoint")]
    OtherEndpoint,
    /// The payload has no message.
    #[error("there is no message to send")]
    NoMessage,
    /// The request is larger than the endpoint's limit.
    #[error("the request has {bytes} bytes, more than {bytes_max}")]
    RequestTooLarge {
        /// Its size.
        bytes: u64,
        /// The limit.
        bytes_max: u64,
    },
    /// An option is outside of its range.
    #[error("the option {option} is outside of its range")]
    Option {
        /// The field of [`crate::ChatOptions`].
        option: &'static str,
    },
    /// The endpoint failed often or asked to be left alone.
    #[error("the endpoint is left alone for another {remaining_ms} ms")]
    CircuitOpen {
        /// For how long.
        remaining_ms: u64,
    },
    /// The host has no address, or no connection to it came about.
    #[error("the server cannot be reached")]
    Unreachable,
    /// An address for cleartext turned out to be another machine.
    #[error("a cleartext address is not this machine")]
    NotLoopback,
    /// The TLS handshake failed, for another reason than the certificate.
    #[error("the TLS handshake failed")]
    Handshake,
    /// The server's certificate is not believed.
    #[error("the server's certificate is not trusted: {problem}")]
    Certificate {
        /// Why.
        problem: CertificateProblem,
    },
    /// A time limit was reached.
    #[error("the limit {limit} was reached")]
    TimedOut {
        /// Which one.
        limit: TimeLimit,
    },
    /// The connection broke after the request began to be sent.
    #[error("the connection was lost")]
    Lost,
    /// What came back is not HTTP.
    #[error("the server does not speak HTTP properly")]
    Protocol,
    /// The server said no.
    #[error("the server refused with status {status}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// What the body said, if it was understood.
        code: ServerCode,
        /// How long the server wants to be left alone.
        retry_after_ms: Option<u64>,
    },
    /// The server sends elsewhere; nobody goes.
    #[error("the server redirects (status {status}), which is not followed")]
    Redirected {
        /// The HTTP status.
        status: u16,
    },
    /// The answer is neither an event stream nor JSON, or is compressed.
    #[error("the answer is of another type than asked for")]
    ContentType,
    /// The answer is of the right type, and nonsense.
    #[error("the answer is malformed: {what}")]
    Malformed {
        /// Where.
        what: &'static str,
    },
    /// The answer is larger than a limit.
    #[error("the answer is too large: more than {bytes_max} bytes of {what}")]
    ResponseTooLarge {
        /// What is too large.
        what: &'static str,
        /// The limit.
        bytes_max: u64,
    },
    /// The answer ended before the model said that it had finished.
    #[error("the answer broke off")]
    Truncated,
    /// The server reported an error in place of the rest of the answer.
    #[error("the server reported an error in its answer")]
    Reported {
        /// What it said, if it was understood.
        code: ServerCode,
    },
    /// The request was cancelled, or its runtime was shut down.
    #[error("the request was cancelled")]
    Cancelled,
}

/// A time limit of [`crate::Timeouts`].
#[derive(Clone, Copy, Debug, Deserialize, Eq, Error, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeLimit {
    /// `connect_ms`.
    #[error("connect_ms")]
    Connect,
    /// `first_byte_ms`.
    #[error("first_byte_ms")]
    FirstByte,
    /// `idle_ms`.
    #[error("idle_ms")]
    Idle,
    /// `total_ms`.
    #[error("total_ms")]
    Total,
}

/// Why a certificate is not believed.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Error, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CertificateProblem {
    /// It is no longer valid, or not yet; the device's clock may be wrong.
    #[error("outside of its time")]
    Time,
    /// No trusted authority stands behind it.
    #[error("unknown authority")]
    Authority,
    /// It is for another host.
    #[error("another host")]
    Name,
    /// It is valid, and no pinned key is on its chain.
    #[error("no pinned key")]
    Pin,
    /// Anything else.
    #[error("malformed or not for servers")]
    Other,
}

/// What a server means by an error: a closed list, because a server may put anything into its messages, the user's text included.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ServerCode {
    /// It said nothing, or nothing that is known here.
    Unstated,
    /// The text is longer than the model's context.
    ContextLength,
    /// A key is missing or wrong.
    InvalidKey,
    /// The key does not allow this.
    Forbidden,
    /// There is no such model, or no such address.
    NotFound,
    /// Too many requests or tokens in a time.
    RateLimited,
    /// The account has no credit left, or must be paid for first.
    QuotaExceeded,
    /// The server is busy or still loading.
    Overloaded,
    /// The provider's filter refused the text.
    ContentFiltered,
    /// The request has more bytes than the server takes.
    RequestTooLarge,
    /// The server does not know an option of the request, or not this value of it.
    UnsupportedOption,
    /// The request is malformed in the server's eyes.
    InvalidRequest,
    /// The server failed.
    ServerError,
}

/// Words for the codes, in lower case, as OpenAI, Anthropic, Google, llama.cpp, vLLM and Azure write them.
const WORDS: [(ServerCode, &[&str]); 12] = [
    (
        ServerCode::ContextLength,
        &[
            "context_length_exceeded",
            "exceed_context_size_error",
            "string_above_max_length",
        ],
    ),
    (
        ServerCode::InvalidKey,
        &[
            "invalid_api_key",
            "authentication_error",
            "invalid_authentication",
            "unauthenticated",
        ],
    ),
    (
        ServerCode::Forbidden,
        &["permission_error", "permission_denied", "insufficient_permissions"],
    ),
    (
        ServerCode::NotFound,
        &[
            "model_not_found",
            "not_found_error",
            "deploymentnotfound",
            "notfounderror",
            "not_found",
        ],
    ),
    (
        ServerCode::RateLimited,
        &[
            "rate_limit_exceeded",
            "rate_limit_error",
            "resource_exhausted",
            "requests",
            "tokens",
        ],
    ),
    (
        ServerCode::QuotaExceeded,
        &[
            "insufficient_quota",
            "billing_hard_limit_reached",
            "billing_error",
            "payment_required",
        ],
    ),
    (
        ServerCode::Overloaded,
        &[
            "overloaded_error",
            "unavailable_error",
            "service_unavailable",
            "engine_overloaded",
            "unavailable",
        ],
    ),
    (
        ServerCode::ContentFiltered,
        &[
            "content_filter",
            "content_policy_violation",
            "responsibleaipolicyviolation",
        ],
    ),
    (ServerCode::RequestTooLarge, &["request_too_large", "payload_too_large"]),
    (
        ServerCode::UnsupportedOption,
        &["unsupported_parameter", "unsupported_value", "unknown_parameter"],
    ),
    (
        ServerCode::InvalidRequest,
        &[
            "invalid_request_error",
            "badrequesterror",
            "invalid_value",
            "invalid_argument",
        ],
    ),
    (
        ServerCode::ServerError,
        &[
            "server_error",
            "internal_error",
            "internalservererror",
            "api_error",
            "internal",
        ],
    ),
];

impl ServerCode {
    /// Reads the `code` or `type` of an error.
    pub(crate) fn from_word(word: &str) -> ServerCode {
        let word = word.trim().to_ascii_lowercase();
        let known = WORDS.iter().find(|(_, words)| words.contains(&word.as_str()));
        known.map_or(ServerCode::Unstated, |(code, _)| *code)
    }

    /// What a status of HTTP says by itself.
    pub(crate) fn from_status(status: u16) -> ServerCode {
        match status {
            401 => ServerCode::InvalidKey,
            402 => ServerCode::QuotaExceeded,
            403 => ServerCode::Forbidden,
            404 => ServerCode::NotFound,
            413 => ServerCode::RequestTooLarge,
            429 => ServerCode::RateLimited,
            503 | 529 => ServerCode::Overloaded,
            _ => ServerCode::Unstated,
        }
    }

    /// Whether it says no more than whose fault it is.
    pub(crate) fn is_general(self) -> bool {
        matches!(
            self,
            ServerCode::Unstated | ServerCode::InvalidRequest | ServerCode::ServerError
        )
    }
}

//! How a request fails. Errors contain no message of a server and no text of a user.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::http::traffic::{Delivery, RequestProgress, Traffic};

/// A request that failed, with what happened before.
#[derive(Clone, Debug, Error, PartialEq)]
#[error("{failure}")]
pub struct ChatError {
    /// The reason.
    pub failure: Failure,
    /// Whether text was delivered before the failure; it is the beginning of an answer that will not be completed.
    pub partial_text: bool,
    /// How far the request got, which tells whether the server may have worked on it and may charge for it.
    pub delivery: Delivery,
    /// Bytes sent and received.
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
    #[error("the request has {bytes} bytes, the limit is {bytes_max}")]
    RequestTooLarge {
        /// Its size.
        bytes: u64,
        /// The limit.
        bytes_max: u64,
    },
    /// An option is out of range.
    #[error("the option {option} is out of range")]
    Option {
        /// The field of [`crate::ChatOptions`].
        option: &'static str,
    },
    /// The endpoint failed several times, or asked not to be contacted for a while.
    #[error("the endpoint failed recently and is not contacted for another {remaining_ms} ms")]
    CircuitOpen {
        /// How long it stays closed to requests.
        remaining_ms: u64,
    },
    /// The host has no address, or no connection to it could be established.
    #[error("the server cannot be reached")]
    Unreachable,
    /// A cleartext address turned out to be another machine.
    #[error("the http address belongs to another machine; only https is allowed there")]
    NotLoopback,
    /// The TLS handshake failed for a reason other than the certificate.
    #[error("the TLS handshake failed")]
    Handshake,
    /// The server's certificate is not trusted.
    #[error("the server's certificate is not trusted: {problem}")]
    Certificate {
        /// The reason.
        problem: CertificateProblem,
    },
    /// A timeout expired.
    #[error("the time limit {limit} expired")]
    TimedOut {
        /// The timeout.
        limit: TimeLimit,
    },
    /// The connection broke after the request began to be sent.
    #[error("the connection was lost")]
    Lost,
    /// The response is not valid HTTP.
    #[error("the server's response is not valid HTTP")]
    Protocol,
    /// The server refused the request.
    #[error("the server refused the request with status {status}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The meaning of the body, if it was understood.
        code: ServerCode,
        /// How long the server asked to wait before a retry.
        retry_after_ms: Option<u64>,
    },
    /// The server sent a redirect, which is not followed.
    #[error("the server sent a redirect (status {status}), which is not followed")]
    Redirected {
        /// The HTTP status.
        status: u16,
    },
    /// The response is neither an event stream nor JSON, or is compressed.
    #[error("the answer has the wrong type: expected an uncompressed event stream or JSON")]
    ContentType,
    /// The response has the right type, but its content is invalid.
    #[error("the answer is malformed: {what}")]
    Malformed {
        /// The part that is invalid.
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
    /// The answer has a call of a tool that cannot be used.
    #[error("the answer has a tool call that cannot be used: {problem}")]
    BadCall {
        /// The reason.
        problem: CallProblem,
    },
    /// The answer ended before the model gave a finish reason.
    #[error("the answer ended too early")]
    Truncated,
    /// The server reported an error in place of the rest of the answer.
    #[error("the server reported an error in its answer")]
    Reported {
        /// The meaning of the error, if it was understood.
        code: ServerCode,
    },
    /// The request was cancelled, or its runtime was shut down.
    #[error("the request was cancelled")]
    Cancelled,
}

/// A timeout in [`crate::Timeouts`].
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

/// Why a certificate is not trusted.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Error, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CertificateProblem {
    /// It has expired or is not valid yet; the device's clock may be wrong.
    #[error("it has expired or is not valid yet")]
    Time,
    /// It was not issued by a trusted authority.
    #[error("an unknown authority issued it")]
    Authority,
    /// It belongs to another host.
    #[error("it belongs to another host")]
    Name,
    /// It is valid, but its chain contains no pinned key.
    #[error("its chain contains no pinned key")]
    Pin,
    /// Another reason.
    #[error("it is malformed or not meant for servers")]
    Other,
}

/// Why a call of a tool cannot be used.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Error, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CallProblem {
    /// The answer has more than [`CALLS_MAX`](crate::CALLS_MAX) calls.
    #[error("there are too many calls")]
    TooMany,
    /// The name is missing, longer than [`CALL_NAME_BYTES_MAX`](crate::CALL_NAME_BYTES_MAX), or has other characters than letters, digits,
    /// `_` and `-`.
    #[error("its name is missing or cannot be the name of a tool")]
    Name,
    /// The arguments of all calls together are longer than [`CALL_ARGUMENTS_BYTES_MAX`](crate::CALL_ARGUMENTS_BYTES_MAX).
    #[error("the arguments are too long")]
    ArgumentsTooLong,
}

/// The meaning of a server's error. The list is closed, because a server may put anything into its messages, including the user's text.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ServerCode {
    /// The server gave no reason, or an unknown one.
    Unstated,
    /// The text is longer than the model's context.
    ContextLength,
    /// A key is missing or wrong.
    InvalidKey,
    /// The key does not allow this.
    Forbidden,
    /// The model or the address does not exist.
    NotFound,
    /// A rate limit on requests or tokens was reached.
    RateLimited,
    /// The account has no credit left, or must be funded first.
    QuotaExceeded,
    /// The server is busy or still loading the model.
    Overloaded,
    /// The provider's filter refused the text.
    ContentFiltered,
    /// The request has more bytes than the server accepts.
    RequestTooLarge,
    /// The server does not support an option of the request, or this value of it.
    UnsupportedOption,
    /// The server considers the request malformed.
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

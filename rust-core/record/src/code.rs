//! The codes for why an attempt or a request ended without an answer. Receipts store them; `docs/ledger.md` lists them.

use std::fmt;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Label;

/// Declares the codes from one list, so that none can be forgotten in a table of names or meanings.
macro_rules! codes {
    ($(#[doc = $meaning:literal] $variant:ident = $name:literal,)+) => {
        /// Why an attempt or a request ended without an answer.
        ///
        /// ```
        /// use whimbrel_record::Code;
        ///
        /// assert_eq!(Code::RateLimited.name(), "rate_limited");
        /// assert_eq!(Code::from_name("rate_limited"), Some(Code::RateLimited));
        /// ```
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub enum Code {
            $(#[doc = $meaning] $variant,)+
        }

        impl Code {
            /// Every code, in the order of the documentation.
            pub const ALL: &'static [Code] = &[$(Code::$variant,)+];

            /// The word in receipts and in JSON.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Code::$variant => $name,)+
                }
            }

            /// Its meaning as an English sentence.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self {
                    $(Code::$variant => $meaning.trim_ascii(),)+
                }
            }

            /// The code with this name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Code> {
                match name {
                    $($name => Some(Code::$variant),)+
                    _ => None,
                }
            }
        }
    };
}

codes! {
    /// The model is answering another request.
    Busy = "busy",
    /// There was not enough memory.
    OutOfMemory = "out_of_memory",
    /// Prompt and answer do not fit into the model's context.
    ContextFull = "context_full",
    /// The model was closed.
    Closed = "closed",
    /// The engine failed in another way.
    Engine = "engine",
    /// The system model's quota is used up for now.
    QuotaExceeded = "quota_exceeded",
    /// The system's model declined to answer.
    Declined = "declined",
    /// The system's model is not available, or no place that the policy allows can answer now.
    Unavailable = "unavailable",
    /// The app's adapter to the system's model failed.
    Adapter = "adapter",
    /// The key vault did not return the endpoint's key.
    KeyVault = "key_vault",
    /// The endpoint needs a key, and none is stored.
    KeyMissing = "key_missing",
    /// The endpoint's stored key is not valid and cannot be sent.
    KeyUnreadable = "key_unreadable",
    /// A stop string cannot be used.
    Stop = "stop",
    /// The endpoint cannot be reached.
    Unreachable = "unreachable",
    /// A cleartext address is not this machine.
    NotLoopback = "not_loopback",
    /// The TLS handshake failed for a reason other than the certificate.
    Handshake = "handshake",
    /// The server's certificate is not trusted.
    Certificate = "certificate",
    /// The endpoint did not accept the key.
    Unauthorised = "unauthorised",
    /// The endpoint does not have the model, or its address is wrong.
    NotFound = "not_found",
    /// The endpoint's account has no credit left.
    Payment = "payment",
    /// The endpoint's rate limit was reached.
    RateLimited = "rate_limited",
    /// The endpoint failed on its side.
    Server = "server",
    /// The endpoint refused the request.
    Refused = "refused",
    /// The request is larger than the endpoint accepts.
    RequestTooLarge = "request_too_large",
    /// The endpoint does not support an option of the request.
    UnsupportedOption = "unsupported_option",
    /// The model was to think before it answers, and cannot.
    NoThinking = "no_thinking",
    /// The endpoint redirected the request. Redirects are not followed.
    Redirected = "redirected",
    /// The endpoint failed too often recently and was not contacted.
    CircuitOpen = "circuit_open",
    /// The day's budget is not enough for the most that the attempt may use.
    OverBudget = "over_budget",
    /// The record that must be on the disk before anything leaves could not be written.
    NotRecorded = "not_recorded",
    /// The endpoint's response is not valid HTTP.
    Protocol = "protocol",
    /// The answer does not have the requested content type.
    ContentType = "content_type",
    /// The answer cannot be read.
    Malformed = "malformed",
    /// The answer is longer than its limit.
    TooLarge = "too_large",
    /// The request itself cannot be sent.
    Request = "request",
    /// The connection was lost.
    Lost = "lost",
    /// The answer ended too early.
    Truncated = "truncated",
    /// The endpoint reported an error in its answer.
    Reported = "reported",
    /// The attempt ended without a result.
    Ended = "ended",
    /// The attempt took too long.
    TimedOut = "timed_out",
    /// The first token did not arrive in time.
    NoFirstToken = "no_first_token",
    /// A content filter withheld the answer or the rest of it.
    ContentFilter = "content_filter",
    /// The answer has no text.
    EmptyAnswer = "empty_answer",
    /// The answer was cut off at its token limit.
    CutOff = "cut_off",
    /// The answer does not have the form that was asked for, or ended before it had it.
    NotInForm = "not_in_form",
    /// The form that was asked for cannot be used.
    Form = "form",
    /// The model called a tool, but no tools are available.
    ToolCalls = "tool_calls",
    /// The model called a tool that it was not offered, or with arguments that the tool does not take.
    BadCall = "bad_call",
    /// The model refused to answer.
    Refusal = "refusal",
    /// The conversation's history contains text that may not be sent there.
    History = "history",
    /// The attempt failed because of a bug in the program.
    Panicked = "panicked",
    /// The attempt was stopped but did not end in time.
    DidNotStop = "did_not_stop",
    /// The request ended before the attempt started.
    NotBegun = "not_begun",
    /// The policy no longer has the endpoint.
    NoEndpoint = "no_endpoint",
    /// The endpoint's settings are not valid.
    EndpointSettings = "endpoint_settings",
    /// The decision gives no permit for this text.
    NoPermit = "no_permit",
    /// The text could not be cleared for the endpoint.
    NotCleared = "not_cleared",
    /// The place was already tried in the same request.
    AskedBefore = "asked_before",
    /// Something else failed on this device.
    Internal = "internal",
    /// The deadline of the request passed.
    Deadline = "deadline",
    /// The text is too long to be examined.
    TooLong = "too_long",
}

impl fmt::Display for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl From<Code> for Label {
    fn from(code: Code) -> Label {
        Label::squeezed(code.name())
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Code, D::Error> {
        let name = String::deserialize(deserializer)?;
        Code::from_name(&name).ok_or_else(|| D::Error::custom(format_args!("there is no code {name}")))
    }
}

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
    /// The system's model is not available, or nothing that the rules allow can answer now.
    Unavailable = "unavailable",
    /// The app's adapter to the system's model failed.
    Adapter = "adapter",
    /// The key vault did not give the endpoint's key.
    KeyVault = "key_vault",
    /// The endpoint wants a key, and none was stored.
    KeyMissing = "key_missing",
    /// The endpoint's stored key is not one that can be sent.
    KeyUnreadable = "key_unreadable",
    /// A stop string cannot be used.
    Stop = "stop",
    /// The endpoint cannot be reached.
    Unreachable = "unreachable",
    /// A cleartext address is not this machine.
    NotLoopback = "not_loopback",
    /// The TLS handshake failed, for another reason than the certificate.
    Handshake = "handshake",
    /// The server's certificate is not trusted.
    Certificate = "certificate",
    /// The endpoint did not accept the key.
    Unauthorised = "unauthorised",
    /// The endpoint does not have the model, or its address is wrong.
    NotFound = "not_found",
    /// The endpoint's account has no credit left.
    Payment = "payment",
    /// The endpoint got too many requests.
    RateLimited = "rate_limited",
    /// The endpoint failed on its side.
    Server = "server",
    /// The endpoint refused the request.
    Refused = "refused",
    /// The request has more bytes than the endpoint takes.
    RequestTooLarge = "request_too_large",
    /// The endpoint does not take an option of the request.
    UnsupportedOption = "unsupported_option",
    /// The endpoint redirected the request, which is not followed.
    Redirected = "redirected",
    /// The endpoint failed too often of late and was not asked.
    CircuitOpen = "circuit_open",
    /// The day's budget does not hold what it may use at most.
    OverBudget = "over_budget",
    /// The disk did not take what has to be written down before anything leaves.
    NotRecorded = "not_recorded",
    /// The endpoint does not speak HTTP properly.
    Protocol = "protocol",
    /// The answer has another content type than asked for.
    ContentType = "content_type",
    /// The answer cannot be read.
    Malformed = "malformed",
    /// The answer is longer than its limit.
    TooLarge = "too_large",
    /// The request itself cannot be sent.
    Request = "request",
    /// The connection was lost.
    Lost = "lost",
    /// The answer broke off before its end.
    Truncated = "truncated",
    /// The endpoint reported an error in its answer.
    Reported = "reported",
    /// It ended without saying how.
    Ended = "ended",
    /// It took longer than it may.
    TimedOut = "timed_out",
    /// It showed no first token in time.
    NoFirstToken = "no_first_token",
    /// A filter at the place withheld the answer or the rest of it.
    ContentFilter = "content_filter",
    /// The answer has no text.
    EmptyAnswer = "empty_answer",
    /// The answer was cut off at its limit of tokens.
    CutOff = "cut_off",
    /// The model called a tool, and there is none.
    ToolCalls = "tool_calls",
    /// The model refused to answer.
    Refusal = "refusal",
    /// Something in the conversation's history may not go there.
    History = "history",
    /// The attempt failed by a defect of the program.
    Panicked = "panicked",
    /// It was stopped and did not end in time.
    DidNotStop = "did_not_stop",
    /// The request ended before it was begun.
    NotBegun = "not_begun",
    /// The policy does not have the endpoint any more.
    NoEndpoint = "no_endpoint",
    /// The endpoint's settings cannot be used.
    EndpointSettings = "endpoint_settings",
    /// The decision gives no permit for this text.
    NoPermit = "no_permit",
    /// The text could not be cleared for the endpoint.
    NotCleared = "not_cleared",
    /// It was asked before in the same request.
    AskedBefore = "asked_before",
    /// Anything else that failed on this device.
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

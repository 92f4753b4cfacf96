//! Why a place is not tried, as a value and in words.

use std::fmt;

use serde::Serialize;
use whimbrel_privacy::PrivacyClass;
use whimbrel_record::size;

use crate::condition::class_name;
use crate::document::PolicyRole;
use crate::id::Id;
use crate::request::Need;

/// Why a place in the app's list is not tried.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Refusal {
    /// A rule denies it.
    Denied {
        /// The document.
        document: PolicyRole,
        /// Its id.
        rule: Id,
    },
    /// The user's list does not contain it.
    NotInUsersList {
        /// The user's rule with the list; `None` for `otherwise`.
        rule: Option<Id>,
    },
    /// The text's privacy class is higher than the endpoint may receive in this form.
    ClassAboveEndpoint {
        /// The text's class.
        class: PrivacyClass,
        /// The endpoint's highest class.
        class_max: PrivacyClass,
    },
    /// The conversation contains messages that this place may not read.
    History {
        /// The number of messages.
        messages: u32,
    },
    /// The request excludes it: it answered before, and another place is wanted.
    Excluded,
    /// The app's policy alone would have tried a place on this device first, but the user's policy rules that place out. The text therefore
    /// stays.
    WouldStay {
        /// The name of the place on this device.
        instead_of: String,
    },
    /// The model is not on this device.
    NoModel,
    /// There are more local models than [`LOCAL_MODELS_MAX`](crate::limits::LOCAL_MODELS_MAX).
    TooManyModels,
    /// The policy has no endpoint.
    NoEndpoint,
    /// The model is not installed, incomplete, or unavailable now.
    NotReady,
    /// It does not support a feature that the answer needs.
    Lacks {
        /// The feature.
        need: Need,
    },
    /// Prompt and answer do not fit its context.
    ContextTooShort {
        /// Tokens needed.
        tokens: u64,
        /// Size of its context in tokens.
        context_tokens: u32,
    },
    /// Its model needs more memory than is available.
    Memory {
        /// Bytes needed.
        needed_bytes: u64,
        /// Bytes available.
        usable_bytes: u64,
    },
    /// The battery is below the policy's minimum, and not charging.
    Battery {
        /// The charge.
        percent: u8,
        /// The minimum.
        percent_min: u8,
    },
    /// The device is hotter than the policy allows for computing.
    Thermal,
    /// There is no network.
    Offline,
    /// The endpoint failed too often recently.
    CircuitOpen,
    /// The request may cost more than the policy allows for one request.
    CostOfRequest {
        /// The maximum cost of the request, in millionths of the currency.
        cost_micros: u64,
        /// The limit.
        cost_micros_max: u64,
    },
    /// The day's cost would exceed the limit.
    CostOfDay {
        /// The day's cost with this request, in millionths of the currency.
        cost_micros: u64,
        /// The limit.
        cost_micros_max: u64,
    },
    /// The day's bytes on metered networks would exceed the limit.
    MeteredBytes {
        /// The day's bytes with this request.
        bytes: u64,
        /// The limit.
        bytes_max: u64,
    },
    /// Its first token is expected after the deadline.
    TooSlow {
        /// The expected time.
        first_token_ms: u64,
        /// The deadline.
        deadline_ms: u64,
    },
}

/// A place that is not tried.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Refused {
    /// Its name, as [`crate::Candidate::name`].
    pub name: String,
    /// The reason.
    pub reason: Refusal,
    /// How many candidates of the plan the list names before it.
    #[serde(skip)]
    pub after_candidates: u32,
}

impl Refusal {
    /// Whether there is no such place, or one too many: nobody expects it to answer.
    #[must_use]
    pub fn is_absence(&self) -> bool {
        matches!(self, Refusal::NoModel | Refusal::NoEndpoint | Refusal::TooManyModels)
    }

    /// Whether a rule, a list or a class forbids it, whatever the device's state.
    #[must_use]
    pub fn is_denial(&self) -> bool {
        matches!(
            self,
            Refusal::Denied { .. }
                | Refusal::NotInUsersList { .. }
                | Refusal::ClassAboveEndpoint { .. }
                | Refusal::History { .. }
        )
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Denied { document, rule } => write!(f, "the {}'s rule {rule} denies it", document.name()),
            Refusal::NotInUsersList { rule: Some(rule) } => {
                write!(f, "the user's rule {rule} does not list it")
            }
            Refusal::NotInUsersList { rule: None } => f.write_str("the user's policy does not list it"),
            Refusal::ClassAboveEndpoint { class, class_max } => {
                let (class, class_max) = (class_name(*class), class_name(*class_max));
                write!(
                    f,
                    "the text is {class}, but in this form it may receive at most {class_max}"
                )
            }
            Refusal::History { messages: 1 } => f.write_str("it may not see an earlier message of the conversation"),
            Refusal::History { messages } => {
                write!(f, "it may not see {messages} earlier messages of the conversation")
            }
            Refusal::Excluded => f.write_str("the request asks for another place"),
            Refusal::WouldStay { instead_of } => write!(
                f,
                "the user's policy rules out {instead_of}, which would come first, so the text stays on this device"
            ),
            Refusal::NoModel => f.write_str("there is no such model on this device"),
            Refusal::TooManyModels => f.write_str("there are too many models on this device"),
            Refusal::NoEndpoint => f.write_str("the policy has no endpoint"),
            Refusal::NotReady => f.write_str("it is not ready"),
            Refusal::Lacks { need } => write!(f, "it does not support {}", need.name()),
            Refusal::ContextTooShort { tokens, context_tokens } => {
                write!(f, "{tokens} tokens do not fit into its context of {context_tokens}")
            }
            Refusal::Memory {
                needed_bytes,
                usable_bytes,
            } => write!(
                f,
                "it needs {} of memory, but only {} may be used",
                size(*needed_bytes),
                size(*usable_bytes)
            ),
            Refusal::Battery { percent, percent_min } => {
                write!(f, "the battery is at {percent} %, below the minimum of {percent_min} %")
            }
            Refusal::Thermal => f.write_str("the device is too hot"),
            Refusal::Offline => f.write_str("there is no network"),
            Refusal::CircuitOpen => f.write_str("it failed too often recently"),
            Refusal::CostOfRequest {
                cost_micros: cost,
                cost_micros_max: max,
            } => write!(
                f,
                "it may cost {}, but the limit per request is {}",
                units(*cost),
                units(*max)
            ),
            Refusal::CostOfDay {
                cost_micros: cost,
                cost_micros_max: max,
            } => write!(
                f,
                "today's cost would be {}, but the limit per day is {}",
                units(*cost),
                units(*max)
            ),
            Refusal::MeteredBytes { bytes, bytes_max } => {
                write!(
                    f,
                    "today's traffic over metered networks would be {}, but the limit is {}",
                    size(*bytes),
                    size(*bytes_max)
                )
            }
            Refusal::TooSlow {
                first_token_ms,
                deadline_ms,
            } => write!(
                f,
                "its first token is expected after {first_token_ms} ms, but the deadline is {deadline_ms} ms"
            ),
        }
    }
}

/// Millionths as a decimal fraction.
pub(crate) fn units(micros: u64) -> String {
    format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}

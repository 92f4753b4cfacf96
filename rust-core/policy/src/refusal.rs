//! Why something is not tried, as a value and in words.

use std::fmt;

use serde::Serialize;
use whimbrel_privacy::PrivacyClass;
use whimbrel_record::size;

use crate::condition::class_name;
use crate::document::PolicyRole;
use crate::id::Id;
use crate::request::Need;

/// Why something that a list of the app's policy names is not tried.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Refusal {
    /// A rule denies it.
    Denied {
        /// Whose.
        document: PolicyRole,
        /// Its id.
        rule: Id,
    },
    /// The user's list does not have it.
    NotInUsersList {
        /// The user's rule with the list; `None` for its `otherwise`.
        rule: Option<Id>,
    },
    /// The text is more private than the endpoint may get in this form.
    ClassAboveEndpoint {
        /// The text's class.
        class: PrivacyClass,
        /// The endpoint's highest.
        class_max: PrivacyClass,
    },
    /// The conversation holds messages that were kept from it.
    History {
        /// How many.
        messages: u32,
    },
    /// The request leaves it out: it answered before, and another place is asked for.
    Excluded,
    /// The app's policy alone would have asked another place first, on this device, and the user's takes that away: the text stays.
    WouldStay {
        /// The name of the place on this device.
        instead_of: String,
    },
    /// There is no such model on this device.
    NoModel,
    /// More local models than [`LOCAL_MODELS_MAX`](crate::limits::LOCAL_MODELS_MAX).
    TooManyModels,
    /// The policy has no endpoint.
    NoEndpoint,
    /// The model is not installed, not whole, or not available now.
    NotReady,
    /// It cannot do what the answer needs.
    Lacks {
        /// What.
        need: Need,
    },
    /// Prompt and answer do not fit into its context.
    ContextTooShort {
        /// Tokens that are wanted.
        tokens: u64,
        /// Tokens that fit.
        context_tokens: u32,
    },
    /// Its model needs more memory than there is.
    Memory {
        /// Bytes that it needs.
        needed_bytes: u64,
        /// Bytes that may be used.
        usable_bytes: u64,
    },
    /// The battery is below the policy's floor, and not charging.
    Battery {
        /// The charge.
        percent: u8,
        /// The floor.
        percent_min: u8,
    },
    /// The device is hotter than the policy allows for computing.
    Thermal,
    /// There is no network.
    Offline,
    /// The endpoint failed too often of late.
    CircuitOpen,
    /// The request may cost more than the policy allows for one.
    CostOfRequest {
        /// What it may cost, in millionths of the currency.
        cost_micros: u64,
        /// The limit.
        cost_micros_max: u64,
    },
    /// The day's cost would be above the limit.
    CostOfDay {
        /// The day's cost with this request, in millionths of the currency.
        cost_micros: u64,
        /// The limit.
        cost_micros_max: u64,
    },
    /// The day's bytes on metered networks would be above the limit.
    MeteredBytes {
        /// The day's bytes with this request.
        bytes: u64,
        /// The limit.
        bytes_max: u64,
    },
    /// Its first token is expected after the deadline.
    TooSlow {
        /// When it is expected.
        first_token_ms: u64,
        /// The deadline.
        deadline_ms: u64,
    },
}

/// Something that is not tried.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Refused {
    /// Its name, as [`crate::Candidate::name`].
    pub name: String,
    /// Why.
    pub reason: Refusal,
    /// How many candidates of the plan the list names before it.
    #[serde(skip)]
    pub after_candidates: u32,
}

impl Refusal {
    /// Whether rules, lists or classes forbid it, whatever the device can do now.
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
                write!(f, "the text is {class}, and in this form it gets at most {class_max}")
            }
            Refusal::History { messages: 1 } => f.write_str("an earlier message of the conversation was kept from it"),
            Refusal::History { messages } => {
                write!(f, "{messages} earlier messages of the conversation were kept from it")
            }
            Refusal::Excluded => f.write_str("another place is asked for"),
            Refusal::WouldStay { instead_of } => write!(
                f,
                "{instead_of} would come first, and the user's policy takes it away: the text does not leave in its place"
            ),
            Refusal::NoModel => f.write_str("there is none on this device"),
            Refusal::TooManyModels => f.write_str("too many models on this device"),
            Refusal::NoEndpoint => f.write_str("the policy has no endpoint"),
            Refusal::NotReady => f.write_str("it is not ready"),
            Refusal::Lacks { need } => write!(f, "it cannot do {}", need.name()),
            Refusal::ContextTooShort { tokens, context_tokens } => {
                write!(f, "{tokens} tokens do not fit into its context of {context_tokens}")
            }
            Refusal::Memory {
                needed_bytes,
                usable_bytes,
            } => write!(
                f,
                "it needs {} of memory, and {} may be used",
                size(*needed_bytes),
                size(*usable_bytes)
            ),
            Refusal::Battery { percent, percent_min } => {
                write!(f, "the battery has {percent} %, and the floor is {percent_min} %")
            }
            Refusal::Thermal => f.write_str("the device is too hot"),
            Refusal::Offline => f.write_str("there is no network"),
            Refusal::CircuitOpen => f.write_str("it failed too often lately"),
            Refusal::CostOfRequest {
                cost_micros: cost,
                cost_micros_max: max,
            } => write!(
                f,
                "it may cost {}, and the limit of a request is {}",
                units(*cost),
                units(*max)
            ),
            Refusal::CostOfDay {
                cost_micros: cost,
                cost_micros_max: max,
            } => write!(
                f,
                "the day would cost {}, and its limit is {}",
                units(*cost),
                units(*max)
            ),
            Refusal::MeteredBytes { bytes, bytes_max } => {
                write!(
                    f,
                    "with it {} would go over metered networks today, and the limit is {}",
                    size(*bytes),
                    size(*bytes_max)
                )
            }
            Refusal::TooSlow {
                first_token_ms,
                deadline_ms,
            } => write!(
                f,
                "its first token is expected after {first_token_ms} ms, and the deadline is {deadline_ms} ms"
            ),
        }
    }
}

/// Millionths as a decimal fraction.
pub(crate) fn units(micros: u64) -> String {
    format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}

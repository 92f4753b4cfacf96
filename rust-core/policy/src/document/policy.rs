//! A policy as values, after parsing. `decode` parses documents, and `route` applies policies.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize, Serializer};
use whimbrel_privacy::{PrivacyClass, Release};
use whimbrel_record::{Place, TrustClass};

use super::decode;
use super::error::PolicyError;
use super::node::{Format, read};
use super::telemetry::Telemetry;
use crate::condition::Condition;
use crate::device::Thermal;
use crate::id::Id;
use crate::request::{Need, task_key};
use crate::tool::ToolRule;

/// The role of a document. A user's document can only make the app's stricter.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PolicyRole {
    /// The app developer's document: defines the endpoints, and says what is allowed.
    #[default]
    App,
    /// The user's document: restricts what the app's allows.
    User,
}

impl PolicyRole {
    /// Both roles.
    pub const ALL: [PolicyRole; 2] = [PolicyRole::App, PolicyRole::User];

    /// The name in documents and JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            PolicyRole::App => "app",
            PolicyRole::User => "user",
        }
    }
}

/// The word for a class of trust in documents and in what is printed of them.
pub(crate) fn trust_word(trust: TrustClass) -> &'static str {
    match trust {
        TrustClass::OwnDevice => "own_device_nearby",
        TrustClass::Organisation => "organisation",
        TrustClass::PublicCloud => "public_cloud",
    }
}

pub(crate) fn as_trust_word<S: Serializer>(trust: &TrustClass, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(trust_word(*trust))
}

/// A server that answers requests.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Endpoint {
    /// Its name in rules, receipts and permits.
    pub id: Id,
    /// The base URL of its API, without a trailing slash: `https://llm.example.org/v1`.
    pub base_url: String,
    /// The name of the model to request.
    pub model: String,
    /// Who operates the endpoint.
    #[serde(serialize_with = "as_trust_word")]
    pub trust: TrustClass,
    /// Cost of 1000 prompt tokens in millionths of the policy's currency.
    pub prompt_cost_per_1k_micros: u64,
    /// Cost of 1000 answer tokens in millionths of the policy's currency.
    pub answer_cost_per_1k_micros: u64,
    /// The highest privacy class that may be sent there as it is.
    pub class_max: PrivacyClass,
    /// The highest privacy class that may be sent there redacted.
    pub class_max_redacted: PrivacyClass,
    /// The features it supports beyond text.
    pub supports: Vec<Need>,
    /// Size of its context in tokens, prompt and answer together; `None` if not stated.
    pub context_tokens: Option<u32>,
    /// Made once, so that no decision makes it.
    #[serde(skip)]
    pub(crate) place: Place,
}

impl Endpoint {
    /// The endpoint as a place.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Who operates the endpoint, as the word in documents: `own_device_nearby`, `organisation`, `public_cloud`.
    #[must_use]
    pub fn trust_word(&self) -> &'static str {
        trust_word(self.trust)
    }
}

/// One step of a list of `try`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Step {
    OnDevice,
    SystemModel,
    Remote { endpoint: EndpointChoice, release: Release },
    Queue,
}

/// `remote:house` or `remote:*`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum EndpointChoice {
    All,
    One(Id),
}

impl EndpointChoice {
    pub(crate) fn includes(&self, id: &str) -> bool {
        match self {
            EndpointChoice::All => true,
            EndpointChoice::One(one) => **one == *id,
        }
    }
}

impl fmt::Display for EndpointChoice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EndpointChoice::All => formatter.write_str("*"),
            EndpointChoice::One(id) => formatter.write_str(id),
        }
    }
}

/// What a rule can deny.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Denied {
    Everything,
    OffDevice,
    Unredacted,
    OnDevice,
    SystemModel,
    Queue,
    Trust(TrustClass),
    Remote { endpoint: EndpointChoice, release: Release },
    Endpoint(Id),
}

impl Denied {
    /// Whether it keeps text on the device. In a rule with such a denial what is unknown counts as matching, and in no other: an unknown
    /// reading must neither open a door nor push the text towards one.
    pub(crate) fn keeps_on_device(&self) -> bool {
        !matches!(self, Denied::OnDevice | Denied::SystemModel | Denied::Queue)
    }
}

/// The order of the steps in a list.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// As they are written.
    #[default]
    AsWritten,
    /// By what was learned about their quality for the task; as written if nothing was learned or learning is off.
    Quality,
}

impl Order {
    pub(crate) const ALL: [Order; 2] = [Order::AsWritten, Order::Quality];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Order::AsWritten => "as_written",
            Order::Quality => "quality",
        }
    }
}

/// A list of steps with its order.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Steps {
    pub(crate) steps: Vec<Step>,
    /// `None` means the order of the policy.
    pub(crate) order: Option<Order>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Then {
    Deny(Vec<Denied>),
    Try(Steps),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rule {
    pub(crate) id: Id,
    pub(crate) when: Vec<Condition>,
    /// Whether a condition about an unknown reading holds.
    pub(crate) unknown_matches: bool,
    pub(crate) then: Then,
}

/// Limits; `None` means no limit.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Limits {
    /// Maximum cost per day in millionths of the policy's currency.
    pub cost_a_day_micros: Option<u64>,
    /// Maximum cost of one request in millionths of the policy's currency.
    pub cost_a_request_micros: Option<u64>,
    /// Maximum bytes per day, both ways, on metered, roaming and unknown networks.
    pub metered_bytes_a_day: Option<u64>,
    /// Minimum battery charge in percent. Below it, and not charging, nothing is computed on the device.
    pub battery_percent_min: Option<u8>,
    /// Maximum thermal level. Above it, nothing is computed on the device.
    pub thermal_max: Option<Thermal>,
    /// The deadline for the whole answer, all candidates together, in milliseconds.
    pub deadline_ms: Option<u64>,
    /// The timeout for a candidate's first token, after which the next candidate is tried, in milliseconds.
    pub first_token_ms: Option<u64>,
    /// The timeout for a candidate's whole answer, after which the next candidate is tried, in milliseconds.
    pub candidate_ms: Option<u64>,
    /// The highest privacy class of requests whose answers are remembered, to be given again to exactly the same request.
    pub remembered_class_max: Option<PrivacyClass>,
    /// How long an answer is remembered, in days; 0 remembers none.
    pub remembered_days: Option<u32>,
}

/// What is different for one task.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct TaskOverride {
    pub(crate) otherwise: Option<Steps>,
    pub(crate) limits: Limits,
}

/// A valid policy document.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    pub(crate) role: PolicyRole,
    pub(crate) name: Id,
    pub(crate) description: Option<String>,
    pub(crate) currency: Option<String>,
    pub(crate) endpoints: Vec<Endpoint>,
    pub(crate) order: Order,
    /// `None` only in a user's document: whatever the app allows.
    pub(crate) otherwise: Option<Steps>,
    pub(crate) limits: Limits,
    pub(crate) tasks: BTreeMap<String, TaskOverride>,
    pub(crate) rules: Vec<Rule>,
    pub(crate) tools: Vec<ToolRule>,
    pub(crate) telemetry: Option<Telemetry>,
    /// Where endpoints are named in a user's document, for the check against the app's.
    pub(crate) named_endpoints: Vec<NamedEndpoint>,
}

/// A place in a document that names an endpoint.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct NamedEndpoint {
    pub(crate) id: Id,
    pub(crate) line: u32,
    pub(crate) column: u32,
    pub(crate) path: String,
}

impl Policy {
    /// Parses a document.
    ///
    /// ```
    /// use whimbrel_policy::{Format, Policy};
    ///
    /// let policy = Policy::parse("version = 1\nname = \"mine\"\notherwise = [\"on_device\"]", Format::Toml)?;
    /// assert_eq!(policy.name(), "mine");
    /// let error = Policy::parse("version = 1\nname = \"mine\"\nhurry = true", Format::Toml).unwrap_err();
    /// assert_eq!((error.line, error.path.as_str()), (3, "hurry"));
    /// # Ok::<(), whimbrel_policy::PolicyError>(())
    /// ```
    ///
    /// # Errors
    /// The first error and its position. The endpoints that a user's document names are checked by [`PolicySet`](crate::PolicySet), because
    /// only the app's document defines them.
    pub fn parse(text: &str, format: Format) -> Result<Policy, PolicyError> {
        // Some editors put a byte order mark before UTF-8.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let policy = read(text, format).and_then(|root| decode::policy(&root, text));
        policy.map_err(|fault| fault.locate(text))
    }

    /// The document's role.
    #[must_use]
    pub fn role(&self) -> PolicyRole {
        self.role
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its purpose, in a sentence.
    #[must_use]
    pub fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// The currency of all its costs.
    #[must_use]
    pub fn currency(&self) -> Option<&str> {
        self.currency.as_deref()
    }

    /// The endpoints, in the order of the document.
    #[must_use]
    pub fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    /// The endpoint with this id.
    #[must_use]
    pub fn endpoint(&self, id: &str) -> Option<&Endpoint> {
        self.endpoints.iter().find(|endpoint| *endpoint.id == *id)
    }

    /// The ids of the rules, in the order of the document.
    pub fn rule_ids(&self) -> impl Iterator<Item = &str> {
        self.rules.iter().map(|rule| &*rule.id)
    }

    /// The tasks that its rules name.
    pub fn task_names(&self) -> impl Iterator<Item = &str> {
        let conditions = self.rules.iter().flat_map(|rule| &rule.when);
        let tasks = conditions.filter_map(|condition| match condition {
            Condition::Task(tasks) => Some(tasks),
            _ => None,
        });
        tasks.flatten().map(String::as_str)
    }

    /// The ids of the rules about tools, in the order of the document.
    pub fn tool_rule_ids(&self) -> impl Iterator<Item = &str> {
        self.tools.iter().map(|rule| &*rule.id)
    }

    /// The limits for a task: the task's own, and the document's for fields that the task does not set.
    #[must_use]
    pub fn limits(&self, task: &str) -> Limits {
        let general = &self.limits;
        let Some(task) = self.tasks.get(&task_key(task)).map(|task| &task.limits) else {
            return general.clone();
        };
        Limits {
            cost_a_day_micros: task.cost_a_day_micros.or(general.cost_a_day_micros),
            cost_a_request_micros: task.cost_a_request_micros.or(general.cost_a_request_micros),
            metered_bytes_a_day: task.metered_bytes_a_day.or(general.metered_bytes_a_day),
            battery_percent_min: task.battery_percent_min.or(general.battery_percent_min),
            thermal_max: task.thermal_max.or(general.thermal_max),
            deadline_ms: task.deadline_ms.or(general.deadline_ms),
            first_token_ms: task.first_token_ms.or(general.first_token_ms),
            candidate_ms: task.candidate_ms.or(general.candidate_ms),
            remembered_class_max: task.remembered_class_max.or(general.remembered_class_max),
            remembered_days: task.remembered_days.or(general.remembered_days),
        }
    }
}

impl Limits {
    /// The stricter of the two, limit by limit.
    #[must_use]
    pub fn stricter(&self, other: &Limits) -> Limits {
        fn least<T: Ord + Copy>(one: Option<T>, other: Option<T>) -> Option<T> {
            match (one, other) {
                (Some(one), Some(other)) => Some(one.min(other)),
                (one, other) => one.or(other),
            }
        }
        Limits {
            cost_a_day_micros: least(self.cost_a_day_micros, other.cost_a_day_micros),
            cost_a_request_micros: least(self.cost_a_request_micros, other.cost_a_request_micros),
            metered_bytes_a_day: least(self.metered_bytes_a_day, other.metered_bytes_a_day),
            battery_percent_min: self.battery_percent_min.max(other.battery_percent_min),
            thermal_max: least(self.thermal_max, other.thermal_max),
            deadline_ms: least(self.deadline_ms, other.deadline_ms),
            first_token_ms: least(self.first_token_ms, other.first_token_ms),
            candidate_ms: least(self.candidate_ms, other.candidate_ms),
            remembered_class_max: least(self.remembered_class_max, other.remembered_class_max),
            remembered_days: least(self.remembered_days, other.remembered_days),
        }
    }
}

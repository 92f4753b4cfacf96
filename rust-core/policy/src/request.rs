//! What a decision is about: the facts of a request, of the models that could answer it, and of today's use. No text.

use serde::{Deserialize, Serialize};

/// What an answer needs beyond text.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Need {
    /// Calls of tools.
    Tools,
    /// An answer that follows a JSON schema.
    Json,
}

impl Need {
    /// Every need.
    pub const ALL: [Need; 2] = [Need::Tools, Need::Json];

    /// The name in policies and JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Need::Tools => "tools",
            Need::Json => "json",
        }
    }
}

/// How names of tasks are compared, in documents, decisions and learning: without blanks around, and without regard to case in ASCII.
#[must_use]
pub(crate) fn task_key(task: &str) -> String {
    task.trim().to_ascii_lowercase()
}

/// What is asked for.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct RequestFacts {
    /// The request's id. The random part of an order by quality follows from it, so that a decision can be repeated.
    pub id: String,
    /// The app's name for what it is doing: `summarise`. Compared without regard to case and blanks around.
    pub task: String,
    /// Tokens of the prompt, estimated.
    pub prompt_tokens: u32,
    /// Tokens of the answer at most.
    pub answer_tokens_max: u32,
    /// Time for the whole answer in milliseconds; `None` leaves it to the policy.
    pub deadline_ms: Option<u64>,
    /// What the answer needs beyond text.
    pub needs: Vec<Need>,
}

/// A model on this device.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct LocalModelFacts {
    /// The model's name.
    pub model: String,
    /// The variant that would run.
    pub variant: String,
    /// The hash that its bundle's manifest states, in hexadecimal digits.
    pub hash: String,
    /// Whether its bundle is installed and whole.
    pub ready: bool,
    /// What it can do beyond text.
    pub supports: Vec<Need>,
    /// Prompt and answer tokens that fit.
    pub context_tokens: Option<u32>,
    /// Expected time to the first token of this request in milliseconds.
    pub first_token_ms: Option<u32>,
    /// Expected tokens a second.
    pub tokens_per_s: Option<f32>,
    /// Memory that it needs at its peak, beyond what it holds already, in bytes.
    pub peak_memory_bytes: Option<u64>,
}

/// Whether the system's model can be asked now.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Availability {
    /// Yes.
    Available,
    /// Another app uses it, or its quota is used up for now.
    Busy,
    /// The system is still fetching it.
    Downloading,
    /// This device has none, or the user switched it off.
    #[default]
    Unavailable,
}

/// The model that the system brings: Gemini Nano, Apple's foundation model.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct SystemModelFacts {
    /// Its name.
    pub model: String,
    /// Whether it can be asked now.
    pub availability: Availability,
    /// What it can do beyond text.
    pub supports: Vec<Need>,
    /// Prompt and answer tokens that fit.
    pub context_tokens: Option<u32>,
    /// Expected time to the first token in milliseconds.
    pub first_token_ms: Option<u32>,
    /// Expected tokens a second.
    pub tokens_per_s: Option<f32>,
}

/// The state of an endpoint's circuit breaker.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Circuit {
    /// It works.
    #[default]
    Closed,
    /// It failed; one request may try.
    HalfOpen,
    /// It failed; nothing is sent for now.
    Open,
}

/// What was measured of an endpoint. One of which nothing is said counts as working and unmeasured.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct EndpointFacts {
    /// The endpoint's id in the policy.
    pub id: String,
    /// Its circuit breaker.
    pub circuit: Circuit,
    /// Measured time to the first token in milliseconds.
    pub first_token_ms: Option<u32>,
    /// Measured tokens a second.
    pub tokens_per_s: Option<f32>,
}

/// Everything that could answer.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct CandidateFacts {
    /// The models of this device, the preferred one first.
    pub local_models: Vec<LocalModelFacts>,
    /// The system's model, if there is one.
    pub system_model: Option<SystemModelFacts>,
    /// What was measured of the policy's endpoints.
    pub endpoints: Vec<EndpointFacts>,
}

/// What was used today, before this request.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct UsedToday {
    /// Cost in millionths of the policy's currency.
    pub cost_micros: u64,
    /// Bytes over metered networks, both ways.
    pub metered_bytes: u64,
}

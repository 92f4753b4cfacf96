//! The facts for a decision: the request, the models that could answer it, and today's usage. No text.

use serde::{Deserialize, Serialize};

/// What an answer needs beyond text.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Need {
    /// Tool calls.
    Tools,
    /// An answer that follows a JSON schema.
    Json,
    /// An answer of a form that cannot be sent as a JSON schema, such as a grammar. Only the engine on this device holds it.
    AnyForm,
}

impl Need {
    /// What the documents of an app can say that a place supports.
    pub const ALL: [Need; 2] = [Need::Tools, Need::Json];

    /// The name in policies and JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Need::Tools => "tools",
            Need::Json => "json",
            Need::AnyForm => "any_form",
        }
    }
}

/// How names of tasks are compared, in documents, decisions and learning: without blanks around, and without regard to case in ASCII.
#[must_use]
pub(crate) fn task_key(task: &str) -> String {
    task.trim().to_ascii_lowercase()
}

/// The facts of a request.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct RequestFacts {
    /// The request's id. It determines the random part of an order by quality, so that a decision can be repeated.
    pub id: String,
    /// The app's name for the kind of work, such as `summarise`. Case and surrounding blanks do not matter.
    pub task: String,
    /// Tokens of the prompt, estimated.
    pub prompt_tokens: u32,
    /// Maximum tokens of the answer.
    pub answer_tokens_max: u32,
    /// The deadline for the whole answer in milliseconds; `None` uses the policy's.
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
    /// The hash in its bundle's manifest, in hexadecimal digits.
    pub hash: String,
    /// Whether its bundle is installed and complete.
    pub ready: bool,
    /// The features it supports beyond text.
    pub supports: Vec<Need>,
    /// Size of its context in tokens, prompt and answer together.
    pub context_tokens: Option<u32>,
    /// Expected time to the first token of this request in milliseconds.
    pub first_token_ms: Option<u32>,
    /// Expected tokens per second.
    pub tokens_per_s: Option<f32>,
    /// Peak memory that it needs in addition to what it already uses, in bytes.
    pub peak_memory_bytes: Option<u64>,
}

/// Whether the system's model is available now.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Availability {
    /// Yes.
    Available,
    /// Another app is using it, or its quota is used up for now.
    Busy,
    /// The system is still downloading it.
    Downloading,
    /// This device has no system model, or the user switched it off.
    #[default]
    Unavailable,
}

/// The model that the system provides: Gemini Nano, Apple's foundation model.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct SystemModelFacts {
    /// Its name.
    pub model: String,
    /// Whether it is available now.
    pub availability: Availability,
    /// The features it supports beyond text.
    pub supports: Vec<Need>,
    /// Size of its context in tokens, prompt and answer together.
    pub context_tokens: Option<u32>,
    /// Expected time to the first token in milliseconds.
    pub first_token_ms: Option<u32>,
    /// Expected tokens per second.
    pub tokens_per_s: Option<f32>,
}

/// The state of an endpoint's circuit breaker.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Circuit {
    /// Requests are sent.
    #[default]
    Closed,
    /// It failed; one request may try it.
    HalfOpen,
    /// It failed; no requests are sent for now.
    Open,
}

/// Measurements of an endpoint. An endpoint without an entry counts as working and unmeasured.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct EndpointFacts {
    /// The endpoint's id in the policy.
    pub id: String,
    /// Its circuit breaker.
    pub circuit: Circuit,
    /// Measured time to the first token in milliseconds.
    pub first_token_ms: Option<u32>,
    /// Measured tokens per second.
    pub tokens_per_s: Option<f32>,
}

/// All places that could answer.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct CandidateFacts {
    /// The models on this device, the preferred one first.
    pub local_models: Vec<LocalModelFacts>,
    /// The system's model, if there is one.
    pub system_model: Option<SystemModelFacts>,
    /// Measurements of the policy's endpoints.
    pub endpoints: Vec<EndpointFacts>,
}

/// Usage today, before this request.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct UsedToday {
    /// Cost in millionths of the policy's currency.
    pub cost_micros: u64,
    /// Bytes over metered networks, both ways.
    pub metered_bytes: u64,
}

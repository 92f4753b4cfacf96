//! The API of the product: opens models, holds conversations, streams answers, and decides under a policy where each one is made. The
//! engine runs models, `whimbrel-inference` provides their thread, and the policy decides what may leave the device.
//!
//! ```no_run
//! use whimbrel_client::{AskOptions, Client, ConversationOptions, Event, OpenOptions, block_on};
//!
//! # fn main() -> Result<(), whimbrel_client::ClientError> {
//! let client = Client::new()?;
//! let model = block_on(client.open_model("bundle", OpenOptions::default()))?;
//! let conversation = model.conversation(ConversationOptions::default())?;
//! let answer = conversation.ask("What is the capital of France?", AskOptions::default())?;
//! while let events = block_on(answer.next(64))?
//!     && !events.is_empty()
//! {
//!     for event in events {
//!         if let Event::Text(text) = event {
//!             print!("{text}");
//!         }
//!     }
//! }
//! # Ok(())
//! # }
//! ```

mod assistant;
mod block_on;
mod caches;
mod client;
mod contexts;
mod conversation;
mod conversations;
mod error;
mod exchange;
mod keys;
mod limits;
mod marks;
mod outbox;
mod performance;
mod places;
pub mod ports;
mod report;
mod reporting;
mod request;
mod rules;
mod services;
mod tasks;
mod tools;
mod typed;

pub use assistant::{Assistant, AssistantOptions};
pub use block_on::block_on;
pub use caches::{CACHE_BUDGET_DEFAULT, CacheUse, Caches};
pub use client::{Client, Model};
pub use conversation::{Answer, Conversation, ConversationOptions};
pub use conversations::{ConversationChanges, Conversations, recover, start_empty, wipe};
pub use error::ClientError;
pub use keys::key_name;
pub use limits::{ANSWER_BYTES_MAX, EVENTS_WAITING_MAX, HISTORY_BYTES_MAX, MESSAGES_MAX, PROMPT_BYTES_MAX};
pub use outbox::{Heard, Outbox, OutboxEvent, OutboxReader, OutboxRun, Queued, QueuedQuestion};
pub use performance::{Performance, page_options};
pub use places::system_model::{SystemAnswer, SystemModel, SystemModelError, SystemRequest};
pub use report::{AnsweredBefore, Event, Report};
pub use reporting::{Telemetry, TelemetryNames, TelemetryRun, TelemetryStatus};
pub use request::{AskOptions, Message, Request, TASK_DEFAULT};
pub use rules::EndpointExtras;
pub use tasks::{TASK_BYTES_MAX, TaskNeeds, TextTask};
pub use tools::{
    CallEnd, CallReport, PendingCall, TOOL_CALLS_DEFAULT, TOOL_CALLS_MAX, TOOL_RESULT_BYTES_MAX,
    TOOL_RESULT_MS_DEFAULT, Tool, ToolOptions, ToolResult,
};
#[cfg(feature = "schemars")]
pub use typed::form_of;
pub use typed::{PARTIAL_NESTING_MAX, PartialJson, Snapshot, TypedAnswer, TypedError, schema_fields};
pub use whimbrel_engine::{
    ContextPolicy, EngineError, Form, GenerationOptions, KvPrecision, Manifest, ModelCard, OpenOptions, PrefixError,
    Role, SamplingOptions, Statistics, ToolCall, ToolChoice, ToolStep, ToolUse, Verify,
};
/// Errors as a person reads them.
pub use whimbrel_files::message;
pub use whimbrel_inference::{ANSWERS_MAX, COMMANDS_WAITING_MAX, MODELS_MAX, ModelInfo, SAVED_BYTES_MAX, SESSIONS_MAX};
/// Network settings: pins, timeouts, how keys are sent.
pub use whimbrel_network as network;
/// Policies, the device's state and decisions.
pub use whimbrel_policy as policy;
/// Findings, redaction and privacy classes.
pub use whimbrel_privacy as privacy;
/// Receipts and their vocabulary: where a request ran, how it ended, why.
pub use whimbrel_record as record;
/// The ledger and key vaults.
pub use whimbrel_store as store;
/// What requests took.
pub use whimbrel_telemetry as telemetry;

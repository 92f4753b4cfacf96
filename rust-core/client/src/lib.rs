//! The product: opens models, keeps conversations, streams answers, and decides under a policy where each is made. It owns the threads; what is
//! public here only sends to them and waits. How a model runs is the engine's business, what may leave the device the policy's.
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
mod conversation;
mod error;
mod exchange;
mod keys;
mod limits;
mod local;
mod places;
pub mod ports;
mod report;
mod request;
mod rules;
mod services;

pub use assistant::{Assistant, AssistantOptions};
pub use block_on::block_on;
pub use conversation::{Answer, Conversation, ConversationOptions};
pub use error::ClientError;
pub use keys::key_name;
pub use limits::{
    ANSWERS_MAX, COMMANDS_WAITING_MAX, CONVERSATIONS_MAX, EVENTS_WAITING_MAX, HISTORY_BYTES_MAX, MESSAGES_MAX,
    MODELS_MAX, PROMPT_BYTES_MAX, SAVED_BYTES_MAX,
};
pub use local::{Client, Model, ModelInfo};
pub use places::ANSWER_BYTES_MAX;
pub use places::system_model::{SystemAnswer, SystemCapabilities, SystemModel, SystemModelError, SystemRequest};
pub use report::{Event, Report};
pub use request::{AskOptions, Message, Request, TASK_DEFAULT};
pub use rules::EndpointExtras;
pub use whimbrel_engine::{
    ContextPolicy, EngineError, GenerationOptions, KvPrecision, Manifest, OpenOptions, PrefixError, Role,
    SYSTEM_DEFAULT, SamplingOptions, Statistics, Verify,
};
/// What leaves the device, and how: pins, time limits, how keys are sent.
pub use whimbrel_network as network;
/// The rules, the device's state and the decision.
pub use whimbrel_policy as policy;
/// Findings, redaction and privacy classes.
pub use whimbrel_privacy as privacy;
/// Receipts and their words: where it ran, how it ended, why.
pub use whimbrel_record as record;
/// The ledger and key vaults.
pub use whimbrel_store as store;

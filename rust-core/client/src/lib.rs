//! The product's core: opens models, keeps conversations and streams answers. It owns the one thread that computes; what is
//! public here only sends to that thread and waits for it. How a model runs is the engine's business.
//!
//! ```no_run
//! use whimbrel_client::{AnswerEvent, Client, ConversationOptions, GenerationOptions, OpenOptions, block_on};
//!
//! # fn main() -> Result<(), whimbrel_client::ClientError> {
//! # let options = GenerationOptions::default();
//! let client = Client::new()?;
//! let model = block_on(client.open_model("bundle", OpenOptions::default()))?;
//! let conversation = block_on(model.conversation(ConversationOptions::default()))?;
//! let answer = block_on(conversation.ask("What is the capital of France?", options))?;
//! loop {
//!     let events = block_on(answer.next(64))?;
//!     if events.is_empty() {
//!         break;
//!     }
//!     for event in events {
//!         if let AnswerEvent::Text(text) = event {
//!             print!("{text}");
//!         }
//!     }
//! }
//! # Ok(())
//! # }
//! ```

mod answer;
pub mod assistant;
mod block_on;
mod client;
mod command;
mod conversation;
mod error;
mod inference;
mod limits;
mod model;
mod registry;
mod saved;

pub use answer::{Answer, AnswerEvent};
pub use block_on::block_on;
pub use client::Client;
pub use conversation::{Conversation, ConversationOptions};
pub use error::ClientError;
pub use limits::{
    ANSWERS_MAX, COMMANDS_WAITING_MAX, CONVERSATIONS_MAX, EVENTS_WAITING_MAX, HISTORY_BYTES_MAX, MESSAGES_MAX,
    MODELS_MAX, PROMPT_BYTES_MAX, SAVED_BYTES_MAX,
};
pub use model::{ModelHandle, ModelInfo};
pub use whimbrel_engine::{
    ContextPolicy, EngineError, FinishReason, GenerationOptions, KvPrecision, Manifest, Message, OpenOptions,
    PrefixError, Role, SamplingOptions, Statistics, Verify,
};
/// What leaves the device, and how: pins, time limits, how keys are said.
pub use whimbrel_network as network;
/// The rules, the device's state and the decision.
pub use whimbrel_policy as policy;
/// Findings, redaction and privacy classes.
pub use whimbrel_privacy as privacy;
/// Receipts, the ledger and key vaults.
pub use whimbrel_store as store;

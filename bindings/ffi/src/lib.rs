//! What Kotlin and Swift see of Whimbrel's core. Nothing is decided here: each method hands over to the client, errors are
//! translated in one place ([`CoreError`]), and log messages are passed on ([`set_log_sink`]).

mod error;
mod logging;
mod objects;
mod records;

pub use error::CoreError;
pub use logging::{LogLevel, LogSink, LogSinkError, set_log_level, set_log_sink};
pub use objects::{Answer, Client, Conversation, Model};
pub use records::{
    AnswerEvent, ContextPolicy, ConversationOptions, FinishReason, GenerationOptions, Message, ModelInfo, OpenOptions,
    Role, Statistics,
};

uniffi::setup_scaffolding!();

/// The version of the core, as in `0.1.0`.
#[uniffi::export]
#[must_use]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").into()
}

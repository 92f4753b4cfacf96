//! What Kotlin and Swift see of Whimbrel's core. Nothing is decided here: each method hands over to the client, errors are
//! translated in one place ([`CoreError`]), and log messages are passed on ([`set_log_sink`]).

mod adapters;
mod assistant;
mod device;
mod error;
mod logging;
mod objects;
mod policies;
mod receipts;
mod records;
mod requests;

pub use adapters::{
    KeyVault, KeyVaultError, SystemAnswer, SystemCapabilities, SystemFailure, SystemModel, SystemModelError,
    SystemRequest, VaultLevel,
};
pub use assistant::{Assistant, AssistantOptions, RoutedAnswer, RoutedConversation};
pub use device::{Accelerator, DeviceFact, DeviceUpdate, Network, Thermal};
pub use error::CoreError;
pub use logging::{LogLevel, LogSink, LogSinkError, set_log_level, set_log_sink};
pub use objects::{Answer, Client, Conversation, Model};
pub use policies::{
    EndpointExtras, LearningMode, Pins, PolicyDocument, Preset, Signal, Timeouts, TokenLimitField, preset_text,
};
pub use receipts::{Host, LedgerReport, LedgerStats, PlaceKind, Receipt, ReceiptFilter};
pub use records::{
    AnswerEvent, ContextPolicy, ConversationOptions, FinishReason, GenerationOptions, Message, ModelInfo, OpenOptions,
    Role, Statistics,
};
pub use requests::{
    AskOptions, AssistantEvent, Availability, Decision, Explanation, Finding, FindingCount, Need, Outcome, Place,
    PrivacyClass, RedactedText, Refused, Report, Sent, TrustClass,
};

uniffi::setup_scaffolding!();

/// The version of the core, as in `0.1.0`.
#[uniffi::export]
#[must_use]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").into()
}

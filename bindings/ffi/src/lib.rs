//! The interface of Whimbrel's core for Kotlin and Swift. It contains no logic: each method calls the client, errors are
//! converted in one place ([`CoreError`]), and log messages are passed on ([`set_log_sink`]).

mod assistant;
mod caches;
mod client;
mod conversation;
mod conversations;
mod device;
mod error;
mod ledger;
mod logging;
mod model;
mod model_file;
mod options;
mod outbox;
mod performance;
mod policy;
mod report;
mod system_model;
mod task;
mod telemetry;
mod tools;
mod typed;
mod vault;

pub use assistant::{Assistant, AssistantOptions, Finding, Guess, RedactedText};
pub use caches::{CacheBudget, CacheUse, Caches, MemoryPressure};
pub use client::Client;
pub use conversation::{Answer, Conversation, Event, Message, Role};
pub use conversations::{
    ConversationChanges, ConversationSummary, Conversations, ImportedConversations, KeptConversation, KeptMessage,
    KeyRotation, MessageState, Recovered, RecoveredRows, Repaired, Retention, SearchHit, recover_store,
    start_store_empty, wipe_store,
};
pub use device::{Accelerator, DeviceFact, DeviceUpdate, Network, Thermal};
pub use error::CoreError;
pub use ledger::{
    Checkpoint, FindingCount, Host, LedgerReport, LedgerStats, Prune, Receipt, ReceiptFilter, restart_ledger,
};
pub use logging::{LogLevel, LogSink, LogSinkError, set_log_level, set_log_sink};
pub use model::{Model, ModelInfo};
pub use model_file::{ImportEvent, ImportPhase, ModelImport};
pub use options::{
    AskOptions, ContextPolicy, ConversationOptions, Form, GenerationOptions, KvPrecision, Need, OpenOptions,
    PrivacyClass,
};
pub use outbox::{
    Outbox, OutboxEvent, OutboxEvents, OutboxRun, QueueDecision, QueueFailure, QueueNeeds, QueuePriority, QueueRemedy,
    QueueState, QueuedQuestion, RunBudget,
};
pub use performance::{
    DeviceClass, EndingCount, EnergyTotal, FailureCount, Measure, MeasuredValues, Performance, PerformanceDay,
    PerformanceSeries, Regression, RegressionKind, RequestEnding, RequestOutcomes, RequestStage,
};
pub use policy::{
    EndpointExtras, LearningMode, Pins, PolicyDocument, Preset, Signal, Timeouts, TokenLimitField, preset_text,
};
pub use report::{
    Decision, Explanation, FinishReason, Outcome, Place, PlaceKind, Refused, Release, Report, Statistics, TrustClass,
};
pub use system_model::{
    Availability, SystemAnswer, SystemCapabilities, SystemFailure, SystemModel, SystemModelError, SystemRequest,
};
pub use task::{TaskInfo, TaskNeeds, TaskOptions, TextTask, built_in_tasks};
pub use telemetry::{Telemetry, TelemetryConsent, TelemetryRun, TelemetrySignals, TelemetryStatus, TelemetryTarget};
pub use tools::{
    CallEnd, CallReport, PendingCall, Tool, ToolChoice, ToolOptions, ToolPermission, ToolResult, validate_tool,
};
pub use typed::{PartialJson, schema_fields};
pub use vault::{KeyVault, KeyVaultError, VaultLevel};

uniffi::setup_scaffolding!();

/// The version of the core, such as `0.1.0`.
#[uniffi::export]
#[must_use]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").into()
}

/// A report, a receipt or a decision in JSON.
fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("names and numbers are JSON")
}

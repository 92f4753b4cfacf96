//! All failures of the client. A request that was denied, deferred or failed everywhere is not an error: its report says so. Messages name
//! things and limits, never a user's text.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use whimbrel_engine::EngineError;
use whimbrel_inference::InferenceError;
use whimbrel_network::{EndpointError, SecretError};
use whimbrel_policy::PolicyError;
use whimbrel_privacy::{RedactError, ScanError, ScannerError};
use whimbrel_record::LabelError;
use whimbrel_store::{StoreError, VaultError};

/// Every failure of the client.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The engine's own failure.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// An object was used after it was closed.
    #[error("the {what} is closed")]
    Closed {
        /// `client`, `model`, `conversation` or `assistant`.
        what: &'static str,
    },
    /// The conversation is still answering the previous question.
    #[error("the conversation is still answering")]
    Busy,
    /// The name of a task is none: it is empty, too long, or has blanks or letters outside ASCII in it.
    #[error("the task's name is not valid")]
    Task(#[source] LabelError),
    /// The document of a task cannot be used.
    #[error("the task's document: {place}: {reason}")]
    TaskDocument {
        /// The field, or line and column.
        place: String,
        /// What is wrong there.
        reason: String,
    },
    /// No call with this number waits for a result.
    #[error("no call {id} waits for a result")]
    UnknownCall {
        /// The number.
        id: u32,
    },
    /// A question with tools cannot wait behind others: their functions may be gone when its turn comes.
    #[error("questions of this conversation wait, and one with tools cannot")]
    ToolsCannotWait,
    /// There is no question to ask again.
    #[error("there is no question to ask again")]
    NothingToRepeat,
    /// Only an assistant decides by a policy.
    #[error("this conversation has no policy")]
    NoPolicy,
    /// The app's policy does not say where telemetry may go.
    #[error("the app's policy has no section telemetry")]
    NoTelemetry,
    /// Only a model of this device has something to save.
    #[error("there is no model on this device")]
    NoModel,
    /// A limit of this crate was exceeded.
    #[error("{found} {what}, the limit is {limit}")]
    Limit {
        /// What exceeded its limit.
        what: &'static str,
        /// The limit.
        limit: u64,
        /// The value that exceeded it.
        found: u64,
    },
    /// A saved conversation could not be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: std::io::Error,
    },
    /// A conversation could not be saved.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: std::io::Error,
    },
    /// A policy was refused as a whole; the previous one stays in force.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The ledger cannot be written or read. Nothing leaves the device without a receipt.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A queued question cannot be changed so, or the outbox is full.
    #[error(transparent)]
    Outbox(#[from] whimbrel_policy::outbox::OutboxError),
    /// The key vault failed.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The text is too long to be scanned.
    #[error(transparent)]
    Scan(#[from] ScanError),
    /// The user's words are invalid.
    #[error(transparent)]
    Words(#[from] ScannerError),
    /// The key is invalid.
    #[error(transparent)]
    Key(#[from] SecretError),
    /// The text cannot be redacted.
    #[error(transparent)]
    Redact(#[from] RedactError),
    /// The settings of an endpoint are invalid.
    #[error("the endpoint {id}: {source}")]
    Endpoint {
        /// Its id.
        id: String,
        /// What is wrong.
        source: EndpointError,
    },
    /// The policy in force has no endpoint with this id.
    #[error("the policy has no endpoint {id}")]
    UnknownEndpoint {
        /// The id that was given.
        id: String,
    },
    /// The system provided no random bytes.
    #[error("the system provided no random bytes")]
    NoRandomness,
    /// The system could not start a thread.
    #[error("cannot start a thread")]
    Thread(#[source] std::io::Error),
    /// A thread ended because of a bug. The client cannot be used any more.
    #[error("a thread of the client has stopped")]
    Stopped,
}

// One set of variants for whoever handles them, whichever thread failed.
impl From<InferenceError> for ClientError {
    fn from(error: InferenceError) -> ClientError {
        match error {
            InferenceError::Engine(error) => ClientError::Engine(error),
            InferenceError::Closed { what } => ClientError::Closed { what },
            InferenceError::Busy => ClientError::Busy,
            InferenceError::Limit { what, limit, found } => ClientError::Limit { what, limit, found },
            InferenceError::Read { path, source } => ClientError::Read { path, source },
            InferenceError::Write { path, source } => ClientError::Write { path, source },
            InferenceError::Thread(source) => ClientError::Thread(source),
            InferenceError::Stopped => ClientError::Stopped,
        }
    }
}

/// Refuses what is over a limit.
pub(crate) fn within(what: &'static str, found: u64, limit: u64) -> Result<(), ClientError> {
    if found > limit {
        Err(ClientError::Limit { what, limit, found })
    } else {
        Ok(())
    }
}

/// A panic elsewhere does not spoil what is behind these locks.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

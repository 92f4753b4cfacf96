//! What can go wrong around a request. A request that was denied, put off or failed everywhere is no error: its report says so.

use whimbrel_network::{EndpointError, SecretError};
use whimbrel_policy::{LearnedError, PolicyError};
use whimbrel_privacy::{RedactError, ScanError, ScannerError};
use whimbrel_store::{StoreError, VaultError};

use crate::ClientError;

/// Every failure of an [`super::Assistant`].
#[derive(Debug, thiserror::Error)]
pub enum AssistantError {
    /// The models' or the inference thread's.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A policy was refused whole; the one before is still in force.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The ledger cannot be written or read. Nothing leaves the device without a receipt.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The key vault.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The text is too long to be examined.
    #[error(transparent)]
    Scan(#[from] ScanError),
    /// The words to look for.
    #[error(transparent)]
    Words(#[from] ScannerError),
    /// A key that cannot be one.
    #[error(transparent)]
    Key(#[from] SecretError),
    /// The settings of an endpoint.
    #[error("the endpoint {id}: {source}")]
    Endpoint {
        /// Its id.
        id: String,
        /// What is wrong.
        source: EndpointError,
    },
    /// The policy in force has no such endpoint.
    #[error("the policy has no endpoint {id}")]
    UnknownEndpoint {
        /// The id that was given.
        id: String,
    },
    /// What was learned cannot be read back.
    #[error(transparent)]
    Learned(#[from] LearnedError),
    /// The conversation is still answering.
    #[error("the conversation is still answering")]
    Busy,
    /// There is no answer to ask for again.
    #[error("there is no answer to ask for again")]
    NothingToRepeat,
    /// The text cannot be redacted.
    #[error(transparent)]
    Redact(#[from] RedactError),
    /// The system gave no random bytes.
    #[error("the system gives no random bytes")]
    NoRandomness,
    /// The system gave no thread.
    #[error("cannot start the thread for requests")]
    Thread(#[source] std::io::Error),
    /// The assistant was closed.
    #[error("the assistant is closed")]
    Closed,
}

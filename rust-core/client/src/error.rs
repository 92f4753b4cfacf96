//! What can go wrong in the client. Messages name things and limits, never a user's text.

use std::path::PathBuf;

use whimbrel_engine::EngineError;

/// Every failure of the client.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The engine's own failure.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// Something was used after it had been closed.
    #[error("the {what} is closed")]
    Closed {
        /// `client`, `model` or `conversation`.
        what: &'static str,
    },
    /// The conversation is still answering the question before.
    #[error("the conversation is still answering")]
    Busy,
    /// A named limit of this crate.
    #[error("{found} {what}, the limit is {limit}")]
    Limit {
        /// What there is too much of.
        what: &'static str,
        /// How much there may be.
        limit: u64,
        /// How much there would have been.
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
    /// The system gave no thread.
    #[error("cannot start the inference thread")]
    Thread(#[source] std::io::Error),
    /// The inference thread ended by a defect; the client is of no more use.
    #[error("the inference thread has stopped")]
    Stopped,
}

/// Refuses what is over a limit.
pub(crate) fn within(what: &'static str, found: u64, limit: u64) -> Result<(), ClientError> {
    if found > limit {
        Err(ClientError::Limit { what, limit, found })
    } else {
        Ok(())
    }
}

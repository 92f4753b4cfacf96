//! Errors on the way to the inference thread and on it. Messages name things and limits, never a user's text.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use whimbrel_engine::EngineError;

/// All errors of this crate.
#[derive(Debug, thiserror::Error)]
pub enum InferenceError {
    /// The engine's own failure.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// An object was used after it was closed.
    #[error("the {what} is closed")]
    Closed {
        /// `client`, `model` or `conversation`.
        what: &'static str,
    },
    /// The session is still answering the previous question.
    #[error("the conversation is still answering")]
    Busy,
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
    /// A saved session could not be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: std::io::Error,
    },
    /// A session could not be saved.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: std::io::Error,
    },
    /// The system could not start a thread.
    #[error("cannot start a thread")]
    Thread(#[source] std::io::Error),
    /// The inference thread ended because of a bug. Nothing here can be used any more.
    #[error("the inference thread has stopped")]
    Stopped,
}

/// Refuses what is over a limit.
pub(crate) fn within(what: &'static str, found: u64, limit: u64) -> Result<(), InferenceError> {
    if found > limit {
        Err(InferenceError::Limit { what, limit, found })
    } else {
        Ok(())
    }
}

/// A panic elsewhere does not spoil what is behind these locks: every change under them is whole.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

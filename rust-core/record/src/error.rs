//! Errors of writing or reading a receipt or an export.

use std::io;

use thiserror::Error;

/// Why a receipt or an export could not be written or read.
#[derive(Debug, Error)]
pub enum RecordError {
    /// A list or an entry is longer than its limit.
    #[error("{what}: {found} is more than the limit of {limit}")]
    TooMuch {
        /// What is too long.
        what: &'static str,
        /// Its length.
        found: u64,
        /// The limit.
        limit: u64,
    },
    /// An exported ledger could not be read or written.
    #[error("the export cannot be read or written: {source}")]
    Export {
        /// The reason.
        source: io::Error,
    },
}

/// Checks a length against its limit.
///
/// # Errors
/// [`RecordError::TooMuch`].
pub fn limit(what: &'static str, found: usize, limit: u32) -> Result<(), RecordError> {
    if found > limit as usize {
        return Err(RecordError::TooMuch {
            what,
            found: found as u64,
            limit: u64::from(limit),
        });
    }
    Ok(())
}

//! What was learned as a record that can be stored, and loading it.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{EVIDENCE_MAX, Entry, Learned, LearningMode};
use crate::limits::{LEARNED_ENTRIES_MAX, LEARNED_NAME_BYTES_MAX};

/// Version of [`LearnedSnapshot`].
const SNAPSHOT_VERSION: u32 = 1;

impl Learned {
    /// Everything that was learned, for storing.
    #[must_use]
    pub fn snapshot(&self) -> LearnedSnapshot {
        let record = |((task, candidate), entry): (&(String, String), &Entry)| LearnedRecord {
            task: task.clone(),
            candidate: candidate.clone(),
            successes: entry.successes,
            failures: entry.failures,
            at_ms: entry.at_ms,
        };
        LearnedSnapshot {
            version: SNAPSHOT_VERSION,
            mode: self.mode,
            entries: self.entries.iter().map(record).collect(),
        }
    }

    /// Loads a stored snapshot.
    ///
    /// # Errors
    /// Another version, more than [`LEARNED_ENTRIES_MAX`] entries, a duplicate entry, a name that is too long, or a number that no feedback
    /// can produce.
    pub fn restore(snapshot: &LearnedSnapshot) -> Result<Self, LearnedError> {
        if snapshot.version != SNAPSHOT_VERSION {
            let found = snapshot.version;
            return Err(LearnedError::Version { found });
        }
        let found = snapshot.entries.len() as u64;
        if found > LEARNED_ENTRIES_MAX {
            return Err(LearnedError::TooManyEntries { found });
        }
        let mut learned = Self::new(snapshot.mode);
        for (index, record) in snapshot.entries.iter().enumerate() {
            let is_invalid = |number: f64| !(0.0..=EVIDENCE_MAX * 1.001).contains(&number);
            let names = [&record.task, &record.candidate];
            let entry = Entry {
                successes: record.successes,
                failures: record.failures,
                at_ms: record.at_ms,
            };
            let is_new = learned
                .entries
                .insert((record.task.clone(), record.candidate.clone()), entry)
                .is_none();
            if !is_new
                || names.iter().any(|name| name.len() as u64 > LEARNED_NAME_BYTES_MAX)
                || is_invalid(record.successes)
                || is_invalid(record.failures)
                || is_invalid(entry.evidence())
            {
                let index = index as u64;
                return Err(LearnedError::InvalidEntry { index });
            }
        }
        Ok(learned)
    }
}

/// What was learned, for storing. It contains names of tasks and candidates, and no text.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct LearnedSnapshot {
    /// Version of this record.
    pub version: u32,
    /// Whether learning is active.
    pub mode: LearningMode,
    /// One for each task and candidate, in the order of their names.
    pub entries: Vec<LearnedRecord>,
}

/// What was learned about one candidate for one task.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct LearnedRecord {
    /// The task.
    pub task: String,
    /// The candidate's name.
    pub candidate: String,
    /// Weight of good feedback at `at_ms`.
    pub successes: f64,
    /// Weight of bad feedback at `at_ms`.
    pub failures: f64,
    /// When it last changed, Unix time in milliseconds.
    pub at_ms: u64,
}

/// Why a snapshot was refused.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum LearnedError {
    /// Another version.
    #[error("the learned data has version {found}; this program reads version {SNAPSHOT_VERSION}")]
    Version {
        /// Its version.
        found: u32,
    },
    /// Too many entries.
    #[error("the learned data has {found} entries; the limit is {LEARNED_ENTRIES_MAX}")]
    TooManyEntries {
        /// The number of entries.
        found: u64,
    },
    /// An entry occurs twice, or contains values that no feedback can produce.
    #[error("entry {index} of the learned data is invalid")]
    InvalidEntry {
        /// The index of the entry, from 0.
        index: u64,
    },
}

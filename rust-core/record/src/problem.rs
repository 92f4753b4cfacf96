//! What can be wrong with a ledger, and the report of a verification.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::Checkpoint;

/// One thing that is wrong with a ledger. Numbers are those of entries.
#[derive(Clone, Debug, Deserialize, Eq, Error, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Problem {
    /// An entry's content is not what was written.
    #[error("entry {sequence} was changed")]
    Changed {
        /// Which.
        sequence: u64,
    },
    /// An entry's stored hash is not what was written; its content is.
    #[error("the hash of entry {sequence} was changed")]
    HashChanged {
        /// Which.
        sequence: u64,
    },
    /// Entries are gone.
    #[error("entries {first} to {last} are missing")]
    Missing {
        /// The first of them.
        first: u64,
        /// The last of them.
        last: u64,
    },
    /// An entry stands in the place of another.
    #[error("entry {sequence} was moved to the place of entry {found_at}")]
    Moved {
        /// Which.
        sequence: u64,
        /// Where it was found.
        found_at: u64,
    },
    /// The last entries are gone.
    #[error("the ledger ends with entry {found} where {sealed} is sealed as the last")]
    TailCut {
        /// The last that is there; 0 when there is none.
        found: u64,
        /// The last that should be.
        sealed: u64,
    },
    /// Entries stand behind the sealed end or before the sealed beginning.
    #[error("entries {first} to {last} do not belong to the ledger")]
    Unsealed {
        /// The first of them.
        first: u64,
        /// The last of them.
        last: u64,
    },
    /// The chain holds in itself, but the seal was made for another.
    #[error("the seal does not fit entry {sequence}: the chain was written anew")]
    Rewritten {
        /// The last entry.
        sequence: u64,
    },
    /// The key vault has another key, or none: the ledger is another device's, or the vault was emptied.
    #[error("the ledger was sealed with a key that the vault does not have")]
    ForeignSeal,
    /// The record of the ledger's end was changed or taken away.
    #[error("the record of the ledger's end was changed")]
    HeadChanged,
    /// The checkpoint that pruning left was changed.
    #[error("the checkpoint of the pruned entries was changed")]
    CheckpointChanged,
    /// An older copy stands in the place of the ledger, or the ledger is gone.
    #[error(
        "the ledger ends with entry {found}, and the key vault knows of entry {floor}: an older copy was put in its place"
    )]
    RolledBack {
        /// The sealed end of what is there.
        found: u64,
        /// The end that the vault knows.
        floor: u64,
    },
    /// The ledger has another entry in the place of one that the vault knows: it is a copy that went on by itself.
    #[error("entry {sequence} is not the one that the key vault knows")]
    Forked {
        /// Which.
        sequence: u64,
    },
    /// SQLite's own check found an index that does not fit its table, or pages out of order.
    #[error("the database's pages or indexes do not fit together")]
    Structure,
}

/// What a verification saw.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct LedgerReport {
    /// How many entries were read.
    pub entries: u64,
    /// How many receipts these entries open.
    pub receipts: u64,
    /// The last entry's number.
    pub last_sequence: u64,
    /// The checkpoint that stands for what was pruned, when its seal is right.
    pub checkpoint: Option<Checkpoint>,
    /// What is wrong, in the order of the entries; at most [`LedgerReport::PROBLEMS_MAX`].
    pub problems: Vec<Problem>,
    /// Whether there is more that is wrong than `problems` holds.
    pub more_problems: bool,
}

impl LedgerReport {
    /// How many problems a report lists.
    pub const PROBLEMS_MAX: u32 = 256;

    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_intact(&self) -> bool {
        self.problems.is_empty()
    }

    /// Adds a problem, or notes that there are more.
    pub fn add(&mut self, problem: Problem) {
        if self.problems.len() < Self::PROBLEMS_MAX as usize {
            self.problems.push(problem);
        } else {
            self.more_problems = true;
        }
    }
}

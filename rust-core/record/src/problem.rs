//! Problems with a ledger, and the report of a verification.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::Checkpoint;

/// A problem with a ledger. Numbers are those of entries.
#[derive(Clone, Debug, Deserialize, Eq, Error, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Problem {
    /// An entry's content was changed.
    #[error("entry {sequence} was changed")]
    Changed {
        /// The entry.
        sequence: u64,
    },
    /// An entry's stored hash was changed, but not its content.
    #[error("the hash of entry {sequence} was changed")]
    HashChanged {
        /// The entry.
        sequence: u64,
    },
    /// Entries are missing.
    #[error("entries {first} to {last} are missing")]
    Missing {
        /// The first of them.
        first: u64,
        /// The last of them.
        last: u64,
    },
    /// An entry is in the position of another.
    #[error("entry {sequence} was moved to the position of entry {found_at}")]
    Moved {
        /// The entry.
        sequence: u64,
        /// The position where it was found.
        found_at: u64,
    },
    /// The last entries are missing.
    #[error("the ledger ends with entry {found}, but according to its seal the last entry is {sealed}")]
    TailCut {
        /// The last existing entry; 0 if there is none.
        found: u64,
        /// The last entry according to the seal.
        sealed: u64,
    },
    /// There are entries after the sealed end or before the sealed beginning.
    #[error("entries {first} to {last} do not belong to the ledger")]
    Unsealed {
        /// The first of them.
        first: u64,
        /// The last of them.
        last: u64,
    },
    /// The chain is consistent, but the seal was made for another chain.
    #[error("the seal does not match entry {sequence}: the chain was rewritten")]
    Rewritten {
        /// The last entry.
        sequence: u64,
    },
    /// The key vault has another key, or none: the ledger belongs to another device, or the vault was emptied.
    #[error("the ledger was sealed with a key that the vault does not have")]
    ForeignSeal,
    /// The record of the ledger's end was changed or removed.
    #[error("the record of the ledger's end was changed")]
    HeadChanged,
    /// The checkpoint that pruning left was changed.
    #[error("the checkpoint of the pruned entries was changed")]
    CheckpointChanged,
    /// The ledger was replaced with an older copy, or is gone.
    #[error(
        "the ledger ends with entry {found}, but the key vault knows of entry {floor}: the ledger was replaced with an older copy"
    )]
    RolledBack {
        /// The sealed end that was found.
        found: u64,
        /// The end that the vault has stored.
        floor: u64,
    },
    /// The ledger has another entry in place of one that the vault knows: it is a copy to which writing continued separately.
    #[error("the key vault knows another entry {sequence}: writing continued in a copy of the ledger")]
    Forked {
        /// The entry.
        sequence: u64,
    },
    /// SQLite's own check found an index that does not match its table, or pages out of order.
    #[error("the database's pages or indexes do not match")]
    Structure,
}

/// The result of a verification.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct LedgerReport {
    /// The number of entries that were read.
    pub entries: u64,
    /// The number of receipts that these entries open.
    pub receipts: u64,
    /// The last entry's number.
    pub last_sequence: u64,
    /// The checkpoint for pruned receipts, if its seal is valid.
    pub checkpoint: Option<Checkpoint>,
    /// The problems, in the order of the entries; at most [`LedgerReport::PROBLEMS_MAX`].
    pub problems: Vec<Problem>,
    /// Whether there are more problems than `problems` contains.
    pub more_problems: bool,
}

impl LedgerReport {
    /// Maximum number of problems in a report.
    pub const PROBLEMS_MAX: u32 = 256;

    /// Whether no problem was found.
    #[must_use]
    pub fn is_intact(&self) -> bool {
        self.problems.is_empty()
    }

    /// Adds a problem, or notes that there are more than the maximum.
    pub fn add(&mut self, problem: Problem) {
        if self.problems.len() < Self::PROBLEMS_MAX as usize {
            self.problems.push(problem);
        } else {
            self.more_problems = true;
        }
    }
}

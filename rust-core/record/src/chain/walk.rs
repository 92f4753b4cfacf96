//! A walk along the chain that finds out what is wrong with its entries, and where.

use blake3::Hash;

use super::{Entry, EntryKind, GENESIS, Head, hash_from_text};
use crate::{Checkpoint, LedgerReport, Problem};

/// How many wrong entries are looked at closely; what exceeds it is reported as more problems.
const BROKEN_MAX: usize = 256;

/// An entry that does not follow from the one before it, kept for a closer look.
struct Broken {
    sequence: u64,
    /// The stored hash of the entry before it; none behind a gap.
    previous: Option<Hash>,
    /// None when it is not even in the form of an entry.
    entry: Option<Owned>,
    hash: Option<Hash>,
}

/// An [`Entry`] that owns its columns.
struct Owned {
    kind: Vec<u8>,
    receipt: u64,
    time_ms: u64,
    outcome: Vec<u8>,
    place: Vec<u8>,
    format: u64,
    body: Vec<u8>,
}

impl Owned {
    fn of(entry: &Entry<'_>) -> Owned {
        Owned {
            kind: entry.kind.to_vec(),
            receipt: entry.receipt,
            time_ms: entry.time_ms,
            outcome: entry.outcome.to_vec(),
            place: entry.place.to_vec(),
            format: entry.format,
            body: entry.body.to_vec(),
        }
    }

    fn hash_at(&self, sequence: u64, previous: &Hash) -> Hash {
        let entry = Entry {
            sequence,
            kind: &self.kind,
            receipt: self.receipt,
            time_ms: self.time_ms,
            outcome: &self.outcome,
            place: &self.place,
            format: self.format,
            body: &self.body,
        };
        entry.hash_at(sequence, previous, &mut Vec::new())
    }
}

/// A walk along the chain. It takes the entries in the order of their numbers.
pub struct Walk {
    /// The results so far.
    pub report: LedgerReport,
    /// The sealed end, if there is one that can be trusted.
    pub sealed: Option<Head>,
    /// The end that the vault has stored.
    pub floor: Option<Head>,
    /// The last number that was met or is known to be pruned.
    last: u64,
    /// The stored hash of the last entry; none when it is not known.
    previous: Option<Hash>,
    /// The stored hash at the vault's floor.
    at_floor: Option<Hash>,
    broken: Vec<Broken>,
    scratch: Vec<u8>,
}

impl Walk {
    /// A walk that starts after the entry `before`, which has the hash `previous`; `None` if its hash is not known.
    #[must_use]
    pub fn new(before: u64, previous: Option<Hash>) -> Walk {
        Walk {
            report: LedgerReport {
                entries: 0,
                receipts: 0,
                last_sequence: before,
                checkpoint: None,
                problems: Vec::new(),
                more_problems: false,
            },
            sealed: None,
            floor: None,
            last: before,
            previous,
            at_floor: None,
            broken: Vec::new(),
            scratch: Vec::new(),
        }
    }

    /// A walk that starts after a checkpoint, or at the very beginning.
    #[must_use]
    pub fn behind(checkpoint: Option<&Checkpoint>) -> Walk {
        match checkpoint {
            Some(checkpoint) => Walk::new(checkpoint.sequence, hash_from_text(&checkpoint.hash)),
            None => Walk::new(0, Some(GENESIS)),
        }
    }

    /// Checks the next row: its number, its entry if it is well-formed, and its stored hash if it is well-formed.
    pub fn take(&mut self, sequence: i64, entry: Option<Entry<'_>>, hash: Option<Hash>) {
        self.report.entries += 1;
        let number = u64::try_from(sequence).unwrap_or(0);
        let beyond = self.sealed.is_some_and(|head| number > head.sequence);
        if number <= self.last || beyond {
            self.unsealed(number);
            return;
        }
        if number > self.last + 1 {
            self.report.add(Problem::Missing {
                first: self.last + 1,
                last: number - 1,
            });
            self.previous = None;
        }
        self.last = number;
        if self.floor.is_some_and(|floor| floor.sequence == number) {
            self.at_floor = hash;
        }
        let previous = std::mem::replace(&mut self.previous, hash);
        let follows = match (&entry, &previous, &hash) {
            (Some(entry), Some(previous), Some(hash)) => entry.hash(previous, &mut self.scratch) == *hash,
            // Behind a gap there is nothing to compare with; the gap is reported.
            (Some(_), None, Some(_)) => true,
            _ => false,
        };
        if follows {
            let opened = entry.is_some_and(|entry| entry.kind == EntryKind::Opened.name().as_bytes());
            self.report.receipts += u64::from(opened);
        } else if self.broken.len() < BROKEN_MAX {
            self.broken.push(Broken {
                sequence: number,
                previous,
                entry: entry.as_ref().map(Owned::of),
                hash,
            });
        } else {
            self.report.more_problems = true;
        }
    }

    /// Sets the end that an export states, which is known only after its entries were read.
    pub fn end(&mut self, head: Option<Head>) {
        self.sealed = head;
        if let Some(head) = head.filter(|head| head.sequence < self.last) {
            self.report.add(Problem::Unsealed {
                first: head.sequence + 1,
                last: self.last,
            });
        }
    }

    fn unsealed(&mut self, number: u64) {
        match self.report.problems.last_mut() {
            Some(Problem::Unsealed { last, .. }) if *last + 1 == number => *last = number,
            _ => self.report.add(Problem::Unsealed {
                first: number,
                last: number,
            }),
        }
    }

    /// Compares the end with its seal and the vault's floor, and determines what is wrong with the entries that do not fit.
    #[must_use]
    pub fn finish(mut self) -> LedgerReport {
        self.report.last_sequence = self.last;
        let end = self.diagnose();
        if let Some(head) = self.sealed {
            if self.last < head.sequence {
                self.report.add(Problem::TailCut {
                    found: self.last,
                    sealed: head.sequence,
                });
            } else if end.is_some_and(|end| end != head.hash) {
                let sequence = self.last;
                self.report.add(Problem::Rewritten { sequence });
            }
        }
        if let Some(floor) = self.floor {
            let end = self.sealed.map_or(self.last, |head| head.sequence);
            let wrong = |hash: Hash| hash != floor.hash;
            if end < floor.sequence {
                self.report.add(Problem::RolledBack {
                    found: end,
                    floor: floor.sequence,
                });
            } else if self.report.problems.is_empty() && self.at_floor.is_some_and(wrong) {
                let sequence = floor.sequence;
                self.report.add(Problem::Forked { sequence });
            }
        }
        self.report.problems.sort_by_key(place_of);
        self.report
    }

    /// Names what is wrong with every broken entry. Returns the hash that the last entry should have, as far as it is known.
    fn diagnose(&mut self) -> Option<Hash> {
        let broken = std::mem::take(&mut self.broken);
        // The hash that an entry should have, where it differs from the stored one.
        let mut right: Option<(u64, Hash)> = None;
        for (index, row) in broken.iter().enumerate() {
            let sequence = row.sequence;
            let previous = match right {
                Some((before, hash)) if before + 1 == sequence => Some(hash),
                _ => row.previous,
            };
            let fits = |candidate: &Broken, previous: &Hash| match (&candidate.entry, &candidate.hash) {
                (Some(entry), Some(hash)) => entry.hash_at(sequence, previous) == *hash,
                _ => false,
            };
            let Some(previous) = previous else {
                self.report.add(Problem::Changed { sequence });
                continue;
            };
            if fits(row, &previous) {
                continue;
            }
            if let Some(moved) = broken.iter().find(|candidate| fits(candidate, &previous)) {
                self.report.add(Problem::Moved {
                    sequence,
                    found_at: moved.sequence,
                });
                right = moved.hash.map(|hash| (sequence, hash));
                continue;
            }
            let computed = row.entry.as_ref().map(|entry| entry.hash_at(sequence, &previous));
            let next = broken.get(index + 1).filter(|next| next.sequence == sequence + 1);
            let content_is_right = computed.is_some_and(|computed| match next {
                Some(next) => next.entry.as_ref().is_some_and(|entry| {
                    next.hash
                        .is_some_and(|hash| entry.hash_at(sequence + 1, &computed) == hash)
                }),
                None => self
                    .sealed
                    .is_some_and(|head| head.sequence == sequence && head.hash == computed),
            });
            if content_is_right {
                self.report.add(Problem::HashChanged { sequence });
                right = computed.map(|computed| (sequence, computed));
            } else {
                self.report.add(Problem::Changed { sequence });
            }
        }
        match right {
            Some((sequence, hash)) if sequence == self.last => Some(hash),
            _ => self.previous,
        }
    }
}

/// Orders problems by where they are; those of the whole ledger come first.
fn place_of(problem: &Problem) -> u64 {
    match problem {
        Problem::Changed { sequence }
        | Problem::HashChanged { sequence }
        | Problem::Moved { sequence, .. }
        | Problem::Rewritten { sequence }
        | Problem::Forked { sequence } => *sequence,
        Problem::Missing { first, .. } | Problem::Unsealed { first, .. } => *first,
        Problem::TailCut { sealed, .. } => *sealed,
        Problem::ForeignSeal
        | Problem::HeadChanged
        | Problem::CheckpointChanged
        | Problem::RolledBack { .. }
        | Problem::Structure => 0,
    }
}

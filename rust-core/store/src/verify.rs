//! Verification: walks the chain from its sealed beginning to its sealed end, and says exactly what is wrong and where.

use blake3::Hash;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Row};

use crate::chain::{Entry, EntryKind, GENESIS, Head, Keys, hash_from_text};
use crate::{Checkpoint, Ledger, Problem, Report, StoreError, query};

/// How many wrong entries are looked at closely; what exceeds it is reported as more problems.
const BROKEN_MAX: usize = 256;
pub(crate) const COLUMNS: &str =
    "SELECT sequence, kind, receipt, time_ms, outcome, place, format, body, hash FROM entry";

impl Ledger {
    /// Checks the whole ledger: every entry against the chain, both ends against their seals, the end against what the key vault knows,
    /// and the database's indexes against its tables. Reads a snapshot; receipts can be written meanwhile.
    ///
    /// # Errors
    /// Those of reading: [`StoreError::Damaged`], [`StoreError::Database`], [`StoreError::Vault`]. What is wrong with the ledger itself is in
    /// the report.
    pub fn verify(&self) -> Result<Report, StoreError> {
        let shared = self.shared();
        // Before the snapshot: a floor that is read later could be ahead of it.
        let floor = shared.floor()?;
        let mut reader = shared.reader();
        let failed = |error| shared.failed(error);
        let snapshot = reader.transaction().map_err(failed)?;
        let mut report = check_ledger(&snapshot, shared.keys(), floor).map_err(failed)?;
        if !is_sound(&snapshot).map_err(failed)? {
            report.add(Problem::Structure);
        }
        Ok(report)
    }
}

fn check_ledger(connection: &Connection, keys: Option<&Keys>, floor: Option<Head>) -> rusqlite::Result<Report> {
    let mut early = Vec::new();
    let head = match keys.map_or(Ok(Err(Problem::ForeignSeal)), |keys| sealed_head(connection, keys))? {
        Ok(head) => Some(head),
        Err(problem) => {
            early.push(problem);
            None
        }
    };
    let checkpoint = match keys {
        // The foreign seal is reported above.
        None => None,
        Some(_) if early.contains(&Problem::ForeignSeal) => None,
        Some(keys) => checkpoint(connection, keys)?.unwrap_or_else(|problem| {
            early.push(problem);
            None
        }),
    };
    // Without a checkpoint that can be trusted, the chain begins wherever its first entry stands.
    let start = match (&checkpoint, early.is_empty()) {
        (None, false) => first_sequence(connection)?.map(|first| (first.saturating_sub(1), None)),
        _ => None,
    };
    let mut walk = match start {
        Some((before, hash)) => Walk::new(before, hash),
        None => Walk::behind(checkpoint.as_ref()),
    };
    walk.report.problems = early;
    walk.floor = floor;
    walk.sealed = head;
    let mut statement = connection.prepare(&format!("{COLUMNS} ORDER BY sequence"))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let sequence: i64 = row.get(0)?;
        walk.take(sequence, entry(row), hash(row.get_ref(8)?));
    }
    let mut report = walk.finish();
    report.checkpoint = checkpoint;
    Ok(report)
}

/// What opening a ledger for writing looks at: the seals, the last entry, and the vault's floor.
pub(crate) fn first_look(
    connection: &Connection,
    keys: &Keys,
    floor: Option<Head>,
) -> rusqlite::Result<Result<Head, Problem>> {
    let head = match sealed_head(connection, keys)? {
        Ok(head) => head,
        Err(problem) => return Ok(Err(problem)),
    };
    let checkpoint = match checkpoint(connection, keys)? {
        Ok(checkpoint) => checkpoint,
        Err(problem) => return Ok(Err(problem)),
    };
    let pruned = checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.sequence);
    // The last two entries are enough to see that the chain ends where the seal says.
    let before = head.sequence.saturating_sub(1).max(pruned);
    let previous = match &checkpoint {
        Some(checkpoint) if checkpoint.sequence == before => hash_from_text(&checkpoint.hash),
        _ if before == 0 => Some(GENESIS),
        _ => query::hash_of(connection, before)?.and_then(|bytes| Hash::from_slice(&bytes).ok()),
    };
    let mut walk = Walk::new(before, previous);
    walk.sealed = Some(head);
    walk.floor = floor.filter(|floor| floor.sequence >= before);
    let mut statement = connection.prepare(&format!("{COLUMNS} WHERE sequence > ?1 ORDER BY sequence LIMIT 3"))?;
    let mut rows = statement.query([before.cast_signed()])?;
    while let Some(row) = rows.next()? {
        walk.take(row.get(0)?, entry(row), hash(row.get_ref(8)?));
    }
    let mut problems = walk.finish().problems;
    if let Some(floor) = floor.filter(|floor| floor.sequence > pruned && floor.sequence < before) {
        let found = query::hash_of(connection, floor.sequence)?;
        if found.is_none_or(|found| floor.hash != found[..]) {
            let sequence = floor.sequence;
            problems.push(Problem::Forked { sequence });
        }
    }
    let Some(seen) = problems.into_iter().next() else {
        return Ok(Ok(head));
    };
    // What the last two entries show may have its cause further up.
    let report = check_ledger(connection, Some(keys), floor)?;
    Ok(Err(report.problems.into_iter().next().unwrap_or(seen)))
}

/// The sealed end of the ledger.
pub(crate) fn sealed_head(connection: &Connection, keys: &Keys) -> rusqlite::Result<Result<Head, Problem>> {
    let found = connection
        .query_row("SELECT sequence, receipts, hash, key_id, seal FROM head", [], |row| {
            let numbers: (i64, i64) = (row.get(0)?, row.get(1)?);
            let bytes: (Vec<u8>, Vec<u8>, Vec<u8>) = (row.get(2)?, row.get(3)?, row.get(4)?);
            Ok((numbers, bytes))
        })
        .optional()?;
    let Some(((sequence, receipts), (hash, key_id, seal))) = found else {
        return Ok(Err(Problem::HeadChanged));
    };
    let (Ok(hash), Ok(sequence), Ok(receipts)) = (
        Hash::from_slice(&hash),
        u64::try_from(sequence),
        u64::try_from(receipts),
    ) else {
        return Ok(Err(Problem::HeadChanged));
    };
    let head = Head {
        sequence,
        receipts,
        hash,
    };
    let sealed = keys.seal_head(&head) == seal[..];
    let own = keys.id()[..] == key_id[..];
    Ok(match (own, sealed) {
        (true, true) => Ok(head),
        // The seal is right, so only the key's name was touched.
        (false, true) | (true, false) => Err(Problem::HeadChanged),
        (false, false) => Err(Problem::ForeignSeal),
    })
}

/// The checkpoint, when there is one.
pub(crate) fn checkpoint(
    connection: &Connection,
    keys: &Keys,
) -> rusqlite::Result<Result<Option<Checkpoint>, Problem>> {
    // As bytes, because somebody may have made it something that is no text.
    let found: Option<(Vec<u8>, Vec<u8>)> = connection
        .query_row("SELECT CAST(content AS BLOB), seal FROM checkpoint", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    let Some((content, seal)) = found else {
        return Ok(Ok(None));
    };
    let checkpoint = serde_json::from_slice::<Checkpoint>(&content).ok();
    let checkpoint = checkpoint.filter(|checkpoint| {
        let exact = serde_json::to_string(checkpoint).is_ok_and(|text| text.as_bytes() == content);
        exact && hash_from_text(&checkpoint.hash).is_some() && keys.seal_checkpoint(checkpoint) == seal[..]
    });
    Ok(checkpoint.map(Some).ok_or(Problem::CheckpointChanged))
}

fn first_sequence(connection: &Connection) -> rusqlite::Result<Option<u64>> {
    let first: Option<i64> = connection.query_row("SELECT min(sequence) FROM entry", [], |row| row.get(0))?;
    Ok(first.and_then(|first| u64::try_from(first).ok()))
}

/// SQLite's own check: pages, and every index against its table.
fn is_sound(connection: &Connection) -> rusqlite::Result<bool> {
    let verdict: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    Ok(verdict == "ok")
}

/// The row as an entry; none when a column is not of its type or not of the words and numbers that are ever written.
fn entry<'a>(row: &'a Row<'_>) -> Option<Entry<'a>> {
    let number = |column| match row.get_ref(column) {
        Ok(ValueRef::Integer(number)) => u64::try_from(number).ok(),
        _ => None,
    };
    let text = |column| match row.get_ref(column) {
        Ok(ValueRef::Text(text)) => Some(text),
        _ => None,
    };
    let entry = Entry {
        sequence: number(0)?,
        kind: text(1)?,
        receipt: number(2)?,
        time_ms: number(3)?,
        outcome: text(4)?,
        place: text(5)?,
        format: number(6)?,
        body: text(7)?,
    };
    entry.is_plain().then_some(entry)
}

fn hash(value: ValueRef<'_>) -> Option<Hash> {
    match value {
        ValueRef::Blob(bytes) => Hash::from_slice(bytes).ok(),
        _ => None,
    }
}

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

/// A walk along the chain. Entries are given to it in the order of their numbers.
pub(crate) struct Walk {
    pub(crate) report: Report,
    /// The sealed end, when there is one to trust.
    pub(crate) sealed: Option<Head>,
    /// The end that the vault knows.
    pub(crate) floor: Option<Head>,
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
    pub(crate) fn new(before: u64, previous: Option<Hash>) -> Walk {
        Walk {
            report: Report {
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

    /// A walk that begins behind a checkpoint, or at the very beginning.
    pub(crate) fn behind(checkpoint: Option<&Checkpoint>) -> Walk {
        match checkpoint {
            Some(checkpoint) => Walk::new(checkpoint.sequence, hash_from_text(&checkpoint.hash)),
            None => Walk::new(0, Some(GENESIS)),
        }
    }

    /// The next row: its number, its entry when it has the form of one, and its stored hash when it has the form of one.
    pub(crate) fn take(&mut self, sequence: i64, entry: Option<Entry<'_>>, hash: Option<Hash>) {
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

    /// The end that an export states, which is known only once the entries were read.
    pub(crate) fn end(&mut self, head: Option<Head>) {
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

    /// Compares the end with its seal and the vault's floor, and finds out what is wrong with the entries that do not follow.
    pub(crate) fn finish(mut self) -> Report {
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

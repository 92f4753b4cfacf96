//! Verification: walks the chain from its sealed beginning to its sealed end, and reports exactly what is wrong and where.

use blake3::Hash;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};

use whimbrel_record::chain::{Entry, GENESIS, Head, SealKeys, Walk, hash_from_text};
use whimbrel_record::{LedgerReport, Problem};

use super::receipts::Ledger;
use super::rows::{self, COLUMNS, checkpoint, sealed_head};
use crate::StoreError;

impl Ledger {
    /// Checks the whole ledger: every entry against the chain, both ends against their seals, the end against the key vault, and the
    /// database's indexes against its tables. It reads a snapshot, so receipts can be written at the same time.
    ///
    /// # Errors
    /// Those of reading: [`StoreError::Damaged`], [`StoreError::Database`], [`StoreError::Vault`]. Problems with the ledger itself are in
    /// the report.
    pub fn verify(&self) -> Result<LedgerReport, StoreError> {
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

/// Walks the whole chain.
pub(crate) fn check_ledger(
    connection: &Connection,
    keys: Option<&SealKeys>,
    floor: Option<Head>,
) -> rusqlite::Result<LedgerReport> {
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
    keys: &SealKeys,
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
        _ => rows::hash_of(connection, before)?.and_then(|bytes| Hash::from_slice(&bytes).ok()),
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
        let found = rows::hash_of(connection, floor.sequence)?;
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

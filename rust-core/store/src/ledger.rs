//! The life of a receipt: opened before the first byte leaves, closed at the end, pruned when it is old. Every step is one durable
//! transaction that appends to the chain and seals its new end.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use crate::chain::{Entry, EntryKind, Head, Keys, NONE};
use crate::query::StoredEntry;
use crate::receipt::{Closing, Intent, RECEIPT_FORMAT, ReceiptId};
use crate::stats::count;
use crate::store::{Shared, Writer};
use crate::{Checkpoint, Outcome, StoreError, verify};

/// The receipts of a store. Cloning gives another handle of the same; calls from several threads take turns.
#[derive(Clone)]
pub struct Ledger {
    shared: Arc<Shared>,
}

/// What pruning removes. A receipt goes when any bound that is given says so; those that came before it go too.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Prune {
    /// Receipts that were opened before this time, in milliseconds since 1970.
    pub opened_before_ms: Option<u64>,
    /// All but so many of the newest.
    pub receipts_max: Option<u64>,
}

/// Whether the vault is told the new end at once, or with the next entry that tells it.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Floor {
    Raise,
    Later,
}

/// What is appended; the rest of an entry follows from where it stands.
struct Draft<'a> {
    kind: EntryKind,
    receipt: u64,
    outcome: &'a str,
    place: &'a str,
    body: &'a str,
}

impl<'a> Draft<'a> {
    fn opened(receipt: u64, body: &'a str) -> Draft<'a> {
        Draft {
            kind: EntryKind::Opened,
            receipt,
            outcome: NONE,
            place: NONE,
            body,
        }
    }

    fn closed(receipt: u64, closing: &Closing, body: &'a str) -> Draft<'a> {
        Draft {
            kind: EntryKind::Closed,
            receipt,
            outcome: closing.outcome.name(),
            place: closing.place_kind().map_or(NONE, |place| place.name()),
            body,
        }
    }

    /// An entry that belongs to no receipt.
    fn mark(kind: EntryKind, body: &'a str) -> Draft<'a> {
        Draft {
            kind,
            receipt: 0,
            outcome: NONE,
            place: NONE,
            body,
        }
    }
}

/// What a mark in the chain says about the checkpoint that it stands for.
fn mark(checkpoint: &Checkpoint) -> String {
    let body = serde_json::json!({
        "sequence": checkpoint.sequence, "receipts": checkpoint.receipts, "hash": checkpoint.hash,
    });
    body.to_string()
}

impl std::fmt::Debug for Ledger {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Ledger")
            .field("path", &self.shared.path())
            .finish_non_exhaustive()
    }
}

impl Ledger {
    pub(crate) fn new(shared: Arc<Shared>) -> Ledger {
        Ledger { shared }
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Opens a receipt. When this returns, the intent has reached the disk, and its first byte may leave. `now_ms` is the time, in
    /// milliseconds since 1970. The key vault is told before this returns when a candidate of the plan is remote, else with the next entry.
    ///
    /// # Errors
    /// [`StoreError::TooMuch`], [`StoreError::Full`], [`StoreError::ReadOnly`], [`StoreError::Database`]. There is no receipt then, and
    /// nothing may leave.
    pub fn begin(&self, intent: &Intent, now_ms: u64) -> Result<ReceiptId, StoreError> {
        let body = intent.encode()?;
        let (mut writer, keys) = self.shared.writer()?;
        let receipt = writer.head.receipts + 1;
        // A vault can be slow. Where nothing leaves, there is nothing to hide by taking this entry away again.
        let floor = if intent.may_leave() { Floor::Raise } else { Floor::Later };
        self.write(&mut writer, keys, floor, |connection, head| {
            let mut head = append(connection, head, &Draft::opened(receipt, &body), now_ms)?;
            head.receipts = receipt;
            Ok(head)
        })?;
        Ok(ReceiptId(receipt))
    }

    /// Closes a receipt. When this returns, its end has reached the disk.
    ///
    /// # Errors
    /// [`StoreError::UnknownReceipt`], [`StoreError::AlreadyClosed`], and those of [`Ledger::begin`]. The receipt is then as it was; one
    /// that stays open is closed as interrupted when the store is opened the next time.
    pub fn finish(&self, id: ReceiptId, closing: &Closing, now_ms: u64) -> Result<(), StoreError> {
        let body = closing.encode()?;
        let (mut writer, keys) = self.shared.writer()?;
        let (opened, closed) = is_there(&writer.connection, id).map_err(|error| self.shared.failed(error))?;
        if closed {
            return Err(StoreError::AlreadyClosed { id: id.0 });
        }
        if !opened {
            return Err(StoreError::UnknownReceipt { id: id.0 });
        }
        self.write(&mut writer, keys, Floor::Raise, |connection, head| {
            append(connection, head, &Draft::closed(id.0, closing, &body), now_ms)
        })
    }

    /// Opens and closes a receipt at once, for a request that never began: denied or deferred. Both entries become durable together.
    ///
    /// # Errors
    /// Those of [`Ledger::begin`].
    pub fn record(&self, intent: &Intent, closing: &Closing, now_ms: u64) -> Result<ReceiptId, StoreError> {
        let ids = self.record_all([(intent.clone(), closing.clone(), now_ms)])?;
        Ok(ids[0])
    }

    /// Opens and closes receipts of many requests that are over, each with the time of both; all of them become durable together.
    ///
    /// # Errors
    /// Those of [`Ledger::begin`]; there is none of the receipts then.
    pub fn record_all(
        &self,
        receipts: impl IntoIterator<Item = (Intent, Closing, u64)>,
    ) -> Result<Vec<ReceiptId>, StoreError> {
        let encoded = receipts
            .into_iter()
            .map(|(intent, closing, time_ms)| Ok((intent.encode()?, closing.encode()?, closing, time_ms)));
        let encoded = encoded.collect::<Result<Vec<_>, StoreError>>()?;
        let (mut writer, keys) = self.shared.writer()?;
        let first = writer.head.receipts + 1;
        self.write(&mut writer, keys, Floor::Raise, |connection, mut head| {
            for (intent, end, closing, time_ms) in &encoded {
                let receipt = head.receipts + 1;
                head = append(connection, head, &Draft::opened(receipt, intent), *time_ms)?;
                head = append(connection, head, &Draft::closed(receipt, closing, end), *time_ms)?;
                head.receipts = receipt;
            }
            Ok(head)
        })?;
        Ok((first..).take(encoded.len()).map(ReceiptId).collect())
    }

    /// Removes old receipts and leaves a sealed checkpoint of them: the number and hash of the last entry that goes, and what they come
    /// to. Only whole receipts go, from the oldest on, so one that is still open keeps itself and what came after it. None when nothing
    /// goes. What is removed is overwritten in the file.
    ///
    /// # Errors
    /// [`StoreError::Full`], [`StoreError::Unreadable`] when an entry cannot be decoded, [`StoreError::ReadOnly`],
    /// [`StoreError::Database`]. Nothing is removed then.
    pub fn prune(&self, prune: &Prune, now_ms: u64) -> Result<Option<Checkpoint>, StoreError> {
        let (mut writer, keys) = self.shared.writer()?;
        let failed = |error| self.shared.failed(error);
        let earlier = verify::checkpoint(&writer.connection, keys).map_err(failed)?;
        let earlier = earlier.map_err(|problem| StoreError::Ledger {
            path: self.shared.path().to_owned(),
            problem,
        })?;
        let Some(mut checkpoint) = prunable(&writer.connection, earlier, prune, writer.head, failed)? else {
            return Ok(None);
        };
        checkpoint.time_ms = now_ms;
        let body = mark(&checkpoint);
        self.write(&mut writer, keys, Floor::Raise, |connection, head| {
            let through = checkpoint.sequence.cast_signed();
            connection.execute("DELETE FROM entry WHERE sequence <= ?1", [through])?;
            let receipts = checkpoint.receipts.cast_signed();
            connection.execute("DELETE FROM feedback WHERE receipt <= ?1", [receipts])?;
            write_checkpoint(connection, keys, &checkpoint)?;
            append(connection, head, &Draft::mark(EntryKind::Pruned, &body), now_ms)
        })?;
        // The log of changes still holds what was removed, until it is emptied. A reader elsewhere may hold it up; it is emptied later then.
        let emptied = writer
            .connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        emptied.map_err(failed)?;
        Ok(Some(checkpoint))
    }

    /// Whether the key vault failed to take the ledger's end after the last entry. It is told again after the next one; until then a copy
    /// from before that entry would pass for the ledger.
    ///
    /// # Errors
    /// [`StoreError::ReadOnly`].
    pub fn is_floor_behind(&self) -> Result<bool, StoreError> {
        Ok(self.shared.writer()?.0.floor_behind)
    }

    /// Closes every receipt that has no end, all of them durable together.
    pub(crate) fn close_interrupted(&self, now_ms: u64) -> Result<(), StoreError> {
        let closing = Closing::new(Outcome::Interrupted);
        let body = closing.encode()?;
        let (mut writer, keys) = self.shared.writer()?;
        let open = open_receipts(&writer.connection).map_err(|error| self.shared.failed(error))?;
        if open.is_empty() {
            return Ok(());
        }
        self.write(&mut writer, keys, Floor::Raise, |connection, mut head| {
            for receipt in open {
                head = append(connection, head, &Draft::closed(receipt, &closing, &body), now_ms)?;
            }
            Ok(head)
        })
    }

    /// Runs one transaction that moves the end of the ledger, seals the new end, and tells the vault once it is durable.
    fn write(
        &self,
        writer: &mut Writer,
        keys: &Keys,
        floor: Floor,
        change: impl FnOnce(&Connection, Head) -> rusqlite::Result<Head>,
    ) -> Result<(), StoreError> {
        let before = writer.head;
        let result = (|| {
            let transaction = writer
                .connection
                .transaction_with_behavior(TransactionBehavior::Immediate)?;
            let head = change(&transaction, before)?;
            write_head(&transaction, keys, &head)?;
            transaction.commit()?;
            Ok(head)
        })();
        match result {
            Ok(head) => {
                writer.head = head;
                if floor == Floor::Raise {
                    self.shared.raise_floor(writer);
                }
                Ok(())
            }
            Err(error) => Err(self.shared.failed(error)),
        }
    }
}

/// Appends one entry and returns the new end; the caller seals it.
fn append(connection: &Connection, head: Head, draft: &Draft<'_>, now_ms: u64) -> rusqlite::Result<Head> {
    let entry = Entry {
        sequence: head.sequence + 1,
        kind: draft.kind.name().as_bytes(),
        receipt: draft.receipt,
        // Times are stored as SQLite's signed numbers; those past the year 292 million are cut.
        time_ms: now_ms.min(i64::MAX.cast_unsigned()),
        outcome: draft.outcome.as_bytes(),
        place: draft.place.as_bytes(),
        format: u64::from(RECEIPT_FORMAT),
        body: draft.body.as_bytes(),
    };
    let hash = entry.hash(&head.hash, &mut Vec::new());
    connection.execute(
        "INSERT INTO entry (sequence, kind, receipt, time_ms, outcome, place, format, body, hash)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        (
            entry.sequence.cast_signed(),
            draft.kind.name(),
            entry.receipt.cast_signed(),
            entry.time_ms.cast_signed(),
            draft.outcome,
            draft.place,
            RECEIPT_FORMAT,
            draft.body,
            &hash.as_bytes()[..],
        ),
    )?;
    Ok(Head {
        sequence: entry.sequence,
        receipts: head.receipts,
        hash,
    })
}

/// Appends the entry that says that a ledger began again behind `lost`.
pub(crate) fn append_restart(
    connection: &Connection,
    lost: Head,
    checkpoint: &Checkpoint,
    now_ms: u64,
) -> rusqlite::Result<Head> {
    let body = mark(checkpoint);
    append(connection, lost, &Draft::mark(EntryKind::Restarted, &body), now_ms)
}

pub(crate) fn write_head(connection: &Connection, keys: &Keys, head: &Head) -> rusqlite::Result<()> {
    let (key_id, seal) = (keys.id(), keys.seal_head(head));
    connection.execute(
        "INSERT OR REPLACE INTO head (id, sequence, receipts, hash, key_id, seal) VALUES (1, ?1, ?2, ?3, ?4, ?5)",
        (
            head.sequence.cast_signed(),
            head.receipts.cast_signed(),
            &head.hash.as_bytes()[..],
            &key_id[..],
            &seal.as_bytes()[..],
        ),
    )?;
    Ok(())
}

pub(crate) fn write_checkpoint(connection: &Connection, keys: &Keys, checkpoint: &Checkpoint) -> rusqlite::Result<()> {
    let content = serde_json::to_string(checkpoint).expect("a record of numbers and words is JSON");
    let seal = keys.seal_checkpoint(checkpoint);
    connection.execute(
        "INSERT OR REPLACE INTO checkpoint (id, content, seal) VALUES (1, ?1, ?2)",
        (content, &seal.as_bytes()[..]),
    )?;
    Ok(())
}

/// Whether a receipt has its first and its last entry.
fn is_there(connection: &Connection, id: ReceiptId) -> rusqlite::Result<(bool, bool)> {
    let has = |kind: EntryKind| {
        connection
            .query_row(
                "SELECT 1 FROM entry WHERE receipt = ?1 AND receipt > 0 AND kind = ?2",
                (id.0.cast_signed(), kind.name()),
                |_| Ok(()),
            )
            .optional()
            .map(|found| found.is_some())
    };
    Ok((has(EntryKind::Opened)?, has(EntryKind::Closed)?))
}

/// The receipts without an end, oldest first. Read from the index alone.
fn open_receipts(connection: &Connection) -> rusqlite::Result<Vec<u64>> {
    let mut statement = connection.prepare(
        "SELECT receipt FROM entry WHERE receipt > 0 GROUP BY receipt HAVING max(kind = 'closed') = 0 ORDER BY receipt",
    )?;
    let rows = statement.query_map([], |row| row.get::<_, i64>(0))?;
    rows.map(|receipt| receipt.map(i64::cast_unsigned)).collect()
}

/// Walks the oldest entries as far as pruning goes, and counts what would go on top of what went `earlier`.
fn prunable(
    connection: &Connection,
    earlier: Option<Checkpoint>,
    prune: &Prune,
    head: Head,
    failed: impl Fn(rusqlite::Error) -> StoreError,
) -> Result<Option<Checkpoint>, StoreError> {
    let first_kept = prune
        .receipts_max
        .map_or(0, |max| head.receipts.saturating_sub(max) + 1);
    let goes = |entry: &StoredEntry| {
        entry.receipt < first_kept || prune.opened_before_ms.is_some_and(|before| entry.time_ms < before)
    };
    let mut statement = connection.prepare(StoredEntry::SELECT_ALL).map_err(&failed)?;
    let mut rows = statement.query([]).map_err(&failed)?;
    let mut open = std::collections::BTreeMap::new();
    let mut totals = earlier
        .as_ref()
        .map(|earlier| earlier.totals.clone())
        .unwrap_or_default();
    let (mut cut, mut receipts) = (None, earlier.as_ref().map_or(0, |earlier| earlier.receipts));
    while let Some(row) = rows.next().map_err(&failed)? {
        let entry = StoredEntry::read(row).map_err(&failed)?;
        if entry.kind == EntryKind::Opened.name() {
            if !goes(&entry) {
                break;
            }
            receipts = entry.receipt;
            open.insert(entry.receipt, entry.intent()?);
        } else if entry.kind == EntryKind::Closed.name() {
            let intent = open.remove(&entry.receipt).ok_or_else(|| entry.unreadable())?;
            count(&mut totals, &intent, Some(&entry.closing()?));
        }
        if open.is_empty() {
            cut = Some(Checkpoint {
                sequence: entry.sequence,
                receipts,
                hash: entry.hash.to_hex().to_string(),
                time_ms: 0,
                lost: earlier.as_ref().is_some_and(|earlier| earlier.lost),
                totals: totals.clone(),
            });
        }
    }
    // Nothing is gained by removing the marks of earlier prunings alone.
    let before = earlier.map_or(0, |earlier| earlier.receipts);
    Ok(cut.filter(|cut| cut.receipts > before))
}

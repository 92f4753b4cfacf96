//! Pruning: old receipts are removed, and a sealed checkpoint keeps their totals.

use rusqlite::{Connection, OptionalExtension};
use whimbrel_record::Checkpoint;
use whimbrel_record::chain::{EntryKind, Head};

use super::append::{Draft, append, mark, write_checkpoint};
use super::receipts::{Floor, Ledger};
use super::rows::{self, StoredEntry};
use crate::StoreError;

/// Selects the receipts to prune. A receipt is removed if it matches any given bound, and so are all receipts before it.
///
/// ```
/// # use std::sync::Arc;
/// # use whimbrel_privacy::PrivacyClass;
/// # use whimbrel_record::{Closing, Intent, Label, Outcome};
/// # use whimbrel_store::{MemoryVault, Store};
/// use whimbrel_store::Prune;
///
/// # let folder = tempfile::tempdir().unwrap();
/// # let now_ms = 1_795_420_800_000;
/// # let store = Store::open(&folder.path().join("store.db"), Arc::new(MemoryVault::new()), now_ms)?;
/// # let ledger = store.ledger();
/// # let intent = Intent::new(Label::squeezed("request-1"), Label::squeezed("chat"), PrivacyClass::Public);
/// # ledger.record(&intent, &Closing::new(Outcome::Denied), now_ms)?;
/// # ledger.record(&intent, &Closing::new(Outcome::Denied), now_ms)?;
/// let newest = Prune { receipts_max: Some(1), ..Prune::default() };
/// let checkpoint = ledger.prune(&newest, now_ms)?.expect("an old receipt goes");
/// assert_eq!((checkpoint.receipts, checkpoint.totals.denied), (1, 1));
/// # Ok::<(), whimbrel_store::StoreError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Prune {
    /// Removes receipts that were opened before this time, in milliseconds since 1970. A receipt with a time in the future, or before that
    /// of earlier receipts, was written while the clock was set wrong. It counts as old as the newest receipt before it, or as the first
    /// one.
    pub opened_before_ms: Option<u64>,
    /// The number of newest receipts to keep; all older ones are removed.
    pub receipts_max: Option<u64>,
}

impl Ledger {
    /// Removes old receipts and leaves a sealed checkpoint with the number and hash of the last removed entry, and the totals. Only whole
    /// receipts are removed, starting with the oldest, so an open receipt keeps itself and everything after it. Returns `None` if nothing
    /// was removed. Removed data is overwritten in the file.
    ///
    /// # Errors
    /// [`StoreError::Full`], [`StoreError::Unreadable`] if an entry cannot be decoded, [`StoreError::ReadOnly`], [`StoreError::Database`].
    /// Nothing is then removed. [`StoreError::LogLeft`] if the receipts are removed but not yet gone from the log.
    pub fn prune(&self, prune: &Prune, now_ms: u64) -> Result<Option<Checkpoint>, StoreError> {
        let (mut writer, keys) = self.shared().writer()?;
        let failed = |error| self.shared().failed(error);
        let earlier = rows::checkpoint(&writer.connection, keys).map_err(failed)?;
        let earlier = earlier.map_err(|problem| StoreError::Ledger {
            path: self.shared().path().to_owned(),
            problem,
        })?;
        let Some(mut checkpoint) = prunable(&writer.connection, earlier, prune, (writer.head, now_ms), failed)? else {
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
        // The log of changes still holds what was removed, until it is emptied.
        self.shared().empty_log_after(&writer)?;
        Ok(Some(checkpoint))
    }
}

/// The time of the first receipt whose clock was not ahead; now where there is none.
fn first_time(connection: &Connection, now_ms: u64) -> rusqlite::Result<u64> {
    let first = "SELECT time_ms FROM entry WHERE kind = ?1 AND time_ms <= ?2 ORDER BY sequence LIMIT 1";
    let now = now_ms.min(i64::MAX.cast_unsigned()).cast_signed();
    let found = connection.query_row(first, (EntryKind::Opened.name(), now), |row| row.get::<_, i64>(0));
    Ok(found.optional()?.map_or(now_ms, i64::cast_unsigned))
}

/// Walks the oldest entries as far as pruning goes, and counts what would go on top of what went `earlier`.
fn prunable(
    connection: &Connection,
    earlier: Option<Checkpoint>,
    prune: &Prune,
    (head, now_ms): (Head, u64),
    failed: impl Fn(rusqlite::Error) -> StoreError,
) -> Result<Option<Checkpoint>, StoreError> {
    let first_kept = prune
        .receipts_max
        .map_or(0, |max| head.receipts.saturating_sub(max) + 1);
    // A clock that was set makes no receipt older or younger than those around it: it is as old as the youngest before it, and a time that lies
    // ahead is none.
    let mut youngest_ms = first_time(connection, now_ms).map_err(&failed)?;
    let mut goes = |entry: &StoredEntry| {
        if entry.time_ms <= now_ms {
            youngest_ms = entry.time_ms.max(youngest_ms);
        }
        entry.receipt < first_kept || prune.opened_before_ms.is_some_and(|before| youngest_ms < before)
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
            totals.count(&intent, Some(&entry.closing()?));
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

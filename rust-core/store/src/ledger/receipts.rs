//! The life of a receipt: opened before the first byte leaves, closed at the end. Every step is a durable transaction that appends to the
//! chain and seals its new end.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};
use whimbrel_record::chain::{EntryKind, Head, SealKeys};
use whimbrel_record::{Closing, Intent, Outcome, ReceiptId};

use super::append::{Draft, append, write_head};
use crate::StoreError;
use crate::connection::{Shared, Writer};

/// The receipts of a store. Clones are handles of the same ledger; calls from several threads take turns.
///
/// ```
/// # use std::sync::Arc;
/// # use whimbrel_store::{MemoryVault, Store};
/// use whimbrel_privacy::PrivacyClass;
/// use whimbrel_record::{Closing, Intent, Label, Outcome};
///
/// # let folder = tempfile::tempdir().unwrap();
/// # let now_ms = 1_795_420_800_000;
/// # let store = Store::open(&folder.path().join("store.db"), Arc::new(MemoryVault::new()), now_ms)?;
/// let ledger = store.ledger();
/// let intent = Intent::new(Label::squeezed("request-1"), Label::squeezed("chat"), PrivacyClass::Public);
/// let id = ledger.begin(&intent, now_ms)?;
/// // The request runs here: its intent has reached the disk.
/// ledger.finish(id, &Closing::new(Outcome::Answered), now_ms + 912)?;
/// assert_eq!(ledger.show(id)?.outcome, Some(Outcome::Answered));
/// # Ok::<(), whimbrel_store::StoreError>(())
/// ```
#[derive(Clone)]
pub struct Ledger {
    shared: Arc<Shared>,
}

/// Whether the vault is told the new end at once, or with the next entry that tells it.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) enum Floor {
    Raise,
    Later,
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

    /// Opens a receipt. When this returns, the intent has reached the disk, and the request's first byte may leave. `now_ms` is the time,
    /// in milliseconds since 1970. If a candidate of the plan is remote, the key vault is updated before this returns, otherwise with the
    /// next entry.
    ///
    /// # Errors
    /// [`RecordError::TooMuch`](whimbrel_record::RecordError::TooMuch), [`StoreError::Full`], [`StoreError::ReadOnly`],
    /// [`StoreError::Database`]. There is then no receipt, and nothing may leave.
    pub fn begin(&self, intent: &Intent, now_ms: u64) -> Result<ReceiptId, StoreError> {
        let body = intent.encode()?;
        let (mut writer, keys) = self.shared.writer()?;
        let receipt = writer.head.receipts + 1;
        // A vault can be slow. Where nothing leaves, there is nothing to hide by taking this entry away again.
        let floor = if intent.may_leave() { Floor::Raise } else { Floor::Later };
        self.write(&mut writer, keys, floor, |connection, head| {
            let mut head = append(connection, head, &Draft::opened(receipt, intent, &body), now_ms)?;
            head.receipts = receipt;
            Ok(head)
        })?;
        Ok(ReceiptId(receipt))
    }

    /// Closes a receipt. When this returns, its closing has reached the disk.
    ///
    /// # Errors
    /// [`StoreError::UnknownReceipt`], [`StoreError::AlreadyClosed`], and those of [`Ledger::begin`]. The receipt is then unchanged. A
    /// receipt that stays open is closed as interrupted when the store is next opened.
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

    /// Opens and closes a receipt at once, for a request that was never started: denied or deferred. Both entries become durable together.
    ///
    /// # Errors
    /// Those of [`Ledger::begin`].
    pub fn record(&self, intent: &Intent, closing: &Closing, now_ms: u64) -> Result<ReceiptId, StoreError> {
        let ids = self.record_all([(intent.clone(), closing.clone(), now_ms)])?;
        Ok(ids[0])
    }

    /// Opens and closes the receipts of many requests that have ended, each with one time for both entries. All of them become durable
    /// together.
    ///
    /// # Errors
    /// Those of [`Ledger::begin`]; none of the receipts is then written.
    pub fn record_all(
        &self,
        receipts: impl IntoIterator<Item = (Intent, Closing, u64)>,
    ) -> Result<Vec<ReceiptId>, StoreError> {
        let encoded = receipts
            .into_iter()
            .map(|(intent, closing, time_ms)| Ok((intent.encode()?, closing.encode()?, intent, closing, time_ms)));
        let encoded = encoded.collect::<Result<Vec<_>, StoreError>>()?;
        let (mut writer, keys) = self.shared.writer()?;
        let first = writer.head.receipts + 1;
        self.write(&mut writer, keys, Floor::Raise, |connection, mut head| {
            for (begin, end, intent, closing, time_ms) in &encoded {
                let receipt = head.receipts + 1;
                head = append(connection, head, &Draft::opened(receipt, intent, begin), *time_ms)?;
                head = append(connection, head, &Draft::closed(receipt, closing, end), *time_ms)?;
                head.receipts = receipt;
            }
            Ok(head)
        })?;
        Ok((first..).take(encoded.len()).map(ReceiptId).collect())
    }

    /// Whether the key vault failed to store the ledger's end after the last entry. It is updated again after the next one. Until then, a
    /// copy from before that entry would pass as the ledger.
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
    pub(super) fn write(
        &self,
        writer: &mut Writer,
        keys: &SealKeys,
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

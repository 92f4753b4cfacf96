//! Reads the ledger's tables: entries, the sealed end, the checkpoint.

use blake3::Hash;
use rusqlite::{Connection, OptionalExtension, Row};
use whimbrel_record::chain::{Head, SealKeys, hash_from_text};
use whimbrel_record::{Checkpoint, Closing, Intent, Problem, decode_closing, decode_intent};

use crate::StoreError;

/// Every column of an entry.
pub(super) const COLUMNS: &str =
    "SELECT sequence, kind, receipt, time_ms, outcome, place, format, body, hash FROM entry";

/// One entry as it is stored.
pub(super) struct StoredEntry {
    pub(super) sequence: u64,
    pub(super) kind: String,
    pub(super) receipt: u64,
    pub(super) time_ms: u64,
    pub(super) body: String,
    pub(super) hash: Hash,
}

impl StoredEntry {
    /// Every entry, oldest first.
    pub(super) const SELECT_ALL: &str =
        "SELECT sequence, kind, receipt, time_ms, body, hash FROM entry ORDER BY sequence";
    /// The entries of one receipt.
    pub(super) const SELECT_RECEIPT: &str = "SELECT sequence, kind, receipt, time_ms, body, hash FROM entry
        WHERE receipt = ?1 AND receipt > 0 ORDER BY sequence";

    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<StoredEntry> {
        Ok(StoredEntry {
            sequence: row.get::<_, i64>(0)?.cast_unsigned(),
            kind: row.get(1)?,
            receipt: row.get::<_, i64>(2)?.cast_unsigned(),
            time_ms: row.get::<_, i64>(3)?.cast_unsigned(),
            body: row.get(4)?,
            hash: Hash::from_bytes(row.get(5)?),
        })
    }

    pub(super) fn intent(&self) -> Result<Intent, StoreError> {
        decode_intent(self.body.as_bytes()).ok_or_else(|| self.unreadable())
    }

    pub(super) fn closing(&self) -> Result<Closing, StoreError> {
        decode_closing(self.body.as_bytes()).ok_or_else(|| self.unreadable())
    }

    pub(super) fn unreadable(&self) -> StoreError {
        StoreError::Unreadable {
            what: format!("entry {} of the ledger", self.sequence),
        }
    }
}

/// The sealed end of the ledger.
pub(crate) fn sealed_head(connection: &Connection, keys: &SealKeys) -> rusqlite::Result<Result<Head, Problem>> {
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
    keys: &SealKeys,
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

/// The stored hash of one entry.
pub(crate) fn hash_of(connection: &Connection, sequence: u64) -> rusqlite::Result<Option<Vec<u8>>> {
    connection
        .query_row(
            "SELECT hash FROM entry WHERE sequence = ?1",
            [sequence.cast_signed()],
            |row| row.get(0),
        )
        .optional()
}

/// The bounds of a span of time as SQLite's numbers.
pub(super) fn span(from_ms: Option<u64>, until_ms: Option<u64>) -> (i64, i64) {
    let bound = |ms: u64| i64::try_from(ms).unwrap_or(i64::MAX);
    (from_ms.map_or(0, bound), until_ms.map_or(i64::MAX, bound))
}

//! Appends to the chain: one entry, the new sealed end, and the checkpoint. The caller provides the transaction.

use rusqlite::Connection;
use whimbrel_record::chain::{Entry, EntryKind, Head, NONE, SealKeys};
use whimbrel_record::{Checkpoint, Closing, Intent};

/// Version of the body of an entry that belongs to no receipt.
const MARK_FORMAT: u32 = 1;

/// What is appended; the rest of an entry follows from where it stands.
pub(super) struct Draft<'a> {
    kind: EntryKind,
    receipt: u64,
    outcome: &'a str,
    place: &'a str,
    format: u32,
    body: &'a str,
}

impl<'a> Draft<'a> {
    pub(super) fn opened(receipt: u64, intent: &Intent, body: &'a str) -> Draft<'a> {
        Draft {
            kind: EntryKind::Opened,
            receipt,
            outcome: NONE,
            place: NONE,
            format: intent.format(),
            body,
        }
    }

    pub(super) fn closed(receipt: u64, closing: &Closing, body: &'a str) -> Draft<'a> {
        Draft {
            kind: EntryKind::Closed,
            receipt,
            outcome: closing.outcome.name(),
            place: closing.place_kind().map_or(NONE, |place| place.name()),
            format: closing.format(),
            body,
        }
    }

    /// An entry that belongs to no receipt.
    pub(super) fn mark(kind: EntryKind, body: &'a str) -> Draft<'a> {
        Draft {
            kind,
            receipt: 0,
            outcome: NONE,
            place: NONE,
            format: MARK_FORMAT,
            body,
        }
    }
}

/// What a mark in the chain says about the checkpoint that it stands for.
pub(super) fn mark(checkpoint: &Checkpoint) -> String {
    let body = serde_json::json!({
        "sequence": checkpoint.sequence, "receipts": checkpoint.receipts, "hash": checkpoint.hash,
    });
    body.to_string()
}

/// Appends one entry and returns the new end; the caller seals it.
pub(super) fn append(connection: &Connection, head: Head, draft: &Draft<'_>, now_ms: u64) -> rusqlite::Result<Head> {
    let entry = Entry {
        sequence: head.sequence + 1,
        kind: draft.kind.name().as_bytes(),
        receipt: draft.receipt,
        // Times are stored as SQLite's signed numbers; those past the year 292 million are cut.
        time_ms: now_ms.min(i64::MAX.cast_unsigned()),
        outcome: draft.outcome.as_bytes(),
        place: draft.place.as_bytes(),
        format: u64::from(draft.format),
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
            draft.format,
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

/// Writes and seals the end of the ledger.
pub(crate) fn write_head(connection: &Connection, keys: &SealKeys, head: &Head) -> rusqlite::Result<()> {
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

/// Writes and seals the checkpoint.
pub(crate) fn write_checkpoint(
    connection: &Connection,
    keys: &SealKeys,
    checkpoint: &Checkpoint,
) -> rusqlite::Result<()> {
    let content = serde_json::to_string(checkpoint).expect("a record of numbers and words is JSON");
    let seal = keys.seal_checkpoint(checkpoint);
    connection.execute(
        "INSERT OR REPLACE INTO checkpoint (id, content, seal) VALUES (1, ?1, ?2)",
        (content, &seal.as_bytes()[..]),
    )?;
    Ok(())
}

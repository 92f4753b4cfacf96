//! Reads receipts: one, or a page of them.

use rusqlite::Connection;
use whimbrel_record::{Attempt, Outcome, PlaceKind, Receipt, ReceiptId, limit};

use super::feedback;
use super::receipts::Ledger;
use super::rows::{StoredEntry, span};
use crate::StoreError;

/// Maximum number of receipts per page.
pub const LIST_MAX: u32 = 1000;

/// Selects the receipts to list. Values that are `None` do not restrict the list.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Filter {
    /// Only receipts with lower numbers than this one. For the next page, pass the number of the last receipt.
    pub before: Option<ReceiptId>,
    /// Only receipts that were opened at this time or later, in milliseconds since 1970.
    pub from_ms: Option<u64>,
    /// Only receipts that were opened before this time, in milliseconds since 1970.
    pub until_ms: Option<u64>,
    /// Only receipts with this outcome.
    pub outcome: Option<Outcome>,
    /// Only receipts whose answer came from this kind of place, or whose last attempt was there.
    pub place: Option<PlaceKind>,
}

impl Ledger {
    /// Receipts, newest first, at most `receipts_max` of them. For the next page, set [`Filter::before`] to the last one's id.
    ///
    /// # Errors
    /// [`RecordError::TooMuch`](whimbrel_record::RecordError::TooMuch) beyond [`LIST_MAX`], [`StoreError::Unreadable`], and those of the
    /// database.
    pub fn list(&self, filter: &Filter, receipts_max: u32) -> Result<Vec<Receipt>, StoreError> {
        limit("receipts of a page", receipts_max as usize, LIST_MAX)?;
        let reader = self.shared().reader();
        let ids = select(&reader, filter, receipts_max).map_err(|error| self.shared().failed(error))?;
        ids.into_iter().map(|id| self.load(&reader, id)).collect()
    }

    /// One receipt.
    ///
    /// # Errors
    /// [`StoreError::UnknownReceipt`], [`StoreError::Unreadable`], and those of the database.
    pub fn show(&self, id: ReceiptId) -> Result<Receipt, StoreError> {
        self.load(&self.shared().reader(), id)
    }

    fn load(&self, reader: &Connection, id: ReceiptId) -> Result<Receipt, StoreError> {
        let failed = |error| self.shared().failed(error);
        let mut statement = reader.prepare(StoredEntry::SELECT_RECEIPT).map_err(failed)?;
        let entries = statement
            .query_map([id.0.cast_signed()], StoredEntry::read)
            .and_then(Iterator::collect::<rusqlite::Result<Vec<_>>>)
            .map_err(failed)?;
        let feedback = feedback::of(reader, id).map_err(failed)?;
        let Some((opened, rest)) = entries.split_first() else {
            return Err(StoreError::UnknownReceipt { id: id.0 });
        };
        let intent = opened.intent()?;
        let closed = rest.first();
        let closing = closed.map(StoredEntry::closing).transpose()?;
        let sum = |bytes: fn(&Attempt) -> u64| {
            let attempts = closing.iter().flat_map(|closing| &closing.attempts);
            attempts.fold(0u64, |sum, attempt| sum.saturating_add(bytes(attempt)))
        };
        let outcome = closing.as_ref().map(|closing| closing.outcome);
        let uncertain = matches!(outcome, None | Some(Outcome::Interrupted));
        Ok(Receipt {
            id,
            opened_ms: opened.time_ms,
            closed_ms: closed.map(|closed| closed.time_ms),
            outcome,
            place: closing.as_ref().and_then(|closing| closing.place().cloned()),
            bytes_out: sum(|attempt| attempt.bytes_out),
            bytes_out_uncertain: if uncertain { intent.bytes_out_max() } else { 0 },
            bytes_in: sum(|attempt| attempt.bytes_in),
            intent,
            closing,
            feedback,
            sequences: entries.iter().map(|entry| entry.sequence).collect(),
            hashes: entries.iter().map(|entry| entry.hash.to_hex().to_string()).collect(),
        })
    }
}

fn select(reader: &Connection, filter: &Filter, receipts_max: u32) -> rusqlite::Result<Vec<ReceiptId>> {
    let mut statement = reader.prepare(
        "SELECT o.receipt FROM entry o
         LEFT JOIN entry c ON c.receipt = o.receipt AND c.receipt > 0 AND c.kind = 'closed'
         WHERE o.receipt > 0 AND o.kind = 'opened' AND o.receipt < ?1 AND o.time_ms >= ?2 AND o.time_ms < ?3
           AND (?4 IS NULL OR c.outcome = ?4) AND (?5 IS NULL OR c.place = ?5)
         ORDER BY o.receipt DESC LIMIT ?6",
    )?;
    let (from, until) = span(filter.from_ms, filter.until_ms);
    let before = filter
        .before
        .map_or(i64::MAX, |id| i64::try_from(id.0).unwrap_or(i64::MAX));
    let rows = statement.query_map(
        (
            before,
            from,
            until,
            filter.outcome.map(Outcome::name),
            filter.place.map(PlaceKind::name),
            receipts_max,
        ),
        |row| row.get::<_, i64>(0),
    )?;
    rows.map(|id| id.map(|id| ReceiptId(id.cast_unsigned()))).collect()
}

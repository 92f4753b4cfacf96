//! Reads receipts: one, or a page of them.

use rusqlite::Connection;
use whimbrel_record::{Attempt, Closing, Intent, Outcome, PlaceKind, Receipt, ReceiptId, limit};

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

/// A receipt that has ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ClosedReceipt {
    /// The ledger's entry that closed it.
    pub sequence: u64,
    /// The entry that opened it.
    pub opened: u64,
    /// Its number.
    pub id: ReceiptId,
    /// When it was opened, in milliseconds since 1970.
    pub opened_ms: u64,
    /// When it was closed.
    pub closed_ms: u64,
    /// What was planned.
    pub intent: Intent,
    /// How it went.
    pub closing: Closing,
}

/// Some of the receipts that were closed, in the order in which they were closed.
#[derive(Clone, Debug, PartialEq)]
pub struct ClosedPage {
    /// The receipts, without those that cannot be read.
    pub receipts: Vec<ClosedReceipt>,
    /// The last entry that was looked at.
    pub through: u64,
    /// Whether there are no more.
    pub is_last: bool,
}

impl Ledger {
    /// The receipts that were closed after the entry `sequence`, in the order in which they were closed, at most `receipts_max` of them. Those that
    /// cannot be read are left out; [`Ledger::verify`] finds them.
    ///
    /// # Errors
    /// [`RecordError::TooMuch`](whimbrel_record::RecordError::TooMuch) beyond [`LIST_MAX`], and those of the database.
    pub fn closed_after(&self, sequence: u64, receipts_max: u32) -> Result<ClosedPage, StoreError> {
        limit("receipts of a page", receipts_max as usize, LIST_MAX)?;
        let failed = |error| self.shared().failed(error);
        let reader = self.shared().reader();
        let mut statement = reader
            .prepare(
                "SELECT c.sequence, c.receipt, c.time_ms, c.body, o.sequence, o.time_ms, o.body FROM entry c
                 JOIN entry o ON o.receipt = c.receipt AND o.receipt > 0 AND o.kind = 'opened'
                 WHERE c.sequence > ?1 AND c.receipt > 0 AND c.kind = 'closed' ORDER BY c.sequence LIMIT ?2",
            )
            .map_err(failed)?;
        let after = sequence.min(i64::MAX.cast_unsigned()).cast_signed();
        let mut rows = statement.query((after, receipts_max)).map_err(failed)?;
        let mut page = ClosedPage {
            receipts: Vec::new(),
            through: sequence,
            is_last: true,
        };
        let mut count = 0;
        while let Some(row) = rows.next().map_err(failed)? {
            let read = || -> rusqlite::Result<([i64; 5], [String; 2])> {
                let numbers = [row.get(0)?, row.get(1)?, row.get(2)?, row.get(4)?, row.get(5)?];
                Ok((numbers, [row.get(3)?, row.get(6)?]))
            };
            let (numbers, [end, begin]) = read().map_err(failed)?;
            let [sequence, id, closed_ms, opened, opened_ms] = numbers.map(i64::cast_unsigned);
            count += 1;
            (page.through, page.is_last) = (sequence, count < receipts_max);
            let (Some(intent), Some(closing)) = (Intent::parse(&begin), Closing::parse(&end)) else {
                continue;
            };
            page.receipts.push(ClosedReceipt {
                sequence,
                opened,
                id: ReceiptId(id),
                opened_ms,
                closed_ms,
                intent,
                closing,
            });
        }
        Ok(page)
    }

    /// The number of the last entry that closed a receipt of a request, not of a report ([`Intent::is_report`]); 0 if there is none.
    ///
    /// # Errors
    /// Those of the database.
    pub fn newest_request(&self) -> Result<u64, StoreError> {
        let failed = |error| self.shared().failed(error);
        let reader = self.shared().reader();
        let mut statement = reader
            .prepare(
                "SELECT c.sequence, o.body FROM entry c
                 JOIN entry o ON o.receipt = c.receipt AND o.receipt > 0 AND o.kind = 'opened'
                 WHERE c.receipt > 0 AND c.kind = 'closed' ORDER BY c.sequence DESC",
            )
            .map_err(failed)?;
        let mut rows = statement.query([]).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            let (sequence, begin): (i64, String) = row.get(0).and_then(|at| Ok((at, row.get(1)?))).map_err(failed)?;
            if !Intent::parse(&begin).is_some_and(|intent| intent.is_report()) {
                return Ok(sequence.cast_unsigned());
            }
        }
        Ok(0)
    }

    /// The number of the ledger's last entry, 0 if there is none.
    ///
    /// # Errors
    /// Those of the database.
    pub fn last_sequence(&self) -> Result<u64, StoreError> {
        let query = "SELECT coalesce(max(sequence), 0) FROM entry";
        let last = self.shared().reader().query_row(query, [], |row| row.get::<_, i64>(0));
        Ok(last.map_err(|error| self.shared().failed(error))?.cast_unsigned())
    }

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

//! Reading receipts back: one, a page of them, and what they come to.

use std::collections::BTreeMap;

use blake3::Hash;
use rusqlite::{Connection, OptionalExtension, Row};
use serde::{Deserialize, Serialize};

use crate::receipt::{decode_closing, decode_intent, limit, parse};
use crate::stats::count;
use crate::{Closing, DayStats, Intent, Ledger, Outcome, Place, Receipt, ReceiptId, Stats, StoreError, TrustClass};
use crate::{feedback, verify};

/// How many receipts one call lists.
pub const LIST_MAX: u32 = 1000;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Kinds of places, to choose receipts by.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PlaceKind {
    /// Whimbrel's own engine.
    OnDevice,
    /// The operating system's model.
    SystemModel,
    /// Another device of the same person.
    OwnDevice,
    /// A machine of the organisation.
    Organisation,
    /// A public cloud.
    PublicCloud,
}

impl PlaceKind {
    /// Every kind.
    pub const ALL: [PlaceKind; 5] = [
        PlaceKind::OnDevice,
        PlaceKind::SystemModel,
        PlaceKind::OwnDevice,
        PlaceKind::Organisation,
        PlaceKind::PublicCloud,
    ];

    /// The kind of a place.
    #[must_use]
    pub fn of(place: &Place) -> PlaceKind {
        match place {
            Place::OnDevice { .. } => PlaceKind::OnDevice,
            Place::SystemModel { .. } => PlaceKind::SystemModel,
            Place::Remote { trust, .. } => match trust {
                TrustClass::OwnDevice => PlaceKind::OwnDevice,
                TrustClass::Organisation => PlaceKind::Organisation,
                TrustClass::PublicCloud => PlaceKind::PublicCloud,
            },
        }
    }

    /// The word in the ledger and in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            PlaceKind::OnDevice => "on_device",
            PlaceKind::SystemModel => "system_model",
            PlaceKind::OwnDevice => "own_device",
            PlaceKind::Organisation => "organisation",
            PlaceKind::PublicCloud => "public_cloud",
        }
    }
}

/// Which receipts to list; what is none does not choose.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Filter {
    /// Receipts with lower numbers than this one: the next page begins before the last one's number.
    pub before: Option<ReceiptId>,
    /// Receipts that were opened at this time or later, in milliseconds since 1970.
    pub from_ms: Option<u64>,
    /// Receipts that were opened before this time.
    pub until_ms: Option<u64>,
    /// Receipts that ended so.
    pub outcome: Option<Outcome>,
    /// Receipts whose answer came from there, or which were tried there last.
    pub place: Option<PlaceKind>,
}

/// One entry as it is stored.
pub(crate) struct StoredEntry {
    pub(crate) sequence: u64,
    pub(crate) kind: String,
    pub(crate) receipt: u64,
    pub(crate) time_ms: u64,
    pub(crate) body: String,
    pub(crate) hash: Hash,
}

impl StoredEntry {
    pub(crate) const SELECT_ALL: &str =
        "SELECT sequence, kind, receipt, time_ms, body, hash FROM entry ORDER BY sequence";
    const SELECT_RECEIPT: &str = "SELECT sequence, kind, receipt, time_ms, body, hash FROM entry
        WHERE receipt = ?1 AND receipt > 0 ORDER BY sequence";

    pub(crate) fn read(row: &Row<'_>) -> rusqlite::Result<StoredEntry> {
        Ok(StoredEntry {
            sequence: row.get::<_, i64>(0)?.cast_unsigned(),
            kind: row.get(1)?,
            receipt: row.get::<_, i64>(2)?.cast_unsigned(),
            time_ms: row.get::<_, i64>(3)?.cast_unsigned(),
            body: row.get(4)?,
            hash: Hash::from_bytes(row.get(5)?),
        })
    }

    pub(crate) fn intent(&self) -> Result<Intent, StoreError> {
        decode_intent(self.body.as_bytes()).ok_or_else(|| self.unreadable())
    }

    pub(crate) fn closing(&self) -> Result<Closing, StoreError> {
        decode_closing(self.body.as_bytes()).ok_or_else(|| self.unreadable())
    }

    pub(crate) fn unreadable(&self) -> StoreError {
        StoreError::Unreadable {
            what: format!("entry {} of the ledger", self.sequence),
        }
    }
}

impl Ledger {
    /// Receipts, the newest first, at most `receipts_max` of them. For the next page, [`Filter::before`] is the last one's id.
    ///
    /// # Errors
    /// [`StoreError::TooMuch`] past [`LIST_MAX`], [`StoreError::Unreadable`], and those of the database.
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

    /// What the receipts come to that were opened from `from_ms` on and before `until_ms`. With neither bound, pruned receipts count too.
    ///
    /// # Errors
    /// [`StoreError::Ledger`] when the checkpoint that counts the pruned ones was changed, [`StoreError::Unreadable`], and those of the
    /// database.
    pub fn stats(&self, from_ms: Option<u64>, until_ms: Option<u64>) -> Result<Stats, StoreError> {
        let reader = self.shared().reader();
        let mut stats = Stats::default();
        if let (None, None, Some(keys)) = (from_ms, until_ms, self.shared().keys()) {
            let checkpoint = verify::checkpoint(&reader, keys).map_err(|error| self.shared().failed(error))?;
            let checkpoint = checkpoint.map_err(|problem| StoreError::Ledger {
                path: self.shared().path().to_owned(),
                problem,
            })?;
            if let Some(checkpoint) = checkpoint {
                stats = checkpoint.totals;
            }
        }
        self.each(&reader, from_ms, until_ms, |_, intent, closing| {
            count(&mut stats, intent, closing);
        })?;
        Ok(stats)
    }

    /// What the receipts come to that were opened from `from_ms` on and before `until_ms`, for each day that has some, the oldest first.
    /// `utc_offset_minutes` is how far the clock on the wall is ahead of universal time; days begin at its midnight.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`], and those of the database.
    pub fn days(
        &self,
        from_ms: Option<u64>,
        until_ms: Option<u64>,
        utc_offset_minutes: i32,
    ) -> Result<Vec<DayStats>, StoreError> {
        let offset_ms = i64::from(utc_offset_minutes) * 60_000;
        let mut days: BTreeMap<i64, Stats> = BTreeMap::new();
        let reader = self.shared().reader();
        self.each(&reader, from_ms, until_ms, |time_ms, intent, closing| {
            let day = time_ms.saturating_add(offset_ms).div_euclid(DAY_MS);
            count(days.entry(day).or_default(), intent, closing);
        })?;
        let begins = |day: i64| (day * DAY_MS - offset_ms).max(0).cast_unsigned();
        let days = days.into_iter().map(|(day, stats)| DayStats {
            begins_ms: begins(day),
            stats,
        });
        Ok(days.collect())
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
        let sum = |bytes: fn(&crate::Attempt) -> u64| {
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

    /// Calls `visit` for every receipt of a span of time: when it was opened, what was intended, and how it went.
    fn each(
        &self,
        reader: &Connection,
        from_ms: Option<u64>,
        until_ms: Option<u64>,
        mut visit: impl FnMut(i64, &Intent, Option<&Closing>),
    ) -> Result<(), StoreError> {
        let failed = |error| self.shared().failed(error);
        let unreadable = |sequence: i64| StoreError::Unreadable {
            what: format!("entry {sequence} of the ledger"),
        };
        let mut statement = reader
            .prepare(
                "SELECT o.time_ms, o.sequence, o.body, c.sequence, c.body FROM entry o
                 LEFT JOIN entry c ON c.receipt = o.receipt AND c.receipt > 0 AND c.kind = 'closed'
                 WHERE o.kind = 'opened' AND o.time_ms >= ?1 AND o.time_ms < ?2",
            )
            .map_err(failed)?;
        let mut rows = statement.query(span(from_ms, until_ms)).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            let read = || -> rusqlite::Result<_> {
                let opened: (i64, i64, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
                let closed: (Option<i64>, Option<String>) = (row.get(3)?, row.get(4)?);
                Ok((opened, closed))
            };
            let ((time_ms, sequence, body), closed) = read().map_err(failed)?;
            let intent: Intent = parse(&body).ok_or_else(|| unreadable(sequence))?;
            let closing = match closed {
                (Some(sequence), Some(body)) => Some(parse::<Closing>(&body).ok_or_else(|| unreadable(sequence))?),
                _ => None,
            };
            visit(time_ms, &intent, closing.as_ref());
        }
        Ok(())
    }
}

/// The bounds of a span of time as SQLite's numbers.
fn span(from_ms: Option<u64>, until_ms: Option<u64>) -> (i64, i64) {
    let bound = |ms: u64| i64::try_from(ms).unwrap_or(i64::MAX);
    (from_ms.map_or(0, bound), until_ms.map_or(i64::MAX, bound))
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

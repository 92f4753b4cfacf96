//! Totals of receipts, overall and by day.

use std::collections::BTreeMap;

use rusqlite::Connection;
use whimbrel_record::{Closing, DayStats, Intent, Stats};

use super::receipts::Ledger;
use super::rows::{self, span};
use crate::StoreError;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

impl Ledger {
    /// The totals of the receipts that were opened from `from_ms` on and before `until_ms`. Without either bound, pruned receipts count
    /// too.
    ///
    /// # Errors
    /// [`StoreError::Ledger`] if the checkpoint with the totals of the pruned receipts was changed, [`StoreError::Unreadable`], and those
    /// of the database.
    pub fn stats(&self, from_ms: Option<u64>, until_ms: Option<u64>) -> Result<Stats, StoreError> {
        let reader = self.shared().reader();
        let mut stats = Stats::default();
        if let (None, None, Some(keys)) = (from_ms, until_ms, self.shared().keys()) {
            let checkpoint = rows::checkpoint(&reader, keys).map_err(|error| self.shared().failed(error))?;
            let checkpoint = checkpoint.map_err(|problem| StoreError::Ledger {
                path: self.shared().path().to_owned(),
                problem,
            })?;
            if let Some(checkpoint) = checkpoint {
                stats = checkpoint.totals;
            }
        }
        self.each(&reader, from_ms, until_ms, |_, intent, closing| {
            stats.count(intent, closing);
        })?;
        Ok(stats)
    }

    /// The totals of the receipts that were opened from `from_ms` on and before `until_ms`, for each day that has receipts, oldest first.
    /// `utc_offset_minutes` is how far local time is ahead of UTC; days start at local midnight.
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
            days.entry(day).or_default().count(intent, closing);
        })?;
        let begins = |day: i64| (day * DAY_MS - offset_ms).max(0).cast_unsigned();
        let days = days.into_iter().map(|(day, stats)| DayStats {
            begins_ms: begins(day),
            stats,
        });
        Ok(days.collect())
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
            let intent = Intent::parse(&body).ok_or_else(|| unreadable(sequence))?;
            let closing = match closed {
                (Some(sequence), Some(body)) => Some(Closing::parse(&body).ok_or_else(|| unreadable(sequence))?),
                _ => None,
            };
            visit(time_ms, &intent, closing.as_ref());
        }
        Ok(())
    }
}

//! The user's feedback on answers. Feedback refers to a receipt and is stored beside the ledger, not in its chain: it says nothing about
//! what left the device, and it can come long afterwards.

use rusqlite::Connection;
use whimbrel_record::{Feedback, ReceiptId, Signal, limit};

use super::receipts::Ledger;
use crate::StoreError;

/// How many signals one receipt may collect.
const SIGNALS_MAX: u32 = 64;

impl Ledger {
    /// Stores a signal about a receipt.
    ///
    /// # Errors
    /// [`StoreError::UnknownReceipt`], [`RecordError::TooMuch`](whimbrel_record::RecordError::TooMuch) beyond 64 signals,
    /// [`StoreError::ReadOnly`], and those of writing.
    pub fn feedback(&self, id: ReceiptId, signal: Signal, now_ms: u64) -> Result<(), StoreError> {
        let shared = self.shared();
        let (writer, _) = shared.writer()?;
        let connection = &writer.connection;
        let is_there = connection
            .prepare("SELECT 1 FROM entry WHERE receipt = ?1 AND receipt > 0 AND kind = 'opened'")
            .and_then(|mut statement| statement.exists([id.0.cast_signed()]))
            .map_err(|error| shared.failed(error))?;
        if !is_there {
            return Err(StoreError::UnknownReceipt { id: id.0 });
        }
        let earlier = of(connection, id).map_err(|error| shared.failed(error))?;
        limit("signals about a receipt", earlier.len() + 1, SIGNALS_MAX)?;
        let text = serde_json::to_string(&signal).expect("a word and a number are JSON");
        let row = (id.0.cast_signed(), now_ms.cast_signed(), text);
        let insert = "INSERT INTO feedback (receipt, time_ms, signal) VALUES (?1, ?2, ?3)";
        connection.execute(insert, row).map_err(|error| shared.failed(error))?;
        Ok(())
    }
}

/// A signal, and the receipt that it is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct GivenFeedback {
    /// Its number; later ones have larger ones, until receipts are removed.
    pub number: u64,
    /// The receipt.
    pub receipt: ReceiptId,
    /// The signal.
    pub feedback: Feedback,
}

impl Ledger {
    /// The signals behind the one with this number, oldest first, at most `count_max` of them, and the number of the last one that was looked at.
    /// Signals that this program does not know are left out.
    ///
    /// # Errors
    /// Those of the database.
    pub fn feedback_after(&self, number: u64, count_max: u32) -> Result<(Vec<GivenFeedback>, u64), StoreError> {
        let read = |connection: &Connection| -> rusqlite::Result<(Vec<GivenFeedback>, u64)> {
            let query = "SELECT id, receipt, time_ms, signal FROM feedback WHERE id > ?1 ORDER BY id LIMIT ?2";
            let mut statement = connection.prepare(query)?;
            let mut rows = statement.query((number.min(i64::MAX.cast_unsigned()).cast_signed(), count_max))?;
            let (mut found, mut through) = (Vec::new(), number);
            while let Some(row) = rows.next()? {
                let [number, receipt, time_ms] = [row.get(0)?, row.get(1)?, row.get(2)?].map(i64::cast_unsigned);
                through = number;
                if let Ok(signal) = serde_json::from_str(&row.get::<_, String>(3)?) {
                    found.push(GivenFeedback {
                        number,
                        receipt: ReceiptId(receipt),
                        feedback: Feedback { time_ms, signal },
                    });
                }
            }
            Ok((found, through))
        };
        read(&self.shared().reader()).map_err(|error| self.shared().failed(error))
    }

    /// The number of the last signal, 0 if there is none.
    ///
    /// # Errors
    /// Those of the database.
    pub fn last_feedback(&self) -> Result<u64, StoreError> {
        let query = "SELECT coalesce(max(id), 0) FROM feedback";
        let last = self.shared().reader().query_row(query, [], |row| row.get::<_, i64>(0));
        Ok(last.map_err(|error| self.shared().failed(error))?.cast_unsigned())
    }
}

/// What is known about a receipt, oldest first. A signal that this program does not know is left out.
pub(super) fn of(connection: &Connection, id: ReceiptId) -> rusqlite::Result<Vec<Feedback>> {
    let mut statement = connection.prepare("SELECT time_ms, signal FROM feedback WHERE receipt = ?1 ORDER BY id")?;
    let mut rows = statement.query([id.0.cast_signed()])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let (time_ms, text): (i64, String) = (row.get(0)?, row.get(1)?);
        if let Ok(signal) = serde_json::from_str(&text) {
            found.push(Feedback {
                time_ms: time_ms.cast_unsigned(),
                signal,
            });
        }
    }
    Ok(found)
}

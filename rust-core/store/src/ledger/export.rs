//! Exports the ledger as lines of JSON, which [`whimbrel_record::verify_export`] checks.

use std::io::Write;

use rusqlite::Row;
use whimbrel_record::chain::SealKeys;
use whimbrel_record::{ExportWriter, ExportedEntry, Problem};

use super::receipts::Ledger;
use super::rows;
use crate::{KeyVault, StoreError, connection};

impl Ledger {
    /// Writes the whole ledger to `to` as lines of JSON. `now_ms` is the time, in milliseconds since 1970. The ledger is not verified
    /// first, so the export contains any problems that the ledger has.
    ///
    /// # Errors
    /// [`RecordError::Export`](whimbrel_record::RecordError::Export) if writing to `to` fails, [`StoreError::Ledger`] if an end has no
    /// valid seal, and those of reading.
    pub fn export(&self, to: &mut dyn Write, now_ms: u64) -> Result<(), StoreError> {
        let shared = self.shared();
        let mut reader = shared.reader();
        let failed = |error| shared.failed(error);
        let refused = |problem| StoreError::Ledger {
            path: shared.path().to_owned(),
            problem,
        };
        let snapshot = reader.transaction().map_err(failed)?;
        let keys = shared.keys().ok_or_else(|| refused(Problem::ForeignSeal))?;
        let head = rows::sealed_head(&snapshot, keys).map_err(failed)?.map_err(refused)?;
        let checkpoint = rows::checkpoint(&snapshot, keys).map_err(failed)?.map_err(refused)?;
        let mut writer = ExportWriter::begin(to, keys, now_ms, checkpoint)?;
        let mut statement = snapshot
            .prepare(&format!("{} ORDER BY sequence", rows::COLUMNS))
            .map_err(failed)?;
        let mut rows = statement.query([]).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            writer.entry(&exported(row).map_err(failed)?)?;
        }
        Ok(writer.end(&head)?)
    }
}

/// The keys that sealed the ledger of a vault; `None` if the vault has none. [`whimbrel_record::verify_export`] uses them to check seals.
///
/// # Errors
/// [`StoreError::Vault`].
pub fn seal_keys(vault: &dyn KeyVault) -> Result<Option<SealKeys>, StoreError> {
    connection::read_keys(vault)
}

fn exported(row: &Row<'_>) -> rusqlite::Result<ExportedEntry> {
    let number = |column| row.get::<_, i64>(column).map(i64::cast_unsigned);
    let hash: Vec<u8> = row.get(8)?;
    Ok(ExportedEntry {
        sequence: number(0)?,
        kind: row.get(1)?,
        receipt: number(2)?,
        time_ms: number(3)?,
        outcome: row.get(4)?,
        place: row.get(5)?,
        format: number(6)?,
        body: row.get(7)?,
        hash: hash.iter().map(|byte| format!("{byte:02x}")).collect(),
    })
}

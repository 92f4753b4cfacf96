//! Rotation: a new data key takes over, every row is sealed again in batches, and the old key leaves the vault at the end. It can be
//! interrupted at any moment, and goes on where it was.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, params_from_iter};

use super::keyring::Keyring;
use super::tables::{ANSWER_VALUE, TABLES, Table, bound};
use super::value::{Bound, Column, sealed_version};
use super::{SealError, data_keys};
use crate::connection::Shared;
use crate::fault::Fault;
use crate::{Store, StoreError};

/// How far a rotation is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Rotation {
    /// Rows that are done.
    pub rows_done: u64,
    /// Rows whose values could not be opened. They are as unreadable as before.
    pub rows_unreadable: u64,
    /// Whether all rows are done, and the old key has left the vault.
    pub finished: bool,
}

/// Where a rotation is in one table. Rows that are added later are sealed with the new key anyway.
#[derive(Clone, Copy, Default)]
struct Cursor {
    row_done: i64,
    row_last: i64,
    rows_done: i64,
    rows_unreadable: i64,
}

impl Store {
    /// Seals at most `rows_max` rows again, with a new data key. The first call makes the key; the call that finds nothing more to do
    /// removes the old one from the vault. Between calls, and after a restart at any moment, everything can be read and written. Sealed
    /// files are not sealed again: those under an older key can no longer be read once the rotation is finished.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use whimbrel_store::{MemoryVault, Store};
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let store = Store::open(&folder.path().join("store.db"), Arc::new(MemoryVault::new()), 1_795_420_800_000)?;
    /// while !store.rotate(500)?.finished {}
    /// assert!(!store.is_rotating()?);
    /// # Ok::<(), whimbrel_store::StoreError>(())
    /// ```
    ///
    /// # Errors
    /// [`StoreError::Sealed`] if the store's keys are lost, [`StoreError::Vault`], [`StoreError::ReadOnly`], and those of writing. The
    /// rotation is then where it was before the call.
    pub fn rotate(&self, rows_max: u32) -> Result<Rotation, StoreError> {
        let shared = self.shared();
        let (mut writer, _) = shared.writer()?;
        let keyring = shared.keyring()?;
        if keyring.newest().is_none() {
            return Ok(Rotation {
                finished: true,
                ..Rotation::default()
            });
        }
        let keyring = match keyring.all().len() {
            1 => begin(shared, &keyring)?,
            _ => keyring,
        };
        let rotation = shared.transact(&mut writer, |connection| step(connection, &keyring, rows_max))?;
        if rotation.finished {
            // The database no longer needs the old key. If the process ends here, the next rotation finds nothing to do and removes it.
            let newest = keyring.newest_only();
            newest.write(shared.vault())?;
            shared.set_keyring(Arc::new(newest));
        }
        Ok(rotation)
    }

    /// Whether a rotation has begun and is not finished, for example because the process ended.
    ///
    /// # Errors
    /// [`StoreError::Sealed`] if the store's keys are lost, and [`StoreError::Vault`].
    pub fn is_rotating(&self) -> Result<bool, StoreError> {
        Ok(self.shared().keyring()?.all().len() > 1)
    }
}

/// Puts a new key beside the old one. The vault comes first: a key that nothing is sealed with does no harm.
fn begin(shared: &Shared, keyring: &Keyring) -> Result<Arc<Keyring>, StoreError> {
    let both = Arc::new(keyring.with_successor()?);
    both.write(shared.vault())?;
    shared.set_keyring(Arc::clone(&both));
    Ok(both)
}

/// Does one batch and says where the rotation is then.
fn step(connection: &Connection, keyring: &Keyring, rows_max: u32) -> Result<Rotation, Fault> {
    data_keys::record(connection, keyring)?;
    let mut left = i64::from(rows_max.max(1));
    let mut rotation = Rotation {
        finished: true,
        ..Rotation::default()
    };
    for (place, table) in TABLES.iter().enumerate() {
        let mut cursor = read_cursor(connection, place, table)?;
        if cursor.row_done < cursor.row_last && left > 0 {
            left -= reseal(connection, keyring, table, &mut cursor, left)?;
        }
        write_cursor(connection, place, cursor)?;
        rotation.rows_done += cursor.rows_done.cast_unsigned();
        rotation.rows_unreadable += cursor.rows_unreadable.cast_unsigned();
        rotation.finished &= cursor.row_done == cursor.row_last;
    }
    if rotation.finished {
        connection.execute("DELETE FROM rotation", [])?;
        data_keys::record(connection, &keyring.newest_only())?;
    }
    Ok(rotation)
}

/// Where the rotation is in a table; at its beginning if it has not begun.
fn read_cursor(connection: &Connection, place: usize, table: &Table) -> Result<Cursor, Fault> {
    let query = "SELECT row_done, row_last, rows_done, rows_unreadable FROM rotation WHERE place = ?1";
    let found = connection.query_row(query, [place as i64], |row| {
        Ok(Cursor {
            row_done: row.get(0)?,
            row_last: row.get(1)?,
            rows_done: row.get(2)?,
            rows_unreadable: row.get(3)?,
        })
    });
    if let Some(cursor) = found.optional()? {
        return Ok(cursor);
    }
    let last = format!("SELECT coalesce(max(id), 0) FROM {}", table.name);
    Ok(Cursor {
        row_last: connection.query_row(&last, [], |row| row.get(0))?,
        ..Cursor::default()
    })
}

fn write_cursor(connection: &Connection, place: usize, cursor: Cursor) -> Result<(), Fault> {
    connection.execute(
        "INSERT OR REPLACE INTO rotation (place, row_done, row_last, rows_done, rows_unreadable) VALUES (?1, ?2, ?3, ?4, ?5)",
        (
            place as i64,
            cursor.row_done,
            cursor.row_last,
            cursor.rows_done,
            cursor.rows_unreadable,
        ),
    )?;
    Ok(())
}

/// A row's values under the new key.
struct Resealed {
    row: i64,
    values: Vec<Vec<u8>>,
    lookup: Option<[u8; 32]>,
}

/// Seals the next rows of a table again; says how many rows it looked at.
fn reseal(
    connection: &Connection,
    keyring: &Keyring,
    table: &Table,
    cursor: &mut Cursor,
    rows_max: i64,
) -> Result<i64, Fault> {
    let mut resealed = Vec::new();
    let mut seen = 0;
    let mut statement = connection.prepare(&table.select())?;
    let mut rows = statement.query((cursor.row_done, cursor.row_last, rows_max))?;
    while let Some(row) = rows.next()? {
        seen += 1;
        cursor.row_done = row.get(0)?;
        let mut sealed = Vec::new();
        for index in 0..table.columns.len() {
            sealed.push(row.get_ref(3 + index)?.as_blob().unwrap_or_default());
        }
        match reseal_row(keyring, table.columns, cursor.row_done, bound(row)?, &sealed) {
            Ok(new) => resealed.extend(new),
            Err(Fault::Store(StoreError::Sealed(SealError::Value { .. }))) => cursor.rows_unreadable += 1,
            Err(error) => return Err(error),
        }
    }
    drop(rows);
    cursor.rows_done += seen;
    if seen < rows_max {
        // The last rows may have been deleted since.
        cursor.row_done = cursor.row_last;
    }
    for new in resealed {
        write_row(connection, table, new)?;
    }
    Ok(seen)
}

fn reseal_row(
    keyring: &Keyring,
    columns: &[Column],
    row: i64,
    bound: Bound<'_>,
    sealed: &[&[u8]],
) -> Result<Option<Resealed>, Fault> {
    let newest = keyring.newest().map(|key| key.version);
    if sealed.iter().all(|value| sealed_version(value) == newest) {
        return Ok(None);
    }
    let plain = columns
        .iter()
        .zip(sealed)
        .map(|(column, value)| column.open(keyring, row, bound, value))
        .collect::<Result<Vec<_>, _>>()?;
    // The key of a lookup is made with the data key. What it was made of stands at the beginning of the value.
    let lookup = match (
        bound,
        keyring.newest(),
        plain.first().and_then(|value| value.first_chunk::<32>()),
    ) {
        (Bound::Lookup(_), Some(newest), Some(hash)) => Some(newest.lookup(hash)),
        (Bound::Lookup(_), ..) => return Err(Fault::from(ANSWER_VALUE.changed(row))),
        _ => None,
    };
    let bound = lookup.as_ref().map_or(bound, |key| Bound::Lookup(key));
    let values = columns
        .iter()
        .zip(&plain)
        .map(|(column, value)| column.seal(keyring, row, bound, value))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Some(Resealed { row, values, lookup }))
}

fn write_row(connection: &Connection, table: &Table, new: Resealed) -> Result<(), Fault> {
    let names = table.columns.iter().map(|column| column.name);
    let mut set: Vec<String> = (2..)
        .zip(names)
        .map(|(place, name)| format!("{name} = ?{place}"))
        .collect();
    let mut values = new.values;
    if let Some(lookup) = new.lookup {
        values.push(lookup.to_vec());
        set.push(format!("lookup = ?{}", values.len() + 1));
    }
    let update = format!("UPDATE {} SET {} WHERE id = ?1", table.name, set.join(", "));
    let row = rusqlite::types::Value::Integer(new.row);
    let values = values.into_iter().map(rusqlite::types::Value::Blob);
    connection.execute(&update, params_from_iter(std::iter::once(row).chain(values)))?;
    Ok(())
}

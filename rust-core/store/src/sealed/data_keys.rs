//! Which data keys a store has: compares those in the vault with the ids in the database.

use std::sync::Arc;

use rusqlite::Connection;

use super::keyring::{KEY_ID_BYTES, Keyring, Stored};
use super::{SealError, tables};
use crate::{StoreError, database};

/// Why no sealed value can be read or written.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Refusal {
    KeyLost(u32),
    WrongKey(u32),
    Keyring,
}

impl From<Refusal> for StoreError {
    fn from(refusal: Refusal) -> StoreError {
        let error = match refusal {
            Refusal::KeyLost(version) => SealError::KeyLost { version },
            Refusal::WrongKey(version) => SealError::WrongKey { version },
            Refusal::Keyring => SealError::Keyring,
        };
        StoreError::Sealed(error)
    }
}

/// The keys of an open store, or why there are none. An empty keyring is one that nothing was sealed with.
pub(crate) type DataKeys = Result<Arc<Keyring>, Refusal>;

/// Compares what the vault has with what is sealed in the database.
pub(crate) fn resolve(connection: &Connection, stored: Stored, path: &std::path::Path) -> Result<DataKeys, StoreError> {
    let failed = |error| database::failed(path, error);
    let keyring = match stored {
        Stored::Keys(keyring) => keyring,
        Stored::None | Stored::Wiped => Keyring::default(),
        Stored::Foreign => return Ok(Err(Refusal::Keyring)),
    };
    let refusal = recorded(connection)
        .map_err(failed)?
        .into_iter()
        .find_map(|(version, id)| match keyring.key(version) {
            Ok(key) if *key.id() == id[..] => None,
            Ok(_) => Some(Refusal::WrongKey(version)),
            Err(_) => Some(Refusal::KeyLost(version)),
        });
    match refusal {
        // A key that nothing is sealed with is no loss.
        Some(refusal) if tables::any_row(connection).map_err(failed)? => Ok(Err(refusal)),
        _ => Ok(Ok(Arc::new(keyring))),
    }
}

/// Versions and ids of the keys that the database knows.
fn recorded(connection: &Connection) -> rusqlite::Result<Vec<(u32, Vec<u8>)>> {
    let mut statement = connection.prepare("SELECT version, key_id FROM data_key ORDER BY version")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect()
}

/// Makes the database know exactly the keys of this keyring. Does not write if it does already.
pub(crate) fn record(connection: &Connection, keyring: &Keyring) -> rusqlite::Result<()> {
    let known = recorded(connection)?;
    let wanted: Vec<(u32, &[u8; KEY_ID_BYTES])> = keyring.all().iter().map(|key| (key.version, key.id())).collect();
    let same = known.len() == wanted.len()
        && known
            .iter()
            .zip(&wanted)
            .all(|(known, wanted)| known.0 == wanted.0 && known.1 == wanted.1);
    if same {
        return Ok(());
    }
    connection.execute("DELETE FROM data_key", [])?;
    for (version, id) in wanted {
        connection.execute(
            "INSERT INTO data_key (version, key_id) VALUES (?1, ?2)",
            (version, &id[..]),
        )?;
    }
    Ok(())
}

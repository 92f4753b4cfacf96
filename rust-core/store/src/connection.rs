//! What all handles of a store share: its single writer, the reader beside it, and its data in the key vault.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;
use whimbrel_record::chain::{Head, SealKeys};

use crate::{KeyVault, SecretBytes, StoreError, database};

/// The secret with which the ledger is sealed.
const KEY_NAME: &str = "whimbrel.ledger-key";
/// The end of the ledger as the vault knows it.
const FLOOR_NAME: &str = "whimbrel.ledger-floor";

/// What every handle of one store shares.
pub(crate) struct Shared {
    path: PathBuf,
    vault: Arc<dyn KeyVault>,
    /// None when the vault has no key, which only a store that is inspected can survive.
    keys: Option<SealKeys>,
    /// Dropped before the writer, which empties SQLite's log into the database when it is the last to close.
    reader: Mutex<Connection>,
    writer: Option<Mutex<Writer>>,
    /// Released after the connections are closed.
    _lock: Option<File>,
}

/// What one thread at a time writes with.
pub(crate) struct Writer {
    pub(crate) connection: Connection,
    pub(crate) head: Head,
    /// The vault did not take the last floor; the next entry tries again.
    pub(crate) floor_behind: bool,
}

impl Shared {
    /// Takes over the connections and the lock. Without a writer the store is for reading only.
    pub(crate) fn new(
        path: &Path,
        vault: Arc<dyn KeyVault>,
        keys: Option<SealKeys>,
        reader: Connection,
        writer: Option<Writer>,
        lock: Option<File>,
    ) -> Arc<Shared> {
        Arc::new(Shared {
            path: path.to_owned(),
            vault,
            keys,
            reader: Mutex::new(reader),
            writer: writer.map(Mutex::new),
            _lock: lock,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn keys(&self) -> Option<&SealKeys> {
        self.keys.as_ref()
    }

    pub(crate) fn failed(&self, error: rusqlite::Error) -> StoreError {
        database::failed(&self.path, error)
    }

    /// A panic while the lock was held left no half-written transaction: dropping one rolls it back.
    pub(crate) fn reader(&self) -> MutexGuard<'_, Connection> {
        self.reader.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn writer(&self) -> Result<(MutexGuard<'_, Writer>, &SealKeys), StoreError> {
        match (&self.writer, &self.keys) {
            (Some(writer), Some(keys)) => Ok((writer.lock().unwrap_or_else(PoisonError::into_inner), keys)),
            _ => Err(StoreError::ReadOnly),
        }
    }

    pub(crate) fn floor(&self) -> Result<Option<Head>, StoreError> {
        read_floor(&*self.vault)
    }

    /// Tells the vault where the ledger ends. A vault that fails does not undo what is written: the next entry tells it again.
    pub(crate) fn raise_floor(&self, writer: &mut Writer) {
        let floor = SecretBytes::new(writer.head.to_floor());
        writer.floor_behind = self.vault.put(FLOOR_NAME, &floor).is_err();
    }
}

/// The end of the ledger as the vault knows it.
pub(crate) fn read_floor(vault: &dyn KeyVault) -> Result<Option<Head>, StoreError> {
    let Some(bytes) = vault.get(FLOOR_NAME)? else {
        return Ok(None);
    };
    let floor = Head::from_floor(bytes.expose()).ok_or_else(|| StoreError::Unreadable {
        what: "the ledger's floor in the key vault".to_owned(),
    })?;
    Ok(Some(floor))
}

/// The keys that the vault's key gives; none when it has none.
pub(crate) fn read_keys(vault: &dyn KeyVault) -> Result<Option<SealKeys>, StoreError> {
    Ok(vault.get(KEY_NAME)?.map(|root| SealKeys::derive(root.expose())))
}

/// Makes the vault's key.
pub(crate) fn make_key(vault: &dyn KeyVault) -> Result<SealKeys, StoreError> {
    let mut root = SecretBytes::new(vec![0; 32]);
    getrandom::fill(root.expose_mut()).map_err(|_| StoreError::Random)?;
    vault.put(KEY_NAME, &root)?;
    Ok(SealKeys::derive(root.expose()))
}

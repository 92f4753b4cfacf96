//! What all handles of a store share: its single writer, the reader beside it, and its data in the key vault.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use rusqlite::{Connection, Transaction, TransactionBehavior};
use whimbrel_record::chain::{Head, SealKeys};

use crate::answers::Uses;
use crate::fault::Fault;
use crate::sealed::{self, DataKeys, Keyring};
use crate::{KeyVault, SecretBytes, StoreError, database};

/// The secret with which the ledger is sealed.
pub(crate) const KEY_NAME: &str = "whimbrel.ledger-key";
/// The end of the ledger as the vault knows it.
pub(crate) const FLOOR_NAME: &str = "whimbrel.ledger-floor";

/// What every handle of one store shares.
pub(crate) struct Shared {
    path: PathBuf,
    vault: Arc<dyn KeyVault>,
    /// None when the vault has no key, which only a store that is inspected can survive.
    keys: Option<SealKeys>,
    /// What rows and files are sealed with.
    data_keys: RwLock<DataKeys>,
    /// When cached answers were used.
    answer_uses: Mutex<Uses>,
    /// Dropped before the writer, which empties SQLite's log into the database when it is the last to close.
    reader: Mutex<Connection>,
    writer: Option<Mutex<Writer>>,
    /// Released after the connections are closed.
    lock: Option<File>,
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
        data_keys: DataKeys,
        reader: Connection,
        writer: Option<Writer>,
        lock: Option<File>,
    ) -> Arc<Shared> {
        Arc::new(Shared {
            path: path.to_owned(),
            vault,
            keys,
            data_keys: RwLock::new(data_keys),
            answer_uses: Mutex::default(),
            reader: Mutex::new(reader),
            writer: writer.map(Mutex::new),
            lock,
        })
    }

    /// The file of the lock; none where the store is for reading only.
    pub(crate) fn lock_file(&self) -> Option<&File> {
        self.lock.as_ref()
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

    pub(crate) fn answer_uses(&self) -> &Mutex<Uses> {
        &self.answer_uses
    }

    pub(crate) fn vault(&self) -> &dyn KeyVault {
        &*self.vault
    }

    /// What sealed values are opened with.
    pub(crate) fn keyring(&self) -> Result<Arc<Keyring>, StoreError> {
        if self.writer.is_none() {
            // The process that writes may have made or replaced keys since.
            let stored = Keyring::read(&*self.vault)?;
            return Ok(sealed::resolve(&self.reader(), stored, &self.path)??);
        }
        let data_keys = self.data_keys.read().unwrap_or_else(PoisonError::into_inner);
        Ok(data_keys.clone()?)
    }

    /// What values are sealed with. The first call makes the key.
    pub(crate) fn keyring_to_write(&self, writer: &mut Writer) -> Result<Arc<Keyring>, StoreError> {
        let keyring = self.keyring()?;
        if keyring.newest().is_some() {
            return Ok(keyring);
        }
        // The vault comes first: a key that nothing is sealed with does no harm.
        let keyring = Arc::new(Keyring::first()?);
        keyring.write(&*self.vault)?;
        self.transact(writer, |connection| Ok(sealed::record(connection, &keyring)?))?;
        self.set_keyring(Arc::clone(&keyring));
        Ok(keyring)
    }

    pub(crate) fn set_keyring(&self, keyring: Arc<Keyring>) {
        *self.data_keys.write().unwrap_or_else(PoisonError::into_inner) = Ok(keyring);
    }

    /// Runs one durable transaction, or none of it.
    pub(crate) fn transact<T>(
        &self,
        writer: &mut Writer,
        change: impl FnOnce(&Transaction<'_>) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        let run = || {
            let transaction = writer
                .connection
                .transaction_with_behavior(TransactionBehavior::Immediate)?;
            let result = change(&transaction)?;
            transaction.commit()?;
            Ok(result)
        };
        run().map_err(|fault| self.faulted(fault))
    }

    /// Runs one durable transaction that seals values, or none of it.
    pub(crate) fn change<T>(
        &self,
        change: impl FnOnce(&Transaction<'_>, &Keyring) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        let (mut writer, _) = self.writer()?;
        let keyring = self.keyring_to_write(&mut writer)?;
        self.transact(&mut writer, |connection| change(connection, &keyring))
    }

    /// As [`Shared::change`], and leaves nothing of what was deleted in SQLite's log.
    pub(crate) fn change_and_empty_log<T>(
        &self,
        change: impl FnOnce(&Transaction<'_>, &Keyring) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        let (mut writer, _) = self.writer()?;
        let keyring = self.keyring_to_write(&mut writer)?;
        let result = self.transact(&mut writer, |connection| change(connection, &keyring))?;
        self.empty_log_after(&writer)?;
        Ok(result)
    }

    /// Reads one state of the database.
    pub(crate) fn read<T>(
        &self,
        read: impl FnOnce(&Connection, &Keyring) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        let keyring = self.keyring()?;
        // A rotation in another thread waits until this snapshot is read: its keys are those of the snapshot.
        let data_keys = self.data_keys.read().unwrap_or_else(PoisonError::into_inner);
        let keyring = match &*data_keys {
            Ok(current) if self.writer.is_some() => Arc::clone(current),
            _ => keyring,
        };
        let run = || {
            let reader = self.reader();
            let snapshot = reader.unchecked_transaction()?;
            read(&snapshot, &keyring)
        };
        run().map_err(|fault| self.faulted(fault))
    }

    /// Brings SQLite's log into the database and empties it. A reader elsewhere may hold it up; it is emptied later then.
    pub(crate) fn empty_log(&self, writer: &Writer) -> Result<(), StoreError> {
        empty_log(&writer.connection).map_err(|error| self.failed(error))
    }

    /// As [`Shared::empty_log`], after a deletion, which an error does not undo.
    pub(crate) fn empty_log_after(&self, writer: &Writer) -> Result<(), StoreError> {
        empty_log(&writer.connection).map_err(|source| StoreError::LogLeft {
            path: self.path.clone(),
            source,
        })
    }

    pub(crate) fn faulted(&self, fault: Fault) -> StoreError {
        match fault {
            Fault::Sql(error) => self.failed(error),
            Fault::Store(error) => error,
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

/// Brings SQLite's log into the database and empties it.
pub(crate) fn empty_log(connection: &Connection) -> rusqlite::Result<()> {
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
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

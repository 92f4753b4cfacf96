//! The end of what is kept: a wipe destroys the key and then every file, and starting empty gives up only what can no longer be read.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::files::folder_of;
use super::keyring::{KEYS_NAME, Keyring, destroy};
use super::tables;
use crate::connection::{FLOOR_NAME, KEY_NAME};
use crate::database::{self, io_failed};
use crate::{KeyVault, Store, StoreError, VaultError};

impl Store {
    /// Deletes everything of the store at `path`: first the data keys, so that what is left cannot be read, then the database with its
    /// companions, the copies that [`Store::restart`] and [`Store::recover`] put aside, and the sealed files, and last the ledger's secrets in the vault. If the
    /// process ends in between, the next call of this function or of [`Store::open`] finishes. Secrets of the app, such as the keys of
    /// endpoints, stay in the vault. Succeeds if there is nothing.
    ///
    /// # Errors
    /// [`StoreError::InUse`] if the store is open, [`StoreError::Vault`] if the keys could not be destroyed, [`StoreError::Io`].
    pub fn wipe(path: &Path, vault: &dyn KeyVault) -> Result<(), StoreError> {
        let _lock = database::lock(path)?;
        destroy(vault)?;
        finish_wipe(path, vault)
    }

    /// Opens a store whose kept data can no longer be read, because the vault lost its keys, and starts without that data. The ledger
    /// stays as it is: its entries hold no text. If the vault lost the ledger's key too, the ledger is put aside as [`Store::restart`] does
    /// it, without any sealed data, and its new path is returned. Where no key is lost, nothing is touched, so a second call changes nothing.
    ///
    /// # Errors
    /// As [`Store::open`] and [`Store::restart`]; a vault that is locked is an error, and nothing has changed.
    pub fn start_empty(
        path: &Path,
        vault: Arc<dyn KeyVault>,
        now_ms: u64,
    ) -> Result<(Store, Option<PathBuf>), StoreError> {
        forget_invalidated(&*vault)?;
        let has_key = vault.get(KEY_NAME)?.is_some();
        if !has_key && path.exists() {
            // What is put aside keeps its ledger and nothing sealed, whatever happens to the process.
            let lock = database::lock(path)?;
            remove_sealed_rows(path)?;
            drop(lock);
            let (store, aside) = Store::restart(path, vault, now_ms)?;
            store.forget_unreadable()?;
            return Ok((store, aside));
        }
        let store = Store::open(path, vault, now_ms)?;
        store.forget_unreadable()?;
        Ok((store, None))
    }

    /// Deletes what is sealed if its keys are lost, and the keys.
    fn forget_unreadable(&self) -> Result<(), StoreError> {
        let shared = self.shared();
        let (mut writer, _) = shared.writer()?;
        if shared.keyring().is_ok() {
            return Ok(());
        }
        // Rows before keys: without rows, no key can be missing.
        shared.transact(&mut writer, |connection| Ok(tables::delete_all(connection)?))?;
        shared.vault().delete(KEYS_NAME)?;
        remove_folder(&folder_of(shared.path()))?;
        shared.set_keyring(Arc::new(Keyring::default()));
        shared.empty_log_after(&writer)
    }
}

/// Removes the files of a store whose data keys are destroyed, then what the vault still has of it. The caller holds the lock.
pub(crate) fn finish_wipe(path: &Path, vault: &dyn KeyVault) -> Result<(), StoreError> {
    remove_folder(&folder_of(path))?;
    for found in database::all_files(path)? {
        remove_file(&found)?;
    }
    // Removals survive a crash only with the folder.
    database::sync_folder(path)?;
    // The mark of the wipe goes last.
    for name in [FLOOR_NAME, KEY_NAME, KEYS_NAME] {
        vault.delete(name)?;
    }
    Ok(())
}

/// A vault whose own key was invalidated has nothing left to give.
fn forget_invalidated(vault: &dyn KeyVault) -> Result<(), VaultError> {
    for name in [KEYS_NAME, FLOOR_NAME, KEY_NAME] {
        match vault.get(name) {
            Err(VaultError::Invalidated) => vault.delete(name)?,
            result => drop(result?),
        }
    }
    Ok(())
}

/// Deletes the sealed rows of a database that was put aside. One that is damaged keeps them: nobody has their key.
fn remove_sealed_rows(path: &Path) -> Result<(), StoreError> {
    let Ok(connection) = database::open_writer(path) else {
        return Ok(());
    };
    let deleted = tables::delete_all(&connection);
    drop(connection);
    match deleted.map_err(|error| database::failed(path, error)) {
        Err(error @ StoreError::Full { .. }) => Err(error),
        _ => Ok(()),
    }
}

fn remove_file(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_failed(path, error)),
        _ => Ok(()),
    }
}

fn remove_folder(path: &Path) -> Result<(), StoreError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_failed(path, error)),
        _ => Ok(()),
    }
}

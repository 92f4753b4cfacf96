//! `--ledger`: the folder with the ledger and the vault of keys, the same everywhere.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::Arc;

use whimbrel_client::store::{FileVault, KeyVault, MemoryVault, Store, StoreError, seal_keys};

use crate::error::CliError;
use crate::machine::{paths, time};

/// The database in the folder.
const DATABASE: &str = "ledger.sqlite";
/// The folder of the vault in the folder.
const VAULT: &str = "vault";

/// Where the ledger is.
#[derive(clap::Args, Clone, Debug, Default)]
pub(crate) struct LedgerArguments {
    /// The folder with the ledger and the keys [default: whimbrel/ledger in the state folder]
    #[arg(long, value_name = "FOLDER")]
    pub(crate) ledger: Option<PathBuf>,
}

impl LedgerArguments {
    /// The folder, which need not exist.
    ///
    /// # Errors
    /// [`CliError::NoHome`].
    pub(crate) fn folder(&self) -> Result<PathBuf, CliError> {
        match &self.ledger {
            Some(folder) => Ok(folder.clone()),
            None => paths::ledger(),
        }
    }

    /// The database, which need not exist.
    ///
    /// # Errors
    /// [`CliError::NoHome`].
    pub(crate) fn database(&self) -> Result<PathBuf, CliError> {
        Ok(self.folder()?.join(DATABASE))
    }

    /// Makes the folder, which only its owner can enter, where it is missing.
    ///
    /// # Errors
    /// [`CliError::NoHome`], [`CliError::Write`].
    pub(crate) fn make_folder(&self) -> Result<(), CliError> {
        let folder = self.folder()?;
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&folder);
        made.map_err(CliError::write(folder))
    }

    /// The vault, made where it is missing.
    ///
    /// # Errors
    /// [`CliError::NoHome`], [`CliError::Write`], [`CliError::Store`] for one that others can read.
    pub(crate) fn vault(&self) -> Result<FileVault, CliError> {
        self.make_folder()?;
        Ok(FileVault::open(&self.folder()?.join(VAULT))?)
    }

    /// The vault if there is one; nothing is made.
    ///
    /// # Errors
    /// [`CliError::NoHome`], [`CliError::Store`].
    pub(crate) fn existing_vault(&self) -> Result<Option<FileVault>, CliError> {
        let folder = self.folder()?.join(VAULT);
        match folder.symlink_metadata() {
            Ok(_) => Ok(Some(FileVault::open(&folder)?)),
            Err(_) => Ok(None),
        }
    }

    /// The store for reading only, also while another process writes. Nothing is made.
    ///
    /// # Errors
    /// [`CliError::NoHome`], [`CliError::Store`], also when there is none.
    pub(crate) fn inspect(&self) -> Result<Store, CliError> {
        let database = self.database()?;
        let vault: Arc<dyn KeyVault> = match self.existing_vault()? {
            Some(vault) => Arc::new(vault),
            None => Arc::new(MemoryVault::new()),
        };
        Ok(Store::inspect(&database, vault)?)
    }

    /// For commands that are about what is there: a folder that was named must be there.
    ///
    /// # Errors
    /// [`CliError::Store`] if it is not.
    pub(crate) fn require_named(&self) -> Result<(), CliError> {
        match &self.ledger {
            Some(folder) if !folder.is_dir() => Err(StoreError::Absent {
                path: folder.join(DATABASE),
            }
            .into()),
            _ => Ok(()),
        }
    }

    /// As [`LedgerArguments::inspect`], or `None` where no receipt was ever written: there is no database, and the vault, if there is one, never
    /// sealed any. A folder that was named must be there.
    ///
    /// # Errors
    /// As [`LedgerArguments::inspect`].
    pub(crate) fn inspect_if_begun(&self) -> Result<Option<Store>, CliError> {
        let absent = match self.inspect() {
            Ok(store) => return Ok(Some(store)),
            Err(error @ CliError::Store(StoreError::Absent { .. })) => error,
            Err(error) => return Err(error),
        };
        self.require_named()?;
        let was_sealed = match self.existing_vault()? {
            Some(vault) => seal_keys(&vault)?.is_some(),
            None => false,
        };
        match was_sealed {
            true => Err(absent),
            false => Ok(None),
        }
    }

    /// The store for writing, which must exist.
    ///
    /// # Errors
    /// [`CliError::NoHome`], [`CliError::Store`].
    pub(crate) fn open(&self) -> Result<Store, CliError> {
        let path = self.database()?;
        if !path.exists() {
            return Err(StoreError::Absent { path }.into());
        }
        Ok(Store::open(&path, Arc::new(self.vault()?), time::now_ms())?)
    }
}

//! Recovery: a database that SQLite can no longer read is put aside, and another one is made of every row that its pages still have. Sealed
//! values are opened first, so no damaged value is copied.

mod pages;
mod rebuild;
mod records;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use whimbrel_record::Problem;

use self::pages::Pages;
use self::rebuild::Rebuild;
use self::records::Reader;
use crate::connection::{read_floor, read_keys};
use crate::database::{self, REBUILDING, beside};
use crate::sealed::{Keyring, SealError, Stored};
use crate::{KeyVault, SCHEMA_VERSION, Store, StoreError, schema, store};

/// Numbers of rows.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct RowCounts {
    /// Conversations.
    pub conversations: u64,
    /// Messages.
    pub messages: u64,
    /// Queued requests.
    pub requests: u64,
    /// Cached answers.
    pub answers: u64,
    /// Entries of the ledger.
    pub entries: u64,
    /// Signals of feedback.
    pub feedback: u64,
}

/// What a recovery found.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Recovered {
    /// Where the damaged database is now. It still has everything that can be read of it, sealed as before.
    pub aside: Option<PathBuf>,
    /// Rows that the new database has from it.
    pub kept: RowCounts,
    /// Rows that are lost. Every row is also in an index or counted elsewhere; where both places are damaged, it is not counted here.
    /// A conversation counts if its title, its attributes or both are lost: they are empty then, and its messages are kept. Messages
    /// that are lost have the state [`crate::MessageState::Lost`]. Pieces of state are not counted.
    pub lost: RowCounts,
    /// Pages in SQLite's log that cannot be used. If there are any, the database is that of an earlier moment.
    pub log_pages_lost: u64,
}

impl Store {
    /// Opens a store whose database is damaged ([`StoreError::Damaged`], [`StoreError::SchemaChanged`]): puts the database aside as
    /// [`Store::restart`] does it, and makes another one of every row that can still be read. Sealed values stay sealed. If entries of
    /// the ledger are missing, the ledger continues with an entry that says so, and [`crate::Ledger::verify`] names the missing ones from
    /// then on. If the process ends in between, the next [`Store::open`] finds the old database or the new one.
    ///
    /// The database that was put aside keeps what is deleted later; [`Store::remove_aside`] and [`Store::wipe`] remove it.
    ///
    /// # Errors
    /// [`StoreError::InUse`], [`StoreError::Absent`], [`StoreError::Foreign`], [`StoreError::NewerSchema`], [`StoreError::Sealed`] if the
    /// store's keys are lost, [`StoreError::Ledger`] if the ledger was replaced or belongs to another device, [`StoreError::Vault`], and
    /// those of writing. The old database is then where it was.
    pub fn recover(path: &Path, vault: Arc<dyn KeyVault>, now_ms: u64) -> Result<(Store, Recovered), StoreError> {
        let lock = database::lock(path)?;
        let stored = store::stored_keys(path, &*vault)?;
        let floor = read_floor(&*vault)?;
        let pages = Pages::open(path)?;
        check_owner(&pages, path)?;
        let keys = read_keys(&*vault)?.ok_or_else(|| StoreError::Ledger {
            path: path.to_owned(),
            problem: Problem::ForeignSeal,
        })?;
        let keyring = match Keyring::read(&*vault)? {
            Stored::Keys(keyring) => keyring,
            Stored::None | Stored::Wiped => Keyring::default(),
            Stored::Foreign => return Err(SealError::Keyring.into()),
        };
        let rebuilding = beside(path, REBUILDING);
        database::remove_files(&rebuilding)?;
        let mut recovered = Recovered {
            log_pages_lost: pages.log_pages_lost,
            ..Recovered::default()
        };
        let rebuild = Rebuild::new(path, &keys, &keyring);
        (recovered.kept, recovered.lost) = rebuild
            .write(&rebuilding, &Reader::new(pages), floor, now_ms)
            .inspect_err(|_| drop(database::remove_files(&rebuilding)))?;
        recovered.aside = database::take_over(path)?;
        let store = Store::open_locked(path, vault, lock, (floor, stored), None, now_ms)?;
        Ok((store, recovered))
    }

    /// Removes the databases that [`Store::recover`] and [`Store::restart`] put aside.
    ///
    /// # Errors
    /// [`StoreError::ReadOnly`], [`StoreError::Io`].
    pub fn remove_aside(&self) -> Result<(), StoreError> {
        let _writer = self.shared().writer()?;
        for file in database::aside_files(self.path())? {
            fs::remove_file(&file).map_err(|error| database::io_failed(&file, error))?;
        }
        database::sync_folder(self.path())
    }
}

/// Refuses what is clearly the database of another program, or of a newer one.
fn check_owner(pages: &Pages, path: &Path) -> Result<(), StoreError> {
    match pages.header() {
        Some((owner, _)) if i64::from(owner) != schema::APPLICATION_ID => {
            Err(StoreError::Foreign { path: path.to_owned() })
        }
        Some((_, found)) if found > SCHEMA_VERSION => Err(StoreError::NewerSchema {
            path: path.to_owned(),
            found,
            supported: SCHEMA_VERSION,
        }),
        _ => Ok(()),
    }
}

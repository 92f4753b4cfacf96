//! Opens the store: locks it, migrates its tables, checks the ledger's ends, and stores small pieces of state.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};
use whimbrel_record::chain::{GENESIS, Head, SealKeys};
use whimbrel_record::{Checkpoint, Problem, Stats, limit};

use crate::connection::{Shared, Writer, make_key, read_floor, read_keys};
use crate::sealed::{DataKeys, Keyring, Stored};
use crate::vault::check_name;
use crate::{KeyVault, Ledger, SCHEMA_VERSION, StoreError, conversations, database, ledger, schema, sealed};

/// Maximum length of the name of a piece of state in bytes.
pub const STATE_NAME_BYTES_MAX: u32 = crate::VAULT_NAME_BYTES_MAX;
/// Maximum size of a piece of state in bytes.
pub const STATE_BYTES_MAX: u32 = 1024 * 1024;

/// One database: the ledger, feedback and state, and sealed data. Clones are cheap handles of the same store; it closes with the last one.
///
/// Only one [`Store`] on the machine can have a database open for writing; a lock file beside it, `<name>.lock`, ensures this. Any number
/// can read it at the same time through [`Store::inspect`].
///
/// ```
/// use std::sync::Arc;
/// use whimbrel_store::{MemoryVault, Store};
///
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("store.db");
/// let now_ms = 1_795_420_800_000;
/// let store = Store::open(&path, Arc::new(MemoryVault::new()), now_ms)?;
/// store.state_put("learned", b"{}")?;
/// assert_eq!(store.state_get("learned")?.as_deref(), Some(&b"{}"[..]));
/// assert!(store.ledger().verify()?.is_intact());
/// # Ok::<(), whimbrel_store::StoreError>(())
/// ```
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Store")
            .field("path", &self.shared.path())
            .finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the database at `path` for writing, creates it if it does not exist, and migrates its tables. The ledger's end is compared
    /// with its seal and with the vault. Receipts without an end are closed as interrupted. `now_ms` is the time, in milliseconds
    /// since 1970. The folder must exist.
    ///
    /// # Errors
    /// [`StoreError::InUse`], [`StoreError::Foreign`], [`StoreError::Damaged`], [`StoreError::NewerSchema`], [`StoreError::SchemaChanged`],
    /// [`StoreError::Ledger`], [`StoreError::Vault`], and those of writing. The file is then unchanged.
    pub fn open(path: &Path, vault: Arc<dyn KeyVault>, now_ms: u64) -> Result<Store, StoreError> {
        let lock = database::lock(path)?;
        let stored = stored_keys(path, &*vault)?;
        let floor = read_floor(&*vault)?;
        Store::open_locked(path, vault, lock, (floor, stored), None, now_ms)
    }

    /// Opens the database at `path` for reading only, even if its ledger has problems. This works while another process writes.
    ///
    /// # Errors
    /// [`StoreError::Absent`], [`StoreError::Foreign`], [`StoreError::Damaged`], [`StoreError::NewerSchema`], [`StoreError::SchemaChanged`]
    /// also if the tables are older than this program's, [`StoreError::Vault`].
    pub fn inspect(path: &Path, vault: Arc<dyn KeyVault>) -> Result<Store, StoreError> {
        let stored = Keyring::read(&*vault)?;
        if matches!(stored, Stored::Wiped) {
            return Err(StoreError::Absent { path: path.to_owned() });
        }
        let reader = database::open_reader(path)?;
        check_schema(&reader, path, SCHEMA_VERSION)?;
        let keys = read_keys(&*vault)?;
        let data_keys = sealed::resolve(&reader, stored, path)?;
        let shared = Shared::new(path, vault, keys, data_keys, reader, None, None);
        Ok(Store { shared })
    }

    /// Moves any files at `path` to `<name>.aside-<n>` and starts a new ledger. For a store that [`Store::open`] refuses. The new ledger
    /// says in its first entry that it was started again, and continues counting where the old one ended according to the vault's floor.
    /// Returns the new path of the old files, if there were any. Feedback and state start empty.
    ///
    /// # Errors
    /// [`StoreError::InUse`], [`StoreError::Io`], [`StoreError::Vault`], and those of writing.
    pub fn restart(path: &Path, vault: Arc<dyn KeyVault>, now_ms: u64) -> Result<(Store, Option<PathBuf>), StoreError> {
        let lock = database::lock(path)?;
        let stored = stored_keys(path, &*vault)?;
        let floor = read_floor(&*vault)?;
        let aside = database::set_aside(path)?;
        let lost = floor.unwrap_or(Head::EMPTY);
        let store = Store::open_locked(path, vault, lock, (floor, stored), Some(lost), now_ms)?;
        Ok((store, aside))
    }

    /// The ledger.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        Ledger::new(Arc::clone(&self.shared))
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    pub(crate) fn shared_arc(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// The path of the database.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.shared.path()
    }

    /// Reads a piece of state by its name, for example what the router has learned; `None` if there is none.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`] if it is not what was stored, [`StoreError::Vault`] for a name that [`crate::check_name`] refuses, and
    /// those of the database. If someone restores an older value, this is not detected.
    pub fn state_get(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        check_name(name)?;
        let reader = self.shared.reader();
        let found: Option<(Vec<u8>, Vec<u8>)> = reader
            .query_row("SELECT value, seal FROM state WHERE name = ?1", [name], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .optional()
            .map_err(|error| self.shared.failed(error))?;
        let Some((value, seal)) = found else {
            return Ok(None);
        };
        let keys = self.shared.keys();
        if keys.is_none_or(|keys| keys.seal_state(name, &value) != seal[..]) {
            return Err(StoreError::Unreadable {
                what: format!("the state {name}"),
            });
        }
        Ok(Some(value))
    }

    /// Stores a piece of state, replacing the one with this name.
    ///
    /// # Errors
    /// [`RecordError::TooMuch`](whimbrel_record::RecordError::TooMuch) beyond [`STATE_BYTES_MAX`], [`StoreError::Vault`] for a name that
    /// [`crate::check_name`] refuses, [`StoreError::ReadOnly`], and those of writing.
    pub fn state_put(&self, name: &str, value: &[u8]) -> Result<(), StoreError> {
        check_name(name)?;
        limit("bytes of a piece of state", value.len(), STATE_BYTES_MAX)?;
        let (writer, keys) = self.shared.writer()?;
        let seal = keys.seal_state(name, value);
        let put = "INSERT INTO state (name, value, seal) VALUES (?1, ?2, ?3)
                   ON CONFLICT (name) DO UPDATE SET value = excluded.value, seal = excluded.seal";
        writer
            .connection
            .execute(put, (name, value, &seal.as_bytes()[..]))
            .map_err(|error| self.shared.failed(error))?;
        Ok(())
    }

    /// Deletes a piece of state. Succeeds if there is none.
    ///
    /// # Errors
    /// As [`Store::state_put`].
    pub fn state_delete(&self, name: &str) -> Result<(), StoreError> {
        check_name(name)?;
        let (writer, _) = self.shared.writer()?;
        let deleted = writer.connection.execute("DELETE FROM state WHERE name = ?1", [name]);
        deleted.map_err(|error| self.shared.failed(error))?;
        Ok(())
    }

    /// Limits the database to this many pages of 4 KiB, or to its present size if that is larger. Further entries fail with
    /// [`StoreError::Full`].
    ///
    /// # Errors
    /// [`StoreError::ReadOnly`], and those of the database.
    pub fn limit_pages(&self, pages_max: u32) -> Result<(), StoreError> {
        let (writer, _) = self.shared.writer()?;
        let limited = writer.connection.pragma_update(None, "max_page_count", pages_max);
        limited.map_err(|error| self.shared.failed(error))
    }

    /// Empties SQLite's log into the database, so that nothing that was deleted is left in it. Deleting a conversation does this; removing a
    /// queued request or evicting an answer does not. A reader elsewhere may hold it up.
    ///
    /// # Errors
    /// [`StoreError::ReadOnly`], and those of the database.
    pub fn empty_log(&self) -> Result<(), StoreError> {
        let (writer, _) = self.shared.writer()?;
        self.shared.empty_log(&writer)
    }

    pub(crate) fn open_locked(
        path: &Path,
        vault: Arc<dyn KeyVault>,
        lock: File,
        (floor, stored): (Option<Head>, Stored),
        lost: Option<Head>,
        now_ms: u64,
    ) -> Result<Store, StoreError> {
        let refused = |problem| StoreError::Ledger {
            path: path.to_owned(),
            problem,
        };
        // Where the vault knows of a ledger, none at all is the oldest copy.
        let known = floor.filter(|floor| floor.sequence > 0 && lost.is_none());
        let must_exist = |exists: bool| match known {
            Some(floor) if !exists => Err(refused(Problem::RolledBack {
                found: 0,
                floor: floor.sequence,
            })),
            _ => Ok(()),
        };
        must_exist(std::fs::metadata(path).is_ok_and(|metadata| metadata.len() > 0))?;
        let mut connection = database::open_writer(path)?;
        let version = check_version(&connection, path)?;
        must_exist(version > 0)?;
        let keys = match read_keys(&*vault)? {
            Some(keys) => keys,
            None if version == 0 => make_key(&*vault)?,
            None => return Err(refused(Problem::ForeignSeal)),
        };
        prepare(&mut connection, &keys, version, lost, path, now_ms)?;
        let head = match ledger::first_look(&connection, &keys, floor).map_err(|error| database::failed(path, error))? {
            Ok(head) => head,
            Err(problem) => return Err(refused(problem)),
        };
        let data_keys = sealed::resolve(&connection, stored, path)?;
        settle_rows(&mut connection, &data_keys).map_err(|error| database::failed(path, error))?;
        let reader = database::open_reader(path)?;
        let writer = Writer {
            connection,
            head,
            floor_behind: false,
        };
        let store = Store {
            shared: Shared::new(path, vault, Some(keys), data_keys, reader, Some(writer), Some(lock)),
        };
        store.ledger().close_interrupted(now_ms)?;
        store.shared.raise_floor(&mut store.shared.writer()?.0);
        Ok(store)
    }
}

fn check_version(connection: &Connection, path: &Path) -> Result<u32, StoreError> {
    let found = schema::version(connection).map_err(|error| database::failed(path, error))?;
    if found > SCHEMA_VERSION {
        return Err(StoreError::NewerSchema {
            path: path.to_owned(),
            found,
            supported: SCHEMA_VERSION,
        });
    }
    if found > 0 {
        check_schema(connection, path, found)?;
    }
    Ok(found)
}

fn check_schema(connection: &Connection, path: &Path, expected: u32) -> Result<(), StoreError> {
    let found = schema::version(connection).map_err(|error| database::failed(path, error))?;
    if found > expected {
        return Err(StoreError::NewerSchema {
            path: path.to_owned(),
            found,
            supported: expected,
        });
    }
    let unchanged = schema::is_unchanged(connection, expected).map_err(|error| database::failed(path, error))?;
    if !unchanged {
        return Err(StoreError::SchemaChanged {
            path: path.to_owned(),
            version: found,
        });
    }
    Ok(())
}

/// The vault's data keys, after a wipe or a recovery that was interrupted is finished. The caller holds the lock.
pub(crate) fn stored_keys(path: &Path, vault: &dyn KeyVault) -> Result<Stored, StoreError> {
    let stored = Keyring::read(vault)?;
    if !matches!(stored, Stored::Wiped) {
        database::finish_recovery(path)?;
        return Ok(stored);
    }
    sealed::finish_wipe(path, vault)?;
    Ok(Stored::None)
}

/// Brings rows in order that a process left when it ended: the ids of the data keys, and answers that were in progress.
fn settle_rows(connection: &mut Connection, data_keys: &DataKeys) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if let Ok(keyring) = data_keys {
        sealed::record(&transaction, keyring)?;
    }
    conversations::close_drafts(&transaction)?;
    transaction.commit()
}

/// Makes or migrates the tables in one transaction, so that a crash leaves the old ones.
fn prepare(
    connection: &mut Connection,
    keys: &SealKeys,
    version: u32,
    lost: Option<Head>,
    path: &Path,
    now_ms: u64,
) -> Result<(), StoreError> {
    if version == SCHEMA_VERSION {
        return Ok(());
    }
    let failed = |error| database::failed(path, error);
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(failed)?;
    schema::migrate(&transaction, version, SCHEMA_VERSION, now_ms.cast_signed()).map_err(failed)?;
    if version == 0 {
        begin_ledger(&transaction, keys, lost, now_ms).map_err(failed)?;
    }
    transaction.commit().map_err(failed)
}

/// Writes what an empty ledger consists of. One that began again has a checkpoint for what is lost.
fn begin_ledger(connection: &Connection, keys: &SealKeys, lost: Option<Head>, now_ms: u64) -> rusqlite::Result<()> {
    let Some(lost) = lost else {
        return ledger::write_head(connection, keys, &Head::EMPTY);
    };
    let checkpoint = Checkpoint {
        sequence: lost.sequence,
        receipts: lost.receipts,
        hash: lost.hash.to_hex().to_string(),
        time_ms: now_ms,
        lost: true,
        totals: Stats::default(),
    };
    debug_assert!(lost.sequence > 0 || lost.hash == GENESIS);
    ledger::write_checkpoint(connection, keys, &checkpoint)?;
    let head = ledger::append_restart(connection, lost, &checkpoint, now_ms)?;
    ledger::write_head(connection, keys, &head)
}

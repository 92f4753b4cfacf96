//! Database files: opening and locking them, moving them aside, and translating SQLite's errors.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::ffi::SQLITE_IOERR_SHMSIZE;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use whimbrel_files::rename_new;
use whimbrel_record::RecordError;

use crate::{StoreError, schema};

/// How long a call waits for another connection of this store: a reader of another process holds the database for moments only.
const BUSY_MS: u64 = 5000;
/// What SQLite puts beside a database.
const COMPANIONS: [&str; 3] = ["-wal", "-shm", "-journal"];
/// A database that a recovery is writing, and one that it has written and that takes the place of the damaged one.
pub(crate) const REBUILDING: &str = ".rebuilding";
const REBUILT: &str = ".rebuilt";
/// How many databases are kept aside before [`set_aside`] gives up.
const ASIDE_MAX: u32 = 1000;

/// What SQLite's error means for the database at `path`.
pub(crate) fn failed(path: &Path, source: rusqlite::Error) -> StoreError {
    use rusqlite::Error;
    let path = path.to_owned();
    // A value of another type than this program ever writes.
    if let Error::FromSqlConversionFailure(..)
    | Error::InvalidColumnType(..)
    | Error::IntegralValueOutOfRange(..)
    | Error::Utf8Error(..) = source
    {
        return StoreError::Damaged { path, source };
    }
    // No room for the index of the log, which is a file beside it.
    if source
        .sqlite_error()
        .is_some_and(|error| error.extended_code == SQLITE_IOERR_SHMSIZE)
    {
        return StoreError::Full { path };
    }
    match source.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StoreError::Full { path },
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => StoreError::Damaged { path, source },
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::InUse { path },
        _ => StoreError::Database { path, source },
    }
}

pub(crate) fn io_failed(path: &Path, source: io::Error) -> StoreError {
    StoreError::Io {
        path: path.to_owned(),
        source,
    }
}

/// The path with something behind its last part.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Takes the lock that one writer holds. It goes with the handle, also when the process is killed.
pub(crate) fn lock(path: &Path) -> Result<File, StoreError> {
    let lock_path = beside(path, ".lock");
    let opened = OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .mode(0o600)
        .open(&lock_path);
    let file = opened.map_err(|error| io_failed(&lock_path, error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse { path: path.to_owned() }),
        Err(TryLockError::Error(error)) => Err(io_failed(&lock_path, error)),
    }
}

/// Opens the database for writing, and makes an empty one that only its owner can read when there is none.
pub(crate) fn open_writer(path: &Path) -> Result<Connection, StoreError> {
    let made = OpenOptions::new().create_new(true).write(true).mode(0o600).open(path);
    match made {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(io_failed(path, error)),
        _ => {}
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(|error| failed(path, error))?;
    settle(&connection)
        .and_then(|()| check_owner(&connection, path))
        .and_then(|()| write_settings(&connection))
        .map_err(|error| foreign_or(path, error))?;
    Ok(connection)
}

/// Opens the database for reading.
pub(crate) fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    if !path.exists() {
        return Err(StoreError::Absent { path: path.to_owned() });
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(|error| failed(path, error))?;
    settle(&connection)
        .and_then(|()| check_owner(&connection, path))
        .map_err(|error| foreign_or(path, error))?;
    Ok(connection)
}

/// Settings of every connection: nothing in the file may make SQLite run or trust anything.
fn settle(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(Duration::from_millis(BUSY_MS))?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    // What SQLite sorts or keeps for a moment never goes to a file.
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "cell_size_check", true)
}

/// Settings of the one connection that writes: every commit reaches the disk before it returns, and what is deleted is overwritten.
fn write_settings(connection: &Connection) -> rusqlite::Result<()> {
    keep_log(connection)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    // Apple's fsync leaves data in the drive's cache unless it is told.
    connection.pragma_update(None, "fullfsync", true)?;
    connection.pragma_update(None, "checkpoint_fullfsync", true)?;
    connection.pragma_update(None, "secure_delete", true)
}

/// Turns the log on, which the database remembers. SQLite writes this behind the row of its answer, so an error comes after the row.
fn keep_log(connection: &Connection) -> rusqlite::Result<()> {
    let mut statement = connection.prepare("PRAGMA journal_mode = WAL")?;
    let mut rows = statement.query([])?;
    while rows.next()?.is_some() {}
    Ok(())
}

/// Refuses a database of another program before anything is written to it.
fn check_owner(connection: &Connection, path: &Path) -> rusqlite::Result<()> {
    let id: i64 = connection.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    if id != schema::APPLICATION_ID && schema_objects(connection)? > 0 {
        // Told from other errors in `foreign_or`.
        return Err(rusqlite::Error::InvalidPath(path.to_owned()));
    }
    Ok(())
}

fn schema_objects(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
}

fn foreign_or(path: &Path, error: rusqlite::Error) -> StoreError {
    match error {
        rusqlite::Error::InvalidPath(path) => StoreError::Foreign { path },
        error => failed(path, error),
    }
}

/// Moves the database and what SQLite put beside it to the first free `<name>.aside-<n>`. None when there is no database.
pub(crate) fn set_aside(path: &Path) -> Result<Option<PathBuf>, StoreError> {
    if !path.exists() && COMPANIONS.iter().all(|suffix| !beside(path, suffix).exists()) {
        return Ok(None);
    }
    let free = (1..=ASIDE_MAX)
        .map(|number| beside(path, &format!(".aside-{number}")))
        .find(|aside| !aside.exists() && COMPANIONS.iter().all(|suffix| !beside(aside, suffix).exists()));
    let aside = free.ok_or(RecordError::TooMuch {
        what: "databases kept aside",
        found: u64::from(ASIDE_MAX) + 1,
        limit: u64::from(ASIDE_MAX),
    })?;
    // The database goes last: as long as it is there, a repetition finishes the move.
    for suffix in COMPANIONS.iter().chain(&[""]) {
        let (from, to) = (beside(path, suffix), beside(&aside, suffix));
        match rename_new(&from, &to) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io_failed(&from, error)),
            _ => {}
        }
    }
    Ok(Some(aside))
}

/// Lets the database that a recovery has written take the place of the damaged one, which is put aside. Where the process ends in between,
/// [`finish_recovery`] goes on.
pub(crate) fn take_over(path: &Path) -> Result<Option<PathBuf>, StoreError> {
    let (rebuilding, rebuilt) = (beside(path, REBUILDING), beside(path, REBUILT));
    fs::rename(&rebuilding, &rebuilt).map_err(|error| io_failed(&rebuilding, error))?;
    sync_folder(path)?;
    finish_recovery(path)
}

/// Finishes a recovery whose database is written, if there is one. Returns where the damaged database is now. The caller holds the lock.
pub(crate) fn finish_recovery(path: &Path) -> Result<Option<PathBuf>, StoreError> {
    let rebuilt = beside(path, REBUILT);
    if !rebuilt.exists() {
        return Ok(None);
    }
    let aside = set_aside(path)?;
    fs::rename(&rebuilt, path).map_err(|error| io_failed(&rebuilt, error))?;
    sync_folder(path)?;
    Ok(aside)
}

/// Removes a database and what SQLite put beside it.
pub(crate) fn remove_files(path: &Path) -> Result<(), StoreError> {
    for suffix in COMPANIONS.iter().chain(&[""]) {
        let file = beside(path, suffix);
        match fs::remove_file(&file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io_failed(&file, error)),
            _ => {}
        }
    }
    Ok(())
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Brings the names in the database's folder to the disk: what was moved or removed stays so.
pub(crate) fn sync_folder(path: &Path) -> Result<(), StoreError> {
    let folder = folder_of(path);
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(|error| io_failed(folder, error))
}

/// The database, the databases that were put aside or that a recovery wrote, and what SQLite put beside each, as far as they exist. The lock
/// is not among them: it is held by whoever asks, and holds nothing.
pub(crate) fn all_files(path: &Path) -> Result<Vec<PathBuf>, StoreError> {
    files_of(path, |stem| {
        stem.is_empty() || is_aside(stem) || stem == REBUILDING.as_bytes() || stem == REBUILT.as_bytes()
    })
}

/// The databases that were put aside, and what SQLite put beside each.
pub(crate) fn aside_files(path: &Path) -> Result<Vec<PathBuf>, StoreError> {
    files_of(path, is_aside)
}

/// The files whose names are the database's, then something that is wanted, then perhaps the name of a companion.
fn files_of(path: &Path, is_wanted: impl Fn(&[u8]) -> bool) -> Result<Vec<PathBuf>, StoreError> {
    let folder = folder_of(path);
    let own = path.file_name().unwrap_or_default().as_encoded_bytes();
    let failed = |error| io_failed(folder, error);
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        let Some(rest) = name.as_encoded_bytes().strip_prefix(own) else {
            continue;
        };
        let stem = COMPANIONS
            .iter()
            .find_map(|suffix| rest.strip_suffix(suffix.as_bytes()));
        if is_wanted(stem.unwrap_or(rest)) {
            found.push(entry.path());
        }
    }
    Ok(found)
}

fn is_aside(stem: &[u8]) -> bool {
    let number = stem.strip_prefix(b".aside-");
    number.is_some_and(|number| !number.is_empty() && number.iter().all(u8::is_ascii_digit))
}

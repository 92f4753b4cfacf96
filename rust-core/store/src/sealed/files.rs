//! The folder of sealed files beside the database. Large caches are kept there.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::OFlags;
use whimbrel_files::{Existing, NewFile, Readers};
use whimbrel_record::limit;

use super::SealError;
use super::file::{CHUNK_BYTES, FileFault, SealedReader, SealedWriter};
use crate::connection::Shared;
use crate::{Store, StoreError, check_name, database};

/// What the folder has behind the database's name.
const FOLDER: &str = ".sealed";
/// Digits of a hidden name, four bits each.
const HIDDEN_NAME_DIGITS: usize = 32;

/// The folder of the sealed files of the database at `path`.
pub(super) fn folder_of(path: &Path) -> PathBuf {
    database::beside(path, FOLDER)
}

/// Sealed files of one purpose, in the folder `<database>.sealed`: large caches that can be made again. Each file is bound to its purpose
/// and its name. Names are readable on the disk, so they must not say anything about a text.
#[derive(Clone)]
pub struct SealedFiles {
    shared: Arc<Shared>,
    purpose: String,
}

/// A sealed file that is open. Parts of it are read in any order and by several threads at once, each chunk decrypted as it is read. What
/// replaces or removes the file meanwhile does not reach it.
pub struct SealedFile {
    reader: SealedReader,
    path: PathBuf,
}

/// A sealed file as the folder shows it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FileEntry {
    /// The name without the purpose.
    pub name: String,
    /// Its size on the disk.
    pub bytes: u64,
    /// When it was written, or last said to be used, in milliseconds since 1970.
    pub used_ms: u64,
}

impl std::fmt::Debug for SealedFiles {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("SealedFiles")
            .field("purpose", &self.purpose)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for SealedFile {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("SealedFile")
            .field("bytes", &self.bytes())
            .finish_non_exhaustive()
    }
}

impl Store {
    /// The sealed files of one purpose, for example `prefix`.
    ///
    /// # Errors
    /// [`StoreError::Vault`] for a purpose that [`check_name`] refuses, or that has a dot.
    pub fn files(&self, purpose: &str) -> Result<SealedFiles, StoreError> {
        check_name(purpose)?;
        if purpose.contains('.') {
            return Err(crate::VaultError::Name.into());
        }
        Ok(SealedFiles {
            shared: Arc::clone(self.shared_arc()),
            purpose: purpose.to_owned(),
        })
    }
}

impl SealedFiles {
    /// Begins a file. It takes the place of the one with this name when it is finished.
    ///
    /// # Errors
    /// [`StoreError::Vault`] for a name that [`check_name`] refuses and if the vault fails, [`StoreError::Sealed`] if the store's keys are
    /// lost, [`StoreError::ReadOnly`], [`StoreError::Io`].
    pub fn create(&self, name: &str) -> Result<SealedWriter, StoreError> {
        let path = self.path(name)?;
        let keyring = {
            let (mut writer, _) = self.shared.writer()?;
            self.shared.keyring_to_write(&mut writer)?
        };
        let begin = || {
            make_folder(path.parent().unwrap_or(&path))?;
            let file = NewFile::create(&path, Existing::Replace, Readers::Owner)?;
            SealedWriter::begin(file, &keyring, &self.purpose, name)
        };
        begin().map_err(|fault| failed(&path, fault))
    }

    /// Writes a whole file.
    ///
    /// # Errors
    /// Those of [`SealedFiles::create`], and [`StoreError::Full`].
    pub fn put(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let path = self.path(name)?;
        let mut writer = self.create(name)?;
        let written = writer.write_all(bytes).and_then(|()| writer.finish());
        written.map_err(|error| failed(&path, error.into()))
    }

    /// Opens a file that takes at most `bytes_max` bytes on the disk; `None` if there is none. Its header, its length and its last chunk are
    /// checked now, the other chunks when they are read.
    ///
    /// # Errors
    /// [`StoreError::Sealed`] if it was changed or cut, is another file, or is sealed with a key that is gone;
    /// [`RecordError::TooMuch`](whimbrel_record::RecordError::TooMuch), [`StoreError::Vault`], [`StoreError::Io`].
    pub fn open(&self, name: &str, bytes_max: u32) -> Result<Option<SealedFile>, StoreError> {
        let path = self.path(name)?;
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
        let file = match OpenOptions::new().read(true).custom_flags(flags).open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(|error| failed(&path, error.into()))?,
        };
        let keyring = self.shared.keyring()?;
        let begin = || {
            let file_bytes = file.metadata()?.len();
            let found = usize::try_from(file_bytes).unwrap_or(usize::MAX);
            limit("bytes of a sealed file", found, bytes_max).map_err(StoreError::from)?;
            SealedReader::begin(file, file_bytes, &keyring, &self.purpose, name)
        };
        match begin() {
            Ok(reader) => Ok(Some(SealedFile { reader, path })),
            Err(fault) => Err(failed(&path, fault)),
        }
    }

    /// Reads a whole file that takes at most `bytes_max` bytes on the disk; `None` if there is none.
    ///
    /// # Errors
    /// Those of [`SealedFiles::open`].
    pub fn get(&self, name: &str, bytes_max: u32) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(file) = self.open(name, bytes_max)? else {
            return Ok(None);
        };
        // The limit is 32 bits wide.
        let mut bytes = vec![0; file.bytes() as usize];
        file.read_at(0, &mut [&mut bytes])?;
        Ok(Some(bytes))
    }

    /// Says that a file is used now; [`FileEntry::used_ms`] shows it. Succeeds if there is none.
    ///
    /// # Errors
    /// [`StoreError::Vault`] for a name that [`check_name`] refuses, [`StoreError::Io`].
    pub fn note_used(&self, name: &str, now_ms: u64) -> Result<(), StoreError> {
        let path = self.path(name)?;
        let used = UNIX_EPOCH
            .checked_add(Duration::from_millis(now_ms))
            .unwrap_or(UNIX_EPOCH);
        let noted = File::open(&path).and_then(|file| file.set_modified(used));
        match noted {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(&path, error.into())),
            _ => Ok(()),
        }
    }

    /// A name that says nothing about these bytes: a hash that depends on the store's key. It changes when the key does.
    ///
    /// # Errors
    /// [`StoreError::Sealed`] if the store's keys are lost, [`StoreError::Vault`] if the first one cannot be made.
    pub fn hidden_name(&self, bytes: &[u8]) -> Result<String, StoreError> {
        let keyring = {
            let (mut writer, _) = self.shared.writer()?;
            self.shared.keyring_to_write(&mut writer)?
        };
        let newest = keyring.newest().expect("a key was made");
        let hash = blake3::hash(&[self.purpose.as_bytes(), b"\n", bytes].concat());
        let name = newest.lookup(hash.as_bytes());
        Ok(blake3::Hash::from(name).to_hex()[..HIDDEN_NAME_DIGITS].to_owned())
    }

    /// Removes a file, and what a process that ended left of one with this name. Succeeds if there is none.
    ///
    /// # Errors
    /// [`StoreError::Vault`] for a name that [`check_name`] refuses, [`StoreError::Io`].
    pub fn remove(&self, name: &str) -> Result<(), StoreError> {
        let path = self.path(name)?;
        match whimbrel_files::clear_leftovers(&path).and_then(|()| fs::remove_file(&path)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(&path, error.into())),
            _ => Ok(()),
        }
    }

    /// All files of this purpose, sorted by name.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn list(&self) -> Result<Vec<FileEntry>, StoreError> {
        let folder = folder_of(self.shared.path());
        let io_failed = |error: io::Error| failed(&folder, error.into());
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(io_failed)?,
        };
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry.map_err(io_failed)?;
            let name = entry.file_name();
            let name = name
                .to_str()
                .and_then(|name| name.strip_prefix(&self.purpose)?.strip_prefix('.'));
            let (Some(name), Ok(metadata)) = (name, entry.metadata()) else {
                continue;
            };
            found.push(FileEntry {
                name: name.to_owned(),
                bytes: metadata.len(),
                used_ms: metadata.modified().map_or(0, since_1970_ms),
            });
        }
        found.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(found)
    }

    fn path(&self, name: &str) -> Result<PathBuf, StoreError> {
        check_name(name)?;
        Ok(folder_of(self.shared.path()).join(format!("{}.{name}", self.purpose)))
    }
}

impl SealedFile {
    /// Bytes that are encrypted together: a part that begins and ends at multiples of them is read with the least work.
    pub const CHUNK_BYTES: u32 = CHUNK_BYTES as u32;

    /// How many bytes are in the file.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.reader.plain_bytes()
    }

    /// Reads the bytes from `offset` on into `parts`, one after the other, as many as they have room for.
    ///
    /// # Errors
    /// [`StoreError::Sealed`] if a chunk that they lie in was changed, [`StoreError::Io`], also for bytes behind the end. `parts` then hold
    /// any bytes.
    pub fn read_at(&self, offset: u64, parts: &mut [&mut [u8]]) -> Result<(), StoreError> {
        let read = self.reader.read_at(offset, parts);
        read.map_err(|fault| failed(&self.path, fault))
    }
}

fn since_1970_ms(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn make_folder(folder: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// What an error means for a sealed file. A changed file is told apart from a disk that fails.
fn failed(path: &Path, fault: FileFault) -> StoreError {
    let error = match fault {
        FileFault::Store(error) => return error,
        FileFault::Io(error) => error,
    };
    if error.kind() == io::ErrorKind::StorageFull {
        return StoreError::Full { path: path.to_owned() };
    }
    match error.get_ref().and_then(|inner| inner.downcast_ref::<SealError>()) {
        Some(sealed) => StoreError::Sealed(sealed.clone()),
        None => database::io_failed(path, error),
    }
}

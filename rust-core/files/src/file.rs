//! Single files: written beside their place, then renamed.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use crate::lock;
use crate::rename::rename_new;

/// What follows the name of a place in the name of the file that is being written for it.
const BESIDE: &str = ".whimbrel-";
/// Writers of one file at the same time.
const WRITERS_MAX: u32 = 64;

/// What happens to a file that already stands at the place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// It stays, and the new file is refused.
    Keep,
    /// The new file takes its place, in one step. Only regular files are replaced.
    Replace,
}

/// Who may read a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readers {
    /// Its owner alone.
    Owner,
    /// Whoever the process's mask allows.
    Anyone,
}

impl Readers {
    fn mode(self) -> u32 {
        match self {
            Readers::Owner => 0o600,
            Readers::Anyone => 0o666,
        }
    }
}

/// A file that is being written beside its place. [`NewFile::commit`] puts it there; dropping it removes what was written.
///
/// ```
/// use std::io::Write;
/// use whimbrel_files::{Existing, NewFile, Readers};
///
/// # fn main() -> std::io::Result<()> {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("letter.txt");
/// let mut file = NewFile::create(&path, Existing::Keep, Readers::Owner)?;
/// file.write_all(b"Dear reader")?;
/// assert!(!path.exists());
/// file.commit()?;
/// assert_eq!(std::fs::read(&path)?, b"Dear reader");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct NewFile {
    /// Locked while it is ours.
    file: File,
    beside: PathBuf,
    place: PathBuf,
    existing: Existing,
}

impl NewFile {
    /// Begins a file beside `place`. Where `place` is a symbolic link to a file, the file behind it is meant.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`] when something stands at the place and [`Existing::Keep`] is asked for;
    /// [`io::ErrorKind::InvalidInput`] when the place has no name or is a folder, a device or a pipe;
    /// [`io::ErrorKind::ResourceBusy`] when 64 others write this file; the system's other reasons.
    pub fn create(place: &Path, existing: Existing, readers: Readers) -> io::Result<NewFile> {
        let place = checked(place, existing)?;
        for number in 0..WRITERS_MAX {
            let beside = beside(&place, number)?;
            if let Some(file) = claim(&beside, readers)? {
                return Ok(NewFile {
                    file,
                    beside,
                    place,
                    existing,
                });
            }
        }
        Err(io::ErrorKind::ResourceBusy.into())
    }

    /// The file as it is now, under its working name.
    ///
    /// # Errors
    /// The system's.
    pub fn metadata(&self) -> io::Result<fs::Metadata> {
        self.file.metadata()
    }

    /// Brings the bytes to the disk and the file to its place.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`] when something appeared at the place since and [`Existing::Keep`] was asked for; the
    /// system's. Nothing is left of the new file then, and the place is as it was.
    pub fn commit(self) -> io::Result<()> {
        self.file.sync_all()?;
        match self.existing {
            Existing::Keep => rename_new(&self.beside, &self.place)?,
            Existing::Replace => {
                checked(&self.place, self.existing)?;
                fs::rename(&self.beside, &self.place)?;
            }
        }
        sync_folder(&self.place)
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        // After the commit the working name is free, or another writer's already.
        if lock::is_at(&self.file, &self.beside).unwrap_or(false) {
            let _ = fs::remove_file(&self.beside);
        }
    }
}

/// Writes a whole file beside its place and renames it.
///
/// # Errors
/// As [`NewFile::create`] and [`NewFile::commit`].
pub fn write(place: &Path, existing: Existing, readers: Readers, bytes: &[u8]) -> io::Result<()> {
    let mut file = NewFile::create(place, existing, readers)?;
    file.write_all(bytes)?;
    file.commit()
}

/// The place behind links, if a file may come there.
fn checked(place: &Path, existing: Existing) -> io::Result<PathBuf> {
    if existing == Existing::Keep {
        return match fs::symlink_metadata(place) {
            Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(place.to_owned()),
            Err(error) => Err(error),
        };
    }
    match fs::metadata(place) {
        Ok(found) if !found.is_file() => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "a file cannot replace a folder, a device or a pipe",
        )),
        Ok(_) => fs::canonicalize(place),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(place.to_owned()),
        Err(error) => Err(error),
    }
}

/// `.NAME.whimbrel-NUMBER` beside a place.
fn beside(place: &Path, number: u32) -> io::Result<PathBuf> {
    let name = place.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let mut hidden = OsString::from(".");
    hidden.push(name);
    hidden.push(format!("{BESIDE}{number}"));
    Ok(place.with_file_name(hidden))
}

/// Whether a file was being written for a place named `of`, by its name.
///
/// ```
/// assert!(whimbrel_files::is_unfinished(".talk.json.whimbrel-1", "talk.json"));
/// assert!(!whimbrel_files::is_unfinished("talk.json", "talk.json"));
/// ```
#[must_use]
pub fn is_unfinished(name: &str, of: &str) -> bool {
    name.strip_prefix('.')
        .and_then(|name| name.strip_prefix(of))
        .is_some_and(|rest| rest.starts_with(BESIDE))
}

/// Makes and locks the working file; `None` when another writer has the name. What a killed writer left there is removed.
fn claim(path: &Path, readers: Readers) -> io::Result<Option<File>> {
    loop {
        let made = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(readers.mode())
            .open(path);
        match made {
            Ok(file) if !lock::try_lock(&file)? => return Ok(None),
            // Another writer may have taken it for a leftover before it was locked.
            Ok(file) if lock::is_at(&file, path)? => {
                if readers == Readers::Owner {
                    // The process's mask may have taken rights of the owner away.
                    file.set_permissions(fs::Permissions::from_mode(readers.mode()))?;
                }
                return Ok(Some(file));
            }
            Ok(_) => continue,
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            Err(_) => {}
        }
        if !remove_leftover(path)? {
            return Ok(None);
        }
    }
}

/// Removes a working file that nobody writes any more; false when somebody does, or when no writer can have made it.
fn remove_leftover(path: &Path) -> io::Result<bool> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Ok(left) if !left.metadata()?.is_file() || !lock::try_lock(&left)? => return Ok(false),
        Ok(left) if lock::is_at(&left, path)? => fs::remove_file(path)?,
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(_) => return Ok(false),
    }
    Ok(true)
}

/// Removes what killed writers of a file left beside it. The next writer does so too; this is for files that must not stay
/// until then.
///
/// # Errors
/// The system's.
pub fn clear_leftovers(place: &Path) -> io::Result<()> {
    (0..WRITERS_MAX).try_for_each(|number| remove_leftover(&beside(place, number)?).map(drop))
}

/// Makes a rename survive a crash, where the folder can be opened.
pub(crate) fn sync_folder(place: &Path) -> io::Result<()> {
    match File::open(parent(place)) {
        Ok(folder) => folder.sync_all(),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        Err(error) => Err(error),
    }
}

/// The folder that a place is in.
pub(crate) fn parent(place: &Path) -> &Path {
    match place.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

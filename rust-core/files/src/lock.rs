//! A lock file that says whether the process that made it still lives.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, OFlags, flock};

use crate::steps::{self, Step};

/// A lock that one holder at a time has, in this process or another. Its file is there while somebody holds it, and afterwards only if the holder
/// was killed.
///
/// ```
/// use whimbrel_files::Lock;
///
/// # fn main() -> std::io::Result<()> {
/// # let folder = tempfile::tempdir()?;
/// let path = folder.path().join("lock");
/// let lock = Lock::try_acquire(&path)?;
/// assert!(lock.is_some());
/// assert!(Lock::try_acquire(&path)?.is_none());
/// drop(lock);
/// assert!(!path.exists());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Lock {
    path: PathBuf,
    /// Closing it lets go of the lock.
    _file: File,
}

impl Lock {
    /// Locks the file at `path`, in a folder that exists; `None` when somebody else holds it.
    ///
    /// # Errors
    /// The system's.
    pub fn try_acquire(path: &Path) -> io::Result<Option<Lock>> {
        let file = acquire(path)?;
        Ok(file.map(|file| Lock {
            path: path.to_owned(),
            _file: file,
        }))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Before the lock is let go of: only its holder may remove it.
        let _ = fs::remove_file(&self.path);
    }
}

/// Opens the lock file at `path`, which is made when it is missing, and locks it; `None` when somebody else holds it.
///
/// The file may be removed by the holder of its lock, and by nobody else. A file that was removed between opening and
/// locking is no lock, so the attempt begins again.
pub(crate) fn acquire(path: &Path) -> io::Result<Option<File>> {
    loop {
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .mode(0o600)
            .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
            .open(path)?;
        steps::at(Step::Opened);
        if !try_lock(&file)? {
            return Ok(None);
        }
        if is_at(&file, path)? {
            return Ok(Some(file));
        }
    }
}

/// Locks an open file for this handle alone; false when another handle has the lock.
pub(crate) fn try_lock(file: &File) -> io::Result<bool> {
    match flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Whether an open file still has this name.
pub(crate) fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let open = file.metadata()?;
    match fs::symlink_metadata(path) {
        Ok(named) => Ok(named.ino() == open.ino() && named.dev() == open.dev()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn a_lock_file_that_is_removed_before_it_is_locked_is_made_again() {
        let desk = tempfile::tempdir().unwrap();
        let path = desk.path().join("lock");
        let (doomed, is_removed) = (path.clone(), Cell::new(false));
        let remove_once = move |now| {
            if now == Step::Opened && !is_removed.replace(true) {
                fs::remove_file(&doomed).unwrap();
            }
        };
        let lock = steps::with(remove_once, || acquire(&path)).unwrap().unwrap();
        assert!(is_at(&lock, &path).unwrap());
        assert!(acquire(&path).unwrap().is_none());
    }
}

//! A lock file that says whether the process that made it still lives.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::{FlockOperation, OFlags, flock};

use crate::steps::{self, Step};

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

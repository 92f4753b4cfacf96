//! Whole folders: built beside their place, then put there by one rename or one exchange.
//!
//! Beside `NAME`, the folder `.NAME.whimbrel` belongs to whoever holds the lock on the file `lock` in it: `new` is the folder
//! being built, `aside` what changes places with it, `gone` what is being removed. A process that is killed leaves the folder
//! without a lock. The next one then removes `new` and `gone`. It puts `aside` back if the place is empty, and removes it if
//! both are folders of the expected kind. Anything else stays where it is and is named in the error.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::file::{parent, sync_folder};
use crate::lock;
use crate::rename::{exchange, rename_new};
use crate::steps::{self, Step};

/// What follows the name of a place in the name of the folder beside it.
const BESIDE: &str = ".whimbrel";
/// How often a place that others change all the time is tried.
const ATTEMPTS: u32 = 16;

/// What a folder is, for those that may be replaced or removed.
pub trait FolderKind {
    /// Why a folder may not be replaced or removed: it is not of this kind, or it holds something else too.
    fn refusal(&self, folder: &Path) -> Option<String>;

    /// The files that a folder of this kind is made of, inside it, those last by which it is recognised. Nothing else is
    /// removed with it, and folders only when they are empty then.
    ///
    /// # Errors
    /// The system's.
    fn files(&self, folder: &Path) -> io::Result<Vec<PathBuf>>;
}

/// Why a folder could not be put in its place or removed. The place is then as it was.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// Something stands at the place that was not to be replaced.
    #[error("{} exists, and {reason}", path.display())]
    Exists {
        /// Its kind.
        path: PathBuf,
        /// Why it stays.
        reason: String,
    },
    /// Another process, or another thread, is making or removing a folder at this place.
    #[error("another program is writing {}", path.display())]
    InUse {
        /// The place.
        path: PathBuf,
    },
    /// The system's reason.
    #[error("cannot write {}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The reason.
        #[source]
        source: io::Error,
    },
}

impl FolderError {
    fn io(path: &Path) -> impl FnOnce(io::Error) -> FolderError {
        let path = path.to_owned();
        move |source| FolderError::Io { path, source }
    }
}

/// A folder that is being built. [`NewFolder::commit`] puts it in its place; dropping it removes what was written.
#[derive(Debug)]
pub struct NewFolder {
    work: Work,
}

impl NewFolder {
    /// Locks the place, clears what a killed process left of its work there, and begins an empty folder. Missing folders above
    /// it are made.
    ///
    /// `kind` says what may be cleared. With `replaces` a folder of this kind at the place may be replaced.
    ///
    /// # Errors
    /// [`FolderError::InUse`], [`FolderError::Exists`], [`FolderError::Io`].
    pub fn begin(place: &Path, kind: &dyn FolderKind, replaces: bool) -> Result<NewFolder, FolderError> {
        let work = Work::lock(place)?;
        work.recover(kind)?;
        check(place, kind, replaces)?;
        let new = work.path("new");
        fs::create_dir(&new).map_err(FolderError::io(&new))?;
        Ok(NewFolder { work })
    }

    /// Where the folder is until it is committed.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.work.path("new")
    }

    /// Puts the folder in its place. The files in it should have reached the disk.
    ///
    /// # Errors
    /// [`FolderError::Exists`] when something appeared at the place that is not to be replaced, [`FolderError::Io`].
    pub fn commit(self, kind: &dyn FolderKind, replaces: bool) -> Result<(), FolderError> {
        let (work, place) = (&self.work, &self.work.place);
        File::open(self.path())
            .and_then(|folder| folder.sync_all())
            .map_err(FolderError::io(&self.path()))?;
        for _ in 0..ATTEMPTS {
            steps::at(Step::Complete);
            check(place, kind, replaces)?;
            steps::at(Step::Checked);
            if work.put(kind, replaces)? {
                return sync_folder(place).map_err(FolderError::io(place));
            }
        }
        Err(FolderError::InUse { path: place.clone() })
    }
}

/// Removes a folder of a known kind, and nothing that is not part of it.
///
/// # Errors
/// [`FolderError::InUse`], [`FolderError::Exists`] when it may not be removed, [`FolderError::Io`].
pub fn remove_folder(place: &Path, kind: &dyn FolderKind) -> Result<(), FolderError> {
    let work = Work::lock(place)?;
    work.recover(kind)?;
    check(place, kind, true)?;
    // Under a name where nobody looks for it, so that an interrupted removal leaves no half of it.
    let aside = work.path("aside");
    rename_new(place, &aside).map_err(FolderError::io(place))?;
    match kind.refusal(&aside) {
        Some(reason) => {
            work.put_back()?;
            Err(work.exists(reason))
        }
        None => work.discard(kind),
    }
}

/// Clears what killed processes left of folders of a known kind that they built, replaced or removed directly in `parent`. What others work on
/// now stays.
///
/// # Errors
/// [`FolderError::Exists`] when something is there that may not be removed, [`FolderError::Io`].
pub fn clear_unfinished(parent: &Path, kind: &dyn FolderKind) -> Result<(), FolderError> {
    let entries = match fs::read_dir(parent) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(FolderError::io(parent)(error)),
    };
    for entry in entries {
        let name = entry.map_err(FolderError::io(parent))?.file_name();
        let name = name
            .to_str()
            .and_then(|name| name.strip_prefix('.')?.strip_suffix(BESIDE));
        let Some(name) = name.filter(|name| !name.is_empty()) else {
            continue;
        };
        match Work::lock(&parent.join(name)) {
            Ok(work) => work.recover(kind)?,
            Err(FolderError::InUse { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The hidden folder beside a place, and its lock.
#[derive(Debug)]
struct Work {
    place: PathBuf,
    folder: PathBuf,
    _lock: File,
}

impl Work {
    fn lock(place: &Path) -> Result<Work, FolderError> {
        let io_failed = FolderError::io(place);
        let Some(name) = place.file_name() else {
            return Err(io_failed(io::ErrorKind::InvalidInput.into()));
        };
        let mut hidden = OsString::from(".");
        hidden.push(name);
        hidden.push(BESIDE);
        let folder = place.with_file_name(hidden);
        let above = parent(place);
        if !above.is_dir() {
            fs::create_dir_all(above).map_err(FolderError::io(above))?;
        }
        loop {
            match fs::create_dir(&folder) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(io_failed(error)),
                _ => {}
            }
            match lock::acquire(&folder.join("lock")) {
                Ok(Some(lock)) => {
                    steps::at(Step::Locked);
                    return Ok(Work {
                        place: place.to_owned(),
                        folder,
                        _lock: lock,
                    });
                }
                Ok(None) => return Err(FolderError::InUse { path: place.to_owned() }),
                // Its last owner removed it just now.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(FolderError::io(&folder)(error)),
            }
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn exists(&self, reason: String) -> FolderError {
        FolderError::Exists {
            path: self.place.clone(),
            reason,
        }
    }

    /// Clears what a killed process left.
    fn recover(&self, kind: &dyn FolderKind) -> Result<(), FolderError> {
        self.remove_new().map_err(FolderError::io(&self.path("new")))?;
        let (aside, gone) = (self.path("aside"), self.path("gone"));
        if is_there(&gone)? {
            remove(&gone, kind)?;
        }
        if !is_there(&aside)? {
            return Ok(());
        }
        if !is_there(&self.place)? {
            return self.put_back();
        }
        // Neither is lost as long as it is not clear that one replaced the other.
        match kind.refusal(&aside).or_else(|| kind.refusal(&self.place)) {
            Some(reason) => Err(FolderError::Exists { path: aside, reason }),
            None => self.discard(kind),
        }
    }

    /// Puts the new folder in its place; false when the place changed since it was checked.
    fn put(&self, kind: &dyn FolderKind, replaces: bool) -> Result<bool, FolderError> {
        let (new, aside) = (self.path("new"), self.path("aside"));
        if !replaces || !is_there(&self.place)? {
            return match rename_new(&new, &self.place) {
                Ok(()) => Ok(true),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
                Err(error) => Err(FolderError::io(&self.place)(error)),
            };
        }
        rename_new(&new, &aside).map_err(FolderError::io(&aside))?;
        let exchanged = exchange(&aside, &self.place);
        steps::at(Step::Exchanged);
        match exchanged {
            Ok(true) => self.settle(kind).map(|()| true),
            Ok(false) => {
                rename_new(&aside, &new).map_err(FolderError::io(&new))?;
                self.put_in_two_steps(kind)
            }
            Err(error) => {
                rename_new(&aside, &new).map_err(FolderError::io(&new))?;
                match error.kind() {
                    io::ErrorKind::NotFound => Ok(false),
                    _ => Err(FolderError::io(&self.place)(error)),
                }
            }
        }
    }

    /// After the exchange: what was at the place goes if it is what was meant, and else comes back.
    fn settle(&self, kind: &dyn FolderKind) -> Result<(), FolderError> {
        let aside = self.path("aside");
        let Some(reason) = kind.refusal(&aside) else {
            steps::at(Step::Placed);
            return self.discard(kind);
        };
        match exchange(&aside, &self.place) {
            Ok(true) => {
                rename_new(&aside, &self.path("new")).map_err(FolderError::io(&aside))?;
                Err(self.exists(reason))
            }
            // The new folder is gone from the place. What was there before comes back.
            _ => {
                self.put_back()?;
                Err(self.exists(reason))
            }
        }
    }

    /// Without an exchange: the old folder is set aside, and the new one takes the free place.
    fn put_in_two_steps(&self, kind: &dyn FolderKind) -> Result<bool, FolderError> {
        let (new, aside) = (self.path("new"), self.path("aside"));
        match rename_new(&self.place, &aside) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(FolderError::io(&self.place)(error)),
        }
        steps::at(Step::Exchanged);
        if let Some(reason) = kind.refusal(&aside) {
            self.put_back()?;
            return Err(self.exists(reason));
        }
        match rename_new(&new, &self.place) {
            Ok(()) => {}
            Err(error) => {
                // If somebody took the place, the old folder stays aside and the error names it.
                self.put_back()?;
                return Err(FolderError::io(&self.place)(error));
            }
        }
        steps::at(Step::Placed);
        self.discard(kind).map(|()| true)
    }

    /// Removes what was set aside. Its new name says that this was decided.
    fn discard(&self, kind: &dyn FolderKind) -> Result<(), FolderError> {
        let (aside, gone) = (self.path("aside"), self.path("gone"));
        rename_new(&aside, &gone).map_err(FolderError::io(&aside))?;
        steps::at(Step::Decided);
        remove(&gone, kind)?;
        steps::at(Step::Removed);
        Ok(())
    }

    fn put_back(&self) -> Result<(), FolderError> {
        let aside = self.path("aside");
        rename_new(&aside, &self.place).map_err(FolderError::io(&aside))
    }

    /// `new` is ours and nobody else's.
    fn remove_new(&self) -> io::Result<()> {
        match fs::remove_dir_all(self.path("new")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        // A folder that cannot be removed is left to the next one. Whatever else is in the folder keeps it.
        let _ = self.remove_new();
        let is_kept = |name| fs::symlink_metadata(self.path(name)).is_ok();
        if !is_kept("aside") && !is_kept("gone") {
            let _ = fs::remove_file(self.path("lock"));
            let _ = fs::remove_dir(&self.folder);
        }
    }
}

fn is_there(place: &Path) -> Result<bool, FolderError> {
    match fs::symlink_metadata(place) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(FolderError::io(place)(error)),
    }
}

/// Whether a place is free, or may be taken from what stands there.
fn check(place: &Path, kind: &dyn FolderKind, replaces: bool) -> Result<(), FolderError> {
    if !is_there(place)? {
        return Ok(());
    }
    let refusal = kind.refusal(place);
    match refusal.or_else(|| (!replaces).then(|| "replacing it was not requested".to_owned())) {
        None => Ok(()),
        Some(reason) => Err(FolderError::Exists {
            path: place.to_owned(),
            reason,
        }),
    }
}

/// Removes the files of a folder that its kind knows, and the folders that are empty then.
fn remove(folder: &Path, kind: &dyn FolderKind) -> Result<(), FolderError> {
    let known = kind.files(folder).map_err(FolderError::io(folder))?;
    for file in &known {
        let path = folder.join(file);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(FolderError::io(&path)(error)),
            _ => {}
        }
    }
    remove_empty(folder).map_err(FolderError::io(folder))
}

/// Removes a folder and those in it; a file in any of them is an error.
fn remove_empty(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_empty(&entry.path())?;
        }
    }
    fs::remove_dir(folder)
}

#[cfg(test)]
mod tests;

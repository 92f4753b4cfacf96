//! The output folder. It is written beside its place under another name and renamed when it is complete, so that a killed import leaves
//! nothing that looks like a bundle.
//!
//! Beside `NAME`, `.NAME.partial-XXXXXX` is an import in progress, locked by its process, and `.NAME.replaced-XXXXXX` is the bundle that it
//! is about to replace. The next import to the same place removes what a killed import left of them.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use tempfile::{Builder, TempDir};

use crate::ForgeError;

/// The file that makes a folder a bundle.
pub(crate) const MANIFEST_FILE: &str = "manifest.json";
/// Bytes of a manifest that are looked at to recognise one.
const MANIFEST_HEAD_BYTES: u64 = 256;

/// A bundle being written. Dropping it removes everything that was written.
pub(crate) struct PartialFolder {
    output: PathBuf,
    parent: PathBuf,
    folder: TempDir,
    /// Held while the folder is ours; see [`clear_leftovers`].
    _lock: File,
}

impl PartialFolder {
    /// Checks that the output may be written and starts an empty folder beside it. Missing folders above it are made.
    ///
    /// # Errors
    /// [`ForgeError::OutputExists`], [`ForgeError::Option`] for a path without a name, [`ForgeError::Write`],
    /// [`ForgeError::DiskFull`].
    pub(crate) fn create(output: &Path, replace: bool) -> Result<PartialFolder, ForgeError> {
        let Some(name) = output.file_name() else {
            let reason = format!("{} does not name a folder", output.display());
            return Err(ForgeError::Option {
                option: "output",
                reason,
            });
        };
        let parent = match output.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        if !parent.is_dir() {
            fs::create_dir_all(&parent).map_err(|error| ForgeError::write(&parent, error))?;
        }
        clear_leftovers(&parent, name, output)?;
        check_output(output, replace)?;
        let folder = Builder::new()
            .prefix(&hidden(name, "partial"))
            .tempdir_in(&parent)
            .map_err(|error| ForgeError::write(output, error))?;
        let lock = File::open(folder.path()).map_err(|error| ForgeError::write(folder.path(), error))?;
        lock.try_lock()
            .map_err(|error| ForgeError::write(folder.path(), error.into()))?;
        make_readable(folder.path())?;
        Ok(PartialFolder {
            output: output.to_owned(),
            parent,
            folder,
            _lock: lock,
        })
    }

    /// Starts a file in the folder, given by its path in the bundle, and the folders it needs.
    pub(crate) fn create_file(&self, path: &str) -> Result<(File, PathBuf), ForgeError> {
        let path = self.folder.path().join(path);
        let write = |error| ForgeError::write(&path, error);
        let folder = path.parent().expect("files of a bundle lie in a folder");
        fs::create_dir_all(folder).map_err(write)?;
        let file = File::create_new(&path).map_err(write)?;
        Ok((file, path))
    }

    /// Writes a whole file, to the disk and not only to the system's memory.
    pub(crate) fn write_file(&self, path: &str, content: &[u8]) -> Result<(), ForgeError> {
        let (mut file, path) = self.create_file(path)?;
        file.write_all(content)
            .and_then(|()| file.sync_all())
            .map_err(|error| ForgeError::write(&path, error))
    }

    /// Puts the complete folder in its place.
    ///
    /// # Errors
    /// [`ForgeError::Write`]; the output is then as it was before.
    pub(crate) fn commit(self, variant: &str) -> Result<(), ForgeError> {
        let PartialFolder {
            output,
            parent,
            folder,
            _lock,
        } = self;
        let write = |error| ForgeError::write(&output, error);
        sync_folder(&folder.path().join(variant))
            .and_then(|()| sync_folder(folder.path()))
            .map_err(write)?;
        let replaced = set_aside(&output, &parent)?;
        let moved = fs::rename(folder.path(), &output).map_err(write);
        if let Some(replaced) = replaced {
            if moved.is_ok() {
                // The new bundle is in place; if the old one cannot be removed now, the next import to here does it.
                let _ = fs::remove_dir_all(&replaced);
            } else {
                fs::rename(&replaced, &output).map_err(write)?;
            }
        }
        moved?;
        let _ = folder.keep();
        sync_folder(&parent).map_err(write)
    }
}

/// `.NAME.KIND-`, the beginning of the names of working folders.
fn hidden(name: &OsStr, kind: &str) -> OsString {
    let mut hidden = OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".{kind}-"));
    hidden
}

fn sync_folder(folder: &Path) -> std::io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Temporary folders are private to the user; a bundle is as readable as any other file.
#[cfg(unix)]
fn make_readable(folder: &Path) -> Result<(), ForgeError> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).map_err(|error| ForgeError::write(folder, error))
}

#[cfg(not(unix))]
fn make_readable(_folder: &Path) -> Result<(), ForgeError> {
    Ok(())
}

/// Moves an existing output out of the way and returns where it is now.
fn set_aside(output: &Path, parent: &Path) -> Result<Option<PathBuf>, ForgeError> {
    let write = |error| ForgeError::write(output, error);
    if fs::symlink_metadata(output).is_err() {
        return Ok(None);
    }
    let name = output.file_name().expect("checked when the import began");
    // A folder that exists is a legal target of a rename only if it is empty, which this one is.
    let aside = Builder::new()
        .prefix(&hidden(name, "replaced"))
        .tempdir_in(parent)
        .map_err(write)?
        .keep();
    match fs::rename(output, &aside) {
        Ok(()) => Ok(Some(aside)),
        Err(error) => {
            let _ = fs::remove_dir(&aside);
            Err(write(error))
        }
    }
}

fn check_output(output: &Path, replace: bool) -> Result<(), ForgeError> {
    let refuse = |reason| {
        Err(ForgeError::OutputExists {
            path: output.to_owned(),
            reason,
        })
    };
    match fs::symlink_metadata(output) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(ForgeError::write(output, error)),
        Ok(metadata) if !metadata.is_dir() || !is_bundle(output) => refuse("is not a bundle, so it is not replaced"),
        Ok(_) if !replace => refuse("is a bundle, and replacing it was not asked for"),
        Ok(_) => Ok(()),
    }
}

/// Whether a folder has a manifest of ours; a damaged bundle is one too.
fn is_bundle(folder: &Path) -> bool {
    let mut head = Vec::new();
    let read = File::open(folder.join(MANIFEST_FILE))
        .and_then(|manifest| manifest.take(MANIFEST_HEAD_BYTES).read_to_end(&mut head));
    read.is_ok() && String::from_utf8_lossy(&head).contains("\"whimbrel-bundle\"")
}

/// Clears what killed imports to this output left: partial folders that nobody holds a lock on go away, a bundle that was set
/// aside comes back if its place is empty.
fn clear_leftovers(parent: &Path, name: &OsStr, output: &Path) -> Result<(), ForgeError> {
    let partial = hidden(name, "partial");
    let replaced = hidden(name, "replaced");
    let begins = |name: &OsStr, with: &OsStr| name.as_encoded_bytes().starts_with(with.as_encoded_bytes());
    for entry in fs::read_dir(parent).map_err(|error| ForgeError::write(parent, error))? {
        let entry = entry.map_err(|error| ForgeError::write(parent, error))?;
        let path = entry.path();
        let write = |error| ForgeError::write(&path, error);
        let entry_name = entry.file_name();
        if !entry.file_type().map_err(write)?.is_dir() {
            continue;
        }
        if begins(&entry_name, &partial) {
            let is_abandoned = File::open(&path).is_ok_and(|folder| folder.try_lock().is_ok());
            if is_abandoned {
                fs::remove_dir_all(&path).map_err(write)?;
            }
        } else if begins(&entry_name, &replaced) {
            if fs::symlink_metadata(output).is_err() && is_bundle(&path) {
                fs::rename(&path, output).map_err(write)?;
            } else {
                fs::remove_dir_all(&path).map_err(write)?;
            }
        }
    }
    Ok(())
}

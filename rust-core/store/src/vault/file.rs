//! The desktop's key vault: a folder that only its owner can access, with a file for each secret. It protects against other users of the
//! machine, but not against processes of the same user.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use whimbrel_files::{Existing, Readers};
use zeroize::Zeroizing;

use super::{KeyVault, SECRET_BYTES_MAX, SecretBytes, VaultLevel, check_name, check_secret};
use crate::VaultError;

const FOLDER_MODE: u32 = 0o700;
/// Permission bits of the group and of everybody.
const OTHERS: u32 = 0o077;
const SUFFIX: &str = "secret";

/// A folder with mode 0700 that contains a file with mode 0600 for each secret, `<name>.secret`. Files and folders that others can read or
/// write are refused, and so are symbolic links. A secret is replaced by a rename, so a crash leaves either the old or the new one.
#[derive(Debug)]
pub struct FileVault {
    folder: PathBuf,
}

impl FileVault {
    /// Opens the vault in `folder`, and creates it with its parent folders if it does not exist.
    ///
    /// # Errors
    /// [`VaultError::Exposed`] if others have access to the folder, [`VaultError::NotPlain`] if it is not a folder, [`VaultError::Io`].
    pub fn open(folder: &Path) -> Result<FileVault, VaultError> {
        let failed = |source| VaultError::Io {
            path: folder.to_owned(),
            source,
        };
        if let Err(error) = fs::symlink_metadata(folder) {
            if error.kind() != io::ErrorKind::NotFound {
                return Err(failed(error));
            }
            if let Some(parent) = folder.parent() {
                fs::create_dir_all(parent).map_err(failed)?;
            }
            match DirBuilder::new().mode(FOLDER_MODE).create(folder) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(failed(error)),
                _ => {}
            }
        }
        let vault = FileVault {
            folder: folder.to_owned(),
        };
        vault.check_folder()?;
        Ok(vault)
    }

    /// The names of all secrets, sorted.
    ///
    /// # Errors
    /// [`VaultError::Io`], [`VaultError::Exposed`].
    pub fn names(&self) -> Result<Vec<String>, VaultError> {
        self.check_folder()?;
        let failed = |source| VaultError::Io {
            path: self.folder.clone(),
            source,
        };
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.folder).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            let name = name
                .to_str()
                .and_then(|name| name.strip_suffix(SUFFIX)?.strip_suffix('.'));
            names.extend(name.filter(|name| check_name(name).is_ok()).map(str::to_owned));
        }
        names.sort();
        Ok(names)
    }

    fn check_folder(&self) -> Result<(), VaultError> {
        let metadata = fs::symlink_metadata(&self.folder).map_err(|source| VaultError::Io {
            path: self.folder.clone(),
            source,
        })?;
        if !metadata.is_dir() {
            return Err(VaultError::NotPlain {
                path: self.folder.clone(),
                expected: "folder",
            });
        }
        check_mode(&self.folder, metadata.mode())
    }

    fn path(&self, name: &str) -> Result<PathBuf, VaultError> {
        check_name(name)?;
        self.check_folder()?;
        Ok(self.folder.join(format!("{name}.{SUFFIX}")))
    }

    /// Makes a removal in the folder survive a crash.
    fn sync_folder(&self) -> io::Result<()> {
        File::open(&self.folder)?.sync_all()
    }
}

fn check_mode(path: &Path, mode: u32) -> Result<(), VaultError> {
    if mode & OTHERS != 0 {
        return Err(VaultError::Exposed {
            path: path.to_owned(),
            mode: mode & 0o7777,
        });
    }
    Ok(())
}

/// Opens a secret's file, or says that there is none.
fn open_secret(path: &Path) -> Result<Option<File>, VaultError> {
    let not_plain = || VaultError::NotPlain {
        path: path.to_owned(),
        expected: "file",
    };
    // Without following a link, and without waiting when somebody put a pipe there.
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) if fs::symlink_metadata(path).is_ok_and(|metadata| !metadata.is_file()) => {
            drop(error);
            return Err(not_plain());
        }
        Err(source) => {
            return Err(VaultError::Io {
                path: path.to_owned(),
                source,
            });
        }
    };
    let metadata = file.metadata().map_err(|source| VaultError::Io {
        path: path.to_owned(),
        source,
    })?;
    if !metadata.is_file() {
        return Err(not_plain());
    }
    check_mode(path, metadata.mode())?;
    Ok(Some(file))
}

impl KeyVault for FileVault {
    fn get(&self, name: &str) -> Result<Option<SecretBytes>, VaultError> {
        let path = self.path(name)?;
        let Some(file) = open_secret(&path)? else {
            return Ok(None);
        };
        // The whole room at once: a vector that grows leaves copies behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(SECRET_BYTES_MAX as usize + 1));
        file.take(u64::from(SECRET_BYTES_MAX) + 1)
            .read_to_end(&mut bytes)
            .map_err(|source| VaultError::Io { path, source })?;
        check_secret(name, bytes.len() as u64)?;
        Ok(Some(SecretBytes::new(bytes.to_vec())))
    }

    fn put(&self, name: &str, secret: &SecretBytes) -> Result<(), VaultError> {
        let path = self.path(name)?;
        check_secret(name, secret.expose().len() as u64)?;
        // Its name while it is written begins with a dot, so it is no secret's name.
        whimbrel_files::write(&path, Existing::Replace, Readers::Owner, secret.expose())
            .map_err(|source| VaultError::Io { path, source })
    }

    fn delete(&self, name: &str) -> Result<(), VaultError> {
        let path = self.path(name)?;
        // A killed `put` may have left the secret under another name.
        let removed = whimbrel_files::clear_leftovers(&path)
            .and_then(|()| fs::remove_file(&path))
            .and_then(|()| self.sync_folder());
        match removed {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(VaultError::Io { path, source }),
            _ => Ok(()),
        }
    }

    fn level(&self) -> VaultLevel {
        VaultLevel::File
    }
}

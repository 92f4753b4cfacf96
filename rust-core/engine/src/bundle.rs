//! Checks the files of a bundle against its manifest, and seals a bundle again after a deliberate edit.

pub(crate) mod manifest;
pub(crate) mod read;
pub(crate) mod remembered;
pub(crate) mod weights;

use std::io::Read;
use std::path::Path;

use whimbrel_files::{Existing, Readers};

use self::manifest::{MANIFEST_BYTES_MAX, MANIFEST_FILE};
use self::read::{open, read_limited};
use self::remembered::{Places, stamps};
use crate::{EngineError, FileEntry, Manifest};

/// One file of a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BundleFile {
    /// Path inside the bundle.
    pub path: String,
    /// Size in bytes.
    pub bytes: u64,
}

/// Which files of a bundle are read and hashed before it is used. The manifest is always checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verify {
    /// Only files that were not verified before or have changed since (see [`RECORD_FILE`](crate::RECORD_FILE)).
    #[default]
    Remembered,
    /// All files.
    Always,
}

/// Reads the manifest of a bundle and checks size and hash of every file it names.
///
/// ```
/// use std::path::Path;
/// use whimbrel_engine::{EngineError, verify};
///
/// # fn main() -> Result<(), EngineError> {
/// # let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared-models/tiny");
/// let manifest = verify(Path::new(folder))?;
/// assert_eq!(manifest.files().len(), 5);
/// assert!(matches!(verify(Path::new("nothing here")), Err(EngineError::BundleMissing { .. })));
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`EngineError::BundleMissing`], [`EngineError::Manifest`], [`EngineError::LayoutVersion`], [`EngineError::Corrupt`],
/// [`EngineError::Read`].
pub fn verify(folder: &Path) -> Result<Manifest, EngineError> {
    let manifest = read_manifest(folder)?;
    manifest.files().into_iter().try_for_each(|file| check(folder, file))?;
    Ok(manifest)
}

/// Like [`verify`], but also remembers which files were intact: in the bundle's folder or, if that is not writable, in `state_folder`. With
/// [`Verify::Remembered`], files that are remembered and unchanged are not read again.
///
/// # Errors
/// As [`verify`]. It is not an error if the record cannot be written.
pub fn verify_and_remember(
    folder: &Path,
    verify: Verify,
    state_folder: Option<&Path>,
) -> Result<Manifest, EngineError> {
    let manifest = read_manifest(folder)?;
    let places = Places::new(folder, state_folder);
    let known = match verify {
        Verify::Remembered => places.read(&manifest),
        Verify::Always => Vec::new(),
    };
    let is_known = |stamp: &_| known.contains(stamp);
    if stamps(folder, &manifest)
        .iter()
        .all(|stamp| stamp.as_ref().is_some_and(is_known))
    {
        return Ok(manifest);
    }
    let pending = places.begin();
    let before = stamps(folder, &manifest);
    let mut unknown = manifest.files().into_iter().zip(&before);
    let outcome = unknown.try_for_each(|(file, stamp)| match stamp {
        Some(stamp) if is_known(stamp) => Ok(()),
        _ => check(folder, file),
    });
    match (pending, outcome) {
        (None, outcome) => outcome?,
        (Some(pending), Ok(())) => pending.finish(&manifest, before, &stamps(folder, &manifest)),
        (Some(_), Err(error)) => return Err(error),
    }
    Ok(manifest)
}

/// Compares a file with its entry in the manifest.
fn check(folder: &Path, file: &FileEntry) -> Result<(), EngineError> {
    let found = measure(folder, &file.path)?;
    let reason = if found.bytes != file.bytes {
        format!("{} bytes instead of {}", found.bytes, file.bytes)
    } else if found.blake3 != file.blake3 {
        "its BLAKE3 hash is not the manifest's".to_owned()
    } else {
        return Ok(());
    };
    Err(EngineError::Corrupt {
        file: file.path.clone(),
        reason,
    })
}

/// Recomputes sizes and hashes after a deliberate edit of a bundle's files, and updates the manifest. Returns the files whose size or hash
/// changed. The manifest's own fields may have been edited too.
///
/// # Errors
/// As [`verify`], without [`EngineError::Corrupt`] for hashes; [`EngineError::Write`].
pub fn seal(folder: &Path) -> Result<Vec<BundleFile>, EngineError> {
    let path = folder.join(MANIFEST_FILE);
    let text = read_manifest_text(folder)?;
    let mut manifest: Manifest = serde_json::from_slice(&text).map_err(|error| EngineError::Manifest {
        reason: error.to_string(),
    })?;
    manifest.check_fields()?;
    let mut changed = Vec::new();
    for file in manifest.files_mut() {
        let found = measure(folder, &file.path)?;
        if found != *file {
            changed.push(BundleFile {
                path: found.path.clone(),
                bytes: found.bytes,
            });
            *file = found;
        }
    }
    let write = |source| EngineError::Write {
        path: path.clone(),
        source,
    };
    let sealed = manifest.sealed().to_text();
    if sealed.as_bytes() != text {
        whimbrel_files::write(&path, Existing::Replace, Readers::Anyone, sealed.as_bytes()).map_err(write)?;
    }
    Ok(changed)
}

/// Reads and checks the manifest alone.
pub(crate) fn read_manifest(folder: &Path) -> Result<Manifest, EngineError> {
    Manifest::parse(&read_manifest_text(folder)?)
}

fn read_manifest_text(folder: &Path) -> Result<Vec<u8>, EngineError> {
    let missing = |reason: &str| EngineError::BundleMissing {
        path: folder.to_owned(),
        reason: reason.to_owned(),
    };
    match std::fs::metadata(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(missing("no such folder")),
        Err(source) => {
            return Err(EngineError::Read {
                path: folder.to_owned(),
                source,
            });
        }
        Ok(found) if !found.is_dir() => return Err(missing("not a folder")),
        Ok(_) => (),
    }
    if !folder.join(MANIFEST_FILE).exists() {
        return Err(missing("it has no manifest.json"));
    }
    read_limited(folder, MANIFEST_FILE, MANIFEST_BYTES_MAX)
}

/// Size and hash of a file as it is now.
fn measure(folder: &Path, file: &str) -> Result<FileEntry, EngineError> {
    let path = folder.join(file);
    let mut hasher = blake3::Hasher::new();
    let bytes = open(&path).and_then(|mut source| {
        let mut buffer = vec![0u8; 1 << 18];
        let mut bytes = 0u64;
        loop {
            let count = source.read(&mut buffer)?;
            if count == 0 {
                return Ok(bytes);
            }
            hasher.update(&buffer[..count]);
            bytes += count as u64;
        }
    });
    match bytes {
        Ok(bytes) => Ok(FileEntry {
            path: file.to_owned(),
            bytes,
            blake3: hasher.finalize().to_hex().to_string(),
        }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(EngineError::Corrupt {
            file: file.to_owned(),
            reason: "it is missing".to_owned(),
        }),
        Err(source) => Err(EngineError::Read { path, source }),
    }
}

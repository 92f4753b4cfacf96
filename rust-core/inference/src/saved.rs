//! Saved conversations as files: written completely or not at all, readable by their owner only.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;

use crate::error::within;
use crate::{InferenceError, SAVED_BYTES_MAX};

/// Reads a whole saved conversation.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, InferenceError> {
    let failed = |source| InferenceError::Read {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(failed)?;
    let length = file.metadata().map_err(failed)?.len();
    within("bytes of saved conversation", length, SAVED_BYTES_MAX)?;
    let mut bytes = Vec::with_capacity(length as usize);
    file.take(SAVED_BYTES_MAX).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

/// Writes beside the file's place and moves it there.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), InferenceError> {
    let failed = |source| InferenceError::Write {
        path: path.to_owned(),
        source,
    };
    within("bytes of saved conversation", bytes.len() as u64, SAVED_BYTES_MAX)?;
    let name = path
        .file_name()
        .ok_or_else(|| failed(io::ErrorKind::InvalidInput.into()))?;
    let mut beside = std::ffi::OsString::from(".");
    beside.push(name);
    beside.push(".new");
    let beside = path.with_file_name(beside);
    let written = create(&beside)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&beside, path));
    written.map_err(|source| {
        let _ = fs::remove_file(&beside);
        failed(source)
    })
}

fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

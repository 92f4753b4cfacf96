//! Saved conversations as files: written completely or not at all, readable by their owner only.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use whimbrel_files::{Existing, Readers};

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
    whimbrel_files::write(path, Existing::Replace, Readers::Owner, bytes).map_err(failed)
}

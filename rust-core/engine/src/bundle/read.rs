//! Reads a file of a bundle. The engine reads files only here.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::EngineError;

/// Reads a whole file of a bundle, at most `limit` bytes.
pub(crate) fn read_limited(folder: &Path, file: &str, limit: u64) -> Result<Vec<u8>, EngineError> {
    let path = folder.join(file);
    let read = |source| EngineError::Read {
        path: path.clone(),
        source,
    };
    let mut bytes = Vec::new();
    open(&path)
        .map_err(read)?
        .take(limit + 1)
        .read_to_end(&mut bytes)
        .map_err(read)?;
    if bytes.len() as u64 > limit {
        return Err(EngineError::Corrupt {
            file: file.to_owned(),
            reason: format!("longer than {limit} bytes"),
        });
    }
    Ok(bytes)
}

/// Opens a file of a bundle for reading.
#[allow(clippy::disallowed_methods, reason = "the engine's one way to a file")]
pub(crate) fn open(path: &Path) -> std::io::Result<File> {
    File::open(path)
}

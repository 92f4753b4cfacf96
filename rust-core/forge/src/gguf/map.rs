//! A model file as bytes, without reading it into memory.

use std::fs::File;
use std::path::Path;

use memmap2::{Mmap, MmapMut};

use crate::ForgeError;

/// A file that is memory-mapped for reading. It must not be shortened while it is mapped.
pub struct MappedFile {
    map: Mmap,
}

impl MappedFile {
    /// Maps a file.
    ///
    /// # Errors
    /// [`ForgeError::Read`] if it is missing, unreadable or not a regular file.
    pub fn open(path: &Path) -> Result<MappedFile, ForgeError> {
        let read = |source| ForgeError::read(path, source);
        let file = File::open(path).map_err(read)?;
        if !file.metadata().map_err(read)?.is_file() {
            return Err(read(std::io::Error::new(
                std::io::ErrorKind::InvalidInput,
                "not a regular file",
            )));
        }
        // SAFETY: the map is private to this process and only ever read as bytes, for which every bit pattern is valid.
        // Another process that rewrites the file can change what is read: the reader checks each length where it takes the
        // bytes and keeps no pointer derived from unchecked data, so that leads to an error or to a wrong bundle, not to
        // undefined memory. One that truncates the file ends this process with SIGBUS, as documented on the type.
        let map = unsafe { Mmap::map(&file) }.map_err(|source| match source.kind() {
            std::io::ErrorKind::OutOfMemory => ForgeError::Memory {
                bytes: file.metadata().map_or(0, |found| found.len()),
                source,
            },
            _ => read(source),
        })?;
        Ok(MappedFile { map })
    }

    /// Asks the system for memory beside the map and gives it back. Rust ends the process when a small allocation fails, so
    /// it is better to know before.
    ///
    /// # Errors
    /// [`ForgeError::Memory`].
    pub(crate) fn check_room(bytes: u64) -> Result<(), ForgeError> {
        let failed = |source| ForgeError::Memory { bytes, source };
        let length = usize::try_from(bytes).map_err(|_| failed(std::io::ErrorKind::OutOfMemory.into()))?;
        MmapMut::map_anon(length.max(1)).map(drop).map_err(failed)
    }

    /// The whole file.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.map
    }
}

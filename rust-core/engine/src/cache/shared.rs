//! Memory that several sessions read: a prefix that one of them shared.

use memmap2::MmapMut;

/// Tokens whose keys and values several sessions read in the same memory. A session that writes there gets a copy of the page.
pub(crate) struct SharedPrefix {
    pub(super) ids: Vec<u32>,
    pub(super) context_length: u32,
    pub(super) file: std::fs::File,
    /// The places of the blocks of layers with a window.
    pub(super) places: Vec<u32>,
    /// The columns before the end that the convolutions see.
    pub(super) columns: Vec<f32>,
}

impl SharedPrefix {
    pub(crate) fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// Whether a session of this context may begin with the prefix, to run these tokens.
    pub(crate) fn serves(&self, context_length: u32, ids: &[u32]) -> bool {
        self.context_length == context_length && ids.starts_with(&self.ids)
    }
}

/// Memory with a file's handle but without a name, of which only written pages take room.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn memory_file(bytes: u64) -> std::io::Result<std::fs::File> {
    let handle = rustix::fs::memfd_create("whimbrel-prefix", rustix::fs::MemfdFlags::CLOEXEC)?;
    let file = std::fs::File::from(handle);
    file.set_len(bytes)?;
    Ok(file)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn memory_file(_bytes: u64) -> std::io::Result<std::fs::File> {
    Err(std::io::ErrorKind::Unsupported.into())
}

#[cfg(unix)]
pub(super) fn write_at(file: &std::fs::File, bytes: &[u8], offset: u64) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

#[cfg(not(unix))]
pub(super) fn write_at(_file: &std::fs::File, _bytes: &[u8], _offset: u64) -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}

/// The whole file; what is written to the map is seen by nobody else.
pub(super) fn private_map(file: &std::fs::File) -> std::io::Result<MmapMut> {
    // SAFETY: the file has no name and is written only while it is made, before anybody maps it.
    unsafe { memmap2::MmapOptions::new().map_copy(file) }
}

//! The free space of a disk.

use std::path::Path;

/// Bytes that this user may still write where `path` is or will be; `None` where the system does not say.
#[must_use]
pub fn bytes_free(path: &Path) -> Option<u64> {
    let existing = path.ancestors().find(|folder| folder.is_dir())?;
    let found = rustix::fs::statvfs(existing).ok()?;
    found.f_bavail.checked_mul(found.f_frsize)
}

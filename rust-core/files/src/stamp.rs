//! What a file is, without looking inside: enough to tell whether it changed.

use std::fs::Metadata;

use serde::{Deserialize, Serialize};

/// A file as the system describes it. One that changed has another stamp: programs cannot set the change time. Only a change within the same
/// tick of the file system's clock may leave it as it was, so a file that changed just now should not be taken for unchanged later.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Stamp {
    /// Its length in bytes.
    pub bytes: u64,
    /// When its content last changed, in nanoseconds since 1970; programs can set it.
    pub modified_ns: i64,
    /// When anything about it last changed, in nanoseconds since 1970.
    pub changed_ns: i64,
    /// Its number on the device.
    pub inode: u64,
    /// The device.
    pub device: u64,
}

impl Stamp {
    /// The stamp of a file; `None` where the system has no such figures.
    #[cfg(unix)]
    #[must_use]
    pub fn of(metadata: &Metadata) -> Option<Stamp> {
        use std::os::unix::fs::MetadataExt;
        let nanoseconds = |seconds: i64, rest: i64| seconds.checked_mul(1_000_000_000)?.checked_add(rest);
        Some(Stamp {
            bytes: metadata.len(),
            modified_ns: nanoseconds(metadata.mtime(), metadata.mtime_nsec())?,
            changed_ns: nanoseconds(metadata.ctime(), metadata.ctime_nsec())?,
            inode: metadata.ino(),
            device: metadata.dev(),
        })
    }

    /// The stamp of a file; `None` where the system has no such figures.
    #[cfg(not(unix))]
    #[must_use]
    pub fn of(_metadata: &Metadata) -> Option<Stamp> {
        None
    }
}

//! Remembers which files of a bundle matched the manifest, so that opening it again need not read them again.
//!
//! A file counts as unchanged while its size, its modification and change times (to the nanosecond), its inode and its device match the
//! record. Programs cannot set the change time, so an edit is always detected. A file that changed so shortly before it was verified that a
//! later change could have the same time is not remembered.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use whimbrel_files::{Existing, NewFile, Readers, Stamp};

use crate::Manifest;
use crate::bundle::read::open;

/// The record's file name inside a bundle. It is not part of the bundle and may be deleted at any time.
pub const RECORD_FILE: &str = ".verified.json";
/// The version of the record; any other is as good as none.
const VERSION: u32 = 1;
/// The longest record that is read, in bytes.
const RECORD_BYTES_MAX: u64 = 1 << 20;

/// A file of a bundle, and what it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FileStamp {
    path: String,
    #[serde(flatten)]
    stamp: Stamp,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    version: u32,
    /// The hash of the manifest that the files were compared with.
    manifest: String,
    files: Vec<FileStamp>,
}

/// Stamps of the manifest's files; `None` for a file that is not there, and for all where the system has no such figures.
pub(crate) fn stamps(folder: &Path, manifest: &Manifest) -> Vec<Option<FileStamp>> {
    let stamp = |path: &String| {
        let stamp = Stamp::of(&std::fs::metadata(folder.join(path)).ok()?)?;
        Some(FileStamp {
            path: path.clone(),
            stamp,
        })
    };
    manifest.files().iter().map(|file| stamp(&file.path)).collect()
}

/// Where a bundle's record may be: in the bundle, or in a folder of the user's where the bundle cannot be written.
pub(crate) struct Places {
    paths: Vec<PathBuf>,
}

impl Places {
    /// `state_folder` is made when it is first written to.
    pub(crate) fn new(folder: &Path, state_folder: Option<&Path>) -> Places {
        let mut paths = vec![folder.join(RECORD_FILE)];
        if let Some(state) = state_folder {
            let name = blake3::hash(folder.as_os_str().as_encoded_bytes()).to_hex();
            paths.push(state.join(format!("{}.json", &name[..32])));
        }
        Places { paths }
    }

    /// The files that some record of this manifest remembers. A record that cannot be read or is not valid remembers nothing.
    pub(crate) fn read(&self, manifest: &Manifest) -> Vec<FileStamp> {
        let records = self.paths.iter().filter_map(|path| read_record(path));
        records
            .filter(|record| record.version == VERSION && record.manifest == manifest.blake3)
            .flat_map(|record| record.files)
            .collect()
    }

    /// Starts a record in the first place that can be written; `None` when there is none.
    pub(crate) fn begin(&self) -> Option<Pending> {
        self.paths.iter().find_map(|path| Pending::new(path).ok())
    }
}

fn read_record(path: &Path) -> Option<Record> {
    let mut text = Vec::new();
    open(path).ok()?.take(RECORD_BYTES_MAX).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}

/// A record begun before the files are looked at. The time at which it was begun comes from the same clock as theirs.
pub(crate) struct Pending {
    file: NewFile,
    begun: Option<Stamp>,
}

impl Pending {
    #[allow(
        clippy::disallowed_methods,
        reason = "the record is the one file that opening a bundle writes"
    )]
    fn new(path: &Path) -> std::io::Result<Pending> {
        if let Some(folder) = path.parent().filter(|folder| !folder.is_dir()) {
            std::fs::create_dir_all(folder)?;
        }
        let mut file = NewFile::create(path, Existing::Replace, Readers::Anyone)?;
        // Writing sets the time. A blank before the text is no part of it.
        file.write_all(b"\n")?;
        let begun = Stamp::of(&file.metadata()?);
        Ok(Pending { file, begun })
    }

    /// Writes the record of files that were verified after it was begun, given their stamps from before and after that. What
    /// cannot be remembered is verified again next time, so a failure here is none.
    pub(crate) fn finish(mut self, manifest: &Manifest, before: Vec<Option<FileStamp>>, after: &[Option<FileStamp>]) {
        let settled = |file: &FileStamp| {
            self.begun
                .as_ref()
                .is_some_and(|begun| file.stamp.changed_ns < begun.changed_ns)
        };
        let record = Record {
            version: VERSION,
            manifest: manifest.blake3.clone(),
            files: before
                .into_iter()
                .zip(after)
                .filter(|(before, after)| before == *after)
                .filter_map(|(before, _)| before.filter(settled))
                .collect(),
        };
        let written = serde_json::to_vec_pretty(&record)
            .map_err(std::io::Error::from)
            .and_then(|text| self.file.write_all(&text))
            .and_then(|()| self.file.commit());
        if let Err(error) = written {
            log::debug!("the record of verified files was not written: {error}");
        }
    }
}

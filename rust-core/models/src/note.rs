//! What is remembered of a model file, so that it need not be hashed at every use: its hash, and what its files were when it was hashed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use whimbrel_files::{Existing, Readers, Stamp};
use whimbrel_forge::gguf::parts_beside;

/// A file that changed less than this ago may change again without getting another time, so its hash is not noted.
const SETTLED: Duration = Duration::from_secs(2);

/// See the module.
#[derive(Deserialize, Serialize)]
struct Note {
    /// Of the file, or of each part of a split one.
    stamps: Vec<Stamp>,
    blake3: String,
}

/// Where the note about a file is, by the file's path.
pub(crate) fn path(cache: &Path, file: &Path) -> PathBuf {
    // A path may have any characters, and be longer than a name.
    let hash = blake3::hash(file.as_os_str().as_encoded_bytes()).to_hex();
    cache.join("files").join(format!("{hash}.json"))
}

/// What files are now; `None` where the system cannot tell whether they change.
pub(crate) fn stamps<'p>(files: impl Iterator<Item = &'p Path>) -> Option<Vec<Stamp>> {
    files.map(stamp).collect()
}

/// Notes the hash of files that were this when they were hashed, unless they changed just before. Without the note they are only hashed again.
pub(crate) fn keep(path: &Path, stamps: Vec<Stamp>, blake3: String) -> io::Result<()> {
    if !stamps.iter().all(is_settled) {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let note = serde_json::to_vec(&Note { stamps, blake3 })?;
    whimbrel_files::write(path, Existing::Replace, Readers::Anyone, &note)
}

/// The hash of a file, if it was noted and no part of the file has changed since.
pub(crate) fn hash_noted(note: &Path, file: &Path) -> Option<String> {
    let note: Note = serde_json::from_slice(&fs::read(note).ok()?).ok()?;
    let files = match note.stamps.len() {
        1 => vec![file.to_owned()],
        _ => parts_beside(file)?,
    };
    let stamps = stamps(files.iter().map(PathBuf::as_path));
    let is_hash = note.blake3.len() == 64 && note.blake3.bytes().all(|byte| byte.is_ascii_hexdigit());
    (is_hash && stamps? == note.stamps).then_some(note.blake3)
}

fn stamp(file: &Path) -> Option<Stamp> {
    Stamp::of(&fs::metadata(file).ok()?)
}

fn is_settled(stamp: &Stamp) -> bool {
    let changed = u64::try_from(stamp.changed_ns).map(Duration::from_nanos);
    let since = changed.map(|changed| SystemTime::now().duration_since(SystemTime::UNIX_EPOCH + changed));
    matches!(since, Ok(Ok(since)) if since > SETTLED)
}

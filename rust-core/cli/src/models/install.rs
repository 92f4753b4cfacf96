//! The folder of installed models: pulling into it, removing from it, and the lock that keeps two programs from doing so at once.
//! A bundle appears there whole or not at all; what an interrupted pull had finished waits in `.pull/NAME` for the next one.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use serde::Serialize;
use whimbrel_client::message;
use whimbrel_engine::{MANIFEST_BYTES_MAX, MANIFEST_FILE, Manifest, ModelCard, Verify};
use whimbrel_files::{Existing, Readers};
use whimbrel_forge::{ImportOptions, Quantization};

use crate::error::CliError;
use crate::machine::paths;
use crate::models::catalogue::{Entry, Terms, is_name};
use crate::models::fetch;
use crate::models::import::import;
use crate::terminal::interrupt;

/// How often a lock that somebody else holds is tried again.
const LOCK_POLL: Duration = Duration::from_millis(100);

/// How a pull ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PullStatus {
    Installed,
    AlreadyInstalled,
    /// The installed files were damaged and have been replaced.
    Repaired,
    /// The catalogue says more about how the model is used than what was installed did.
    Updated,
}

/// Only one program at a time pulls or removes a model. The system lets go of the lock when the program ends, however it ends.
pub(crate) struct Lock(#[expect(dead_code, reason = "held until it is dropped")] whimbrel_files::Lock);

impl Lock {
    /// Waits until nobody else holds the lock of this model.
    ///
    /// # Errors
    /// [`CliError::Write`], [`CliError::Interrupted`].
    pub(crate) fn acquire(models: &Path, name: &str) -> Result<Lock, CliError> {
        let folder = models.join(".pull");
        fs::create_dir_all(&folder).map_err(CliError::write(&folder))?;
        let path = folder.join(format!("{name}.lock"));
        let mut waiting = false;
        loop {
            if let Some(lock) = whimbrel_files::Lock::try_acquire(&path).map_err(CliError::write(&path))? {
                return Ok(Lock(lock));
            }
            interrupt::check()?;
            if !waiting {
                eprintln!("another program is changing {name}; waiting for it");
                waiting = true;
            }
            thread::sleep(LOCK_POLL);
        }
    }
}

/// Makes sure that a catalogue model is installed and undamaged, and returns how and where. Before anything is fetched, `accept` is asked
/// whether the terms of the model are accepted, if it has any.
pub(crate) fn pull(
    entry: &Entry,
    models: &Path,
    accept: impl FnOnce(&Terms) -> Result<(), CliError>,
) -> Result<(PullStatus, PathBuf), CliError> {
    interrupt::install(false);
    let target = models.join(&entry.name);
    let _lock = Lock::acquire(models, &entry.name)?;
    let state = paths::verified();
    let work = models.join(".pull").join(&entry.name);
    let damaged = target.exists();
    if damaged {
        match whimbrel_engine::verify_and_remember(&target, Verify::Always, state.as_deref()) {
            Ok(manifest) => {
                clear(&work)?;
                let card = card(entry, &manifest);
                if manifest.card == card {
                    return Ok((PullStatus::AlreadyInstalled, target));
                }
                write_card(&target, Manifest { card, ..manifest })?;
                // The other files were verified just now.
                whimbrel_engine::verify_and_remember(&target, Verify::Remembered, state.as_deref())?;
                return Ok((PullStatus::Updated, target));
            }
            Err(error) => eprintln!("{} is damaged ({}); fetching it again", entry.name, message(&error)),
        }
    }
    // An unknown word in a catalogue of one's own is found before anything is fetched.
    let quantization: Quantization = entry.quantization.parse()?;
    if let Some(terms) = &entry.licence.terms {
        accept(terms)?;
    }
    fs::create_dir_all(&work).map_err(CliError::write(&work))?;
    let source = fetch::fetch(entry, &work)?;
    if damaged && !target.join(MANIFEST_FILE).is_file() {
        // An import replaces only what it recognises.
        whimbrel_forge::remove_bundle(&target)?;
    }
    import(ImportOptions {
        source,
        output: target.clone(),
        quantization,
        name: Some(entry.title.clone()),
        licence: Some(entry.licence.spdx.clone()),
        card: entry.card.clone(),
        origin: Some(entry.source.origin()),
        replace: damaged,
        ..ImportOptions::default()
    })?;
    // Here, so that the first answer need not wait for it.
    whimbrel_engine::verify_and_remember(&target, Verify::Always, state.as_deref())?;
    clear(&work)?;
    Ok((
        if damaged {
            PullStatus::Repaired
        } else {
            PullStatus::Installed
        },
        target,
    ))
}

/// What an installed bundle says of itself, if that can be read.
pub(crate) fn manifest(folder: &Path) -> Option<Manifest> {
    let path = folder.join(MANIFEST_FILE);
    if fs::metadata(&path).ok()?.len() > MANIFEST_BYTES_MAX {
        return None;
    }
    Manifest::parse(&fs::read(path).ok()?).ok()
}

/// The card that an installed bundle should have. Its languages may come from the model's own file.
fn card(entry: &Entry, installed: &Manifest) -> ModelCard {
    let mut card = entry.card.clone();
    if card.languages.is_empty() {
        card.languages.clone_from(&installed.card.languages);
    }
    card
}

/// Writes the manifest of an installed bundle whose card has changed.
fn write_card(folder: &Path, manifest: Manifest) -> Result<(), CliError> {
    let path = folder.join(MANIFEST_FILE);
    let text = manifest.sealed().to_text();
    whimbrel_files::write(&path, Existing::Replace, Readers::Anyone, text.as_bytes()).map_err(CliError::write(&path))
}

/// Removes an installed model and what a pull of it left behind; returns the bytes given back. A folder with files that are no part of a
/// bundle stays.
pub(crate) fn remove(models: &Path, name: &str) -> Result<u64, CliError> {
    let folder = models.join(name);
    let work = models.join(".pull").join(name);
    let bytes = folder_bytes(&folder) + folder_bytes(&work);
    if folder.is_dir() {
        whimbrel_forge::remove_bundle(&folder)?;
    }
    clear(&work)?;
    Ok(bytes)
}

/// Folders with a manifest, by name.
pub(crate) fn installed_names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<_> = names
        .filter(|name| is_name(name) && directory.join(name).join(MANIFEST_FILE).is_file())
        .collect();
    names.sort();
    names
}

/// The models of which an interrupted pull left something, by name.
pub(crate) fn interrupted_names(models: &Path) -> Vec<String> {
    let entries = fs::read_dir(models.join(".pull")).into_iter().flatten().flatten();
    let folders = entries.filter(|entry| entry.path().is_dir());
    let mut names: Vec<_> = folders
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.retain(|name| is_name(name));
    names.sort();
    names
}

/// Size of all files in a folder and below; what cannot be read counts nothing.
pub(crate) fn folder_bytes(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let size = |entry: fs::DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => folder_bytes(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    };
    entries.map(size).sum()
}

/// Removes a folder of `.pull`, if it is there.
pub(crate) fn clear(folder: &Path) -> Result<(), CliError> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(CliError::write(folder)(error)),
        _ => Ok(()),
    }
}

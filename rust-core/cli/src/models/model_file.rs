//! A model file used as a model: `whimbrel-models` keeps its bundle in the cache. Here that gets progress, Ctrl-C, and what the catalogue knows.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use whimbrel_engine::CancelFlag;
use whimbrel_forge::ModelFile;
use whimbrel_models::{Description, FileUse, Step};

use crate::error::CliError;
use crate::machine::paths;
use crate::models::catalogue::{Catalogue, Entry};
use crate::models::fetch::hex;
use crate::terminal::interrupt;
use crate::terminal::progress::Progress;

/// The bundle of a model file; it is made now unless it was made before.
///
/// # Errors
/// [`CliError::Models`]; [`CliError::NoHome`].
pub(crate) fn bundle(file: &Path) -> Result<PathBuf, CliError> {
    let cache = paths::imported()?;
    let state_folder = paths::verified();
    let cancel = CancelFlag::default();
    let flag = cancel.clone();
    let _guard = interrupt::on_raise(move || flag.cancel());
    let wanted = FileUse {
        file,
        cache: &cache,
        state_folder: state_folder.as_deref(),
        describe: &in_catalogue,
        cancel,
    };
    let (mut hashing, mut importing) = (None, None);
    let mut watch = |step: Step| match step {
        Step::Hashing {
            bytes_done,
            bytes_total,
        } => {
            let bar = hashing.get_or_insert_with(|| Progress::bytes("hashing", bytes_total));
            bar.set(bytes_done);
        }
        Step::Waiting => eprintln!("another program is importing {}; waiting for it", file.display()),
        Step::Importing(progress) => {
            hashing = None;
            let bar = importing.get_or_insert_with(|| Progress::bytes("importing", progress.bytes_total));
            bar.set(progress.bytes_done);
        }
        Step::Noticed(notice) => {
            importing = None;
            eprintln!("note: {notice}");
        }
    };
    Ok(whimbrel_models::bundle_of(&wanted, &mut watch)?)
}

/// What the catalogue says of a file that it has, such as how the model is meant to be used. Without a catalogue nothing is known.
pub(crate) fn in_catalogue(file: &ModelFile) -> Option<Description> {
    let mut contents = file.contents();
    let (Some(content), None) = (contents.next(), contents.next()) else {
        return None;
    };
    let is_it = |entry: &Entry| {
        let known = entry.source.file();
        known.bytes == content.len() as u64 && known.sha256 == hex(&Sha256::digest(content))
    };
    let known = Catalogue::load().ok()?.models.into_iter().find(is_it)?;
    Some(Description {
        name: known.title,
        licence: known.licence.spdx,
        card: known.card,
    })
}

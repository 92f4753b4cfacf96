//! Model files used as models. At its first use a file is imported into a cache, and from then on its bundle answers. The bundle belongs to
//! the bytes of the file, whatever the file is called and wherever it lies: it is found by their hash.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use whimbrel_engine::{CancelFlag, MANIFEST_FILE, ModelCard, Verify};
use whimbrel_forge::{
    ForgeError, ImportOptions, ModelFile, Notice, Phase, Progress, Quantization, clear_unfinished, import_with_notices,
    remove_bundle, summarize,
};

use crate::{ModelsError, note};

/// Bytes that are hashed between two looks at the cancel flag.
const HASH_CHUNK_BYTES: usize = 16 << 20;
/// How often an import that another program makes is looked for.
const POLL: Duration = Duration::from_millis(100);

/// A model file that is wanted as a bundle.
pub struct FileUse<'u> {
    /// The file, or any part of a split one.
    pub file: &'u Path,
    /// The folder with the bundles of all files.
    pub cache: &'u Path,
    /// Where it is remembered that a bundle was verified, if its own folder cannot be written.
    pub state_folder: Option<&'u Path>,
    /// What somebody knows of the file that it does not say itself. Called once, before an import.
    pub describe: &'u dyn Fn(&ModelFile) -> Option<Description>,
    /// Cancels the import, which leaves nothing then.
    pub cancel: CancelFlag,
}

/// What a file does not say itself.
#[derive(Clone, Debug, Default)]
pub struct Description {
    /// The model's name.
    pub name: String,
    /// The licence as an SPDX expression.
    pub licence: String,
    /// How the model is meant to be used.
    pub card: ModelCard,
}

/// What happens meanwhile.
#[derive(Clone, Debug)]
pub enum Step {
    /// The file is read for its hash.
    Hashing {
        /// Bytes read so far.
        bytes_done: u64,
        /// Bytes of the file.
        bytes_total: u64,
    },
    /// Another program imports the same file, and this one waits for it.
    Waiting,
    /// The file is imported.
    Importing(Progress),
    /// What a person should know of the bundle.
    Noticed(Notice),
}

/// The bundle of a model file; it is made now unless it was made before. A file that cannot be imported is refused before anything is written.
///
/// # Errors
/// [`ModelsError`]. Cancelling is [`ForgeError::Cancelled`].
pub fn bundle_of(wanted: &FileUse<'_>, watch: &mut dyn FnMut(Step)) -> Result<PathBuf, ModelsError> {
    let FileUse { file, cache, .. } = *wanted;
    let path = std::path::absolute(file).map_err(|source| ModelsError::Read {
        path: file.to_owned(),
        source,
    })?;
    let note = note::path(cache, &path);
    let known = note::hash_noted(&note, &path).map(|hash| cache.join(hash));
    if let Some(bundle) = known.filter(|bundle| is_bundle(bundle)) {
        return Ok(bundle);
    }
    let source = ModelFile::open(file)?;
    let stamps = note::stamps(source.paths());
    summarize(&source.parse()?, Quantization::Keep)?;
    let hash = hash(&source, &wanted.cancel, watch)?;
    let bundle = cache.join(&hash);
    if !is_bundle(&bundle) {
        make(wanted, &source, &bundle, &hash, watch)?;
    }
    if let Some(stamps) = stamps {
        // Without the note the file is only hashed again.
        let _ = note::keep(&note, stamps, hash);
    }
    Ok(bundle)
}

fn is_bundle(folder: &Path) -> bool {
    folder.join(MANIFEST_FILE).is_file()
}

/// The hash of the file; of parts, of their bytes one after another.
fn hash(file: &ModelFile, cancel: &CancelFlag, watch: &mut dyn FnMut(Step)) -> Result<String, ModelsError> {
    let bytes_total = file.bytes();
    let (mut hasher, mut bytes_done) = (blake3::Hasher::new(), 0);
    for chunk in file.contents().flat_map(|content| content.chunks(HASH_CHUNK_BYTES)) {
        if cancel.is_cancelled() {
            return Err(ForgeError::Cancelled.into());
        }
        hasher.update(chunk);
        bytes_done += chunk.len() as u64;
        watch(Step::Hashing {
            bytes_done,
            bytes_total,
        });
    }
    Ok(hasher.finalize().to_hex().to_string())
}

/// Imports the file, or waits until somebody else has.
fn make(
    wanted: &FileUse<'_>,
    source: &ModelFile,
    bundle: &Path,
    hash: &str,
    watch: &mut dyn FnMut(Step),
) -> Result<(), ModelsError> {
    clear_unfinished(wanted.cache)?;
    let description = (wanted.describe)(source);
    let options = ImportOptions {
        source: wanted.file.to_owned(),
        output: bundle.to_owned(),
        name: description.as_ref().map(|known| known.name.clone()),
        licence: description.as_ref().map(|known| known.licence.clone()),
        card: description.map(|known| known.card).unwrap_or_default(),
        cancel: wanted.cancel.clone(),
        ..ImportOptions::default()
    };
    let mut is_waiting = false;
    let (manifest, notices) = loop {
        let mut notices = Vec::new();
        let mut progress = |progress: Progress| {
            if progress.phase != Phase::Finishing {
                watch(Step::Importing(progress));
            }
        };
        match import_with_notices(&options, &mut progress, &mut |notice| notices.push(notice)) {
            Ok(manifest) => break (manifest, notices),
            Err(ForgeError::OutputInUse { .. }) => {}
            // Somebody else was faster.
            Err(ForgeError::OutputExists { .. }) if is_bundle(bundle) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        if wanted.cancel.is_cancelled() {
            return Err(ForgeError::Cancelled.into());
        }
        if !std::mem::replace(&mut is_waiting, true) {
            watch(Step::Waiting);
        }
        thread::sleep(POLL);
    };
    if manifest.source.blake3 != hash {
        // The bundle is of other bytes than those that it is called after.
        remove_bundle(bundle)?;
        return Err(ModelsError::Changed {
            path: wanted.file.to_owned(),
        });
    }
    notices.into_iter().for_each(|notice| watch(Step::Noticed(notice)));
    // Here, so that the first answer need not wait for it.
    whimbrel_engine::verify_and_remember(bundle, Verify::Always, wanted.state_folder)?;
    Ok(())
}

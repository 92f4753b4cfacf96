//! The output folder of an import, and which files make a folder a bundle that may be replaced or removed. How a folder comes
//! to its place is known by `whimbrel-files`.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use whimbrel_engine::{MANIFEST_BYTES_MAX, MANIFEST_FILE, Manifest, RECORD_FILE};
use whimbrel_files::{
    FolderKind, NewFolder, clear_unfinished as clear_unfinished_folders, is_unfinished, remove_folder,
};

use crate::ForgeError;

/// Bytes of a manifest that are looked at to recognise one.
const MANIFEST_HEAD_BYTES: u64 = 256;
/// The files of every bundle, besides the manifest.
const ROOT_FILES: [&str; 3] = ["tokenizer.bin", "chat_template.jinja", RECORD_FILE];
/// The files of every variant's folder.
const VARIANT_FILES: [&str; 3] = ["graph.nnef", "weights.json", "weights.bin"];

/// A bundle being written. Dropping it removes everything that was written.
pub(crate) struct PartialFolder {
    folder: NewFolder,
    replaces: bool,
}

impl PartialFolder {
    /// Checks that the output may be written and starts an empty folder beside it. Missing folders above it are made.
    ///
    /// # Errors
    /// [`ForgeError::OutputExists`], [`ForgeError::OutputInUse`], [`ForgeError::Option`] for a path without a name,
    /// [`ForgeError::Write`], [`ForgeError::DiskFull`].
    pub(crate) fn create(output: &Path, replaces: bool) -> Result<PartialFolder, ForgeError> {
        if output.file_name().is_none() {
            let reason = format!("{} does not name a folder", output.display());
            return Err(ForgeError::Option {
                option: "output",
                reason,
            });
        }
        let folder = NewFolder::begin(output, &Bundle::Whole, replaces)?;
        Ok(PartialFolder { folder, replaces })
    }

    /// Starts a file in the folder, given by its path in the bundle, and the folders it needs.
    pub(crate) fn create_file(&self, path: &str) -> Result<(File, PathBuf), ForgeError> {
        let path = self.folder.path().join(path);
        let write = |error| ForgeError::write(&path, error);
        let folder = path.parent().expect("files of a bundle lie in a folder");
        fs::create_dir_all(folder).map_err(write)?;
        let file = File::create_new(&path).map_err(write)?;
        Ok((file, path))
    }

    /// Writes a whole file, to the disk and not only to the system's memory.
    pub(crate) fn write_file(&self, path: &str, content: &[u8]) -> Result<(), ForgeError> {
        let (mut file, path) = self.create_file(path)?;
        file.write_all(content)
            .and_then(|()| file.sync_all())
            .map_err(|error| ForgeError::write(&path, error))
    }

    /// Puts the complete folder in its place.
    ///
    /// # Errors
    /// [`ForgeError::OutputExists`] when something appeared at the place meanwhile, [`ForgeError::Write`]; the output is then
    /// as it was before.
    pub(crate) fn commit(self, variant: &str) -> Result<(), ForgeError> {
        let variant = self.folder.path().join(variant);
        File::open(&variant)
            .and_then(|folder| folder.sync_all())
            .map_err(|error| ForgeError::write(&variant, error))?;
        Ok(self.folder.commit(&Bundle::Whole, self.replaces)?)
    }
}

/// Removes a bundle, whole or damaged.
///
/// # Errors
/// [`ForgeError::OutputExists`] when it holds a file that is not part of a bundle, and nothing is removed then;
/// [`ForgeError::OutputInUse`] while another program writes there; [`ForgeError::Write`].
pub fn remove_bundle(folder: &Path) -> Result<(), ForgeError> {
    Ok(remove_folder(folder, &Bundle::Damaged)?)
}

/// Removes what killed imports left of the bundles that they wrote directly in `folder`. What others write now stays.
///
/// # Errors
/// As [`remove_bundle`].
pub fn clear_unfinished(folder: &Path) -> Result<(), ForgeError> {
    Ok(clear_unfinished_folders(folder, &Bundle::Damaged)?)
}

/// Bundles, as folders that may be replaced or removed.
enum Bundle {
    /// With a manifest of ours; its other files may be damaged.
    Whole,
    /// Perhaps without a manifest.
    Damaged,
}

impl FolderKind for Bundle {
    fn refusal(&self, folder: &Path) -> Option<String> {
        let is_folder = fs::symlink_metadata(folder).is_ok_and(|found| found.is_dir());
        let is_bundle = match self {
            Bundle::Whole => has_manifest(folder),
            Bundle::Damaged => true,
        };
        if !is_folder || !is_bundle {
            return Some("it is not a bundle, so it was kept".to_owned());
        }
        match split(folder) {
            Ok((_, foreign)) => foreign.first().map(|file| {
                format!(
                    "it contains {}, which is not part of a bundle, so it was kept",
                    file.display()
                )
            }),
            Err(error) => Some(format!("it cannot be searched ({error}), so it was kept")),
        }
    }

    fn files(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        let (mut files, _) = split(folder)?;
        // The manifest lists the others, so it goes last.
        files.sort_by_key(|file| file == Path::new(MANIFEST_FILE));
        Ok(files)
    }
}

/// Whether a folder has a manifest of ours; a damaged bundle has one too.
fn has_manifest(folder: &Path) -> bool {
    let mut head = Vec::new();
    let read = File::open(folder.join(MANIFEST_FILE))
        .and_then(|manifest| manifest.take(MANIFEST_HEAD_BYTES).read_to_end(&mut head));
    read.is_ok() && String::from_utf8_lossy(&head).contains("\"whimbrel-bundle\"")
}

/// The files below a folder that are a bundle's, and those that are not.
fn split(folder: &Path) -> io::Result<(Vec<PathBuf>, Vec<PathBuf>)> {
    let listed = listed_files(folder);
    let (mut own, mut foreign) = (Vec::new(), Vec::new());
    let mut waiting = vec![PathBuf::new()];
    while let Some(inner) = waiting.pop() {
        for entry in fs::read_dir(folder.join(&inner))? {
            let entry = entry?;
            let path = inner.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                waiting.push(path);
            } else if listed.contains(&path) || is_of_a_bundle(&path) {
                own.push(path);
            } else {
                foreign.push(path);
            }
        }
    }
    foreign.sort();
    Ok((own, foreign))
}

/// What the manifest names, if it can be read.
fn listed_files(folder: &Path) -> Vec<PathBuf> {
    let mut text = Vec::new();
    let read = File::open(folder.join(MANIFEST_FILE))
        .and_then(|manifest| manifest.take(MANIFEST_BYTES_MAX).read_to_end(&mut text));
    match read.map(|_| Manifest::parse(&text)) {
        Ok(Ok(manifest)) => manifest.files().iter().map(|file| PathBuf::from(&file.path)).collect(),
        _ => Vec::new(),
    }
}

/// Whether every bundle has a file of this name there, or a file that was being written when the engine was killed.
fn is_of_a_bundle(path: &Path) -> bool {
    let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
    let is_leftover = |name: &str| {
        [MANIFEST_FILE, RECORD_FILE]
            .iter()
            .any(|file| is_unfinished(name, file))
    };
    match parts.as_slice() {
        [name] => **name == *MANIFEST_FILE || ROOT_FILES.contains(&&**name) || is_leftover(name),
        [_, name] => VARIANT_FILES.contains(&&**name),
        _ => false,
    }
}

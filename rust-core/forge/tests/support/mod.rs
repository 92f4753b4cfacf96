//! What the tests of this crate share: synthetic model files in a folder of their own, and looking at what is left there.
#![allow(clippy::unwrap_used, dead_code, unreachable_pub)]

use std::path::{Path, PathBuf};

use whimbrel_engine::{Manifest, WeightsIndex};
use whimbrel_forge::synthetic::Synthetic;
use whimbrel_forge::{ForgeError, ImportOptions, Quantization, import};

/// A folder with a model file in it.
pub struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    pub fn new(file: &[u8]) -> Desk {
        // In memory where that is possible: every import waits for the disk, and some tests import a thousand times.
        let folder = tempfile::tempdir_in("/dev/shm")
            .or_else(|_| tempfile::tempdir())
            .unwrap();
        std::fs::write(folder.path().join("model.gguf"), file).unwrap();
        Desk { folder }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn source(&self) -> PathBuf {
        self.path().join("model.gguf")
    }

    pub fn output(&self) -> PathBuf {
        self.path().join("bundle")
    }

    pub fn options(&self) -> ImportOptions {
        ImportOptions {
            source: self.source(),
            output: self.output(),
            threads: 1,
            ..ImportOptions::default()
        }
    }

    pub fn import(&self) -> Result<Manifest, ForgeError> {
        import(&self.options(), &mut |_| ())
    }

    pub fn import_as(&self, quantization: Quantization) -> Manifest {
        import(
            &ImportOptions {
                quantization,
                replace: true,
                ..self.options()
            },
            &mut |_| (),
        )
        .unwrap()
    }

    /// The names in the folder, sorted, hidden ones too.
    pub fn names(&self) -> Vec<String> {
        names(self.path())
    }
}

pub fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Every file below a folder with its content, sorted by path.
pub fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for name in names(folder) {
        // What the engine remembers of a bundle is no part of it.
        if name.starts_with(whimbrel_engine::RECORD_FILE) {
            continue;
        }
        let path = folder.join(name);
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            let content = std::fs::read(&path).unwrap();
            found.push((path, content));
        }
    }
    found
}

/// A small model, quick to write and to import.
pub fn small() -> Synthetic {
    Synthetic {
        layers: 1,
        width: 32,
        feed_forward: 64,
        heads: 2,
        kv_heads: 1,
        vocabulary: 300,
        ..Synthetic::default()
    }
}

/// The tensors of a bundle's only variant as floats, by name.
pub fn tensors(bundle: &Path, manifest: &Manifest) -> Vec<(String, Vec<Vec<f32>>)> {
    let variant = &manifest.variants[0];
    let weights = std::fs::read(bundle.join(&variant.weights.path)).unwrap();
    let index = std::fs::read(bundle.join(&variant.index.path)).unwrap();
    let index = WeightsIndex::parse(&index, weights.len() as u64).unwrap();
    let read = |tensor: &whimbrel_engine::TensorEntry| {
        let row = |row: u32| {
            let mut values = vec![0.0; tensor.columns as usize];
            let packed = &weights[tensor.offset as usize..];
            whimbrel_kernels::unpack_row(tensor.tensor_type, packed, row as usize, &mut values);
            values
        };
        (tensor.name.clone(), (0..tensor.rows).map(row).collect())
    };
    index.tensors.iter().map(read).collect()
}

/// A file with a few bytes replaced by as many others.
pub fn replaced(file: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let position = file.windows(from.len()).position(|window| window == from).unwrap();
    let mut changed = file.to_vec();
    changed[position..position + to.len()].copy_from_slice(to);
    changed
}

/// A text as GGUF stores it, with its length before it.
pub fn stored(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat()
}

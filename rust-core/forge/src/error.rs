//! Errors of importing a model file. Messages name files, keys, tensors, limits and byte offsets.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use whimbrel_engine::EngineError;
use whimbrel_files::FolderError;

use crate::GgufError;

/// All errors of an import. No part of the output is left behind in any case.
#[derive(Debug, thiserror::Error)]
pub enum ForgeError {
    /// The source could not be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: std::io::Error,
    },
    /// The output could not be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: std::io::Error,
    },
    /// The disk is full, or the user's quota is used up.
    #[error("no space left for {}", path.display())]
    DiskFull {
        /// The file that could not grow.
        path: PathBuf,
    },
    /// Something already exists at the path of the bundle.
    #[error("{} exists, and {reason}", path.display())]
    OutputExists {
        /// The output folder.
        path: PathBuf,
        /// Why it is not replaced.
        reason: String,
    },
    /// Another program is making or removing a bundle at the same place.
    #[error("another program is writing {}", path.display())]
    OutputInUse {
        /// The output folder.
        path: PathBuf,
    },
    /// The source is not a readable GGUF file.
    #[error(transparent)]
    Gguf(#[from] GgufError),
    /// A part of a split source is not there.
    #[error("part {number} of {count} is missing: {}", path.display())]
    PartMissing {
        /// Where it should be.
        path: PathBuf,
        /// Which part it is, from 1.
        number: u32,
        /// How many parts there are.
        count: u32,
    },
    /// A part of a split source is not a readable GGUF file.
    #[error("{}", path.display())]
    Part {
        /// The part.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: GgufError,
    },
    /// A part of a split source does not belong to the others.
    #[error("{}: {reason}", path.display())]
    PartForeign {
        /// The part.
        path: PathBuf,
        /// Why it does not belong to them.
        reason: String,
    },
    /// The source uses a feature that this version cannot import.
    #[error("{what} {found:?} is not supported; supported: {supported}")]
    Unsupported {
        /// The kind of feature: architecture, tensor type, tokenizer model, pre-tokenizer, rope scaling type and so on.
        what: &'static str,
        /// Its name in the file.
        found: String,
        /// The names that are supported, separated by commas.
        supported: String,
    },
    /// A key has an impossible value.
    #[error("key {key}: {reason}")]
    Key {
        /// The metadata key.
        key: String,
        /// What is wrong with its value.
        reason: String,
    },
    /// A tensor is missing, has the wrong shape or contains values that cannot be stored.
    #[error("tensor {tensor}: {reason}")]
    Tensor {
        /// The tensor's name in the file.
        tensor: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The vocabulary is inconsistent.
    #[error("vocabulary: {reason}")]
    Vocabulary {
        /// The token or merge, and what is wrong with it.
        reason: String,
    },
    /// An option is out of range.
    #[error("{option}: {reason}")]
    Option {
        /// The option's name.
        option: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The process may not have the memory that the import needs.
    #[error("not enough memory for the import ({bytes} bytes)")]
    Memory {
        /// Bytes asked for.
        bytes: u64,
        /// The system's reason.
        #[source]
        source: std::io::Error,
    },
    /// The engine would not accept what would be written.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The caller cancelled.
    #[error("cancelled")]
    Cancelled,
}

impl From<FolderError> for ForgeError {
    fn from(error: FolderError) -> ForgeError {
        match error {
            FolderError::Exists { path, reason } => ForgeError::OutputExists { path, reason },
            FolderError::InUse { path } => ForgeError::OutputInUse { path },
            FolderError::Io { path, source } => ForgeError::write(&path, source),
        }
    }
}

impl ForgeError {
    /// A failed write: a full disk is told apart from every other reason.
    pub(crate) fn write(path: &Path, source: std::io::Error) -> ForgeError {
        match source.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => ForgeError::DiskFull { path: path.to_owned() },
            _ => ForgeError::Write {
                path: path.to_owned(),
                source,
            },
        }
    }

    pub(crate) fn read(path: &Path, source: std::io::Error) -> ForgeError {
        ForgeError::Read {
            path: path.to_owned(),
            source,
        }
    }

    pub(crate) fn key(key: &str, reason: impl Into<String>) -> ForgeError {
        ForgeError::Key {
            key: key.to_owned(),
            reason: reason.into(),
        }
    }

    pub(crate) fn tensor(tensor: &str, reason: impl Into<String>) -> ForgeError {
        ForgeError::Tensor {
            tensor: tensor.to_owned(),
            reason: reason.into(),
        }
    }
}

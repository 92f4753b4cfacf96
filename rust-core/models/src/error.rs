//! Why a model did not come onto the device.

use std::path::PathBuf;

use whimbrel_engine::EngineError;
use whimbrel_forge::ForgeError;

/// See the module. Nothing is left behind of a bundle that was not completed.
#[derive(Debug, thiserror::Error)]
pub enum ModelsError {
    /// The model file could not be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: std::io::Error,
    },
    /// The model file was written to while it was read.
    #[error("{} changed while it was imported", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// The import failed, or was cancelled.
    #[error(transparent)]
    Forge(#[from] ForgeError),
}

impl From<EngineError> for ModelsError {
    fn from(error: EngineError) -> ModelsError {
        ModelsError::Forge(error.into())
    }
}

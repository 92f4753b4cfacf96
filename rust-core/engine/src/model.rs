//! An opened bundle: the mapped weights, the planned graph, the tokenizer and the chat template, shared by all sessions.

use std::path::Path;
use std::sync::Arc;

use crate::{ChatTemplate, EngineError, Manifest, Tokenizer};

/// How a bundle is opened.
#[derive(Clone, Debug)]
pub struct OpenOptions {
    /// Threads that compute; 0 takes the number of performance cores.
    pub threads: u32,
    /// Whether sizes and hashes of all files are checked first.
    pub verify: bool,
    /// The variant's name; `None` takes the first.
    pub variant: Option<String>,
}

impl Default for OpenOptions {
    fn default() -> Self {
        OpenOptions { threads: 0, verify: true, variant: None }
    }
}

/// A model ready to run. Cheap to share, immutable.
pub struct Model {}

impl Model {
    /// Opens a bundle folder.
    ///
    /// # Errors
    /// [`EngineError::BundleMissing`], [`EngineError::Manifest`], [`EngineError::Corrupt`] … : whatever is wrong with it.
    pub fn open(folder: &Path, options: &OpenOptions) -> Result<Arc<Model>, EngineError> {
        let _ = (folder, options);
        unimplemented!()
    }

    /// What the bundle says of itself.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        unimplemented!()
    }

    /// Text to tokens and back.
    #[must_use]
    pub fn tokenizer(&self) -> &Tokenizer {
        unimplemented!()
    }

    /// The chat template, if the model has one.
    #[must_use]
    pub fn chat_template(&self) -> Option<&ChatTemplate> {
        unimplemented!()
    }

    /// Threads that compute.
    #[must_use]
    pub fn threads(&self) -> u32 {
        unimplemented!()
    }

    /// Milliseconds that opening took, verification included.
    #[must_use]
    pub fn load_ms(&self) -> f64 {
        unimplemented!()
    }

    /// Transformer layers in the graph.
    #[must_use]
    pub fn layers(&self) -> u32 {
        unimplemented!()
    }
}

//! A model that is open on the inference thread.

use std::sync::Arc;

use whimbrel_engine::{GenerationOptions, Manifest};

use crate::command::Prompt;
use crate::link::Guard;
use crate::registry::{ModelId, Owner};
use crate::{InferenceError, Stream};

/// Properties of an open model.
#[derive(Clone, Debug)]
pub struct ModelInfo {
    /// The bundle's manifest.
    pub manifest: Manifest,
    /// The variant that was opened.
    pub variant: String,
    /// Bytes of keys and values per token of context.
    pub kv_bytes_per_token: u64,
    /// As [`whimbrel_engine::Model::context_binding`].
    pub context_binding: [u8; 32],
    /// Number of threads that compute.
    pub threads: u32,
    /// Number of transformer layers in the graph.
    pub layers: u32,
    /// How long opening took, in milliseconds, verification included.
    pub load_ms: f64,
    /// Whether the model supports conversations.
    pub has_chat_template: bool,
    /// Whether the chat template has a place for a system message; where it has none, the text stands in front of the first question.
    pub takes_system: bool,
    /// Whether the chat template prints the date.
    pub is_told_date: bool,
    /// Whether the model can think before it answers, so that [`GenerationOptions::thinking`] may be switched on.
    pub can_think: bool,
}

/// An open model. Clones refer to the same model. It is closed by [`OpenModel::close`], or when it and its sessions and answers are
/// dropped.
#[derive(Clone)]
pub struct OpenModel {
    pub(crate) inner: Arc<ModelInner>,
}

pub(crate) struct ModelInner {
    pub(crate) guard: Guard,
    pub(crate) id: ModelId,
    pub(crate) info: ModelInfo,
}

impl OpenModel {
    /// The model's properties. Also available after it was closed.
    #[must_use]
    pub fn info(&self) -> &ModelInfo {
        &self.inner.info
    }

    /// Continues a raw text without a chat template, in a context of its own. Special tokens in the text are tokens. The
    /// beginning-of-sequence token is added if the tokenizer asks for it.
    ///
    /// # Errors
    /// [`InferenceError::Engine`] if the text does not fit the context or an option is invalid; [`InferenceError::Limit`] beyond
    /// [`crate::ANSWERS_MAX`]; [`InferenceError::Closed`].
    pub async fn continue_text(
        &self,
        text: String,
        context_length: u32,
        options: GenerationOptions,
    ) -> Result<Stream, InferenceError> {
        let owner = Owner {
            model: self.inner.id,
            session: None,
        };
        let prompt = Prompt::Raw { text, context_length };
        let link = self.inner.guard.link.clone();
        Stream::begin(link, owner, prompt, options, Box::new(self.clone())).await
    }

    /// Cancels the model's answers, and closes the model and its sessions. Returns at once, and may be called again.
    pub fn close(&self) {
        self.inner.guard.close();
    }
}

//! A model that the inference thread opened.

use std::sync::Arc;

use whimbrel_engine::{GenerationOptions, Manifest};

use crate::command::Prompt;
use crate::link::Guard;
use crate::registry::{ModelId, Owner};
use crate::{InferenceError, Stream};

/// What is known of an open model.
#[derive(Clone, Debug)]
pub struct ModelInfo {
    /// What the bundle says of itself.
    pub manifest: Manifest,
    /// The variant that was opened.
    pub variant: String,
    /// Bytes of keys and values that one token of context takes.
    pub kv_bytes_per_token: u64,
    /// Threads that compute.
    pub threads: u32,
    /// Transformer layers in the graph.
    pub layers: u32,
    /// Milliseconds that opening took, verification included.
    pub load_ms: f64,
    /// Whether conversations are possible.
    pub has_chat_template: bool,
    /// Whether the chat template has a place for a system message; where it has none, the text stands in front of the first question.
    pub takes_system: bool,
}

/// An open model. Clones are the same model; it is closed when it and its sessions and answers are dropped, or by [`OpenModel::close`].
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
    /// What is known of the model; also after it was closed.
    #[must_use]
    pub fn info(&self) -> &ModelInfo {
        &self.inner.info
    }

    /// Goes on from a raw text, without a chat template, in a context of its own. Special tokens in the text are tokens; the
    /// beginning-of-sequence token is added if the tokenizer says so.
    ///
    /// # Errors
    /// [`InferenceError::Engine`] when the context or an option does not allow it; [`InferenceError::Limit`] past [`crate::ANSWERS_MAX`];
    /// [`InferenceError::Closed`].
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

    /// Cancels the model's answers and closes it and its sessions. Returns at once; may be called again.
    pub fn close(&self) {
        self.inner.guard.close();
    }
}

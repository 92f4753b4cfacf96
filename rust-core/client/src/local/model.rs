//! A model that the client opened.

use std::sync::Arc;

use super::command::Prompt;
use super::link::Guard;
use super::registry::{ModelId, Owner};
use super::stream::Stream;
use crate::error::within;
use crate::services::Services;
use crate::{
    ClientError, Conversation, ConversationOptions, EngineError, GenerationOptions, Manifest, PROMPT_BYTES_MAX,
};

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
}

/// An open model. Clones are the same model; it is closed when it and its conversations and answers are dropped, or by
/// [`Model::close`].
#[derive(Clone)]
pub struct Model {
    pub(super) inner: Arc<ModelInner>,
}

pub(super) struct ModelInner {
    pub(super) guard: Guard,
    pub(super) id: ModelId,
    pub(super) info: ModelInfo,
    /// For conversations without a policy.
    pub(super) services: Arc<Services>,
}

impl Model {
    /// What is known of the model; also after it was closed.
    #[must_use]
    pub fn info(&self) -> &ModelInfo {
        &self.inner.info
    }

    /// Starts a conversation with this model alone: no policy, no ledger. Its context is reserved with the first question.
    ///
    /// # Errors
    /// [`ClientError::Engine`] for a context length out of range or a model without a chat template; [`ClientError::Limit`] past
    /// [`PROMPT_BYTES_MAX`].
    pub fn conversation(&self, options: ConversationOptions) -> Result<Conversation, ClientError> {
        let system = options.system.as_deref().map_or(0, |text| text.len() as u64);
        within("bytes of system message", system, PROMPT_BYTES_MAX)?;
        let longest = self.info().manifest.context_length;
        if !(1..=longest).contains(&options.context_length) {
            return Err(EngineError::Option {
                option: "context length",
                expected: format!("1 to {longest}, the model's own"),
                found: options.context_length.to_string(),
            }
            .into());
        }
        if !self.info().has_chat_template {
            return Err(EngineError::Template {
                reason: "the model has none, so it cannot hold a conversation".into(),
            }
            .into());
        }
        Ok(Conversation::new(
            self.inner.services.clone(),
            Some(self.clone()),
            options,
        ))
    }

    /// Goes on from a raw text, without a chat template, in a context of its own. Special tokens in the text are tokens; the
    /// beginning-of-sequence token is added if the tokenizer says so.
    ///
    /// # Errors
    /// [`ClientError::Limit`] past [`PROMPT_BYTES_MAX`]; [`ClientError::Engine`] for an option out of its range. What the context does not allow,
    /// the answer says.
    pub fn complete(
        &self,
        prompt: &str,
        context_length: u32,
        options: GenerationOptions,
    ) -> Result<crate::Answer, ClientError> {
        within("bytes of prompt", prompt.len() as u64, PROMPT_BYTES_MAX)?;
        Conversation::complete(
            &self.inner.services,
            self.clone(),
            prompt.to_owned(),
            context_length,
            options,
        )
    }

    /// The engine's answer to a raw text.
    pub(crate) async fn continue_text(
        &self,
        text: String,
        context_length: u32,
        options: GenerationOptions,
    ) -> Result<Stream, ClientError> {
        let owner = Owner {
            model: self.inner.id,
            session: None,
        };
        let prompt = Prompt::Raw { text, context_length };
        let link = self.inner.guard.link.clone();
        Stream::begin(link, owner, prompt, options, Box::new(self.clone())).await
    }

    /// Cancels the model's answers and closes it and its conversations. Returns at once; may be called again.
    pub fn close(&self) {
        self.inner.guard.close();
    }
}

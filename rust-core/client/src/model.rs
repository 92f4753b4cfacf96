//! A model that the client opened.

use std::sync::Arc;

use crate::answer::Answer;
use crate::client::Guard;
use crate::command::{Command, Prompt};
use crate::conversation::{Conversation, ConversationInner};
use crate::error::within;
use crate::registry::{ModelId, Owned, Owner};
use crate::{ClientError, ConversationOptions, GenerationOptions, Manifest, PROMPT_BYTES_MAX};

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
/// [`ModelHandle::close`].
#[derive(Clone)]
pub struct ModelHandle {
    pub(crate) inner: Arc<ModelInner>,
}

pub(crate) struct ModelInner {
    pub(crate) guard: Guard,
    pub(crate) id: ModelId,
    pub(crate) info: ModelInfo,
}

impl ModelHandle {
    /// What is known of the model; also after it was closed.
    #[must_use]
    pub fn info(&self) -> &ModelInfo {
        &self.inner.info
    }

    /// Starts a conversation and reserves the memory for its context.
    ///
    /// # Errors
    /// [`ClientError::Engine`] for a context length out of range, too little memory or a model without a chat template;
    /// [`ClientError::Limit`] past [`crate::CONVERSATIONS_MAX`] or [`PROMPT_BYTES_MAX`]; [`ClientError::Closed`].
    pub async fn conversation(&self, options: ConversationOptions) -> Result<Conversation, ClientError> {
        within(
            "bytes of system message",
            options.system.as_ref().map_or(0, |text| text.len() as u64),
            PROMPT_BYTES_MAX,
        )?;
        let link = &self.inner.guard.link;
        let (id, model) = (link.registry.conversation_id(), self.inner.id);
        // Made first, so that dropping this future half-way closes what the thread opened.
        let guard = Guard {
            link: link.clone(),
            owned: Owned::Conversation(id),
        };
        link.request(|reply| Command::OpenConversation {
            id,
            model,
            options,
            reply,
        })
        .await?;
        Ok(Conversation {
            inner: Arc::new(ConversationInner {
                guard,
                id,
                model: self.inner.clone(),
            }),
        })
    }

    /// Goes on from a raw text, without a chat template, in a context of its own. Special tokens in the text are tokens; the
    /// beginning-of-sequence token is added if the tokenizer says so.
    ///
    /// # Errors
    /// As [`Conversation::ask`], and for a context length out of range.
    pub async fn complete(
        &self,
        prompt: &str,
        context_length: u32,
        options: GenerationOptions,
    ) -> Result<Answer, ClientError> {
        within("bytes of prompt", prompt.len() as u64, PROMPT_BYTES_MAX)?;
        let owner = Owner {
            model: self.inner.id,
            conversation: None,
        };
        let prompt = Prompt::Raw {
            text: prompt.into(),
            context_length,
        };
        Answer::begin(
            self.inner.guard.link.clone(),
            owner,
            prompt,
            options,
            Box::new(self.clone()),
        )
        .await
    }

    /// Cancels the model's answers and closes it and its conversations. Returns at once; may be called again.
    pub fn close(&self) {
        self.inner.guard.close();
    }
}

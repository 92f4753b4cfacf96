//! Models on this device: opening them, and conversations with a single model.

use std::path::PathBuf;
use std::sync::Arc;

use whimbrel_inference::{Inference, ModelInfo, OpenModel};

use crate::error::within;
use crate::places::Places;
use crate::ports::Ports;
use crate::services::{Services, runtime};
use crate::{
    Answer, ClientError, Conversation, ConversationOptions, EngineError, GenerationOptions, OpenOptions,
    PROMPT_BYTES_MAX, Request,
};

/// Opens models. Clones refer to the same client. It ends when it is closed, or when the last clone and the last of its models,
/// conversations and answers are dropped.
#[derive(Clone)]
pub struct Client {
    inference: Inference,
    /// For conversations without a policy.
    pub(crate) services: Arc<Services>,
}

impl Client {
    /// Starts the inference thread and the request thread.
    ///
    /// # Errors
    /// [`ClientError::Thread`] if the system cannot start a thread.
    pub fn new() -> Result<Client, ClientError> {
        let inference = Inference::start()?;
        let runtime = runtime()?;
        let places = Places::new(runtime.handle().clone(), None, None);
        let Ports {
            clock,
            randomness,
            gauges,
            ..
        } = Ports::default();
        let (services, _) = Services::new(runtime, (clock, randomness, gauges), None, places, None);
        Ok(Client {
            inference,
            services: Arc::new(services),
        })
    }

    /// Opens the bundle in the folder `path`. Opening reads the bundle and, unless the options say otherwise, verifies all of it. Answers
    /// in progress pause meanwhile.
    ///
    /// # Errors
    /// [`ClientError::Engine`] with what is wrong with the bundle; [`ClientError::Limit`] beyond [`crate::MODELS_MAX`].
    pub async fn open_model(&self, path: impl Into<PathBuf>, options: OpenOptions) -> Result<Model, ClientError> {
        Ok(Model {
            open: self.inference.open_model(path, options).await?,
            services: self.services.clone(),
        })
    }

    /// The number of answers in progress in all conversations. A cancelled answer counts until it has ended.
    #[must_use]
    pub fn active_answers(&self) -> u32 {
        self.inference.active_answers()
    }

    /// Cancels every answer and closes every model. Returns at once. Later calls fail with [`ClientError::Closed`]. May be called again.
    pub fn close(&self) {
        self.inference.close();
    }

    /// Closes the client, and waits until the inference thread has released everything. This takes at most one operator of a running model,
    /// or the rest of opening a bundle. May be called again.
    pub async fn shutdown(&self) {
        self.inference.shutdown().await;
    }
}

/// An open model. Clones refer to the same model. It is closed by [`Model::close`], or when it and its conversations and answers are
/// dropped.
#[derive(Clone)]
pub struct Model {
    pub(crate) open: OpenModel,
    /// For conversations without a policy.
    services: Arc<Services>,
}

impl Model {
    /// The model's properties. Also available after it was closed.
    #[must_use]
    pub fn info(&self) -> &ModelInfo {
        self.open.info()
    }

    /// Starts a conversation with this model alone, without a policy or a ledger. Its context is reserved at the first question.
    ///
    /// # Errors
    /// [`ClientError::Engine`] for a context length out of range or a model without a chat template; [`ClientError::Limit`] beyond
    /// [`PROMPT_BYTES_MAX`], and as [`ConversationOptions::check`].
    pub fn conversation(&self, options: ConversationOptions) -> Result<Conversation, ClientError> {
        self.check(&options)?;
        Ok(Conversation::new(self.services.clone(), Some(self.clone()), options))
    }

    /// Whether the model can hold such a conversation.
    pub(crate) fn check(&self, options: &ConversationOptions) -> Result<(), ClientError> {
        options.check()?;
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
        Ok(())
    }

    /// Answers a request that does not belong to a conversation with this model alone, without a policy or a ledger.
    ///
    /// # Errors
    /// [`ClientError::Limit`], [`ClientError::Engine`] for an option out of its range.
    pub fn answer(&self, request: Request) -> Result<Answer, ClientError> {
        Conversation::answer(&self.services, Some(self.clone()), request)
    }

    /// Continues a raw text without a chat template, in a context of its own. Special tokens in the text are tokens. The
    /// beginning-of-sequence token is added if the tokenizer asks for it.
    ///
    /// # Errors
    /// [`ClientError::Limit`] beyond [`PROMPT_BYTES_MAX`]; [`ClientError::Engine`] for an option out of its range. If the text does not fit
    /// the context, the answer fails.
    pub fn complete(
        &self,
        prompt: &str,
        context_length: u32,
        options: GenerationOptions,
    ) -> Result<Answer, ClientError> {
        within("bytes of prompt", prompt.len() as u64, PROMPT_BYTES_MAX)?;
        Conversation::complete(&self.services, self.clone(), prompt.to_owned(), context_length, options)
    }

    /// Cancels the model's answers, and closes the model and its conversations. Returns at once, and may be called again.
    pub fn close(&self) {
        self.open.close();
    }
}

//! An open model: what is known of it, and what it answers alone, without rules and without a ledger.

use std::sync::Arc;

use whimbrel_client as client;

use crate::{Answer, Conversation, ConversationOptions, CoreError, GenerationOptions};

/// What is known of an open model.
#[derive(Clone, Debug, uniffi::Record)]
pub struct ModelInfo {
    /// The model's name, for people.
    pub name: String,
    /// The bundle's version.
    pub version: String,
    /// The licence of the weights as an SPDX expression, or `unknown`.
    pub licence: String,
    /// The longest context that the model was made for, in tokens.
    pub context_length: u32,
    /// Layers of the network.
    pub layers: u32,
    /// Threads that compute.
    pub threads: u32,
    /// Milliseconds that opening took, verification included.
    pub load_ms: f64,
    /// Whether conversations are possible; otherwise only raw completions are.
    pub has_chat_template: bool,
    /// The languages that the model knows, as BCP 47 tags, best first; empty where the bundle does not say.
    pub languages: Vec<String>,
    /// What people should know before they trust the model, to be shown to them; absent where the bundle does not say.
    pub limits: Option<String>,
}

/// An open model.
#[derive(uniffi::Object)]
pub struct Model(client::Model);

#[uniffi::export]
impl Model {
    /// What is known of the model, also after it was released.
    #[must_use]
    pub fn info(&self) -> ModelInfo {
        self.0.info().into()
    }

    /// Starts a conversation with this model alone. The memory for its context is reserved with the first question.
    #[uniffi::method(default(options))]
    pub fn conversation(&self, options: ConversationOptions) -> Result<Arc<Conversation>, CoreError> {
        Ok(Arc::new(self.0.conversation(options.into())?.into()))
    }

    /// Goes on from a text without any conversation around it, in a context of its own of `context_length` tokens. What does not fit into the
    /// context is an error of the answer.
    #[uniffi::method(default(context_length = 2048, options))]
    pub fn complete(
        &self,
        prompt: String,
        context_length: u32,
        options: GenerationOptions,
    ) -> Result<Arc<Answer>, CoreError> {
        Ok(Arc::new(
            self.0.complete(&prompt, context_length, options.into())?.into(),
        ))
    }

    /// Cancels the model's answers and closes it with its conversations. Returns at once; safe to call again.
    pub fn release(&self) {
        self.0.close();
    }
}

impl From<client::Model> for Model {
    fn from(from: client::Model) -> Self {
        Model(from)
    }
}

impl Model {
    /// The client's model, for an assistant.
    pub(crate) fn inner(&self) -> client::Model {
        self.0.clone()
    }
}

impl From<&client::ModelInfo> for ModelInfo {
    fn from(from: &client::ModelInfo) -> Self {
        ModelInfo {
            name: from.manifest.name.clone(),
            version: from.manifest.version.clone(),
            licence: from.manifest.licence.spdx.clone(),
            context_length: from.manifest.context_length,
            layers: from.layers,
            threads: from.threads,
            load_ms: from.load_ms,
            has_chat_template: from.has_chat_template,
            languages: from.manifest.card.languages.clone(),
            limits: from.manifest.card.limits.clone(),
        }
    }
}

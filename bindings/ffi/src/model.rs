//! An open model, which can answer alone, without a policy or a ledger.

use std::sync::Arc;

use whimbrel_client as client;

use crate::{Answer, Conversation, ConversationOptions, CoreError, GenerationOptions};

/// Properties of an open model.
#[derive(Clone, Debug, uniffi::Record)]
pub struct ModelInfo {
    /// The model's display name.
    pub name: String,
    /// The bundle's version.
    pub version: String,
    /// The licence of the weights as an SPDX expression, or `unknown`.
    pub licence: String,
    /// The longest context that the model supports, in tokens.
    pub context_length: u32,
    /// Number of layers.
    pub layers: u32,
    /// Number of threads that compute.
    pub threads: u32,
    /// How long opening took, in milliseconds, verification included.
    pub load_ms: f64,
    /// Whether the model supports conversations; otherwise it only supports raw completions.
    pub has_chat_template: bool,
    /// Whether the model can think before it answers, so that the option `thinking` can be switched on.
    pub can_think: bool,
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
    /// The model's properties. Also available after `release`.
    #[must_use]
    pub fn info(&self) -> ModelInfo {
        self.0.info().into()
    }

    /// Starts a conversation with this model alone. The memory for its context is reserved at the first question.
    #[uniffi::method(default(options))]
    pub fn conversation(&self, options: ConversationOptions) -> Result<Arc<Conversation>, CoreError> {
        Ok(Arc::new(self.0.conversation(options.into())?.into()))
    }

    /// Continues a text without a conversation, in a context of its own of `context_length` tokens. If the text does not
    /// fit, the answer fails with an error.
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

    /// Cancels the model's answers, and closes the model and its conversations. Returns at once, and may be called again.
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
            can_think: from.can_think,
            languages: from.manifest.card.languages.clone(),
            limits: from.manifest.card.limits.clone(),
        }
    }
}

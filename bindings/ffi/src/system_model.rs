//! The interface for a system model that the app implements, and its conversion to the client's interface. Every call should
//! return at once. If the app's code throws, the call counts as failed.

use std::sync::Arc;

use whimbrel_client as client;

use crate::{Message, Need};

/// Whether the system's model is available now.
#[derive(Clone, Copy, Debug, uniffi::Enum)]
pub enum Availability {
    /// Yes.
    Available,
    /// Another app is using it, or its quota is used up for now.
    Busy,
    /// The system is still downloading it.
    Downloading,
    /// This device has no system model, or the user switched it off.
    Unavailable,
}

/// The current capabilities of a system model.
#[derive(Clone, Debug, uniffi::Record)]
pub struct SystemCapabilities {
    /// Its name in receipts and rules, such as `gemini-nano`.
    pub model: String,
    /// Whether it is available now.
    pub availability: Availability,
    /// The features it supports beyond text.
    #[uniffi(default = [])]
    pub supports: Vec<Need>,
    /// Size of its context in tokens, prompt and answer together.
    #[uniffi(default = None)]
    pub context_tokens: Option<u32>,
    /// Expected time to the first token in milliseconds.
    #[uniffi(default = None)]
    pub first_token_ms: Option<u32>,
    /// Expected tokens per second.
    #[uniffi(default = None)]
    pub tokens_per_s: Option<f32>,
}

/// A request to a system model.
#[derive(Clone, uniffi::Record)]
pub struct SystemRequest {
    /// The number that `cancel` uses to identify it.
    pub id: u64,
    /// The messages, oldest first; the last one is the question.
    pub messages: Vec<Message>,
    /// Maximum length of the answer in tokens.
    pub max_tokens: u32,
    /// 0 always takes the most likely token; absent, the model decides.
    pub temperature: Option<f32>,
}

/// Why a system model gave no answer.
#[derive(Clone, Copy, Debug, uniffi::Enum)]
pub enum SystemFailure {
    /// Another app is using it.
    Busy,
    /// Its quota is used up for now.
    QuotaExceeded,
    /// It declined to answer.
    Declined,
    /// It ran out of memory.
    OutOfMemory,
    /// It is not available, or not yet.
    Unavailable,
    /// Any other reason.
    Failed,
}

/// A call to a system model failed.
#[derive(Clone, Debug, thiserror::Error, uniffi::Error)]
pub enum SystemModelError {
    /// The model gave no answer.
    #[error("the system model gives no answer: {failure:?}")]
    NoAnswer {
        /// The reason.
        failure: SystemFailure,
    },
}

impl From<uniffi::UnexpectedUniFFICallbackError> for SystemModelError {
    fn from(_: uniffi::UnexpectedUniFFICallbackError) -> Self {
        SystemModelError::NoAnswer {
            failure: SystemFailure::Failed,
        }
    }
}

impl From<SystemModelError> for client::SystemModelError {
    fn from(from: SystemModelError) -> Self {
        let SystemModelError::NoAnswer { failure } = from;
        failure.into()
    }
}

impl From<SystemFailure> for client::SystemModelError {
    fn from(from: SystemFailure) -> Self {
        match from {
            SystemFailure::Busy => client::SystemModelError::Busy,
            SystemFailure::QuotaExceeded => client::SystemModelError::QuotaExceeded,
            SystemFailure::Declined => client::SystemModelError::Declined,
            SystemFailure::OutOfMemory => client::SystemModelError::OutOfMemory,
            SystemFailure::Unavailable => client::SystemModelError::Unavailable,
            SystemFailure::Failed => client::SystemModelError::Failed,
        }
    }
}

/// A model that the app provides: the system's own, or one that runs on an accelerator. Every call must return at once; do
/// long work elsewhere, and report its results to the answer that was passed to `start`.
#[uniffi::export(with_foreign)]
pub trait SystemModel: Send + Sync {
    /// The model's current capabilities. Called before every decision.
    fn capabilities(&self) -> Result<SystemCapabilities, SystemModelError>;

    /// Prepares the model for a question. This is only a hint.
    fn prewarm(&self) -> Result<(), SystemModelError>;

    /// Starts an answer. If this fails, do not report anything to the answer.
    fn start(&self, request: SystemRequest, answer: Arc<SystemAnswer>) -> Result<(), SystemModelError>;

    /// Stops an answer, which may have ended already.
    fn cancel(&self, id: u64) -> Result<(), SystemModelError>;
}

/// Receives the answer of a system model. Anything reported after the end is ignored. Releasing it without calling `finish`
/// or `fail` counts as a failure.
#[derive(uniffi::Object)]
pub struct SystemAnswer(Arc<client::SystemAnswer>);

#[uniffi::export]
impl SystemAnswer {
    /// Reports the next piece of text. Returns false if nobody is listening any more, or if the answer is longer than 4 MiB.
    pub fn text(&self, piece: String) -> bool {
        self.0.text(piece)
    }

    /// Completes the answer. Pass 0 for token counts that are not known.
    pub fn finish(&self, input_tokens: u64, output_tokens: u64) {
        self.0.finish(input_tokens, output_tokens);
    }

    /// Reports that the answer failed.
    pub fn fail(&self, failure: SystemFailure) {
        self.0.fail(failure.into());
    }
}

/// An app's system model, as the client sees it.
pub(crate) struct ForeignSystemModel(pub(crate) Arc<dyn SystemModel>);

impl client::SystemModel for ForeignSystemModel {
    fn capabilities(&self) -> Result<client::policy::SystemModelFacts, client::SystemModelError> {
        let from = self.0.capabilities()?;
        Ok(client::policy::SystemModelFacts {
            model: from.model,
            availability: from.availability.into(),
            supports: from.supports.into_iter().map(Into::into).collect(),
            context_tokens: from.context_tokens,
            first_token_ms: from.first_token_ms,
            tokens_per_s: from.tokens_per_s,
        })
    }

    fn prewarm(&self) -> Result<(), client::SystemModelError> {
        Ok(self.0.prewarm()?)
    }

    fn start(
        &self,
        request: client::SystemRequest,
        answer: Arc<client::SystemAnswer>,
    ) -> Result<(), client::SystemModelError> {
        let request = SystemRequest {
            id: request.id,
            messages: request
                .messages
                .into_iter()
                .map(|message| Message::plain(message.role.into(), message.content))
                .collect(),
            max_tokens: request.max_tokens,
            temperature: request.temperature,
        };
        Ok(self.0.start(request, Arc::new(SystemAnswer(answer)))?)
    }

    fn cancel(&self, id: u64) -> Result<(), client::SystemModelError> {
        Ok(self.0.cancel(id)?)
    }
}

impl From<Availability> for client::policy::Availability {
    fn from(from: Availability) -> Self {
        match from {
            Availability::Available => client::policy::Availability::Available,
            Availability::Busy => client::policy::Availability::Busy,
            Availability::Downloading => client::policy::Availability::Downloading,
            Availability::Unavailable => client::policy::Availability::Unavailable,
        }
    }
}

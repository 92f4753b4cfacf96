//! The system's model that the app implements, and its translation into the one that the client expects. Every call should return at once; a call
//! that the app's side breaks off counts as failed.

use std::sync::Arc;

use whimbrel_client as client;

use crate::{Message, Need};

/// Whether the system's model can be asked now.
#[derive(Clone, Copy, Debug, uniffi::Enum)]
pub enum Availability {
    /// Yes.
    Available,
    /// Another app uses it, or its quota is used up for now.
    Busy,
    /// The system is still fetching it.
    Downloading,
    /// This device has none, or the user switched it off.
    Unavailable,
}

/// What a system model can do now.
#[derive(Clone, Debug, uniffi::Record)]
pub struct SystemCapabilities {
    /// Its name, in receipts and rules: `gemini-nano`.
    pub model: String,
    /// Whether it can be asked now.
    pub availability: Availability,
    /// What it can do beyond text.
    #[uniffi(default = [])]
    pub supports: Vec<Need>,
    /// Prompt and answer tokens that fit.
    #[uniffi(default = None)]
    pub context_tokens: Option<u32>,
    /// Expected time to the first token in milliseconds.
    #[uniffi(default = None)]
    pub first_token_ms: Option<u32>,
    /// Expected tokens a second.
    #[uniffi(default = None)]
    pub tokens_per_s: Option<f32>,
}

/// What a system model is asked.
#[derive(Clone, uniffi::Record)]
pub struct SystemRequest {
    /// The number by which `cancel` names it.
    pub id: u64,
    /// The messages, oldest first, the question last.
    pub messages: Vec<Message>,
    /// Tokens of the answer at most.
    pub max_tokens: u32,
    /// 0 always takes the likeliest token.
    pub temperature: Option<f32>,
}

/// Why a system model gives no answer.
#[derive(Clone, Copy, Debug, uniffi::Enum)]
pub enum SystemFailure {
    /// It is in use by another app.
    Busy,
    /// Its quota is used up for now.
    QuotaExceeded,
    /// It declined to answer this.
    Declined,
    /// It got no memory.
    OutOfMemory,
    /// It is not there, or not yet.
    Unavailable,
    /// Anything else.
    Failed,
}

/// A system model did not do what it was asked.
#[derive(Clone, Debug, thiserror::Error, uniffi::Error)]
pub enum SystemModelError {
    /// It gives no answer.
    #[error("the system model gives no answer: {failure:?}")]
    NoAnswer {
        /// Why.
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

/// A model that the app reaches: one that the system brings, or that an accelerator runs. Every call returns at once; long work goes on
/// elsewhere and reports to the answer that `start` was given.
#[uniffi::export(with_foreign)]
pub trait SystemModel: Send + Sync {
    /// What it can do now. Asked before every decision.
    fn capabilities(&self) -> Result<SystemCapabilities, SystemModelError>;

    /// Gets ready to answer soon. Nothing depends on it.
    fn prewarm(&self) -> Result<(), SystemModelError>;

    /// Begins an answer. After an error nothing may be reported.
    fn start(&self, request: SystemRequest, answer: Arc<SystemAnswer>) -> Result<(), SystemModelError>;

    /// Stops an answer, which may have ended already.
    fn cancel(&self, id: u64) -> Result<(), SystemModelError>;
}

/// Where a system model puts its answer. What is reported after the end is dropped. Letting go of it without a last word is a failure.
#[derive(uniffi::Object)]
pub struct SystemAnswer(Arc<client::SystemAnswer>);

#[uniffi::export]
impl SystemAnswer {
    /// The next piece of text. False when nobody listens any more, or the answer is longer than 4 MiB.
    pub fn text(&self, piece: String) -> bool {
        self.0.text(piece)
    }

    /// The answer is complete. Counts of tokens that are not known are 0.
    pub fn finish(&self, input_tokens: u64, output_tokens: u64) {
        self.0.finish(input_tokens, output_tokens);
    }

    /// The answer failed.
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

//! Models that are not ours: what the system brings (Gemini Nano, Apple's foundation model) or an accelerator runs (Core ML, LiteRT).
//! The app implements [`SystemModel`]; every call answers at once, and the answer's text comes back through a [`SystemAnswer`].

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::mpsc;
use whimbrel_policy::{Availability, Need};

use crate::Message;

/// The most bytes that a system model may answer.
pub const SYSTEM_ANSWER_BYTES_MAX: u64 = 4 << 20;

/// What a system model can do now.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SystemCapabilities {
    /// Its name, in receipts and rules: `gemini-nano`.
    pub model: String,
    /// Whether it can be asked now.
    pub availability: Availability,
    /// What it can do beyond text.
    pub supports: Vec<Need>,
    /// Prompt and answer tokens that fit.
    pub context_tokens: Option<u32>,
    /// Expected time to the first token in milliseconds.
    pub first_token_ms: Option<u32>,
    /// Expected tokens a second.
    pub tokens_per_s: Option<f32>,
}

/// What a system model is asked.
#[derive(Clone, PartialEq)]
pub struct SystemRequest {
    /// The number by which [`SystemModel::cancel`] names it.
    pub id: u64,
    /// The messages, oldest first, the question last.
    pub messages: Vec<Message>,
    /// Tokens of the answer at most.
    pub max_tokens: u32,
    /// 0 always takes the likeliest token.
    pub temperature: f32,
}

// Messages are what people said.
impl std::fmt::Debug for SystemRequest {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut record = formatter.debug_struct("SystemRequest");
        record.field("id", &self.id).finish_non_exhaustive()
    }
}

/// Why a system model gives no answer.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, thiserror::Error)]
pub enum SystemModelError {
    /// It is in use by another app.
    #[error("the system model is busy")]
    Busy,
    /// Its quota is used up for now.
    #[error("the system model's quota is used up")]
    QuotaExceeded,
    /// It declined to answer this.
    #[error("the system model declined")]
    Declined,
    /// It got no memory.
    #[error("the system model got no memory")]
    OutOfMemory,
    /// It is not there, or not yet.
    #[error("the system model is not available")]
    Unavailable,
    /// Anything else.
    #[error("the system model failed")]
    Failed,
}

/// A model that the app reaches. Every call returns at once; long work goes on elsewhere and reports to the [`SystemAnswer`].
pub trait SystemModel: Send + Sync {
    /// What it can do now. Asked before every decision.
    ///
    /// # Errors
    /// [`SystemModelError`]; the model then counts as unavailable.
    fn capabilities(&self) -> Result<SystemCapabilities, SystemModelError>;

    /// Gets ready to answer soon.
    ///
    /// # Errors
    /// [`SystemModelError`]; nothing depends on it.
    fn prewarm(&self) -> Result<(), SystemModelError>;

    /// Begins an answer, which is reported to `answer`.
    ///
    /// # Errors
    /// [`SystemModelError`]; nothing may be reported then.
    fn start(&self, request: SystemRequest, answer: Arc<SystemAnswer>) -> Result<(), SystemModelError>;

    /// Stops an answer. It may have ended already.
    ///
    /// # Errors
    /// [`SystemModelError`]; the answer is no longer listened to in any case.
    fn cancel(&self, id: u64) -> Result<(), SystemModelError>;
}

/// What a system model reports.
pub(crate) enum SystemReport {
    Text(String),
    Finished { input_tokens: u64, output_tokens: u64 },
    Failed(SystemModelError),
}

/// Where a [`SystemModel`] puts its answer. What is reported after the end, or after it was stopped, is dropped. An adapter that
/// lets go of it without a last word has failed.
pub struct SystemAnswer {
    reports: mpsc::UnboundedSender<SystemReport>,
    bytes: std::sync::atomic::AtomicU64,
    ended: AtomicBool,
}

impl SystemAnswer {
    pub(crate) fn new() -> (Arc<SystemAnswer>, mpsc::UnboundedReceiver<SystemReport>) {
        let (reports, received) = mpsc::unbounded_channel();
        let answer = SystemAnswer {
            reports,
            bytes: 0.into(),
            ended: false.into(),
        };
        (Arc::new(answer), received)
    }

    /// The next piece of text. False when nobody listens any more, or the answer is longer than [`SYSTEM_ANSWER_BYTES_MAX`].
    pub fn text(&self, piece: String) -> bool {
        if piece.is_empty() {
            return !self.ended.load(Ordering::Relaxed) && !self.reports.is_closed();
        }
        let before = self.bytes.fetch_add(piece.len() as u64, Ordering::Relaxed);
        if before + piece.len() as u64 > SYSTEM_ANSWER_BYTES_MAX {
            self.fail(SystemModelError::Failed);
            return false;
        }
        !self.ended.load(Ordering::Relaxed) && self.reports.send(SystemReport::Text(piece)).is_ok()
    }

    /// The answer is complete. Counts that are not known are 0.
    pub fn finish(&self, input_tokens: u64, output_tokens: u64) {
        self.end(SystemReport::Finished {
            input_tokens,
            output_tokens,
        });
    }

    /// The answer failed.
    pub fn fail(&self, error: SystemModelError) {
        self.end(SystemReport::Failed(error));
    }

    fn end(&self, report: SystemReport) {
        if !self.ended.swap(true, Ordering::Relaxed) {
            // Nobody listens to an answer that was stopped.
            let _ = self.reports.send(report);
        }
    }
}

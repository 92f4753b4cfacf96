//! Models that Whimbrel does not run itself: the system's own (Gemini Nano, Apple's foundation model) or those on an accelerator (Core ML,
//! LiteRT). The app implements [`SystemModel`]. Every call returns at once, and the answer's text comes back through a [`SystemAnswer`].

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use whimbrel_engine::{Message, Role};
use whimbrel_policy::{Ended, SystemModelFacts, Usage};
use whimbrel_record::{Code, FinishReason, Tokens};

use super::{Ask, Attempt, Backend, BoxFuture, Part, Payload, changes};
use crate::{ANSWER_BYTES_MAX, GenerationOptions};

/// A request to a system model.
#[derive(Clone, PartialEq)]
pub struct SystemRequest {
    /// The number that [`SystemModel::cancel`] uses to identify it.
    pub id: u64,
    /// The messages, oldest first; the last one is the question.
    pub messages: Vec<Message>,
    /// Maximum length of the answer in tokens.
    pub max_tokens: u32,
    /// 0 always takes the most likely token; `None` leaves it to the model.
    pub temperature: Option<f32>,
}

// Messages are what people said.
impl std::fmt::Debug for SystemRequest {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut record = formatter.debug_struct("SystemRequest");
        record.field("id", &self.id).finish_non_exhaustive()
    }
}

/// Why a system model gave no answer.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, thiserror::Error)]
pub enum SystemModelError {
    /// Another app is using it.
    #[error("the system model is busy")]
    Busy,
    /// Its quota is used up for now.
    #[error("the system model's quota is used up")]
    QuotaExceeded,
    /// It declined to answer.
    #[error("the system model declined")]
    Declined,
    /// It ran out of memory.
    #[error("the system model ran out of memory")]
    OutOfMemory,
    /// It is not available, or not yet.
    #[error("the system model is not available")]
    Unavailable,
    /// Any other reason.
    #[error("the system model failed")]
    Failed,
}

/// A model that the app provides. Every call must return at once; long work happens elsewhere and reports to the [`SystemAnswer`].
pub trait SystemModel: Send + Sync {
    /// The model's current capabilities. Called before every decision.
    ///
    /// # Errors
    /// [`SystemModelError`]; the model then counts as unavailable.
    fn capabilities(&self) -> Result<SystemModelFacts, SystemModelError>;

    /// Prepares the model for a question.
    ///
    /// # Errors
    /// [`SystemModelError`]; it has no effect.
    fn prewarm(&self) -> Result<(), SystemModelError>;

    /// Starts an answer, which reports to `answer`.
    ///
    /// # Errors
    /// [`SystemModelError`]; nothing may be reported after it.
    fn start(&self, request: SystemRequest, answer: Arc<SystemAnswer>) -> Result<(), SystemModelError>;

    /// Stops an answer, which may have ended already.
    ///
    /// # Errors
    /// [`SystemModelError`]; the answer's reports are ignored in any case.
    fn cancel(&self, id: u64) -> Result<(), SystemModelError>;
}

/// What a system model reports.
pub(crate) enum SystemReport {
    Text(String),
    Finished { input_tokens: u64, output_tokens: u64 },
    Failed(SystemModelError),
}

/// Receives the answer of a [`SystemModel`]. Anything reported after the end, or after the answer was stopped, is ignored. Dropping it
/// without calling `finish` or `fail` counts as a failure.
pub struct SystemAnswer {
    reports: mpsc::UnboundedSender<SystemReport>,
    bytes: AtomicU64,
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

    /// Reports the next piece of text. Returns false if nobody is listening any more, or if the answer is longer than [`ANSWER_BYTES_MAX`].
    pub fn text(&self, piece: String) -> bool {
        if piece.is_empty() {
            return !self.ended.load(Ordering::Relaxed) && !self.reports.is_closed();
        }
        let before = self.bytes.fetch_add(piece.len() as u64, Ordering::Relaxed);
        if before + piece.len() as u64 > ANSWER_BYTES_MAX {
            self.fail(SystemModelError::Failed);
            return false;
        }
        !self.ended.load(Ordering::Relaxed) && self.reports.send(SystemReport::Text(piece)).is_ok()
    }

    /// Completes the answer. Pass 0 for counts that are not known.
    pub fn finish(&self, input_tokens: u64, output_tokens: u64) {
        self.end(SystemReport::Finished {
            input_tokens,
            output_tokens,
        });
    }

    /// Reports that the answer failed.
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

/// Names requests to system models.
static REQUESTS: AtomicU64 = AtomicU64::new(1);

/// The system's model as a place.
pub(crate) struct SystemBackend {
    system: Arc<dyn SystemModel>,
    handle: Handle,
}

impl SystemBackend {
    pub(crate) fn new(system: Arc<dyn SystemModel>, handle: Handle) -> SystemBackend {
        SystemBackend { system, handle }
    }
}

impl Backend for SystemBackend {
    fn ask(&self, ask: Ask) -> Box<dyn Attempt> {
        let id = REQUESTS.fetch_add(1, Ordering::Relaxed);
        let (answer, received) = SystemAnswer::new();
        let state = match ask.payload {
            Payload::Messages(mut messages) => {
                // An empty system message says that there is none.
                messages.retain(|message| message.role != Role::System || !message.content.is_empty());
                let request = SystemRequest {
                    id,
                    messages,
                    max_tokens: ask.options.max_tokens,
                    temperature: ask.options.sampling.temperature,
                };
                State::Ready(request, answer)
            }
            Payload::Cleared(_) | Payload::Raw { .. } => State::Failed(Code::Request),
        };
        Box::new(Asked {
            id,
            system: self.system.clone(),
            handle: self.handle.clone(),
            state,
            received,
            is_stopped: false,
            has_ended: false,
        })
    }

    fn unsupported(&self, options: &GenerationOptions) -> Vec<&'static str> {
        let sampling = &options.sampling;
        [
            ("top_k", changes(&sampling.top_k, 0)),
            ("top_p", changes(&sampling.top_p, 1.0)),
            ("min_p", changes(&sampling.min_p, 0.0)),
            ("repetition_penalty", changes(&sampling.repetition_penalty, 1.0)),
            ("seed", sampling.seed.is_some()),
            ("thinking", options.thinking.is_some()),
        ]
        .into_iter()
        .filter_map(|(name, is_given)| is_given.then_some(name))
        .collect()
    }
}

/// A request to the system's model.
struct Asked {
    id: u64,
    system: Arc<dyn SystemModel>,
    handle: Handle,
    state: State,
    received: mpsc::UnboundedReceiver<SystemReport>,
    is_stopped: bool,
    has_ended: bool,
}

enum State {
    /// With what receives the answer.
    Ready(SystemRequest, Arc<SystemAnswer>),
    /// An adapter that does not return at once holds up nobody but itself.
    Starting(JoinHandle<Result<(), SystemModelError>>),
    Started,
    /// It cannot be asked.
    Failed(Code),
}

impl Asked {
    async fn read(&mut self) -> Part {
        loop {
            if self.is_stopped {
                return self.end(Code::NotBegun);
            }
            match &mut self.state {
                State::Failed(code) => {
                    let code = *code;
                    return self.end(code);
                }
                State::Ready(request, answer) => {
                    let (request, answer, system) = (request.clone(), answer.clone(), self.system.clone());
                    let starting = self.handle.spawn_blocking(move || system.start(request, answer));
                    self.state = State::Starting(starting);
                }
                State::Starting(starting) => {
                    // Text may come before the call returns; why there is none, the call itself says.
                    tokio::select! {
                        biased;
                        Some(report) = self.received.recv() => return self.take(report),
                        result = starting => match result {
                            Ok(Ok(())) => self.state = State::Started,
                            Ok(Err(error)) => return self.end(code(error)),
                            Err(_) => return self.end(Code::Adapter),
                        },
                    }
                }
                State::Started => match self.received.recv().await {
                    Some(report) => return self.take(report),
                    None => return self.end(Code::Adapter),
                },
            }
        }
    }

    fn take(&mut self, report: SystemReport) -> Part {
        match report {
            SystemReport::Text(text) => Part::Text(text),
            SystemReport::Finished {
                input_tokens,
                output_tokens,
            } => {
                let usage = Usage {
                    tokens: Tokens {
                        input: input_tokens,
                        output: output_tokens,
                    },
                    ..Usage::default()
                };
                self.has_ended = true;
                Part::end(Ended::finished(FinishReason::Stop, usage))
            }
            SystemReport::Failed(error) => self.end(code(error)),
        }
    }

    /// Ends without an answer: the model need not go on.
    fn end(&mut self, code: Code) -> Part {
        self.cancel();
        Part::end(code)
    }

    fn cancel(&mut self) {
        let was_asked = !matches!(self.state, State::Ready(..) | State::Failed(_));
        if was_asked && !std::mem::replace(&mut self.has_ended, true) {
            let (system, id) = (self.system.clone(), self.id);
            self.handle.spawn_blocking(move || system.cancel(id).is_ok());
        }
    }
}

impl Attempt for Asked {
    fn next(&mut self) -> BoxFuture<'_, Part> {
        Box::pin(self.read())
    }

    fn stop(&mut self) {
        self.is_stopped = true;
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.cancel();
    }
}

fn code(error: SystemModelError) -> Code {
    match error {
        SystemModelError::Busy => Code::Busy,
        SystemModelError::QuotaExceeded => Code::QuotaExceeded,
        SystemModelError::Declined => Code::Declined,
        SystemModelError::OutOfMemory => Code::OutOfMemory,
        SystemModelError::Unavailable => Code::Unavailable,
        SystemModelError::Failed => Code::Adapter,
    }
}

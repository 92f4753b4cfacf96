//! One attempt at one place: asks it, passes its text on, and says how it ended. Whether another one follows is the fallback's business.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{mpsc, watch};
use whimbrel_engine::{EngineError, StopMatcher};
use whimbrel_network::{ChatError, ChatEvent, ChatOptions, Endpoint, Failure, ServerCode};
use whimbrel_policy::{AttemptEvent, FailureKind};
use whimbrel_privacy::{Cleared, FindingKind, Reidentifier, Release};

use super::AssistantError;
use super::conversation::{ConversationInner, Turn};
use super::core::{Core, model_labels};
use super::system_model::{
    SYSTEM_ANSWER_BYTES_MAX, SystemAnswer, SystemModel, SystemModelError, SystemReport, SystemRequest,
};
use crate::{
    Answer, AnswerEvent, ClientError, EVENTS_WAITING_MAX, FinishReason, GenerationOptions, Message, ModelHandle,
};

/// Gives system models something to name a request by.
static SYSTEM_REQUESTS: AtomicU64 = AtomicU64::new(1);

/// What an attempt reports.
pub(super) enum Progress {
    Text(String),
    Ended(Ended),
}

/// How an attempt ended, and what it took.
#[derive(Default)]
pub(super) struct Ended {
    pub(super) event: Option<AttemptEvent>,
    /// The code of its error.
    pub(super) code: Option<&'static str>,
    /// Nobody was asked.
    pub(super) is_skipped: bool,
    pub(super) bytes_out: u64,
    pub(super) bytes_in: u64,
    pub(super) redacted: BTreeMap<FindingKind, u32>,
    pub(super) tokens_in: u64,
    pub(super) tokens_out: u64,
    pub(super) mean_log_probability: Option<f64>,
    /// Threads that computed for it on this device.
    pub(super) threads: u32,
}

impl Ended {
    pub(super) fn failed(event: AttemptEvent, code: &'static str) -> Ended {
        Ended {
            event: Some(event),
            code: Some(code),
            ..Ended::default()
        }
    }

    /// Nobody was asked, for this reason.
    pub(super) fn skipped(code: &'static str) -> Ended {
        Ended {
            is_skipped: true,
            ..Ended::failed(AttemptEvent::Failed(FailureKind::Internal), code)
        }
    }
}

/// Where an attempt reports to, under its number.
#[derive(Clone)]
pub(super) struct Reports {
    pub(super) attempt: u32,
    pub(super) sender: mpsc::Sender<(u32, Progress)>,
}

impl Reports {
    async fn text(&self, text: String) {
        if !text.is_empty() {
            self.send(Progress::Text(text)).await;
        }
    }

    pub(super) async fn send(&self, progress: Progress) {
        // Nobody listens once the request is over.
        let _ = self.sender.send((self.attempt, progress)).await;
    }
}

/// Raised when an attempt is to stop.
pub(super) type Stop = watch::Receiver<bool>;

/// Waits until the attempt is to stop; also when nobody could say so any more.
async fn stopped(stop: &mut Stop) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// What is needed to ask an endpoint.
pub(super) struct Sending {
    pub(super) endpoint: Endpoint,
    pub(super) cleared: Cleared,
    pub(super) reidentifier: Option<Reidentifier>,
    pub(super) request_id: String,
}

/// The model of this device that was decided about, and the conversation that it is asked in.
pub(super) struct Local<'a> {
    pub(super) core: &'a Core,
    pub(super) conversation: &'a ConversationInner,
    pub(super) model: Option<&'a ModelHandle>,
    pub(super) turn: Turn,
}

impl Local<'_> {
    /// Asks the model on this device.
    pub(super) async fn ask(
        &self,
        question: &str,
        options: GenerationOptions,
        reports: &Reports,
        stop: &mut Stop,
    ) -> Ended {
        let Some(model) = self.model else {
            return Ended::failed(AttemptEvent::Failed(FailureKind::Internal), "closed");
        };
        let began = self.conversation.ask_local(model, question, options, self.turn);
        let answer = tokio::select! {
            began = began => match began {
                Ok(answer) => answer,
                Err(error) => return local_failure(&error),
            },
            () = stopped(stop) => return Ended::default(),
        };
        listen(self.core, model, &answer, reports, stop).await
    }
}

async fn listen(core: &Core, model: &ModelHandle, answer: &Answer, reports: &Reports, stop: &mut Stop) -> Ended {
    let mut cancelled = false;
    loop {
        let events = tokio::select! {
            events = answer.next(EVENTS_WAITING_MAX as u32) => events,
            () = stopped(stop), if !cancelled => {
                answer.cancel();
                cancelled = true;
                continue;
            }
        };
        let events = match events {
            Ok(events) if events.is_empty() => {
                return Ended::failed(AttemptEvent::Failed(FailureKind::Internal), "ended");
            }
            Ok(events) => events,
            Err(error) => return local_failure(&error.into()),
        };
        for event in events {
            match event {
                AnswerEvent::Prefilled { .. } => {}
                AnswerEvent::Text(text) => reports.text(text).await,
                AnswerEvent::Finished(statistics) => {
                    let (name, _) = model_labels(model);
                    core.measured(name.as_str(), &statistics);
                    let answered = statistics.finish_reason != FinishReason::Cancelled;
                    return Ended {
                        event: answered.then_some(AttemptEvent::Finished),
                        tokens_in: u64::from(statistics.prompt_tokens),
                        tokens_out: u64::from(statistics.completion_tokens),
                        mean_log_probability: statistics.mean_log_probability,
                        threads: model.info().threads,
                        ..Ended::default()
                    };
                }
            }
        }
    }
}

fn local_failure(error: &AssistantError) -> Ended {
    let AssistantError::Client(error) = error else {
        return Ended::failed(AttemptEvent::Failed(FailureKind::Internal), "internal");
    };
    match error {
        ClientError::Busy => Ended::failed(AttemptEvent::Busy, "busy"),
        ClientError::Engine(EngineError::Memory { .. }) => Ended::failed(AttemptEvent::OutOfMemory, "out_of_memory"),
        ClientError::Engine(EngineError::ContextFull { .. }) => {
            Ended::failed(AttemptEvent::Failed(FailureKind::Internal), "context_full")
        }
        ClientError::Closed { .. } => Ended::failed(AttemptEvent::Failed(FailureKind::Internal), "closed"),
        _ => Ended::failed(AttemptEvent::Failed(FailureKind::Internal), "engine"),
    }
}

/// Asks the system's model.
pub(super) async fn system(
    core: &Arc<Core>,
    system: Option<Arc<dyn SystemModel>>,
    messages: Vec<Message>,
    options: &GenerationOptions,
    reports: &Reports,
    stop: &mut Stop,
) -> Ended {
    let Some(system) = system else {
        return system_failure(SystemModelError::Unavailable);
    };
    let (answer, mut received) = SystemAnswer::new();
    let request = SystemRequest {
        id: SYSTEM_REQUESTS.fetch_add(1, Ordering::Relaxed),
        messages,
        max_tokens: options.max_tokens,
        temperature: options.sampling.temperature,
    };
    let id = request.id;
    let adapter = system.clone();
    // An adapter that does not answer at once holds up nobody but itself.
    let mut starting = core.handle().spawn_blocking(move || adapter.start(request, answer));
    let (mut started, mut let_go) = (false, false);
    let ended = loop {
        tokio::select! {
            result = &mut starting, if !started => match result {
                Ok(Ok(())) if let_go => break system_failure(SystemModelError::Failed),
                Ok(Ok(())) => started = true,
                Ok(Err(error)) => break system_failure(error),
                Err(_) => break system_failure(SystemModelError::Failed),
            },
            report = received.recv(), if !let_go => match report {
                Some(SystemReport::Text(text)) => reports.text(text).await,
                Some(SystemReport::Finished { input_tokens, output_tokens }) => break Ended {
                    event: Some(AttemptEvent::Finished),
                    tokens_in: input_tokens,
                    tokens_out: output_tokens,
                    ..Ended::default()
                },
                Some(SystemReport::Failed(error)) => break system_failure(error),
                None if started => break system_failure(SystemModelError::Failed),
                // Why, the call itself says.
                None => let_go = true,
            },
            () = stopped(stop) => break Ended::default(),
        }
    };
    if ended.event != Some(AttemptEvent::Finished) {
        core.handle().spawn_blocking(move || system.cancel(id).is_ok());
    }
    ended
}

fn system_failure(error: SystemModelError) -> Ended {
    let failed = |kind| AttemptEvent::Failed(kind);
    match error {
        SystemModelError::Busy => Ended::failed(AttemptEvent::Busy, "busy"),
        SystemModelError::QuotaExceeded => Ended::failed(failed(FailureKind::RateLimited), "quota_exceeded"),
        SystemModelError::Declined => Ended::failed(failed(FailureKind::Declined), "declined"),
        SystemModelError::OutOfMemory => Ended::failed(AttemptEvent::OutOfMemory, "out_of_memory"),
        SystemModelError::Unavailable => Ended::failed(failed(FailureKind::Internal), "unavailable"),
        SystemModelError::Failed => Ended::failed(failed(FailureKind::Internal), "adapter"),
    }
}

/// Asks an endpoint.
pub(super) async fn remote(
    core: &Arc<Core>,
    sending: Sending,
    options: &GenerationOptions,
    reports: &Reports,
    stop: &mut Stop,
) -> Ended {
    let id = sending.endpoint.id().to_owned();
    let key = tokio::select! {
        key = core.blocking(move |core| core.key(&id)) => key,
        () = stopped(stop) => return Ended::default(),
    };
    let Ok(Ok(key)) = key else {
        return Ended::failed(AttemptEvent::Failed(FailureKind::Unauthorised), "key_vault");
    };
    let redacted = match sending.cleared.release() {
        Release::Redacted => sending.cleared.redactions().clone(),
        Release::AsIs => BTreeMap::new(),
    };
    let Ok(mut shown) = Shown::new(sending.reidentifier, &options.stop) else {
        return Ended::failed(AttemptEvent::Failed(FailureKind::Internal), "stop");
    };
    if *stop.borrow() {
        return Ended::default();
    }
    let chat_options = chat_options(options, &sending.request_id);
    let answer = core
        .remote
        .chat(&sending.endpoint, sending.cleared, &chat_options, key.as_ref());
    let mut answer = match answer {
        Ok(answer) => answer,
        Err(error) => return remote_failure(&error),
    };
    let mut ended = hear(&mut answer, &mut shown, reports, stop).await;
    if !*stop.borrow() {
        reports.text(shown.finish()).await;
    }
    let traffic = answer.traffic();
    (ended.bytes_out, ended.bytes_in) = (traffic.bytes_out, traffic.bytes_in);
    if traffic.bytes_out > 0 {
        ended.redacted = redacted;
    }
    ended
}

/// Passes an endpoint's answer on until it ends, is long enough, or is to stop.
async fn hear(answer: &mut whimbrel_network::Answer, shown: &mut Shown, reports: &Reports, stop: &mut Stop) -> Ended {
    loop {
        let event = tokio::select! {
            event = answer.next() => event,
            () = stopped(stop) => {
                answer.cancel();
                return Ended::default();
            }
        };
        match event {
            Some(Ok(ChatEvent::Started { .. })) => {}
            Some(Ok(ChatEvent::Text(text))) => {
                reports.text(shown.push(&text)).await;
                if shown.stops.is_stopped() {
                    answer.cancel();
                    return Ended {
                        event: Some(AttemptEvent::Finished),
                        ..Ended::default()
                    };
                }
                if shown.bytes > SYSTEM_ANSWER_BYTES_MAX {
                    answer.cancel();
                    return Ended::failed(AttemptEvent::Failed(FailureKind::InvalidAnswer), "too_large");
                }
            }
            Some(Ok(ChatEvent::Finished(finished))) => {
                let usage = finished.usage.unwrap_or_default();
                return Ended {
                    event: Some(AttemptEvent::Finished),
                    tokens_in: usage.prompt_tokens,
                    tokens_out: usage.completion_tokens,
                    ..Ended::default()
                };
            }
            Some(Err(error)) => return remote_failure(&error),
            None => return Ended::failed(AttemptEvent::Failed(FailureKind::Interrupted), "ended"),
        }
    }
}

/// What is shown of an endpoint's answer: the values back in their places, and nothing from a stop string on. Stop strings are looked for
/// here, because nobody examined them: they do not leave.
struct Shown {
    reidentifier: Option<Reidentifier>,
    stops: StopMatcher,
    bytes: u64,
}

impl Shown {
    fn new(reidentifier: Option<Reidentifier>, stops: &[String]) -> Result<Shown, EngineError> {
        Ok(Shown {
            reidentifier,
            stops: StopMatcher::new(stops)?,
            bytes: 0,
        })
    }

    fn push(&mut self, text: &str) -> String {
        let shown = match &mut self.reidentifier {
            Some(reidentifier) => self.stops.push(&reidentifier.push(text)),
            None => self.stops.push(text),
        };
        self.bytes += shown.len() as u64;
        shown
    }

    fn finish(mut self) -> String {
        let rest = self.reidentifier.take().map(Reidentifier::finish);
        let mut shown = rest.map_or_else(String::new, |rest| self.stops.push(&rest));
        shown += &self.stops.finish();
        shown
    }
}

fn chat_options(options: &GenerationOptions, request_id: &str) -> ChatOptions {
    let mut chat = ChatOptions::new(request_id);
    chat.max_tokens = Some(options.max_tokens);
    chat.temperature = Some(options.sampling.temperature);
    chat.top_p = (options.sampling.top_p < 1.0).then_some(options.sampling.top_p);
    chat
}

fn remote_failure(error: &ChatError) -> Ended {
    use FailureKind::{Connection, Declined, Internal, Interrupted, InvalidAnswer, RateLimited, Server, Unauthorised};
    let (kind, code) = match error.failure {
        Failure::Unreachable => (Connection, "unreachable"),
        Failure::NotLoopback => (Connection, "not_loopback"),
        Failure::Handshake => (Connection, "handshake"),
        Failure::Certificate { .. } => (Connection, "certificate"),
        Failure::TimedOut { .. } => (Interrupted, "timed_out"),
        Failure::Lost => (Interrupted, "lost"),
        Failure::Truncated => (Interrupted, "truncated"),
        Failure::Refused {
            code: ServerCode::InvalidKey | ServerCode::Forbidden,
            ..
        } => (Unauthorised, "unauthorised"),
        Failure::Refused { status: 429, .. } => (RateLimited, "rate_limited"),
        Failure::Refused { status: 500.., .. } => (Server, "server"),
        Failure::Refused { .. } => (Declined, "refused"),
        Failure::Redirected { .. } => (Server, "redirected"),
        Failure::Reported { .. } => (Server, "reported"),
        Failure::CircuitOpen { .. } => (Connection, "circuit_open"),
        Failure::Protocol => (InvalidAnswer, "protocol"),
        Failure::ContentType => (InvalidAnswer, "content_type"),
        Failure::Malformed { .. } => (InvalidAnswer, "malformed"),
        Failure::ResponseTooLarge { .. } => (InvalidAnswer, "too_large"),
        _ => (Internal, "request"),
    };
    Ended {
        bytes_out: error.traffic.bytes_out,
        bytes_in: error.traffic.bytes_in,
        is_skipped: matches!(error.failure, Failure::CircuitOpen { .. }),
        ..Ended::failed(AttemptEvent::Failed(kind), code)
    }
}

//! One request from its text to its receipt: examined, decided, written down, carried out as the plan's fallback says, written down again.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};
use whimbrel_engine::{Message, Role};
use whimbrel_network::ATTEMPTS_MAX;
use whimbrel_policy::ATTEMPTS_MAX as CANDIDATES_MAX;
use whimbrel_policy::{
    AttemptEvent, Candidate, Command, Confidence, Decision, End, EscalationThresholds, Event, FailureKind, Fallback,
    Feedback, Target, escalation, repetition_ratio,
};
use whimbrel_privacy::{Examined, Placeholders, Release, ScanError};
use whimbrel_store::{Closing, Intent, Label, Outcome, Place, ReceiptId, Signal};

use super::attempt::{self, Ended, Progress, Reports, Sending};
use super::conversation::{ConversationInner, Last, Turn};
use super::core::{Core, Decided, lock, now_ms};
use super::{AskOptions, AssistantError, AssistantEvent, Report, receipts};

/// Reports of attempts that wait to be looked at.
const REPORTS_WAITING_MAX: usize = 64;
/// Header fields and the frame of a request's JSON are shorter than this.
const REQUEST_FRAME_BYTES: u64 = 4096;
/// How long a stopped attempt may take to say what it used up.
const STOP_MS_MAX: u64 = 5_000;

/// A request to be carried out.
pub(super) struct Job {
    conversation: Arc<ConversationInner>,
    question: String,
    options: AskOptions,
    turn: Turn,
    /// What is left out of what may answer.
    not_asked: Option<Target>,
    events: mpsc::Sender<Result<AssistantEvent, AssistantError>>,
    cancelled: watch::Receiver<bool>,
}

/// What is needed to ask one candidate.
enum Prepared {
    Local,
    System,
    Remote(Box<Sending>),
    /// It cannot be asked, for this reason.
    Unusable(&'static str),
}

/// A request that was decided, with everything that its attempts need.
struct Ready {
    decided: Decided,
    request_id: String,
    content: whimbrel_privacy::ContentFacts,
    places: Vec<Place>,
    prepared: Vec<Prepared>,
}

/// A request under way.
struct Running<'j> {
    job: &'j mut Job,
    ready: Ready,
    fallback: Fallback,
    /// Given to every attempt, and kept so that the other end never closes.
    reporter: mpsc::Sender<(u32, Progress)>,
    reports: mpsc::Receiver<(u32, Progress)>,
    /// Raised to stop the attempt that runs.
    stop: watch::Sender<bool>,
    /// The number of the attempt that runs.
    attempt: Option<u32>,
    ended: Vec<Ended>,
    answer: String,
    wake_at_ms: u64,
    /// When the time for everything is over.
    ends_at_ms: u64,
    is_cancelled: bool,
}

impl Job {
    pub(super) fn new(
        conversation: Arc<ConversationInner>,
        question: String,
        options: AskOptions,
        turn: Turn,
        not_asked: Option<Target>,
        events: mpsc::Sender<Result<AssistantEvent, AssistantError>>,
        cancelled: watch::Receiver<bool>,
    ) -> Job {
        Job {
            conversation,
            question,
            options,
            turn,
            not_asked,
            events,
            cancelled,
        }
    }

    pub(super) async fn run(mut self) {
        let over = Over(self.conversation.clone());
        let result = self.carry_out().await;
        // First of all: a reader that sees the end may ask again at once.
        drop(over);
        let event = result.map(|report| AssistantEvent::Finished(Box::new(report)));
        // A reader who has gone does not want to hear it.
        let _ = self.events.send(event).await;
    }

    async fn carry_out(&mut self) -> Result<Report, AssistantError> {
        let core = self.conversation.core.clone();
        let ready = match self.prepare(&core).await {
            Err(AssistantError::Scan(error)) => return Err(self.refuse(&core, error).await),
            other => other?,
        };
        let bytes_out_max: Vec<u64> = ready.prepared.iter().map(Prepared::bytes_out_max).collect();
        let plan = &ready.decided.plan;
        let intent = receipts::intent(
            plan,
            &ready.request_id,
            &self.options.task,
            &ready.content,
            &ready.places,
            &bytes_out_max,
        );
        // When this returns, the receipt has reached the disk, and only then may anything leave.
        let begun = core.blocking(move |core| core.store.ledger().begin(&intent, now_ms()));
        let receipt = begun.await??;
        let began_ms = core.elapsed_ms();
        let (fallback, commands) = Fallback::start(plan, began_ms);
        let ends_at_ms = began_ms.saturating_add(plan.bounds.deadline_ms);
        let (reporter, reports) = mpsc::channel(REPORTS_WAITING_MAX);
        let mut running = Running {
            job: self,
            ready,
            fallback,
            reporter,
            reports,
            stop: watch::Sender::new(false),
            attempt: None,
            ended: Vec::new(),
            answer: String::new(),
            wake_at_ms: u64::MAX,
            ends_at_ms,
            is_cancelled: false,
        };
        let end = running.finish(&core, commands).await;
        running.close(&core, receipt, end).await
    }

    /// A text that cannot be examined goes nowhere, and leaves a receipt that says so.
    async fn refuse(&self, core: &Arc<Core>, error: ScanError) -> AssistantError {
        let (task, class) = (Label::squeezed(&self.options.task), self.options.class);
        let recorded = core.blocking(move |core| {
            let intent = Intent::new(Label::squeezed(&super::request_id()?), task, class);
            let closing = Closing {
                error: Some(Label::squeezed("too_long")),
                ..Closing::new(Outcome::Failed)
            };
            Ok::<_, AssistantError>(core.store.ledger().record(&intent, &closing, now_ms())?)
        });
        match recorded.await {
            Ok(Ok(_)) => error.into(),
            Ok(Err(error)) | Err(error) => error,
        }
    }

    /// Examines the text, decides, and clears it for every endpoint of the plan: what cannot be cleared is not sent.
    async fn prepare(&self, core: &Arc<Core>) -> Result<Ready, AssistantError> {
        let (draft, history) = self.conversation.draft(&self.question, self.options.class, self.turn);
        let (conversation, options) = (self.conversation.clone(), self.options.clone());
        let not_asked = self.not_asked.clone();
        let offered = core.offered().await;
        let this = core.clone();
        core.blocking(move |core| {
            let request_id = super::request_id()?;
            let messages = draft.messages.len() as u64;
            let scanner = lock(&core.scanner).clone();
            let examined = scanner.examine(draft)?;
            let request = Core::request_facts(request_id.clone(), &options, examined.facts(), messages);
            let mut decided = core.decide(request, examined.facts(), offered, &conversation.options, &history);
            let plan = &mut decided.plan;
            if let Some(not_asked) = &not_asked {
                plan.candidates.retain(|candidate| candidate.target() != not_asked);
                if plan.candidates.is_empty() && plan.decision == Decision::Run {
                    plan.decision = match plan.deferred {
                        Some(_) => Decision::Defer,
                        None => Decision::Unavailable,
                    };
                }
            }
            // No more are ever tried.
            plan.candidates.truncate(CANDIDATES_MAX as usize);
            let model = decided.offered.model.as_ref();
            let hash = model.map_or_else(String::new, |model| model.info().manifest.blake3.clone());
            let candidates = &decided.plan.candidates;
            let places = candidates
                .iter()
                .map(|candidate| receipts::place(candidate, &decided.policies, &hash));
            let places = places.collect();
            // Taken out and put back, so that nobody waits for the redaction; no other request of the conversation runs.
            let mut placeholders = lock(&conversation.state).placeholders.clone();
            let prepared = (0..)
                .zip(candidates)
                .map(|(index, candidate)| {
                    // One a candidate: the same key must not come with two texts.
                    let id = format!("{request_id}-{index}");
                    prepare(&this, &mut placeholders, &decided, candidate, &examined, id)
                })
                .collect();
            lock(&conversation.state).placeholders = placeholders;
            Ok(Ready {
                content: examined.facts().clone(),
                decided,
                request_id,
                places,
                prepared,
            })
        })
        .await?
    }
}

fn prepare(
    core: &Core,
    placeholders: &mut Placeholders,
    decided: &Decided,
    candidate: &Candidate,
    examined: &Examined,
    request_id: String,
) -> Prepared {
    let id = match candidate.target() {
        Target::OnDevice { .. } => return Prepared::Local,
        Target::SystemModel { .. } => return Prepared::System,
        Target::Endpoint { id } => id,
    };
    let endpoints = decided.policies.app().endpoints();
    let Some(endpoint) = endpoints.iter().find(|endpoint| endpoint.id == *id) else {
        return Prepared::Unusable("no_endpoint");
    };
    let Ok(endpoint) = core.endpoint(endpoint) else {
        return Prepared::Unusable("endpoint_settings");
    };
    let Some(permit) = candidate.permit(examined.facts()) else {
        return Prepared::Unusable("no_permit");
    };
    match examined.clear(&permit, placeholders) {
        Ok(cleared) => Prepared::Remote(Box::new(Sending {
            endpoint,
            reidentifier: (cleared.release() == Release::Redacted).then(|| placeholders.reidentifier()),
            cleared,
            request_id,
        })),
        Err(_) => Prepared::Unusable("not_cleared"),
    }
}

impl Prepared {
    /// Bytes that asking may send at most, every repetition counted.
    fn bytes_out_max(&self) -> u64 {
        let Prepared::Remote(sending) = self else { return 0 };
        let texts = sending.cleared.messages().iter().map(|message| {
            let escaped = serde_json::to_string(&message.text).expect("text is JSON");
            escaped.len() as u64 + 64
        });
        (texts.sum::<u64>() + REQUEST_FRAME_BYTES) * u64::from(ATTEMPTS_MAX)
    }
}

impl Running<'_> {
    /// Carries out commands and takes in what happens, until it is over.
    async fn finish(&mut self, core: &Arc<Core>, mut commands: Vec<Command>) -> End {
        loop {
            // First of all, since the time before has passed.
            for command in &commands {
                if let Command::WakeAt { at_ms } = command {
                    self.wake_at_ms = *at_ms;
                }
            }
            for command in commands {
                match command {
                    Command::Start { attempt, candidate } => self.start(core, attempt, candidate).await,
                    Command::Cancel { attempt } => self.stop(attempt).await,
                    Command::WakeAt { .. } => {}
                    Command::Restarted { .. } => {
                        self.answer.clear();
                        self.give(core, AssistantEvent::Restarted).await;
                    }
                    Command::End(end) => return end,
                }
            }
            commands = self.happens(core).await;
        }
    }

    /// Waits for what happens next, and says what is to be done then.
    async fn happens(&mut self, core: &Arc<Core>) -> Vec<Command> {
        if self.is_cancelled {
            return self.fallback.step(core.elapsed_ms(), Event::Cancelled);
        }
        let due = deadline(core, self.wake_at_ms);
        let report = tokio::select! {
            biased;
            () = is_raised(&mut self.job.cancelled) => return self.fallback.step(core.elapsed_ms(), Event::Cancelled),
            () = self.job.events.closed() => return self.fallback.step(core.elapsed_ms(), Event::Cancelled),
            report = self.reports.recv() => report,
            () = sleep_until(due) => return self.fallback.step(core.elapsed_ms(), Event::Timer),
        };
        let (attempt, progress) = report.expect("this end keeps a sender");
        if self.attempt != Some(attempt) {
            // One that did not stop in time.
            return Vec::new();
        }
        let (event, text) = match progress {
            Progress::Text(text) => (AttemptEvent::FirstToken, Some(text)),
            Progress::Ended(ended) => {
                let event = ended.event.unwrap_or(AttemptEvent::Failed(FailureKind::Internal));
                self.attempt = None;
                self.ended.push(ended);
                (event, None)
            }
        };
        let commands = self.fallback.step(core.elapsed_ms(), Event::Attempt { attempt, event });
        // The attempt's time may have been over before the text came.
        let goes_on = !commands.iter().any(|command| matches!(command, Command::Cancel { .. }));
        if let (Some(text), true) = (text, goes_on) {
            self.answer.push_str(&text);
            self.give(core, AssistantEvent::Text(text)).await;
        }
        commands
    }

    /// Gives an event to the reader, unless the reader goes, the user stops it, or the time for everything is over first.
    async fn give(&mut self, core: &Arc<Core>, event: AssistantEvent) {
        let due = deadline(core, self.ends_at_ms);
        tokio::select! {
            biased;
            permit = self.job.events.reserve() => match permit {
                Ok(permit) => permit.send(Ok(event)),
                Err(_) => self.is_cancelled = true,
            },
            () = is_raised(&mut self.job.cancelled) => self.is_cancelled = true,
            () = sleep_until(due) => {}
        }
    }

    async fn start(&mut self, core: &Arc<Core>, attempt: u32, candidate: u32) {
        let index = candidate as usize;
        let trying = AssistantEvent::Trying {
            place: self.ready.places[index].clone(),
            sent: receipts::sent(&self.ready.decided.plan.candidates[index]),
        };
        self.give(core, trying).await;
        self.stop = watch::Sender::new(false);
        self.attempt = Some(attempt);
        let mut stop = self.stop.subscribe();
        let reports = Reports {
            attempt,
            sender: self.reporter.clone(),
        };
        let prepared = std::mem::replace(&mut self.ready.prepared[index], Prepared::Unusable("asked_before"));
        if self.is_cancelled || *self.job.cancelled.borrow() {
            // Nothing is begun any more; the fallback hears of it in its next step.
            let ended = Ended::skipped("not_begun");
            let _ = self.reporter.try_send((attempt, Progress::Ended(ended)));
            return;
        }
        let offered = self.ready.decided.offered.clone();
        let turn = self.job.turn;
        let (core, conversation) = (core.clone(), self.job.conversation.clone());
        let (question, mut options) = (self.job.question.clone(), self.job.options.generation.clone());
        let handle = core.handle().clone();
        let ending = reports.clone();
        let asked = handle.spawn(async move {
            match prepared {
                Prepared::Local => {
                    options.confidence = true;
                    let asked = attempt::Local {
                        core: &core,
                        conversation: &conversation,
                        model: offered.model.as_ref(),
                        turn,
                    };
                    asked.ask(&question, options, &reports, &mut stop).await
                }
                Prepared::System => {
                    let mut messages = conversation.history(turn);
                    messages.push(Message {
                        role: Role::User,
                        content: question,
                    });
                    attempt::system(&core, offered.system, messages, &options, &reports, &mut stop).await
                }
                Prepared::Remote(sending) => attempt::remote(&core, *sending, &options, &reports, &mut stop).await,
                Prepared::Unusable(code) => Ended::skipped(code),
            }
        });
        handle.spawn(async move {
            // A panic ends the attempt, not the request.
            let panicked = || Ended::failed(AttemptEvent::Failed(FailureKind::Internal), "panicked");
            let ended = asked.await.unwrap_or_else(|_| panicked());
            ending.send(Progress::Ended(ended)).await;
        });
    }

    /// Stops the attempt and waits for what it used up; its text is no longer wanted.
    async fn stop(&mut self, attempt: u32) {
        self.stop.send_replace(true);
        let until = Instant::now() + Duration::from_millis(STOP_MS_MAX);
        let ended = loop {
            tokio::select! {
                report = self.reports.recv() => match report {
                    Some((from, Progress::Ended(ended))) if from == attempt => break ended,
                    _ => {}
                },
                () = sleep_until(until) => break Ended::failed(AttemptEvent::Failed(FailureKind::Internal), "did_not_stop"),
            }
        };
        self.attempt = None;
        self.ended.push(ended);
    }

    /// Writes the receipt's end, keeps what was said, and reports.
    async fn close(self, core: &Arc<Core>, receipt: ReceiptId, end: End) -> Result<Report, AssistantError> {
        let Running {
            job,
            ready,
            fallback,
            ended,
            answer,
            ..
        } = self;
        let Decided {
            plan,
            policies,
            device,
            now_ms: decided_ms,
            ..
        } = ready.decided;
        let attempts = fallback.attempts().to_vec();
        let closing = receipts::closing(&plan, &ready.places, end, &attempts, &ended);
        let view = device.view(decided_ms);
        let metered = view.network.is_none_or(|network| network.is_metered());
        let (bytes_out, bytes_in) = ended.iter().fold((0, 0), |(out, into), ended| {
            (out + ended.bytes_out, into + ended.bytes_in)
        });
        let cost_micros = attempts
            .iter()
            .zip(&ended)
            .map(|(attempt, ended)| cost(&plan.candidates[attempt.candidate as usize], ended, &policies));
        let (cost_micros, metered_bytes) = (cost_micros.sum(), if metered { bytes_out + bytes_in } else { 0 });
        let stored = closing.clone();
        core.blocking(move |core| {
            core.use_up(cost_micros, metered_bytes, now_ms());
            core.store.ledger().finish(receipt, &stored, now_ms())
        })
        .await??;

        let answered = attempts.last().map(|attempt| attempt.candidate as usize);
        let candidate = answered.map(|index| &plan.candidates[index]);
        let kept = match end {
            End::Answered { .. } => true,
            End::Cancelled { partial } => partial,
            _ => false,
        };
        let mut escalates = None;
        if let (End::Answered { .. }, Some(ended), Some(index)) = (end, ended.last(), answered) {
            escalates = confidence(&answer, ended)
                .and_then(|confidence| escalation(&plan, index as u32, &confidence, &EscalationThresholds::default()));
        }
        let last = Last {
            receipt,
            question: job.question.clone(),
            answered: candidate.filter(|_| kept).map(|candidate| candidate.target().clone()),
            options: job.options.clone(),
            recipients: plan.recipients.clone(),
        };
        let is_local = matches!(last.answered, Some(Target::OnDevice { .. })) && matches!(end, End::Answered { .. });
        job.conversation.keep(last, answer, is_local, job.turn);
        if matches!(end, End::Cancelled { partial: true }) {
            let learning = core.clone();
            let learned = core.blocking(move |_| super::learn(&learning, receipt, Signal::Aborted, Feedback::Aborted));
            if let Ok(Err(error)) | Err(error) = learned.await {
                log::warn!("a sign about receipt {receipt} is lost: {error}");
            }
        }
        Ok(Report {
            receipt,
            end,
            place: answered.map(|index| ready.places[index].clone()),
            sent: closing
                .attempts
                .iter()
                .rev()
                .find(|attempt| attempt.bytes_out > 0)
                .and_then(|attempt| attempt.sent),
            reasons: candidate.map_or_else(Vec::new, |candidate| {
                candidate.reasons().iter().map(ToString::to_string).collect()
            }),
            rules: plan.rule_ids(),
            attempts,
            refused: plan.refused,
            considered: plan.considered,
            bytes_out,
            bytes_in,
            redacted: closing.redacted.values().sum(),
            tokens: closing.tokens,
            first_token_ms: closing.latency.first_token_ms,
            total_ms: closing.latency.total_ms,
            energy: closing.energy,
            escalation: escalates,
            device: view,
        })
    }
}

/// How sure the answer was. Repetition is counted in words, since not every place says its tokens.
fn confidence(answer: &str, ended: &Ended) -> Option<Confidence> {
    let mean_log_probability = ended.mean_log_probability? as f32;
    let words: Vec<u32> = answer
        .split_whitespace()
        .map(|word| {
            word.bytes().fold(0x811c_9dc5, |hash: u32, byte| {
                (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
            })
        })
        .collect();
    Some(Confidence {
        tokens: u32::try_from(ended.tokens_out).unwrap_or(u32::MAX),
        mean_log_probability,
        repetition_ratio: repetition_ratio(&words),
    })
}

fn cost(candidate: &Candidate, ended: &Ended, policies: &whimbrel_policy::PolicySet) -> u64 {
    let Target::Endpoint { id } = candidate.target() else {
        return 0;
    };
    if ended.bytes_out > 0 && ended.tokens_in == 0 {
        // It was sent, and nobody counted: what was expected counts.
        return candidate.expected().cost_micros;
    }
    let endpoints = policies.app().endpoints();
    endpoints
        .iter()
        .find(|endpoint| endpoint.id == *id)
        .map_or(0, |endpoint| {
            let cost = |tokens: u64, per_1k: u64| tokens.saturating_mul(per_1k).div_ceil(1000);
            cost(ended.tokens_in, endpoint.prompt_cost_per_1k_micros)
                .saturating_add(cost(ended.tokens_out, endpoint.answer_cost_per_1k_micros))
        })
}

/// Lets the conversation be asked again, also after a panic.
struct Over(Arc<ConversationInner>);

impl Drop for Over {
    fn drop(&mut self) {
        self.0.is_over();
    }
}

fn deadline(core: &Core, at_ms: u64) -> Instant {
    // A day is for ever: sums with a larger number would overflow.
    let left_ms = at_ms.saturating_sub(core.elapsed_ms()).min(24 * 3_600_000);
    Instant::now() + Duration::from_millis(left_ms)
}

/// Waits until somebody cancels; for ever when nobody can any more, since then the reader is gone too.
async fn is_raised(cancelled: &mut watch::Receiver<bool>) {
    if cancelled.wait_for(|cancelled| *cancelled).await.is_err() {
        std::future::pending::<()>().await;
    }
}

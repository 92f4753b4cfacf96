//! One attempt at a queued question: decided again, asked in its conversation, and its answer prepared for the disk.

use std::sync::Arc;

use tokio::sync::{oneshot, watch};
use whimbrel_policy::outbox::{AttemptResult, Decided, Event as Happened, Failure, IdempotencyKey};
use whimbrel_policy::{Ending, Kept, Recipients};
use whimbrel_privacy::Release;
use whimbrel_record::{Code, Outcome};
use whimbrel_store::{ConversationId, OutboxId};

use super::drive::with_store;
use super::row::QueuedQuestion;
use crate::conversation::{History, Last, Question, Turn, follow, take};
use crate::error::lock;
use crate::exchange::Answered;
use crate::ports::BoxFuture;
use crate::report::{Event, Report};
use crate::request::Message;
use crate::services::Services;
use crate::{Answer, ClientError, Conversation, ConversationOptions, Conversations, Role, caches};

/// An attempt without a deadline of its own ends after this.
const DEADLINE_MS: u64 = 600_000;
/// Events that are taken at a time.
const BATCH: u32 = 64;

/// What is to be asked.
pub(super) struct Order {
    pub(super) id: u64,
    pub(super) lease: u64,
    pub(super) key: IdempotencyKey,
    pub(super) conversation: ConversationId,
    pub(super) question: QueuedQuestion,
}

/// How a queued question ended: what becomes part of its conversation in the step in which it leaves the outbox.
pub(super) struct Concluded {
    conversation: Conversation,
    question: Question,
    /// `None` for one that nobody answered in time.
    answered: Option<Answered>,
}

impl Concluded {
    /// A question whose time is over. It was never decided about, so nobody else may read it.
    pub(super) async fn expired(
        services: &Arc<Services>,
        conversation: ConversationId,
        queued: &QueuedQuestion,
    ) -> Result<Concluded, ClientError> {
        Ok(Concluded {
            conversation: open(services, conversation).await?,
            question: question(queued),
            answered: None,
        })
    }

    pub(super) async fn write(self, services: &Arc<Services>, id: OutboxId) -> Result<(), ClientError> {
        let now_ms = services.clock.now_ms();
        with_store(services, move |store| {
            let inner = self.conversation.inner();
            let keeping = inner.keeping.as_ref().ok_or(ClientError::Stopped)?;
            let end = |history: &mut History| self.become_part(history);
            keeping.conclude(end, &inner.history, now_ms, |change| {
                store.outbox().conclude(id, change, now_ms)
            })?;
            if let Some(answered) = &self.answered {
                answered.remember(store, Some(keeping.id), now_ms);
            }
            keeping.entitle(store, &inner.history)
        })
        .await?;
        services.note_change();
        caches::keep_within_budget_aside(services, services.records().ok());
        Ok(())
    }

    fn become_part(&self, history: &mut History) {
        if let Some(answered) = &self.answered {
            return take(history, &self.question, answered);
        }
        let last = Last::unanswered(&self.question.text, &self.question.options);
        let nothing = Message::new(Role::Assistant, "");
        let handling = (last.options.class, Recipients::nobody());
        history.keep(last, handling, Kept::Question, nothing, Turn::Next);
    }
}

/// Carries the attempt out and reports it. Boxed, since the report may begin the next attempt.
pub(super) fn run(services: Arc<Services>, order: Order, cancelled: watch::Receiver<bool>) -> BoxFuture<'static, ()> {
    Box::pin(async move {
        let (id, lease) = (order.id, order.lease);
        let (result, concluded) = match attempt(&services, &order, cancelled).await {
            Ok(ended) => ended,
            Err(error) => {
                log::warn!("the queued question {id} was not asked: {error}");
                (AttemptResult::Failed(Failure::free(Code::Internal)), None)
            }
        };
        let mut slot = services.outbox.lock().await;
        let ended = match slot.machine(&services).await {
            Ok(machine) => {
                machine.end_attempt(id, concluded);
                slot.step(&services, Happened::Ended { id, lease, result }).await
            }
            Err(error) => Err(error),
        };
        if let Err(error) = ended {
            log::warn!("the outbox cannot continue: {error}");
        }
    })
}

async fn attempt(
    services: &Arc<Services>,
    order: &Order,
    mut cancelled: watch::Receiver<bool>,
) -> Result<(AttemptResult, Option<Concluded>), ClientError> {
    let conversation = open(services, order.conversation).await?;
    let (sender, whole) = oneshot::channel();
    let answer = ask(&conversation, &order.question, order.key, sender)?;
    let deadline_ms = order.question.options.deadline_ms.unwrap_or(DEADLINE_MS);
    let (mut is_begun, mut is_stopped) = (false, false);
    let report = loop {
        let events = tokio::select! {
            biased;
            stop = cancelled.wait_for(|cancelled| *cancelled), if !is_stopped => {
                is_stopped = true;
                drop(stop);
                answer.cancel();
                continue;
            }
            events = answer.next(BATCH) => events?,
        };
        let mut report = None;
        for event in events {
            match event {
                Event::Started { release, .. } if !std::mem::replace(&mut is_begun, true) => {
                    let began = Happened::Began {
                        id: order.id,
                        lease: order.lease,
                        decided: decided(release),
                        deadline_ms,
                    };
                    services.outbox.lock().await.step(services, began).await?;
                }
                Event::Finished(finished) => report = Some(finished),
                _ => {}
            }
        }
        if let Some(report) = report {
            break report;
        }
    };
    let answered = whole.await.map_err(|_| ClientError::Stopped)?;
    // An app that closes the conversation does not mean its question.
    let is_stopped = is_stopped || conversation.is_closed();
    let concluded = answered.map(|answered| Concluded {
        conversation,
        question: question(&order.question),
        answered: Some(answered),
    });
    Ok((result(&report, is_stopped), concluded))
}

fn decided(release: Option<Release>) -> Decided {
    match release {
        None => Decided::OnDevice,
        Some(Release::Redacted) => Decided::Redacted,
        Some(_) => Decided::AsIs,
    }
}

/// What the machine is told.
fn result(report: &Report, is_stopped: bool) -> AttemptResult {
    if is_stopped && report.outcome == Outcome::Cancelled {
        return AttemptResult::Stopped;
    }
    let ending = Ending {
        outcome: report.outcome,
        code: report.code,
        is_partial: report.is_partial,
        candidate: None,
    };
    let failed = report.attempts.iter().filter_map(|attempt| attempt.code);
    let failures = failed.map(|code| Failure {
        is_free: report.bytes_out == 0,
        ..Failure::free(code)
    });
    AttemptResult::of(&ending, failures, &report.refused)
}

/// The conversation, open already or not.
async fn open(services: &Arc<Services>, id: ConversationId) -> Result<Conversation, ClientError> {
    Conversations::of(services)
        .open(id, ConversationOptions::default())
        .await
}

fn question(queued: &QueuedQuestion) -> Question {
    Question {
        text: queued.text.clone(),
        options: queued.options.clone(),
        turn: Turn::Next,
        excluded: Vec::new(),
        recipients: queued.recipients.clone(),
    }
}

/// Asks in the conversation, once the answer before has ended, and leaves its history as it is. The answer goes to `whole` if it is one.
fn ask(
    conversation: &Conversation,
    queued: &QueuedQuestion,
    key: IdempotencyKey,
    whole: oneshot::Sender<Option<Answered>>,
) -> Result<Answer, ClientError> {
    let inner = conversation.inner();
    let (asking, question) = (inner.clone(), question(queued));
    follow(&inner.services, lock(&inner.running), true, async move |begun| {
        let answered = asking.ask(&question, begun, Some(key.to_string()), None).await?;
        let report = answered.report.clone();
        // Whoever waits for it may be gone.
        let _ = whole.send(Some(answered).filter(|_| report.outcome == Outcome::Answered));
        Ok(report)
    })
}

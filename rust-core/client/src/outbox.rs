//! The outbox: questions that a policy lets wait, kept on the disk until they are answered. `whimbrel_policy::outbox` decides when each is
//! sent and what a failure means; `outbox::drive` carries that out. The policy in force then decides again about the question, and the answer
//! becomes part of its conversation in the same step in which the question leaves the outbox.

mod attempt;
mod drive;
mod reader;
mod row;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::broadcast;
use whimbrel_policy::outbox::{Conditions, Constraints, Event, IdempotencyKey, NewEntry, Notice, Priority, RunBudget};
use whimbrel_store::{ConversationId, OutboxId, StoreError};

pub(crate) use self::drive::OutboxSlot;
use self::drive::{Machine, Pending};
pub use self::reader::{Heard, OutboxReader};
pub use self::row::QueuedQuestion;
use crate::report::Report;
use crate::services::Services;
use crate::{Assistant, ClientError};

/// A queued question and how it is doing.
#[derive(Clone, Debug, PartialEq)]
pub struct Queued {
    /// Its number.
    pub id: OutboxId,
    /// Its conversation.
    pub conversation: ConversationId,
    /// What is asked.
    pub question: QueuedQuestion,
    /// When it was queued or edited, in milliseconds since 1970.
    pub created_ms: u64,
    /// Which conversation is served first.
    pub priority: Priority,
    /// How many attempts were begun.
    pub attempts: u32,
    /// Milliseconds until it is retried; `None` if it does not wait for a time.
    pub retry_in_ms: Option<u64>,
    /// What has to be there before it is sent.
    pub needs: Constraints,
    /// How it is doing.
    pub notice: Notice,
}

/// What is new about a queued question.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OutboxEvent {
    /// The question.
    pub id: OutboxId,
    /// Its conversation.
    pub conversation: ConversationId,
    /// What is new.
    pub notice: Notice,
}

/// What a run has done.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct OutboxRun {
    /// Questions that were answered.
    pub answered: u32,
    /// Questions that are still queued.
    pub left: u64,
    /// When the next run is worth while, in milliseconds since 1970; `None` if nothing waits for a time or a condition. Questions that can be
    /// sent under the present conditions come before those that need others.
    pub next_ms: Option<u64>,
    /// What the system is to wait for before it.
    pub next_needs: Constraints,
}

/// The queued questions of an assistant. Clones are handles of the same outbox.
#[derive(Clone)]
pub struct Outbox {
    services: Arc<Services>,
}

impl Assistant {
    /// The queued questions.
    #[must_use]
    pub fn outbox(&self) -> Outbox {
        Outbox {
            services: self.services.clone(),
        }
    }
}

/// Every call fails with [`ClientError::Store`] if the store cannot be used, with [`ClientError::Closed`] after the assistant was closed, and
/// where it changes a question with [`ClientError::Outbox`].
impl Outbox {
    /// The queued questions, in the order of their numbers.
    ///
    /// # Errors
    /// Those of all calls.
    pub async fn list(&self) -> Result<Vec<Queued>, ClientError> {
        let mut slot = self.services.outbox.lock().await;
        let machine = slot.machine(&self.services).await?;
        machine.list(&self.services).await
    }

    /// Sends what is due, and waits until nothing more can be sent now or the budget is used up. For a task of the system, such as
    /// WorkManager's or BGTaskScheduler's.
    ///
    /// # Errors
    /// Those of all calls.
    pub async fn run_due(&self, budget: RunBudget) -> Result<OutboxRun, ClientError> {
        let mut idle = {
            let mut slot = self.services.outbox.lock().await;
            slot.catch_up(&self.services).await?;
            let before = slot.machine(&self.services).await?.begin_run();
            slot.step(&self.services, Event::Run(budget)).await?;
            before
        };
        // It ends with the run, or when the machine is built anew.
        let answered = loop {
            if let Some(answered) = *idle.borrow_and_update() {
                break answered;
            }
            if idle.changed().await.is_err() {
                break 0;
            }
        };
        let mut slot = self.services.outbox.lock().await;
        Ok(slot.machine(&self.services).await?.ran(&self.services, answered))
    }

    /// Sends what is due from now on, as long as the assistant is open.
    ///
    /// # Errors
    /// Those of all calls.
    pub async fn run(&self) -> Result<(), ClientError> {
        let mut slot = self.services.outbox.lock().await;
        slot.catch_up(&self.services).await?;
        slot.step(&self.services, Event::Run(RunBudget::UNLIMITED)).await
    }

    /// From which age on a question waits until the user confirms it ([`Outbox::confirm`]), in milliseconds; `None` sends it however old it is.
    /// It holds as long as the assistant is open.
    ///
    /// # Errors
    /// Those of all calls.
    pub async fn set_confirm_after_ms(&self, age_ms: Option<u64>) -> Result<(), ClientError> {
        let mut slot = self.services.outbox.lock().await;
        slot.set_confirm_after_ms(&self.services, age_ms).await
    }

    /// Allows a question to be sent although it is old.
    ///
    /// # Errors
    /// Those of all calls.
    pub async fn confirm(&self, id: OutboxId) -> Result<(), ClientError> {
        self.change(|machine, now| machine.outbox.confirm(now, id.0)).await
    }

    /// Sends a question as soon as its turn comes, whatever it was waiting for.
    ///
    /// # Errors
    /// Those of all calls.
    pub async fn retry(&self, id: OutboxId) -> Result<(), ClientError> {
        self.change(|machine, now| machine.outbox.retry(now, id.0)).await
    }

    /// Removes a question. It leaves nothing in its conversation.
    ///
    /// # Errors
    /// Those of all calls.
    pub async fn cancel(&self, id: OutboxId) -> Result<(), ClientError> {
        self.change(|machine, now| machine.outbox.cancel(now, id.0)).await
    }

    /// Changes the priority of a question's conversation.
    ///
    /// # Errors
    /// Those of all calls.
    pub async fn prioritise(&self, id: OutboxId, priority: Priority) -> Result<(), ClientError> {
        self.change(|machine, now| machine.outbox.reprioritise(now, id.0, priority))
            .await
    }

    /// Replaces the text of a question. To an endpoint it is another one.
    ///
    /// # Errors
    /// Those of all calls.
    pub async fn edit(&self, id: OutboxId, text: &str) -> Result<(), ClientError> {
        crate::error::within("bytes of question", text.len() as u64, crate::PROMPT_BYTES_MAX)?;
        let mut slot = self.services.outbox.lock().await;
        let key = self.services.idempotency_key()?;
        let machine = slot.machine(&self.services).await?;
        let row = machine.row(&self.services, id).await?;
        let question = QueuedQuestion {
            text: text.to_owned(),
            recipients: None,
            ..row.question
        };
        let bytes = question.encode();
        let now = self.services.moment();
        let commands = machine.outbox.edit(now, id.0, bytes.len() as u64, key)?;
        machine.pending = Some(Pending::Edited(id, bytes));
        slot.drive(&self.services, commands).await
    }

    /// What happens to queued questions from now on. A reader that is too slow misses the oldest events.
    #[must_use]
    pub fn events(&self) -> broadcast::Receiver<OutboxEvent> {
        self.services.outbox.events()
    }

    /// The same, for a reader that is told how many events it missed, and when the assistant is closed.
    ///
    /// # Errors
    /// [`ClientError::Closed`].
    pub fn reader(&self) -> Result<OutboxReader, ClientError> {
        Ok(OutboxReader::new(self.events(), self.services.records()?.gone()))
    }

    async fn change(
        &self,
        change: impl FnOnce(
            &mut Machine,
            whimbrel_policy::outbox::Moment,
        ) -> Result<Vec<whimbrel_policy::outbox::Command>, whimbrel_policy::outbox::OutboxError>,
    ) -> Result<(), ClientError> {
        let mut slot = self.services.outbox.lock().await;
        let now = self.services.moment();
        let commands = change(slot.machine(&self.services).await?, now)?;
        slot.drive(&self.services, commands).await
    }
}

/// Queues a question behind others of its conversation, if there are any, and reports that. A later question must not overtake them.
pub(crate) async fn enqueue_behind(
    services: &Arc<Services>,
    conversation: ConversationId,
    question: &QueuedQuestion,
) -> Result<Option<Report>, ClientError> {
    if services.rules.is_none() {
        return Ok(None);
    }
    let mut slot = services.outbox.lock().await;
    let machine = slot.machine(services).await?;
    if !machine.has_queued(conversation) {
        return Ok(None);
    }
    let device = services.rules()?.snapshot(services.clock.now_ms()).device;
    let id = slot
        .enqueue(services, conversation, question, Constraints::default())
        .await?;
    Ok(Some(Report::queued(id, device.view(services.clock.now_ms()))))
}

/// Whether questions of a conversation wait.
pub(crate) async fn has_queued(services: &Arc<Services>, conversation: ConversationId) -> Result<bool, ClientError> {
    if services.rules.is_none() {
        return Ok(false);
    }
    let mut slot = services.outbox.lock().await;
    Ok(slot.machine(services).await?.has_queued(conversation))
}

/// Queues a question that a policy has deferred.
pub(crate) async fn enqueue(
    services: &Arc<Services>,
    conversation: ConversationId,
    question: &QueuedQuestion,
    report: &Report,
) -> Result<OutboxId, ClientError> {
    let needs = Constraints::that_help(&report.refused);
    let mut slot = services.outbox.lock().await;
    slot.enqueue(services, conversation, question, needs).await
}

/// Rows were removed behind the machine's back: it is built anew when it is needed.
pub(crate) async fn forget(services: &Arc<Services>) {
    if services.rules.is_some() {
        services.outbox.lock().await.forget();
    }
}

/// A time that the outbox waits for has come.
pub(crate) fn tick(services: &Arc<Services>) {
    tell(services, true);
}

/// The device may have another network.
pub(crate) fn tell_conditions(services: &Arc<Services>) {
    tell(services, false);
}

/// A policy, a key or a model has changed.
pub(crate) fn tell_settings(services: &Arc<Services>) {
    services.outbox.has_new_settings.store(true, Ordering::Release);
    tell(services, false);
}

/// Tells the outbox, if anybody uses it, without waiting for it.
fn tell(services: &Arc<Services>, is_time: bool) {
    let services = services.clone();
    let handle = services.handle().clone();
    drop(handle.spawn(async move {
        let mut slot = services.outbox.lock().await;
        if !slot.is_running() {
            return;
        }
        let told = match is_time {
            true => slot.step(&services, Event::Tick).await,
            false => slot.catch_up(&services).await,
        };
        if let Err(error) = told {
            log::warn!("the outbox cannot continue: {error}");
        }
    }));
}

/// The number by which the machine knows a conversation.
fn number(conversation: ConversationId) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = conversation.0;
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

fn new_entry(
    id: OutboxId,
    conversation: ConversationId,
    question: &QueuedQuestion,
    (bytes, needs, key): (u64, Constraints, IdempotencyKey),
) -> NewEntry {
    NewEntry {
        id: id.0,
        conversation: number(conversation),
        priority: Priority::Normal,
        bytes,
        // The deadline of an answer is that of an attempt; a queued question has time.
        deadline_ms: question.expires_ms,
        needs,
        key,
    }
}

fn conditions(services: &Services) -> Conditions {
    let now_ms = services.clock.now_ms();
    services.rules().map_or_else(
        |_| Conditions::default(),
        |rules| Conditions::of(&rules.snapshot(now_ms).device.view(now_ms)),
    )
}

impl From<whimbrel_policy::outbox::StartError> for ClientError {
    fn from(error: whimbrel_policy::outbox::StartError) -> ClientError {
        ClientError::Store(StoreError::Unreadable {
            what: format!("the outbox: {error}"),
        })
    }
}

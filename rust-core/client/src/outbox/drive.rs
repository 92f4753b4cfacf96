//! Carries out the commands of the outbox's machine: what it wants on the disk is there before its next command is carried out.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, MutexGuard, broadcast, watch};
use tokio::task::JoinHandle;
use whimbrel_policy::outbox::{
    Command, Constraints, Entry, Event, IdempotencyKey, Moment, Notice, Outbox, OutboxOptions, Wake,
};
use whimbrel_store::{ConversationId, LIST_MAX, NewRequest, OutboxId, QueuedState, Reserved, Store};

use super::attempt::{self, Concluded};
use super::row::{QueuedQuestion, Row, state};
use super::{OutboxEvent, OutboxRun, Queued, conditions, new_entry, number};
use crate::ClientError;
use crate::error::lock;
use crate::services::Services;

/// Events that wait for a reader; the oldest go first.
const EVENTS_MAX: usize = 256;

/// The outbox of an assistant: nothing, until it is needed.
pub(crate) struct OutboxSlot {
    machine: Mutex<Option<Machine>>,
    /// What the next machine is built with.
    pub(super) options: std::sync::Mutex<OutboxOptions>,
    events: broadcast::Sender<OutboxEvent>,
    /// A policy, a key or a model has changed, and the machine has yet to hear of it.
    pub(super) has_new_settings: AtomicBool,
}

impl Default for OutboxSlot {
    fn default() -> OutboxSlot {
        OutboxSlot {
            machine: Mutex::default(),
            options: std::sync::Mutex::default(),
            events: broadcast::Sender::new(EVENTS_MAX),
            has_new_settings: false.into(),
        }
    }
}

/// The machine with everything around it.
pub(super) struct Machine {
    pub(super) outbox: Outbox,
    /// What a row is written with that is not there yet, or has another text.
    pub(super) pending: Option<Pending>,
    conversations: BTreeMap<u64, ConversationId>,
    attempts: BTreeMap<u64, watch::Sender<bool>>,
    /// Answers that are to be written, by their requests.
    concluded: BTreeMap<u64, Concluded>,
    wakes: Vec<Wake>,
    timer: Option<JoinHandle<()>>,
    answered: u32,
    /// How many were answered, once the run is over.
    idle: watch::Sender<Option<u32>>,
}

/// What the next row is written with.
pub(super) enum Pending {
    New(Reserved, NewRequest),
    Edited(OutboxId, Vec<u8>),
}

impl Drop for Machine {
    fn drop(&mut self) {
        if let Some(timer) = &self.timer {
            timer.abort();
        }
    }
}

/// The slot while one task has it.
pub(super) struct Slot<'s> {
    machine: MutexGuard<'s, Option<Machine>>,
    events: &'s broadcast::Sender<OutboxEvent>,
}

impl OutboxSlot {
    pub(super) async fn lock(&self) -> Slot<'_> {
        Slot {
            machine: self.machine.lock().await,
            events: &self.events,
        }
    }

    pub(super) fn events(&self) -> broadcast::Receiver<OutboxEvent> {
        self.events.subscribe()
    }
}

impl Services {
    /// Now, on both clocks. The monotonic clock is that of this process, so every process counts as another boot.
    pub(super) fn moment(&self) -> Moment {
        Moment {
            wall_ms: self.clock.now_ms(),
            elapsed_ms: self.clock.elapsed_ms(),
            boot: self.session,
        }
    }
}

impl Slot<'_> {
    /// The machine, which is built from the store's rows where it is not there.
    pub(super) async fn machine(&mut self, services: &Arc<Services>) -> Result<&mut Machine, ClientError> {
        if self.machine.is_none() {
            let rows = with_store(services, rows).await?;
            let conversations = rows
                .iter()
                .map(|row| (number(row.conversation), row.conversation))
                .collect();
            let entries = rows.into_iter().map(|row| row.entry).collect();
            let now = services.moment();
            let options = *lock(&services.outbox.options);
            let (outbox, commands) = Outbox::start(options, services.session, conditions(services), entries, now)?;
            *self.machine = Some(Machine {
                outbox,
                pending: None,
                conversations,
                attempts: BTreeMap::new(),
                concluded: BTreeMap::new(),
                wakes: Vec::new(),
                timer: None,
                answered: 0,
                idle: watch::Sender::new(None),
            });
            self.drive(services, commands).await?;
        }
        Ok(self.machine.as_mut().expect("it was built"))
    }

    pub(super) fn is_running(&self) -> bool {
        self.machine.is_some()
    }

    pub(super) fn forget(&mut self) {
        *self.machine = None;
    }

    pub(super) async fn step(&mut self, services: &Arc<Services>, event: Event) -> Result<(), ClientError> {
        let now = services.moment();
        let commands = self.machine(services).await?.outbox.step(now, event);
        self.drive(services, commands).await
    }

    /// See [`OutboxOptions::confirm_after_ms`].
    pub(super) async fn set_confirm_after_ms(
        &mut self,
        services: &Arc<Services>,
        age_ms: Option<u64>,
    ) -> Result<(), ClientError> {
        lock(&services.outbox.options).confirm_after_ms = age_ms;
        self.machine(services).await?.outbox.set_confirm_after_ms(age_ms);
        self.step(services, Event::Tick).await
    }

    /// Tells the machine what has changed around it.
    pub(super) async fn catch_up(&mut self, services: &Arc<Services>) -> Result<(), ClientError> {
        if services.outbox.has_new_settings.swap(false, Ordering::AcqRel) {
            self.step(services, Event::SettingsChanged).await?;
        }
        self.step(services, Event::Conditions(conditions(services))).await
    }

    /// Queues a question. When this returns, it is on the disk.
    pub(super) async fn enqueue(
        &mut self,
        services: &Arc<Services>,
        conversation: ConversationId,
        question: &QueuedQuestion,
        needs: Constraints,
    ) -> Result<OutboxId, ClientError> {
        let reserved = with_store(services, |store| Ok(store.outbox().reserve()?)).await?;
        let machine = self.machine(services).await?;
        let (id, key) = (reserved.id, IdempotencyKey(reserved.idempotency));
        let request = question.encode();
        let entry = new_entry(id, conversation, question, (request.len() as u64, needs, key));
        let commands = machine.outbox.enqueue(services.moment(), entry)?;
        machine.conversations.insert(number(conversation), conversation);
        let new = NewRequest {
            conversation,
            request,
            state: QueuedState::default(),
        };
        machine.pending = Some(Pending::New(reserved, new));
        self.drive(services, commands).await?;
        Ok(id)
    }

    /// Carries commands out. If one cannot be, the machine is dropped: what was not written has not happened.
    pub(super) async fn drive(&mut self, services: &Arc<Services>, commands: Vec<Command>) -> Result<(), ClientError> {
        for command in commands {
            let Some(machine) = self.machine.as_mut() else {
                return Ok(());
            };
            if let Err(error) = machine.carry_out(services, self.events, command).await {
                *self.machine = None;
                return Err(error);
            }
        }
        Ok(())
    }
}

impl Machine {
    async fn carry_out(
        &mut self,
        services: &Arc<Services>,
        events: &broadcast::Sender<OutboxEvent>,
        command: Command,
    ) -> Result<(), ClientError> {
        match command {
            Command::Persist(entry) => self.persist(services, &entry).await?,
            Command::Send { id, lease, key } => {
                let row = self.row(services, OutboxId(id)).await?;
                let (cancel, cancelled) = watch::channel(false);
                self.attempts.insert(id, cancel);
                let order = attempt::Order {
                    id,
                    lease,
                    key,
                    conversation: row.conversation,
                    question: row.question,
                };
                services
                    .handle()
                    .spawn(attempt::run(services.clone(), order, cancelled));
            }
            Command::Stop { id, .. } => {
                if let Some(cancel) = self.attempts.get(&id) {
                    cancel.send_replace(true);
                }
            }
            Command::Complete { id } => {
                self.answered += 1;
                let concluded = self.concluded.remove(&id).ok_or(ClientError::Stopped)?;
                concluded.write(services, OutboxId(id)).await?;
            }
            Command::Expire { id } => {
                let row = self.row(services, OutboxId(id)).await?;
                let expired = Concluded::expired(services, row.conversation, &row.question).await?;
                expired.write(services, OutboxId(id)).await?;
            }
            Command::Remove { id } => {
                with_store(services, move |store| Ok(store.outbox().remove(OutboxId(id))?)).await?;
            }
            Command::Tell {
                id,
                conversation,
                notice,
            } => {
                if let Some(conversation) = self.conversations.get(&conversation) {
                    // Nobody may be listening.
                    let _ = events.send(OutboxEvent {
                        id: OutboxId(id),
                        conversation: *conversation,
                        notice,
                    });
                }
            }
            Command::WakeAt(wakes) => self.wake_at(services, wakes),
            Command::Idle => drop(self.idle.send_replace(Some(self.answered))),
        }
        Ok(())
    }

    async fn persist(&mut self, services: &Arc<Services>, entry: &Entry) -> Result<(), ClientError> {
        let id = OutboxId(entry.id());
        let now = services.moment();
        let next_ms = entry
            .wait_left_ms(now)
            .map(|left_ms| now.wall_ms.saturating_add(left_ms));
        let state = state(entry, next_ms);
        let is_pending = match &self.pending {
            Some(Pending::New(reserved, _)) => reserved.id == id,
            Some(Pending::Edited(edited, _)) => *edited == id,
            None => false,
        };
        let pending = self.pending.take_if(|_| is_pending);
        with_store(services, move |store| {
            let outbox = store.outbox();
            match pending {
                Some(Pending::New(reserved, new)) => {
                    outbox.enqueue_reserved(reserved, &NewRequest { state, ..new }, now.wall_ms)
                }
                Some(Pending::Edited(_, request)) => outbox.replace(id, &state, &request),
                None => outbox.update(id, &state),
            }?;
            Ok(())
        })
        .await
    }

    fn wake_at(&mut self, services: &Arc<Services>, wakes: Vec<Wake>) {
        if let Some(timer) = self.timer.take() {
            timer.abort();
        }
        if let Some(at_ms) = wakes.iter().map(|wake| wake.at_ms).min() {
            let left = Duration::from_millis(at_ms.saturating_sub(services.clock.elapsed_ms()));
            let weak = Arc::downgrade(services);
            self.timer = Some(services.handle().spawn(async move {
                tokio::time::sleep(left).await;
                if let Some(services) = weak.upgrade() {
                    super::tick(&services);
                }
            }));
        }
        self.wakes = wakes;
    }

    /// An attempt is over.
    pub(super) fn end_attempt(&mut self, id: u64, concluded: Option<Concluded>) {
        self.attempts.remove(&id);
        if let Some(concluded) = concluded {
            self.concluded.insert(id, concluded);
        }
    }

    pub(super) fn has_queued(&self, conversation: ConversationId) -> bool {
        let number = number(conversation);
        self.outbox.entries().any(|entry| entry.conversation() == number)
    }

    /// A run begins. The receiver hears when it is over.
    pub(super) fn begin_run(&mut self) -> watch::Receiver<Option<u32>> {
        self.answered = 0;
        self.idle.send_replace(None);
        self.idle.subscribe()
    }

    pub(super) fn ran(&self, services: &Services, answered: u32) -> OutboxRun {
        let now = services.moment();
        let conditions = conditions(services);
        // A question that waits for another network must not hide one that is only to be retried later: the next run looks at both.
        let next = self
            .wakes
            .iter()
            .min_by_key(|wake| (!wake.needs.are_met(conditions), wake.at_ms));
        OutboxRun {
            answered,
            left: self.outbox.len(),
            next_ms: next.map(|wake| wake.wall_ms(now)),
            next_needs: next.map(|wake| wake.needs).unwrap_or_default(),
        }
    }

    pub(super) async fn row(&self, services: &Arc<Services>, id: OutboxId) -> Result<Row, ClientError> {
        with_store(services, move |store| Row::of(&store.outbox().get(id)?)).await
    }

    pub(super) async fn list(&self, services: &Arc<Services>) -> Result<Vec<Queued>, ClientError> {
        let rows = with_store(services, rows).await?;
        let now = services.moment();
        let queued = rows.into_iter().map(|row| {
            let id = row.entry.id();
            // The machine knows better than the row.
            let entry = self.outbox.entry(id).unwrap_or(&row.entry);
            Queued {
                id: OutboxId(id),
                conversation: row.conversation,
                created_ms: row.created_ms,
                priority: entry.priority(),
                attempts: entry.attempts(),
                retry_in_ms: entry.wait_left_ms(now),
                needs: entry.needs(),
                notice: self.outbox.notice(id).unwrap_or(Notice::Queued),
                question: row.question,
            }
        });
        Ok(queued.collect())
    }
}

/// All rows.
fn rows(store: &Store) -> Result<Vec<Row>, ClientError> {
    let (mut rows, mut last) = (Vec::new(), None);
    loop {
        let page = store.outbox().list(last, LIST_MAX)?;
        let Some(end) = page.last() else {
            return Ok(rows);
        };
        last = Some(end.id);
        for row in &page {
            rows.push(Row::of(row)?);
        }
    }
}

/// Does something with the store that waits for the disk.
pub(super) async fn with_store<T: Send + 'static>(
    services: &Arc<Services>,
    work: impl FnOnce(&Store) -> Result<T, ClientError> + Send + 'static,
) -> Result<T, ClientError> {
    let done = services.blocking(move |services| work(services.records()?.store()?));
    done.await?
}

//! The outbox: durable requests that wait for a network, a charger, a key or the user, as a state machine. It decides which request is sent
//! when, what a failure means, what the store keeps and what the app is told. Whoever carries out its commands has the store, the clock and
//! the network, and decides nothing. `docs/outbox.md` describes it.
//!
//! The store's rows are the truth, and the machine can be rebuilt from them at any time. If a row cannot be written, the executor drops the
//! remaining commands and the machine, and calls [`Outbox::start`] again: what was not written has not happened.

mod clock;
mod conditions;
mod drain;
mod ended;
mod entry;
mod failure;
mod message;
mod user;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

pub use self::clock::Moment;
pub use self::conditions::{Conditions, Constraints};
use self::drain::Window;
pub use self::ended::backoff_ms;
pub use self::entry::{ENTRY_VERSION, Entry, EntryError, IdempotencyKey, NewEntry, Priority, Stuck};
use self::entry::{EndsEarly, State};
pub use self::failure::{Failure, Remedy, remedy_of_code, remedy_of_status};
pub use self::message::{AttemptResult, Command, Decided, Event, Notice, RunBudget, Wake};
pub use self::user::OutboxError;

/// The wait after the first failure, in milliseconds. It doubles with each.
pub const BACKOFF_MS_BASE: u64 = 15_000;
/// The longest wait of our own, in milliseconds.
pub const BACKOFF_MS_MAX: u64 = 3_600_000;
/// The longest wait that an endpoint may ask for, in milliseconds. One that asks for more is asked again after this.
pub const RETRY_AFTER_MS_MAX: u64 = 6 * 3_600_000;
/// The shortest wait after a failure, in milliseconds, however soon the network changes.
pub const WAIT_MS_LEAST: u64 = 2_000;
/// How long a lease lasts before its attempt reports that it begins, in milliseconds.
pub const LEASE_MS: u64 = 300_000;
/// How much longer than its attempt's deadline a lease lasts, in milliseconds.
pub const LEASE_MS_BEYOND: u64 = 30_000;
/// The age from which an app may let the user confirm a request, in milliseconds: one hour. See [`OutboxOptions::confirm_after_ms`].
pub const CONFIRM_AFTER_MS: u64 = 3_600_000;

/// The limits of an outbox.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct OutboxOptions {
    /// How many requests it holds. Further ones are refused.
    pub entries_max: u64,
    /// How many bytes its requests have together. Further ones are refused.
    pub bytes_max: u64,
    /// How many attempts run at once, each for another conversation.
    pub leases_max: u32,
    /// From which age on, in milliseconds, the user is asked before a request is sent. `None`, the default, means never: the user has queued
    /// it to be sent, and a question that nobody sees would hold it back in the background.
    pub confirm_after_ms: Option<u64>,
    /// After how many failures that may have cost money a request is stuck until the user decides.
    pub paid_failures_max: u32,
}

impl Default for OutboxOptions {
    fn default() -> OutboxOptions {
        OutboxOptions {
            entries_max: 1_000,
            bytes_max: 16 << 20,
            leases_max: 2,
            confirm_after_ms: None,
            paid_failures_max: 5,
        }
    }
}

/// Why an outbox cannot be built from its rows.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum StartError {
    /// Two rows have the same id.
    #[error("two queued requests have the id {id}")]
    Id {
        /// The id.
        id: u64,
    },
    /// Two rows have the same idempotency key, so one of them would never be answered.
    #[error("the queued request {id} has the idempotency key of another one")]
    Key {
        /// The later one of them.
        id: u64,
    },
    /// Two rows have the same place in their conversation.
    #[error("the queued request {id} has the place of another one in its conversation")]
    Order {
        /// The later one of them.
        id: u64,
    },
}

/// See the module.
///
/// ```
/// use whimbrel_policy::outbox::*;
///
/// let now = Moment { wall_ms: 1_795_420_800_000, elapsed_ms: 5_000, boot: 1 };
/// let online = Conditions { has_network: true, ..Conditions::default() };
/// let (mut outbox, _) = Outbox::start(OutboxOptions::default(), 7, online, Vec::new(), now)?;
/// let new = NewEntry {
///     id: 1,
///     conversation: 1,
///     priority: Priority::Normal,
///     bytes: 200,
///     deadline_ms: None,
///     needs: Constraints::default(),
///     key: IdempotencyKey([9; 16]),
/// };
/// let commands = outbox.enqueue(now, new)?;
/// assert!(matches!(commands[..], [Command::Persist(_), Command::Tell { notice: Notice::Queued, .. }, Command::WakeAt(_)]));
///
/// let commands = outbox.step(now, Event::Run(RunBudget::UNLIMITED));
/// assert!(matches!(commands[..], [Command::Persist(_), Command::Send { id: 1, lease: 1, .. }, ..]));
/// let commands = outbox.step(now, Event::Ended { id: 1, lease: 1, result: AttemptResult::Answered });
/// assert_eq!(commands[0], Command::Complete { id: 1 });
/// assert_eq!(outbox.len(), 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Outbox {
    options: OutboxOptions,
    session: u64,
    conditions: Conditions,
    /// The requests of each conversation in their order. None is empty.
    conversations: BTreeMap<u64, VecDeque<Entry>>,
    /// The conversation of each request.
    ids: BTreeMap<u64, u64>,
    bytes: u64,
    window: Option<Window>,
    /// What the app was told last of each request.
    told: BTreeMap<u64, Notice>,
    wakes: Vec<Wake>,
}

impl Outbox {
    /// Builds the machine from the store's rows, in any order. Leases of other sessions are over: their requests are due at once, with the
    /// same key. `session` is a random number that is new in each process; it also spreads the retries of several devices.
    ///
    /// # Errors
    /// [`StartError`] if the rows contradict each other. More or larger requests than the options allow are kept.
    pub fn start(
        options: OutboxOptions,
        session: u64,
        conditions: Conditions,
        rows: Vec<Entry>,
        now: Moment,
    ) -> Result<(Outbox, Vec<Command>), StartError> {
        let mut outbox = Outbox {
            options,
            session,
            conditions,
            conversations: BTreeMap::new(),
            ids: BTreeMap::new(),
            bytes: 0,
            window: None,
            told: BTreeMap::new(),
            wakes: Vec::new(),
        };
        outbox.take_rows(rows)?;
        let mut commands = Vec::new();
        for entries in outbox.conversations.values_mut() {
            for (index, entry) in entries.iter_mut().enumerate() {
                if recover(entry, index == 0, session) | entry.settle(now) {
                    commands.push(persist(entry));
                }
            }
        }
        outbox.carry_on(now, &mut commands);
        Ok((outbox, commands))
    }

    fn take_rows(&mut self, mut rows: Vec<Entry>) -> Result<(), StartError> {
        rows.sort_by_key(|entry| (entry.conversation, entry.order, entry.id));
        let mut keys = BTreeSet::new();
        for entry in rows {
            let id = entry.id;
            if self.ids.insert(id, entry.conversation).is_some() {
                return Err(StartError::Id { id });
            }
            if !keys.insert(entry.key) {
                return Err(StartError::Key { id });
            }
            let entries = self.conversations.entry(entry.conversation).or_default();
            if entries.back().is_some_and(|last| last.order == entry.order) {
                return Err(StartError::Order { id });
            }
            self.bytes = self.bytes.saturating_add(entry.bytes);
            entries.push_back(entry);
        }
        Ok(())
    }

    /// Processes an event.
    pub fn step(&mut self, now: Moment, event: Event) -> Vec<Command> {
        let mut commands = Vec::new();
        self.settle(now, &mut commands);
        match event {
            Event::Run(budget) => self.open(now, budget),
            Event::Tick => {}
            Event::Began {
                id,
                lease,
                decided,
                deadline_ms,
            } => self.began(now, (id, lease), decided, deadline_ms, &mut commands),
            Event::Ended { id, lease, result } => self.ended(now, (id, lease), result, &mut commands),
            Event::Conditions(conditions) => self.change_conditions(conditions, &mut commands),
            Event::SettingsChanged => self.change_settings(&mut commands),
        }
        self.carry_on(now, &mut commands);
        commands
    }

    /// Changes [`OutboxOptions::confirm_after_ms`] from the next step on.
    pub fn set_confirm_after_ms(&mut self, age_ms: Option<u64>) {
        self.options.confirm_after_ms = age_ms;
    }

    /// How many requests there are.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.ids.len() as u64
    }

    /// Whether there are no requests.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// How many bytes the requests have together.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The requests, by conversation and in their order.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.conversations.values().flatten()
    }

    /// One request.
    #[must_use]
    pub fn entry(&self, id: u64) -> Option<&Entry> {
        let conversation = self.ids.get(&id)?;
        let mut entries = self.conversations.get(conversation)?.iter();
        entries.find(|entry| entry.id == id)
    }

    /// How a request is doing.
    #[must_use]
    pub fn notice(&self, id: u64) -> Option<Notice> {
        self.told.get(&id).copied()
    }

    fn entry_mut(&mut self, id: u64) -> Option<&mut Entry> {
        let conversation = self.ids.get(&id)?;
        let mut entries = self.conversations.get_mut(conversation)?.iter_mut();
        entries.find(|entry| entry.id == id)
    }

    /// Removes a request, and tells the app why.
    fn remove(&mut self, id: u64, notice: Notice, commands: &mut Vec<Command>) {
        let Some(conversation) = self.ids.remove(&id) else {
            return;
        };
        let is_empty = self.conversations.get_mut(&conversation).is_some_and(|entries| {
            let removed = entries.iter().find(|entry| entry.id == id);
            self.bytes = self.bytes.saturating_sub(removed.map_or(0, |entry| entry.bytes));
            entries.retain(|entry| entry.id != id);
            entries.is_empty()
        });
        if is_empty {
            self.conversations.remove(&conversation);
        }
        self.told.remove(&id);
        commands.push(match notice {
            Notice::Answered => Command::Complete { id },
            Notice::Expired => Command::Expire { id },
            _ => Command::Remove { id },
        });
        commands.push(Command::Tell {
            id,
            conversation,
            notice,
        });
    }

    fn change_conditions(&mut self, conditions: Conditions, commands: &mut Vec<Command>) {
        let before = std::mem::replace(&mut self.conditions, conditions);
        let (is_new_network, is_more) = (conditions.has_new_network(before), conditions.has_more(before));
        for entry in self.conversations.values_mut().flatten() {
            if let State::Later {
                wait,
                least_ms,
                ends_early,
            } = &mut entry.state
                && match ends_early {
                    EndsEarly::Never => false,
                    EndsEarly::Network => is_new_network,
                    EndsEarly::Conditions => is_more,
                }
                && wait.shorten(*least_ms)
            {
                commands.push(persist(entry));
            }
        }
    }

    /// Another policy or key may help whatever is stuck for want of one, and whatever a policy deferred.
    fn change_settings(&mut self, commands: &mut Vec<Command>) {
        for entry in self.conversations.values_mut().flatten() {
            let may_help = match &entry.state {
                State::Stuck { why } => why.remedy() == Remedy::Settings,
                State::Later { ends_early, .. } => *ends_early == EndsEarly::Conditions,
                State::Waiting => entry.needs != Constraints::default(),
                State::NeedsConfirmation | State::Leased { .. } => false,
            };
            if may_help {
                entry.start_over();
                commands.push(persist(entry));
            }
        }
    }

    fn settle(&mut self, now: Moment, commands: &mut Vec<Command>) {
        for entry in self.conversations.values_mut().flatten() {
            if entry.settle(now) {
                commands.push(persist(entry));
            }
        }
    }
}

fn persist(entry: &Entry) -> Command {
    Command::Persist(Box::new(entry.clone()))
}

/// What a new process makes of a row. An attempt of a process that is gone is over, and the network may have changed since. Only the first
/// of a conversation is ever in another state than waiting. Returns whether anything changed.
fn recover(entry: &mut Entry, is_first: bool, session: u64) -> bool {
    match &mut entry.state {
        State::Leased { session: other, .. } if *other != session => {
            entry.interruptions = entry.interruptions.saturating_add(1);
        }
        State::Later {
            wait,
            least_ms,
            ends_early: EndsEarly::Network | EndsEarly::Conditions,
        } => return wait.shorten(*least_ms),
        State::Leased { .. } | State::NeedsConfirmation | State::Stuck { .. } if !is_first => {}
        _ => return false,
    }
    entry.state = State::Waiting;
    true
}

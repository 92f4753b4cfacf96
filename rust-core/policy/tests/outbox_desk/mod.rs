//! An outbox for one request at a time, with its rows and its clock.
#![allow(dead_code, clippy::unwrap_used)]

use whimbrel_policy::outbox::{
    AttemptResult, Command, Conditions, Constraints, Entry, Event, IdempotencyKey, Moment, NewEntry, Notice, Outbox,
    OutboxError, OutboxOptions, Priority, RunBudget, Wake,
};

pub(crate) const DAY_MS: u64 = 86_400_000;
pub(crate) const ONLINE: Conditions = Conditions {
    has_network: true,
    is_unmetered: false,
    is_charging: false,
};
pub(crate) const NETWORK: Constraints = Constraints {
    network: true,
    unmetered: false,
    charging: false,
};

/// An outbox, its rows and its clock.
pub(crate) struct Desk {
    pub(crate) outbox: Outbox,
    pub(crate) options: OutboxOptions,
    pub(crate) now: Moment,
    pub(crate) rows: std::collections::BTreeMap<u64, String>,
    pub(crate) wakes: Vec<Wake>,
}

impl Desk {
    pub(crate) fn with(options: OutboxOptions) -> Desk {
        let now = Moment {
            wall_ms: 1_795_420_800_000,
            elapsed_ms: 1_000_000,
            boot: 1,
        };
        let (outbox, commands) = Outbox::start(options, 1, ONLINE, Vec::new(), now).unwrap();
        assert_eq!(commands, []);
        Desk {
            outbox,
            options,
            now,
            rows: Default::default(),
            wakes: Vec::new(),
        }
    }

    pub(crate) fn new() -> Desk {
        Desk::with(OutboxOptions::default())
    }

    pub(crate) fn pass(&mut self, ms: u64) {
        self.now.wall_ms += ms;
        self.now.elapsed_ms += ms;
    }

    /// Carries commands out; what is left is for the test to look at, without rows.
    pub(crate) fn keep(&mut self, commands: Vec<Command>) -> Vec<Command> {
        let mut left = Vec::new();
        for command in commands {
            match command {
                Command::Persist(entry) => {
                    self.rows.insert(entry.id(), entry.encode());
                }
                Command::WakeAt(wakes) => self.wakes = wakes,
                command => {
                    if let Command::Complete { id } | Command::Expire { id } | Command::Remove { id } = command {
                        self.rows.remove(&id).unwrap();
                    }
                    left.push(command);
                }
            }
        }
        left
    }

    pub(crate) fn step(&mut self, event: Event) -> Vec<Command> {
        let commands = self.outbox.step(self.now, event);
        self.keep(commands)
    }

    pub(crate) fn queue(&mut self, id: u64, conversation: u64) -> Vec<Command> {
        self.queue_with(id, conversation, |_| {})
    }

    pub(crate) fn queue_with(&mut self, id: u64, conversation: u64, change: fn(&mut NewEntry)) -> Vec<Command> {
        let mut new = new(id, conversation);
        change(&mut new);
        let commands = self.outbox.enqueue(self.now, new).unwrap();
        self.keep(commands)
    }

    pub(crate) fn user(&mut self, act: fn(&mut Outbox, Moment) -> Result<Vec<Command>, OutboxError>) -> Vec<Command> {
        let commands = act(&mut self.outbox, self.now).unwrap();
        self.keep(commands)
    }

    pub(crate) fn run(&mut self) -> Vec<Command> {
        self.step(Event::Run(RunBudget::UNLIMITED))
    }

    pub(crate) fn end(&mut self, id: u64, lease: u64, result: AttemptResult) -> Vec<Command> {
        self.step(Event::Ended { id, lease, result })
    }

    /// The process dies, and the app starts again in another session.
    pub(crate) fn restart(&mut self, session: u64) -> Vec<Command> {
        let rows = self.rows.values().map(|row| Entry::decode(row).unwrap()).collect();
        let (outbox, commands) = Outbox::start(self.options, session, ONLINE, rows, self.now).unwrap();
        self.outbox = outbox;
        self.keep(commands)
    }

    pub(crate) fn wait_left_ms(&self, id: u64) -> Option<u64> {
        self.outbox.entry(id).unwrap().wait_left_ms(self.now)
    }
}

pub(crate) fn new(id: u64, conversation: u64) -> NewEntry {
    NewEntry {
        id,
        conversation,
        priority: Priority::Normal,
        bytes: 100,
        deadline_ms: None,
        needs: Constraints::default(),
        key: IdempotencyKey([id as u8; 16]),
    }
}

pub(crate) fn tell(id: u64, notice: Notice) -> Command {
    Command::Tell {
        id,
        conversation: id / 10,
        notice,
    }
}

pub(crate) fn send(id: u64, lease: u64) -> Command {
    Command::Send {
        id,
        lease,
        key: IdempotencyKey([id as u8; 16]),
    }
}

pub(crate) fn sent(commands: &[Command]) -> Vec<u64> {
    let sent = commands.iter().filter_map(|command| match command {
        Command::Send { id, .. } => Some(*id),
        _ => None,
    });
    sent.collect()
}

pub(crate) const SENDING: Notice = Notice::Sending { decided: None };

//! A phone with an outbox: a disk that keeps only what was persisted, two clocks, endpoints that answer or fail, and a process that can die
//! between any two commands. Everything follows from a seed, and every command is held against the laws of the outbox.

mod attempts;
mod laws;

use std::collections::{BTreeMap, BTreeSet};

use whimbrel_policy::outbox::{
    Conditions, Entry, Event, IdempotencyKey, Moment, NewEntry, Notice, Outbox, OutboxError, OutboxOptions, Priority,
    Remedy, RunBudget, Stuck, Wake,
};
use whimbrel_testing::Random;

pub(crate) const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;
/// The conversation whose first request is never answered.
pub(crate) const STUCK: u64 = 3;
pub(crate) const CONVERSATIONS: [u64; 3] = [1, 2, STUCK];

/// How a question ended, by what is on the disk.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum End {
    Answered,
    Expired,
    Cancelled,
}

#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) conversation: u64,
    pub(crate) end: Option<End>,
    /// When it was queued or edited, in true time, by the key that it had then.
    asked_ms: BTreeMap<IdempotencyKey, u64>,
    deadline_ms: Option<u64>,
}

/// An attempt of the living process.
#[derive(Debug)]
pub(crate) struct Running {
    id: u64,
    conversation: u64,
    lease: u64,
    key: IdempotencyKey,
    since_ms: u64,
    lasts_ms: u64,
    is_stopped: bool,
}

/// The process died while commands were carried out.
pub(crate) struct Died;

pub(crate) struct World {
    pub(crate) random: Random,
    options: OutboxOptions,
    true_ms: u64,
    wall_ahead_ms: i64,
    boot: u64,
    booted_ms: u64,
    /// Whether the outbox has seen where the wall clock stands. If the device is started again before, ages are unknowable.
    is_clock_seen: bool,
    pub(crate) are_ages_known: bool,
    /// Each row as it is on the disk, and what it says.
    pub(crate) rows: BTreeMap<u64, (String, Entry)>,
    pub(crate) questions: BTreeMap<u64, Question>,
    /// The acknowledged questions in the order in which they were queued.
    pub(crate) order: Vec<u64>,
    pub(crate) answers: BTreeMap<u64, Vec<u64>>,
    pub(crate) outbox: Outbox,
    running: Vec<Running>,
    conditions: Conditions,
    told: BTreeMap<u64, Notice>,
    wakes: Vec<Wake>,
    run_ends_ms: u64,
    editing: Option<u64>,
    /// The key of the attempt that reports an answer.
    answering: Option<IdempotencyKey>,
    /// The keys of the requests that the user wants to be sent although they are old.
    confirmed: BTreeSet<IdempotencyKey>,
    death_percent: u64,
}

impl World {
    pub(crate) fn new(seed: u64) -> World {
        let mut random = Random::new(seed);
        let options = OutboxOptions {
            entries_max: 10,
            bytes_max: 900,
            leases_max: 1 + random.below(3) as u32,
            confirm_after_ms: random.chance(40).then_some(HOUR_MS),
            paid_failures_max: 2 + random.below(4) as u32,
        };
        let session = random.number();
        let (conditions, now) = (
            Conditions::default(),
            Moment {
                wall_ms: 1_000 * DAY_MS,
                elapsed_ms: 0,
                boot: 0,
            },
        );
        let (outbox, _) = Outbox::start(options, session, conditions, Vec::new(), now).unwrap();
        World {
            random,
            options,
            true_ms: 0,
            wall_ahead_ms: 0,
            boot: 0,
            booted_ms: 0,
            is_clock_seen: true,
            are_ages_known: true,
            rows: BTreeMap::new(),
            questions: BTreeMap::new(),
            order: Vec::new(),
            answers: BTreeMap::new(),
            outbox,
            running: Vec::new(),
            conditions,
            told: BTreeMap::new(),
            wakes: Vec::new(),
            run_ends_ms: 0,
            editing: None,
            answering: None,
            confirmed: BTreeSet::new(),
            death_percent: 2,
        }
    }

    pub(crate) fn now(&self) -> Moment {
        let wall_ms = (1_000 * DAY_MS + self.true_ms).saturating_add_signed(self.wall_ahead_ms);
        Moment {
            wall_ms,
            elapsed_ms: self.true_ms - self.booted_ms,
            boot: self.boot,
        }
    }

    /// Something happens. A process that dies of it starts again.
    pub(crate) fn happens(&mut self) {
        let died = match self.random.below(24) {
            0..=4 => self.enqueue(),
            5 | 6 => self.pass(30_000),
            7 => self.pass(5 * HOUR_MS),
            8..=11 => self.finish(),
            12 => self.begin(),
            13 | 14 => {
                let budget = RunBudget {
                    requests: 1 + self.random.below(4) as u32,
                    time_ms: *self.random.pick(&[5_000, 60_000, 20 * HOUR_MS, u64::MAX]),
                };
                self.run(budget)
            }
            15 => self.step(Event::Tick),
            16 | 17 => self.change_conditions(),
            18 => self.step(Event::SettingsChanged),
            19 => self.set_clock(),
            20 => Err(Died),
            _ => self.use_app(),
        };
        if died.is_err() {
            self.restart();
        }
    }

    /// From now on everything works, and time passes only to the times that the outbox asks for. Returns the requests that are left in the
    /// conversations that are not stuck.
    pub(crate) fn drain(&mut self) -> u64 {
        self.death_percent = 0;
        let everything = Conditions {
            has_network: true,
            is_unmetered: true,
            is_charging: true,
        };
        self.conditions = everything;
        let _ = self.step(Event::Conditions(everything));
        let _ = self.step(Event::SettingsChanged);
        for _ in 0..200 {
            let _ = self.run(RunBudget::UNLIMITED);
            while !self.running.is_empty() {
                let _ = self.finish();
            }
            self.help();
            let is_stuck = |id| matches!(self.told[&id], Notice::Stuck(_));
            if self.left() == 0 && self.first_of(STUCK).is_none_or(is_stuck) {
                break;
            }
            let wake_ms = self.wakes.iter().map(|wake| wake.at_ms).min();
            let wake_ms = wake_ms.unwrap_or_else(|| panic!("nothing will go on: {:?}", self.outbox));
            self.true_ms = self.true_ms.max(self.booted_ms + wake_ms);
            let _ = self.step(Event::Tick);
        }
        self.left()
    }

    /// The user confirms, and retries what may cost.
    fn help(&mut self) {
        for (id, notice) in self.told.clone() {
            let is_theirs = |why: Stuck| self.questions[&id].conversation != STUCK && why.remedy() == Remedy::User;
            self.confirmed.extend(self.outbox.entry(id).map(Entry::key));
            let commands = match notice {
                Notice::NeedsConfirmation => self.outbox.confirm(self.now(), id).unwrap(),
                Notice::Stuck(why) if is_theirs(why) => self.outbox.retry(self.now(), id).unwrap(),
                _ => continue,
            };
            let _ = self.carry_out(commands);
        }
    }

    fn left(&self) -> u64 {
        let left = self.outbox.entries().filter(|entry| entry.conversation() != STUCK);
        left.count() as u64
    }

    fn enqueue(&mut self) -> Result<(), Died> {
        let id = 1 + self.questions.len() as u64 + self.random.below(3) * 1_000;
        if self.questions.contains_key(&id) {
            return Ok(());
        }
        let conversation = *self.random.pick(&CONVERSATIONS);
        let is_first_stuck = conversation == STUCK && self.first_of(STUCK).is_none();
        let new = NewEntry {
            id,
            conversation,
            priority: *self.random.pick(&[Priority::Low, Priority::Normal, Priority::High]),
            bytes: 50 + self.random.below(150),
            deadline_ms: (!is_first_stuck && self.random.chance(25)).then(|| self.random.below(30 * HOUR_MS)),
            needs: self.constraints(),
            key: self.key(),
        };
        let question = Question {
            conversation,
            end: None,
            asked_ms: BTreeMap::from([(new.key, self.true_ms)]),
            deadline_ms: new.deadline_ms,
        };
        match self.outbox.enqueue(self.now(), new) {
            Ok(commands) => {
                self.questions.insert(id, question);
                self.order.push(id);
                let died = self.carry_out(commands);
                if !self.rows.contains_key(&id) && self.questions[&id].end.is_none() {
                    // It was not acknowledged.
                    self.questions.remove(&id);
                    self.order.pop();
                }
                died
            }
            Err(error) => {
                let is_full = self.outbox.len() == self.options.entries_max;
                assert_eq!(matches!(error, OutboxError::Full { .. }), is_full);
                assert!(is_full || matches!(error, OutboxError::NoSpace { .. }), "{error}");
                Ok(())
            }
        }
    }

    fn pass(&mut self, most_ms: u64) -> Result<(), Died> {
        self.true_ms += self.random.below(most_ms);
        match self.random.chance(50) {
            true => self.step(Event::Tick),
            false => Ok(()),
        }
    }

    fn run(&mut self, budget: RunBudget) -> Result<(), Died> {
        let ends_ms = self.true_ms.saturating_add(budget.time_ms);
        self.run_ends_ms = self.run_ends_ms.max(ends_ms);
        self.step(Event::Run(budget))
    }

    fn change_conditions(&mut self) -> Result<(), Died> {
        self.conditions = Conditions {
            has_network: self.random.chance(80),
            is_unmetered: self.random.chance(50),
            is_charging: self.random.chance(50),
        };
        self.step(Event::Conditions(self.conditions))
    }

    /// Sets the wall clock by up to a day. The system says so to most apps.
    fn set_clock(&mut self) -> Result<(), Died> {
        let by_ms = (HOUR_MS + self.random.below(23 * HOUR_MS)) as i64;
        self.wall_ahead_ms += if self.random.chance(50) { by_ms } else { -by_ms };
        self.is_clock_seen = false;
        match self.random.chance(70) {
            true => self.step(Event::Tick),
            false => Ok(()),
        }
    }

    /// The app starts again from the rows, after the device has in some cases.
    fn restart(&mut self) {
        let interrupted: BTreeSet<_> = self.leased_rows();
        self.true_ms += self.random.below(10_000);
        if self.random.chance(30) {
            self.are_ages_known &= self.is_clock_seen;
            self.boot += 1;
            self.booted_ms = self.true_ms;
        }
        self.running.clear();
        self.told.clear();
        self.wakes.clear();
        self.run_ends_ms = 0;
        let mut rows: Vec<_> = self.rows.values().map(|(row, _)| Entry::decode(row).unwrap()).collect();
        rows.reverse();
        let (session, now) = (self.random.number(), self.now());
        let (outbox, commands) = Outbox::start(self.options, session, self.conditions, rows, now).unwrap();
        self.outbox = outbox;
        let death_percent = std::mem::replace(&mut self.death_percent, 0);
        let _ = self.carry_out(commands);
        self.is_clock_seen = true;
        if self.random.chance(70) {
            let _ = self.run(RunBudget::UNLIMITED);
            self.check_interrupted(&interrupted);
        }
        self.death_percent = death_percent;
    }

    fn leased_rows(&self) -> BTreeSet<u64> {
        let entries = self.rows.values().map(|(_, entry)| entry);
        entries.filter(|entry| entry.is_leased()).map(Entry::id).collect()
    }

    fn use_app(&mut self) -> Result<(), Died> {
        let ids: Vec<_> = self.questions.keys().copied().collect();
        if ids.is_empty() {
            return Ok(());
        }
        let (id, now) = (*self.random.pick(&ids), self.now());
        let is_stuck_head = self.first_of(STUCK) == Some(id);
        let commands = match self.random.below(5) {
            0 => {
                let (bytes, key) = (self.random.below(200), self.key());
                let edited = self.outbox.edit(now, id, bytes, key);
                if edited.is_ok() {
                    self.editing = Some(id);
                    let question = self.questions.get_mut(&id).unwrap();
                    question.asked_ms.insert(key, self.true_ms);
                }
                edited
            }
            1 if !is_stuck_head => self.outbox.cancel(now, id),
            2 => self.outbox.reprioritise(now, id, Priority::High),
            choice => {
                self.confirmed.extend(self.outbox.entry(id).map(Entry::key));
                match choice {
                    3 => self.outbox.retry(now, id),
                    _ => self.outbox.confirm(now, id),
                }
            }
        };
        let died = match commands {
            Ok(commands) => self.carry_out(commands),
            Err(error) => {
                self.check_refusal(id, error);
                Ok(())
            }
        };
        self.editing = None;
        died
    }

    fn step(&mut self, event: Event) -> Result<(), Died> {
        let commands = self.outbox.step(self.now(), event);
        self.carry_out(commands)
    }
}

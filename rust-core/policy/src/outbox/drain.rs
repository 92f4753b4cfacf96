//! Which requests are sent now, when to go on, and what the app is told: everything that follows from the state and the time, after any
//! event.

use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};

use whimbrel_record::Code;

use super::clock::{Moment, Span};
use super::conditions::Constraints;
use super::ended::fail;
use super::entry::{Entry, Priority, State};
use super::failure::Failure;
use super::message::{Command, Notice, RunBudget, Wake};
use super::{LEASE_MS, Outbox, persist};

/// A run: the time that the app or the system has given.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    time: Span,
    requests_left: u32,
    /// Whether [`Command::Idle`] is still to come.
    is_busy: bool,
    /// Whether its time is over and its attempts were stopped.
    is_over: bool,
}

impl Window {
    /// Whether attempts may be started.
    fn is_open(&self, now: Moment) -> bool {
        self.requests_left > 0 && self.time.left_ms(now) > 0
    }
}

impl Outbox {
    pub(super) fn open(&mut self, now: Moment, budget: RunBudget) {
        let open = self.window.filter(|window| window.time.left_ms(now) > 0);
        let (left_ms, requests) = open.map_or((0, 0), |window| (window.time.left_ms(now), window.requests_left));
        self.window = Some(Window {
            time: Span::new(budget.time_ms.max(left_ms), now),
            requests_left: budget.requests.max(requests),
            is_busy: true,
            is_over: false,
        });
    }

    /// What follows from the state at this time.
    pub(super) fn carry_on(&mut self, now: Moment, commands: &mut Vec<Command>) {
        self.expire_leases(now, commands);
        self.expire(now, commands);
        self.send(now, commands);
        self.announce(commands);
        self.end_window(now, commands);
        self.wake(now, commands);
    }

    /// An attempt of this process that does not end is given up.
    fn expire_leases(&mut self, now: Moment, commands: &mut Vec<Command>) {
        for entry in self.conversations.values_mut().flatten() {
            if let State::Leased { lease, .. } = entry.state
                && lease.left_ms(now) == 0
            {
                let failure = Failure {
                    is_free: false,
                    ..Failure::free(Code::DidNotStop)
                };
                let id = entry.id;
                fail(entry, failure, self.options.paid_failures_max, self.session, now);
                commands.push(persist(entry));
                commands.push(Command::Stop { id, lease: entry.lease });
            }
        }
    }

    fn expire(&mut self, now: Moment, commands: &mut Vec<Command>) {
        let expired = self.entries().filter(|entry| entry.is_expired(now));
        for id in expired.map(|entry| entry.id).collect::<Vec<_>>() {
            self.remove(id, Notice::Expired, commands);
        }
    }

    fn send(&mut self, now: Moment, commands: &mut Vec<Command>) {
        let Some(window) = self.window.filter(|window| window.is_open(now)) else {
            return;
        };
        let (conditions, confirm_after_ms) = (self.conditions, self.options.confirm_after_ms);
        let mut due = Vec::new();
        let mut running = 0;
        for entries in self.conversations.values_mut() {
            let priority = urgency(entries);
            let Some(first) = entries.front_mut() else { continue };
            running += u32::from(first.is_leased());
            if !first.is_due(now) || !first.needs.are_met(conditions) {
                continue;
            }
            let is_old = |after_ms| first.age.ms(now) >= after_ms || !first.age.is_known(now);
            if !first.is_confirmed && confirm_after_ms.is_some_and(is_old) {
                first.state = State::NeedsConfirmation;
                commands.push(persist(first));
                continue;
            }
            due.push((Reverse(priority), Reverse(first.age.ms(now)), first.id));
        }
        due.sort_unstable();
        let places = self
            .options
            .leases_max
            .saturating_sub(running)
            .min(window.requests_left);
        for (_, _, id) in due.into_iter().take(places as usize) {
            self.lease(now, id, commands);
        }
    }

    fn lease(&mut self, now: Moment, id: u64, commands: &mut Vec<Command>) {
        let session = self.session;
        if let Some(window) = &mut self.window {
            window.requests_left = window.requests_left.saturating_sub(1);
            window.is_busy = true;
        }
        let Some(entry) = self.entry_mut(id) else { return };
        entry.lease = entry.lease.saturating_add(1);
        entry.attempts = entry.attempts.saturating_add(1);
        entry.decided = None;
        entry.state = State::Leased {
            session,
            lease: Span::new(LEASE_MS, now),
        };
        commands.push(persist(entry));
        commands.push(Command::Send {
            id,
            lease: entry.lease,
            key: entry.key,
        });
    }

    /// Tells the app what has changed for it.
    fn announce(&mut self, commands: &mut Vec<Command>) {
        for (conversation, entries) in &self.conversations {
            let blocking = entries.front().filter(|first| first.blocks()).map(|first| first.id);
            for entry in entries {
                let id = entry.id;
                let notice = notice(entry, blocking.filter(|by| *by != id));
                if self.told.insert(id, notice) != Some(notice) {
                    commands.push(Command::Tell {
                        id,
                        conversation: *conversation,
                        notice,
                    });
                }
            }
        }
    }

    /// Stops attempts when the time of a run is over, and says when a run has nothing more to do.
    fn end_window(&mut self, now: Moment, commands: &mut Vec<Command>) {
        let Some(window) = &mut self.window else { return };
        let leased = self.conversations.values().filter_map(|entries| entries.front());
        let leased: Vec<_> = leased.filter(|first| first.is_leased()).collect();
        if window.is_busy && leased.is_empty() {
            window.is_busy = false;
            commands.push(Command::Idle);
        }
        if window.time.left_ms(now) == 0 && !window.is_over {
            window.is_over = true;
            commands.extend(leased.iter().map(|entry| Command::Stop {
                id: entry.id,
                lease: entry.lease,
            }));
        }
    }

    fn wake(&mut self, now: Moment, commands: &mut Vec<Command>) {
        let mut times: BTreeMap<Constraints, u64> = BTreeMap::new();
        let mut note = |needs: Constraints, at_ms: u64| {
            let time = times.entry(needs).or_insert(at_ms);
            *time = at_ms.min(*time);
        };
        let is_open = self.window.is_some_and(|window| window.is_open(now));
        for entries in self.conversations.values() {
            // While an age is not known, no time is known either; the clock will be set.
            for entry in entries
                .iter()
                .filter(|entry| !entry.is_leased() && entry.age.is_known(now))
            {
                if let Some(deadline_ms) = entry.deadline_ms {
                    let left_ms = deadline_ms.saturating_sub(entry.age.ms(now));
                    note(Constraints::default(), now.elapsed_ms.saturating_add(left_ms));
                }
            }
            let Some(first) = entries.front() else { continue };
            // One that could be sent and was not waits for the end of another attempt, not for a time.
            if is_open && first.is_due(now) && first.needs.are_met(self.conditions) {
                continue;
            }
            match first.state {
                State::Waiting => note(first.needs, 0),
                State::Later { wait, .. } => note(first.needs, wait.end_ms(now)),
                // If the process dies, its request is due.
                State::Leased { lease, .. } => note(Constraints::default(), lease.end_ms(now)),
                State::NeedsConfirmation | State::Stuck { .. } => {}
            }
        }
        if let Some(window) = self.window.filter(|window| window.is_busy && !window.is_over) {
            note(Constraints::default(), window.time.end_ms(now));
        }
        times.retain(|_, at_ms| *at_ms < u64::MAX);
        let wakes: Vec<_> = times.into_iter().map(|(needs, at_ms)| Wake { at_ms, needs }).collect();
        if wakes != self.wakes {
            self.wakes.clone_from(&wakes);
            commands.push(Command::WakeAt(wakes));
        }
    }
}

/// A conversation is as urgent as the most urgent of its requests, because that one has to wait for those before it.
fn urgency(entries: &VecDeque<Entry>) -> Priority {
    entries.iter().map(|entry| entry.priority).max().unwrap_or_default()
}

fn notice(entry: &Entry, blocked_by: Option<u64>) -> Notice {
    match (entry.state, blocked_by, entry.last_failure) {
        (State::Leased { .. }, _, _) => Notice::Sending { decided: entry.decided },
        (State::Stuck { why }, _, _) => Notice::Stuck(why),
        (State::NeedsConfirmation, _, _) => Notice::NeedsConfirmation,
        (_, Some(by), _) => Notice::Blocked { by },
        (_, None, Some(failure)) => Notice::Retrying {
            failure,
            attempts: entry.attempts,
        },
        (_, None, None) => Notice::Queued,
    }
}

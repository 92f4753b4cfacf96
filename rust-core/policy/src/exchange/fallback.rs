//! Carries out a plan: which candidate runs now, when the next one is tried, and how it ends. This is a state machine: the client, or a
//! simulator, carries out its commands and reports what happened; it reads no clock.
//!
//! - Candidates run in the order of the plan, each once, one at a time, at most [`ATTEMPTS_MAX`]. Nothing else is ever started.
//! - The next one is tried when one fails, is busy, runs out of memory, produces no first token in time, or takes too long. The timeout for
//!   the first token applies only while another candidate is left, because stopping the last one would gain nothing. It does not apply to a
//!   candidate that is thinking.
//! - **If text was already shown**, [`Command::Restarted`] says that it must be discarded, and the next candidate starts again from the
//!   beginning. If no candidate is left, the text stays, and the end says that it is partial.
//! - A candidate that would exceed what the request may cost or send, together with the earlier attempts, is skipped.
//! - Everything ends at the deadline. If the plan lets the request wait, it ends as [`Outcome::Deferred`] instead of failing, unless text
//!   was shown.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use whimbrel_record::{AttemptEnd, Code, Outcome};

use crate::plan::{Bounds, Budget, Candidate, Decision, Expected, Plan};

/// The maximum number of candidates tried for one request.
pub const ATTEMPTS_MAX: u32 = 8;
/// The assumed time to a candidate's first token if it is not known, in milliseconds.
pub const NEXT_PLACE_MS: u64 = 2_000;

/// What a running candidate reports.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum AttemptEvent {
    /// It is thinking and has shown no text: it is working, so the timeout for the first token no longer applies.
    Thinking,
    /// It shows text.
    Text,
    /// The answer is complete.
    Finished,
    /// It failed.
    Failed(Code),
    /// It failed before an answer started. Nothing counts towards the request's limits on cost and bytes.
    TurnedAway(Code),
}

/// What happened.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Event {
    /// A report from a candidate. Reports of attempts that have ended are ignored.
    Attempt {
        /// The number that [`Command::Start`] gave.
        attempt: u32,
        /// The report.
        event: AttemptEvent,
    },
    /// The user cancels the request.
    Cancelled,
    /// The time of [`Command::WakeAt`] has come. It may arrive early or late.
    Timer,
}

/// A command for the executor, in the order of the list: a `Cancel` is carried out before the `Start` that follows it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Command {
    /// Discard the text shown so far: another candidate answers from the beginning.
    Restarted {
        /// The attempt whose text is discarded.
        attempt: u32,
        /// How it ended.
        end: AttemptEnd,
        /// The reason.
        code: Option<Code>,
    },
    /// Start this candidate.
    Start {
        /// The number of the attempt, from 0.
        attempt: u32,
        /// Its index in [`Plan::candidates`].
        candidate: u32,
    },
    /// Stop this attempt. Its further reports are ignored.
    Cancel {
        /// The attempt's number.
        attempt: u32,
    },
    /// Send [`Event::Timer`] at this time. Replaces an earlier wake-up time.
    WakeAt {
        /// The time, on the clock of [`Fallback::step`].
        at_ms: u64,
    },
    /// The request is over. This is the last command.
    End(Ending),
}

/// How a request ended.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct Ending {
    /// The outcome. [`Outcome::Failed`] has a code, such as [`Code::Deadline`] or [`Code::Unavailable`]; the others have none.
    pub outcome: Outcome,
    /// Why it failed.
    pub code: Option<Code>,
    /// Whether part of an answer was shown and remains.
    #[serde(rename = "partial")]
    pub is_partial: bool,
    /// The index in the plan of the candidate that answered, or whose partial answer remains.
    pub candidate: Option<u32>,
}

impl Ending {
    /// Whether there is a complete answer.
    #[must_use]
    pub fn is_answered(&self) -> bool {
        self.outcome == Outcome::Answered
    }
}

/// An attempt with one candidate, for the receipt. Times are milliseconds since the start of the request.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Attempt {
    /// The candidate's index in the plan.
    pub candidate: u32,
    /// The candidate's name, as [`Candidate::name`](crate::Candidate::name).
    pub name: String,
    /// When it was started.
    pub started_ms: u64,
    /// When it produced its first token.
    pub first_token_ms: Option<u64>,
    /// When it ended; `None` while it is running.
    pub ended_ms: Option<u64>,
    /// How it ended; `None` while it is running.
    pub end: Option<AttemptEnd>,
    /// Why it failed, or which timeout it exceeded; `None` if it answered or was cancelled.
    pub code: Option<Code>,
}

/// A plan in progress.
#[derive(Clone, Debug)]
pub struct Fallback {
    candidates: Vec<Known>,
    budget: Budget,
    decision: Decision,
    may_wait: bool,
    bounds: Bounds,
    /// As [`Plan::bounds_staying`].
    bounds_staying: Bounds,
    began_ms: u64,
    now_ms: u64,
    wake_at_ms: Option<u64>,
    attempts: Vec<Attempt>,
    /// Those of them that used nothing.
    turned_away: BTreeSet<u32>,
    /// The running attempt thinks: it has shown nothing and is not silent.
    is_thinking: bool,
    ending: Option<Ending>,
}

/// What is known of a candidate.
#[derive(Clone, Debug)]
struct Known {
    name: String,
    expected: Expected,
    is_remote: bool,
}

/// How an attempt ends, and why.
type Why = (AttemptEnd, Option<Code>);

impl Fallback {
    /// Starts the plan, and returns the first commands.
    #[must_use]
    pub fn start(plan: &Plan, now_ms: u64) -> (Fallback, Vec<Command>) {
        let known = |candidate: &Candidate| Known {
            name: candidate.name(),
            expected: *candidate.expected(),
            is_remote: candidate.place().is_remote(),
        };
        let mut fallback = Fallback {
            candidates: plan.candidates.iter().map(known).collect(),
            budget: plan.budget,
            decision: plan.decision,
            may_wait: plan.deferred.is_some(),
            bounds: plan.bounds,
            bounds_staying: plan.bounds_staying,
            began_ms: now_ms,
            now_ms,
            wake_at_ms: None,
            attempts: Vec::new(),
            turned_away: BTreeSet::new(),
            is_thinking: false,
            ending: None,
        };
        let mut commands = Vec::new();
        match fallback.decision {
            Decision::Run => fallback.start_next(&mut commands),
            Decision::Defer => fallback.finish(Outcome::Deferred, None, &mut commands),
            Decision::Denied => fallback.finish(Outcome::Denied, None, &mut commands),
            Decision::Unavailable => {
                let code = match plan.is_too_slow() {
                    true => Code::Deadline,
                    false => Code::Unavailable,
                };
                fallback.finish(Outcome::Failed, Some(code), &mut commands);
            }
        }
        fallback.wake(&mut commands);
        (fallback, commands)
    }

    /// Processes an event that happened at `now_ms`, on any clock in milliseconds. A time before the previous one counts as the previous
    /// one.
    pub fn step(&mut self, now_ms: u64, event: Event) -> Vec<Command> {
        let mut commands = Vec::new();
        if self.ending.is_some() {
            return commands;
        }
        self.now_ms = self.now_ms.max(now_ms);
        match event {
            Event::Cancelled => {
                self.stop((AttemptEnd::Cancelled, None), &mut commands);
                self.finish(Outcome::Cancelled, None, &mut commands);
            }
            Event::Attempt { attempt, event } if self.running() == Some(attempt) => {
                self.report(event, &mut commands);
            }
            Event::Attempt { .. } | Event::Timer => {}
        }
        self.keep_time(&mut commands);
        self.wake(&mut commands);
        commands
    }

    /// The attempt that runs is begun only now: its time counts from here. Returns the time of the next [`Event::Timer`].
    pub(super) fn begun(&mut self, now_ms: u64) -> Option<u64> {
        self.running()?;
        self.now_ms = self.now_ms.max(now_ms);
        let elapsed_ms = self.elapsed_ms();
        self.attempts.last_mut()?.started_ms = elapsed_ms;
        let mut commands = Vec::new();
        self.wake(&mut commands);
        commands.into_iter().find_map(|command| match command {
            Command::WakeAt { at_ms } => Some(at_ms),
            _ => None,
        })
    }

    /// How long the running attempt may wait for a retry, in milliseconds: as long as the next candidate would take to its first token, or,
    /// for the last candidate, until its time is over.
    #[must_use]
    pub fn wait_ms_max(&self) -> u64 {
        let left_ms = self.bounds.deadline_ms.saturating_sub(self.elapsed_ms());
        let wait_ms = match self.next_candidate() {
            Some(next) => self.candidates[next as usize]
                .expected
                .first_token_ms
                .unwrap_or(NEXT_PLACE_MS),
            None => self.bounds.candidate_ms,
        };
        wait_ms.min(left_ms)
    }

    /// Every attempt, in order.
    #[must_use]
    pub fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }

    /// How it ended; `None` while it is running.
    #[must_use]
    pub fn ending(&self) -> Option<Ending> {
        self.ending
    }

    /// Milliseconds from the start to the last event.
    #[must_use]
    pub fn elapsed_ms(&self) -> u64 {
        self.now_ms - self.began_ms
    }

    fn running(&self) -> Option<u32> {
        let last = self.attempts.last()?;
        last.end.is_none().then(|| self.attempts.len() as u32 - 1)
    }

    /// Whether the last attempt showed text.
    fn is_partial(&self) -> bool {
        self.attempts
            .last()
            .is_some_and(|attempt| attempt.first_token_ms.is_some())
    }

    fn report(&mut self, event: AttemptEvent, commands: &mut Vec<Command>) {
        let elapsed_ms = self.elapsed_ms();
        match event {
            AttemptEvent::Thinking => self.is_thinking = true,
            AttemptEvent::Text => {
                let attempt = self.attempts.last_mut().expect("an attempt is running");
                attempt.first_token_ms.get_or_insert(elapsed_ms);
            }
            AttemptEvent::Finished => {
                self.close((AttemptEnd::Answered, None));
                self.finish(Outcome::Answered, None, commands);
            }
            AttemptEvent::Failed(code) | AttemptEvent::TurnedAway(code) => {
                if matches!(event, AttemptEvent::TurnedAway(_)) {
                    self.turned_away.insert(self.attempts.len() as u32 - 1);
                }
                let why = (AttemptEnd::Failed, Some(code));
                self.close(why);
                self.start_next_or_fail(why, commands);
            }
        }
    }

    /// Ends what is late.
    fn keep_time(&mut self, commands: &mut Vec<Command>) {
        if self.ending.is_some() {
            return;
        }
        if self.elapsed_ms() >= self.bounds.deadline_ms {
            let late = Some(Code::Deadline);
            self.stop((AttemptEnd::TimedOut, late), commands);
            match self.may_wait && !self.is_partial() {
                true => self.finish(Outcome::Deferred, None, commands),
                false => self.finish(Outcome::Failed, late, commands),
            }
            return;
        }
        let Some((due_ms, code)) = self.attempt_due() else {
            return;
        };
        if self.elapsed_ms() >= due_ms {
            let why = (AttemptEnd::TimedOut, Some(code));
            self.stop(why, commands);
            self.start_next_or_fail(why, commands);
        }
    }

    /// When the running attempt is late, since the beginning, and for what.
    fn attempt_due(&self) -> Option<(u64, Code)> {
        self.running()?;
        let attempt = self.attempts.last()?;
        let bounds = match self.may_stay() {
            true => &self.bounds_staying,
            false => &self.bounds,
        };
        let whole_ms = attempt.started_ms.saturating_add(bounds.candidate_ms);
        let first_ms = attempt.started_ms.saturating_add(bounds.first_token_ms);
        let is_silent = attempt.first_token_ms.is_none() && !self.is_thinking;
        let waits_for_first = is_silent && self.next_candidate().is_some();
        if waits_for_first && first_ms <= whole_ms {
            Some((first_ms, Code::NoFirstToken))
        } else {
            Some((whole_ms, Code::TimedOut))
        }
    }

    /// Whether a place on this device runs, and the text could leave with a later candidate.
    fn may_stay(&self) -> bool {
        let Some(running) = self.attempts.last().map(|attempt| attempt.candidate as usize) else {
            return false;
        };
        let (tried, left) = self.candidates.split_at(running + 1);
        !tried[running].is_remote && left.iter().any(|known| known.is_remote)
    }

    /// The next candidate behind the last one that can be afforded.
    fn next_candidate(&self) -> Option<u32> {
        if self.attempts.len() >= ATTEMPTS_MAX as usize {
            return None;
        }
        let first = self.attempts.last().map_or(0, |attempt| attempt.candidate + 1);
        let mut left = (0..).zip(&self.candidates).skip(first as usize);
        left.find(|(_, known)| self.can_afford(&known.expected))
            .map(|(place, _)| place)
    }

    fn can_afford(&self, expected: &Expected) -> bool {
        let used = |part: fn(&Expected) -> u64| {
            let tried = (0..)
                .zip(&self.attempts)
                .filter(|(number, _)| !self.turned_away.contains(number));
            let parts = tried.map(|(_, attempt)| part(&self.candidates[attempt.candidate as usize].expected));
            parts.fold(0, u64::saturating_add)
        };
        let fits = |limit: Option<u64>, part: fn(&Expected) -> u64| {
            let own = part(expected);
            own == 0 || limit.is_none_or(|limit| used(part).saturating_add(own) <= limit)
        };
        fits(self.budget.cost_micros, |it| it.cost_micros) && fits(self.budget.network_bytes, |it| it.network_bytes)
    }

    fn start_next_or_fail(&mut self, (end, code): Why, commands: &mut Vec<Command>) {
        let partial = self.is_partial();
        let in_time = self.elapsed_ms() < self.bounds.deadline_ms;
        if in_time && self.next_candidate().is_some() {
            if partial {
                let attempt = self.attempts.len() as u32 - 1;
                commands.push(Command::Restarted { attempt, end, code });
            }
            self.start_next(commands);
        } else if self.may_wait && !partial {
            self.finish(Outcome::Deferred, None, commands);
        } else {
            self.finish(Outcome::Failed, code, commands);
        }
    }

    fn start_next(&mut self, commands: &mut Vec<Command>) {
        let next = self.next_candidate().expect("a plan to run has a candidate left");
        let attempt = self.attempts.len() as u32;
        self.is_thinking = false;
        self.attempts.push(Attempt {
            candidate: next,
            name: self.candidates[next as usize].name.clone(),
            started_ms: self.elapsed_ms(),
            first_token_ms: None,
            ended_ms: None,
            end: None,
            code: None,
        });
        commands.push(Command::Start {
            attempt,
            candidate: next,
        });
    }

    /// Stops the running attempt, if one runs.
    fn stop(&mut self, why: Why, commands: &mut Vec<Command>) {
        if let Some(attempt) = self.running() {
            commands.push(Command::Cancel { attempt });
            self.close(why);
        }
    }

    fn close(&mut self, (end, code): Why) {
        let elapsed_ms = self.elapsed_ms();
        if let Some(attempt) = self.attempts.last_mut() {
            attempt.ended_ms = Some(elapsed_ms);
            attempt.end = Some(end);
            attempt.code = code;
        }
    }

    fn finish(&mut self, outcome: Outcome, code: Option<Code>, commands: &mut Vec<Command>) {
        let is_partial = outcome != Outcome::Answered && self.is_partial();
        let shown = self
            .attempts
            .last()
            .filter(|_| is_partial || outcome == Outcome::Answered);
        let ending = Ending {
            outcome,
            code,
            is_partial,
            candidate: shown.map(|attempt| attempt.candidate),
        };
        self.ending = Some(ending);
        commands.push(Command::End(ending));
    }

    /// Asks for the timer when the next time that matters is another one than before.
    fn wake(&mut self, commands: &mut Vec<Command>) {
        if self.ending.is_some() {
            return;
        }
        let deadline_ms = self.bounds.deadline_ms;
        let due_ms = self
            .attempt_due()
            .map_or(deadline_ms, |(due_ms, _)| due_ms.min(deadline_ms));
        let at_ms = self.began_ms.saturating_add(due_ms);
        if self.wake_at_ms != Some(at_ms) {
            self.wake_at_ms = Some(at_ms);
            commands.push(Command::WakeAt { at_ms });
        }
    }
}

//! Carrying a plan out: which candidate runs now, when the next one takes over, and how it ends. A state machine: the client, or a
//! simulator, carries out its commands and reports what happened; it reads no clock.
//!
//! - Candidates run in the order of the plan, each once, one at a time, at most [`ATTEMPTS_MAX`]; nothing else is ever started.
//! - The next one takes over when one fails, is busy, runs out of memory, shows no first token in time, or takes too long. The time for the
//!   first token counts only while another candidate is left: stopping the last one would gain nothing.
//! - **When text was shown already**, the next candidate begins anew and [`Command::Restarted`] says so before: what was shown is void. When no
//!   candidate is left the shown text stays, and the end says that it is partial.
//! - A candidate that would go beyond what the request may cost or send, together with those that were tried, is passed over.
//! - Everything ends at the deadline. Where the plan lets the request wait, it ends as [`End::Deferred`] instead of failing, unless text was shown.

use serde::{Deserialize, Serialize};

use crate::plan::{Bounds, Budget, Candidate, Decision, Expected, Plan};

/// Candidates that are tried for one request at most.
pub const ATTEMPTS_MAX: u32 = 8;

/// Why a candidate failed.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// No connection.
    Connection,
    /// The connection ended midway, or the answer was cut off.
    Interrupted,
    /// It asked for patience: too many requests, or its quota is used up.
    RateLimited,
    /// It failed on its side.
    Server,
    /// The key was not accepted, or is missing.
    Unauthorised,
    /// It declined to answer this.
    Declined,
    /// What it sent was not understood, or not what was asked for.
    InvalidAnswer,
    /// Anything else, on this device.
    Internal,
}

/// What a running candidate reports.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum AttemptEvent {
    /// Its first text is shown.
    FirstToken,
    /// More text is shown.
    Token,
    /// The answer is complete.
    Finished,
    /// It failed.
    Failed(FailureKind),
    /// It is in use by others.
    Busy,
    /// It got no memory.
    OutOfMemory,
}

/// What happened.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Event {
    /// A candidate reports. Reports of attempts that are over are ignored.
    Attempt {
        /// The number that [`Command::Start`] gave.
        attempt: u32,
        /// What it reports.
        event: AttemptEvent,
    },
    /// The user stops the request.
    Cancelled,
    /// The time of [`Command::WakeAt`] has come. An early or late one does no harm.
    Timer,
}

/// What is to be done, in the order of the list: a `Cancel` is carried out before the `Start` behind it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Command {
    /// What was shown so far is void: another candidate answers from the beginning.
    Restarted {
        /// The attempt whose text is void.
        attempt: u32,
        /// Why it ended.
        because: AttemptEnd,
    },
    /// Start this candidate.
    Start {
        /// The number of the attempt, from 0.
        attempt: u32,
        /// Its place in [`Plan::candidates`].
        candidate: u32,
    },
    /// Stop this attempt; its further reports are ignored.
    Cancel {
        /// Its number.
        attempt: u32,
    },
    /// Send [`Event::Timer`] at this time; takes the place of an earlier one.
    WakeAt {
        /// The time, on the clock of [`Fallback::step`].
        at_ms: u64,
    },
    /// It is over. Nothing follows.
    End(End),
}

/// How it ended.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum End {
    /// An answer is complete.
    Answered {
        /// The candidate's place in the plan.
        candidate: u32,
    },
    /// Nothing answered, and the request may wait.
    Deferred,
    /// Nothing answered.
    Failed {
        /// Whether a part of an answer was shown and stays.
        partial: bool,
    },
    /// The deadline passed.
    DeadlinePassed {
        /// Whether a part of an answer was shown and stays.
        partial: bool,
    },
    /// The user stopped it.
    Cancelled {
        /// Whether a part of an answer was shown and stays.
        partial: bool,
    },
    /// The rules deny it; nothing was started.
    Denied,
    /// Nothing that is allowed could answer; nothing was started.
    Unavailable,
}

/// Why an attempt ended.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum AttemptEnd {
    /// It answered.
    Answered,
    /// It failed.
    Failed {
        /// How.
        failure: FailureKind,
    },
    /// It was in use by others.
    Busy,
    /// It got no memory.
    OutOfMemory,
    /// It showed no first token in time.
    NoFirstToken,
    /// Its answer took too long.
    TooLong,
    /// The deadline of the request passed.
    Deadline,
    /// The user stopped it.
    Cancelled,
}

/// One candidate that was tried, for the receipt. Times are milliseconds since the beginning of the whole.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Attempt {
    /// Its place in the plan.
    pub candidate: u32,
    /// Its name, as [`Candidate::name`](crate::Candidate::name).
    pub name: String,
    /// When it was started.
    pub started_ms: u64,
    /// When it showed its first token.
    pub first_token_ms: Option<u64>,
    /// When it ended; `None` while it runs.
    pub ended_ms: Option<u64>,
    /// Why it ended; `None` while it runs.
    pub end: Option<AttemptEnd>,
}

/// A plan that is being carried out.
#[derive(Clone, Debug)]
pub struct Fallback {
    candidates: Vec<(String, Expected)>,
    budget: Budget,
    decision: Decision,
    may_wait: bool,
    bounds: Bounds,
    began_ms: u64,
    now_ms: u64,
    wake_at_ms: Option<u64>,
    attempts: Vec<Attempt>,
    end: Option<End>,
}

impl Fallback {
    /// Begins: the commands say what is to be done first.
    #[must_use]
    pub fn start(plan: &Plan, now_ms: u64) -> (Fallback, Vec<Command>) {
        let known = |candidate: &Candidate| (candidate.name(), *candidate.expected());
        let mut fallback = Fallback {
            candidates: plan.candidates.iter().map(known).collect(),
            budget: plan.budget,
            decision: plan.decision,
            may_wait: plan.deferred.is_some(),
            bounds: plan.bounds,
            began_ms: now_ms,
            now_ms,
            wake_at_ms: None,
            attempts: Vec::new(),
            end: None,
        };
        let mut commands = Vec::new();
        match fallback.decision {
            Decision::Run => fallback.start_next(&mut commands),
            Decision::Defer => fallback.finish(End::Deferred, &mut commands),
            Decision::Denied => fallback.finish(End::Denied, &mut commands),
            Decision::Unavailable => fallback.finish(End::Unavailable, &mut commands),
        }
        fallback.wake(&mut commands);
        (fallback, commands)
    }

    /// Takes in what happened at `now_ms`, on any clock that runs in milliseconds; a time before the last one counts as the last one.
    pub fn step(&mut self, now_ms: u64, event: Event) -> Vec<Command> {
        let mut commands = Vec::new();
        if self.end.is_some() {
            return commands;
        }
        self.now_ms = self.now_ms.max(now_ms);
        match event {
            Event::Cancelled => {
                self.stop(AttemptEnd::Cancelled, &mut commands);
                let partial = self.is_partial();
                self.finish(End::Cancelled { partial }, &mut commands);
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

    /// Every candidate that was tried, in order.
    #[must_use]
    pub fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }

    /// How it ended; `None` while it runs.
    #[must_use]
    pub fn end(&self) -> Option<End> {
        self.end
    }

    /// Milliseconds from the beginning to the last event.
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
            AttemptEvent::FirstToken | AttemptEvent::Token => {
                let attempt = self.attempts.last_mut().expect("an attempt is running");
                attempt.first_token_ms.get_or_insert(elapsed_ms);
            }
            AttemptEvent::Finished => {
                self.close(AttemptEnd::Answered);
                let candidate = self.attempts.last().expect("an attempt was running").candidate;
                self.finish(End::Answered { candidate }, commands);
            }
            AttemptEvent::Failed(failure) => self.give_up(AttemptEnd::Failed { failure }, commands),
            AttemptEvent::Busy => self.give_up(AttemptEnd::Busy, commands),
            AttemptEvent::OutOfMemory => self.give_up(AttemptEnd::OutOfMemory, commands),
        }
    }

    /// Ends what is late.
    fn keep_time(&mut self, commands: &mut Vec<Command>) {
        if self.end.is_some() {
            return;
        }
        if self.elapsed_ms() >= self.bounds.deadline_ms {
            self.stop(AttemptEnd::Deadline, commands);
            let partial = self.is_partial();
            let end = match self.may_wait && !partial {
                true => End::Deferred,
                false => End::DeadlinePassed { partial },
            };
            self.finish(end, commands);
            return;
        }
        let Some((due_ms, because)) = self.attempt_due() else {
            return;
        };
        if self.elapsed_ms() >= due_ms {
            self.stop(because, commands);
            self.start_next_or_fail(because, commands);
        }
    }

    /// When the running attempt is late, since the beginning, and for what.
    fn attempt_due(&self) -> Option<(u64, AttemptEnd)> {
        self.running()?;
        let attempt = self.attempts.last()?;
        let whole_ms = attempt.started_ms.saturating_add(self.bounds.candidate_ms);
        let first_ms = attempt.started_ms.saturating_add(self.bounds.first_token_ms);
        let waits_for_first = attempt.first_token_ms.is_none() && self.next_candidate().is_some();
        if waits_for_first && first_ms <= whole_ms {
            Some((first_ms, AttemptEnd::NoFirstToken))
        } else {
            Some((whole_ms, AttemptEnd::TooLong))
        }
    }

    /// The next candidate behind the last one that can be afforded.
    fn next_candidate(&self) -> Option<u32> {
        if self.attempts.len() >= ATTEMPTS_MAX as usize {
            return None;
        }
        let first = self.attempts.last().map_or(0, |attempt| attempt.candidate + 1);
        let mut left = (0..).zip(&self.candidates).skip(first as usize);
        left.find(|(_, (_, expected))| self.can_afford(expected))
            .map(|(place, _)| place)
    }

    fn can_afford(&self, expected: &Expected) -> bool {
        let used = |part: fn(&Expected) -> u64| {
            let tried = self.attempts.iter().filter(|attempt| was_used(attempt.end));
            let parts = tried.map(|attempt| part(&self.candidates[attempt.candidate as usize].1));
            parts.fold(0, u64::saturating_add)
        };
        let fits = |limit: Option<u64>, part: fn(&Expected) -> u64| {
            let own = part(expected);
            own == 0 || limit.is_none_or(|limit| used(part).saturating_add(own) <= limit)
        };
        fits(self.budget.cost_micros, |it| it.cost_micros) && fits(self.budget.network_bytes, |it| it.network_bytes)
    }

    /// The running attempt ended by itself.
    fn give_up(&mut self, because: AttemptEnd, commands: &mut Vec<Command>) {
        self.close(because);
        self.start_next_or_fail(because, commands);
    }

    fn start_next_or_fail(&mut self, because: AttemptEnd, commands: &mut Vec<Command>) {
        let partial = self.is_partial();
        let in_time = self.elapsed_ms() < self.bounds.deadline_ms;
        if in_time && self.next_candidate().is_some() {
            if partial {
                let attempt = self.attempts.len() as u32 - 1;
                commands.push(Command::Restarted { attempt, because });
            }
            self.start_next(commands);
        } else if self.may_wait && !partial {
            self.finish(End::Deferred, commands);
        } else {
            self.finish(End::Failed { partial }, commands);
        }
    }

    fn start_next(&mut self, commands: &mut Vec<Command>) {
        let next = self.next_candidate().expect("a plan to run has a candidate left");
        let attempt = self.attempts.len() as u32;
        self.attempts.push(Attempt {
            candidate: next,
            name: self.candidates[next as usize].0.clone(),
            started_ms: self.elapsed_ms(),
            first_token_ms: None,
            ended_ms: None,
            end: None,
        });
        commands.push(Command::Start {
            attempt,
            candidate: next,
        });
    }

    /// Stops the running attempt, if one runs.
    fn stop(&mut self, because: AttemptEnd, commands: &mut Vec<Command>) {
        if let Some(attempt) = self.running() {
            commands.push(Command::Cancel { attempt });
            self.close(because);
        }
    }

    fn close(&mut self, because: AttemptEnd) {
        let elapsed_ms = self.elapsed_ms();
        if let Some(attempt) = self.attempts.last_mut() {
            attempt.ended_ms = Some(elapsed_ms);
            attempt.end = Some(because);
        }
    }

    fn finish(&mut self, end: End, commands: &mut Vec<Command>) {
        self.end = Some(end);
        commands.push(Command::End(end));
    }

    /// Asks for the timer when the next time that matters is another one than before.
    fn wake(&mut self, commands: &mut Vec<Command>) {
        if self.end.is_some() {
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

/// Whether an attempt that ended so counts as paid for and sent: all do but those that were turned away before they began.
fn was_used(end: Option<AttemptEnd>) -> bool {
    use FailureKind::{Connection, RateLimited, Unauthorised};
    match end {
        Some(AttemptEnd::Busy | AttemptEnd::OutOfMemory) => false,
        Some(AttemptEnd::Failed { failure }) => !matches!(failure, Connection | RateLimited | Unauthorised),
        _ => true,
    }
}

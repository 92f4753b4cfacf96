//! One request from its plan to its end, as a state machine: which candidate runs, which text is shown, how long a stopped candidate may
//! take to report its usage, and what the result is. The executor carries out the commands and reports what happened; it decides nothing. A
//! simulator carries out the same commands, so what is simulated is what ships.
//!
//! [`fallback::Fallback`] determines the next candidate. This machine adds what an executor must not decide: an empty, filtered or cut-off
//! answer is a failure, and calls of tools are an answer; a stopped attempt has [`STOP_MS_MAX`] to end before the next one starts; and an attempt that is cancelled before it
//! started is never started.

mod closing;
mod cost;
mod escalation;
pub mod fallback;

use std::collections::{BTreeMap, VecDeque};

use whimbrel_privacy::FindingKind;
use whimbrel_record::{CALLED_TOOLS_MAX, Code, FinishReason, Label, Tokens};

pub use self::closing::{Conclusion, Kept};
pub use self::cost::Price;
pub use self::escalation::{Confidence, Escalation, EscalationThresholds, Weakness, escalation, repetition_ratio};
pub use self::fallback::{ATTEMPTS_MAX, Attempt, Ending, NEXT_PLACE_MS};
use self::fallback::{AttemptEvent, Command as Order, Event as Happened, Fallback};
use crate::plan::Plan;
use crate::request::UsedToday;

/// How long a stopped attempt may take to report its usage, in milliseconds.
pub const STOP_MS_MAX: u64 = 5_000;

/// What an attempt used.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Usage {
    /// Bytes that left the device.
    pub bytes_out: u64,
    /// Bytes that were received.
    pub bytes_in: u64,
    /// How many different values of each kind were replaced in text that left.
    pub redacted: BTreeMap<FindingKind, u32>,
    /// How many of these had left with an earlier question of the conversation.
    pub repeated: BTreeMap<FindingKind, u32>,
    /// Tokens, where the place counts them.
    pub tokens: Tokens,
    /// Mean natural logarithm of each token's probability, if the place reports it.
    pub mean_log_probability: Option<f64>,
}

/// A place's report that its attempt has ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Ended {
    /// Why the answer is complete, or why there is none.
    pub result: Result<FinishReason, Code>,
    /// Whether no place was contacted.
    pub is_skipped: bool,
    /// Whether the place was not reached, or refused the request before an answer started. Such an attempt costs nothing, whatever was
    /// sent.
    pub is_turned_away: bool,
    /// The attempt's usage, even if it failed.
    pub usage: Usage,
    /// How often each tool was called, by name, if [`FinishReason::ToolCalls`] says so: at most [`CALLED_TOOLS_MAX`] names.
    pub calls: BTreeMap<Label, u32>,
}

impl Ended {
    /// A complete answer.
    #[must_use]
    pub fn finished(reason: FinishReason, usage: Usage) -> Ended {
        Ended {
            result: Ok(reason),
            is_skipped: false,
            is_turned_away: false,
            usage,
            calls: BTreeMap::new(),
        }
    }

    /// An answer that calls tools that were offered, with arguments that they take.
    #[must_use]
    pub fn called(calls: BTreeMap<Label, u32>, usage: Usage) -> Ended {
        Ended {
            calls,
            ..Ended::finished(FinishReason::ToolCalls, usage)
        }
    }

    /// A failure, possibly after part of an answer.
    #[must_use]
    pub fn failed(code: Code) -> Ended {
        Ended {
            result: Err(code),
            is_skipped: false,
            is_turned_away: false,
            usage: Usage::default(),
            calls: BTreeMap::new(),
        }
    }

    /// Whether nothing is paid for it. Of an attempt that could not say what it used, that is not known.
    pub(crate) fn is_free(&self) -> bool {
        let is_known = !matches!(self.result, Err(Code::DidNotStop | Code::Panicked));
        is_known && self.usage.tokens.input == 0 && (self.is_turned_away || self.usage.bytes_out == 0)
    }

    /// No place was contacted, for this reason.
    #[must_use]
    pub fn skipped(code: Code) -> Ended {
        Ended {
            is_skipped: true,
            ..Ended::failed(code)
        }
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// An attempt has no text to show, but is working: it thinks before it answers, or writes a call of a tool.
    Thinking {
        /// The number that [`Command::Start`] gave.
        attempt: u32,
    },
    /// An attempt has text to show. It may be shown unless the commands that follow stop the attempt.
    Text {
        /// The number that [`Command::Start`] gave.
        attempt: u32,
    },
    /// An attempt ended.
    Ended {
        /// The attempt's number.
        attempt: u32,
        /// The result.
        ended: Ended,
    },
    /// The user cancels the request, or nobody reads the answer any more.
    Cancelled,
    /// The time of [`Command::WakeAt`] has come. It may arrive early or late.
    Timer,
}

/// A command for the executor, in the order of the list.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Command {
    /// Start this candidate.
    Start {
        /// The number of the attempt, from 0.
        attempt: u32,
        /// Its index in [`Plan::candidates`].
        candidate: u32,
    },
    /// Stop this attempt and report how it ended. Its text is no longer needed.
    Stop {
        /// The attempt's number.
        attempt: u32,
    },
    /// Discard the text shown so far: another candidate answers from the beginning.
    Restart,
    /// Send [`Event::Timer`] at this time. Replaces an earlier wake-up time.
    WakeAt {
        /// The time, on the clock of [`Exchange::step`].
        at_ms: u64,
    },
    /// The request is over: [`Exchange::conclude`] gives the result.
    End,
}

/// See the module.
#[derive(Debug)]
pub struct Exchange {
    plan: Plan,
    /// What each candidate charges.
    prices: Vec<Price>,
    is_metered: bool,
    fallback: Fallback,
    /// How each attempt ended, in order.
    ended: Vec<Ended>,
    running: Option<u32>,
    /// The attempt that was told to stop, and until when it is waited for.
    stopping: Option<(u32, u64)>,
    /// What is done once the stopped attempt has ended.
    waiting: VecDeque<Order>,
    wake_at_ms: u64,
    is_over: bool,
}

impl Exchange {
    /// Starts the exchange, and returns the first commands. `prices` has an entry for each candidate of the plan.
    #[must_use]
    pub fn start(plan: Plan, prices: Vec<Price>, is_metered: bool, now_ms: u64) -> (Exchange, Vec<Command>) {
        let (fallback, orders) = Fallback::start(&plan, now_ms);
        let mut exchange = Exchange {
            plan,
            prices,
            is_metered,
            fallback,
            ended: Vec::new(),
            running: None,
            stopping: None,
            waiting: VecDeque::new(),
            wake_at_ms: u64::MAX,
            is_over: false,
        };
        let commands = exchange.carry_on(now_ms, orders);
        (exchange, commands)
    }

    /// The plan in progress.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Whether this attempt is running and its text is needed.
    #[must_use]
    pub fn is_running(&self, attempt: u32) -> bool {
        self.running == Some(attempt) && self.stopping.is_none()
    }

    /// The most that a candidate may use of the day's budget. Places on the device use none of it.
    #[must_use]
    pub fn most(&self, candidate: u32) -> UsedToday {
        let expected = self.plan.candidates[candidate as usize].expected();
        UsedToday {
            cost_micros: expected.cost_micros,
            metered_bytes: if self.is_metered { expected.network_bytes } else { 0 },
        }
    }

    /// How long the running attempt may wait for a retry: see [`Fallback::wait_ms_max`].
    #[must_use]
    pub fn wait_ms_max(&self) -> u64 {
        self.fallback.wait_ms_max()
    }

    /// The candidate of an attempt.
    #[must_use]
    pub fn candidate_of(&self, attempt: u32) -> Option<u32> {
        let attempt = self.fallback.attempts().get(attempt as usize)?;
        Some(attempt.candidate)
    }

    /// Processes an event that happened at `now_ms`, on any monotonic clock in milliseconds.
    pub fn step(&mut self, now_ms: u64, event: Event) -> Vec<Command> {
        if self.is_over {
            return Vec::new();
        }
        let orders = match event {
            Event::Cancelled => self.fallback.step(now_ms, Happened::Cancelled),
            Event::Timer => return self.keep_time(now_ms),
            Event::Thinking { attempt } if self.is_running(attempt) => {
                self.report(now_ms, attempt, AttemptEvent::Thinking)
            }
            Event::Text { attempt } if self.is_running(attempt) => self.report(now_ms, attempt, AttemptEvent::Text),
            Event::Ended { attempt, ended } if self.running == Some(attempt) => {
                let is_wanted = self.stopping.is_none();
                // The place was closed under its attempt: whoever did that stops the request.
                let is_cancelled = ended.result == Ok(FinishReason::Cancelled);
                let judged = self.judged(attempt, ended);
                let event = match &judged.result {
                    Ok(_) => AttemptEvent::Finished,
                    Err(code) if judged.is_free() => AttemptEvent::TurnedAway(*code),
                    Err(code) => AttemptEvent::Failed(*code),
                };
                self.has_ended(attempt, judged);
                match (is_wanted, is_cancelled) {
                    (true, true) => self.fallback.step(now_ms, Happened::Cancelled),
                    (true, false) => self.report(now_ms, attempt, event),
                    (false, _) => Vec::new(),
                }
            }
            // Reports of attempts that are over.
            Event::Thinking { .. } | Event::Text { .. } | Event::Ended { .. } => Vec::new(),
        };
        self.carry_on(now_ms, orders)
    }

    /// Gives a stopped attempt up when its time is over. Until then no other time matters.
    fn keep_time(&mut self, now_ms: u64) -> Vec<Command> {
        if let Some((attempt, until_ms)) = self.stopping {
            if now_ms >= until_ms {
                self.has_ended(attempt, Ended::failed(Code::DidNotStop));
            }
            return self.carry_on(now_ms, Vec::new());
        }
        let orders = self.fallback.step(now_ms, Happened::Timer);
        self.carry_on(now_ms, orders)
    }

    fn report(&mut self, now_ms: u64, attempt: u32, event: AttemptEvent) -> Vec<Order> {
        self.fallback.step(now_ms, Happened::Attempt { attempt, event })
    }

    /// An answer that is no answer is a failure, which the next candidate may mend.
    fn judged(&self, attempt: u32, mut ended: Ended) -> Ended {
        let has_text = self.fallback.attempts()[attempt as usize].first_token_ms.is_some();
        ended.result = match ended.result {
            Ok(FinishReason::ContentFilter) => Err(Code::ContentFilter),
            Ok(FinishReason::ToolCalls) if ended.calls.is_empty() => Err(Code::ToolCalls),
            Ok(FinishReason::ToolCalls) if ended.calls.len() > CALLED_TOOLS_MAX as usize => Err(Code::TooLarge),
            // Calls are an answer of their own: they need no text.
            Ok(FinishReason::ToolCalls) => Ok(FinishReason::ToolCalls),
            Ok(FinishReason::Cancelled) => Err(Code::Internal),
            // All of its tokens went into what it thought.
            Ok(FinishReason::Length) if !has_text => Err(Code::CutOff),
            Ok(_) if !has_text => Err(Code::EmptyAnswer),
            result => result,
        };
        ended
    }

    fn has_ended(&mut self, attempt: u32, ended: Ended) {
        debug_assert_eq!(
            self.ended.len(),
            attempt as usize,
            "attempts end in the order of their beginning"
        );
        self.ended.push(ended);
        self.running = None;
        self.stopping = None;
    }

    /// Turns the fallback's orders into commands. Behind an attempt that has yet to stop they wait.
    fn carry_on(&mut self, now_ms: u64, orders: Vec<Order>) -> Vec<Command> {
        let mut commands = Vec::new();
        for order in orders {
            match order {
                Order::WakeAt { at_ms } => self.wake_at_ms = at_ms,
                order => self.waiting.push_back(order),
            }
        }
        while self.stopping.is_none()
            && let Some(order) = self.waiting.pop_front()
        {
            self.carry_out(now_ms, order, &mut commands);
        }
        if !self.is_over {
            let at_ms = self.stopping.map_or(self.wake_at_ms, |(_, until_ms)| until_ms);
            commands.push(Command::WakeAt { at_ms });
        }
        commands
    }

    fn carry_out(&mut self, now_ms: u64, order: Order, commands: &mut Vec<Command>) {
        match order {
            Order::Start { attempt, candidate } => {
                let called_off = |order: &Order| matches!(order, Order::Cancel { attempt: other } if *other == attempt);
                self.running = Some(attempt);
                if self.waiting.iter().any(called_off) {
                    self.has_ended(attempt, Ended::skipped(Code::NotBegun));
                } else {
                    self.wake_at_ms = self.fallback.begun(now_ms).unwrap_or(self.wake_at_ms);
                    commands.push(Command::Start { attempt, candidate });
                }
            }
            Order::Cancel { attempt } if self.running == Some(attempt) => {
                self.stopping = Some((attempt, now_ms.saturating_add(STOP_MS_MAX)));
                commands.push(Command::Stop { attempt });
            }
            Order::Cancel { .. } | Order::WakeAt { .. } => {}
            Order::Restarted { .. } => commands.push(Command::Restart),
            Order::End(_) => {
                self.is_over = true;
                commands.push(Command::End);
            }
        }
    }
}

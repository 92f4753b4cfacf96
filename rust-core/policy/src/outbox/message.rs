//! What happens to an outbox, what it wants done, and what the app is told.

use whimbrel_record::{Code, Outcome};

use super::clock::Moment;
use super::conditions::{Conditions, Constraints};
use super::entry::{Entry, IdempotencyKey, Stuck};
use super::failure::Failure;
use crate::Refused;
use crate::fallback::Ending;

/// What the policy in force decided when a request was taken out of the queue.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Decided {
    /// It is answered on this device.
    OnDevice,
    /// It is sent with every finding replaced.
    Redacted,
    /// It is sent as it is.
    AsIs,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AttemptResult {
    /// With an answer.
    Answered,
    /// It failed everywhere that it was tried; see [`Failure::most_hopeful`].
    Failed(Failure),
    /// The policy in force does not allow it anywhere, nor to wait.
    Denied,
    /// The policy in force lets it wait again.
    Deferred {
        /// What to wait for; see [`Constraints::that_help`].
        needs: Constraints,
    },
    /// The user cancelled it while it was sent.
    Cancelled,
    /// It was stopped, after [`Command::Stop`] or because the app is closing. It did not fail.
    Stopped,
}

/// How much may be sent in one run.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RunBudget {
    /// How many attempts may be started.
    pub requests: u32,
    /// For how many milliseconds. Attempts that are still running then are stopped.
    pub time_ms: u64,
}

impl AttemptResult {
    /// The result of an exchange: how it ended, how each of its attempts failed, and which places its plan refused. An exchange whose plan
    /// allows it to wait ends as deferred even if a place failed. It counts as failed, unless only a place that was refused gives hope.
    #[must_use]
    pub fn of(ending: &Ending, failures: impl IntoIterator<Item = Failure>, refused: &[Refused]) -> AttemptResult {
        let failure = Failure::most_hopeful(failures);
        let has_hope = failure.is_none_or(|failure| !failure.remedy().is_automatic() && Constraints::may_help(refused));
        match ending.outcome {
            Outcome::Answered => AttemptResult::Answered,
            Outcome::Cancelled => AttemptResult::Cancelled,
            Outcome::Denied => AttemptResult::Denied,
            Outcome::Interrupted => AttemptResult::Stopped,
            Outcome::Deferred if has_hope => AttemptResult::Deferred {
                needs: Constraints::that_help(refused),
            },
            Outcome::Deferred | Outcome::Failed => {
                let without_attempt = || Failure::free(ending.code.unwrap_or(Code::Unavailable));
                AttemptResult::Failed(failure.unwrap_or_else(without_attempt))
            }
        }
    }
}

impl RunBudget {
    /// While the app is open.
    pub const UNLIMITED: RunBudget = RunBudget {
        requests: u32::MAX,
        time_ms: u64::MAX,
    };
}

/// What happened. What the user does has methods of its own, because it can be refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Event {
    /// The app or the system gives time to send. A run that is in progress is extended.
    Run(RunBudget),
    /// A time of [`Command::WakeAt`] has come, or the device's clock was set. It may arrive early or late.
    Tick,
    /// An attempt begins: the policy in force has decided.
    Began {
        /// The request.
        id: u64,
        /// The number that [`Command::Send`] gave.
        lease: u64,
        /// The decision about the first place of the plan.
        decided: Decided,
        /// The attempt's deadline in milliseconds from now. The lease lasts a little longer.
        deadline_ms: u64,
    },
    /// An attempt has ended.
    Ended {
        /// The request.
        id: u64,
        /// The number that [`Command::Send`] gave.
        lease: u64,
        /// How.
        result: AttemptResult,
    },
    /// The device's conditions.
    Conditions(Conditions),
    /// A key, a policy, a model or another setting has changed.
    SettingsChanged,
}

/// What is to be done, in the order of the list. Each of `Persist`, `Complete`, `Expire` and `Remove` is on the disk before the next command
/// is carried out.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Command {
    /// Write this row, over the one with its id if there is one.
    Persist(Box<Entry>),
    /// Decide about the request by the policy in force and carry the decision out; report [`Event::Began`] and [`Event::Ended`].
    Send {
        /// The request.
        id: u64,
        /// The number of the lease, for the reports.
        lease: u64,
        /// To be sent with it.
        key: IdempotencyKey,
    },
    /// Stop this attempt, and report how it ended. If it has an answer by then, that is accepted.
    Stop {
        /// The request.
        id: u64,
        /// The number of its lease.
        lease: u64,
    },
    /// Write the answer into its conversation and remove the row, in one transaction.
    Complete {
        /// The request.
        id: u64,
    },
    /// Mark the question as expired in its conversation and remove the row, in one transaction.
    Expire {
        /// The request.
        id: u64,
    },
    /// Remove the question from its conversation and the row, in one transaction: the user cancelled it.
    Remove {
        /// The request.
        id: u64,
    },
    /// Tell the app.
    Tell {
        /// The request.
        id: u64,
        /// Its conversation.
        conversation: u64,
        /// What is new.
        notice: Notice,
    },
    /// Replaces all earlier wake-ups by these; with an empty list there is nothing to wait for.
    WakeAt(Vec<Wake>),
    /// No attempt is running and none may be started: a task of the system that runs the outbox is complete.
    Idle,
}

/// When to go on. While the process lives, send [`Event::Tick`] at this time. For the case that it does not, let the system start the app
/// at this time or later, once the constraints are met, and send [`Event::Run`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Wake {
    /// On the clock of [`Moment::elapsed_ms`]. A time in the past means that a request waits only for a run.
    pub at_ms: u64,
    /// What the system is to wait for.
    pub needs: Constraints,
}

/// What the app is told of a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Notice {
    /// It is queued, durably.
    Queued,
    /// It failed and will be retried by itself.
    Retrying {
        /// The last failure.
        failure: Failure,
        /// Attempts so far.
        attempts: u32,
    },
    /// It is behind a request of its conversation that is stuck or waits for confirmation.
    Blocked {
        /// That request.
        by: u64,
    },
    /// An attempt has it.
    Sending {
        /// What the policy in force decided; `None` until it has.
        decided: Option<Decided>,
    },
    /// It is old, and the user is asked before it is sent.
    NeedsConfirmation,
    /// It is not retried by itself.
    Stuck(Stuck),
    /// Its answer is in the conversation.
    Answered,
    /// Its deadline has passed.
    Expired,
    /// The user cancelled it.
    Cancelled,
}

impl Wake {
    /// The wall time of it, in milliseconds since 1970, if the clock is not set until then.
    #[must_use]
    pub fn wall_ms(&self, now: Moment) -> u64 {
        now.wall_ms.saturating_add(self.at_ms.saturating_sub(now.elapsed_ms))
    }
}

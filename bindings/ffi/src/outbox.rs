//! The outbox: questions that a policy lets wait, kept on the device until they are answered.

use std::sync::Arc;

use whimbrel_client as client;
use whimbrel_client::policy::outbox;
use whimbrel_client::store::OutboxId;

use crate::{Assistant, CoreError, PrivacyClass};

/// A queued question.
#[derive(Clone, Debug, uniffi::Record)]
pub struct QueuedQuestion {
    /// Its number.
    pub id: u64,
    /// The id of its conversation.
    pub conversation: String,
    /// Its text.
    pub text: String,
    /// The app's name for the kind of work.
    pub task: String,
    /// The privacy class that the app declared.
    pub privacy_class: PrivacyClass,
    /// When it was queued or edited, in milliseconds since 1970.
    pub created_ms: u64,
    /// Which conversation is served first.
    pub priority: QueuePriority,
    /// How many attempts were begun.
    pub attempts: u32,
    /// Time until it is retried, in milliseconds. Absent if it does not wait for a time.
    pub retry_in_ms: Option<u64>,
    /// What has to be there before it is sent.
    pub needs: QueueNeeds,
    /// How it is doing.
    pub state: QueueState,
}

/// What has to be there before a question is sent.
#[derive(Clone, Debug, uniffi::Record)]
pub struct QueueNeeds {
    /// A network.
    pub network: bool,
    /// A network where data is free.
    pub unmetered: bool,
    /// A charger.
    pub charging: bool,
}

/// Which conversation is served first when several could be. The order inside a conversation does not depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum QueuePriority {
    /// After all others.
    Low,
    /// The default.
    Normal,
    /// Before all others.
    High,
}

/// How a queued question is doing.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum QueueState {
    /// It waits for its turn, and for what it needs.
    Waiting,
    /// It failed and is retried by itself.
    Retrying {
        /// How it failed.
        failure: QueueFailure,
    },
    /// It is behind a question of its conversation that is stuck or waits for confirmation.
    Blocked {
        /// The number of that question.
        by: u64,
    },
    /// It is being sent.
    Sending {
        /// What the policy in force decided. Absent until it has.
        decided: Option<QueueDecision>,
    },
    /// It is old, and the user is asked before it is sent: see `Outbox.confirm`.
    NeedsConfirmation,
    /// It failed, and is not retried by itself.
    Stuck {
        /// How it failed.
        failure: QueueFailure,
    },
    /// The policy in force does not allow it anywhere. It is decided about again when a policy, key or model changes.
    Denied,
    /// It failed too often after an endpoint may have worked on it, which may have cost money each time. It is not retried by itself.
    MayCost {
        /// The last failure.
        failure: QueueFailure,
    },
    /// Its answer is in the conversation.
    Answered,
    /// Its deadline has passed.
    Expired,
    /// It was cancelled.
    Cancelled,
}

/// How an attempt failed.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct QueueFailure {
    /// Why, as one of the codes in `docs/ledger.md`.
    pub code: String,
    /// The HTTP status, if the endpoint answered with one.
    pub status: Option<u32>,
    /// What can help.
    pub remedy: QueueRemedy,
}

/// What can help after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum QueueRemedy {
    /// Another network, or time.
    Network,
    /// Time.
    Time,
    /// Another key, policy or setting.
    Settings,
    /// The user, who edits, retries or cancels the question.
    User,
}

/// What the policy decided when a question was taken from the outbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum QueueDecision {
    /// It is answered on this device.
    OnDevice,
    /// It is sent with every finding replaced.
    Redacted,
    /// It is sent as it is.
    AsIs,
}

/// What happens in the outbox.
#[derive(Clone, Debug, uniffi::Enum)]
pub enum OutboxEvent {
    /// Something is new about a question.
    Changed {
        /// The question's number.
        id: u64,
        /// The id of its conversation.
        conversation: String,
        /// How it is doing now.
        state: QueueState,
    },
    /// Events were missed, because they were not read in time. `Outbox.list` says how everything is. Every reader gets this first: what
    /// happens after that listing is not lost.
    Missed {
        /// How many; 0 at the beginning.
        events: u64,
    },
}

/// How much a run of the outbox may do.
#[derive(Clone, Debug, uniffi::Record)]
pub struct RunBudget {
    /// How many attempts may begin. Without this value, as many as are due.
    #[uniffi(default = None)]
    pub attempts: Option<u32>,
    /// For how long, in milliseconds. Attempts that are still running then are stopped. Without this value, until nothing more can be sent.
    #[uniffi(default = None)]
    pub within_ms: Option<u64>,
}

/// What a run of the outbox did.
#[derive(Clone, Debug, uniffi::Record)]
pub struct OutboxRun {
    /// Questions that were answered.
    pub answered: u32,
    /// Questions that are still queued.
    pub left: u64,
    /// When the next run is worth while, in milliseconds since 1970. Absent if nothing waits for a time or a condition.
    pub next_ms: Option<u64>,
    /// What the system is to wait for before it.
    pub next_needs: QueueNeeds,
}

/// The queued questions of an assistant. A question is queued where the policy says `queue`, in a conversation that is kept.
#[derive(uniffi::Object)]
pub struct Outbox(client::Outbox);

#[uniffi::export]
impl Assistant {
    /// The queued questions.
    #[must_use]
    pub fn outbox(&self) -> Arc<Outbox> {
        Arc::new(Outbox(self.0.outbox()))
    }
}

#[uniffi::export]
impl Outbox {
    /// The queued questions, in the order of their numbers.
    pub async fn list(&self) -> Result<Vec<QueuedQuestion>, CoreError> {
        let queued = self.0.list().await?;
        Ok(queued.into_iter().map(Into::into).collect())
    }

    /// Sends what is due, and waits until nothing more can be sent now or the budget is used up. For a task of the system, such as
    /// WorkManager's or BGTaskScheduler's.
    #[uniffi::method(default(budget))]
    pub async fn run_due(&self, budget: RunBudget) -> Result<OutboxRun, CoreError> {
        Ok(self.0.run_due(budget.into()).await?.into())
    }

    /// Sends what is due from now on, as long as the assistant is open. Returns when that has begun.
    pub async fn start(&self) -> Result<(), CoreError> {
        Ok(self.0.run().await?)
    }

    /// What happens to queued questions from now on.
    pub fn events(&self) -> Result<Arc<OutboxEvents>, CoreError> {
        Ok(Arc::new(OutboxEvents(self.0.reader()?)))
    }

    /// From which age on a question waits until the user confirms it, in milliseconds; absent sends it however old it is. It holds as long as the
    /// assistant is open.
    pub async fn set_confirm_after(&self, age_ms: Option<u64>) -> Result<(), CoreError> {
        Ok(self.0.set_confirm_after_ms(age_ms).await?)
    }

    /// Allows a question to be sent although it is old.
    pub async fn confirm(&self, id: u64) -> Result<(), CoreError> {
        Ok(self.0.confirm(OutboxId(id)).await?)
    }

    /// Sends a question as soon as its turn comes, whatever it was waiting for.
    pub async fn retry(&self, id: u64) -> Result<(), CoreError> {
        Ok(self.0.retry(OutboxId(id)).await?)
    }

    /// Removes a question. It leaves nothing in its conversation.
    pub async fn cancel(&self, id: u64) -> Result<(), CoreError> {
        Ok(self.0.cancel(OutboxId(id)).await?)
    }

    /// Changes the priority of a question's conversation.
    pub async fn prioritise(&self, id: u64, priority: QueuePriority) -> Result<(), CoreError> {
        Ok(self.0.prioritise(OutboxId(id), priority.into()).await?)
    }

    /// Replaces the text of a question. To an endpoint it is another one.
    pub async fn edit(&self, id: u64, text: String) -> Result<(), CoreError> {
        Ok(self.0.edit(OutboxId(id), &text).await?)
    }
}

/// Reads what happens in the outbox.
#[derive(uniffi::Object)]
pub struct OutboxEvents(client::OutboxReader);

#[uniffi::export]
impl OutboxEvents {
    /// Waits for at least one event, and returns all waiting events, at most `max`. An empty list is the end: the assistant was closed, or
    /// this was cancelled.
    pub async fn next(&self, max: u32) -> Vec<OutboxEvent> {
        let heard = self.0.next(max).await;
        heard.into_iter().map(Into::into).collect()
    }

    /// Ends a call of `next` that waits, and all later ones. Returns at once, and may be called again.
    pub fn cancel(&self) {
        self.0.cancel();
    }
}

impl From<client::Queued> for QueuedQuestion {
    fn from(from: client::Queued) -> Self {
        let options = from.question.options;
        QueuedQuestion {
            id: from.id.0,
            conversation: from.conversation.to_string(),
            text: from.question.text,
            task: options.task,
            privacy_class: options.class.into(),
            created_ms: from.created_ms,
            priority: from.priority.into(),
            attempts: from.attempts,
            retry_in_ms: from.retry_in_ms,
            needs: from.needs.into(),
            state: from.notice.into(),
        }
    }
}

impl From<outbox::Constraints> for QueueNeeds {
    fn from(from: outbox::Constraints) -> Self {
        QueueNeeds {
            network: from.network,
            unmetered: from.unmetered,
            charging: from.charging,
        }
    }
}

impl From<QueuePriority> for outbox::Priority {
    fn from(from: QueuePriority) -> Self {
        match from {
            QueuePriority::Low => outbox::Priority::Low,
            QueuePriority::Normal => outbox::Priority::Normal,
            QueuePriority::High => outbox::Priority::High,
        }
    }
}

impl From<outbox::Priority> for QueuePriority {
    fn from(from: outbox::Priority) -> Self {
        match from {
            outbox::Priority::Low => QueuePriority::Low,
            outbox::Priority::Normal => QueuePriority::Normal,
            outbox::Priority::High => QueuePriority::High,
        }
    }
}

impl From<outbox::Notice> for QueueState {
    fn from(from: outbox::Notice) -> Self {
        match from {
            outbox::Notice::Queued => QueueState::Waiting,
            outbox::Notice::Retrying { failure, .. } => QueueState::Retrying {
                failure: failure.into(),
            },
            outbox::Notice::Blocked { by } => QueueState::Blocked { by },
            outbox::Notice::Sending { decided } => QueueState::Sending {
                decided: decided.map(Into::into),
            },
            outbox::Notice::NeedsConfirmation => QueueState::NeedsConfirmation,
            outbox::Notice::Stuck(outbox::Stuck::Failed { failure }) => QueueState::Stuck {
                failure: failure.into(),
            },
            outbox::Notice::Stuck(outbox::Stuck::Denied) => QueueState::Denied,
            outbox::Notice::Stuck(outbox::Stuck::MayCost { failure }) => QueueState::MayCost {
                failure: failure.into(),
            },
            outbox::Notice::Answered => QueueState::Answered,
            outbox::Notice::Expired => QueueState::Expired,
            outbox::Notice::Cancelled => QueueState::Cancelled,
        }
    }
}

impl From<outbox::Failure> for QueueFailure {
    fn from(from: outbox::Failure) -> Self {
        QueueFailure {
            code: from.code.name().into(),
            status: from.status.map(Into::into),
            remedy: match from.remedy() {
                outbox::Remedy::Network => QueueRemedy::Network,
                outbox::Remedy::Time => QueueRemedy::Time,
                outbox::Remedy::Settings => QueueRemedy::Settings,
                outbox::Remedy::User => QueueRemedy::User,
            },
        }
    }
}

impl From<outbox::Decided> for QueueDecision {
    fn from(from: outbox::Decided) -> Self {
        match from {
            outbox::Decided::OnDevice => QueueDecision::OnDevice,
            outbox::Decided::Redacted => QueueDecision::Redacted,
            outbox::Decided::AsIs => QueueDecision::AsIs,
        }
    }
}

impl From<client::Heard> for OutboxEvent {
    fn from(from: client::Heard) -> Self {
        match from {
            client::Heard::Event(event) => OutboxEvent::Changed {
                id: event.id.0,
                conversation: event.conversation.to_string(),
                state: event.notice.into(),
            },
            client::Heard::Missed(events) => OutboxEvent::Missed { events },
        }
    }
}

impl From<RunBudget> for outbox::RunBudget {
    fn from(from: RunBudget) -> Self {
        outbox::RunBudget {
            requests: from.attempts.unwrap_or(u32::MAX),
            time_ms: from.within_ms.unwrap_or(u64::MAX),
        }
    }
}

impl From<client::OutboxRun> for OutboxRun {
    fn from(from: client::OutboxRun) -> Self {
        OutboxRun {
            answered: from.answered,
            left: from.left,
            next_ms: from.next_ms,
            next_needs: from.next_needs.into(),
        }
    }
}

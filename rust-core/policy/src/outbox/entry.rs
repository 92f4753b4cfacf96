//! One queued request as the outbox sees it, and the row that the store keeps of it. There is no text in it.

use std::fmt;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::clock::{Age, Moment, Span};
use super::conditions::Constraints;
use super::failure::{Failure, Remedy};
use super::message::Decided;

/// Version of the row that [`Entry::encode`] writes.
pub const ENTRY_VERSION: u32 = 1;

/// What an endpoint recognises a repeated request by: 16 random bytes, written as 32 hexadecimal digits. It stays the same over all attempts
/// and restarts; an edited request gets another one.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct IdempotencyKey(pub [u8; 16]);

impl fmt::Display for IdempotencyKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl Serialize for IdempotencyKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for IdempotencyKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<IdempotencyKey, D::Error> {
        let text = String::deserialize(deserializer)?;
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let is_key = text.len() == 32 && text.bytes().all(is_digit);
        let number = is_key.then(|| u128::from_str_radix(&text, 16).ok()).flatten();
        let number = number.ok_or_else(|| D::Error::custom("an idempotency key has 32 hexadecimal digits"))?;
        Ok(IdempotencyKey(number.to_be_bytes()))
    }
}

/// Which conversation is served first when several could be. The order inside a conversation does not depend on it.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// After all others.
    Low,
    /// The default.
    #[default]
    Normal,
    /// Before all others.
    High,
}

/// A request to be queued.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NewEntry {
    /// The store's number for it, different from all others.
    pub id: u64,
    /// The conversation that it belongs to.
    pub conversation: u64,
    /// Its priority.
    pub priority: Priority,
    /// Bytes that the store keeps for it.
    pub bytes: u64,
    /// For how many milliseconds an answer is of use. After that the request is not sent any more. `None` means for ever.
    pub deadline_ms: Option<u64>,
    /// What has to be there before it is sent.
    pub needs: Constraints,
    /// Random bytes.
    pub key: IdempotencyKey,
}

/// Why a request is stuck.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Stuck {
    /// It failed, and time does not help.
    Failed {
        /// The failure.
        failure: Failure,
    },
    /// The policy in force does not allow it anywhere.
    Denied,
    /// It failed too often after an endpoint may have worked on it, which may have cost money each time.
    MayCost {
        /// The last failure.
        failure: Failure,
    },
}

impl Stuck {
    /// What can help: [`Remedy::Settings`] or [`Remedy::User`].
    #[must_use]
    pub fn remedy(&self) -> Remedy {
        match self {
            Stuck::Failed { failure } => failure.remedy(),
            Stuck::Denied => Remedy::Settings,
            Stuck::MayCost { .. } => Remedy::User,
        }
    }
}

/// What ends a wait before its time.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum EndsEarly {
    Never,
    /// Another network.
    Network,
    /// Any condition that was not met and now is.
    Conditions,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum State {
    /// May be sent as soon as it is the first of its conversation and its constraints are met.
    Waiting,
    /// Like `Waiting`, after a wait.
    Later {
        wait: Span,
        /// The wait is never shorter, whatever ends it.
        least_ms: u64,
        ends_early: EndsEarly,
    },
    NeedsConfirmation,
    /// An attempt of this process has it until the lease is over.
    Leased {
        session: u64,
        lease: Span,
    },
    Stuck {
        why: Stuck,
    },
}

/// One queued request. The store keeps [`Entry::encode`] of it as a row.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    version: u32,
    pub(super) id: u64,
    pub(super) conversation: u64,
    /// Rises inside the conversation.
    pub(super) order: u64,
    pub(super) priority: Priority,
    pub(super) bytes: u64,
    pub(super) created_ms: u64,
    /// Since it was queued, or edited.
    pub(super) age: Age,
    pub(super) deadline_ms: Option<u64>,
    pub(super) key: IdempotencyKey,
    pub(super) needs: Constraints,
    pub(super) is_confirmed: bool,
    /// The number of the last lease. Reports with another number are out of date.
    pub(super) lease: u64,
    pub(super) attempts: u32,
    /// Attempts that ended because the process did.
    pub(super) interruptions: u32,
    /// Failures in a row, for the backoff.
    pub(super) failures: u32,
    /// Failures that may have cost money.
    pub(super) paid_failures: u32,
    pub(super) last_failure: Option<Failure>,
    pub(super) state: State,
    #[serde(skip)]
    pub(super) decided: Option<Decided>,
}

/// Why a row cannot be read.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum EntryError {
    /// A newer program wrote it.
    #[error("the queued request has version {found}; this program reads version {ENTRY_VERSION}")]
    Version {
        /// Its version.
        found: u32,
    },
    /// It is damaged.
    #[error("the queued request is malformed at byte {at} of its line")]
    Malformed {
        /// Where reading stopped.
        at: u64,
    },
}

impl Entry {
    pub(super) fn new(new: NewEntry, order: u64, now: Moment) -> Entry {
        Entry {
            version: ENTRY_VERSION,
            id: new.id,
            conversation: new.conversation,
            order,
            priority: new.priority,
            bytes: new.bytes,
            created_ms: now.wall_ms,
            age: Age::new(now),
            deadline_ms: new.deadline_ms,
            key: new.key,
            needs: new.needs,
            is_confirmed: false,
            lease: 0,
            attempts: 0,
            interruptions: 0,
            failures: 0,
            paid_failures: 0,
            last_failure: None,
            state: State::Waiting,
            decided: None,
        }
    }

    /// The row, as JSON in one line.
    ///
    /// # Panics
    /// Never: an entry holds only numbers and fixed words.
    #[must_use]
    pub fn encode(&self) -> String {
        serde_json::to_string(self).expect("numbers and words can be written as JSON")
    }

    /// Reads a row.
    ///
    /// # Errors
    /// Another version, or a row that is not an entry. The error holds nothing of the row.
    pub fn decode(row: &str) -> Result<Entry, EntryError> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        let malformed = |error: serde_json::Error| EntryError::Malformed {
            at: error.column() as u64,
        };
        let found = serde_json::from_str::<Versioned>(row).map_err(malformed)?.version;
        match found {
            ENTRY_VERSION => serde_json::from_str(row).map_err(malformed),
            _ => Err(EntryError::Version { found }),
        }
    }

    /// Its number.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The conversation that it belongs to.
    #[must_use]
    pub fn conversation(&self) -> u64 {
        self.conversation
    }

    /// Its place among the requests of its conversation: later ones have higher numbers.
    #[must_use]
    pub fn order(&self) -> u64 {
        self.order
    }

    /// Its priority.
    #[must_use]
    pub fn priority(&self) -> Priority {
        self.priority
    }

    /// Bytes that the store keeps for it.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// When it was queued, as the device's clock had it: milliseconds since 1970.
    #[must_use]
    pub fn created_ms(&self) -> u64 {
        self.created_ms
    }

    /// How long ago it was queued, or edited, in milliseconds.
    #[must_use]
    pub fn age_ms(&self, now: Moment) -> u64 {
        self.age.ms(now)
    }

    /// For how many milliseconds after it was queued or edited an answer is of use.
    #[must_use]
    pub fn deadline_ms(&self) -> Option<u64> {
        self.deadline_ms
    }

    /// What the endpoint recognises it by.
    #[must_use]
    pub fn key(&self) -> IdempotencyKey {
        self.key
    }

    /// What has to be there before it is sent.
    #[must_use]
    pub fn needs(&self) -> Constraints {
        self.needs
    }

    /// How many attempts were begun, the one in progress included.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// How many attempts ended because the process did.
    #[must_use]
    pub fn interruptions(&self) -> u32 {
        self.interruptions
    }

    /// How the last attempt failed.
    #[must_use]
    pub fn last_failure(&self) -> Option<Failure> {
        self.last_failure
    }

    /// Whether an attempt has it.
    #[must_use]
    pub fn is_leased(&self) -> bool {
        matches!(self.state, State::Leased { .. })
    }

    /// Milliseconds until it is retried; `None` if it does not wait for a time.
    #[must_use]
    pub fn wait_left_ms(&self, now: Moment) -> Option<u64> {
        match self.state {
            State::Later { wait, .. } => Some(wait.left_ms(now)).filter(|left| *left > 0),
            _ => None,
        }
    }

    /// Whether it waits for no time.
    pub(super) fn is_due(&self, now: Moment) -> bool {
        match self.state {
            State::Waiting => true,
            State::Later { wait, .. } => wait.left_ms(now) == 0,
            _ => false,
        }
    }

    /// Whether an answer is of no use any more.
    pub(super) fn is_expired(&self, now: Moment) -> bool {
        let is_late = |deadline_ms| self.age.ms(now) >= deadline_ms;
        !self.is_leased() && self.deadline_ms.is_some_and(is_late)
    }

    /// Whether those behind it wait for the user or a setting.
    pub(super) fn blocks(&self) -> bool {
        matches!(self.state, State::Stuck { .. } | State::NeedsConfirmation)
    }

    /// Forgets earlier failures and makes it due.
    pub(super) fn start_over(&mut self) {
        self.failures = 0;
        self.paid_failures = 0;
        self.needs = Constraints::default();
        self.state = State::Waiting;
    }

    /// Measures from now on, if the device was started again or its clock was set. Returns whether anything changed.
    pub(super) fn settle(&mut self, now: Moment) -> bool {
        let of_span = match &mut self.state {
            State::Later { wait: span, .. } | State::Leased { lease: span, .. } => span.settle(now),
            _ => false,
        };
        self.age.settle(now) | of_span
    }
}

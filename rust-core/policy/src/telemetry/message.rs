//! What happens to a sender, and what it wants done.

use serde::Serialize;

use super::consent::{Consent, Signals, TelemetryRules};
use crate::Network;

/// What happened. Sequence numbers are those of the ledger's entries that close a receipt.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The user has agreed. Nothing of a request that has begun before is ever sent. The same consent once more changes nothing; another one
    /// replaces the previous one, and what waited under that is not sent.
    Consented {
        /// What to.
        consent: Consent,
        /// The ledger's last entry, of any kind.
        begin_after: u64,
    },
    /// The user has withdrawn the consent.
    Withdrawn,
    /// The policies were replaced. Of the requests that began while they did not allow it, nothing is ever sent.
    RulesChanged {
        /// What [`PolicySet::telemetry`](crate::PolicySet::telemetry) gives now.
        rules: Option<TelemetryRules>,
        /// The ledger's last entry, of any kind.
        newest: u64,
    },
    /// The app has changed how the collector is reached, or its key: what it has refused may be asked again at once.
    CollectorChanged,
    /// The device's network, as far as it is known. An unknown one counts as metered.
    Conditions {
        /// The network.
        network: Option<Network>,
    },
    /// The app or the system gives time to send.
    Asked {
        /// The newest entry that closes a request.
        newest: u64,
        /// For a flush, when the app goes to the background: for how many milliseconds the app may still run. A flush need not wait for the
        /// interval. `None` for a regular run.
        within_ms: Option<u64>,
    },
    /// What [`Command::Send`] asked for is ready, and nothing of it has left the device. The answer is [`Command::Go`], or it is not sent.
    Sending {
        /// The number of the attempt.
        attempt: u64,
        /// The most that will leave the device, headers included.
        bytes: u64,
    },
    /// Instead of [`Event::Sending`]: nothing is sent, because nothing was there that can be, or nothing that fits.
    Skipped {
        /// The number of the attempt.
        attempt: u64,
        /// The last receipt that can never be sent; the `spans_after` of the command if there is none.
        through: u64,
    },
    /// An attempt after [`Command::Go`] is over, well or not, stopped or not.
    Ended {
        /// The number of the attempt.
        attempt: u64,
        /// What has left the device, headers included.
        bytes: u64,
        /// What the receiver made of the sums; `None` if they were not sent.
        metrics: Option<Reply>,
        /// What the receiver made of the spans; `None` if they were not sent.
        traces: Option<Reply>,
    },
}

/// What came of one signal.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reply {
    /// The receiver has taken it.
    Accepted {
        /// How many of its items the receiver has left out. They are not retried.
        rejected: u64,
        /// The last receipt that is in it.
        through: u64,
    },
    /// It has not arrived.
    Failed(Failure),
}

/// Why a signal has not arrived.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Failure {
    /// Time may help: no connection, a timeout, 429, 502, 503, 504.
    Retryable {
        /// How long the receiver asks not to be contacted (`Retry-After`), in milliseconds.
        after_ms: Option<u64>,
    },
    /// The receiver refuses it: any other status.
    Permanent {
        /// The status. After 413 less is sent at a time.
        code: u16,
    },
}

/// What is to be done. With [`Sender::record`](super::Sender::record) on the disk before it is done.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Command {
    /// Make the data ready, and report [`Event::Sending`] or [`Event::Skipped`].
    Send(Batch),
    /// Send it now, over one connection, and report [`Event::Ended`].
    Go {
        /// The number of the attempt.
        attempt: u64,
    },
    /// Stop this attempt at once, and report [`Event::Ended`].
    Stop {
        /// The number of the attempt.
        attempt: u64,
    },
    /// Report [`Event::Asked`] at this time. It takes the place of all earlier ones; after a step without one there is no time to wait for.
    WakeAt {
        /// On the clock of [`Sender::step`](super::Sender::step).
        at_ms: u64,
    },
    /// Nothing can be sent now.
    Nothing {
        /// Why.
        because: Why,
    },
}

/// What may be sent in one attempt.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Batch {
    /// The number of the attempt, for the reports.
    pub attempt: u64,
    /// What to send.
    pub signals: Signals,
    /// Only spans of receipts that were closed behind this entry, the oldest first, …
    pub spans_after: u64,
    /// … and opened behind this one.
    pub spans_begin: u64,
    /// Spans of at most so many receipts.
    pub spans_max: u32,
    /// The sums are those of the receipts that were opened behind this entry.
    pub sums_after: u64,
    /// Since when the sums are counted, in milliseconds since 1970.
    pub sums_since_ms: u64,
    /// At most so many bytes, headers included.
    pub bytes_max: u64,
    /// For how many milliseconds the attempt may last.
    pub within_ms: u64,
}

/// Why nothing can be sent now.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// The policies have no rules about it, or allow no signal.
    NotConfigured,
    /// The user has not agreed, or to something else.
    NoConsent,
    /// An attempt is in progress.
    InProgress,
    /// Everything that there is was sent.
    NothingNew,
    /// The receiver has refused it; it is offered again a day later.
    Refused,
    /// There is no network.
    NoNetwork,
    /// The network is metered, or unknown, and the rules do not allow that.
    Metered,
    /// An attempt has failed not long ago, or the receiver has asked not to be contacted.
    Backoff,
    /// The connections of the day are used up.
    BudgetConnections,
    /// The bytes of the day are used up.
    BudgetBytes,
    /// The last attempt was not long ago.
    Interval,
    /// The app may not run for long enough.
    Deadline,
}

impl Why {
    /// Every reason.
    pub const ALL: [Why; 12] = [
        Why::NotConfigured,
        Why::NoConsent,
        Why::InProgress,
        Why::NothingNew,
        Why::Refused,
        Why::NoNetwork,
        Why::Metered,
        Why::Backoff,
        Why::BudgetConnections,
        Why::BudgetBytes,
        Why::Interval,
        Why::Deadline,
    ];

    /// The reason in words, for a sentence that begins with it.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Why::NotConfigured => "the policies have no place for telemetry, or allow none of it",
            Why::NoConsent => "nobody has agreed to it",
            Why::InProgress => "another attempt is in progress",
            Why::NothingNew => "there is nothing new",
            Why::Refused => "the collector has refused it, and is asked again a day later",
            Why::NoNetwork => "there is no network",
            Why::Metered => "the network is metered or unknown",
            Why::Backoff => "the last attempt failed not long ago",
            Why::BudgetConnections => "the connections of the day are used up",
            Why::BudgetBytes => "the bytes of the day are used up",
            Why::Interval => "the last time was not long ago",
            Why::Deadline => "there is not enough time",
        }
    }

    /// The name in JSON and logs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Why::NotConfigured => "not_configured",
            Why::NoConsent => "no_consent",
            Why::InProgress => "in_progress",
            Why::NothingNew => "nothing_new",
            Why::Refused => "refused",
            Why::NoNetwork => "no_network",
            Why::Metered => "metered",
            Why::Backoff => "backoff",
            Why::BudgetConnections => "budget_connections",
            Why::BudgetBytes => "budget_bytes",
            Why::Interval => "interval",
            Why::Deadline => "deadline",
        }
    }
}

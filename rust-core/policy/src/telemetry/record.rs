//! What the store keeps of a sender. There is no text in it but the URL and the service of the consent.

use serde::{Deserialize, Serialize};

use super::SPANS_PER_SEND_MAX;
use super::consent::{Consent, Signals, TelemetryRules};
use super::waits::{Passed, Wait};
use crate::spending::days::{Amount, Days};

/// Version of the record that [`SenderRecord::encode`] writes.
pub const SENDER_VERSION: u32 = 1;

/// What was sent in a day, reservations included.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SentToday {
    /// Bytes, headers included.
    pub bytes: u64,
    /// Connections.
    pub connections: u32,
}

impl Amount for SentToday {
    fn plus(self, other: SentToday) -> SentToday {
        SentToday {
            bytes: self.bytes.saturating_add(other.bytes),
            connections: self.connections.saturating_add(other.connections),
        }
    }

    fn minus(self, other: SentToday) -> SentToday {
        SentToday {
            bytes: self.bytes.saturating_sub(other.bytes),
            connections: self.connections.saturating_sub(other.connections),
        }
    }
}

/// What survives the process. The default is that of an app that has never asked for consent.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SenderRecord {
    version: u32,
    /// Attempts so far.
    pub(super) attempts: u64,
    /// Whether one of them is in progress.
    pub(super) is_sending: bool,
    /// Since the last connection, or since there was nothing to send over one.
    pub(super) since_connection: Option<Passed>,
    /// The budget outlives the consent: to withdraw it and to give it again renews nothing.
    pub(super) days: Days<SentToday>,
    pub(super) given: Option<Given>,
}

/// A consent, and everything that ends with it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Given {
    pub(super) consent: Consent,
    /// What it covered under the last rules.
    pub(super) covered: Signals,
    /// Spans of requests that had begun when this entry was written are never sent.
    pub(super) spans_begin: u64,
    /// Spans up to this entry are done with.
    pub(super) spans_after: u64,
    /// How many receipts' spans are sent at a time.
    pub(super) spans_max: u32,
    /// Receipts whose spans were dropped.
    pub(super) dropped: u64,
    /// Items that the receiver has left out.
    pub(super) rejected: u64,
    /// The sums count the requests that began behind this entry.
    pub(super) sums_after: u64,
    pub(super) sums_since_ms: u64,
    /// The receiver has the sums up to this entry.
    pub(super) sums_through: u64,
    /// Failures in a row.
    pub(super) failures: u32,
    pub(super) backoff: Option<Wait>,
    pub(super) metrics_refused: Option<Refusal>,
    pub(super) traces_refused: Option<Refusal>,
}

/// The receiver has refused a signal.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Refusal {
    pub(super) code: u16,
    pub(super) wait: Wait,
}

/// Why a stored record cannot be used.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SenderRecordError {
    /// Another version of this library has written it.
    #[error("the record of what was sent has the unknown version {found}")]
    Version {
        /// Its version.
        found: u32,
    },
    /// It is not a record.
    #[error("the record of what was sent is damaged at byte {at}")]
    Malformed {
        /// The byte, from 1.
        at: u64,
    },
}

impl Default for SenderRecord {
    fn default() -> SenderRecord {
        SenderRecord {
            version: SENDER_VERSION,
            attempts: 0,
            is_sending: false,
            since_connection: None,
            days: Days::default(),
            given: None,
        }
    }
}

impl SenderRecord {
    /// The record, as JSON in one line.
    ///
    /// # Panics
    /// Never: a record holds only numbers and two short texts.
    #[must_use]
    pub fn encode(&self) -> String {
        serde_json::to_string(self).expect("numbers and texts can be written as JSON")
    }

    /// Reads a record.
    ///
    /// # Errors
    /// Another version, or a text that is not a record. The error holds nothing of the text. Start without consent then: what was agreed to is not
    /// known any more.
    pub fn decode(text: &str) -> Result<SenderRecord, SenderRecordError> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        let malformed = |error: serde_json::Error| SenderRecordError::Malformed {
            at: error.column() as u64,
        };
        let found = serde_json::from_str::<Versioned>(text).map_err(malformed)?.version;
        match found {
            SENDER_VERSION => serde_json::from_str(text).map_err(malformed),
            _ => Err(SenderRecordError::Version { found }),
        }
    }

    /// If sums are sent: the entry behind which the requests began that they count, and since when they are counted, in milliseconds since 1970.
    #[must_use]
    pub fn sums(&self) -> Option<(u64, u64)> {
        let given = self.given.as_ref().filter(|given| given.covered.metrics)?;
        Some((given.sums_after, given.sums_since_ms))
    }

    /// The consent in force, whatever the policies say.
    #[must_use]
    pub fn consent(&self) -> Option<&Consent> {
        self.given.as_ref().map(|given| &given.consent)
    }

    pub(super) fn look(&mut self, now_ms: u64) {
        self.days.look(now_ms);
        if let Some(passed) = &mut self.since_connection {
            passed.look(now_ms);
        }
        if let Some(given) = &mut self.given {
            given.look(now_ms);
        }
    }
}

impl Given {
    pub(super) fn new(consent: Consent, rules: Option<&TelemetryRules>, begin_after: u64, now_ms: u64) -> Given {
        Given {
            covered: rules.map_or(Signals::NONE, |rules| consent.covers(rules)),
            consent,
            spans_begin: begin_after,
            spans_after: begin_after,
            spans_max: SPANS_PER_SEND_MAX,
            dropped: 0,
            rejected: 0,
            sums_after: begin_after,
            sums_since_ms: now_ms,
            sums_through: begin_after,
            failures: 0,
            backoff: None,
            metrics_refused: None,
            traces_refused: None,
        }
    }

    /// A signal that the rules did not allow for a while begins again behind what happened in the meantime.
    pub(super) fn apply(&mut self, rules: Option<&TelemetryRules>, newest: u64, now_ms: u64) {
        let covered = rules.map_or(Signals::NONE, |rules| self.consent.covers(rules));
        if covered.traces && !self.covered.traces {
            self.spans_begin = self.spans_begin.max(newest);
            self.spans_after = self.spans_after.max(newest);
        }
        if covered.metrics && !self.covered.metrics {
            self.sums_after = self.sums_after.max(newest);
            self.sums_through = self.sums_after;
            self.sums_since_ms = now_ms;
        }
        self.covered = covered;
    }

    /// The signals that may be sent and have something that the receiver does not have.
    pub(super) fn wanted(&self, newest: u64) -> Signals {
        self.covered.and(Signals {
            metrics: newest > self.sums_through,
            traces: newest > self.spans_after,
        })
    }

    /// The signals that the receiver does not refuse.
    pub(super) fn open(&self, now_ms: u64) -> Signals {
        let is_open = |refusal: Option<Refusal>| refusal.is_none_or(|refusal| refusal.wait.left_ms(now_ms) == 0);
        Signals {
            metrics: is_open(self.metrics_refused),
            traces: is_open(self.traces_refused),
        }
    }

    /// Until one of these signals is no longer refused.
    pub(super) fn refused_left_ms(&self, signals: Signals, now_ms: u64) -> u64 {
        let left = |is_in: bool, refusal: Option<Refusal>| {
            is_in.then(|| refusal.map_or(0, |refusal| refusal.wait.left_ms(now_ms)))
        };
        let metrics = left(signals.metrics, self.metrics_refused);
        let traces = left(signals.traces, self.traces_refused);
        metrics.into_iter().chain(traces).min().unwrap_or(0)
    }

    pub(super) fn backoff_left_ms(&self, now_ms: u64) -> u64 {
        self.backoff.map_or(0, |wait| wait.left_ms(now_ms))
    }

    fn look(&mut self, now_ms: u64) {
        if let Some(wait) = &mut self.backoff {
            wait.look(now_ms);
        }
        for refusal in [&mut self.metrics_refused, &mut self.traces_refused]
            .into_iter()
            .flatten()
        {
            refusal.wait.look(now_ms);
        }
    }
}

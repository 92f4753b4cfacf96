//! What feedback taught about candidates: for each task and candidate a Beta distribution of the reward, whose weight decays with time. It
//! orders the candidates that the rules allow, and never allows one itself.

mod beta;
mod snapshot;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use whimbrel_record::Signal;

use self::beta::{draw_beta, generator};
pub use self::snapshot::{LearnedError, LearnedRecord, LearnedSnapshot};
use crate::limits::{LEARNED_ENTRIES_MAX, LEARNED_NAME_BYTES_MAX};
use crate::plan::{Candidate, Quality};
use crate::request::task_key;

/// The half-life of learned weights: thirty days.
pub const HALF_LIFE_MS: u64 = 30 * 24 * 3_600_000;
/// The maximum evidence of one entry. Evidence above it is dropped at once, so that changes are noticed.
pub const EVIDENCE_MAX: f64 = 300.0;

/// Whether learning is active.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LearningMode {
    /// Learns from feedback. The order is drawn at random, so that candidates whose quality is uncertain are tried now and then.
    #[default]
    On,
    /// Learns nothing more. The order follows the means.
    Frozen,
    /// Learns nothing, and the order is that of the policy. Keeps everything that was learned.
    Off,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Entry {
    successes: f64,
    failures: f64,
    at_ms: u64,
}

impl Entry {
    /// The entry as it counts at `now_ms`.
    fn faded(self, now_ms: u64) -> Entry {
        let age = now_ms.saturating_sub(self.at_ms) as f64;
        let factor = (-age / HALF_LIFE_MS as f64).exp2();
        Entry {
            successes: self.successes * factor,
            failures: self.failures * factor,
            at_ms: self.at_ms.max(now_ms),
        }
    }

    fn evidence(self) -> f64 {
        self.successes + self.failures
    }

    /// Mean of the Beta distribution whose prior is uniform.
    fn mean(self) -> f64 {
        (self.successes + 1.0) / (self.evidence() + 2.0)
    }
}

/// What was learned.
///
/// ```
/// use whimbrel_policy::{Learned, LearningMode};
/// use whimbrel_record::Signal;
///
/// let now_ms = 1_795_420_800_000;
/// let mut learned = Learned::new(LearningMode::On);
/// learned.record("chat", "remote:house", Signal::ThumbsUp, now_ms);
/// let quality = learned.quality("request-1", "chat", "remote:house", now_ms).unwrap();
/// assert!(quality.mean > 0.5);
/// assert_eq!(Learned::restore(&learned.snapshot()), Ok(learned));
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Learned {
    mode: LearningMode,
    /// By task and the candidate's name.
    entries: BTreeMap<(String, String), Entry>,
}

impl Learned {
    /// Nothing learned yet.
    #[must_use]
    pub fn new(mode: LearningMode) -> Self {
        let entries = BTreeMap::new();
        Self { mode, entries }
    }

    /// Whether learning is active.
    #[must_use]
    pub fn mode(&self) -> LearningMode {
        self.mode
    }

    /// Changes the mode, and keeps everything that was learned.
    pub fn set_mode(&mut self, mode: LearningMode) {
        self.mode = mode;
    }

    /// Deletes everything that was learned.
    pub fn reset(&mut self) {
        self.entries.clear();
    }

    /// Learns from a signal about a candidate's answer ([`Candidate::name`]). It has no effect if learning is off or frozen, or if a name
    /// is longer than [`LEARNED_NAME_BYTES_MAX`].
    ///
    /// `now_ms` is Unix time in milliseconds. If there is no room for a new entry, the least recently changed one is removed.
    pub fn record(&mut self, task: &str, candidate: &str, signal: Signal, now_ms: u64) {
        let is_too_long = |name: &str| name.len() as u64 > LEARNED_NAME_BYTES_MAX;
        if self.mode != LearningMode::On || is_too_long(task) || is_too_long(candidate) {
            return;
        }
        let key = (task_key(task), candidate.to_owned());
        if !self.entries.contains_key(&key) && self.entries.len() as u64 >= LEARNED_ENTRIES_MAX {
            let oldest = self.entries.iter().min_by_key(|(_, entry)| entry.at_ms);
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                self.entries.remove(&oldest);
            }
        }
        let nothing = Entry {
            successes: 0.0,
            failures: 0.0,
            at_ms: now_ms,
        };
        let entry = self.entries.entry(key).or_insert(nothing);
        let (weight, reward) = weight_and_reward(signal);
        *entry = entry.faded(now_ms);
        entry.successes += weight * reward;
        entry.failures += weight * (1.0 - reward);
        let excess = (entry.evidence() / EVIDENCE_MAX).max(1.0);
        entry.successes /= excess;
        entry.failures /= excess;
    }

    /// The learned quality of a candidate, with a random draw that is determined by the request's id. `None` if learning is off.
    #[must_use]
    pub fn quality(&self, request_id: &str, task: &str, candidate: &str, now_ms: u64) -> Option<Quality> {
        if self.mode == LearningMode::Off {
            return None;
        }
        let key = (task_key(task), candidate.to_owned());
        let entry = self.entries.get(&key).map(|entry| entry.faded(now_ms));
        let (successes, failures) = entry.map_or((0.0, 0.0), |entry| (entry.successes, entry.failures));
        let mean = entry.map_or(0.5, Entry::mean);
        let drawn = match self.mode {
            LearningMode::On => {
                let mut generator = generator(request_id, candidate);
                draw_beta(&mut generator, successes + 1.0, failures + 1.0)
            }
            _ => mean,
        };
        Some(Quality {
            mean,
            drawn,
            evidence: successes + failures,
        })
    }

    /// Puts candidates in order, the best draw first; equal ones stay as they are.
    pub(crate) fn arrange(&self, candidates: &mut [Candidate], request_id: &str, task: &str, now_ms: u64) {
        for candidate in candidates.iter_mut() {
            candidate.quality = self.quality(request_id, task, &candidate.name(), now_ms);
        }
        let drawn = |candidate: &Candidate| candidate.quality.map_or(0.0, |quality| quality.drawn);
        candidates.sort_by(|one, other| drawn(other).total_cmp(&drawn(one)));
    }
}

/// What a signal weighs, and the reward from 0 to 1. Clear words weigh most; an abort can have many reasons.
fn weight_and_reward(signal: Signal) -> (f64, f64) {
    match signal {
        Signal::ThumbsUp => (1.0, 1.0),
        Signal::ThumbsDown | Signal::SchemaFailed => (1.0, 0.0),
        Signal::Regenerated | Signal::EscalationAccepted => (0.7, 0.0),
        Signal::Aborted => (0.3, 0.0),
        // The part that was kept.
        Signal::Kept { edited_permille } => (0.8, 1.0 - f64::from(edited_permille.min(1000)) / 1e3),
    }
}

//! What feedback taught about candidates: for each task and candidate a Beta distribution of the reward, which fades with time. It puts in order what
//! the rules allow, and allows nothing itself.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::beta::{draw_beta, generator};
use crate::limits::{LEARNED_ENTRIES_MAX, LEARNED_NAME_BYTES_MAX};
use crate::plan::{Candidate, Quality};

/// Version of [`LearnedSnapshot`].
const SNAPSHOT_VERSION: u32 = 1;
/// Time in which the weight of what was learned halves: thirty days.
pub const HALF_LIFE_MS: u64 = 30 * 24 * 3_600_000;
/// The most evidence that one entry holds; what is above it fades at once, so that a change is noticed.
pub const EVIDENCE_MAX: f64 = 300.0;

/// What a person or a check made of an answer.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Feedback {
    /// A thumb up.
    ThumbsUp,
    /// A thumb down.
    ThumbsDown,
    /// The user asked for another answer.
    Regenerated,
    /// The user stopped the answer.
    Aborted,
    /// The user kept this part of the text, 0 to 1: one less the edit distance in relation to the length.
    Kept {
        /// The part.
        ratio: f32,
    },
    /// The answer did not follow the schema that was asked for.
    FailedSchema,
    /// The user took up the offer to ask elsewhere.
    EscalationAccepted,
}

impl Feedback {
    /// What it weighs, and the reward from 0 to 1. Clear words weigh most; an abort can have many reasons.
    #[must_use]
    pub fn weight_and_reward(self) -> (f64, f64) {
        match self {
            Feedback::ThumbsUp => (1.0, 1.0),
            Feedback::ThumbsDown | Feedback::FailedSchema => (1.0, 0.0),
            Feedback::Regenerated | Feedback::EscalationAccepted => (0.7, 0.0),
            Feedback::Aborted => (0.3, 0.0),
            Feedback::Kept { ratio } if ratio.is_nan() => (0.0, 0.0),
            Feedback::Kept { ratio } => (0.8, f64::from(ratio.clamp(0.0, 1.0))),
        }
    }
}

/// Whether anything is learned and used.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LearningMode {
    /// Feedback is learned from, and the order is drawn: what is uncertain is tried now and then.
    #[default]
    On,
    /// Nothing more is learned, and the order is that of the means.
    Frozen,
    /// Nothing is learned, and the order is that of the policy. What was learned is kept.
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

    /// Whether anything is learned and used.
    #[must_use]
    pub fn mode(&self) -> LearningMode {
        self.mode
    }

    /// Changes it; what was learned is kept.
    pub fn set_mode(&mut self, mode: LearningMode) {
        self.mode = mode;
    }

    /// Forgets everything.
    pub fn reset(&mut self) {
        self.entries.clear();
    }

    /// Learns from feedback about a candidate's answer ([`Candidate::name`]). Nothing happens when learning is off or frozen, or when a
    /// name is longer than [`LEARNED_NAME_BYTES_MAX`].
    ///
    /// `now_ms` is Unix time in milliseconds. When there is no room for a new entry, the one that has not changed for longest goes.
    pub fn record(&mut self, task: &str, candidate: &str, feedback: Feedback, now_ms: u64) {
        let is_too_long = |name: &str| name.len() as u64 > LEARNED_NAME_BYTES_MAX;
        if self.mode != LearningMode::On || is_too_long(task) || is_too_long(candidate) {
            return;
        }
        let key = (task.to_owned(), candidate.to_owned());
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
        let (weight, reward) = feedback.weight_and_reward();
        *entry = entry.faded(now_ms);
        entry.successes += weight * reward;
        entry.failures += weight * (1.0 - reward);
        let excess = (entry.evidence() / EVIDENCE_MAX).max(1.0);
        entry.successes /= excess;
        entry.failures /= excess;
    }

    /// What is known about a candidate, with a draw that follows from the request's id. `None` when learning is off.
    #[must_use]
    pub fn quality(&self, request_id: &str, task: &str, candidate: &str, now_ms: u64) -> Option<Quality> {
        if self.mode == LearningMode::Off {
            return None;
        }
        let key = (task.to_owned(), candidate.to_owned());
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

    /// Everything, to be kept.
    #[must_use]
    pub fn snapshot(&self) -> LearnedSnapshot {
        let record = |((task, candidate), entry): (&(String, String), &Entry)| LearnedRecord {
            task: task.clone(),
            candidate: candidate.clone(),
            successes: entry.successes,
            failures: entry.failures,
            at_ms: entry.at_ms,
        };
        LearnedSnapshot {
            version: SNAPSHOT_VERSION,
            mode: self.mode,
            entries: self.entries.iter().map(record).collect(),
        }
    }

    /// What was kept.
    ///
    /// # Errors
    /// Another version, more than [`LEARNED_ENTRIES_MAX`] entries, one entry twice, a name that is too long, or a number that no
    /// feedback leads to.
    pub fn restore(snapshot: &LearnedSnapshot) -> Result<Self, LearnedError> {
        if snapshot.version != SNAPSHOT_VERSION {
            let found = snapshot.version;
            return Err(LearnedError::Version { found });
        }
        let found = snapshot.entries.len() as u64;
        if found > LEARNED_ENTRIES_MAX {
            return Err(LearnedError::TooManyEntries { found });
        }
        let mut learned = Self::new(snapshot.mode);
        for (index, record) in snapshot.entries.iter().enumerate() {
            let is_invalid = |number: f64| !(0.0..=EVIDENCE_MAX * 1.001).contains(&number);
            let names = [&record.task, &record.candidate];
            let entry = Entry {
                successes: record.successes,
                failures: record.failures,
                at_ms: record.at_ms,
            };
            let is_new = learned
                .entries
                .insert((record.task.clone(), record.candidate.clone()), entry)
                .is_none();
            if !is_new
                || names.iter().any(|name| name.len() as u64 > LEARNED_NAME_BYTES_MAX)
                || is_invalid(record.successes)
                || is_invalid(record.failures)
                || is_invalid(entry.evidence())
            {
                let index = index as u64;
                return Err(LearnedError::InvalidEntry { index });
            }
        }
        Ok(learned)
    }
}

/// What was learned, to be kept. It holds names of tasks and candidates, and no text.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct LearnedSnapshot {
    /// Version of this record.
    pub version: u32,
    /// Whether anything is learned and used.
    pub mode: LearningMode,
    /// One for each task and candidate, in the order of their names.
    pub entries: Vec<LearnedRecord>,
}

/// What was learned about one candidate for one task.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct LearnedRecord {
    /// The task.
    pub task: String,
    /// The candidate's name.
    pub candidate: String,
    /// Weight of good feedback at `at_ms`.
    pub successes: f64,
    /// Weight of bad feedback at `at_ms`.
    pub failures: f64,
    /// When it last changed, Unix time in milliseconds.
    pub at_ms: u64,
}

/// Why a snapshot was not taken.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum LearnedError {
    /// Another version.
    #[error("version {found} of what was learned; this program reads {SNAPSHOT_VERSION}")]
    Version {
        /// Its version.
        found: u32,
    },
    /// Too many entries.
    #[error("{found} entries of what was learned; at most {LEARNED_ENTRIES_MAX}")]
    TooManyEntries {
        /// How many.
        found: u64,
    },
    /// An entry that is there twice, or that holds what no feedback leads to.
    #[error("entry {index} of what was learned is invalid")]
    InvalidEntry {
        /// Which, from 0.
        index: u64,
    },
}

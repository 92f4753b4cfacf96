//! What all requests took, as far as it was counted: a fold over the ledger's receipts in their order.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use whimbrel_record::{Closing, Code, Feedback, Intent, Label, Place};

use crate::series::{NAMED_MAX, add};
use crate::{DAYS_MAX, Day, Ended, ExpectedSpeed, Regression, Series, SeriesKey, Stage, WATCHES_MAX, Watch, WatchKey};

/// The version of the stored form.
const FORMAT: u32 = 1;
const DAY_MS: i64 = 24 * 3_600_000;
const HALF_DAY_MS: u64 = 12 * 3_600_000;
/// A battery that was not looked at for longer has been charged or replaced meanwhile, for all we know.
const BATTERY_GAP_MS_MAX: u64 = 6 * 3_600_000;
/// Different methods of estimating energy at most; further ones are not counted.
const METHODS_MAX: usize = 8;

/// Why a stored meter cannot be used. It is then made again from the ledger.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum MeterError {
    /// It is not what a meter writes.
    #[error("the stored figures cannot be read: {reason}")]
    Malformed {
        /// What is wrong.
        reason: String,
    },
    /// It is of a newer program.
    #[error("the stored figures have format {found}, this program reads format {FORMAT}")]
    Newer {
        /// Its version.
        found: u32,
    },
}

/// See the module.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Meter {
    /// When counting began, in milliseconds since 1970.
    begins_ms: u64,
    /// The ledger's entry up to which receipts are counted.
    through: u64,
    /// When the last of them ended.
    through_ms: u64,
    /// The number of the last signal of feedback that is counted.
    feedback_through: u64,
    series: BTreeMap<SeriesKey, Series>,
    /// Codes of requests that failed.
    codes: BTreeMap<Code, u64>,
    /// Millijoules by the method of estimating them.
    energy: BTreeMap<Label, u64>,
    /// Oldest first.
    days: Vec<Day>,
    battery: Option<Battery>,
    /// Boxed, as a map's nodes have room for more than there are.
    watches: BTreeMap<WatchKey, Box<Watched>>,
    /// How often processes were ended in the middle of a request, by its stage.
    endings: BTreeMap<Stage, Endings>,
}

/// How often processes were ended in a stage of a request.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Endings {
    /// How often.
    pub times: u64,
    /// How often the request had been stuck before.
    pub stuck: u64,
}

/// A variant that is watched.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
struct Watched {
    /// The ledger's entry of the last request that was tried with it. The clock may be set back, the ledger cannot.
    used: u64,
    watch: Watch,
}

/// The battery when it was looked at last.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
struct Battery {
    percent: u8,
    at_ms: u64,
}

impl Meter {
    /// A meter that has counted nothing, and counts what the ledger has behind the entry `through`. `begins_ms` is the time, in milliseconds
    /// since 1970.
    #[must_use]
    pub fn new(begins_ms: u64, through: u64) -> Meter {
        Meter {
            begins_ms,
            through,
            through_ms: begins_ms,
            feedback_through: 0,
            series: BTreeMap::new(),
            codes: BTreeMap::new(),
            energy: BTreeMap::new(),
            days: Vec::new(),
            battery: None,
            watches: BTreeMap::new(),
            endings: BTreeMap::new(),
        }
    }

    /// Counts what was going on when an earlier process was ended. The caller counts each once.
    pub fn count_endings(&mut self, endings: &[Ended]) {
        for ended in endings {
            let sum = self.endings.entry(ended.stage).or_default();
            add(&mut sum.times, 1);
            add(&mut sum.stuck, ended.is_stuck.into());
        }
    }

    /// How often processes were ended in the middle of a request, by its stage.
    #[must_use]
    pub fn endings(&self) -> &BTreeMap<Stage, Endings> {
        &self.endings
    }

    /// Counts the receipt that the ledger's entry `sequence` has closed. One that is counted already is left out. `closed_ms` is when it was closed,
    /// `utc_offset_s` how far local time was ahead of universal time then.
    pub fn count(&mut self, sequence: u64, closed_ms: u64, utc_offset_s: i32, intent: &Intent, closing: &Closing) {
        if sequence <= self.through {
            return;
        }
        self.through = sequence;
        self.through_ms = closed_ms;
        let mut key = SeriesKey::of(intent, closing);
        if !self.series.contains_key(&key) && named(self.series.keys()) >= NAMED_MAX as usize {
            key = SeriesKey::other(key.place);
        }
        self.series.entry(key).or_default().count(closing);
        if let Some(code) = closing.code() {
            add(self.codes.entry(code).or_default(), 1);
        }
        if let Some(energy) = &closing.energy
            && (self.energy.contains_key(&energy.method) || self.energy.len() < METHODS_MAX)
        {
            let sum = self.energy.entry(energy.method.clone()).or_default();
            add(sum, energy.millijoules);
        }
        self.watch(sequence, closed_ms, closing);
        let lost = self.battery_lost(closed_ms, closing);
        let day = self.day(closed_ms, utc_offset_s);
        day.count(closing);
        if let Some((percent, ms)) = lost {
            day.battery_percent_lost = day.battery_percent_lost.saturating_add(percent);
            add(&mut day.battery_ms, ms);
        }
    }

    /// Counts a signal of feedback on what a place answered. One that is counted already is left out.
    pub fn count_feedback(&mut self, number: u64, place: Option<&Place>, feedback: Feedback) {
        if number <= self.feedback_through {
            return;
        }
        self.feedback_through = number;
        let key = place.and_then(WatchKey::of);
        if let Some(watched) = key.and_then(|key| self.watches.get_mut(&key)) {
            watched.watch.take_feedback(feedback.time_ms, feedback.signal.rejects());
        }
    }

    /// The number of the last signal of feedback that is counted.
    #[must_use]
    pub fn feedback_through(&self) -> u64 {
        self.feedback_through
    }

    /// Signals of feedback up to this number are not counted, and later ones are: the store gives numbers again when it has removed the last ones.
    pub fn set_feedback_through(&mut self, number: u64) {
        self.feedback_through = number;
    }

    /// Passes over what the ledger has up to this entry: it is counted, or has nothing to count.
    pub fn pass(&mut self, sequence: u64) {
        self.through = self.through.max(sequence);
    }

    /// Shows each attempt with a variant on this device to that variant's watch, also those after which another place answered.
    fn watch(&mut self, sequence: u64, closed_ms: u64, closing: &Closing) {
        if closing.answered_before.is_some() {
            return;
        }
        for attempt in &closing.attempts {
            let Some(key) = WatchKey::of(&attempt.place) else {
                continue;
            };
            if !self.watches.contains_key(&key) && self.watches.len() >= WATCHES_MAX as usize {
                let oldest = self.watches.iter().min_by_key(|(_, watched)| watched.used);
                if let Some((oldest, _)) = oldest {
                    self.watches.remove(&oldest.clone());
                }
            }
            let watched = self.watches.entry(key).or_default();
            watched.used = sequence;
            watched.watch.take(closed_ms, closing, attempt);
        }
    }

    /// The day of a time. The clock may have been set back: a day that is too old to be kept is the oldest one. Local time may have been set, too: a day
    /// that begins less than half a day from one that is there is that one.
    fn day(&mut self, at_ms: u64, utc_offset_s: i32) -> &mut Day {
        let offset_ms = i64::from(utc_offset_s) * 1_000;
        let local_ms = i64::try_from(at_ms).unwrap_or(i64::MAX).saturating_add(offset_ms);
        let number = local_ms.div_euclid(DAY_MS);
        let begins_ms = (number * DAY_MS).saturating_sub(offset_ms).max(0).cast_unsigned();
        let next = self.days.partition_point(|day| day.begins_ms < begins_ms);
        let is_near = |at: &usize| {
            let there = self.days.get(*at);
            there.is_some_and(|day| day.begins_ms.abs_diff(begins_ms) < HALF_DAY_MS)
        };
        let at = match [Some(next), next.checked_sub(1)].into_iter().flatten().find(is_near) {
            Some(at) => at,
            None => {
                self.days.reserve_exact(1);
                self.days.insert(next, Day::new(begins_ms));
                let surplus = self.days.len().saturating_sub(DAYS_MAX as usize);
                self.days.drain(..surplus);
                next.saturating_sub(surplus)
            }
        };
        &mut self.days[at]
    }

    /// How far the battery's charge fell since it was looked at last, and over how long.
    fn battery_lost(&mut self, now_ms: u64, closing: &Closing) -> Option<(u32, u64)> {
        let now = closing
            .measured
            .battery_percent
            .map(|percent| Battery { percent, at_ms: now_ms });
        let before = std::mem::replace(&mut self.battery, now)?;
        let now = now?;
        let passed_ms = now.at_ms.checked_sub(before.at_ms)?;
        let lost = before.percent.checked_sub(now.percent)?;
        (passed_ms <= BATTERY_GAP_MS_MAX).then_some((u32::from(lost), passed_ms))
    }

    /// When counting began, in milliseconds since 1970.
    #[must_use]
    pub fn begins_ms(&self) -> u64 {
        self.begins_ms
    }

    /// The ledger's entry up to which receipts are counted.
    #[must_use]
    pub fn through(&self) -> u64 {
        self.through
    }

    /// When the last receipt that is counted was closed, in milliseconds since 1970.
    #[must_use]
    pub fn through_ms(&self) -> u64 {
        self.through_ms
    }

    /// What the requests of each kind took.
    #[must_use]
    pub fn series(&self) -> &BTreeMap<SeriesKey, Series> {
        &self.series
    }

    /// How often requests failed with each code.
    #[must_use]
    pub fn codes(&self) -> &BTreeMap<Code, u64> {
        &self.codes
    }

    /// Millijoules by the method of estimating them.
    #[must_use]
    pub fn energy(&self) -> &BTreeMap<Label, u64> {
        &self.energy
    }

    /// The days with requests, oldest first, at most [`DAYS_MAX`].
    #[must_use]
    pub fn days(&self) -> &[Day] {
        &self.days
    }

    /// What has become slower or worse on this device.
    #[must_use]
    pub fn regressions(&self) -> Vec<Regression> {
        let found = self.watches.iter().map(|(key, watched)| watched.watch.regressions(key));
        found.flatten().collect()
    }

    /// How fast a variant on this device is since its last change; `None` if it is not watched, or has given no answer. `bundle` is the first eight
    /// digits of its bundle's hash.
    #[must_use]
    pub fn speed_of(&self, model: &Label, variant: &Label, bundle: &Label) -> Option<ExpectedSpeed> {
        let key = WatchKey {
            model: model.clone(),
            variant: variant.clone(),
            bundle: bundle.clone(),
        };
        self.watches.get(&key)?.watch.speed()
    }

    /// The stored form.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let stored = Stored {
            format: FORMAT,
            begins_ms: self.begins_ms,
            through: self.through,
            through_ms: self.through_ms,
            feedback_through: self.feedback_through,
            series: self.series.clone().into_iter().collect(),
            codes: self.codes.clone(),
            energy: self.energy.clone(),
            days: self.days.clone(),
            battery: self.battery,
            watches: self.watches.clone().into_iter().collect(),
            endings: self.endings.clone(),
        };
        serde_json::to_vec(&stored).expect("numbers and labels are JSON")
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// [`MeterError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Meter, MeterError> {
        let malformed = |reason: String| MeterError::Malformed { reason };
        let version: Version = serde_json::from_slice(bytes).map_err(|error| malformed(error.to_string()))?;
        if version.format > FORMAT {
            return Err(MeterError::Newer { found: version.format });
        }
        if version.format < FORMAT {
            return Err(malformed(format!("there is no format {}", version.format)));
        }
        let stored: Stored = serde_json::from_slice(bytes).map_err(|error| malformed(error.to_string()))?;
        let is_ordered = stored.days.is_sorted_by(|one, next| one.begins_ms < next.begins_ms);
        let limits = [
            (named(stored.series.iter().map(|(key, _)| key)), NAMED_MAX as usize),
            (stored.energy.len(), METHODS_MAX),
            (stored.days.len(), DAYS_MAX as usize),
            (stored.watches.len(), WATCHES_MAX as usize),
        ];
        if !is_ordered || limits.iter().any(|(count, most)| count > most) {
            return Err(malformed(
                "it has more than a meter can have, or not in order".to_owned(),
            ));
        }
        let mut days = stored.days;
        days.shrink_to_fit();
        Ok(Meter {
            begins_ms: stored.begins_ms,
            through: stored.through,
            through_ms: stored.through_ms,
            feedback_through: stored.feedback_through,
            series: stored.series.into_iter().collect(),
            codes: stored.codes,
            energy: stored.energy,
            days,
            battery: stored.battery,
            watches: stored.watches.into_iter().collect(),
            endings: stored.endings,
        })
    }
}

#[derive(Deserialize)]
struct Version {
    format: u32,
}

/// The stored form of a meter: JSON.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    format: u32,
    begins_ms: u64,
    through: u64,
    through_ms: u64,
    feedback_through: u64,
    series: Vec<(SeriesKey, Series)>,
    codes: BTreeMap<Code, u64>,
    energy: BTreeMap<Label, u64>,
    days: Vec<Day>,
    battery: Option<Battery>,
    watches: Vec<(WatchKey, Box<Watched>)>,
    endings: BTreeMap<Stage, Endings>,
}

/// How many of the series have names of their own.
fn named<'a>(keys: impl Iterator<Item = &'a SeriesKey>) -> usize {
    keys.filter(|key| !key.is_other()).count()
}

//! What all requests took, as far as it was counted: a fold over the ledger's receipts in their order.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use whimbrel_record::{Closing, Code, Intent, Label};

use crate::{DAYS_MAX, Day, SERIES_MAX, Series, SeriesKey};

/// The version of the stored form.
const FORMAT: u32 = 1;
const DAY_MS: i64 = 24 * 3_600_000;
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
    series: BTreeMap<SeriesKey, Series>,
    /// Codes of requests that failed.
    codes: BTreeMap<Label, u64>,
    /// Millijoules by the method of estimating them.
    energy: BTreeMap<Label, u64>,
    /// Oldest first.
    days: Vec<Day>,
    battery: Option<Battery>,
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
            series: BTreeMap::new(),
            codes: BTreeMap::new(),
            energy: BTreeMap::new(),
            days: Vec::new(),
            battery: None,
        }
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
        if !self.series.contains_key(&key) && self.series.len() + 1 >= SERIES_MAX as usize {
            key = SeriesKey::other();
        }
        self.series.entry(key).or_default().count(closing);
        if let Some(code) = closing.code() {
            *self.codes.entry(Label::from(code)).or_default() += 1;
        }
        if let Some(energy) = &closing.energy
            && (self.energy.contains_key(&energy.method) || self.energy.len() < METHODS_MAX)
        {
            *self.energy.entry(energy.method.clone()).or_default() += energy.millijoules;
        }
        let lost = self.battery_lost(closed_ms, closing);
        let day = self.day(closed_ms, utc_offset_s);
        day.count(closing);
        if let Some((percent, ms)) = lost {
            day.battery_percent_lost += percent;
            day.battery_ms += ms;
        }
    }

    /// The day of a time. The clock may have been set back: a day that is too old to be kept is the oldest one.
    fn day(&mut self, at_ms: u64, utc_offset_s: i32) -> &mut Day {
        let offset_ms = i64::from(utc_offset_s) * 1_000;
        let number = at_ms.cast_signed().saturating_add(offset_ms).div_euclid(DAY_MS);
        let begins_ms = (number * DAY_MS - offset_ms).max(0).cast_unsigned();
        let at = match self.days.binary_search_by_key(&begins_ms, |day| day.begins_ms) {
            Ok(at) => at,
            Err(at) => {
                self.days.insert(at, Day::new(begins_ms));
                let surplus = self.days.len().saturating_sub(DAYS_MAX as usize);
                self.days.drain(..surplus);
                at.saturating_sub(surplus)
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
    pub fn codes(&self) -> &BTreeMap<Label, u64> {
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

    /// The stored form.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let stored = Stored {
            format: FORMAT,
            begins_ms: self.begins_ms,
            through: self.through,
            through_ms: self.through_ms,
            series: self.series.clone().into_iter().collect(),
            codes: self.codes.clone(),
            energy: self.energy.clone(),
            days: self.days.clone(),
            battery: self.battery,
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
        let stored: Stored = serde_json::from_slice(bytes).map_err(|error| malformed(error.to_string()))?;
        let is_ordered = stored.days.is_sorted_by(|one, next| one.begins_ms < next.begins_ms);
        let limits = [
            (stored.series.len(), SERIES_MAX as usize),
            (stored.codes.len(), Code::ALL.len()),
            (stored.energy.len(), METHODS_MAX),
            (stored.days.len(), DAYS_MAX as usize),
        ];
        if !is_ordered || limits.iter().any(|(count, most)| count > most) {
            return Err(malformed(
                "it has more than a meter can have, or not in order".to_owned(),
            ));
        }
        Ok(Meter {
            begins_ms: stored.begins_ms,
            through: stored.through,
            through_ms: stored.through_ms,
            series: stored.series.into_iter().collect(),
            codes: stored.codes,
            energy: stored.energy,
            days: stored.days,
            battery: stored.battery,
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
    series: Vec<(SeriesKey, Series)>,
    codes: BTreeMap<Label, u64>,
    energy: BTreeMap<Label, u64>,
    days: Vec<Day>,
    battery: Option<Battery>,
}

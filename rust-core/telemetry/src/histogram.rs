//! A histogram with fixed buckets: how many values fell between which bounds, and their sum.

use serde::{Deserialize, Serialize};

use crate::Measure;

/// Buckets of a histogram at most, the one for what is larger than every bound included.
pub const BUCKETS_MAX: u32 = 17;

/// See the module. The bounds are those of a [`Measure`], which every method is given: a histogram does not know them.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Histogram {
    counts: [u32; BUCKETS_MAX as usize],
    sum: u64,
    min: u64,
    max: u64,
}

impl Histogram {
    /// Adds a value.
    pub fn add(&mut self, measure: Measure, value: u64) {
        if self.is_empty() {
            (self.min, self.max) = (value, value);
        }
        let bucket = measure.bounds().partition_point(|bound| *bound < value);
        self.counts[bucket] = self.counts[bucket].saturating_add(1);
        self.sum = self.sum.saturating_add(value);
        self.min = self.min.min(value);
        self.max = self.max.max(value);
    }

    /// Adds the values of another histogram of the same measure.
    pub fn merge(&mut self, other: &Histogram) {
        if other.is_empty() {
            return;
        }
        if self.is_empty() {
            (self.min, self.max) = (other.min, other.max);
        }
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count = count.saturating_add(more);
        }
        self.sum = self.sum.saturating_add(other.sum);
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }

    /// Whether it has no values.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.counts.iter().all(|count| *count == 0)
    }

    /// The number of values.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().map(|count| u64::from(*count)).sum()
    }

    /// The sum of the values.
    #[must_use]
    pub fn sum(&self) -> u64 {
        self.sum
    }

    /// The smallest value, 0 if there is none.
    #[must_use]
    pub fn min(&self) -> u64 {
        self.min
    }

    /// The largest value, 0 if there is none.
    #[must_use]
    pub fn max(&self) -> u64 {
        self.max
    }

    /// How many values are in each bucket: one for each bound of the measure, and one for what is larger.
    #[must_use]
    pub fn counts(&self, measure: Measure) -> &[u32] {
        &self.counts[..=measure.bounds().len()]
    }

    /// The mean; `None` if there are no values.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        let count = self.count();
        (count > 0).then(|| self.sum as f64 / count as f64)
    }

    /// The value below which this share of the values is, 0 to 1; `None` if there are no values. It is estimated from the buckets, and between two values
    /// that are far from each other it lies between them.
    ///
    /// ```
    /// use whimbrel_telemetry::{Histogram, Measure};
    ///
    /// let mut histogram = Histogram::default();
    /// for tokens in 1..=100 {
    ///     histogram.add(Measure::OutputTokens, tokens);
    /// }
    /// let median = histogram.quantile(Measure::OutputTokens, 0.5).unwrap();
    /// assert!((49.0..52.0).contains(&median));
    /// ```
    #[must_use]
    pub fn quantile(&self, measure: Measure, share: f64) -> Option<f64> {
        let last = self.count().checked_sub(1)?;
        let rank = share.clamp(0.0, 1.0) * last as f64;
        let below = self.value_at(measure, rank.floor() as u64);
        let above = self.value_at(measure, rank.ceil() as u64);
        Some(below + (above - below) * rank.fract())
    }

    /// The value with this place in their order, counted from 0. The values of a bucket are taken to be evenly spread; the smallest and the largest
    /// are known.
    fn value_at(&self, measure: Measure, place: u64) -> f64 {
        if place == 0 {
            return self.min as f64;
        }
        let bounds = measure.bounds();
        let mut before = 0;
        for (bucket, number) in self.counts.iter().enumerate() {
            let number = u64::from(*number);
            if place < before + number && place + 1 < self.count() {
                let low = if bucket == 0 { 0 } else { bounds[bucket - 1] };
                let low = low.max(self.min) as f64;
                let high = bounds.get(bucket).map_or(self.max, |bound| (*bound).min(self.max)) as f64;
                return low + (high - low) * ((place - before) as f64 + 0.5) / number as f64;
            }
            before += number;
        }
        self.max as f64
    }
}

/// The stored form: buckets without values are left out.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    counts: Vec<(u8, u32)>,
    sum: u64,
    min: u64,
    max: u64,
}

impl Serialize for Histogram {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let counts = (0u8..).zip(self.counts).filter(|(_, count)| *count > 0).collect();
        let (sum, min, max) = (self.sum, self.min, self.max);
        Stored { counts, sum, min, max }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Histogram {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let stored = Stored::deserialize(deserializer)?;
        let mut counts = [0; BUCKETS_MAX as usize];
        for (bucket, count) in stored.counts {
            let place = counts
                .get_mut(usize::from(bucket))
                .ok_or_else(|| serde::de::Error::custom("a histogram has more buckets than it can have"))?;
            *place = count;
        }
        Ok(Histogram {
            counts,
            sum: stored.sum,
            min: stored.min,
            max: stored.max,
        })
    }
}

//! Finds out when the time that something takes has changed: two CUSUM charts over the logarithm of the time (E. S. Page, "Continuous inspection
//! schemes", Biometrika 41, 1954), one for slower and one for faster.
//!
//! What the charts compare with is learned from the times themselves, as the centre and the spread of an M-estimator (P. J. Huber, "Robust
//! estimation of a location parameter", Annals of Mathematical Statistics 35, 1964): a time far from the centre counts as one at a limit, so that
//! another app's burst of work is a few steps and not an alarm. While the chart for slower is above zero, its times are held back from what is
//! learned, so that a change does not become the baseline before it is found.

use serde::{Deserialize, Serialize};

use super::{COUNT_MAX, Millionths, SETTLED_COUNT};

/// A baseline has seen a whole day, as devices are warm at some hours and cool at others, or at least this many times.
const DAY_MS: u64 = 24 * 3_600_000;
const SETTLED_COUNT_BUSY: u32 = 256;
/// Times count as this far from the centre at most, in standard deviations.
const LIMIT_SIGMAS: f64 = 2.0;
/// They may be this far off in any case: with little noise, a change by 15 % must not count as less.
const LIMIT_LEAST: f64 = 0.25;
/// The standard deviation of the logarithms before any time is known, and the number of times that it counts as.
const FIRST_SIGMA: f64 = 0.3;
const FIRST_WEIGHT: f64 = 4.0;
/// The chart rises by how much a time is above this, in logarithms. With little noise it is more than a device's warm and cool hours bring about for
/// long; with more noise less, as half of the 15 % that are looked for is found soonest.
const ALLOWANCE_MAX: f64 = 0.085;
const ALLOWANCE_LEAST: f64 = 0.055;
/// The standard deviations between which the allowance falls.
const ALLOWANCE_SIGMAS: [f64; 2] = [0.10, 0.22];
/// The centre is known the less well, the fewer times it was learned from: by this many of its standard errors the allowance is larger.
const ERROR_SIGMAS: f64 = 1.25;
/// The height at which the chart gives an alarm, where noise decides: by Wald's approximation the chart gets there by chance once in `exp(HEIGHT)`
/// excursions.
const HEIGHT: f64 = 13.0;
/// The least height in logarithms: a burst of a dozen times stays below it.
const HEIGHT_LEAST: f64 = 2.0;
/// Before an alarm the chart has been above zero for this many times, and for a whole day or that many more.
const EXCURSION_COUNT_MIN: u32 = 30;
const EXCURSION_COUNT_BUSY: u32 = 150;
/// Times that follow each other are alike to this degree at most, as a coefficient of correlation.
const CORRELATION_MAX: f64 = 0.9;

/// The times of one thing: where they are, and whether they are leaving it.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pace {
    /// When the baseline began.
    begins_ms: u64,
    /// How many times the baseline was learned from, at most [`COUNT_MAX`].
    count: u32,
    /// The centre of their logarithms.
    centre: Millionths,
    /// The variance of their logarithms, in thousand millionths.
    variance: u32,
    /// The covariance of the logarithms of times that follow each other, in thousand millionths.
    covariance: i32,
    /// How far the last time was from the centre.
    last: Millionths,
    /// How many times are held back, how far they are from the centre together, and the sums of the squares of that and of its products with what
    /// came before.
    held_count: u32,
    held: Millionths,
    held_squares: Millionths,
    held_products: Millionths,
    slower: Chart,
    faster: Chart,
}

/// One CUSUM chart.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
struct Chart {
    /// When it left zero: Page's estimate of when the change was.
    since_ms: u64,
    /// How high it is.
    height: Millionths,
    /// How many times it has been above zero for.
    count: u32,
    /// The centre of these times' logarithms.
    centre: Millionths,
}

/// A change that was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Shift {
    pub(super) since_ms: u64,
    pub(super) is_slower: bool,
    /// The centre until then.
    pub(super) before: Millionths,
}

impl Pace {
    /// The time's centre, in the unit of the times; `None` without times.
    pub(super) fn typical(&self) -> Option<f64> {
        (self.count > 0).then(|| self.centre.get().exp())
    }

    /// The logarithm of the centre.
    pub(super) fn centre(&self) -> Millionths {
        self.centre
    }

    /// Whether the baseline was learned from enough times.
    pub(super) fn is_settled(&self) -> bool {
        self.count >= SETTLED_COUNT
    }

    /// Takes a time and says whether the times have changed. If they have, those since the change are the new baseline.
    pub(super) fn take(&mut self, at_ms: u64, time: u64) -> Option<Shift> {
        let time = (time.max(1) as f64).ln();
        if self.count == 0 {
            self.begins_ms = at_ms;
            self.centre = Millionths::of(time);
            self.variance = (FIRST_SIGMA * FIRST_SIGMA * 1e9) as u32;
        }
        // The clock may have been set back.
        self.begins_ms = self.begins_ms.min(at_ms);
        let limit = self.limit();
        let off = (time - self.centre.get()).clamp(-limit, limit);
        self.held.add(off);
        self.held_squares.add(off * off);
        self.held_products.add(off * self.last.get());
        self.last = Millionths::of(off);
        self.held_count = self.held_count.saturating_add(1);
        let is_long = at_ms - self.begins_ms >= DAY_MS || self.count >= SETTLED_COUNT_BUSY;
        if self.is_settled() && is_long {
            let (allowance, height) = self.thresholds();
            let is_slower = self.slower.take(at_ms, time, off - allowance, height, limit);
            let is_faster = self.faster.take(at_ms, time, -off - allowance, height, limit);
            if is_slower || is_faster {
                return Some(self.restart(is_slower));
            }
        }
        if self.slower.count == 0 {
            self.learn();
        }
        None
    }

    fn limit(&self) -> f64 {
        LIMIT_LEAST.max(LIMIT_SIGMAS * self.sigma())
    }

    fn sigma(&self) -> f64 {
        (f64::from(self.variance) / 1e9).sqrt()
    }

    /// The allowance and the height of an alarm.
    fn thresholds(&self) -> (f64, f64) {
        let sigma = self.sigma();
        let [from, to] = ALLOWANCE_SIGMAS;
        let share = ((sigma - from) / (to - from)).clamp(0.0, 1.0);
        let allowance = ALLOWANCE_MAX + (ALLOWANCE_LEAST - ALLOWANCE_MAX) * share;
        // The mean of times that are alike varies as that of fewer times would.
        let count = f64::from(self.count.max(1));
        let covariance = f64::from(self.covariance) / 1e9;
        let likeness = (covariance / (sigma * sigma).max(1e-9) - 1.0 / count.sqrt()).clamp(0.0, CORRELATION_MAX);
        let variance = sigma * sigma * (1.0 + likeness) / (1.0 - likeness);
        let allowance = allowance + ERROR_SIGMAS * (variance / count).sqrt();
        let height = HEIGHT * variance / (2.0 * allowance);
        (allowance, height.max(HEIGHT_LEAST))
    }

    /// Learns from the times that are held back: a step of stochastic approximation towards the centre and the variance.
    fn learn(&mut self) {
        let held = f64::from(self.held_count);
        let count = f64::from(self.count);
        self.centre.add(self.held.get() / (count + held));
        let weight = count + FIRST_WEIGHT;
        let mean = |known: f64, more: Millionths| (known * weight + more.get() * 1e9) / (weight + held);
        self.variance = mean(self.variance.into(), self.held_squares).round() as u32;
        self.covariance = mean(self.covariance.into(), self.held_products).round() as i32;
        self.count = self.count.saturating_add(self.held_count).min(COUNT_MAX);
        self.forget_held();
    }

    fn forget_held(&mut self) {
        self.held_count = 0;
        (self.held, self.held_squares, self.held_products) = Default::default();
    }

    /// Makes what a chart has seen since it left zero the baseline.
    fn restart(&mut self, is_slower: bool) -> Shift {
        let chart = if is_slower { self.slower } else { self.faster };
        let before = self.centre;
        self.begins_ms = chart.since_ms;
        self.centre = chart.centre;
        self.count = (chart.count / 2).clamp(1, COUNT_MAX);
        self.forget_held();
        (self.slower, self.faster) = Default::default();
        Shift {
            since_ms: chart.since_ms,
            is_slower,
            before,
        }
    }
}

impl Chart {
    /// Takes a step, and says whether there is an alarm. `time` is a logarithm.
    fn take(&mut self, at_ms: u64, time: f64, step: f64, height_max: f64, limit: f64) -> bool {
        let height = self.height.get() + step;
        if height <= 0.0 {
            *self = Chart::default();
            return false;
        }
        if self.count == 0 {
            (self.since_ms, self.centre) = (at_ms, Millionths::of(time));
        }
        self.count = self.count.saturating_add(1);
        // Long steps, as the first times may be from before the change; half of the count is what they leave known.
        let off = (time - self.centre.get()).clamp(-2.0 * limit, 2.0 * limit);
        self.centre.add(off * (2.0 / f64::from(self.count)).min(1.0));
        // No higher than the alarm, so that a burst of a few times is forgotten as fast as it came.
        self.height = Millionths::of(height.min(height_max));
        let lasted_ms = at_ms.saturating_sub(self.since_ms);
        let is_long = lasted_ms >= DAY_MS || self.count >= EXCURSION_COUNT_BUSY;
        self.count >= EXCURSION_COUNT_MIN && is_long && height >= height_max
    }
}

//! Finds out when the share of bad ones has risen: a CUSUM chart of the likelihood ratio of two shares (E. S. Page, "Continuous inspection schemes",
//! Biometrika 41, 1954; for shares M. R. Reynolds and Z. G. Stoumbos, "A CUSUM chart for monitoring a proportion when inspecting continuously",
//! Journal of Quality Technology 31, 1999).
//!
//! The first share is learned from the answers themselves. While the chart is above zero, its answers are held back from what is learned.

use serde::{Deserialize, Serialize};

use super::{COUNT_MAX, Millionths};

/// Answers from which a share is learned at least. Before that, nothing is found.
const SETTLED_COUNT: u32 = 150;

/// The share of bad ones for which the chart is made is above the baseline by this.
const RISE: f64 = 0.10;
/// The baseline is known the less well, the fewer it was learned from: by this many of its standard errors it is taken to be larger.
const ERROR_SIGMAS: f64 = 1.25;
/// The height at which the chart gives an alarm: by Wald's approximation it gets there by chance once in `exp(HEIGHT)` excursions.
const HEIGHT: f64 = 9.0;
const SHARE_MAX: f64 = 0.98;

/// How many were bad, and whether that is rising.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Share {
    /// What the baseline was learned from: how many, and how many of them were bad.
    count: u32,
    bad: u32,
    /// The same of those since the chart left zero.
    held_count: u32,
    held_bad: u32,
    height: Millionths,
    /// When the chart left zero: Page's estimate of when the change was.
    since_ms: u64,
}

/// A rise that was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rise {
    pub(super) since_ms: u64,
    /// The share until then.
    pub(super) before: Millionths,
}

impl Share {
    /// The share of bad ones, 0 to 1.
    pub(super) fn get(&self) -> f64 {
        f64::from(self.bad.min(self.count)) / f64::from(self.count.max(1))
    }

    /// Whether the baseline was learned from enough.
    pub(super) fn is_settled(&self) -> bool {
        self.count >= SETTLED_COUNT
    }

    /// Takes one and says whether the share has risen. If it has, those since the rise are the new baseline.
    pub(super) fn take(&mut self, at_ms: u64, is_bad: bool) -> Option<Rise> {
        if self.held_count == 0 {
            self.since_ms = at_ms;
        }
        self.held_count = self.held_count.saturating_add(1);
        self.held_bad = self.held_bad.saturating_add(is_bad.into());
        if self.is_settled() {
            let height = self.height.get() + self.step(is_bad);
            self.height = Millionths::of(height.max(0.0));
            if height >= HEIGHT {
                return Some(self.restart());
            }
        }
        if self.height.get() <= 0.0 {
            self.learn();
        }
        None
    }

    /// Starts anew with the answers since a fall to `share`, of which it is not known how many they were.
    pub(super) fn fall_to(&mut self, share: f64) {
        *self = Share {
            count: SETTLED_COUNT,
            bad: (share * f64::from(SETTLED_COUNT)).round() as u32,
            ..Share::default()
        };
    }

    fn step(&self, is_bad: bool) -> f64 {
        let count = f64::from(self.count);
        let share = (f64::from(self.bad.min(self.count)) + 0.5) / (count + 1.0);
        let error = (share * (1.0 - share) / (count + 1.0)).sqrt();
        let share = share + ERROR_SIGMAS * error;
        likelihood_ratio(is_bad, share, share + RISE)
    }

    fn learn(&mut self) {
        self.count = self.count.saturating_add(self.held_count);
        self.bad = self.bad.saturating_add(self.held_bad);
        (self.held_count, self.held_bad) = (0, 0);
        if self.count >= 2 * COUNT_MAX {
            (self.count, self.bad) = (self.count / 2, self.bad / 2);
        }
    }

    fn restart(&mut self) -> Rise {
        let before = Millionths::of(self.get());
        let since_ms = self.since_ms;
        *self = Share {
            count: self.held_count,
            bad: self.held_bad,
            ..Share::default()
        };
        Rise { since_ms, before }
    }
}

/// The logarithm of how much likelier it is if the share is `second` than if it is `first`.
pub(super) fn likelihood_ratio(is_bad: bool, first: f64, second: f64) -> f64 {
    let [first, second] = [first, second].map(|share| share.clamp(1.0 - SHARE_MAX, SHARE_MAX));
    match is_bad {
        true => (second / first).ln(),
        false => ((1.0 - second) / (1.0 - first)).ln(),
    }
}

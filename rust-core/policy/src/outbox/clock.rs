//! Times that survive a clock that somebody sets, a restart of the process, and a restart of the device. Inside one boot the monotonic
//! clock measures; across boots there is only the wall clock.

use serde::{Deserialize, Serialize};

/// How far wall time and monotonic time may drift apart before the wall clock counts as set, in milliseconds.
const DRIFT_MS_MAX: u64 = 60_000;

/// One moment on both clocks of the device.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Moment {
    /// Wall time: milliseconds since 1970, as the device's clock has it. It may jump.
    pub wall_ms: u64,
    /// Milliseconds on a monotonic clock that also counts while the device sleeps: `SystemClock.elapsedRealtime` on Android,
    /// `mach_continuous_time` on Apple's systems, `CLOCK_BOOTTIME` on Linux.
    pub elapsed_ms: u64,
    /// Names the origin of `elapsed_ms`: another number after each boot of the device. Where the system has no boot id, a number that is new
    /// in each process will do.
    pub boot: u64,
}

impl Moment {
    /// The milliseconds since an earlier moment, if both are of one boot.
    fn measured_since(self, earlier: Moment) -> Option<u64> {
        (self.boot == earlier.boot).then(|| self.elapsed_ms.saturating_sub(earlier.elapsed_ms))
    }

    /// Whether the wall clock was set between two moments of one boot.
    fn shows_set_clock(self, earlier: Moment) -> bool {
        let expected = earlier
            .wall_ms
            .saturating_add(self.elapsed_ms.saturating_sub(earlier.elapsed_ms));
        self.boot == earlier.boot && self.wall_ms.abs_diff(expected) > DRIFT_MS_MAX
    }
}

/// The age of a request: so many milliseconds at one moment, and more since.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Age {
    ms: u64,
    at: Moment,
}

impl Age {
    pub(super) fn new(now: Moment) -> Age {
        Age { ms: 0, at: now }
    }

    /// The age now, in milliseconds. If it is not known, at least what was stored of it.
    pub(super) fn ms(&self, now: Moment) -> u64 {
        let since = now.measured_since(self.at);
        self.ms
            .saturating_add(since.unwrap_or(now.wall_ms.saturating_sub(self.at.wall_ms)))
    }

    /// Whether the age is known. After a boot with a wall clock that is behind, it is only known to be at least [`Age::ms`].
    pub(super) fn is_known(&self, now: Moment) -> bool {
        now.boot == self.at.boot || now.wall_ms >= self.at.wall_ms
    }

    /// Measures from now on, if the device was started again or its wall clock was set. Returns whether anything changed.
    pub(super) fn settle(&mut self, now: Moment) -> bool {
        let is_stale = now.boot != self.at.boot || now.shows_set_clock(self.at);
        if !is_stale || !self.is_known(now) {
            return false;
        }
        *self = Age {
            ms: self.ms(now),
            at: now,
        };
        true
    }
}

/// So many milliseconds from one moment on.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Span {
    for_ms: u64,
    since: Moment,
}

impl Span {
    pub(super) fn new(for_ms: u64, now: Moment) -> Span {
        Span { for_ms, since: now }
    }

    /// What is left of it, in milliseconds. Never more than the whole.
    pub(super) fn left_ms(&self, now: Moment) -> u64 {
        let passed = now.measured_since(self.since);
        self.for_ms
            .saturating_sub(passed.unwrap_or(now.wall_ms.saturating_sub(self.since.wall_ms)))
    }

    /// When it ends, on the monotonic clock of `now`. A span that has ended keeps its time, as long as the device is not started again.
    pub(super) fn end_ms(&self, now: Moment) -> u64 {
        match now.boot == self.since.boot {
            true => self.since.elapsed_ms.saturating_add(self.for_ms),
            false => now.elapsed_ms.saturating_add(self.left_ms(now)),
        }
    }

    /// Ends it after `for_ms` from its beginning, if that is earlier. Returns whether it is.
    pub(super) fn shorten(&mut self, for_ms: u64) -> bool {
        let is_earlier = for_ms < self.for_ms;
        self.for_ms = self.for_ms.min(for_ms);
        is_earlier
    }

    /// Measures from now on, if the device was started again or its wall clock was set. Returns whether anything changed.
    pub(super) fn settle(&mut self, now: Moment) -> bool {
        let is_stale = now.boot != self.since.boot || now.shows_set_clock(self.since);
        if is_stale {
            *self = Span::new(self.left_ms(now), now);
        }
        is_stale
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_MS: u64 = 86_400_000;

    fn at(wall_ms: u64, elapsed_ms: u64, boot: u64) -> Moment {
        Moment {
            wall_ms: 100 * DAY_MS + wall_ms,
            elapsed_ms,
            boot,
        }
    }

    #[test]
    fn inside_a_boot_only_the_monotonic_clock_counts() {
        for wall_ms in [0, 10, 50 * DAY_MS] {
            let now = at(wall_ms, 30, 1);
            assert_eq!(Age::new(at(0, 20, 1)).ms(now), 10, "{wall_ms}");
            assert_eq!(Span::new(100, at(0, 20, 1)).left_ms(now), 90, "{wall_ms}");
        }
    }

    #[test]
    fn across_boots_the_wall_clock_counts() {
        assert_eq!(Age::new(at(0, 20, 1)).ms(at(500, 3, 2)), 500);
        assert_eq!(Span::new(600, at(0, 20, 1)).left_ms(at(500, 3, 2)), 100);
    }

    #[test]
    fn a_wait_continues_after_a_boot() {
        let mut span = Span::new(600, at(0, 20, 1));
        assert!(span.settle(at(200, 3, 2)));
        assert_eq!(span.left_ms(at(200, 3, 2)), 400);
        assert_eq!(span.end_ms(at(300, 103, 2)), 403);
    }

    #[test]
    fn a_clock_that_was_set_does_not_change_an_age_after_the_next_boot() {
        let mut age = Age::new(at(0, 0, 1));
        let set = at(DAY_MS + 1_000, 1_000, 1);
        assert!(age.settle(set));
        assert!(!age.settle(set));
        assert_eq!(age.ms(set), 1_000);
        assert_eq!(age.ms(at(DAY_MS + 3_000, 0, 2)), 3_000);
    }

    #[test]
    fn a_clock_that_is_behind_after_a_boot_hides_an_age_but_does_not_stop_a_span() {
        let (mut age, mut span) = (Age::new(at(DAY_MS, 0, 1)), Span::new(500, at(DAY_MS, 0, 1)));
        let booted = at(0, 0, 2);
        assert!(!age.is_known(booted) && !age.settle(booted));
        assert!(span.settle(booted));
        assert_eq!(span.left_ms(at(0, 500, 2)), 0);
        let corrected = at(DAY_MS + 7_000, 900, 2);
        assert!(age.settle(corrected));
        assert_eq!(age.ms(corrected), 7_000);
    }
}

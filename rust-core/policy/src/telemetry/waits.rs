//! Waits and ages on a wall clock that somebody may set. A clock that is set back prolongs a wait by no more than the time that it went back,
//! and never beyond the whole wait; one that is set forward shortens it, which is harmless, because the budget of the day still holds.

use serde::{Deserialize, Serialize};

use super::{BACKOFF_MS_BASE, BACKOFF_MS_MAX};

/// Milliseconds that still have to pass, counted from when the clock was last looked at.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wait {
    left_ms: u64,
    seen_ms: u64,
}

impl Wait {
    pub(super) fn new(for_ms: u64, now_ms: u64) -> Wait {
        Wait {
            left_ms: for_ms,
            seen_ms: now_ms,
        }
    }

    pub(super) fn left_ms(&self, now_ms: u64) -> u64 {
        self.left_ms.saturating_sub(now_ms.saturating_sub(self.seen_ms))
    }

    pub(super) fn look(&mut self, now_ms: u64) {
        *self = Wait::new(self.left_ms(now_ms), now_ms);
    }
}

/// Milliseconds that have passed, counted when the clock was last looked at.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Passed {
    ms: u64,
    seen_ms: u64,
}

impl Passed {
    pub(super) fn none(now_ms: u64) -> Passed {
        Passed { ms: 0, seen_ms: now_ms }
    }

    pub(super) fn ms(&self, now_ms: u64) -> u64 {
        self.ms.saturating_add(now_ms.saturating_sub(self.seen_ms))
    }

    pub(super) fn look(&mut self, now_ms: u64) {
        *self = Passed {
            ms: self.ms(now_ms),
            seen_ms: now_ms,
        };
    }
}

/// The wait after failure `failure` in a row (1 is the first), in milliseconds: exponential, with jitter. It is between the backoff and twice
/// the backoff, chosen by `random`, so that devices that failed together do not retry together; never more than [`BACKOFF_MS_MAX`].
#[must_use]
pub fn backoff_ms(failure: u32, random: u64) -> u64 {
    let whole = (BACKOFF_MS_BASE << failure.saturating_sub(1).min(16)).min(BACKOFF_MS_MAX);
    (whole + random % whole).min(BACKOFF_MS_MAX)
}

/// A number that differs between processes and attempts: the finaliser of SplitMix64 (Steele, Lea and Flood, 2014).
pub(super) fn mixed(random: u64, attempt: u64) -> u64 {
    let mut z = random.wrapping_add(attempt.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_grows_to_its_longest() {
        for random in [0, 1, 7_777_777_777, u64::MAX] {
            let waits: Vec<_> = (1..100).map(|failure| backoff_ms(failure, random)).collect();
            assert!(
                waits
                    .iter()
                    .all(|wait| (BACKOFF_MS_BASE..=BACKOFF_MS_MAX).contains(wait))
            );
            assert!((BACKOFF_MS_BASE..2 * BACKOFF_MS_BASE).contains(&waits[0]));
            assert_eq!(waits[20..], [BACKOFF_MS_MAX; 79]);
        }
        assert_eq!(backoff_ms(u32::MAX, 3), BACKOFF_MS_MAX);
    }

    #[test]
    fn a_clock_that_is_set_prolongs_a_wait_by_no_more_than_it_was_set_back() {
        let mut wait = Wait::new(100, 1_000);
        wait.look(1_060);
        assert_eq!(wait.left_ms(1_060), 40);
        wait.look(10);
        assert_eq!((wait.left_ms(10), wait.left_ms(49), wait.left_ms(50)), (40, 1, 0));
        let mut passed = Passed::none(1_000);
        passed.look(1_060);
        passed.look(10);
        assert_eq!(passed.ms(30), 80);
    }
}

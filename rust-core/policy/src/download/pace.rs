//! How fast a body comes. One that drips is as good as none.

/// The time over which the pace is measured, in milliseconds.
pub const SLOW_MS: u64 = 60_000;
/// With fewer bytes in [`SLOW_MS`] an answer is given up: a kilobyte a second.
pub const SLOW_BYTES: u64 = 60 * 1024;

/// The bytes of the time in progress.
#[derive(Debug)]
pub(super) struct Pace {
    since_ms: u64,
    bytes: u64,
}

impl Pace {
    pub(super) fn new(now_ms: u64) -> Pace {
        Pace {
            since_ms: now_ms,
            bytes: 0,
        }
    }

    /// Counts bytes, and judges at the end of each time.
    pub(super) fn is_too_slow(&mut self, now_ms: u64, bytes: u64) -> bool {
        self.bytes = self.bytes.saturating_add(bytes);
        if now_ms.saturating_sub(self.since_ms) < SLOW_MS {
            return false;
        }
        let is_too_slow = self.bytes < SLOW_BYTES;
        *self = Pace::new(now_ms);
        is_too_slow
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drip_is_noticed_after_a_minute() {
        let mut pace = Pace::new(5);
        for second in 1..60 {
            assert!(!pace.is_too_slow(5 + second * 1_000, 100));
        }
        assert!(pace.is_too_slow(5 + SLOW_MS, 100));
        let mut pace = Pace::new(0);
        assert!(!pace.is_too_slow(SLOW_MS, SLOW_BYTES));
        assert!(!pace.is_too_slow(2 * SLOW_MS - 1, 0));
        assert!(pace.is_too_slow(2 * SLOW_MS, 1));
    }
}

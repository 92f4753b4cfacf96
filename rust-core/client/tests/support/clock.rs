//! A clock that the test moves.

use std::sync::atomic::{AtomicU64, Ordering};

use whimbrel_client::ports::{Clock, SystemClock};

/// The system's clock, put forward.
#[derive(Default)]
pub(crate) struct Moved {
    system: SystemClock,
    pub(crate) ahead_ms: AtomicU64,
}

impl Clock for Moved {
    fn now_ms(&self) -> u64 {
        self.system.now_ms() + self.ahead_ms.load(Ordering::Relaxed)
    }

    fn utc_offset_s(&self, _: u64) -> i32 {
        0
    }

    fn elapsed_ms(&self) -> u64 {
        self.system.elapsed_ms()
    }
}

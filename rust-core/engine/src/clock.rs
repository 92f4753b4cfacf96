//! The monotonic clock, read for statistics only: no decision of the engine depends on it.

use std::time::Instant;

#[allow(clippy::disallowed_methods, reason = "the engine's one look at the clock")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

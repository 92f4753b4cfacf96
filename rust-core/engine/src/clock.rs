//! The monotonic clock. It is read for statistics and to determine whether speculative decoding pays off; no answer depends on it.

use std::time::Instant;

#[allow(clippy::disallowed_methods, reason = "the engine's one look at the clock")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

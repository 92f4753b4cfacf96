//! The monotonic clock, read for statistics and to learn whether guessing tokens pays: nothing that an answer says depends on it.

use std::time::Instant;

#[allow(clippy::disallowed_methods, reason = "the engine's one look at the clock")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

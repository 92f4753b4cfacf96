//! All named limits of this crate.

/// Maximum number of commands that wait for the inference thread; beyond it, senders wait.
pub const COMMANDS_WAITING_MAX: usize = 64;
/// Maximum number of concurrent answers in all sessions.
pub const ANSWERS_MAX: u64 = 16;
/// Maximum number of open models.
pub const MODELS_MAX: u64 = 8;
/// Maximum number of open sessions; each holds the memory of its context.
pub const SESSIONS_MAX: u64 = 64;
/// Maximum size of a saved session in bytes.
pub const SAVED_BYTES_MAX: u64 = 4 << 30;

/// Maximum number of an answer's steps that wait for their reader. It is small, because events wait for their reader as well.
pub const STEPS_WAITING_MAX: usize = 16;
/// An answer makes its next step only while this many places are free, so that its last step always finds one.
pub(crate) const STEPS_FREE_MIN: usize = 4;

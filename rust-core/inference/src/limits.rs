//! Every limit of this crate, by name.

/// Commands that wait for the inference thread; a further sender waits for room.
pub const COMMANDS_WAITING_MAX: usize = 64;
/// Answers in progress at the same time, in all sessions.
pub const ANSWERS_MAX: u64 = 16;
/// Models open at the same time.
pub const MODELS_MAX: u64 = 8;
/// Sessions open at the same time; each holds the memory of its context.
pub const SESSIONS_MAX: u64 = 64;
/// Bytes of a saved session.
pub const SAVED_BYTES_MAX: u64 = 4 << 30;

/// Steps of an answer that wait for whoever passes them on. Few, since events wait for their reader as well.
pub const STEPS_WAITING_MAX: usize = 16;
/// An answer makes its next step only while this many places are free, so that its last step always finds one.
pub(crate) const STEPS_FREE_MIN: usize = 4;

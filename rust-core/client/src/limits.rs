//! Limits of what is asked and kept, by name. Those of models and their answers are `whimbrel-inference`'s.

/// Events of one answer that wait for its reader. The answer pauses when they are reached and goes on when some were read.
pub const EVENTS_WAITING_MAX: usize = 256;
/// UTF-8 bytes of one question, prompt or system message.
pub const PROMPT_BYTES_MAX: u64 = 1 << 20;
/// Messages that a conversation keeps; older exchanges are left out.
pub const MESSAGES_MAX: u64 = 4_000;
/// UTF-8 bytes of messages that a conversation keeps; older exchanges are left out.
pub const HISTORY_BYTES_MAX: u64 = 2 << 20;
/// The most bytes that an answer may have.
pub const ANSWER_BYTES_MAX: u64 = 4 << 20;

//! Named limits on questions and conversations. The limits on models and their answers are in `whimbrel-inference`.

/// Maximum number of events of one answer that wait for its reader. At this number the answer pauses until some have been read.
pub const EVENTS_WAITING_MAX: usize = 256;
/// Maximum size of a question, prompt or system message in UTF-8 bytes.
pub const PROMPT_BYTES_MAX: u64 = 1 << 20;
/// Maximum number of messages that a conversation keeps; older exchanges are left out.
pub const MESSAGES_MAX: u64 = 4_000;
/// Maximum size of the messages that a conversation keeps, in UTF-8 bytes; older exchanges are left out.
pub const HISTORY_BYTES_MAX: u64 = 2 << 20;
/// Maximum size of an answer in bytes.
pub const ANSWER_BYTES_MAX: u64 = 4 << 20;

//! Every limit of this crate, by name.

/// Commands that wait for the inference thread; a further sender waits for room.
pub const COMMANDS_WAITING_MAX: usize = 64;
/// Events of one answer that wait for its reader. The answer pauses when they are reached and goes on when some were read.
pub const EVENTS_WAITING_MAX: usize = 256;
/// Answers in progress at the same time, in all conversations of a client.
pub const ANSWERS_MAX: u64 = 16;
/// Models open at the same time in one client.
pub const MODELS_MAX: u64 = 8;
/// Conversations open at the same time in one client; each holds the memory of its context.
pub const CONVERSATIONS_MAX: u64 = 64;
/// UTF-8 bytes of one question, prompt or system message.
pub const PROMPT_BYTES_MAX: u64 = 1 << 20;
/// Messages that a conversation keeps; older exchanges are left out.
pub const MESSAGES_MAX: u64 = 4_000;
/// UTF-8 bytes of messages that a conversation keeps; older exchanges are left out.
pub const HISTORY_BYTES_MAX: u64 = 2 << 20;
/// Bytes of a saved conversation.
pub const SAVED_BYTES_MAX: u64 = 4 << 30;

/// Steps of an answer that wait for whoever passes them on. Few, since events wait for their reader as well.
pub(crate) const STEPS_WAITING_MAX: usize = 16;
/// Events that one step of an answer makes at most: the rest of the text and the figures.
pub(crate) const EVENTS_A_STEP: usize = 2;

//! What is known of an answer when it has ended: why it did, and its counts and rates.

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FinishReason {
    /// The model ended its turn, or a stop string appeared.
    Stop,
    /// `max_tokens` or the end of the context was reached.
    Length,
    /// The answer said the same over and over.
    Repetition,
    /// The caller cancelled.
    Cancelled,
}

impl FinishReason {
    /// The name used in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            FinishReason::Stop => "stop",
            FinishReason::Length => "length",
            FinishReason::Repetition => "repetition",
            FinishReason::Cancelled => "cancelled",
        }
    }
}

/// Counts and rates of one answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Statistics {
    /// Why it ended.
    pub finish_reason: FinishReason,
    /// Tokens of the whole prompt, template and history included.
    pub prompt_tokens: u32,
    /// How many of them were still in the KV cache and not run again.
    pub reused_tokens: u32,
    /// Tokens of the answer, the end-of-turn token not counted.
    pub completion_tokens: u32,
    /// Tokens that were guessed and run.
    pub drafted_tokens: u32,
    /// How many of them the model would have chosen, so that they needed no run of their own.
    pub accepted_tokens: u32,
    /// Oldest messages left out of the prompt because the context was full.
    pub dropped_messages: u32,
    /// From the start of the answer to its first token, in milliseconds; 0 when there was none.
    pub time_to_first_token_ms: f64,
    /// From the start of the answer to its end, in milliseconds.
    pub total_ms: f64,
    /// Prompt tokens run, a second of computing; 0 when none was.
    pub prefill_tokens_per_second: f64,
    /// Tokens decoded after the first, a second of computing; 0 when there was none.
    pub decode_tokens_per_second: f64,
    /// Mean natural logarithm of the probability that the model gave to each token of the answer, before sampling; `None` unless
    /// asked for, and for an empty answer.
    pub mean_log_probability: Option<f64>,
}

//! The figures of an answer that has ended: why it ended, and its counts and rates.

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FinishReason {
    /// The model ended its turn, or a stop string occurred.
    Stop,
    /// `max_tokens` or the end of the context was reached.
    Length,
    /// The model called a tool.
    ToolCall,
    /// The answer said the same over and over.
    Repetition,
    /// The caller cancelled.
    Cancelled,
    /// The answer was to have a form, and ended before it had it: at `max_tokens` or the end of the context, at a stop string, or because the
    /// model could not go on. What there is of it must not be taken for a whole answer.
    Incomplete,
}

impl FinishReason {
    /// The name used in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            FinishReason::Stop => "stop",
            FinishReason::Length => "length",
            FinishReason::ToolCall => "tool_call",
            FinishReason::Repetition => "repetition",
            FinishReason::Cancelled => "cancelled",
            FinishReason::Incomplete => "incomplete",
        }
    }
}

/// Token counts and rates of an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Statistics {
    /// Why it ended.
    pub finish_reason: FinishReason,
    /// Tokens of the whole prompt, template and history included.
    pub prompt_tokens: u32,
    /// Prompt tokens that were still in the KV cache and not run again.
    pub reused_tokens: u32,
    /// Tokens of the answer, not counting the end-of-turn token.
    pub completion_tokens: u32,
    /// Tokens that were guessed and run.
    pub drafted_tokens: u32,
    /// Guessed tokens that the model would have chosen, so that they needed no run of their own.
    pub accepted_tokens: u32,
    /// Tokens of the answer that its form left no choice about. They need no run of their own.
    pub forced_tokens: u32,
    /// Oldest messages that were left out of the prompt because the context was full.
    pub dropped_messages: u32,
    /// Time from the start of the answer to its first token, in milliseconds; 0 if there was none.
    pub time_to_first_token_ms: f64,
    /// Time from the start of the answer to its end, in milliseconds.
    pub total_ms: f64,
    /// Computed prompt tokens per second of computing time; 0 if there were none.
    pub prefill_tokens_per_second: f64,
    /// Tokens decoded after the first, per second of computing time; 0 if there were none.
    pub decode_tokens_per_second: f64,
    /// Mean natural logarithm of the model's probability for each token of the answer that was not forced, before the form and sampling; `None` unless requested, and for an
    /// empty answer.
    pub mean_log_probability: Option<f64>,
}

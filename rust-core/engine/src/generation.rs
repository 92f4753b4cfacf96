//! One answer, as a state machine: a chunk of the prompt or one token a step, so that several can take turns.

use std::time::Instant;

use crate::{CancelFlag, EngineError, SamplingOptions, Session};

/// Prompt tokens that one step runs at most.
pub const PREFILL_CHUNK: usize = 128;

/// How an answer is made.
#[derive(Clone, Debug)]
pub struct GenerationOptions {
    /// Tokens after which the answer ends with [`FinishReason::Length`].
    pub max_tokens: u32,
    /// How the next token is chosen.
    pub sampling: SamplingOptions,
    /// Texts that end the answer; they are not part of it.
    pub stop: Vec<String>,
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FinishReason {
    /// The model ended its turn, or a stop string appeared.
    Stop,
    /// `max_tokens` or the end of the context was reached.
    Length,
    /// The caller cancelled.
    Cancelled,
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
    /// Tokens of the answer.
    pub completion_tokens: u32,
    /// Oldest messages left out of the prompt because the context was full.
    pub dropped_messages: u32,
    /// From the start of the answer to its first token, in milliseconds; 0 when there was none.
    pub time_to_first_token_ms: f64,
    /// From the start of the answer to its end, in milliseconds.
    pub total_ms: f64,
    /// Prompt tokens run, a second of computing.
    pub prefill_tokens_per_second: f64,
    /// Answer tokens after the first, a second of computing.
    pub decode_tokens_per_second: f64,
}

/// What one step brought.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// A chunk of the prompt was run: tokens done and to be done in all.
    Prefilled {
        /// Prompt tokens run so far, reused ones included.
        done: u32,
        /// Prompt tokens in all.
        total: u32,
    },
    /// One token was decoded; the text it completed may be empty.
    Text(String),
    /// The answer is complete: text that had been held back, and the figures.
    Finished {
        /// The rest of the text.
        text: String,
        /// Counts and rates.
        statistics: Statistics,
    },
}

/// One answer in the making.
pub struct Generation {
    _started: Instant,
}

impl Generation {
    /// Prepares an answer to `prompt`: tokens that the session already holds are kept, the rest will be run.
    ///
    /// # Errors
    /// [`EngineError::ContextFull`] when the prompt and one token more do not fit, [`EngineError::Option`].
    pub fn new(
        session: &mut Session,
        prompt: Vec<u32>,
        options: GenerationOptions,
        cancel: CancelFlag,
    ) -> Result<Generation, EngineError> {
        let _ = (session, prompt, options, cancel);
        unimplemented!()
    }

    /// Runs one chunk of the prompt or decodes one token. After [`Step::Finished`] it must not be called again.
    ///
    /// # Errors
    /// [`EngineError::Run`]. Cancelling is not an error: it finishes the answer.
    pub fn step(&mut self, session: &mut Session) -> Result<Step, EngineError> {
        let _ = session;
        unimplemented!()
    }
}

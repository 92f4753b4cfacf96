//! One answer, as a state machine: a chunk of the prompt or one token a step, so that several can take turns.

use std::time::{Duration, Instant};

use crate::clock::now;
use crate::{CancelFlag, EngineError, Sampler, SamplingOptions, Session, StopMatcher, TextStream};

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

impl Default for GenerationOptions {
    fn default() -> Self {
        GenerationOptions {
            max_tokens: 512,
            sampling: SamplingOptions::default(),
            stop: Vec::new(),
        }
    }
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

impl FinishReason {
    /// The name used in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            FinishReason::Stop => "stop",
            FinishReason::Length => "length",
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
}

/// What one step brought.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// A chunk of the prompt was run.
    Prefilled {
        /// Prompt tokens run so far, reused ones included.
        done: u32,
        /// Prompt tokens in all.
        total: u32,
    },
    /// One token was decoded; the text it completed may be empty.
    Text(String),
    /// The answer is complete.
    Finished {
        /// Text that had been held back.
        text: String,
        /// Counts and rates.
        statistics: Statistics,
    },
}

/// One answer in the making.
pub struct Generation {
    prompt: Vec<u32>,
    reused: usize,
    max_tokens: usize,
    sampler: Sampler,
    stream: TextStream,
    stop: StopMatcher,
    cancel: CancelFlag,
    /// Tokens of the answer so far; the last one has not been run yet.
    answer: Vec<u32>,
    started: Instant,
    first_token: Option<Duration>,
    prefilling: Duration,
    decoding: Duration,
    decoded: u32,
}

impl Generation {
    /// Prepares an answer to `prompt`: tokens that the session already holds are kept, the rest will be run.
    ///
    /// # Errors
    /// [`EngineError::ContextFull`] when the prompt and one token more do not fit (the session is then as it was),
    /// [`EngineError::Option`] for an option out of range or an empty prompt.
    pub fn new(
        session: &mut Session,
        prompt: Vec<u32>,
        options: GenerationOptions,
        cancel: CancelFlag,
    ) -> Result<Generation, EngineError> {
        let (needed, limit) = (prompt.len() as u64 + 1, u64::from(session.context_length()));
        if needed > limit {
            return Err(EngineError::ContextFull { needed, limit });
        }
        let range = |option, expected: &str| EngineError::Option {
            option,
            expected: expected.into(),
            found: "0".into(),
        };
        if prompt.is_empty() {
            return Err(range("prompt", "at least one token long"));
        }
        if options.max_tokens == 0 {
            return Err(range("max tokens", "at least 1"));
        }
        options.sampling.validate()?;
        let stop = StopMatcher::new(&options.stop)?;
        // The last prompt token is always run, since its logits are needed.
        let common = prompt.iter().zip(session.tokens()).take_while(|(a, b)| a == b).count();
        let reused = common.min(prompt.len() - 1);
        session.truncate(reused as u32);
        let room = session.context_length() as usize - prompt.len();
        Ok(Generation {
            reused,
            max_tokens: (options.max_tokens as usize).min(room),
            sampler: Sampler::new(&options.sampling),
            stream: TextStream::default(),
            stop,
            cancel,
            answer: Vec::new(),
            started: now(),
            first_token: None,
            prefilling: Duration::ZERO,
            decoding: Duration::ZERO,
            decoded: 0,
            prompt,
        })
    }

    /// The answer's tokens so far.
    #[must_use]
    pub fn answer(&self) -> &[u32] {
        &self.answer
    }

    /// Runs one chunk of the prompt or decodes one token. After [`Step::Finished`] it must not be called again.
    ///
    /// # Errors
    /// [`EngineError::Run`]. Cancelling is not an error: it finishes the answer.
    pub fn step(&mut self, session: &mut Session) -> Result<Step, EngineError> {
        if self.cancel.is_cancelled() {
            return Ok(self.finish(FinishReason::Cancelled, String::new()));
        }
        if self.answer.len() >= self.max_tokens {
            return Ok(self.finish(FinishReason::Length, String::new()));
        }
        let started = now();
        let step = match self.answer.last() {
            None => self.prefill(session, started),
            Some(last) => {
                let last = *last;
                let logits = session.logits(&[last], &self.cancel);
                let token = logits.map(|logits| sample(&mut self.sampler, &self.prompt, &self.answer, logits));
                self.decoding += started.elapsed();
                token.map(|token| {
                    self.decoded += 1;
                    self.accept(session, token)
                })
            }
        };
        match step {
            Err(EngineError::Cancelled) => Ok(self.finish(FinishReason::Cancelled, String::new())),
            other => other,
        }
    }

    fn prefill(&mut self, session: &mut Session, started: Instant) -> Result<Step, EngineError> {
        let done = session.tokens().len();
        let rest = &self.prompt[done..];
        if rest.len() > PREFILL_CHUNK {
            session.prefill(&rest[..PREFILL_CHUNK], &self.cancel)?;
            self.prefilling += started.elapsed();
            return Ok(Step::Prefilled {
                done: (done + PREFILL_CHUNK) as u32,
                total: self.prompt.len() as u32,
            });
        }
        let logits = session.logits(rest, &self.cancel)?;
        let token = sample(&mut self.sampler, &self.prompt, &self.answer, logits);
        self.prefilling += started.elapsed();
        self.first_token = Some(self.started.elapsed());
        Ok(self.accept(session, token))
    }

    fn accept(&mut self, session: &Session, token: u32) -> Step {
        let tokenizer = session.model().tokenizer();
        if tokenizer.end_of_turn().contains(&token) {
            return self.finish(FinishReason::Stop, String::new());
        }
        self.answer.push(token);
        let text = self.stream.push(tokenizer.decode_bytes(token));
        let text = self.stop.push(&text);
        if self.stop.is_stopped() {
            self.finish(FinishReason::Stop, text)
        } else {
            Step::Text(text)
        }
    }

    fn finish(&mut self, finish_reason: FinishReason, mut text: String) -> Step {
        let rest = self.stream.finish();
        text += &self.stop.push(&rest);
        text += &self.stop.finish();
        let rate = |tokens: u32, time: Duration| {
            if time.is_zero() {
                0.0
            } else {
                f64::from(tokens) / time.as_secs_f64()
            }
        };
        let run = if self.first_token.is_some() {
            (self.prompt.len() - self.reused) as u32
        } else {
            0
        };
        let statistics = Statistics {
            finish_reason,
            prompt_tokens: self.prompt.len() as u32,
            reused_tokens: self.reused as u32,
            completion_tokens: self.answer.len() as u32,
            dropped_messages: 0,
            time_to_first_token_ms: self.first_token.map_or(0.0, |time| time.as_secs_f64() * 1e3),
            total_ms: self.started.elapsed().as_secs_f64() * 1e3,
            prefill_tokens_per_second: rate(run, self.prefilling),
            decode_tokens_per_second: rate(self.decoded, self.decoding),
        };
        Step::Finished { text, statistics }
    }
}

/// Chooses the next token; prompt and answer together are what a repetition penalty looks back at.
fn sample(sampler: &mut Sampler, prompt: &[u32], answer: &[u32], logits: &mut [f32]) -> u32 {
    sampler.sample(logits, prompt, answer)
}

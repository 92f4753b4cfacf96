//! Our own engine on this device.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use whimbrel_engine::Step;
use whimbrel_inference::{InferenceError, Session, SessionOptions, Stream};
use whimbrel_policy::{Ended, Usage};
use whimbrel_record::{Code, FinishReason, Measured, Tokens};

use super::{Ask, Asking, Attempt, Backend, BoxFuture, Last, Part, Payload};
use crate::contexts::{Context, ContextFiles, ToSave};
use crate::{EngineError, Model, Statistics};

/// See the module.
pub(crate) struct OnDevice {
    model: Model,
    context: Arc<Context>,
    files: Option<ContextFiles>,
    options: SessionOptions,
    confidence: bool,
}

impl OnDevice {
    pub(crate) fn new(model: Model, asking: &Asking<'_>) -> OnDevice {
        OnDevice {
            model,
            context: asking.context.clone(),
            files: asking.files.cloned(),
            options: asking.options.clone(),
            confidence: asking.confidence,
        }
    }
}

impl Backend for OnDevice {
    fn ask(&self, mut ask: Ask) -> Box<dyn Attempt> {
        ask.options.confidence |= self.confidence;
        let (model, options) = (self.model.clone(), self.options.clone());
        let (context, files) = (self.context.clone(), self.files.clone());
        let begin = async move {
            let asked = Instant::now();
            let (stream, to_save) = match ask.payload {
                Payload::Messages(messages) => {
                    let session = context.slot.of(&model.open, options).await?;
                    let files = files.filter(|_| session.take_unused());
                    let to_save = match files {
                        Some(files) => files.fill(&context, &session, &messages, &ask.options).await,
                        None => None,
                    };
                    context.note_used();
                    let stream = session.ask(messages, ask.options).await?;
                    (stream, to_save.map(|to_save| (to_save, session)))
                }
                Payload::Raw { text, context_length } => {
                    let stream = model.open.continue_text(text, context_length, ask.options).await?;
                    (stream, None)
                }
                Payload::Cleared(_) => return Err(InferenceError::Stopped),
            };
            let begun_us = micros(asked.elapsed());
            Ok(Begun {
                stream,
                to_save,
                begun_us,
            })
        };
        Box::new(Generating {
            state: State::Beginning(Box::pin(begin)),
            to_save: None,
            begun_us: 0,
            parts: VecDeque::new(),
            is_stopped: false,
        })
    }
}

/// An answer that the engine makes.
struct Generating {
    state: State,
    /// What is saved of the session when the answer has ended.
    to_save: Option<(ToSave, Session)>,
    /// How long it took until the engine had the question, in microseconds.
    begun_us: u64,
    parts: VecDeque<Part>,
    is_stopped: bool,
}

/// An answer that the engine has begun.
struct Begun {
    stream: Stream,
    /// What is to be saved at its end.
    to_save: Option<(ToSave, Session)>,
    /// How long it took until the engine had the question, in microseconds.
    begun_us: u64,
}

enum State {
    Beginning(BoxFuture<'static, Result<Begun, InferenceError>>),
    Streaming(Stream),
}

impl Generating {
    async fn read(&mut self) -> Part {
        loop {
            if let Some(part) = self.parts.pop_front() {
                return part;
            }
            let steps = match &mut self.state {
                State::Beginning(_) if self.is_stopped => return Part::end(Code::NotBegun),
                State::Beginning(begin) => match begin.await {
                    Ok(begun) => {
                        self.state = State::Streaming(begun.stream);
                        self.to_save = begun.to_save;
                        self.begun_us = begun.begun_us;
                        continue;
                    }
                    Err(error) => return Part::end(failed(error)),
                },
                State::Streaming(stream) => stream.next().await,
            };
            match steps {
                Ok(steps) if steps.is_empty() => return Part::end(Code::Ended),
                Ok(steps) => steps.into_iter().for_each(|step| self.take(step)),
                Err(error) => return Part::end(failed(error)),
            }
        }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Prefilled { done, total } => self.parts.push_back(Part::Reading { done, total }),
            Step::Thinking(text) => self.parts.push_back(Part::Thinking(text)),
            Step::Text(text) => self.parts.push_back(Part::Text(text)),
            Step::Call(call) => self.parts.push_back(Part::Call(call)),
            Step::Finished { text, statistics } => {
                if !text.is_empty() {
                    self.parts.push_back(Part::Text(text));
                }
                self.parts.push_back(Part::end(finished(statistics, self.begun_us)));
                if let Some((to_save, session)) = self.to_save.take() {
                    to_save.save_aside(session);
                }
            }
        }
    }
}

impl Attempt for Generating {
    fn next(&mut self) -> BoxFuture<'_, Part> {
        Box::pin(self.read())
    }

    fn stop(&mut self) {
        self.is_stopped = true;
        if let State::Streaming(stream) = &self.state {
            stream.cancel();
        }
    }
}

fn finished(statistics: Statistics, begun_us: u64) -> Last {
    let usage = Usage {
        tokens: Tokens {
            input: u64::from(statistics.prompt_tokens),
            output: u64::from(statistics.completion_tokens),
        },
        mean_log_probability: statistics.mean_log_probability,
        ..Usage::default()
    };
    let result = match statistics.finish_reason {
        whimbrel_engine::FinishReason::Stop => Ok(FinishReason::Stop),
        whimbrel_engine::FinishReason::Length => Ok(FinishReason::Length),
        whimbrel_engine::FinishReason::ToolCall => Ok(FinishReason::ToolCalls),
        whimbrel_engine::FinishReason::Repetition => Ok(FinishReason::Repetition),
        whimbrel_engine::FinishReason::Cancelled => Ok(FinishReason::Cancelled),
        whimbrel_engine::FinishReason::Incomplete => Err(Code::NotInForm),
    };
    let ended = Ended {
        usage,
        ..result.map_or_else(Ended::failed, |reason| Ended::finished(reason, Usage::default()))
    };
    Last {
        measured: measured(&statistics, begun_us),
        statistics: Some(statistics),
        ..ended.into()
    }
}

/// What an answer took, of the engine's rates: they count the time in which it computed, not that in which others had their turns.
fn measured(statistics: &Statistics, begun_us: u64) -> Measured {
    let computed = |tokens: u32, rate: f64| match rate > 0.0 {
        true => (f64::from(tokens) / rate * 1e6) as u64,
        false => 0,
    };
    let prefill_tokens = statistics.prompt_tokens.saturating_sub(statistics.reused_tokens);
    let decode_tokens = statistics.completion_tokens.saturating_sub(1);
    let prefill_us = computed(prefill_tokens, statistics.prefill_tokens_per_second);
    let first_token_us = (statistics.time_to_first_token_ms * 1e3) as u64;
    Measured {
        load_us: begun_us + first_token_us.saturating_sub(prefill_us),
        prefill_us,
        decode_us: computed(decode_tokens, statistics.decode_tokens_per_second),
        prefill_tokens: u64::from(prefill_tokens),
        decode_tokens: u64::from(decode_tokens),
        ..Measured::default()
    }
}

/// Whole microseconds.
fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

fn failed(error: InferenceError) -> Last {
    let code = match &error {
        InferenceError::Busy => Code::Busy,
        InferenceError::Engine(EngineError::Memory { .. }) => Code::OutOfMemory,
        InferenceError::Engine(EngineError::ContextFull { .. }) => Code::ContextFull,
        InferenceError::Engine(EngineError::NoThinking) => Code::NoThinking,
        InferenceError::Engine(EngineError::Form { .. } | EngineError::Tool { .. }) => Code::Form,
        InferenceError::Closed { .. } => Code::Closed,
        _ => Code::Engine,
    };
    Last {
        error: Some(error.into()),
        ..code.into()
    }
}

//! One answer as a state machine: each step runs one chunk of the prompt or one decode run, so that several answers can take turns.

pub(crate) mod confidence;
mod formed;
mod repetition;
pub(crate) mod sampling;
mod speculation;
pub(crate) mod statistics;
pub(crate) mod stop;
pub(crate) mod text_stream;
pub(crate) mod thinking;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use self::confidence::Confidence;
use self::formed::{Formed, Next};
use self::repetition::Repetition;
use self::speculation::{Guess, Guesser};
use self::thinking::{Said, ThinkingSplitter};
use crate::clock::now;
use crate::constraint::{CallConstraint, keep};
use crate::session::costs::DRAFT_MAX;
use crate::{
    CancelFlag, ChatTemplate, Constraint, EngineError, FinishReason, Form, Model, Sampler, SamplingOptions, Scores,
    Session, Statistics, StopMatcher, TextStream, Tokenizer, ToolCall, ToolUse,
};

/// Maximum prompt tokens per step.
pub const PREFILL_CHUNK: usize = 128;

/// Options for generating an answer.
///
/// ```
/// use whimbrel_engine::{GenerationOptions, SamplingOptions};
///
/// let options = GenerationOptions {
///     max_tokens: 100,
///     stop: vec!["\n\n".into()],
///     sampling: SamplingOptions {
///         temperature: Some(0.7),
///         top_p: Some(0.9),
///         seed: Some(42),
///         ..SamplingOptions::default()
///     },
///     ..GenerationOptions::default()
/// };
/// assert!(options.sampling.validate().is_ok());
/// assert!(options.speculation, "it changes no answer");
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GenerationOptions {
    /// Maximum tokens, those of thoughts included; the answer then ends with [`FinishReason::Length`].
    pub max_tokens: u32,
    /// How the next token is chosen; what is left open, the model's card says.
    pub sampling: SamplingOptions,
    /// Stop strings. They end the answer and are not part of it. In thoughts they are not looked for.
    pub stop: Vec<String>,
    /// Whether a model that thinks before it answers does so; `None` leaves it to the model. A model that cannot think refuses `Some(true)`
    /// ([`EngineError::NoThinking`]) and ignores `Some(false)`. One that always thinks is only asked not to: what it thinks nevertheless
    /// comes as [`Step::Thinking`], as ever. Without effect on a text that is continued without a chat template.
    #[serde(default)]
    pub thinking: Option<bool>,
    /// Whether to use speculative decoding: tokens are guessed from the text so far and checked several at a time. It makes answers that
    /// repeat text faster, and changes no answer, whatever the sampling options.
    pub speculation: bool,
    /// Whether an answer ends with [`FinishReason::Repetition`] when it says the same over and over.
    #[serde(default = "yes")]
    pub repetition_guard: bool,
    /// Whether [`Statistics::mean_log_probability`] is wanted, which takes another look at the scores of every token.
    pub confidence: bool,
    /// The form that the answer must have. Thoughts before it are free. An answer that ends before it has the form, for whatever reason but that
    /// it was cancelled, ends with [`FinishReason::Incomplete`]. The repetition guard then ends an answer only where it may end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub form: Option<Form>,
    /// The question with nothing in it, for an answer that is one of several texts: then the one is given whose probability the question raises most
    /// over this one, and not the most likely one. It takes the model's preference for some words out of the answer, and a run for each choice.
    /// Only a [`crate::Chat`] does this, for a [`Form::Choice`] of at most [`crate::CALIBRATED_CHOICES_MAX`] texts, without stop strings and thoughts;
    /// everywhere else it has no effect, and the sampling has none here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<String>,
    /// The tools that the model may call in place of the answer, and what it has called. Only a [`crate::Chat`] offers them, and not together with a form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tools: Option<ToolUse>,
}

impl Default for GenerationOptions {
    fn default() -> Self {
        GenerationOptions {
            max_tokens: 512,
            sampling: SamplingOptions::default(),
            stop: Vec::new(),
            thinking: None,
            speculation: true,
            repetition_guard: true,
            confidence: false,
            form: None,
            calibration: None,
            tools: None,
        }
    }
}

fn yes() -> bool {
    true
}

/// What one step brought.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// A chunk of the prompt was run.
    Prefilled {
        /// Prompt tokens run so far, reused ones included.
        done: u32,
        /// Prompt tokens in total.
        total: u32,
    },
    /// The model thinks before it answers. The text, never empty, is not part of the answer.
    Thinking(String),
    /// One token was decoded, or several that had been guessed. The text that they completed may be empty.
    Text(String),
    /// The model calls a tool. The answer ends with it, with [`FinishReason::ToolCall`].
    Call(ToolCall),
    /// The answer is complete.
    Finished {
        /// The rest of the text that was held back.
        text: String,
        /// Token counts and rates.
        statistics: Statistics,
    },
}

/// An answer in progress, which continues a prompt of tokens.
///
/// ```
/// # use std::path::Path;
/// # use whimbrel_engine::{Model, OpenOptions};
/// use whimbrel_engine::{CancelFlag, FinishReason, Generation, GenerationOptions, Session, Step};
///
/// # fn main() -> Result<(), whimbrel_engine::EngineError> {
/// # let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared-models/tiny");
/// # let model = Model::open(Path::new(folder), &OpenOptions::default())?;
/// let mut session = Session::new(&model, 64)?;
/// let prompt = model.tokenizer().encode("one two three", false);
/// let options = GenerationOptions {
///     max_tokens: 5,
///     ..GenerationOptions::default()
/// };
/// let mut generation = Generation::new(&mut session, prompt, options, CancelFlag::default())?;
/// let statistics = loop {
///     if let Step::Finished { statistics, .. } = generation.step(&mut session)? {
///         break statistics;
///     }
/// };
/// assert_eq!(statistics.finish_reason, FinishReason::Length);
/// assert_eq!(generation.answer().len(), 5);
/// # Ok(())
/// # }
/// ```
pub struct Generation {
    /// The prompt and the answer so far. The last token of the answer has not been run yet, nor have those before it that the form forced.
    tokens: Vec<u32>,
    prompt_length: usize,
    reused: usize,
    max_tokens: usize,
    sampler: Sampler,
    stream: TextStream,
    thinking: Option<ThinkingSplitter>,
    formed: Option<Formed>,
    stop: StopMatcher,
    /// What the last step brought beside its first part.
    next: VecDeque<Step>,
    cancel: CancelFlag,
    guesser: Option<Guesser>,
    repetition: Option<Repetition>,
    started: Instant,
    first_token: Option<Duration>,
    prefilling: Duration,
    decoding: Duration,
    decoded: u32,
    drafted: u32,
    accepted: u32,
    confidence: Option<Confidence>,
}

impl Generation {
    /// Prepares an answer to `prompt`. Tokens that the session already holds are kept, as many as [`Session::truncate`] can, and the rest
    /// will be run.
    ///
    /// # Errors
    /// [`EngineError::ContextFull`] if the prompt and one more token do not fit (the session is then unchanged), [`EngineError::Option`]
    /// for an option out of range or an empty prompt, [`EngineError::Form`] for a form that cannot be used.
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
        let sampling = options.sampling.or(&session.model().card().sampling).resolve();
        sampling.validate()?;
        let stop = StopMatcher::new(&options.stop)?;
        let formed = match (
            &options.form,
            options.tools.as_ref().filter(|tools| !tools.tools.is_empty()),
        ) {
            (Some(_), Some(_)) => {
                return Err(EngineError::Option {
                    option: "tools",
                    expected: "given without a form of the answer".into(),
                    found: "both".into(),
                });
            }
            (Some(form), None) => Some(formed(session.model(), form, &options)?),
            (None, Some(tools)) => Some(calling(session.model(), tools, &options)?),
            (None, None) => None,
        };
        // The last prompt token is always run, since its logits are needed.
        let common = prompt.iter().zip(session.tokens()).take_while(|(a, b)| a == b).count();
        let common = common.min(prompt.len() - 1);
        let reused = session.truncate(common as u32) as usize;
        // Where texts have parted once they may do so again.
        session.mark_fork_at(common);
        let room = session.context_length() as usize - prompt.len();
        let max_tokens = (options.max_tokens as usize).min(room);
        let prompt_length = prompt.len();
        let mut tokens = prompt;
        tokens.reserve(max_tokens);
        Ok(Generation {
            tokens,
            prompt_length,
            reused,
            max_tokens,
            sampler: Sampler::new(&sampling),
            stream: TextStream::default(),
            thinking: None,
            formed,
            stop,
            next: VecDeque::new(),
            cancel,
            guesser: options.speculation.then(Guesser::default),
            repetition: options.repetition_guard.then(Repetition::default),
            started: now(),
            first_token: None,
            prefilling: Duration::ZERO,
            decoding: Duration::ZERO,
            decoded: 0,
            drafted: 0,
            accepted: 0,
            confidence: options.confidence.then(Confidence::default),
        })
    }

    /// Separates what the model thinks from its answer. Without this, its thoughts are part of the answer, with their marks.
    #[must_use]
    pub fn with_thinking(mut self, splitter: ThinkingSplitter) -> Generation {
        if let Some(formed) = &mut self.formed {
            formed.expect_thoughts(splitter.is_thinking());
        }
        Generation {
            thinking: Some(splitter),
            ..self
        }
    }

    /// Whether the model thought before it answered: the answer's text is then not that of all its tokens.
    #[must_use]
    pub fn has_thought(&self) -> bool {
        self.thinking.as_ref().is_some_and(ThinkingSplitter::has_thought)
    }

    /// Whether a call of a tool was begun, which is not part of the answer's text.
    #[must_use]
    pub fn has_called(&self) -> bool {
        self.formed.as_ref().is_some_and(Formed::is_calling)
    }

    /// The answer's tokens so far, those of thoughts included.
    #[must_use]
    pub fn answer(&self) -> &[u32] {
        &self.tokens[self.prompt_length..]
    }

    /// Runs one chunk of the prompt, or decodes one or more tokens. Must not be called after [`Step::Finished`].
    ///
    /// # Errors
    /// [`EngineError::Run`]; [`EngineError::Form`] if the form became too complex. Cancelling is not an error: it ends the answer.
    pub fn step(&mut self, session: &mut Session) -> Result<Step, EngineError> {
        let step = match self.next.pop_front() {
            Some(step) => step,
            None => match self.advance(session) {
                Err(EngineError::Cancelled) => self.bring(Some(FinishReason::Cancelled), Said::default()),
                step => step?,
            },
        };
        if let Step::Finished { .. } = step {
            session.mark_turn(session.tokens().len());
        }
        Ok(step)
    }

    fn advance(&mut self, session: &mut Session) -> Result<Step, EngineError> {
        if self.cancel.is_cancelled() {
            return Err(EngineError::Cancelled);
        }
        if self.answer().len() >= self.max_tokens {
            return Ok(self.bring(Some(FinishReason::Length), Said::default()));
        }
        if self.answer().is_empty() {
            // What the form fixes at the start is read together with the prompt.
            let mut said = Said::default();
            let finished = self.jump(session.model().tokenizer(), &mut said)?;
            if !self.answer().is_empty() {
                return Ok(self.bring(finished, said));
            }
        }
        if session.tokens().len() < self.prompt_length {
            self.prefill(session)
        } else {
            self.decode(session)
        }
    }

    fn prefill(&mut self, session: &mut Session) -> Result<Step, EngineError> {
        let started = now();
        let done = session.tokens().len();
        let rest = &self.tokens[done..];
        let chunk = session.chunk(rest.len());
        if rest.len() > chunk {
            session.prefill(&rest[..chunk], &self.cancel)?;
            self.prefilling += started.elapsed();
            return Ok(Step::Prefilled {
                done: (done + chunk).min(self.prompt_length) as u32,
                total: self.prompt_length as u32,
            });
        }
        let model = session.model().clone();
        let mut rows = session.scores_after(rest, 1, &self.cancel)?;
        let scores = rows.next().expect("the rest of a prompt is not empty");
        let token = self.choose(scores)?;
        drop(rows);
        // To answer anew, a session goes back to before the last token of the prompt.
        session.mark_turn(self.prompt_length - 1);
        self.prefilling += started.elapsed();
        self.first_token = Some(self.started.elapsed());
        let mut said = Said::default();
        let finished = match self.accept(model.tokenizer(), token, &mut said)? {
            None => self.jump(model.tokenizer(), &mut said)?,
            finished => finished,
        };
        Ok(self.bring(finished, said))
    }

    /// Makes the tokens that the form forces part of the answer. They are run together with the next token that the model chooses.
    fn jump(&mut self, tokenizer: &Tokenizer, said: &mut Said) -> Result<Option<FinishReason>, EngineError> {
        while self.answer().len() < self.max_tokens
            && let Some(token) = self.formed.as_mut().and_then(Formed::next_forced)
        {
            let finished = self.accept(tokenizer, token, said)?;
            if finished.is_some() {
                return Ok(finished);
            }
        }
        Ok(None)
    }

    /// Runs the last token and what is guessed to follow it. Tokens are chosen one after the other from the scores of their
    /// places; the first one that was guessed wrongly is the last that the run gives, and what was run behind it is forgotten.
    fn decode(&mut self, session: &mut Session) -> Result<Step, EngineError> {
        let started = now();
        let before = session.tokens().len();
        let pending = self.tokens.len() - before;
        if pending > PREFILL_CHUNK {
            session.prefill(&self.tokens[before..before + PREFILL_CHUNK], &self.cancel)?;
            self.decoding += started.elapsed();
            return Ok(Step::Text(String::new()));
        }
        let guess = self.guess(session);
        let drafted = guess.tokens().len();
        let mut run = [0; PREFILL_CHUNK + DRAFT_MAX];
        let run = &mut run[..pending + drafted];
        run[..pending].copy_from_slice(&self.tokens[before..]);
        run[pending..].copy_from_slice(guess.tokens());

        let model = session.model().clone();
        let answered = self.answer().len();
        let rows = session.scores_after(run, 1 + drafted as u32, &self.cancel)?;
        let (mut said, mut finished, mut chosen) = (Said::default(), None, 0);
        let mut tokens = [0; 1 + DRAFT_MAX];
        for scores in rows {
            let token = self.choose(scores)?;
            finished = self.accept(model.tokenizer(), token, &mut said)?;
            tokens[chosen] = token;
            chosen += 1;
            if finished.is_some() || guess.tokens().get(chosen - 1) != Some(&token) {
                break;
            }
        }
        session.truncate((before + pending - 1 + chosen) as u32);
        if finished.is_none() {
            finished = self.jump(model.tokenizer(), &mut said)?;
        }
        let elapsed = started.elapsed();
        if pending == 1 {
            session.costs_mut().learn(1 + drafted, elapsed.as_secs_f64());
        }
        if let Some(guesser) = &mut self.guesser {
            guesser.learn(&guess, &tokens[..chosen]);
        }
        self.decoding += elapsed;
        // An end of turn counts too: it was decoded.
        self.decoded += chosen.max(self.answer().len() - answered) as u32;
        self.drafted += drafted as u32;
        let agreed = guess.tokens().iter().zip(&tokens[..chosen]).take_while(|(a, b)| a == b);
        self.accepted += agreed.count() as u32;
        Ok(self.bring(finished, said))
    }

    /// What may follow the last tokens, as far as it is worth running and the form allows it.
    fn guess(&mut self, session: &Session) -> Guess {
        let room = self.max_tokens - self.answer().len() - 1;
        let Some(guesser) = &self.guesser else {
            return Guess::default();
        };
        let mut guess = guesser.guess(&self.tokens, room, session.costs());
        if let (Some(formed), false) = (&mut self.formed, guess.tokens().is_empty()) {
            guess.cut(formed.allowed(guess.tokens()));
        }
        guess
    }

    /// The next token: the one that the form forces, or one that the sampler chooses among those that it allows.
    fn choose(&mut self, mut scores: Scores<'_>) -> Result<u32, EngineError> {
        let next = match &mut self.formed {
            Some(formed) => formed.next()?,
            None => Next::Free,
        };
        if let Next::Forced(token) = next {
            return Ok(token);
        }
        if let Some(confidence) = &mut self.confidence {
            confidence.look(scores.logits);
        }
        if let Next::Among(mask) = &next {
            keep(mask, &mut scores);
        }
        let (prompt, answer) = self.tokens.split_at(self.prompt_length);
        let token = self.sampler.choose(scores, prompt, answer);
        if let Some(confidence) = &mut self.confidence {
            confidence.learn(token);
        }
        Ok(token)
    }

    /// Makes a token part of the answer and adds what can be shown of it to `said`. Says why the answer ends with it, if so.
    fn accept(
        &mut self,
        tokenizer: &Tokenizer,
        token: u32,
        said: &mut Said,
    ) -> Result<Option<FinishReason>, EngineError> {
        if tokenizer.end_of_turn().contains(&token) {
            return Ok(Some(FinishReason::Stop));
        }
        self.tokens.push(token);
        let is_complete = match &mut self.formed {
            Some(formed) => formed.take(token)?,
            None => false,
        };
        let piece = self.stream.push(tokenizer.decode_bytes(token));
        if let (Some(formed), Some(thinking)) = (&self.formed, &mut self.thinking)
            && formed.is_answering()
        {
            thinking.expect_answer();
        }
        self.take(piece, said);
        if let (Some(formed), Some(thinking)) = (&mut self.formed, &self.thinking)
            && !thinking.is_thinking()
        {
            formed.end_thinking();
        }
        if self.stop.is_stopped() || is_complete {
            return Ok(Some(FinishReason::Stop));
        }
        let answer = &self.tokens[self.prompt_length..];
        let repetition = self.repetition.as_mut();
        let repeats = repetition.is_some_and(|repetition| repetition.take(answer));
        let may_end = |formed: &mut Formed| !formed.is_answering() || formed.may_end();
        let ends = repeats && self.formed.as_mut().is_none_or(may_end);
        Ok(ends.then_some(FinishReason::Repetition))
    }

    /// Adds what can be shown of a piece of text.
    fn take(&mut self, piece: String, said: &mut Said) {
        let piece = match &mut self.thinking {
            Some(thinking) => thinking.push(&piece),
            None => Said::answer(piece),
        };
        said.thinking += &piece.thinking;
        let shown = self.hear(piece.text);
        self.show(&shown, said);
    }

    /// What can be shown of a piece of the answer.
    fn hear(&mut self, piece: String) -> String {
        let text = match &mut self.formed {
            Some(formed) => formed.hear(piece),
            None => piece,
        };
        self.stop.push(&text)
    }

    fn show(&mut self, text: &str, said: &mut Said) {
        if let Some(formed) = &mut self.formed {
            formed.show(text);
        }
        said.text += text;
    }

    /// The step that brings what was said, and the end of the answer if there is a reason for it. Thoughts and a call take steps of their own.
    fn bring(&mut self, finished: Option<FinishReason>, mut said: Said) -> Step {
        if finished.is_some() {
            let rest = self.stream.finish();
            self.take(rest, &mut said);
            let rest = self.thinking.as_mut().map(ThinkingSplitter::finish).unwrap_or_default();
            said.thinking += &rest.thinking;
            let mut shown = self.hear(rest.text);
            if let Some(formed) = &mut self.formed {
                shown += &self.stop.push(&formed.rest());
            }
            shown += &self.stop.finish();
            self.show(&shown, &mut said);
        }
        let Said { thinking, text } = said;
        if !thinking.is_empty() {
            self.next.push_back(Step::Thinking(thinking));
        }
        match finished {
            Some(reason) => {
                let call = match (reason, &mut self.formed) {
                    (FinishReason::Stop, Some(formed)) => formed.call(),
                    _ => None,
                };
                let reason = match call {
                    Some(_) => FinishReason::ToolCall,
                    None => self.end(reason),
                };
                let statistics = self.statistics(reason);
                self.next.extend(call.map(Step::Call));
                self.next.push_back(Step::Finished { text, statistics });
            }
            None if text.is_empty() && !self.next.is_empty() => {}
            None => self.next.push_back(Step::Text(text)),
        }
        self.next.pop_front().expect("there is always a step")
    }

    /// Why the answer ends: whatever ends it, under a form it may only be called finished if it has the form.
    fn end(&self, reason: FinishReason) -> FinishReason {
        match &self.formed {
            Some(formed) if reason != FinishReason::Cancelled && !formed.is_whole() => FinishReason::Incomplete,
            _ => reason,
        }
    }

    fn statistics(&self, finish_reason: FinishReason) -> Statistics {
        let rate = |tokens: u32, time: Duration| {
            if time.is_zero() {
                0.0
            } else {
                f64::from(tokens) / time.as_secs_f64()
            }
        };
        let run = if self.first_token.is_some() {
            (self.prompt_length - self.reused) as u32
        } else {
            0
        };
        Statistics {
            finish_reason,
            prompt_tokens: self.prompt_length as u32,
            reused_tokens: self.reused as u32,
            completion_tokens: self.answer().len() as u32,
            drafted_tokens: self.drafted,
            accepted_tokens: self.accepted,
            forced_tokens: self.formed.as_ref().map_or(0, Formed::forced_tokens),
            dropped_messages: 0,
            time_to_first_token_ms: self.first_token.map_or(0.0, |time| time.as_secs_f64() * 1e3),
            total_ms: self.started.elapsed().as_secs_f64() * 1e3,
            prefill_tokens_per_second: rate(run, self.prefilling),
            decode_tokens_per_second: rate(self.decoded, self.decoding),
            mean_log_probability: self.confidence.as_ref().and_then(Confidence::mean),
        }
    }
}

/// Prepares the form of an answer.
fn formed(model: &Model, form: &Form, options: &GenerationOptions) -> Result<Formed, EngineError> {
    let tokenizer = model.tokenizer();
    if let Form::Choice(choices) = form {
        let tokens = choices.iter().map(|choice| tokenizer.encode_rest(choice).len() as u64);
        let shortest = tokens.min().unwrap_or(0);
        if shortest > u64::from(options.max_tokens) {
            return Err(EngineError::Option {
                option: "max tokens",
                expected: format!("at least {shortest}, the tokens of the shortest choice"),
                found: options.max_tokens.to_string(),
            });
        }
    }
    let constraint = Constraint::new(&model.vocabulary()?, form)?;
    Ok(Formed::new(constraint, opens_thoughts(model, options)))
}

/// Prepares an answer that may be a call.
fn calling(model: &Model, tools: &ToolUse, options: &GenerationOptions) -> Result<Formed, EngineError> {
    tools.validate_names()?;
    let Some(template) = model.chat_template() else {
        return Err(EngineError::Option {
            option: "tools",
            expected: "given to a model with a chat template".into(),
            found: "a model without one".into(),
        });
    };
    let format = template.calls();
    // What is wrong with a tool is best said about the tool alone.
    let call = CallConstraint::new(&model.vocabulary()?, format, tools)
        .map_err(|error| tools.validate().err().unwrap_or(error))?;
    let open = opens_thoughts(model, options);
    Ok(Formed::calling(call, format.clone(), tools.choice, open))
}

/// The token that opens a block of thoughts, if the model may think: under a form it can open one only with a token of its own.
fn opens_thoughts(model: &Model, options: &GenerationOptions) -> Option<u32> {
    let marks = model.chat_template().and_then(ChatTemplate::thinking);
    let open = marks.and_then(|marks| model.tokenizer().token_id(marks.open.as_bytes()));
    open.filter(|_| options.thinking != Some(false))
}

//! Chooses one of several texts as an answer: the one that the question makes likelier than the same question with nothing in it does ("domain
//! conditional PMI", Holtzman et al. 2021, arXiv:2104.08315; "contextual calibration", Zhao et al. 2021, arXiv:2102.09690). A small model prefers
//! some words whatever it reads; this takes the preference out. As with [`crate::Generation`], each step runs a part, so that answers can take turns.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::clock::now;
use crate::generation::confidence::log_sum;
use crate::{CancelFlag, EngineError, FinishReason, Form, GenerationOptions, Session, Statistics, Step};

/// The most choices of an answer that is calibrated; with more the answer is generated. Each takes a run of its own.
pub const CALIBRATED_CHOICES_MAX: u32 = 64;

/// How many lists of probabilities a model remembers.
const PRIORS_MAX: usize = 32;

/// An answer in the making. The first prompt is the question with nothing in it.
pub(crate) struct Choosing {
    prompts: [Vec<u32>; 2],
    choices: Vec<Choice>,
    /// By which the first prompt's probabilities are remembered.
    key: blake3::Hash,
    /// Which prompt is looked at, and which choice is next behind it.
    at: (usize, usize),
    /// Scores for the first token of each choice, while a prompt is looked at.
    first: Option<Vec<f64>>,
    /// The natural logarithm of each choice's probability behind the first prompt.
    priors: Vec<f64>,
    /// And behind the second.
    scores: Vec<f64>,
    /// Tokens of the second prompt that the session held before.
    reused: usize,
    chosen: Option<usize>,
    cancel: CancelFlag,
    started: Instant,
    prefilling: Duration,
    prefilled: u32,
    is_confidence_wanted: bool,
}

struct Choice {
    text: String,
    ids: Vec<u32>,
}

/// The probabilities of choices behind questions with nothing in them, so that they are computed once for many texts. Nothing of a text is in it.
#[derive(Default)]
pub(crate) struct Priors {
    known: Mutex<VecDeque<(blake3::Hash, Vec<f64>)>>,
}

impl Priors {
    fn find(&self, key: blake3::Hash) -> Option<Vec<f64>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known
            .iter()
            .find(|(other, _)| *other == key)
            .map(|(_, priors)| priors.clone())
    }

    fn remember(&self, key: blake3::Hash, priors: &[f64]) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|(other, _)| *other != key);
        known.truncate(PRIORS_MAX - 1);
        known.push_front((key, priors.to_vec()));
    }
}

impl Choosing {
    /// `None` if these options do not ask for it, or the answer cannot be chosen in this way.
    ///
    /// # Errors
    /// [`EngineError::ContextFull`] if the prompt and the longest choice do not fit; [`EngineError::Form`].
    pub(crate) fn new(
        session: &mut Session,
        prompts: [Vec<u32>; 2],
        options: &GenerationOptions,
        cancel: CancelFlag,
    ) -> Result<Option<Choosing>, EngineError> {
        let Some(form @ Form::Choice(texts)) = &options.form else {
            return Ok(None);
        };
        form.validate()?;
        let tokenizer = session.model().tokenizer();
        let choices = texts.iter().map(|text| Choice {
            text: text.clone(),
            ids: tokenizer.encode_rest(text),
        });
        let fits = |choice: &Choice| (1..=options.max_tokens as usize).contains(&choice.ids.len());
        let choices: Vec<Choice> = choices.filter(fits).collect();
        let longest = choices.iter().map(|choice| choice.ids.len()).max();
        let longest = match longest {
            Some(longest) if texts.len() <= CALIBRATED_CHOICES_MAX as usize => longest,
            _ => return Ok(None),
        };
        let needed = prompts.iter().map(Vec::len).max().unwrap_or(0) + longest;
        let (needed, limit) = (needed as u64, u64::from(session.context_length()));
        if needed > limit {
            return Err(EngineError::ContextFull { needed, limit });
        }
        let key = key(&prompts[0], &choices);
        let priors = session.model().priors().find(key).unwrap_or_default();
        let at = usize::from(!priors.is_empty());
        let reused = go_back(session, &prompts[at]).min(common(&prompts[at], &prompts[1]));
        Ok(Some(Choosing {
            at: (at, 0),
            key,
            prompts,
            choices,
            first: None,
            priors,
            scores: Vec::new(),
            reused,
            chosen: None,
            cancel,
            started: now(),
            prefilling: Duration::ZERO,
            prefilled: 0,
            is_confidence_wanted: options.confidence,
        }))
    }

    /// The tokens of the answer.
    pub(crate) fn answer(&self) -> &[u32] {
        self.chosen.map_or(&[], |chosen| &self.choices[chosen].ids)
    }

    /// Runs a chunk of a prompt, or a choice. Must not be called after [`Step::Finished`].
    ///
    /// # Errors
    /// [`EngineError::Run`]. Cancelling is not an error: it ends the answer.
    pub(crate) fn step(&mut self, session: &mut Session) -> Result<Step, EngineError> {
        match self.advance(session) {
            Err(EngineError::Cancelled) => Ok(self.finish(FinishReason::Cancelled)),
            step => step,
        }
    }

    fn advance(&mut self, session: &mut Session) -> Result<Step, EngineError> {
        if self.cancel.is_cancelled() {
            return Err(EngineError::Cancelled);
        }
        let (prompt, choice) = self.at;
        let Some(ids) = self.prompts.get(prompt) else {
            session.model().priors().remember(self.key, &self.priors);
            let raised = self.scores.iter().zip(&self.priors).map(|(score, prior)| score - prior);
            // Of several that are raised most, the first one that was named.
            let best = (0..)
                .zip(raised)
                .reduce(|best, next| if next.1 > best.1 { next } else { best });
            self.chosen = best.map(|(index, _)| index);
            return Ok(self.finish(FinishReason::Stop));
        };
        let Some(first) = &self.first else {
            return self.read(session);
        };
        let Some(Choice { ids: of_choice, .. }) = self.choices.get(choice) else {
            self.first = None;
            self.at = (prompt + 1, 0);
            return Ok(Step::Text(String::new()));
        };
        // Behind the prompt again, as far as the session could go back.
        let kept = session.truncate(ids.len() as u32) as usize;
        if kept < ids.len() {
            session.prefill(&ids[kept..], &self.cancel)?;
        }
        let mut sum = first[choice];
        let ends = session.model().tokenizer().end_of_turn().to_vec();
        let rows = session.scores_after(of_choice, of_choice.len() as u32, &self.cancel)?;
        let next = of_choice[1..].iter().map(std::slice::from_ref).chain([&ends[..]]);
        for (scores, wanted) in rows.zip(next).filter(|(_, wanted)| !wanted.is_empty()) {
            sum += log_probability(scores.logits, wanted);
        }
        match prompt {
            0 => self.priors.push(sum),
            _ => self.scores.push(sum),
        }
        self.at.1 += 1;
        Ok(Step::Text(String::new()))
    }

    /// Runs the next chunk of the prompt. Its last token gives the scores for the first token of each choice.
    fn read(&mut self, session: &mut Session) -> Result<Step, EngineError> {
        let started = now();
        let (prompt, _) = self.at;
        let ids = &self.prompts[prompt];
        let kept = go_back(session, ids);
        let rest = &ids[kept..];
        let chunk = session.chunk(rest.len());
        if chunk < rest.len() {
            session.prefill(&rest[..chunk], &self.cancel)?;
        } else {
            let mut rows = session.scores_after(rest, 1, &self.cancel)?;
            let scores = rows.next().expect("the rest of a prompt is not empty");
            let first = self
                .choices
                .iter()
                .map(|choice| log_probability(scores.logits, &choice.ids[..1]));
            self.first = Some(first.collect());
            drop(rows);
            session.mark_turn(ids.len());
        }
        self.prefilling += started.elapsed();
        self.prefilled += chunk as u32;
        match prompt {
            0 => Ok(Step::Text(String::new())),
            _ => Ok(Step::Prefilled {
                done: (kept + chunk) as u32,
                total: ids.len() as u32,
            }),
        }
    }

    fn finish(&self, finish_reason: FinishReason) -> Step {
        let seconds = self.prefilling.as_secs_f64();
        let total_ms = self.started.elapsed().as_secs_f64() * 1e3;
        let tokens = self.answer().len() as u32;
        let chosen = self
            .chosen
            .map(|chosen| (&self.choices[chosen].text, self.scores[chosen]));
        Step::Finished {
            text: chosen.map(|(text, _)| text.clone()).unwrap_or_default(),
            statistics: Statistics {
                finish_reason,
                prompt_tokens: self.prompts[1].len() as u32,
                reused_tokens: self.reused as u32,
                completion_tokens: tokens,
                drafted_tokens: 0,
                accepted_tokens: 0,
                forced_tokens: 0,
                dropped_messages: 0,
                time_to_first_token_ms: if tokens > 0 { total_ms } else { 0.0 },
                total_ms,
                prefill_tokens_per_second: if seconds > 0.0 {
                    f64::from(self.prefilled) / seconds
                } else {
                    0.0
                },
                decode_tokens_per_second: 0.0,
                // The end of the turn was one of the tokens.
                mean_log_probability: chosen
                    .filter(|_| self.is_confidence_wanted)
                    .map(|(_, score)| score / f64::from(tokens + 1)),
            },
        }
    }
}

/// Takes a session back to where it agrees with a prompt whose last token is still to be run; how many tokens that keeps.
fn go_back(session: &mut Session, ids: &[u32]) -> usize {
    let common = common(ids, session.tokens()).min(ids.len() - 1);
    match common < session.tokens().len() {
        true => {
            let kept = session.truncate(common as u32) as usize;
            // Where texts have parted once they may do so again.
            session.mark_fork_at(common);
            kept
        }
        false => common,
    }
}

/// How many of the first tokens are the same.
fn common(one: &[u32], other: &[u32]) -> usize {
    one.iter().zip(other).take_while(|(a, b)| a == b).count()
}

fn key(prompt: &[u32], choices: &[Choice]) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    for ids in std::iter::once(prompt).chain(choices.iter().map(|choice| &choice.ids[..])) {
        hasher.update(&(ids.len() as u64).to_le_bytes());
        for id in ids {
            hasher.update(&id.to_le_bytes());
        }
    }
    hasher.finalize()
}

/// The natural logarithm of the probability that one of these tokens is next.
fn log_probability(logits: &[f32], wanted: &[u32]) -> f64 {
    let (highest, log_sum) = log_sum(logits);
    let wanted = wanted.iter().map(|id| f64::from(logits[*id as usize] - highest).exp());
    wanted.sum::<f64>().ln() - log_sum
}

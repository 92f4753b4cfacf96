//! Samples the next token from the model's scores.
//!
//! The steps and their order are those of llama.cpp's default chain (`common/sampling.cpp`), as far as they are implemented here:
//! repetition penalty (Keskar et al. 2019, CTRL, section 4.1), top-k (Fan et al. 2018), top-p (Holtzman et al. 2020), min-p (Nguyen et al.
//! 2024), temperature, and then a random draw. Top-p and min-p therefore use the model's own probabilities, and temperature only affects
//! the remaining tokens.
//!
//! The same options and scores give the same tokens on every platform: the generator is PCG XSL-RR 128/64, and the exponential function is
//! our own, made of basic arithmetic, because the system's implementations differ in their last bits.
//!
//! A vocabulary has tens or hundreds of thousands of scores, few of which matter. The model's head notes the largest of each group while it
//! writes them. Only groups that can contain a likely token are examined again. All scores are examined only where all count: for top-p
//! over the whole vocabulary, and where every token can be drawn.

#[cfg(test)]
mod tests;

use std::cmp::Ordering;

use rand_pcg::Pcg64;
use rand_pcg::rand_core::Rng;
use serde::{Deserialize, Serialize};

use whimbrel_kernels::{exp_weights, group_maxima};

use crate::EngineError;
use crate::session::scores::{SCORE_GROUP, Scores};

/// The highest temperature.
const TEMPERATURE_MAX: f32 = 100.0;
/// The strongest repetition penalty.
const REPETITION_PENALTY_MAX: f32 = 100.0;
/// How many candidates top-p looks at first; each further try takes four times as many.
const LIKELIEST_FIRST: usize = 256;

/// How tokens are chosen, as far as somebody said so. A value of `None` is taken from the model's card ([`crate::ModelCard`]), and where that says
/// nothing either, from [`Sampling::default`].
///
/// ```
/// use whimbrel_engine::{Sampling, SamplingOptions};
///
/// let model = SamplingOptions {
///     repetition_penalty: Some(1.1),
///     ..SamplingOptions::default()
/// };
/// let asked = SamplingOptions {
///     temperature: Some(0.7),
///     ..SamplingOptions::default()
/// };
/// let sampling = asked.or(&model).resolve();
/// assert_eq!((sampling.temperature, sampling.repetition_penalty), (0.7, 1.1));
/// assert_eq!(SamplingOptions::default().resolve(), Sampling::default());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SamplingOptions {
    /// See [`Sampling::temperature`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f32>,
    /// See [`Sampling::top_k`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_k: Option<u32>,
    /// See [`Sampling::top_p`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f32>,
    /// See [`Sampling::min_p`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_p: Option<f32>,
    /// See [`Sampling::repetition_penalty`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repetition_penalty: Option<f32>,
    /// See [`Sampling::repetition_window`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repetition_window: Option<u32>,
    /// See [`Sampling::seed`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
}

impl SamplingOptions {
    /// Greedy, whatever the model's card says.
    #[must_use]
    pub fn greedy() -> SamplingOptions {
        Sampling::default().into()
    }

    /// These options, and `defaults` for what they leave open.
    #[must_use]
    pub fn or(&self, defaults: &SamplingOptions) -> SamplingOptions {
        SamplingOptions {
            temperature: self.temperature.or(defaults.temperature),
            top_k: self.top_k.or(defaults.top_k),
            top_p: self.top_p.or(defaults.top_p),
            min_p: self.min_p.or(defaults.min_p),
            repetition_penalty: self.repetition_penalty.or(defaults.repetition_penalty),
            repetition_window: self.repetition_window.or(defaults.repetition_window),
            seed: self.seed.or(defaults.seed),
        }
    }

    /// A value for everything.
    #[must_use]
    pub fn resolve(&self) -> Sampling {
        let defaults = Sampling::default();
        Sampling {
            temperature: self.temperature.unwrap_or(defaults.temperature),
            top_k: self.top_k.unwrap_or(defaults.top_k),
            top_p: self.top_p.unwrap_or(defaults.top_p),
            min_p: self.min_p.unwrap_or(defaults.min_p),
            repetition_penalty: self.repetition_penalty.unwrap_or(defaults.repetition_penalty),
            repetition_window: self.repetition_window.unwrap_or(defaults.repetition_window),
            seed: self.seed.unwrap_or(defaults.seed),
        }
    }

    /// Checks that every option that is given is in its range.
    ///
    /// # Errors
    /// As [`Sampling::validate`].
    pub fn validate(&self) -> Result<(), EngineError> {
        self.resolve().validate()
    }
}

impl From<Sampling> for SamplingOptions {
    fn from(from: Sampling) -> SamplingOptions {
        SamplingOptions {
            temperature: Some(from.temperature),
            top_k: Some(from.top_k),
            top_p: Some(from.top_p),
            min_p: Some(from.min_p),
            repetition_penalty: Some(from.repetition_penalty),
            repetition_window: Some(from.repetition_window),
            seed: Some(from.seed),
        }
    }
}

/// How tokens are chosen. The default is greedy: always the most likely token.
#[derive(Clone, Debug, PartialEq)]
pub struct Sampling {
    /// 0 (default): greedy. Below 1 likely tokens become likelier, above 1 less likely. At most 100.
    pub temperature: f32,
    /// Considers only this many of the most likely tokens; 0 (default) means all.
    pub top_k: u32,
    /// Considers only the most likely tokens that together reach this probability; 1 (default) means all.
    pub top_p: f32,
    /// Considers only tokens at least this fraction as likely as the most likely one; 0 (default) means all.
    pub min_p: f32,
    /// Divides the scores of recent tokens (or multiplies them, if negative); 1 (default) switches it off. At most 100.
    pub repetition_penalty: f32,
    /// How many tokens back count as recent.
    pub repetition_window: u32,
    /// Equal seeds give equal answers.
    pub seed: u64,
}

impl Default for Sampling {
    fn default() -> Self {
        Self {
            temperature: 0.0,
            top_k: 0,
            top_p: 1.0,
            min_p: 0.0,
            repetition_penalty: 1.0,
            repetition_window: 64,
            seed: 0,
        }
    }
}

impl Sampling {
    /// Checks that every option is in its range.
    ///
    /// ```
    /// use whimbrel_engine::Sampling;
    ///
    /// let options = Sampling {
    ///     top_p: 1.5,
    ///     ..Sampling::default()
    /// };
    /// let error = options.validate().unwrap_err();
    /// assert_eq!(error.to_string(), "top_p must be from 0 to 1, not 1.5");
    /// ```
    ///
    /// # Errors
    /// [`EngineError::Option`] with the first option that is not.
    pub fn validate(&self) -> Result<(), EngineError> {
        in_range("temperature", self.temperature, 0.0, TEMPERATURE_MAX)?;
        in_range("top_p", self.top_p, 0.0, 1.0)?;
        in_range("min_p", self.min_p, 0.0, 1.0)?;
        in_range(
            "repetition_penalty",
            self.repetition_penalty,
            1.0 / REPETITION_PENALTY_MAX,
            REPETITION_PENALTY_MAX,
        )
    }
}

fn in_range(option: &'static str, value: f32, low: f32, high: f32) -> Result<(), EngineError> {
    // A NaN is in no range.
    if (low..=high).contains(&value) {
        return Ok(());
    }
    Err(EngineError::Option {
        option,
        expected: format!("from {low} to {high}"),
        found: value.to_string(),
    })
}

/// A token that may be chosen.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    score: f32,
    id: u32,
}

/// Chooses tokens by [`Sampling`]. It keeps its working space, so that only the first token allocates.
///
/// ```
/// use whimbrel_engine::{Sampler, Sampling};
///
/// let logits = [0.5, 3.0, 2.9, -1.0];
/// let choose = |options: &Sampling| Sampler::new(options).sample(&mut logits.clone(), &[], &[]);
/// // Greedy by default.
/// assert_eq!(choose(&Sampling::default()), 1);
///
/// // Token 1 was just said, and is penalised for it.
/// let options = Sampling {
///     repetition_penalty: 1.3,
///     ..Sampling::default()
/// };
/// assert_eq!(Sampler::new(&options).sample(&mut logits.clone(), &[1], &[]), 2);
///
/// // Equal seeds give equal choices, here among the two likeliest.
/// let options = Sampling {
///     temperature: 1.0,
///     top_k: 2,
///     seed: 7,
///     ..Sampling::default()
/// };
/// assert_eq!(choose(&options), choose(&options));
/// assert!([1, 2].contains(&choose(&options)));
/// ```
#[derive(Clone, Debug)]
pub struct Sampler {
    options: Sampling,
    generator: Pcg64,
    candidates: Vec<Candidate>,
    /// Relative to the likeliest candidate, which has 1; one for each candidate.
    weights: Vec<f64>,
    /// Scores to be weighed, or maxima to be sorted.
    scores: Vec<f32>,
    /// For each token the number of the call that penalised it last.
    penalised: Vec<u64>,
    calls: u64,
}

impl Sampler {
    /// Starts a sequence of choices. The options are taken to be valid ([`Sampling::validate`]).
    pub fn new(options: &Sampling) -> Self {
        // The stream is the one that PCG's reference implementation uses in its demonstrations.
        let generator = Pcg64::new(u128::from(options.seed), 0xa02bdbf7bb3c0a7ac28fa16a64abf96);
        Self {
            options: options.clone(),
            generator,
            candidates: Vec::new(),
            weights: Vec::new(),
            scores: Vec::new(),
            penalised: Vec::new(),
            calls: 0,
        }
    }

    /// Like [`Sampler::choose`], from logits alone.
    pub fn sample(&mut self, logits: &mut [f32], prompt: &[u32], answer: &[u32]) -> u32 {
        let mut maxima = vec![f32::NEG_INFINITY; logits.len().div_ceil(SCORE_GROUP)];
        group_maxima(logits, &mut maxima);
        let maxima = &mut maxima;
        self.choose(Scores { logits, maxima }, prompt, answer)
    }

    /// Chooses a token. `prompt` followed by `answer` are the tokens so far, of which the last
    /// [`Sampling::repetition_window`] are penalised (their scores change in place).
    ///
    /// Of equal scores, the one with the lower id comes first. NaN counts as the lowest score. Without any scores the choice is 0.
    pub fn choose(&mut self, mut scores: Scores<'_>, prompt: &[u32], answer: &[u32]) -> u32 {
        self.penalise(&mut scores, prompt, answer);
        if self.options.temperature == 0.0 {
            return greedy(&scores);
        }
        let Sampling {
            top_k, top_p, min_p, ..
        } = self.options;
        if top_k > 0 {
            self.take_likeliest(&scores, top_k as usize);
            if top_p < 1.0 {
                self.weigh(1.0);
                let target = f64::from(top_p) * self.weights.iter().sum::<f64>();
                self.keep_mass(target);
            }
        } else if top_p < 1.0 {
            self.take_mass(&scores, f64::from(top_p));
        } else {
            self.take_above(&scores, f64::from(min_p).ln());
        }
        if min_p > 0.0 {
            self.weigh(1.0);
            let mut weights = self.weights.iter();
            let is_likely = |_: &Candidate| weights.next().is_some_and(|weight| *weight >= f64::from(min_p));
            self.candidates.retain(is_likely);
        }
        self.weigh(f64::from(self.options.temperature));
        self.draw()
    }

    fn penalise(&mut self, scores: &mut Scores<'_>, prompt: &[u32], answer: &[u32]) {
        let penalty = self.options.repetition_penalty;
        if penalty == 1.0 {
            return;
        }
        self.calls += 1;
        self.penalised.resize(scores.logits.len(), 0);
        let recent = answer
            .iter()
            .rev()
            .chain(prompt.iter().rev())
            .take(self.options.repetition_window as usize);
        for &id in recent {
            let id = id as usize;
            let (Some(logit), Some(last)) = (scores.logits.get_mut(id), self.penalised.get_mut(id)) else {
                continue;
            };
            if std::mem::replace(last, self.calls) != self.calls {
                *logit = if *logit > 0.0 {
                    *logit / penalty
                } else {
                    *logit * penalty
                };
                let group = id / SCORE_GROUP;
                let logits = scores.logits.chunks(SCORE_GROUP).nth(group).unwrap_or_default();
                group_maxima(logits, &mut scores.maxima[group..=group]);
            }
        }
    }

    /// Makes the `count` likeliest tokens candidates, sorted.
    fn take_likeliest(&mut self, scores: &Scores<'_>, count: usize) {
        // As many groups have a score of at least the count's largest maximum, so as many scores are.
        let mut threshold = f32::NEG_INFINITY;
        if count < scores.maxima.len() {
            self.scores.clear();
            self.scores.extend_from_slice(scores.maxima);
            let descending = |a: &f32, b: &f32| b.total_cmp(a);
            threshold = *self.scores.select_nth_unstable_by(count - 1, descending).1;
        }
        self.take_from(scores, threshold);
        if count < self.candidates.len() {
            self.candidates.select_nth_unstable_by(count, by_likelihood);
            self.candidates.truncate(count);
        }
        self.candidates.sort_unstable_by(by_likelihood);
    }

    /// Makes the likeliest tokens candidates, as few as reach this share of all probability, sorted. One always stays.
    fn take_mass(&mut self, scores: &Scores<'_>, share: f64) {
        self.take_from(scores, f32::NEG_INFINITY);
        self.weigh(1.0);
        let target = share * self.weights.iter().sum::<f64>();
        let mut count = LIKELIEST_FIRST;
        loop {
            self.take_likeliest(scores, count);
            self.weigh(1.0);
            if self.keep_mass(target) || count >= scores.logits.len() {
                return;
            }
            count *= 4;
        }
    }

    /// Makes the tokens candidates, in the order of their ids, whose scores are at most so far below the highest, and perhaps some
    /// more.
    fn take_above(&mut self, scores: &Scores<'_>, distance: f64) {
        // What rounding may cost is far below 1.
        let threshold = f64::from(highest(scores)) + distance - 1.0;
        self.take_from(scores, threshold as f32);
    }

    /// Makes the tokens candidates, in the order of their ids, whose scores are at least `threshold`; with negative infinity all.
    fn take_from(&mut self, scores: &Scores<'_>, threshold: f32) {
        self.candidates.clear();
        // Scores count as finite ones, so what is infinite or no number must not fall out here.
        let all = threshold <= f32::MIN;
        let threshold = threshold.min(f32::MAX);
        let groups = (0..).step_by(SCORE_GROUP).zip(scores.logits.chunks(SCORE_GROUP));
        for ((first, group), maximum) in groups.zip(scores.maxima.iter()) {
            if all || *maximum >= threshold {
                let own = (first..).zip(group).filter(|(_, logit)| all || **logit >= threshold);
                let own = own.map(|(id, logit)| Candidate {
                    score: score(*logit),
                    id,
                });
                self.candidates.extend(own);
            }
        }
    }

    /// Keeps the first candidates, as few as reach this weight together, or all if they do not; whether they did.
    fn keep_mass(&mut self, target: f64) -> bool {
        let mut mass = 0.0;
        let enough = self.weights.iter().position(|weight| {
            mass += weight;
            mass >= target
        });
        if let Some(last) = enough {
            self.candidates.truncate(last + 1);
        }
        enough.is_some()
    }

    /// Sets the weights to e^((score - highest score) / temperature).
    fn weigh(&mut self, temperature: f64) {
        self.scores.clear();
        self.scores
            .extend(self.candidates.iter().map(|candidate| candidate.score));
        let highest = self.scores.iter().copied().fold(f32::MIN, f32::max);
        self.weights.resize(self.scores.len(), 0.0);
        exp_weights(&self.scores, highest, temperature, &mut self.weights);
    }

    /// Draws one of the candidates by their weights, in the order in which they stand.
    fn draw(&mut self) -> u32 {
        // The upper 53 bits make a number from 0 up to, not including, 1.
        let uniform = (self.generator.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
        let total: f64 = self.weights.iter().sum();
        let mut left = uniform * total;
        let mut chosen = 0;
        let weighed = self.candidates.iter().zip(&self.weights);
        for (candidate, weight) in weighed.filter(|(_, weight)| **weight > 0.0) {
            chosen = candidate.id;
            left -= weight;
            if left < 0.0 {
                break;
            }
        }
        chosen
    }
}

/// The id of the highest score, the lowest of several.
fn greedy(scores: &Scores<'_>) -> u32 {
    let highest = scores.maxima.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let group = scores
        .maxima
        .iter()
        .position(|maximum| *maximum == highest)
        .unwrap_or(0);
    let logits = scores.logits.iter().enumerate().skip(group * SCORE_GROUP);
    let mut logits = logits.filter(|(_, logit)| **logit == highest && highest > f32::NEG_INFINITY);
    logits.next().map_or(0, |(id, _)| id as u32)
}

/// The highest score; the lowest there is when none is a number.
fn highest(scores: &Scores<'_>) -> f32 {
    score(scores.maxima.iter().copied().fold(f32::NEG_INFINITY, f32::max))
}

/// A score that can be compared and subtracted: not a number counts as the lowest, infinity as the largest finite.
fn score(logit: f32) -> f32 {
    if logit.is_nan() {
        f32::MIN
    } else {
        logit.clamp(f32::MIN, f32::MAX)
    }
}

/// The likeliest first, of equal ones the lower id.
fn by_likelihood(first: &Candidate, second: &Candidate) -> Ordering {
    second.score.total_cmp(&first.score).then(first.id.cmp(&second.id))
}

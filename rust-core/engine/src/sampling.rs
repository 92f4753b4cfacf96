//! Choosing the next token from the model's scores.
//!
//! The steps and their order are those of llama.cpp's default chain (`common/sampling.cpp`), as far as we have them:
//! repetition penalty (Keskar et al. 2019, CTRL, section 4.1), top-k (Fan et al. 2018), top-p (Holtzman et al. 2020), min-p
//! (Nguyen et al. 2024), temperature, and then a draw. So top-p and min-p judge the model's own probabilities, and
//! temperature only spreads what they left over.
//!
//! The same options and scores give the same tokens on every platform: the generator is PCG XSL-RR 128/64, and the exponential
//! function is computed here from basic arithmetic, because the system's differ in their last bits.

#[cfg(test)]
mod tests;

use std::cmp::Ordering;

use rand_pcg::Pcg64;
use rand_pcg::rand_core::Rng;

use crate::EngineError;

/// The highest temperature.
const TEMPERATURE_MAX: f32 = 100.0;
/// The strongest repetition penalty.
const REPETITION_PENALTY_MAX: f32 = 100.0;
/// How many candidates top-p sorts at first; each further try takes four times as many.
const SORTED_FIRST: usize = 256;

/// How tokens are chosen. The default is greedy: always the most likely token.
#[derive(Clone, Debug, PartialEq)]
pub struct SamplingOptions {
    /// 0 (default): greedy. Below 1 likely tokens become likelier, above 1 less likely. At most 100.
    pub temperature: f32,
    /// Only this many of the likeliest tokens; 0 (default): all.
    pub top_k: u32,
    /// Only the likeliest tokens that together reach this probability; 1 (default): all.
    pub top_p: f32,
    /// Only tokens at least this many times as likely as the likeliest; 0 (default): all.
    pub min_p: f32,
    /// What the scores of recent tokens are divided by (multiplied, if negative); 1 (default): off. At most 100.
    pub repetition_penalty: f32,
    /// How many tokens back count as recent.
    pub repetition_window: u32,
    /// Equal seeds give equal answers.
    pub seed: u64,
}

impl Default for SamplingOptions {
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

impl SamplingOptions {
    /// Checks that every option is in its range.
    ///
    /// # Errors
    /// [`EngineError::Option`] naming the first that is not.
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
    /// Relative to the likeliest candidate, which has 1.
    weight: f64,
}

/// Chooses tokens by [`SamplingOptions`]. It keeps its working space, so that only the first token allocates.
#[derive(Clone, Debug)]
pub struct Sampler {
    options: SamplingOptions,
    generator: Pcg64,
    candidates: Vec<Candidate>,
    /// For each token the number of the call that penalised it last.
    penalised: Vec<u64>,
    calls: u64,
}

impl Sampler {
    /// Starts a sequence of choices. The options are taken to be valid ([`SamplingOptions::validate`]).
    pub fn new(options: &SamplingOptions) -> Self {
        // The stream is the one that PCG's reference implementation uses in its demonstrations.
        let generator = Pcg64::new(u128::from(options.seed), 0xa02bdbf7bb3c0a7ac28fa16a64abf96);
        Self {
            options: options.clone(),
            generator,
            candidates: Vec::new(),
            penalised: Vec::new(),
            calls: 0,
        }
    }

    /// Chooses a token from `logits`, one score a token. `prompt` followed by `answer` are the tokens so far, of which the last
    /// [`SamplingOptions::repetition_window`] are penalised (their scores change in place).
    ///
    /// Of equal scores the lower id comes first; a score that is not a number counts as the lowest. Without any score the
    /// choice is 0.
    pub fn sample(&mut self, logits: &mut [f32], prompt: &[u32], answer: &[u32]) -> u32 {
        self.penalise(logits, prompt, answer);
        if self.options.temperature == 0.0 {
            return greedy(logits);
        }
        self.candidates.clear();
        let scored = (0..).zip(logits.iter()).map(|(id, &logit)| Candidate {
            score: score(logit),
            id,
            weight: 0.0,
        });
        self.candidates.extend(scored);
        if self.options.top_k > 0 {
            keep_likeliest(&mut self.candidates, self.options.top_k as usize);
        }
        if self.options.top_p < 1.0 {
            weigh(&mut self.candidates, 1.0);
            keep_mass(&mut self.candidates, f64::from(self.options.top_p));
        }
        if self.options.min_p > 0.0 {
            weigh(&mut self.candidates, 1.0);
            let least = f64::from(self.options.min_p);
            self.candidates.retain(|candidate| candidate.weight >= least);
        }
        weigh(&mut self.candidates, f64::from(self.options.temperature));
        self.draw()
    }

    fn penalise(&mut self, logits: &mut [f32], prompt: &[u32], answer: &[u32]) {
        let penalty = self.options.repetition_penalty;
        if penalty == 1.0 {
            return;
        }
        self.calls += 1;
        self.penalised.resize(logits.len(), 0);
        let recent = answer
            .iter()
            .rev()
            .chain(prompt.iter().rev())
            .take(self.options.repetition_window as usize);
        for &id in recent {
            let (Some(logit), Some(last)) = (logits.get_mut(id as usize), self.penalised.get_mut(id as usize)) else {
                continue;
            };
            if std::mem::replace(last, self.calls) != self.calls {
                *logit = if *logit > 0.0 {
                    *logit / penalty
                } else {
                    *logit * penalty
                };
            }
        }
    }

    /// Draws one of the candidates by their weights, in the order in which they stand.
    fn draw(&mut self) -> u32 {
        // The upper 53 bits make a number from 0 up to, not including, 1.
        let uniform = (self.generator.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
        let total: f64 = self.candidates.iter().map(|candidate| candidate.weight).sum();
        let mut left = uniform * total;
        let mut chosen = 0;
        for candidate in self.candidates.iter().filter(|candidate| candidate.weight > 0.0) {
            chosen = candidate.id;
            left -= candidate.weight;
            if left < 0.0 {
                break;
            }
        }
        chosen
    }
}

/// The id of the highest score, the lowest of several.
fn greedy(logits: &[f32]) -> u32 {
    let mut best = (f32::NEG_INFINITY, 0);
    for (id, &logit) in (0..).zip(logits) {
        if logit > best.0 {
            best = (logit, id);
        }
    }
    best.1
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

/// Keeps the `count` likeliest, sorted.
fn keep_likeliest(candidates: &mut Vec<Candidate>, count: usize) {
    sort_start(candidates, count);
    candidates.truncate(count);
}

/// Brings the `count` likeliest to the start, sorted.
fn sort_start(candidates: &mut [Candidate], count: usize) {
    if count < candidates.len() {
        candidates.select_nth_unstable_by(count, by_likelihood);
    }
    let count = count.min(candidates.len());
    candidates[..count].sort_unstable_by(by_likelihood);
}

/// Sets the weights to e^((score - highest score) / temperature).
fn weigh(candidates: &mut [Candidate], temperature: f64) {
    let highest = candidates
        .iter()
        .map(|candidate| candidate.score)
        .fold(f32::MIN, f32::max);
    for candidate in candidates {
        candidate.weight = exp_of_negative((f64::from(candidate.score) - f64::from(highest)) / temperature);
    }
}

/// Keeps the likeliest candidates, as few as reach this share of the whole weight, sorted. One always stays.
fn keep_mass(candidates: &mut Vec<Candidate>, share: f64) {
    let target = share * candidates.iter().map(|candidate| candidate.weight).sum::<f64>();
    let mut sorted = SORTED_FIRST;
    loop {
        sort_start(candidates, sorted);
        let mut mass = 0.0;
        let enough = candidates.iter().take(sorted).position(|candidate| {
            mass += candidate.weight;
            mass >= target
        });
        if let Some(last) = enough {
            candidates.truncate(last + 1);
            return;
        }
        if sorted >= candidates.len() {
            return;
        }
        sorted *= 4;
    }
}

/// e^x for x up to 0, with a relative error below 1e-14; 0 below -700.
///
/// x is split into n ln 2 + r with |r| up to ln 2 / 2; e^r is its Taylor series to the 13th power and 2^n is put together
/// from bits. Only additions, multiplications and one rounding, which IEEE 754 defines to the last bit.
fn exp_of_negative(x: f64) -> f64 {
    const LOWEST: f64 = -700.0;
    // The upper part of ln 2 has its last 20 bits clear, so that n times it is exact.
    const LN_2_HIGH: f64 = f64::from_bits(0x3fe6_2e42_fee0_0000);
    const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;
    const TERMS: u32 = 13;
    if x.is_nan() || x < LOWEST {
        return 0.0;
    }
    let n = (x * std::f64::consts::LOG2_E).round();
    let r = x - n * LN_2_HIGH - n * LN_2_LOW;
    let series = (1..=TERMS).rev().fold(1.0, |sum, term| 1.0 + sum * r / f64::from(term));
    let power_of_two = f64::from_bits(((n as i64 + 1023) as u64) << 52);
    series * power_of_two
}

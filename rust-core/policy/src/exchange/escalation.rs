//! Whether an answer from this device that looks weak may be offered again elsewhere. The user decides whether to accept the offer. The
//! rules were applied when the plan was made, so only candidates of the plan are offered.

use std::collections::HashSet;
use std::hash::Hash;

use serde::{Deserialize, Serialize};

use crate::plan::Plan;

/// Tokens in a row that count as one repeated piece.
const PIECE_TOKENS: usize = 4;

/// A model's confidence in its answer.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub struct Confidence {
    /// Tokens of the answer.
    pub tokens: u32,
    /// Mean natural logarithm of each token's probability.
    pub mean_log_probability: f32,
    /// The share of the answer that repeats earlier parts of it, 0 to 1; see [`repetition_ratio`].
    pub repetition_ratio: f32,
}

/// The thresholds at which an answer looks weak. The defaults are a choice, not a measurement: the right values depend on the model.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct EscalationThresholds {
    /// A mean log-probability below this looks weak. −1.5 is a mean probability of about 0.22 per token.
    pub mean_log_probability_min: f32,
    /// A repetition ratio above this looks weak.
    pub repetition_ratio_max: f32,
    /// Shorter answers are not judged by their probabilities.
    pub tokens_min: u32,
}

impl Default for EscalationThresholds {
    fn default() -> Self {
        Self {
            mean_log_probability_min: -1.5,
            repetition_ratio_max: 0.5,
            tokens_min: 8,
        }
    }
}

/// Why an answer looks weak.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Weakness {
    /// The model's mean probability was low.
    Unsure,
    /// The answer repeats itself.
    Repetitive,
}

/// An offer to ask elsewhere.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Escalation {
    /// The reason.
    pub because: Weakness,
    /// The indices in [`Plan::candidates`] of the candidates that may be asked, in the order of the plan.
    pub candidates: Vec<u32>,
}

/// The share of tokens that are part of a sequence of four tokens that occurred earlier in the same answer; 0 for answers shorter than five
/// tokens.
#[must_use]
pub fn repetition_ratio<T: Eq + Hash>(tokens: &[T]) -> f32 {
    if tokens.len() <= PIECE_TOKENS {
        return 0.0;
    }
    let mut seen = HashSet::new();
    let mut repeated = vec![false; tokens.len()];
    for (start, piece) in tokens.windows(PIECE_TOKENS).enumerate() {
        if !seen.insert(piece) {
            repeated[start..start + PIECE_TOKENS].fill(true);
        }
    }
    repeated.iter().filter(|repeated| **repeated).count() as f32 / tokens.len() as f32
}

/// Whether and where the answer of a candidate of the plan may be offered again. `None` if it looks sound, did not come from this device,
/// or no other place is allowed.
#[must_use]
pub fn escalation(
    plan: &Plan,
    answered: u32,
    confidence: &Confidence,
    thresholds: &EscalationThresholds,
) -> Option<Escalation> {
    let answered = plan.candidates.get(answered as usize)?;
    if answered.place().is_remote() {
        return None;
    }
    let is_judged = confidence.tokens >= thresholds.tokens_min;
    let because = if confidence.repetition_ratio > thresholds.repetition_ratio_max {
        Weakness::Repetitive
    } else if is_judged && confidence.mean_log_probability < thresholds.mean_log_probability_min {
        Weakness::Unsure
    } else {
        return None;
    };
    let others = (0..).zip(&plan.candidates);
    let others = others.filter(|(_, candidate)| candidate.place() != answered.place());
    let candidates: Vec<u32> = others.map(|(place, _)| place).collect();
    (!candidates.is_empty()).then_some(Escalation { because, candidates })
}

//! Whether an answer from this device that looks weak may be offered again elsewhere. The offer is the user's to take; the rules were
//! asked when the plan was made, so only candidates of the plan are offered.

use std::collections::HashSet;
use std::hash::Hash;

use serde::{Deserialize, Serialize};

use crate::plan::Plan;

/// Tokens in a row that count as one repeated piece.
const PIECE_TOKENS: usize = 4;

/// How sure a model was of its answer.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub struct Confidence {
    /// Tokens of the answer.
    pub tokens: u32,
    /// Mean natural logarithm of the probability that each token had.
    pub mean_log_probability: f32,
    /// The share of the answer that repeats itself, 0 to 1; see [`repetition_ratio`].
    pub repetition_ratio: f32,
}

/// From where on an answer looks weak. The defaults are a choice, not a measurement: they depend on the model.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct EscalationThresholds {
    /// A mean log-probability below this looks weak. −1.5 is a mean probability of about 0.22 a token.
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
    /// The model was not sure of its words.
    Unsure,
    /// It repeats itself.
    Repetitive,
}

/// An offer to ask elsewhere.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Escalation {
    /// Why.
    pub because: Weakness,
    /// The places in [`Plan::candidates`] of what may be asked, in the order of the plan.
    pub candidates: Vec<u32>,
}

/// The share of tokens that lie in a piece of four tokens which occurred before in the same answer; 0 for answers shorter than five.
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

/// Whether the answer of a candidate of the plan may be offered again elsewhere, and where. `None` when it looks sound, did not come from this
/// device, or nothing else is allowed.
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

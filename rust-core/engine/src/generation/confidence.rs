//! The model's probabilities for the tokens of an answer.

/// Scores so far below the highest add nothing that counts: e⁻²⁰ each.
const NEGLIGIBLE: f32 = -20.0;

/// Adds up how likely the chosen tokens were.
#[derive(Default)]
pub(super) struct Confidence {
    /// The scores as the model gave them; the form and the sampler change them.
    scores: Vec<f32>,
    log_probabilities: f64,
    tokens: u32,
}

impl Confidence {
    /// Notes the scores from which the next token is chosen.
    pub(super) fn look(&mut self, scores: &[f32]) {
        self.scores.clear();
        self.scores.extend_from_slice(scores);
    }

    pub(super) fn learn(&mut self, token: u32) {
        let (highest, log_sum) = log_sum(&self.scores);
        self.log_probabilities += f64::from(self.scores[token as usize] - highest) - log_sum;
        self.tokens += 1;
    }

    pub(super) fn mean(&self) -> Option<f64> {
        (self.tokens > 0).then(|| self.log_probabilities / f64::from(self.tokens))
    }
}

/// The highest score, and the logarithm of the sum of all as multiples of it: a token's log probability is its score less the two.
pub(crate) fn log_sum(scores: &[f32]) -> (f32, f64) {
    let highest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let differences = scores.iter().map(|score| score - highest);
    let sum: f64 = differences
        .filter(|difference| *difference > NEGLIGIBLE)
        .map(|difference| f64::from(difference.exp()))
        .sum();
    (highest, sum.ln())
}

//! The model's probabilities for the tokens of an answer.

/// Adds up how likely the chosen tokens were.
#[derive(Default)]
pub(super) struct Confidence {
    /// The scores as the model gave them; the form and the sampler change them.
    scores: Vec<f32>,
    log_probabilities: f64,
    tokens: u32,
}

impl Confidence {
    /// Scores so far below the highest add nothing that counts: e⁻²⁰ each.
    const NEGLIGIBLE: f32 = -20.0;

    /// Notes the scores from which the next token is chosen.
    pub(super) fn look(&mut self, scores: &[f32]) {
        self.scores.clear();
        self.scores.extend_from_slice(scores);
    }

    pub(super) fn learn(&mut self, token: u32) {
        let highest = self.scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let differences = self.scores.iter().map(|score| score - highest);
        let sum: f64 = differences
            .filter(|difference| *difference > Self::NEGLIGIBLE)
            .map(|difference| f64::from(difference.exp()))
            .sum();
        self.log_probabilities += f64::from(self.scores[token as usize] - highest) - sum.ln();
        self.tokens += 1;
    }

    pub(super) fn mean(&self) -> Option<f64> {
        (self.tokens > 0).then(|| self.log_probabilities / f64::from(self.tokens))
    }
}

//! How long runs of several tokens take, measured while answers are generated. It determines how many guessed tokens are worth running.

/// The most tokens that are run beside the last one.
pub(crate) const DRAFT_MAX: usize = 8;
/// What each further token of a run is taken to cost, as a part of a single token, before it was measured.
const ROW_COST: f64 = 0.2;
/// How much a new measurement counts.
const COST_SHARE: f64 = 0.2;
/// How far an old measurement moves back to the assumption with each single token, so that a bad one is tried again.
const COST_FADE: f64 = 0.005;

/// What runs of several tokens cost, measured in runs of one token.
#[derive(Debug)]
pub(crate) struct RunCosts {
    /// Seconds of a run of one token; 0 before one was seen.
    single: f64,
    /// Runs of 2, 3 … tokens.
    several: [f64; DRAFT_MAX],
}

impl Default for RunCosts {
    fn default() -> Self {
        RunCosts {
            single: 0.0,
            several: std::array::from_fn(assumed),
        }
    }
}

fn assumed(index: usize) -> f64 {
    1.0 + ROW_COST * (index + 1) as f64
}

impl RunCosts {
    /// Notes how long a run of `rows` tokens took.
    pub(crate) fn learn(&mut self, rows: usize, seconds: f64) {
        if rows == 1 {
            let share = if self.single == 0.0 { 1.0 } else { COST_SHARE };
            self.single += share * (seconds - self.single);
            for (index, cost) in self.several.iter_mut().enumerate() {
                *cost += COST_FADE * (assumed(index) - *cost);
            }
        } else if let Some(cost) = self.several.get_mut(rows - 2)
            && self.single > 0.0
        {
            // A run of several is never worse than as many runs of one; what seems so was disturbed.
            let measured = (seconds / self.single).clamp(1.0, rows as f64);
            *cost += COST_SHARE * (measured - *cost);
        }
    }

    /// Nothing is known before a single token was run.
    pub(crate) fn known(&self) -> Option<&[f64; DRAFT_MAX]> {
        (self.single > 0.0).then_some(&self.several)
    }
}

//! The cost of an attempt: the endpoint's prices times the tokens that it reported, or the estimated tokens if it reported none.

use super::Ended;
use crate::document::PolicySet;
use crate::plan::Candidate;

/// The price of a candidate, in millionths of the policy's currency.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Price {
    /// For 1000 prompt tokens.
    pub prompt_per_1k_micros: u64,
    /// For 1000 answer tokens.
    pub answer_per_1k_micros: u64,
}

impl Price {
    /// The price in the policy. Places on the device cost nothing.
    #[must_use]
    pub fn of(candidate: &Candidate, policies: &PolicySet) -> Price {
        let endpoint = candidate.endpoint_id().and_then(|id| policies.app().endpoint(id));
        endpoint.map_or_else(Price::default, |endpoint| Price {
            prompt_per_1k_micros: endpoint.prompt_cost_per_1k_micros,
            answer_per_1k_micros: endpoint.answer_cost_per_1k_micros,
        })
    }

    /// What one attempt cost.
    pub(super) fn cost_micros(self, candidate: &Candidate, ended: &Ended) -> u64 {
        let usage = &ended.usage;
        if candidate.endpoint_id().is_none() {
            return 0;
        }
        if usage.tokens.input == 0 {
            // Nobody counted: what was expected counts.
            return if ended.is_free() {
                0
            } else {
                candidate.expected().cost_micros
            };
        }
        let cost = |tokens: u64, per_1k: u64| tokens.saturating_mul(per_1k).div_ceil(1000);
        cost(usage.tokens.input, self.prompt_per_1k_micros)
            .saturating_add(cost(usage.tokens.output, self.answer_per_1k_micros))
    }
}

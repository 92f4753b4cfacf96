//! An averaged perceptron with a margin, in whole numbers, so that the same examples give the same weights on every machine.

use whimbrel_privacy::training::WEIGHTS;

/// An example whose score is no farther than that on the right side is learned from.
const MARGIN: i64 = 150;
/// Averages are kept in parts of one in so many.
const FINENESS: i64 = 1024;

/// The weights while they are learned.
pub(crate) struct Perceptron {
    weights: Vec<i64>,
    /// The sum of a weight over all examples before `since`.
    sums: Vec<i64>,
    /// The example at which a weight was last changed.
    since: Vec<i64>,
    examples: i64,
}

impl Perceptron {
    pub(crate) fn new() -> Perceptron {
        Perceptron {
            weights: vec![0; WEIGHTS],
            sums: vec![0; WEIGHTS],
            since: vec![0; WEIGHTS],
            examples: 0,
        }
    }

    /// Changes the weights of `features` unless their score is far enough on the right side.
    pub(crate) fn learn(&mut self, features: &[u32], is_name: bool) {
        self.examples += 1;
        let score: i64 = features.iter().map(|&place| self.weights[place as usize]).sum();
        let sign = if is_name { 1 } else { -1 };
        if score * sign > MARGIN {
            return;
        }
        for &place in features {
            let place = place as usize;
            self.sums[place] += self.weights[place] * (self.examples - self.since[place]);
            self.since[place] = self.examples;
            self.weights[place] += sign;
        }
    }

    /// The averages of the weights in one byte each, as large as they can be when one in two thousand is cut off.
    pub(crate) fn weights(self) -> impl Iterator<Item = i8> {
        let average = |place: usize| {
            let rest = self.weights[place] * (self.examples - self.since[place]);
            (self.sums[place] + rest) * FINENESS / self.examples.max(1)
        };
        let averages: Vec<i64> = (0..self.weights.len()).map(average).collect();
        let mut sizes: Vec<i64> = averages
            .iter()
            .map(|weight| weight.abs())
            .filter(|&size| size > 0)
            .collect();
        sizes.sort_unstable();
        let largest = sizes.iter().rev().nth(sizes.len() / 2000).copied().unwrap_or(1);
        let byte = move |weight: i64| (weight * 127 / largest).clamp(-127, 127) as i8;
        averages.into_iter().map(byte)
    }
}

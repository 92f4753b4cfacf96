//! A partial softmax: the state of some queries before every position has been processed.

use super::TILE;
use crate::elementwise::exp;
use crate::kv::HEAD_DIM_MAX;

/// A softmax that is not finished: for each query the maximum of the scores so far, the sum of their exponentials and the sum
/// of the values weighted with them (Milakov and Gimelshein 2018, "Online normalizer calculation for softmax").
pub(crate) struct Partial {
    pub(super) maximums: [f32; TILE],
    pub(super) totals: [f32; TILE],
    pub(super) sums: [[f32; HEAD_DIM_MAX]; TILE],
}

impl Partial {
    /// Nothing seen yet, for heads of `dim` values.
    pub(super) fn empty(dim: usize) -> Partial {
        let mut partial = Partial {
            maximums: [0.0; TILE],
            totals: [0.0; TILE],
            sums: [[0.0; HEAD_DIM_MAX]; TILE],
        };
        partial.clear(dim);
        partial
    }

    pub(super) fn clear(&mut self, dim: usize) {
        self.maximums = [f32::NEG_INFINITY; TILE];
        self.totals = [0.0; TILE];
        self.sums.iter_mut().for_each(|sums| sums[..dim].fill(0.0));
    }

    /// Length of what [`Partial::write`] writes.
    pub(super) const fn written(dim: usize) -> usize {
        dim + 2
    }

    /// Maximum, total and sums of one query in a row.
    pub(super) fn write(&self, query: usize, to: &mut [f32]) {
        let (head, sums) = to.split_at_mut(2);
        head.copy_from_slice(&[self.maximums[query], self.totals[query]]);
        sums.copy_from_slice(&self.sums[query][..sums.len()]);
    }

    /// Adds what [`Partial::write`] wrote.
    pub(super) fn merge(&mut self, query: usize, other: &[f32]) {
        let (maximum, total, others) = (other[0], other[1], &other[2..]);
        let highest = self.maximums[query].max(maximum);
        if highest == f32::NEG_INFINITY {
            return;
        }
        let (own, its) = (
            exp::<false>(self.maximums[query] - highest),
            exp::<false>(maximum - highest),
        );
        self.maximums[query] = highest;
        self.totals[query] = self.totals[query] * own + total * its;
        for (sum, other) in self.sums[query].iter_mut().zip(others) {
            *sum = *sum * own + other * its;
        }
    }

    pub(super) fn finish(&self, query: usize, y: &mut [f32]) {
        let inverse = 1.0 / self.totals[query];
        for (y, sum) in y.iter_mut().zip(&self.sums[query]) {
            *y = sum * inverse;
        }
    }
}

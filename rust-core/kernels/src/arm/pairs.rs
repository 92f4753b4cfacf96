//! Two rows of activations in the order in which matrix products (`smmla`) read them. They are made once, when the rows are quantised, and read
//! by every panel of weights.

use crate::activations::ActivationBlock;
use crate::tensor_type::BLOCK_COLUMNS;

/// A block of 32 columns of two rows, `a` and `b`. What stands here four times two is a register: `[a, b, a, b]`.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C, align(16))]
pub(crate) struct PairBlock {
    pub(crate) scales: [f32; 4],
    pub(crate) weighted_sums: [f32; 4],
    /// What sums of Q4_0's codes start from: [`ActivationBlock::start`] of both rows.
    pub(crate) start: [i32; 4],
    /// Of each 16 columns two registers: fours 0 and 2 of row `a`, then of row `b`; fours 1 and 3 likewise.
    pub(crate) values: [[i8; 16]; BLOCK_COLUMNS / 8],
}

/// Fills the pairs of some rows of `columns` values. The last row of an odd number is its own partner.
pub(crate) fn fill_pairs(blocks: &[ActivationBlock], columns: usize, pairs: &mut [PairBlock]) {
    let length = columns / BLOCK_COLUMNS;
    for (rows, pairs) in blocks.chunks(2 * length).zip(pairs.chunks_exact_mut(length)) {
        let (a, b) = rows.split_at(length);
        let b = if b.is_empty() { a } else { b };
        for ((a, b), pair) in a.iter().zip(b).zip(pairs) {
            *pair = PairBlock::of(a, b);
        }
    }
}

impl PairBlock {
    #[inline(always)]
    fn of(a: &ActivationBlock, b: &ActivationBlock) -> PairBlock {
        let mut values = [[0; 16]; BLOCK_COLUMNS / 8];
        for (register, values) in values.iter_mut().enumerate() {
            let first = register / 2 * 16 + register % 2 * 4;
            values[..4].copy_from_slice(&a.values[first..first + 4]);
            values[4..8].copy_from_slice(&a.values[first + 8..first + 12]);
            values[8..12].copy_from_slice(&b.values[first..first + 4]);
            values[12..].copy_from_slice(&b.values[first + 8..first + 12]);
        }
        PairBlock {
            scales: [a.scale, b.scale, a.scale, b.scale],
            weighted_sums: [a.weighted_sum, b.weighted_sum, a.weighted_sum, b.weighted_sum],
            start: [a.start[0], b.start[0], a.start[0], b.start[0]],
            values,
        }
    }
}

//! The integer sums of one block on NEON: three implementations, which agree to the last bit.

use std::arch::aarch64::*;

use super::neon::{dot, matrix};
use crate::activations::ActivationBlock;

/// Integer sums of 16 rows, four a register.
pub(super) type Sums = [int32x4_t; 4];

/// How the integer sums of one block are made.
pub(super) trait BlockSums {
    /// Sums of 4-bit weights, their offset not taken off.
    unsafe fn nibbles<const M: usize>(groups: *const u8, inputs: &[&ActivationBlock; M]) -> [Sums; M];
    /// Sums of 8-bit weights.
    unsafe fn bytes<const M: usize>(groups: *const u8, inputs: &[&ActivationBlock; M]) -> [Sums; M];
}

/// Sixteen bytes of group `index`, those of rows `4 × part` and after.
#[inline(always)]
unsafe fn group(groups: *const u8, index: usize, part: usize) -> uint8x16_t {
    // SAFETY: the caller's block holds the group.
    unsafe { vld1q_u8(groups.add(64 * index + 16 * part)) }
}

/// The low and the high halves of bytes.
#[inline(always)]
unsafe fn halves_of(bytes: uint8x16_t) -> (int8x16_t, int8x16_t) {
    // SAFETY: NEON belongs to the baseline.
    unsafe {
        (
            vreinterpretq_s8_u8(vandq_u8(bytes, vdupq_n_u8(15))),
            vreinterpretq_s8_u8(vshrq_n_u8::<4>(bytes)),
        )
    }
}

/// Widening multiplications of plain NEON.
pub(super) struct Products;

impl Products {
    /// Four activations for two rows.
    #[inline(always)]
    unsafe fn four(input: &ActivationBlock, at: usize) -> int8x8_t {
        // SAFETY: a block holds 32 values, and `at` is at most 28.
        unsafe { vreinterpret_s8_s32(vdup_n_s32(input.values.as_ptr().add(at).cast::<i32>().read_unaligned())) }
    }

    /// Pairs of sixteen-bit sums, two rows of four columns each, as sums of four rows.
    #[inline(always)]
    unsafe fn fold(low: int16x8_t, high: int16x8_t) -> int32x4_t {
        // SAFETY: NEON belongs to the baseline.
        unsafe { vpaddq_s32(vpaddlq_s16(low), vpaddlq_s16(high)) }
    }
}

impl BlockSums for Products {
    /// Sixteen bits hold a column's sum: 8 × 15 × 127 = 15,240.
    #[inline(always)]
    unsafe fn nibbles<const M: usize>(groups: *const u8, inputs: &[&ActivationBlock; M]) -> [Sums; M] {
        // SAFETY: the caller's block holds four groups; NEON belongs to the baseline.
        unsafe {
            let mut sums = [[vdupq_n_s32(0); 4]; M];
            for part in 0..4 {
                let mut wide = [[vdupq_n_s16(0); 2]; M];
                for index in 0..4 {
                    let (low, high) = halves_of(group(groups, index, part));
                    for (weights, at) in [(low, 8 * index), (high, 8 * index + 4)] {
                        for row in 0..M {
                            let four = Products::four(inputs[row], at);
                            wide[row][0] = vmlal_s8(wide[row][0], vget_low_s8(weights), four);
                            wide[row][1] = vmlal_s8(wide[row][1], vget_high_s8(weights), four);
                        }
                    }
                }
                for row in 0..M {
                    sums[row][part] = Products::fold(wide[row][0], wide[row][1]);
                }
            }
            sums
        }
    }

    /// Two products fit sixteen bits: 2 × 128 × 127 = 32,512.
    #[inline(always)]
    unsafe fn bytes<const M: usize>(groups: *const u8, inputs: &[&ActivationBlock; M]) -> [Sums; M] {
        // SAFETY: the caller's block holds eight groups; NEON belongs to the baseline.
        unsafe {
            let mut sums = [[vdupq_n_s32(0); 4]; M];
            for part in 0..4 {
                let mut wide = [[vdupq_n_s32(0); 2]; M];
                for pair in 0..4 {
                    let first = vreinterpretq_s8_u8(group(groups, 2 * pair, part));
                    let second = vreinterpretq_s8_u8(group(groups, 2 * pair + 1, part));
                    for row in 0..M {
                        let four = Products::four(inputs[row], 8 * pair);
                        let next = Products::four(inputs[row], 8 * pair + 4);
                        let low = vmlal_s8(vmull_s8(vget_low_s8(first), four), vget_low_s8(second), next);
                        let high = vmlal_s8(vmull_s8(vget_high_s8(first), four), vget_high_s8(second), next);
                        wide[row][0] = vpadalq_s16(wide[row][0], low);
                        wide[row][1] = vpadalq_s16(wide[row][1], high);
                    }
                }
                for row in 0..M {
                    sums[row][part] = vpaddq_s32(wide[row][0], wide[row][1]);
                }
            }
            sums
        }
    }
}

/// `sdot`: four columns of four rows an instruction.
pub(super) struct DotProducts;

/// Sixteen activations from `at` on.
#[inline(always)]
unsafe fn sixteen(input: &ActivationBlock, at: usize) -> int8x16_t {
    // SAFETY: a block holds 32 values, and `at` is 0 or 16.
    unsafe { vld1q_s8(input.values.as_ptr().add(at)) }
}

/// One step of all rows: `sums[row][part] += weights[part] · lane LANE of inputs[row]`.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn dot_step<const LANE: i32, const M: usize>(sums: &mut [Sums; M], weights: &[int8x16_t; 4], inputs: &[int8x16_t; M]) {
    for row in 0..M {
        for part in 0..4 {
            sums[row][part] = dot::<LANE>(sums[row][part], weights[part], inputs[row]);
        }
    }
}

/// Two groups of nibbles: sixteen columns.
#[inline]
#[target_feature(enable = "neon,dotprod")]
unsafe fn dot_nibbles<const M: usize>(groups: *const u8, sums: &mut [Sums; M], inputs: &[int8x16_t; M]) {
    let mut low = [vdupq_n_s8(0); 4];
    let mut high = low;
    // SAFETY: the caller's block holds both groups.
    unsafe {
        for part in 0..4 {
            (low[part], high[part]) = halves_of(group(groups, 0, part));
        }
        dot_step::<0, M>(sums, &low, inputs);
        dot_step::<1, M>(sums, &high, inputs);
        for part in 0..4 {
            (low[part], high[part]) = halves_of(group(groups, 1, part));
        }
    }
    dot_step::<2, M>(sums, &low, inputs);
    dot_step::<3, M>(sums, &high, inputs);
}

/// Four groups of bytes: sixteen columns.
#[inline]
#[target_feature(enable = "neon,dotprod")]
unsafe fn dot_bytes<const M: usize>(groups: *const u8, sums: &mut [Sums; M], inputs: &[int8x16_t; M]) {
    let mut weights = [[vdupq_n_s8(0); 4]; 4];
    for (index, weights) in weights.iter_mut().enumerate() {
        for (part, weights) in weights.iter_mut().enumerate() {
            // SAFETY: the caller's block holds four groups.
            *weights = vreinterpretq_s8_u8(unsafe { group(groups, index, part) });
        }
    }
    dot_step::<0, M>(sums, &weights[0], inputs);
    dot_step::<1, M>(sums, &weights[1], inputs);
    dot_step::<2, M>(sums, &weights[2], inputs);
    dot_step::<3, M>(sums, &weights[3], inputs);
}

impl BlockSums for DotProducts {
    #[inline(always)]
    unsafe fn nibbles<const M: usize>(groups: *const u8, inputs: &[&ActivationBlock; M]) -> [Sums; M] {
        // SAFETY: the caller's block holds four groups, and the caller has the instructions.
        unsafe {
            let mut sums = [[vdupq_n_s32(0); 4]; M];
            for half in 0..2 {
                let mut values = [vdupq_n_s8(0); M];
                for row in 0..M {
                    values[row] = sixteen(inputs[row], 16 * half);
                }
                dot_nibbles::<M>(groups.add(128 * half), &mut sums, &values);
            }
            sums
        }
    }

    #[inline(always)]
    unsafe fn bytes<const M: usize>(groups: *const u8, inputs: &[&ActivationBlock; M]) -> [Sums; M] {
        // SAFETY: the caller's block holds eight groups, and the caller has the instructions.
        unsafe {
            let mut sums = [[vdupq_n_s32(0); 4]; M];
            for half in 0..2 {
                let mut values = [vdupq_n_s8(0); M];
                for row in 0..M {
                    values[row] = sixteen(inputs[row], 16 * half);
                }
                dot_bytes::<M>(groups.add(256 * half), &mut sums, &values);
            }
            sums
        }
    }
}

/// `smmla`: eight columns of two rows of weights and two of activations an instruction.
pub(super) struct MatrixProducts;

/// Eight activations of two rows; those of the first twice when there is no second.
#[inline(always)]
unsafe fn pair_of<const M: usize>(inputs: &[&ActivationBlock; M], pair: usize, at: usize) -> int8x16_t {
    let (first, second) = (inputs[2 * pair], inputs[(2 * pair + 1).min(M - 1)]);
    // SAFETY: a block holds 32 values, and `at` is at most 24.
    unsafe {
        vcombine_s8(
            vld1_s8(first.values.as_ptr().add(at)),
            vld1_s8(second.values.as_ptr().add(at)),
        )
    }
}

/// Eight columns: `first` holds the first four of four rows in each register, `second` the other four.
#[inline]
#[target_feature(enable = "neon,i8mm")]
unsafe fn matrix_step<const M: usize>(
    sums: &mut [[Sums; 2]; 2],
    part: usize,
    first: int8x16_t,
    second: int8x16_t,
    inputs: &[&ActivationBlock; M],
    at: usize,
) {
    let (first, second) = (vreinterpretq_s32_s8(first), vreinterpretq_s32_s8(second));
    let two_rows = vreinterpretq_s8_s32(vzip1q_s32(first, second));
    let other_two = vreinterpretq_s8_s32(vzip2q_s32(first, second));
    for pair in 0..M.div_ceil(2) {
        // SAFETY: as `pair_of` asks.
        let values = unsafe { pair_of::<M>(inputs, pair, at) };
        sums[pair][0][part] = matrix(sums[pair][0][part], two_rows, values);
        sums[pair][1][part] = matrix(sums[pair][1][part], other_two, values);
    }
}

/// From `[row 0 · a, row 0 · b, row 1 · a, row 1 · b]` to the four rows of each activation row.
#[inline(always)]
unsafe fn untangle<const M: usize>(sums: &[[Sums; 2]; 2]) -> [Sums; M] {
    // SAFETY: NEON belongs to the baseline.
    unsafe {
        let mut rows = [[vdupq_n_s32(0); 4]; M];
        for row in 0..M {
            for part in 0..4 {
                let (low, high) = (sums[row / 2][0][part], sums[row / 2][1][part]);
                rows[row][part] = if row % 2 == 0 {
                    vuzp1q_s32(low, high)
                } else {
                    vuzp2q_s32(low, high)
                };
            }
        }
        rows
    }
}

impl BlockSums for MatrixProducts {
    #[inline(always)]
    unsafe fn nibbles<const M: usize>(groups: *const u8, inputs: &[&ActivationBlock; M]) -> [Sums; M] {
        // SAFETY: the caller's block holds four groups, and the caller has the instructions.
        unsafe {
            let mut sums = [[[vdupq_n_s32(0); 4]; 2]; 2];
            for index in 0..4 {
                for part in 0..4 {
                    let (low, high) = halves_of(group(groups, index, part));
                    matrix_step::<M>(&mut sums, part, low, high, inputs, 8 * index);
                }
            }
            untangle::<M>(&sums)
        }
    }

    #[inline(always)]
    unsafe fn bytes<const M: usize>(groups: *const u8, inputs: &[&ActivationBlock; M]) -> [Sums; M] {
        // SAFETY: the caller's block holds eight groups, and the caller has the instructions.
        unsafe {
            let mut sums = [[[vdupq_n_s32(0); 4]; 2]; 2];
            for index in 0..4 {
                for part in 0..4 {
                    let first = vreinterpretq_s8_u8(group(groups, 2 * index, part));
                    let second = vreinterpretq_s8_u8(group(groups, 2 * index + 1, part));
                    matrix_step::<M>(&mut sums, part, first, second, inputs, 8 * index);
                }
            }
            untangle::<M>(&sums)
        }
    }
}

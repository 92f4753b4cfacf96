//! The integer sums of one part on NEON: three implementations, which agree to the last bit.

use std::arch::aarch64::*;

use super::neon::{dot, matrix};
use crate::formats::codes::{GROUP_BYTES, TABLE, high_bits_at};
use crate::formats::{BlockFormat, Codes};

/// Integer sums of 16 rows, four a register.
pub(super) type Sums = [int32x4_t; 4];

/// How the integer sums of one part are made: codes times activations, the code of zero not taken off. `values` are the part's columns
/// of each row of activations.
pub(super) trait PartSums {
    unsafe fn sums<F: BlockFormat, const M: usize>(codes: *const u8, values: &[*const i8; M]) -> [Sums; M];
}

/// Sixteen bytes of group `index`, those of rows `4 × quarter` and after.
#[inline(always)]
unsafe fn group(codes: *const u8, index: usize, quarter: usize) -> uint8x16_t {
    // SAFETY: the caller's part holds the group.
    unsafe { vld1q_u8(codes.add(GROUP_BYTES * index + 16 * quarter)) }
}

/// The weights of four number `index`, those of rows `4 × quarter` and after.
#[inline(always)]
unsafe fn four<F: BlockFormat>(codes: *const u8, index: usize, quarter: usize) -> int8x16_t {
    // SAFETY: the caller's part holds the four; NEON belongs to the baseline.
    unsafe {
        if F::CODES == Codes::Bytes {
            return vreinterpretq_s8_u8(group(codes, index, quarter));
        }
        let bytes = group(codes, index / 2, quarter);
        let nibbles = if index % 2 == 0 {
            vandq_u8(bytes, vdupq_n_u8(15))
        } else {
            vshrq_n_u8::<4>(bytes)
        };
        match F::CODES {
            Codes::Nibbles | Codes::Bytes => vreinterpretq_s8_u8(nibbles),
            Codes::Table => vqtbl1q_s8(vld1q_s8(TABLE.as_ptr()), nibbles),
            Codes::FiveBits | Codes::SixBits => {
                let bits = F::CODES.high_bits();
                let high = vld1q_u8(codes.add(high_bits_at::<F>() + 16 * quarter));
                // To the left, or to the right where it is negative.
                let places = 4 - (bits * index) as i8;
                let high = vandq_u8(vshlq_u8(high, vdupq_n_s8(places)), vdupq_n_u8(((1 << bits) - 1) << 4));
                vreinterpretq_s8_u8(vorrq_u8(nibbles, high))
            }
        }
    }
}

/// Widening multiplications of plain NEON.
pub(super) struct Products;

/// Four activations for two rows.
#[inline(always)]
unsafe fn twice(values: *const i8, at: usize) -> int8x8_t {
    // SAFETY: the caller's values reach so far; NEON belongs to the baseline.
    unsafe { vreinterpret_s8_s32(vdup_n_s32(values.add(at).cast::<i32>().read_unaligned())) }
}

/// Codes without sign. Sixteen bits hold a column's sum: of eight fours, 8 × 31 × 127 = 31,496, as of four with six bits,
/// 4 × 63 × 127 = 32,004.
#[inline(always)]
unsafe fn unsigned_products<F: BlockFormat, const M: usize>(codes: *const u8, values: &[*const i8; M]) -> [Sums; M] {
    // SAFETY: the caller's part holds all fours; NEON belongs to the baseline.
    unsafe {
        let mut sums = [[vdupq_n_s32(0); 4]; M];
        for quarter in 0..4 {
            let mut wide = [[vdupq_n_s16(0); 2]; M];
            for index in 0..F::FOURS {
                let weights = four::<F>(codes, index, quarter);
                for row in 0..M {
                    let values = twice(values[row], 4 * index);
                    wide[row][0] = vmlal_s8(wide[row][0], vget_low_s8(weights), values);
                    wide[row][1] = vmlal_s8(wide[row][1], vget_high_s8(weights), values);
                }
            }
            for row in 0..M {
                let [low, high] = wide[row];
                sums[row][quarter] = vpaddq_s32(vpaddlq_s16(low), vpaddlq_s16(high));
            }
        }
        sums
    }
}

/// Signed bytes. Two products fit sixteen bits: 2 × 128 × 127 = 32,512.
#[inline(always)]
unsafe fn signed_products<F: BlockFormat, const M: usize>(codes: *const u8, values: &[*const i8; M]) -> [Sums; M] {
    // SAFETY: the caller's part holds all fours; NEON belongs to the baseline.
    unsafe {
        let mut sums = [[vdupq_n_s32(0); 4]; M];
        for quarter in 0..4 {
            let mut wide = [[vdupq_n_s32(0); 2]; M];
            for pair in 0..F::FOURS / 2 {
                let first = four::<F>(codes, 2 * pair, quarter);
                let second = four::<F>(codes, 2 * pair + 1, quarter);
                for row in 0..M {
                    let (value, next) = (twice(values[row], 8 * pair), twice(values[row], 8 * pair + 4));
                    let low = vmlal_s8(vmull_s8(vget_low_s8(first), value), vget_low_s8(second), next);
                    let high = vmlal_s8(vmull_s8(vget_high_s8(first), value), vget_high_s8(second), next);
                    wide[row][0] = vpadalq_s16(wide[row][0], low);
                    wide[row][1] = vpadalq_s16(wide[row][1], high);
                }
            }
            for row in 0..M {
                sums[row][quarter] = vpaddq_s32(wide[row][0], wide[row][1]);
            }
        }
        sums
    }
}

impl PartSums for Products {
    #[inline(always)]
    unsafe fn sums<F: BlockFormat, const M: usize>(codes: *const u8, values: &[*const i8; M]) -> [Sums; M] {
        // SAFETY: the caller's part holds all fours.
        unsafe {
            if F::CODES.are_signed() {
                signed_products::<F, M>(codes, values)
            } else {
                unsigned_products::<F, M>(codes, values)
            }
        }
    }
}

/// `sdot`: four columns of four rows an instruction.
pub(super) struct DotProducts;

/// One step of all rows: `sums[row][quarter] += weights[quarter] · lane LANE of values[row]`.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn dot_step<const LANE: i32, const M: usize>(sums: &mut [Sums; M], weights: &Weights, values: &[int8x16_t; M]) {
    for row in 0..M {
        for quarter in 0..4 {
            sums[row][quarter] = dot::<LANE>(sums[row][quarter], weights[quarter], values[row]);
        }
    }
}

/// A four of all 16 rows.
type Weights = [int8x16_t; 4];

/// Fours number `index` and `index + 1`.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn two_fours<F: BlockFormat>(codes: *const u8, index: usize) -> [Weights; 2] {
    let mut fours = [[vdupq_n_s8(0); 4]; 2];
    for quarter in 0..4 {
        // SAFETY: the caller's part holds the fours.
        unsafe {
            fours[0][quarter] = four::<F>(codes, index, quarter);
            fours[1][quarter] = four::<F>(codes, index + 1, quarter);
        }
    }
    fours
}

/// The sixteen columns from four number `first` on.
#[inline]
#[target_feature(enable = "neon,dotprod")]
unsafe fn dot_sixteen<F: BlockFormat, const M: usize>(
    codes: *const u8,
    first: usize,
    values: &[*const i8; M],
    sums: &mut [Sums; M],
) {
    // SAFETY: the caller's part holds the fours, and as many columns.
    unsafe {
        let mut sixteen = [vdupq_n_s8(0); M];
        for row in 0..M {
            sixteen[row] = vld1q_s8(values[row].add(4 * first));
        }
        let [low, high] = two_fours::<F>(codes, first);
        dot_step::<0, M>(sums, &low, &sixteen);
        dot_step::<1, M>(sums, &high, &sixteen);
        let [low, high] = two_fours::<F>(codes, first + 2);
        dot_step::<2, M>(sums, &low, &sixteen);
        dot_step::<3, M>(sums, &high, &sixteen);
    }
}

impl PartSums for DotProducts {
    #[inline(always)]
    unsafe fn sums<F: BlockFormat, const M: usize>(codes: *const u8, values: &[*const i8; M]) -> [Sums; M] {
        // SAFETY: the caller's part holds all fours, and the caller has the instructions.
        unsafe {
            let mut sums = [[vdupq_n_s32(0); 4]; M];
            dot_sixteen::<F, M>(codes, 0, values, &mut sums);
            if F::FOURS == 8 {
                dot_sixteen::<F, M>(codes, 4, values, &mut sums);
            }
            sums
        }
    }
}

/// `smmla`: eight columns of two rows of weights and two of activations an instruction.
pub(super) struct MatrixProducts;

/// Eight activations of two rows; those of the first twice when there is no second.
#[inline(always)]
unsafe fn pair_of<const M: usize>(values: &[*const i8; M], pair: usize, at: usize) -> int8x16_t {
    let (first, second) = (values[2 * pair], values[(2 * pair + 1).min(M - 1)]);
    // SAFETY: the caller's values reach so far.
    unsafe { vcombine_s8(vld1_s8(first.add(at)), vld1_s8(second.add(at))) }
}

/// Eight columns: `first` holds the first four of four rows in each register, `second` the other four.
#[inline]
#[target_feature(enable = "neon,i8mm")]
unsafe fn matrix_step<const M: usize>(
    sums: &mut [[Sums; 2]; 2],
    quarter: usize,
    first: int8x16_t,
    second: int8x16_t,
    values: &[*const i8; M],
    at: usize,
) {
    let (first, second) = (vreinterpretq_s32_s8(first), vreinterpretq_s32_s8(second));
    let two_rows = vreinterpretq_s8_s32(vzip1q_s32(first, second));
    let other_two = vreinterpretq_s8_s32(vzip2q_s32(first, second));
    for pair in 0..M.div_ceil(2) {
        // SAFETY: as `pair_of` asks.
        let values = unsafe { pair_of::<M>(values, pair, at) };
        sums[pair][0][quarter] = matrix(sums[pair][0][quarter], two_rows, values);
        sums[pair][1][quarter] = matrix(sums[pair][1][quarter], other_two, values);
    }
}

/// From `[row 0 · a, row 0 · b, row 1 · a, row 1 · b]` to the four rows of each activation row.
#[inline(always)]
unsafe fn untangle<const M: usize>(sums: &[[Sums; 2]; 2]) -> [Sums; M] {
    // SAFETY: NEON belongs to the baseline.
    unsafe {
        let mut rows = [[vdupq_n_s32(0); 4]; M];
        for row in 0..M {
            for quarter in 0..4 {
                let (low, high) = (sums[row / 2][0][quarter], sums[row / 2][1][quarter]);
                rows[row][quarter] = if row % 2 == 0 {
                    vuzp1q_s32(low, high)
                } else {
                    vuzp2q_s32(low, high)
                };
            }
        }
        rows
    }
}

impl PartSums for MatrixProducts {
    #[inline(always)]
    unsafe fn sums<F: BlockFormat, const M: usize>(codes: *const u8, values: &[*const i8; M]) -> [Sums; M] {
        // SAFETY: the caller's part holds all fours, and the caller has the instructions.
        unsafe {
            let mut sums = [[[vdupq_n_s32(0); 4]; 2]; 2];
            for pair in 0..F::FOURS / 2 {
                for quarter in 0..4 {
                    let first = four::<F>(codes, 2 * pair, quarter);
                    let second = four::<F>(codes, 2 * pair + 1, quarter);
                    matrix_step::<M>(&mut sums, quarter, first, second, values, 8 * pair);
                }
            }
            untangle::<M>(&sums)
        }
    }
}

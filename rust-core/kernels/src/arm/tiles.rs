//! Tiles of matrix products on NEON: 16 rows of weights times up to four rows of activations. Three ways to the integer sums
//! of a block, which agree to the last bit, and one way on from there.

use std::arch::aarch64::*;

use super::PREFETCH_BYTES;
use super::neon::{dot, floats, matrix, prefetch};
use crate::activations::{ActivationBlock, Activations};
use crate::cpu::Level;
use crate::tensor_type::{BLOCK_COLUMNS, PANEL_ROWS, TensorType, header_bytes, type_of_kind};

/// Integer sums of 16 rows, four a register.
type Sums = [int32x4_t; 4];

/// The panel of a quantised matrix times `outputs.len()` (1 to 4) rows from `first` on.
///
/// # Safety
/// The processor must have the instructions of `level`.
pub(crate) unsafe fn quantized_tile(
    level: Level,
    tensor_type: TensorType,
    panel: &[u8],
    activations: &Activations,
    first: usize,
    outputs: &mut [[f32; PANEL_ROWS]],
) {
    // A single row has no partner for matrix products; the sums are the same.
    let level = if level == Level::I8mm && outputs.len() == 1 {
        Level::DotProd
    } else {
        level
    };
    // SAFETY: the caller's promise; whoever has matrix products has dot products.
    unsafe {
        match level {
            Level::I8mm => with_matrix_products(tensor_type, panel, activations, first, outputs),
            Level::DotProd => with_dot_products(tensor_type, panel, activations, first, outputs),
            _ => with_products(tensor_type, panel, activations, first, outputs),
        }
    }
}

/// One function a level, so that everything below is compiled with the level's instructions.
macro_rules! level {
    ($name:ident, $features:literal, $sums:ident) => {
        #[target_feature(enable = $features)]
        unsafe fn $name(
            tensor_type: TensorType,
            panel: &[u8],
            activations: &Activations,
            first: usize,
            outputs: &mut [[f32; PANEL_ROWS]],
        ) {
            #[target_feature(enable = $features)]
            unsafe fn by_count<const KIND: u8>(
                panel: &[u8],
                activations: &Activations,
                first: usize,
                outputs: &mut [[f32; PANEL_ROWS]],
            ) {
                // SAFETY: this function is compiled for the instructions.
                unsafe {
                    match outputs.len() {
                        1 => rows::<$sums, KIND, 1>(panel, activations, first, outputs),
                        2 => rows::<$sums, KIND, 2>(panel, activations, first, outputs),
                        3 => rows::<$sums, KIND, 3>(panel, activations, first, outputs),
                        _ => rows::<$sums, KIND, 4>(panel, activations, first, outputs),
                    }
                }
            }
            // SAFETY: as above.
            unsafe {
                match tensor_type {
                    TensorType::Q4_0 => by_count::<0>(panel, activations, first, outputs),
                    TensorType::Q4_1 => by_count::<1>(panel, activations, first, outputs),
                    _ => by_count::<8>(panel, activations, first, outputs),
                }
            }
        }
    };
}
level!(with_products, "neon", Products);
level!(with_dot_products, "neon,dotprod", DotProducts);
level!(with_matrix_products, "neon,dotprod,i8mm", MatrixProducts);

/// How the integer sums of one block are made.
trait BlockSums {
    /// Sums of 4-bit weights, their offset not taken off.
    unsafe fn nibbles<const M: usize>(groups: *const u8, inputs: &[&ActivationBlock; M]) -> [Sums; M];
    /// Sums of 8-bit weights.
    unsafe fn bytes<const M: usize>(groups: *const u8, inputs: &[&ActivationBlock; M]) -> [Sums; M];
}

/// `KIND` is 0 for Q4_0, 1 for Q4_1, 8 for Q8_0; `M` rows of activations.
#[inline(always)]
unsafe fn rows<S: BlockSums, const KIND: u8, const M: usize>(
    panel: &[u8],
    activations: &Activations,
    first: usize,
    outputs: &mut [[f32; PANEL_ROWS]],
) {
    const { assert!(M >= 1 && M <= 4) };
    let tensor_type = type_of_kind(KIND);
    let (header, block_bytes) = (header_bytes(tensor_type), PANEL_ROWS * tensor_type.block_bytes());
    let blocks = activations.columns() / BLOCK_COLUMNS;
    assert!(panel.len() == blocks * block_bytes && outputs.len() == M);
    let inputs: [*const ActivationBlock; M] = std::array::from_fn(|row| activations.row(first + row).as_ptr());
    // SAFETY: the panel and every row of activations hold `blocks` blocks; the caller has the instructions.
    unsafe {
        let mut totals = [[vdupq_n_f32(0.0); 4]; M];
        for index in 0..blocks {
            let block = panel.as_ptr().add(index * block_bytes);
            if first == 0 {
                for line in 0..block_bytes.div_ceil(64) {
                    prefetch(block.wrapping_add(PREFETCH_BYTES + 64 * line));
                }
            }
            let groups = block.add(header);
            let inputs: [&ActivationBlock; M] = std::array::from_fn(|row| &*inputs[row].add(index));
            let sums = if KIND == 8 {
                S::bytes::<M>(groups, &inputs)
            } else {
                S::nibbles::<M>(groups, &inputs)
            };
            let scales = sixteen_halves(block);
            for row in 0..M {
                let input = inputs[row];
                for part in 0..4 {
                    let mut sum = sums[row][part];
                    if KIND == 0 {
                        sum = vaddq_s32(sum, vdupq_n_s32(input.offset));
                    }
                    let scale = vmulq_n_f32(scales[part], input.scale);
                    totals[row][part] = vfmaq_f32(totals[row][part], vcvtq_f32_s32(sum), scale);
                }
                if KIND == 1 {
                    let minimums = sixteen_halves(block.add(32));
                    for part in 0..4 {
                        totals[row][part] = vfmaq_n_f32(totals[row][part], minimums[part], input.weighted_sum);
                    }
                }
            }
        }
        for (outputs, totals) in outputs.iter_mut().zip(&totals) {
            for (part, total) in totals.iter().enumerate() {
                vst1q_f32(outputs.as_mut_ptr().add(4 * part), *total);
            }
        }
    }
}

/// Sixteen half-precision numbers as floats.
#[inline(always)]
unsafe fn sixteen_halves(from: *const u8) -> [float32x4_t; 4] {
    // SAFETY: the caller's 32 bytes are there.
    unsafe {
        let (a, b) = floats(vreinterpretq_u16_u8(vld1q_u8(from)));
        let (c, d) = floats(vreinterpretq_u16_u8(vld1q_u8(from.add(16))));
        [a, b, c, d]
    }
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
struct Products;

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
struct DotProducts;

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
struct MatrixProducts;

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

//! Tiles of matrix products on NEON: 16 rows of weights times up to four rows of activations.

use std::arch::aarch64::*;

use super::PREFETCH_BYTES;
use super::neon::{floats, prefetch};
use super::sums::{DotProducts, MatrixProducts, PartSums, Products};
use crate::activations::{ActivationBlock, Activations};
use crate::cpu::Level;
use crate::formats::scales::{self, HIGH_BITS_AT, LOW_BITS_AT, MINIMUMS_AT};
use crate::formats::{BlockFormat, BlockType, Scales, with_block_format, zero_sum};
use crate::tensor_type::{BLOCK_COLUMNS, PANEL_ROWS};

/// The panel of a quantised matrix times `outputs.len()` (1 to 4) rows from `first` on.
///
/// # Safety
/// The processor must have the instructions of `level`.
pub(crate) unsafe fn quantized_tile(
    level: Level,
    block_type: BlockType,
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
    // SAFETY: the processor has the level's instructions, and whoever has matrix products has dot products.
    unsafe {
        match level {
            Level::I8mm => with_matrix_products(block_type, panel, activations, first, outputs),
            Level::DotProd => with_dot_products(block_type, panel, activations, first, outputs),
            Level::Portable | Level::Neon => with_products(block_type, panel, activations, first, outputs),
        }
    }
}

/// One function a level, so that everything below is compiled with the level's instructions.
macro_rules! level {
    ($name:ident, $features:literal, $sums:ident) => {
        #[target_feature(enable = $features)]
        unsafe fn $name(
            block_type: BlockType,
            panel: &[u8],
            activations: &Activations,
            first: usize,
            outputs: &mut [[f32; PANEL_ROWS]],
        ) {
            #[target_feature(enable = $features)]
            unsafe fn by_count<F: BlockFormat>(
                panel: &[u8],
                activations: &Activations,
                first: usize,
                outputs: &mut [[f32; PANEL_ROWS]],
            ) {
                // SAFETY: this function is compiled for the instructions.
                unsafe {
                    match outputs.len() {
                        1 => rows::<$sums, F, 1>(panel, activations, first, outputs),
                        2 => rows::<$sums, F, 2>(panel, activations, first, outputs),
                        3 => rows::<$sums, F, 3>(panel, activations, first, outputs),
                        _ => rows::<$sums, F, 4>(panel, activations, first, outputs),
                    }
                }
            }
            // SAFETY: this function is compiled for the same instructions as `by_count`.
            unsafe {
                with_block_format!(block_type, F => by_count::<F>(panel, activations, first, outputs));
            }
        }
    };
}
level!(with_products, "neon", Products);
level!(with_dot_products, "neon,dotprod", DotProducts);
level!(with_matrix_products, "neon,dotprod,i8mm", MatrixProducts);

/// `M` rows of activations.
#[inline(always)]
unsafe fn rows<S: PartSums, F: BlockFormat, const M: usize>(
    panel: &[u8],
    activations: &Activations,
    first: usize,
    outputs: &mut [[f32; PANEL_ROWS]],
) {
    const { assert!(M >= 1 && M <= 4) };
    let blocks = activations.columns() / F::BLOCK_COLUMNS;
    assert!(panel.len() == blocks * F::PACKED_BYTES && outputs.len() == M);
    let inputs: [*const ActivationBlock; M] = std::array::from_fn(|row| activations.row(first + row).as_ptr());
    // SAFETY: the panel and every row of activations hold `blocks` blocks; the caller has the instructions.
    unsafe {
        let mut totals = [[vdupq_n_f32(0.0); 4]; M];
        for index in 0..blocks {
            let block = panel.as_ptr().add(index * F::PACKED_BYTES);
            for part in 0..F::PARTS {
                if first == 0 {
                    let bytes = F::PACKED_BYTES / F::PARTS;
                    for line in 0..bytes.div_ceil(64) {
                        prefetch(block.wrapping_add(part * bytes + PREFETCH_BYTES + 64 * line));
                    }
                }
                let codes = block.add(F::HEADER_BYTES + part * F::PART_BYTES);
                let column = part * F::PART_COLUMNS;
                let at = index * F::ACTIVATION_BLOCKS + column / BLOCK_COLUMNS;
                let inputs: [&ActivationBlock; M] = std::array::from_fn(|row| &*inputs[row].add(at));
                let values = inputs.map(|input| input.values.as_ptr().add(column % BLOCK_COLUMNS));
                let sums = S::sums::<F, M>(codes, &values);
                let scales = scales::<F>(block, part);
                for row in 0..M {
                    let input = inputs[row];
                    for quarter in 0..4 {
                        let mut sum = sums[row][quarter];
                        if F::ZERO != 0 {
                            sum = vaddq_s32(sum, vdupq_n_s32(zero_sum::<F>(input, part)));
                        }
                        let scale = vmulq_n_f32(scales[quarter], input.scale);
                        totals[row][quarter] = vfmaq_f32(totals[row][quarter], vcvtq_f32_s32(sum), scale);
                    }
                    if F::SCALES.has_minimums() {
                        let minimums = minimums::<F>(block, part);
                        for quarter in 0..4 {
                            totals[row][quarter] =
                                vfmaq_n_f32(totals[row][quarter], minimums[quarter], input.weighted_sum);
                        }
                    }
                }
            }
        }
        for (outputs, totals) in outputs.iter_mut().zip(&totals) {
            for (quarter, total) in totals.iter().enumerate() {
                vst1q_f32(outputs.as_mut_ptr().add(4 * quarter), *total);
            }
        }
    }
}

/// The scales of a part.
#[inline(always)]
unsafe fn scales<F: BlockFormat>(block: *const u8, part: usize) -> [float32x4_t; 4] {
    // SAFETY: the caller's block has the part; NEON belongs to the baseline.
    unsafe {
        let units = sixteen_halves(block);
        match F::SCALES {
            Scales::Half | Scales::HalfAndMinimum => units,
            Scales::SixBits => times_unsigned(units, six_bits(block, part)[0]),
            Scales::Bytes => {
                let bytes = vld1q_s8(block.add(scales::BYTES_AT + part * PANEL_ROWS).cast());
                let (low, high) = (vmovl_s8(vget_low_s8(bytes)), vmovl_high_s8(bytes));
                [
                    vmulq_f32(units[0], vcvtq_f32_s32(vmovl_s16(vget_low_s16(low)))),
                    vmulq_f32(units[1], vcvtq_f32_s32(vmovl_high_s16(low))),
                    vmulq_f32(units[2], vcvtq_f32_s32(vmovl_s16(vget_low_s16(high)))),
                    vmulq_f32(units[3], vcvtq_f32_s32(vmovl_high_s16(high))),
                ]
            }
        }
    }
}

/// The minimums of a part; zeros where there are none.
#[inline(always)]
unsafe fn minimums<F: BlockFormat>(block: *const u8, part: usize) -> [float32x4_t; 4] {
    // SAFETY: the caller's block has the part; NEON belongs to the baseline.
    unsafe {
        match F::SCALES {
            Scales::Half | Scales::Bytes => [vdupq_n_f32(0.0); 4],
            Scales::HalfAndMinimum => sixteen_halves(block.add(MINIMUMS_AT)),
            Scales::SixBits => {
                let [a, b, c, d] = sixteen_halves(block.add(MINIMUMS_AT));
                let units = [vnegq_f32(a), vnegq_f32(b), vnegq_f32(c), vnegq_f32(d)];
                times_unsigned(units, six_bits(block, part)[1])
            }
        }
    }
}

/// Scales and minimums of a part with [`Scales::SixBits`], in their units.
#[inline(always)]
unsafe fn six_bits(block: *const u8, part: usize) -> [uint8x16_t; 2] {
    // SAFETY: the caller's block has the part; NEON belongs to the baseline.
    unsafe {
        let low = vld1q_u8(block.add(LOW_BITS_AT + part * PANEL_ROWS));
        let high = vld1q_u8(block.add(HIGH_BITS_AT + part / 2 * PANEL_ROWS));
        let high = vshlq_u8(high, vdupq_n_s8(-4 * (part % 2) as i8));
        let mask = vdupq_n_u8(0x30);
        [
            vorrq_u8(vandq_u8(low, vdupq_n_u8(15)), vandq_u8(vshlq_n_u8::<4>(high), mask)),
            vorrq_u8(vshrq_n_u8::<4>(low), vandq_u8(vshlq_n_u8::<2>(high), mask)),
        ]
    }
}

/// Units times sixteen bytes without sign.
#[inline(always)]
unsafe fn times_unsigned(units: [float32x4_t; 4], bytes: uint8x16_t) -> [float32x4_t; 4] {
    // SAFETY: NEON belongs to the baseline.
    unsafe {
        let (low, high) = (vmovl_u8(vget_low_u8(bytes)), vmovl_high_u8(bytes));
        [
            vmulq_f32(units[0], vcvtq_f32_u32(vmovl_u16(vget_low_u16(low)))),
            vmulq_f32(units[1], vcvtq_f32_u32(vmovl_high_u16(low))),
            vmulq_f32(units[2], vcvtq_f32_u32(vmovl_u16(vget_low_u16(high)))),
            vmulq_f32(units[3], vcvtq_f32_u32(vmovl_high_u16(high))),
        ]
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

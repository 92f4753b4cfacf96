//! Tiles of matrix products on NEON: 16 rows of weights times up to four rows of activations.

use std::arch::aarch64::*;

use super::PREFETCH_BYTES;
use super::neon::{floats, prefetch};
use super::sums::{BlockSums, DotProducts, MatrixProducts, Products};
use crate::activations::{ActivationBlock, Activations};
use crate::cpu::Level;
use crate::formats::{BlockFormat, BlockType, Codes, MINIMUMS_AT, Shift, with_block_format};
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
unsafe fn rows<S: BlockSums, F: BlockFormat, const M: usize>(
    panel: &[u8],
    activations: &Activations,
    first: usize,
    outputs: &mut [[f32; PANEL_ROWS]],
) {
    const { assert!(M >= 1 && M <= 4 && F::BLOCK_COLUMNS == BLOCK_COLUMNS) };
    let blocks = activations.columns() / BLOCK_COLUMNS;
    assert!(panel.len() == blocks * F::PACKED_BYTES && outputs.len() == M);
    let inputs: [*const ActivationBlock; M] = std::array::from_fn(|row| activations.row(first + row).as_ptr());
    // SAFETY: the panel and every row of activations hold `blocks` blocks; the caller has the instructions.
    unsafe {
        let mut totals = [[vdupq_n_f32(0.0); 4]; M];
        for index in 0..blocks {
            let block = panel.as_ptr().add(index * F::PACKED_BYTES);
            if first == 0 {
                for line in 0..F::PACKED_BYTES.div_ceil(64) {
                    prefetch(block.wrapping_add(PREFETCH_BYTES + 64 * line));
                }
            }
            let groups = block.add(F::HEADER_BYTES);
            let inputs: [&ActivationBlock; M] = std::array::from_fn(|row| &*inputs[row].add(index));
            let sums = match F::CODES {
                Codes::Bytes => S::bytes::<M>(groups, &inputs),
                Codes::Nibbles => S::nibbles::<M>(groups, &inputs),
            };
            let scales = sixteen_halves(block);
            for row in 0..M {
                let input = inputs[row];
                for part in 0..4 {
                    let mut sum = sums[row][part];
                    if matches!(F::SHIFT, Shift::Eight) {
                        sum = vaddq_s32(sum, vdupq_n_s32(input.offset));
                    }
                    let scale = vmulq_n_f32(scales[part], input.scale);
                    totals[row][part] = vfmaq_f32(totals[row][part], vcvtq_f32_s32(sum), scale);
                }
                if matches!(F::SHIFT, Shift::Minimum) {
                    let minimums = sixteen_halves(block.add(MINIMUMS_AT));
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

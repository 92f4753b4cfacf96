//! Tiles of matrix products on NEON: 16 rows of weights times up to eight rows of activations.

use std::arch::aarch64::*;

use super::PREFETCH_BYTES;
use super::neon::{four_floats, load_anew, prefetch, settle};
use super::sums::{DotProducts, MatrixProducts, PartSums, Products};
use crate::activations::Activations;
use crate::cpu::Level;
use crate::formats::scales::{self, HIGH_BITS_AT, LOW_BITS_AT, MINIMUMS_AT};
use crate::formats::{BlockFormat, BlockType, Scales, with_block_format};
use crate::tensor_type::{BLOCK_COLUMNS, PANEL_ROWS};

/// The panel of a quantised matrix times `outputs.len()` rows from `first` on: up to eight, at the level of plain NEON up to four.
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
    // Five to seven rows are four and the rest.
    if (5..8).contains(&outputs.len()) {
        let (four, rest) = outputs.split_at_mut(4);
        // SAFETY: as the caller promises.
        unsafe {
            quantized_tile(level, block_type, panel, activations, first, four);
            quantized_tile(level, block_type, panel, activations, first + 4, rest);
        }
        return;
    }
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

/// One function a level, so that everything below is compiled with the level's instructions: how many registers of sums a quarter of the panel has
/// for so many rows.
macro_rules! level {
    ($name:ident, $features:literal, $sums:ident, $($rows:pat => $registers:literal),*) => {
        #[target_feature(enable = $features)]
        unsafe fn $name(
            block_type: BlockType,
            panel: &[u8],
            activations: &Activations,
            first: usize,
            outputs: &mut [[f32; PANEL_ROWS]],
        ) {
            /// Each tile is a function of its own: `scripts/arm-estimate.sh` finds the tile's loop by the function's name.
            #[inline(never)]
            #[target_feature(enable = $features)]
            unsafe fn tile<F: BlockFormat, const R: usize>(
                panel: &[u8],
                activations: &Activations,
                first: usize,
                outputs: &mut [[f32; PANEL_ROWS]],
            ) {
                // SAFETY: this function is compiled for the instructions.
                unsafe { rows::<$sums, F, R>(panel, activations, first, outputs) }
            }
            // SAFETY: this function is compiled for the same instructions as `tile`.
            unsafe {
                with_block_format!(block_type, F => match outputs.len() {
                    $($rows => tile::<F, $registers>(panel, activations, first, outputs),)*
                });
            }
        }
    };
}
level!(with_products, "neon", Products, 1 => 1, 2 => 2, 3 => 3, _ => 4);
level!(with_dot_products, "neon,dotprod", DotProducts, 1 => 1, 2 => 2, 3 => 3, 4 => 4, _ => 8);
level!(with_matrix_products, "neon,dotprod,i8mm", MatrixProducts, 1..=2 => 2, 3..=4 => 4, _ => 8);

/// Some rows of activations, whose sums with a quarter of the panel take `R` registers.
#[inline(always)]
unsafe fn rows<S: PartSums, F: BlockFormat, const R: usize>(
    panel: &[u8],
    activations: &Activations,
    first: usize,
    outputs: &mut [[f32; PANEL_ROWS]],
) {
    const { assert!(R >= 1 && R <= 4 || R == 8) };
    let blocks = activations.columns() / F::BLOCK_COLUMNS;
    assert!(panel.len() == blocks * F::PACKED_BYTES && outputs.len() <= R);
    let mut inputs = [std::ptr::null(); R];
    for register in 0..R {
        let input = S::inputs(activations, first, register);
        assert!(input.len() == blocks * F::ACTIVATION_BLOCKS);
        inputs[register] = input.as_ptr();
    }
    // SAFETY: the panel and every row of activations hold `blocks` blocks; the caller has the instructions.
    unsafe {
        // Sixteen registers of totals: of the whole panel, or of one half after the other.
        if R <= 4 {
            quarters::<S, F, R, 4>(panel, blocks, 0, first == 0, &inputs, outputs);
        } else {
            for half in 0..2 {
                quarters::<S, F, R, 2>(panel, blocks, 2 * half, first == 0 && half == 0, &inputs, outputs);
            }
        }
    }
}

/// `Q` quarters of the panel, from quarter `base` on.
#[inline(always)]
unsafe fn quarters<S: PartSums, F: BlockFormat, const R: usize, const Q: usize>(
    panel: &[u8],
    blocks: usize,
    base: usize,
    is_first: bool,
    inputs: &[*const S::Input; R],
    outputs: &mut [[f32; PANEL_ROWS]],
) {
    // SAFETY: the panel and every row of activations hold `blocks` blocks; the caller has the instructions.
    unsafe {
        let mut inputs = *inputs;
        let mut totals = [[vdupq_n_f32(0.0); R]; Q];
        for index in 0..blocks {
            let block = panel.as_ptr().add(index * F::PACKED_BYTES);
            for part in 0..F::PARTS {
                if is_first {
                    let bytes = F::PACKED_BYTES / F::PARTS;
                    for line in 0..bytes.div_ceil(64) {
                        prefetch(block.wrapping_add(part * bytes + PREFETCH_BYTES + 64 * line));
                    }
                }
                let bytes = part_bytes::<F>(block, part);
                // Written out: a loop over the quarters would keep the totals in memory.
                add_part::<S, F, R>(block, part, bytes, base, &inputs, &mut totals[0]);
                if Q > 1 {
                    add_part::<S, F, R>(block, part, bytes, base + 1, &inputs, &mut totals[1 % Q]);
                }
                if Q > 2 {
                    add_part::<S, F, R>(block, part, bytes, base + 2, &inputs, &mut totals[2 % Q]);
                    add_part::<S, F, R>(block, part, bytes, base + 3, &inputs, &mut totals[3 % Q]);
                }
                if (part + 1) * F::PART_COLUMNS % BLOCK_COLUMNS == 0 {
                    for register in 0..R {
                        inputs[register] = inputs[register].add(1);
                    }
                }
            }
        }
        for (row, outputs) in outputs.iter_mut().enumerate() {
            for (quarter, totals) in totals.iter().enumerate() {
                let to = outputs.as_mut_ptr().add(4 * (base + quarter));
                vst1q_f32(to, S::outputs::<R>(totals, row));
            }
        }
    }
}

/// Adds the products of a part and a quarter of the panel to the totals.
#[inline(always)]
unsafe fn add_part<S: PartSums, F: BlockFormat, const R: usize>(
    block: *const u8,
    part: usize,
    bytes: [uint8x16_t; 2],
    quarter: usize,
    inputs: &[*const S::Input; R],
    totals: &mut [float32x4_t; R],
) {
    // SAFETY: the caller's block has the part, and the activations are there; the caller has the instructions.
    unsafe {
        let codes = block.add(F::HEADER_BYTES + part * F::PART_BYTES);
        let sums = S::sums::<F, R>(codes, quarter, part, inputs);
        let start = vreinterpretq_f32_s32(load_anew(S::start::<F>()));
        let scales = S::spread(scales::<F>(block, bytes[0], quarter));
        for register in 0..R {
            let sum = vsubq_f32(vreinterpretq_f32_s32(sums[register]), start);
            let scale = S::scaled::<R>(scales[register % 2], inputs, register);
            totals[register] = vfmaq_f32(totals[register], sum, scale);
            if R > 4 && register % 2 == 1 {
                settle(totals, register - 1..register + 1);
            }
        }
        if F::SCALES.has_minimums() {
            let minimums = S::spread(minimums::<F>(block, bytes[1], quarter));
            for register in 0..R {
                totals[register] = S::add_minimums::<R>(totals[register], minimums[register % 2], inputs, register);
                if R > 4 && register % 2 == 1 {
                    settle(totals, register - 1..register + 1);
                }
            }
        }
    }
    if R > 1 || S::IS_WIDE {
        settle(totals, 0..R);
    }
}

/// What the scales and minimums of a part are made of beside their units: sixteen bytes each, or nothing.
#[inline(always)]
unsafe fn part_bytes<F: BlockFormat>(block: *const u8, part: usize) -> [uint8x16_t; 2] {
    // SAFETY: the caller's block has the part; NEON belongs to the baseline.
    unsafe {
        match F::SCALES {
            Scales::Half | Scales::HalfAndMinimum => [vdupq_n_u8(0); 2],
            Scales::SixBits => six_bits(block, part),
            Scales::Bytes => [vld1q_u8(block.add(scales::BYTES_AT + part * PANEL_ROWS)), vdupq_n_u8(0)],
        }
    }
}

/// The scales of a part's quarter.
#[inline(always)]
unsafe fn scales<F: BlockFormat>(block: *const u8, bytes: uint8x16_t, quarter: usize) -> float32x4_t {
    // SAFETY: the caller's block has the units; NEON belongs to the baseline.
    unsafe {
        let units = four_halves(block.add(8 * quarter));
        match F::SCALES {
            Scales::Half | Scales::HalfAndMinimum => units,
            Scales::SixBits => vmulq_f32(units, vcvtq_f32_u32(four_bytes(bytes, quarter))),
            Scales::Bytes => {
                // To the top and back, which repeats the sign.
                let bytes = vshlq_n_u32::<24>(four_bytes(bytes, quarter));
                vmulq_f32(units, vcvtq_f32_s32(vshrq_n_s32::<24>(vreinterpretq_s32_u32(bytes))))
            }
        }
    }
}

/// The minimums of a part's quarter; zeros where there are none.
#[inline(always)]
unsafe fn minimums<F: BlockFormat>(block: *const u8, bytes: uint8x16_t, quarter: usize) -> float32x4_t {
    // SAFETY: the caller's block has the units; NEON belongs to the baseline.
    unsafe {
        match F::SCALES {
            Scales::Half | Scales::Bytes => vdupq_n_f32(0.0),
            Scales::HalfAndMinimum => four_halves(block.add(MINIMUMS_AT + 8 * quarter)),
            Scales::SixBits => {
                let units = vnegq_f32(four_halves(block.add(MINIMUMS_AT + 8 * quarter)));
                vmulq_f32(units, vcvtq_f32_u32(four_bytes(bytes, quarter)))
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

/// Four of sixteen bytes, those of rows `4 × quarter` and after, each in 32 bits.
#[inline(always)]
unsafe fn four_bytes(bytes: uint8x16_t, quarter: usize) -> uint32x4_t {
    // SAFETY: NEON belongs to the baseline.
    unsafe {
        // Bytes from 64 on give zeros.
        let four = vreinterpretq_u8_u32(vdupq_n_u32(0xffff_ff00 + 4 * quarter as u32));
        let each = vreinterpretq_u8_u32(vld1q_u32([0u32, 1, 2, 3].as_ptr()));
        vreinterpretq_u32_u8(vqtbl1q_u8(bytes, vaddq_u8(four, each)))
    }
}

/// Four half-precision numbers as floats.
#[inline(always)]
unsafe fn four_halves(from: *const u8) -> float32x4_t {
    // SAFETY: the caller's eight bytes are there.
    unsafe { four_floats(vld1_u16(from.cast())) }
}

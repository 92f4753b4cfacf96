//! AVX2: tiles of matrix products, 16 rows of weights times up to four rows of activations.

use std::arch::x86_64::*;

use super::PREFETCH_BYTES;
use crate::activations::{ActivationBlock, Activations};
use crate::formats::{
    BlockFormat, BlockType, Codes, FloatFormat, FloatType, MINIMUMS_AT, Shift, with_block_format, with_float_format,
};
use crate::linear::Panel;
use crate::tensor_type::{BLOCK_COLUMNS, PANEL_ROWS};

/// The panel of a quantised matrix times `outputs.len()` rows from `first` on.
///
/// # Safety
/// The processor must have AVX2, FMA and F16C.
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn quantized_tile(
    block_type: BlockType,
    panel: &[u8],
    activations: &Activations,
    first: usize,
    outputs: &mut [[f32; PANEL_ROWS]],
) {
    with_block_format!(block_type, F => match outputs.len() {
        1 => rows::<F, 1>(panel, activations, first, outputs),
        2 => rows::<F, 2>(panel, activations, first, outputs),
        3 => rows::<F, 3>(panel, activations, first, outputs),
        _ => rows::<F, 4>(panel, activations, first, outputs),
    });
}

/// `M` rows of activations.
#[target_feature(enable = "avx2,fma,f16c")]
fn rows<F: BlockFormat, const M: usize>(
    panel: &[u8],
    activations: &Activations,
    first: usize,
    outputs: &mut [[f32; PANEL_ROWS]],
) {
    const { assert!(M >= 1 && M <= 4 && F::BLOCK_COLUMNS == BLOCK_COLUMNS) };
    let blocks = activations.columns() / BLOCK_COLUMNS;
    assert!(panel.len() == blocks * F::PACKED_BYTES && outputs.len() == M);
    let inputs: [*const ActivationBlock; M] = std::array::from_fn(|row| activations.row(first + row).as_ptr());
    let ones = _mm256_set1_epi16(1);
    let mut totals = [[_mm256_setzero_ps(); 2]; M];
    for index in 0..blocks {
        // SAFETY: the panel and every row of activations hold `blocks` blocks.
        unsafe {
            let block = panel.as_ptr().add(index * F::PACKED_BYTES);
            let groups = block.add(F::HEADER_BYTES);
            if first == 0 {
                for line in 0..F::PACKED_BYTES.div_ceil(64) {
                    _mm_prefetch::<_MM_HINT_T0>(block.wrapping_add(PREFETCH_BYTES + 64 * line).cast());
                }
            }
            let inputs: [&ActivationBlock; M] = std::array::from_fn(|row| &*inputs[row].add(index));
            let sums = match F::CODES {
                Codes::Bytes => byte_sums::<M>(groups, &inputs),
                Codes::Nibbles => nibble_sums::<F, M>(groups, &inputs),
            };
            let scales = halves(block);
            let minimums = match F::SHIFT {
                Shift::Minimum => halves(block.add(MINIMUMS_AT)),
                Shift::None | Shift::Eight => scales,
            };
            for row in 0..M {
                let input = inputs[row];
                let scale = _mm256_set1_ps(input.scale);
                for side in 0..2 {
                    let mut sum = sums[row][side];
                    if matches!(F::CODES, Codes::Nibbles) {
                        sum = _mm256_madd_epi16(sum, ones);
                    }
                    let scale = _mm256_mul_ps(scales[side], scale);
                    totals[row][side] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sum), scale, totals[row][side]);
                    if matches!(F::SHIFT, Shift::Minimum) {
                        let weighted_sum = _mm256_set1_ps(input.weighted_sum);
                        totals[row][side] = _mm256_fmadd_ps(minimums[side], weighted_sum, totals[row][side]);
                    }
                }
            }
        }
    }
    for (outputs, totals) in outputs.iter_mut().zip(&totals) {
        // SAFETY: two times eight floats are there.
        unsafe {
            _mm256_storeu_ps(outputs.as_mut_ptr(), totals[0]);
            _mm256_storeu_ps(outputs.as_mut_ptr().add(8), totals[1]);
        }
    }
}

/// Sixteen half-precision numbers.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn halves(block: *const u8) -> [__m256; 2] {
    // SAFETY: the caller's block starts with 32 bytes of them.
    unsafe {
        let pointer = block.cast();
        [
            _mm256_cvtph_ps(_mm_loadu_si128(pointer)),
            _mm256_cvtph_ps(_mm_loadu_si128(pointer.add(1))),
        ]
    }
}

/// The two halves of a 64-byte group: rows 0..8 and rows 8..16.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn group(groups: *const u8, index: usize) -> [__m256i; 2] {
    // SAFETY: the caller's block holds the group.
    unsafe {
        let pointer = groups.add(64 * index).cast();
        [_mm256_loadu_si256(pointer), _mm256_loadu_si256(pointer.add(1))]
    }
}

/// Four activations, repeated for all eight rows of a register.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn four(block: &ActivationBlock, at: usize) -> __m256i {
    debug_assert!(at + 4 <= BLOCK_COLUMNS);
    // SAFETY: a block holds 32 values.
    _mm256_set1_epi32(unsafe { block.values.as_ptr().add(at).cast::<i32>().read_unaligned() })
}

/// Sums of one block with 4-bit weights, in pairs of columns. Sixteen-bit sums hold it: 8 × 2 × 15 × 127 = 30,480, and that
/// is the bound with Q4_0's offset as the first summand, too.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn nibble_sums<F: BlockFormat, const M: usize>(
    groups: *const u8,
    inputs: &[&ActivationBlock; M],
) -> [[__m256i; 2]; M] {
    let mut sums = [[_mm256_setzero_si256(); 2]; M];
    if matches!(F::SHIFT, Shift::Eight) {
        for row in 0..M {
            sums[row] = [_mm256_set1_epi32(inputs[row].offset_pair); 2];
        }
    }
    // SAFETY: a block holds four groups.
    unsafe {
        nibble_group::<0, M>(groups, inputs, &mut sums);
        nibble_group::<1, M>(groups, inputs, &mut sums);
        nibble_group::<2, M>(groups, inputs, &mut sums);
        nibble_group::<3, M>(groups, inputs, &mut sums);
    }
    sums
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn nibble_group<const INDEX: usize, const M: usize>(
    groups: *const u8,
    inputs: &[&ActivationBlock; M],
    sums: &mut [[__m256i; 2]; M],
) {
    let mask = _mm256_set1_epi8(15);
    // SAFETY: the caller's block holds the group.
    let bytes = unsafe { group(groups, INDEX) };
    let low = [_mm256_and_si256(bytes[0], mask), _mm256_and_si256(bytes[1], mask)];
    for row in 0..M {
        let input = four(inputs[row], 8 * INDEX);
        for side in 0..2 {
            sums[row][side] = _mm256_add_epi16(sums[row][side], _mm256_maddubs_epi16(low[side], input));
        }
    }
    keep_order(sums);
    let high = [
        _mm256_and_si256(_mm256_srli_epi16::<4>(bytes[0]), mask),
        _mm256_and_si256(_mm256_srli_epi16::<4>(bytes[1]), mask),
    ];
    for row in 0..M {
        let input = four(inputs[row], 8 * INDEX + 4);
        for side in 0..2 {
            sums[row][side] = _mm256_add_epi16(sums[row][side], _mm256_maddubs_epi16(high[side], input));
        }
    }
    keep_order(sums);
}

/// Sums of one block with 8-bit weights: magnitudes of the weights times activations that took over the weights' signs.
/// A pair of products fits 16 bits: 2 × 128 × 127 = 32,512.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn byte_sums<const M: usize>(groups: *const u8, inputs: &[&ActivationBlock; M]) -> [[__m256i; 2]; M] {
    let ones = _mm256_set1_epi16(1);
    let mut sums = [[_mm256_setzero_si256(); 2]; M];
    for index in 0..8 {
        // SAFETY: a block holds eight groups.
        let weights = unsafe { group(groups, index) };
        let magnitudes = [_mm256_abs_epi8(weights[0]), _mm256_abs_epi8(weights[1])];
        for row in 0..M {
            let input = four(inputs[row], 4 * index);
            for side in 0..2 {
                let pairs = _mm256_maddubs_epi16(magnitudes[side], _mm256_sign_epi8(input, weights[side]));
                sums[row][side] = _mm256_add_epi32(sums[row][side], _mm256_madd_epi16(pairs, ones));
            }
        }
        keep_order(&mut sums);
    }
    sums
}

/// No instruction, but the compiler has to have all sums ready in registers here. Left alone it computes one sum after the
/// other and keeps the unpacked weights on the stack meanwhile.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn keep_order<const M: usize>(sums: &mut [[__m256i; 2]; M]) {
    // SAFETY: no instruction.
    unsafe {
        match sums.as_flattened_mut() {
            [a, b, c, d, e, f, g, h] => std::arch::asm!(
                "/* {0}{1}{2}{3}{4}{5}{6}{7} */",
                inout(ymm_reg) * a,
                inout(ymm_reg) * b,
                inout(ymm_reg) * c,
                inout(ymm_reg) * d,
                inout(ymm_reg) * e,
                inout(ymm_reg) * f,
                inout(ymm_reg) * g,
                inout(ymm_reg) * h,
                options(pure, nomem, nostack, preserves_flags)
            ),
            [a, b, c, d, e, f] => std::arch::asm!(
                "/* {0}{1}{2}{3}{4}{5} */",
                inout(ymm_reg) * a,
                inout(ymm_reg) * b,
                inout(ymm_reg) * c,
                inout(ymm_reg) * d,
                inout(ymm_reg) * e,
                inout(ymm_reg) * f,
                options(pure, nomem, nostack, preserves_flags)
            ),
            _ => {}
        }
    }
}

/// Sixteen rows of a float matrix times `outputs.len()` rows of `x`.
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn float_tile(float_type: FloatType, tile: Panel<'_>, x: &[f32], outputs: &mut [[f32; PANEL_ROWS]]) {
    with_float_format!(float_type, F => match outputs.len() {
        1 => float_rows::<F, 1>(tile, x, outputs),
        2 => float_rows::<F, 2>(tile, x, outputs),
        3 => float_rows::<F, 3>(tile, x, outputs),
        _ => float_rows::<F, 4>(tile, x, outputs),
    });
}

/// `M` rows of `x`. Weight rows go in pairs, so that each activation that was loaded serves two.
#[target_feature(enable = "avx2,fma,f16c")]
fn float_rows<F: FloatFormat, const M: usize>(tile: Panel<'_>, x: &[f32], outputs: &mut [[f32; PANEL_ROWS]]) {
    assert_eq!(outputs.len(), M, "rows of a tile");
    let columns = tile.columns();
    let mut lane = 0;
    while lane < PANEL_ROWS {
        // The last row of an odd panel is paired with itself.
        let Some(first) = tile.row::<F>(lane) else { break };
        let pair = [first, tile.row::<F>(lane + 1).unwrap_or(first)];
        let mut sums = [[_mm256_setzero_ps(); 2]; M];
        let whole = columns / 8 * 8;
        let mut column = 0;
        while column < whole {
            let weights = [
                eight_floats::<F>(&pair[0][column * F::BLOCK_BYTES..]),
                eight_floats::<F>(&pair[1][column * F::BLOCK_BYTES..]),
            ];
            for row in 0..M {
                let values: &[f32; 8] = x[row * columns + column..]
                    .first_chunk()
                    .expect("a row holds all columns");
                // SAFETY: eight floats are there.
                let values = unsafe { _mm256_loadu_ps(values.as_ptr()) };
                sums[row][0] = _mm256_fmadd_ps(weights[0], values, sums[row][0]);
                sums[row][1] = _mm256_fmadd_ps(weights[1], values, sums[row][1]);
            }
            column += 8;
        }
        for row in 0..M {
            let mut dots = [sum_of_eight(sums[row][0]), sum_of_eight(sums[row][1])];
            for column in whole..columns {
                for (dot, weights) in dots.iter_mut().zip(pair) {
                    *dot += F::value(weights, column) * x[row * columns + column];
                }
            }
            outputs[row][lane] = dots[0];
            outputs[row][lane + 1] = dots[1];
        }
        lane += 2;
    }
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn eight_floats<F: FloatFormat>(bytes: &[u8]) -> __m256 {
    match F::TYPE {
        FloatType::F32 => {
            let bytes: &[u8; 32] = bytes.first_chunk().expect("a row holds all columns");
            // SAFETY: 32 bytes are there.
            unsafe { _mm256_loadu_ps(bytes.as_ptr().cast()) }
        }
        FloatType::F16 => _mm256_cvtph_ps(eight_halves(bytes)),
        FloatType::Bf16 => _mm256_castsi256_ps(_mm256_slli_epi32::<16>(_mm256_cvtepu16_epi32(eight_halves(bytes)))),
    }
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn eight_halves(bytes: &[u8]) -> __m128i {
    let bytes: &[u8; 16] = bytes.first_chunk().expect("a row holds all columns");
    // SAFETY: 16 bytes are there.
    unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn sum_of_eight(lanes: __m256) -> f32 {
    let four = _mm_add_ps(_mm256_castps256_ps128(lanes), _mm256_extractf128_ps::<1>(lanes));
    let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)))
}

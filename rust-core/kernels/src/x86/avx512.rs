//! AVX-512 with VNNI: tiles of matrix products, 16 rows of weights times up to eight rows of activations and 32 rows times up to six.

use std::arch::x86_64::*;

use super::PREFETCH_BYTES;
use crate::activations::{ActivationBlock, Activations};
use crate::formats::{BlockFormat, BlockType, Codes, GROUP_BYTES, MINIMUMS_AT, Shift, with_block_format};
use crate::tensor_type::{BLOCK_COLUMNS, PANEL_ROWS};

/// The panel of a quantised matrix times `outputs.len()` (1 to 8) rows from `first` on.
///
/// # Safety
/// The processor must have AVX-512 F, BW, VL and VNNI.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx2,fma,f16c")]
pub(crate) fn quantized_tile(
    block_type: BlockType,
    panel: &[u8],
    activations: &Activations,
    first: usize,
    outputs: &mut [[f32; PANEL_ROWS]],
) {
    with_block_format!(block_type, F => by_count::<F>(panel, activations, first, outputs));
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx2,fma,f16c")]
fn by_count<F: BlockFormat>(panel: &[u8], activations: &Activations, first: usize, outputs: &mut [[f32; PANEL_ROWS]]) {
    match outputs.len() {
        1 => rows::<F, 1>(panel, activations, first, outputs),
        2 => rows::<F, 2>(panel, activations, first, outputs),
        3 => rows::<F, 3>(panel, activations, first, outputs),
        4 => rows::<F, 4>(panel, activations, first, outputs),
        5 => rows::<F, 5>(panel, activations, first, outputs),
        6 => rows::<F, 6>(panel, activations, first, outputs),
        7 => rows::<F, 7>(panel, activations, first, outputs),
        _ => rows::<F, 8>(panel, activations, first, outputs),
    }
}

/// `M` rows of activations. The weights of a block stay in eight registers, made
/// unsigned by an offset that each sum starts without; activations come straight from memory.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx2,fma,f16c")]
fn rows<F: BlockFormat, const M: usize>(
    panel: &[u8],
    activations: &Activations,
    first: usize,
    outputs: &mut [[f32; PANEL_ROWS]],
) {
    const { assert!(F::BLOCK_COLUMNS == BLOCK_COLUMNS) };
    let blocks = activations.columns() / BLOCK_COLUMNS;
    assert!(panel.len() == blocks * F::PACKED_BYTES && outputs.len() == M);
    let inputs: [*const ActivationBlock; M] = std::array::from_fn(|row| activations.row(first + row).as_ptr());
    let mut totals = [_mm512_setzero_ps(); M];
    for index in 0..blocks {
        // SAFETY: the panel and every row of activations hold `blocks` blocks; a prefetch may have any address.
        unsafe {
            let block = panel.as_ptr().add(index * F::PACKED_BYTES);
            if first == 0 {
                for line in 0..F::PACKED_BYTES.div_ceil(64) {
                    _mm_prefetch::<_MM_HINT_T0>(block.wrapping_add(PREFETCH_BYTES + 64 * line).cast());
                }
            }
            let weights = unsigned_weights::<F>(block.add(F::HEADER_BYTES));
            let scales = halves(block);
            let minimums = match F::SHIFT {
                Shift::Minimum => halves(block.add(MINIMUMS_AT)),
                Shift::None | Shift::Eight => scales,
            };
            let inputs: [&ActivationBlock; M] = std::array::from_fn(|row| &*inputs[row].add(index));
            let block = Block {
                weights,
                scales,
                minimums,
            };
            if M <= 4 {
                chains::<F, M, 0, M>(&block, &inputs, &mut totals);
            } else {
                chains::<F, M, 0, 4>(&block, &inputs, &mut totals);
                match M {
                    5 => chains::<F, M, 4, 1>(&block, &inputs, &mut totals),
                    6 => chains::<F, M, 4, 2>(&block, &inputs, &mut totals),
                    7 => chains::<F, M, 4, 3>(&block, &inputs, &mut totals),
                    _ => chains::<F, M, 4, 4>(&block, &inputs, &mut totals),
                }
            }
        }
    }
    for (outputs, total) in outputs.iter_mut().zip(&totals) {
        // SAFETY: 16 floats are there.
        unsafe { _mm512_storeu_ps(outputs.as_mut_ptr(), *total) };
    }
}

/// A block of weights in registers.
struct Block {
    weights: [__m512i; 8],
    scales: __m512,
    minimums: __m512,
}

/// Adds a block to the totals of the `G` rows from `FIRST` on. Their sums take turns: one alone waits for each of its own
/// instructions.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx2,fma,f16c")]
unsafe fn chains<F: BlockFormat, const M: usize, const FIRST: usize, const G: usize>(
    block: &Block,
    inputs: &[&ActivationBlock; M],
    totals: &mut [__m512; M],
) {
    let mut sums = [_mm512_setzero_si512(); G];
    for row in 0..G {
        sums[row] = starting_sum::<F>(inputs[FIRST + row]);
    }
    for (four, weights) in block.weights.iter().enumerate() {
        for row in 0..G {
            let values = inputs[FIRST + row].values.as_ptr();
            // SAFETY: a block holds 32 values.
            let values = unsafe { values.add(4 * four).cast::<i32>().read_unaligned() };
            sums[row] = _mm512_dpbusd_epi32(sums[row], *weights, _mm512_set1_epi32(values));
        }
        keep_order(&mut sums);
    }
    for row in 0..G {
        let (input, total) = (inputs[FIRST + row], &mut totals[FIRST + row]);
        let scale = _mm512_mul_ps(block.scales, _mm512_set1_ps(input.scale));
        *total = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sums[row]), scale, *total);
        if matches!(F::SHIFT, Shift::Minimum) {
            *total = _mm512_fmadd_ps(block.minimums, _mm512_set1_ps(input.weighted_sum), *total);
        }
    }
}

/// Two panels of one type times as many rows as each of the outputs has (1 to 6), from `first` on. What is fetched of the
/// activations serves both: fetching, not multiplying, is what a tile of one panel waits for.
///
/// # Safety
/// The processor must have AVX-512 F, BW, VL and VNNI.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx2,fma,f16c")]
pub(crate) fn quantized_pair(
    block_type: BlockType,
    panels: [&[u8]; 2],
    activations: &Activations,
    first: usize,
    outputs: [&mut [[f32; PANEL_ROWS]]; 2],
) {
    with_block_format!(block_type, F => pair_by_count::<F>(panels, activations, first, outputs));
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx2,fma,f16c")]
fn pair_by_count<F: BlockFormat>(
    panels: [&[u8]; 2],
    activations: &Activations,
    first: usize,
    outputs: [&mut [[f32; PANEL_ROWS]]; 2],
) {
    match outputs[0].len() {
        1 => pair_rows::<F, 1>(panels, activations, first, outputs),
        2 => pair_rows::<F, 2>(panels, activations, first, outputs),
        3 => pair_rows::<F, 3>(panels, activations, first, outputs),
        4 => pair_rows::<F, 4>(panels, activations, first, outputs),
        5 => pair_rows::<F, 5>(panels, activations, first, outputs),
        _ => pair_rows::<F, 6>(panels, activations, first, outputs),
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx2,fma,f16c")]
fn pair_rows<F: BlockFormat, const M: usize>(
    panels: [&[u8]; 2],
    activations: &Activations,
    first: usize,
    outputs: [&mut [[f32; PANEL_ROWS]]; 2],
) {
    const { assert!(F::BLOCK_COLUMNS == BLOCK_COLUMNS) };
    let blocks = activations.columns() / BLOCK_COLUMNS;
    assert!(panels.iter().all(|panel| panel.len() == blocks * F::PACKED_BYTES));
    assert!(outputs.iter().all(|outputs| outputs.len() == M));
    let inputs: [*const ActivationBlock; M] = std::array::from_fn(|row| activations.row(first + row).as_ptr());
    let mask = _mm512_set1_epi8(15);
    let sign = _mm512_set1_epi8(-128);
    let mut totals = [[_mm512_setzero_ps(); 2]; M];
    for index in 0..blocks {
        // SAFETY: the panels and every row of activations hold `blocks` blocks; a prefetch may have any address.
        unsafe {
            let blocks = panels.map(|panel| panel.as_ptr().add(index * F::PACKED_BYTES));
            if first == 0 {
                for block in blocks {
                    for line in 0..F::PACKED_BYTES.div_ceil(64) {
                        _mm_prefetch::<_MM_HINT_T0>(block.wrapping_add(PREFETCH_BYTES + 64 * line).cast());
                    }
                }
            }
            let inputs: [&ActivationBlock; M] = std::array::from_fn(|row| &*inputs[row].add(index));
            let mut sums = [[_mm512_setzero_si512(); 2]; M];
            for row in 0..M {
                sums[row] = [starting_sum::<F>(inputs[row]); 2];
            }
            for group in 0..F::GROUPS {
                let bytes =
                    blocks.map(|block| _mm512_loadu_si512(block.add(F::HEADER_BYTES + GROUP_BYTES * group).cast()));
                match F::CODES {
                    Codes::Bytes => {
                        let weights = bytes.map(|bytes| _mm512_xor_si512(bytes, sign));
                        pair_step::<M>(weights, &inputs, 4 * group, &mut sums);
                    }
                    Codes::Nibbles => {
                        let low = bytes.map(|bytes| _mm512_and_si512(bytes, mask));
                        pair_step::<M>(low, &inputs, 8 * group, &mut sums);
                        let high = bytes.map(|bytes| _mm512_and_si512(_mm512_srli_epi16::<4>(bytes), mask));
                        pair_step::<M>(high, &inputs, 8 * group + 4, &mut sums);
                    }
                }
            }
            let scales = blocks.map(|block| halves(block));
            for row in 0..M {
                let scale = _mm512_set1_ps(inputs[row].scale);
                for panel in 0..2 {
                    let scale = _mm512_mul_ps(scales[panel], scale);
                    totals[row][panel] =
                        _mm512_fmadd_ps(_mm512_cvtepi32_ps(sums[row][panel]), scale, totals[row][panel]);
                }
            }
            if matches!(F::SHIFT, Shift::Minimum) {
                let minimums = blocks.map(|block| halves(block.add(MINIMUMS_AT)));
                for row in 0..M {
                    let weighted_sum = _mm512_set1_ps(inputs[row].weighted_sum);
                    for panel in 0..2 {
                        totals[row][panel] = _mm512_fmadd_ps(minimums[panel], weighted_sum, totals[row][panel]);
                    }
                }
            }
        }
    }
    for (panel, outputs) in outputs.into_iter().enumerate() {
        for (outputs, totals) in outputs.iter_mut().zip(&totals) {
            // SAFETY: 16 floats are there.
            unsafe { _mm512_storeu_ps(outputs.as_mut_ptr(), totals[panel]) };
        }
    }
}

/// Four columns of two panels and all rows.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx2,fma,f16c")]
unsafe fn pair_step<const M: usize>(
    weights: [__m512i; 2],
    inputs: &[&ActivationBlock; M],
    at: usize,
    sums: &mut [[__m512i; 2]; M],
) {
    for row in 0..M {
        // SAFETY: a block holds 32 values, and `at` is at most 28.
        let values = unsafe { inputs[row].values.as_ptr().add(at).cast::<i32>().read_unaligned() };
        let values = _mm512_set1_epi32(values);
        sums[row][0] = _mm512_dpbusd_epi32(sums[row][0], weights[0], values);
        sums[row][1] = _mm512_dpbusd_epi32(sums[row][1], weights[1], values);
    }
    keep_order(sums.as_flattened_mut());
}

/// What takes the offset that makes weights unsigned off a block's sum.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx2,fma,f16c")]
fn starting_sum<F: BlockFormat>(input: &ActivationBlock) -> __m512i {
    let eight = _mm512_set1_epi32(input.offset);
    match (F::CODES, F::SHIFT) {
        (Codes::Nibbles, Shift::Eight) => eight,
        (Codes::Nibbles, Shift::None | Shift::Minimum) => _mm512_setzero_si512(),
        // Signed bytes become unsigned by an offset of 128, which is 16 times 8.
        (Codes::Bytes, Shift::None | Shift::Minimum) => _mm512_slli_epi32::<4>(eight),
        (Codes::Bytes, Shift::Eight) => _mm512_add_epi32(_mm512_slli_epi32::<4>(eight), eight),
    }
}

/// No instruction, but the compiler has to have all sums ready here: it must not compute one after the other.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx2,fma,f16c")]
fn keep_order(sums: &mut [__m512i]) {
    let mut fours = sums.chunks_exact_mut(4);
    for four in &mut fours {
        let [a, b, c, d] = four else { return };
        // SAFETY: no instruction.
        unsafe {
            std::arch::asm!(
                "/* {0}{1}{2}{3} */",
                inout(zmm_reg) * a,
                inout(zmm_reg) * b,
                inout(zmm_reg) * c,
                inout(zmm_reg) * d,
                options(pure, nomem, nostack, preserves_flags)
            );
        }
    }
}

/// Sixteen half-precision numbers.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx2,fma,f16c")]
unsafe fn halves(from: *const u8) -> __m512 {
    // SAFETY: the caller's 32 bytes are there.
    _mm512_cvtph_ps(unsafe { _mm256_loadu_si256(from.cast()) })
}

/// A block's weights, four columns of all 16 rows a register.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx2,fma,f16c")]
unsafe fn unsigned_weights<F: BlockFormat>(groups: *const u8) -> [__m512i; 8] {
    let mut weights = [_mm512_setzero_si512(); 8];
    let mask = _mm512_set1_epi8(15);
    let sign = _mm512_set1_epi8(-128);
    for index in 0..F::GROUPS {
        // SAFETY: the caller's block holds all groups.
        let bytes = unsafe { _mm512_loadu_si512(groups.add(GROUP_BYTES * index).cast()) };
        match F::CODES {
            Codes::Bytes => weights[index] = _mm512_xor_si512(bytes, sign),
            Codes::Nibbles => {
                weights[2 * index] = _mm512_and_si512(bytes, mask);
                weights[2 * index + 1] = _mm512_and_si512(_mm512_srli_epi16::<4>(bytes), mask);
            }
        }
    }
    weights
}

//! AVX-512 with VNNI: tiles of matrix products, 16 rows of weights times up to eight rows of activations and 32 rows times up to six.

use std::arch::x86_64::*;

use super::{PREFETCH_BYTES, six_bits};
use crate::activations::{ActivationBlock, Activations};
use crate::formats::codes::{GROUP_BYTES, TABLE};
use crate::formats::scales::{self, MINIMUMS_AT};
use crate::formats::{BlockFormat, BlockType, Codes, Scales, with_block_format};
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

/// `M` rows of activations. The weights of a part stay in eight registers, made
/// unsigned by an offset that each sum starts without; activations come straight from memory.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx2,fma,f16c")]
fn rows<F: BlockFormat, const M: usize>(
    panel: &[u8],
    activations: &Activations,
    first: usize,
    outputs: &mut [[f32; PANEL_ROWS]],
) {
    let blocks = activations.columns() / F::BLOCK_COLUMNS;
    assert!(panel.len() == blocks * F::PACKED_BYTES && outputs.len() == M);
    let inputs: [*const ActivationBlock; M] = std::array::from_fn(|row| activations.row(first + row).as_ptr());
    let mut totals = [_mm512_setzero_ps(); M];
    for index in 0..blocks {
        for part in 0..F::PARTS {
            // SAFETY: the panel and every row of activations hold `blocks` blocks.
            unsafe {
                let block = panel.as_ptr().add(index * F::PACKED_BYTES);
                if first == 0 {
                    prefetch::<F>(block, part);
                }
                let weights = unsigned_weights::<F>(block.add(F::HEADER_BYTES + part * F::PART_BYTES));
                let at = index * F::ACTIVATION_BLOCKS + part * F::PART_COLUMNS / BLOCK_COLUMNS;
                let inputs: [&ActivationBlock; M] = std::array::from_fn(|row| &*inputs[row].add(at));
                let part = Part {
                    number: part,
                    weights,
                    scales: scales::<F>(block, part),
                    minimums: minimums::<F>(block, part),
                };
                if M <= 4 {
                    chains::<F, M, 0, M>(&part, &inputs, &mut totals);
                } else {
                    chains::<F, M, 0, 4>(&part, &inputs, &mut totals);
                    match M {
                        5 => chains::<F, M, 4, 1>(&part, &inputs, &mut totals),
                        6 => chains::<F, M, 4, 2>(&part, &inputs, &mut totals),
                        7 => chains::<F, M, 4, 3>(&part, &inputs, &mut totals),
                        _ => chains::<F, M, 4, 4>(&part, &inputs, &mut totals),
                    }
                }
            }
        }
    }
    for (outputs, total) in outputs.iter_mut().zip(&totals) {
        // SAFETY: 16 floats are there.
        unsafe { _mm512_storeu_ps(outputs.as_mut_ptr(), *total) };
    }
}

/// A part of a block of weights in registers.
struct Part {
    number: usize,
    /// The fours of columns; only as many as the part has.
    weights: [__m512i; 8],
    scales: __m512,
    minimums: __m512,
}

/// Fetches a part of the block that comes [`PREFETCH_BYTES`] later.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx2,fma,f16c")]
fn prefetch<F: BlockFormat>(block: *const u8, part: usize) {
    let bytes = F::PACKED_BYTES / F::PARTS;
    for line in 0..bytes.div_ceil(64) {
        let line = block.wrapping_add(part * bytes + PREFETCH_BYTES + 64 * line);
        _mm_prefetch::<_MM_HINT_T0>(line.cast());
    }
}

/// Adds a part to the totals of the `G` rows from `FIRST` on. Their sums take turns: one alone waits for each of its own
/// instructions.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx2,fma,f16c")]
unsafe fn chains<F: BlockFormat, const M: usize, const FIRST: usize, const G: usize>(
    part: &Part,
    inputs: &[&ActivationBlock; M],
    totals: &mut [__m512; M],
) {
    let mut sums = [_mm512_setzero_si512(); G];
    for row in 0..G {
        sums[row] = starting_sum::<F>(inputs[FIRST + row], part.number);
    }
    for (four, weights) in part.weights[..F::FOURS].iter().enumerate() {
        for row in 0..G {
            // SAFETY: the part has the four.
            let values = unsafe { activations_of::<F>(inputs[FIRST + row], part.number, four) };
            sums[row] = _mm512_dpbusd_epi32(sums[row], *weights, values);
        }
        keep_order(&mut sums);
    }
    for row in 0..G {
        let (input, total) = (inputs[FIRST + row], &mut totals[FIRST + row]);
        let scale = _mm512_mul_ps(part.scales, _mm512_set1_ps(input.scale));
        *total = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sums[row]), scale, *total);
        if F::SCALES.has_minimums() {
            *total = _mm512_fmadd_ps(part.minimums, _mm512_set1_ps(input.weighted_sum), *total);
        }
    }
}

/// The activations that four number `four` of a part is multiplied with, repeated for all 16 rows.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx2,fma,f16c")]
unsafe fn activations_of<F: BlockFormat>(input: &ActivationBlock, part: usize, four: usize) -> __m512i {
    let at = part * F::PART_COLUMNS % BLOCK_COLUMNS + 4 * four;
    // SAFETY: the caller's part has the four, and a block holds 32 values.
    _mm512_set1_epi32(unsafe { input.values.as_ptr().add(at).cast::<i32>().read_unaligned() })
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
    let blocks = activations.columns() / F::BLOCK_COLUMNS;
    assert!(panels.iter().all(|panel| panel.len() == blocks * F::PACKED_BYTES));
    assert!(outputs.iter().all(|outputs| outputs.len() == M));
    let inputs: [*const ActivationBlock; M] = std::array::from_fn(|row| activations.row(first + row).as_ptr());
    let mut totals = [[_mm512_setzero_ps(); 2]; M];
    for index in 0..blocks {
        for part in 0..F::PARTS {
            // SAFETY: the panels and every row of activations hold `blocks` blocks.
            unsafe {
                let blocks = panels.map(|panel| panel.as_ptr().add(index * F::PACKED_BYTES));
                if first == 0 {
                    prefetch::<F>(blocks[0], part);
                    prefetch::<F>(blocks[1], part);
                }
                let at = index * F::ACTIVATION_BLOCKS + part * F::PART_COLUMNS / BLOCK_COLUMNS;
                let inputs: [&ActivationBlock; M] = std::array::from_fn(|row| &*inputs[row].add(at));
                let mut sums = [[_mm512_setzero_si512(); 2]; M];
                for row in 0..M {
                    sums[row] = [starting_sum::<F>(inputs[row], part); 2];
                }
                let codes = blocks.map(|block| block.add(F::HEADER_BYTES + part * F::PART_BYTES));
                pair_step::<F, M, 0>(codes, &inputs, part, &mut sums);
                pair_step::<F, M, 1>(codes, &inputs, part, &mut sums);
                pair_step::<F, M, 2>(codes, &inputs, part, &mut sums);
                pair_step::<F, M, 3>(codes, &inputs, part, &mut sums);
                if F::FOURS == 8 {
                    pair_step::<F, M, 4>(codes, &inputs, part, &mut sums);
                    pair_step::<F, M, 5>(codes, &inputs, part, &mut sums);
                    pair_step::<F, M, 6>(codes, &inputs, part, &mut sums);
                    pair_step::<F, M, 7>(codes, &inputs, part, &mut sums);
                }
                let scales = [scales::<F>(blocks[0], part), scales::<F>(blocks[1], part)];
                for row in 0..M {
                    let scale = _mm512_set1_ps(inputs[row].scale);
                    for panel in 0..2 {
                        let scale = _mm512_mul_ps(scales[panel], scale);
                        totals[row][panel] =
                            _mm512_fmadd_ps(_mm512_cvtepi32_ps(sums[row][panel]), scale, totals[row][panel]);
                    }
                }
                if F::SCALES.has_minimums() {
                    let minimums = [minimums::<F>(blocks[0], part), minimums::<F>(blocks[1], part)];
                    for row in 0..M {
                        let weighted_sum = _mm512_set1_ps(inputs[row].weighted_sum);
                        for panel in 0..2 {
                            totals[row][panel] = _mm512_fmadd_ps(minimums[panel], weighted_sum, totals[row][panel]);
                        }
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
unsafe fn pair_step<F: BlockFormat, const M: usize, const FOUR: usize>(
    codes: [*const u8; 2],
    inputs: &[&ActivationBlock; M],
    part: usize,
    sums: &mut [[__m512i; 2]; M],
) {
    // SAFETY: the caller's parts have the four.
    unsafe {
        let weights = [unsigned_four::<F>(codes[0], FOUR), unsigned_four::<F>(codes[1], FOUR)];
        for row in 0..M {
            let values = activations_of::<F>(inputs[row], part, FOUR);
            sums[row][0] = _mm512_dpbusd_epi32(sums[row][0], weights[0], values);
            sums[row][1] = _mm512_dpbusd_epi32(sums[row][1], weights[1], values);
        }
    }
    keep_order(sums.as_flattened_mut());
}

/// What takes the offset that makes weights unsigned, and the code of zero, off the sum of a part.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx2,fma,f16c")]
fn starting_sum<F: BlockFormat>(input: &ActivationBlock, part: usize) -> __m512i {
    let eight = _mm512_set1_epi32(input.offset);
    match (F::PART_COLUMNS, F::ZERO) {
        // Signed bytes become unsigned by an offset of 128, which is 16 times 8.
        (_, 0) if F::CODES.are_signed() => _mm512_slli_epi32::<4>(eight),
        (_, 0) => _mm512_setzero_si512(),
        (BLOCK_COLUMNS, 8) => eight,
        (BLOCK_COLUMNS, 16) => _mm512_slli_epi32::<1>(eight),
        _ => {
            // SAFETY: two times 16 bits are 32.
            let half_sums = unsafe { input.half_sums.as_ptr().cast::<i32>().read_unaligned() };
            let factor = i32::from(-F::ZERO as i16 as u16) << (16 * (part % 2));
            _mm512_madd_epi16(_mm512_set1_epi32(half_sums), _mm512_set1_epi32(factor))
        }
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

/// The scales of a part.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx2,fma,f16c")]
unsafe fn scales<F: BlockFormat>(block: *const u8, part: usize) -> __m512 {
    // SAFETY: the caller's block has the part.
    unsafe {
        let units = halves(block);
        match F::SCALES {
            Scales::Half | Scales::HalfAndMinimum => units,
            Scales::SixBits => {
                let scales = _mm512_cvtepu8_epi32(six_bits(block, part)[0]);
                _mm512_mul_ps(units, _mm512_cvtepi32_ps(scales))
            }
            Scales::Bytes => {
                let bytes = _mm_loadu_si128(block.add(scales::BYTES_AT + part * PANEL_ROWS).cast());
                _mm512_mul_ps(units, _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes)))
            }
        }
    }
}

/// The minimums of a part; zeros where there are none.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx2,fma,f16c")]
unsafe fn minimums<F: BlockFormat>(block: *const u8, part: usize) -> __m512 {
    // SAFETY: the caller's block has the part.
    unsafe {
        match F::SCALES {
            Scales::Half | Scales::Bytes => _mm512_setzero_ps(),
            Scales::HalfAndMinimum => halves(block.add(MINIMUMS_AT)),
            Scales::SixBits => {
                let minimums = _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(six_bits(block, part)[1]));
                _mm512_sub_ps(
                    _mm512_setzero_ps(),
                    _mm512_mul_ps(halves(block.add(MINIMUMS_AT)), minimums),
                )
            }
        }
    }
}

/// The weights of a part, four columns of all 16 rows a register.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx2,fma,f16c")]
unsafe fn unsigned_weights<F: BlockFormat>(codes: *const u8) -> [__m512i; 8] {
    let mut weights = [_mm512_setzero_si512(); 8];
    for (four, weights) in weights[..F::FOURS].iter_mut().enumerate() {
        // SAFETY: the caller's part has the four.
        *weights = unsafe { unsigned_four::<F>(codes, four) };
    }
    weights
}

/// The weights of four number `four`, made unsigned: signed bytes by an offset of 128.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx2,fma,f16c")]
unsafe fn unsigned_four<F: BlockFormat>(codes: *const u8, four: usize) -> __m512i {
    // SAFETY: the caller's part has the group.
    let group = |index: usize| unsafe { _mm512_loadu_si512(codes.add(GROUP_BYTES * index).cast()) };
    if F::CODES == Codes::Bytes {
        return _mm512_xor_si512(group(four), _mm512_set1_epi8(-128));
    }
    let (bytes, mask) = (group(four / 2), _mm512_set1_epi8(15));
    let nibbles = if four.is_multiple_of(2) {
        _mm512_and_si512(bytes, mask)
    } else {
        _mm512_and_si512(_mm512_srli_epi16::<4>(bytes), mask)
    };
    match F::CODES {
        Codes::Nibbles | Codes::Bytes => nibbles,
        Codes::Table => {
            // SAFETY: the table has 16 bytes.
            let table = _mm512_broadcast_i32x4(unsafe { _mm_loadu_si128(TABLE.as_ptr().cast()) });
            let table = _mm512_xor_si512(table, _mm512_set1_epi8(-128));
            _mm512_shuffle_epi8(table, nibbles)
        }
        Codes::FiveBits | Codes::SixBits => {
            let bits = F::CODES.high_bits();
            let high = group(F::FOURS / 2);
            // Shifts by a register; the count is a constant once the loop over the fours is unrolled.
            let high = if bits * four <= 4 {
                _mm512_sll_epi16(high, _mm_cvtsi32_si128((4 - bits * four) as i32))
            } else {
                _mm512_srl_epi16(high, _mm_cvtsi32_si128((bits * four - 4) as i32))
            };
            let mask = _mm512_set1_epi8(((1 << bits) - 1) << 4);
            _mm512_or_si512(nibbles, _mm512_and_si512(high, mask))
        }
    }
}

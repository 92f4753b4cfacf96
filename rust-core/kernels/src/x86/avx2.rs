//! AVX2: tiles of matrix products, 16 rows of weights times up to four rows of activations.

use std::arch::x86_64::*;

use super::{PREFETCH_BYTES, six_bits};
use crate::activations::{ActivationBlock, Activations};
use crate::formats::codes::{GROUP_BYTES, TABLE, high_bits_at};
use crate::formats::scales::{self, MINIMUMS_AT};
use crate::formats::{
    BlockFormat, BlockType, Codes, FloatFormat, FloatType, Scales, with_block_format, with_float_format,
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
    const { assert!(M >= 1 && M <= 4) };
    let blocks = activations.columns() / F::BLOCK_COLUMNS;
    assert!(panel.len() == blocks * F::PACKED_BYTES && outputs.len() == M);
    let inputs: [*const ActivationBlock; M] = std::array::from_fn(|row| activations.row(first + row).as_ptr());
    let mut totals = [[_mm256_setzero_ps(); 2]; M];
    for index in 0..blocks {
        for part in 0..F::PARTS {
            // SAFETY: the panel and every row of activations hold `blocks` blocks; a prefetch may have any address.
            unsafe {
                let block = panel.as_ptr().add(index * F::PACKED_BYTES);
                let codes = block.add(F::HEADER_BYTES + part * F::PART_BYTES);
                if first == 0 {
                    let bytes = F::PACKED_BYTES / F::PARTS;
                    for line in 0..bytes.div_ceil(64) {
                        _mm_prefetch::<_MM_HINT_T0>(
                            block.wrapping_add(part * bytes + PREFETCH_BYTES + 64 * line).cast(),
                        );
                    }
                }
                let column = part * F::PART_COLUMNS;
                let input_index = index * F::ACTIVATION_BLOCKS + column / BLOCK_COLUMNS;
                let inputs: [&ActivationBlock; M] = std::array::from_fn(|row| &*inputs[row].add(input_index));
                let values = inputs.map(|input| input.values.as_ptr().add(column % BLOCK_COLUMNS));
                let sums = match F::CODES {
                    Codes::Nibbles => nibble_sums::<M>(codes, &values),
                    Codes::FiveBits | Codes::SixBits => high_sums::<F, M>(codes, &values),
                    Codes::Bytes | Codes::Table => byte_sums::<F, M>(codes, &values),
                };
                let scales = scales::<F>(block, part);
                let minimums = minimums::<F>(block, part);
                for row in 0..M {
                    let input = inputs[row];
                    let scale = _mm256_set1_ps(input.scale);
                    for side in 0..2 {
                        let sum = match F::ZERO {
                            0 => sums[row][side],
                            _ => _mm256_add_epi32(sums[row][side], zero_sum::<F>(input, part)),
                        };
                        let scale = _mm256_mul_ps(scales[side], scale);
                        totals[row][side] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sum), scale, totals[row][side]);
                        if F::SCALES.has_minimums() {
                            let weighted_sum = _mm256_set1_ps(input.weighted_sum);
                            totals[row][side] = _mm256_fmadd_ps(minimums[side], weighted_sum, totals[row][side]);
                        }
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

/// The scales of a part.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn scales<F: BlockFormat>(block: *const u8, part: usize) -> [__m256; 2] {
    // SAFETY: the caller's block has the part.
    unsafe {
        let units = halves(block);
        match F::SCALES {
            Scales::Half | Scales::HalfAndMinimum => units,
            Scales::SixBits => times_unsigned(units, six_bits(block, part)[0]),
            Scales::Bytes => {
                let bytes = _mm_loadu_si128(block.add(scales::BYTES_AT + part * PANEL_ROWS).cast());
                let wide = [
                    _mm256_cvtepi8_epi32(bytes),
                    _mm256_cvtepi8_epi32(_mm_srli_si128::<8>(bytes)),
                ];
                [
                    _mm256_mul_ps(units[0], _mm256_cvtepi32_ps(wide[0])),
                    _mm256_mul_ps(units[1], _mm256_cvtepi32_ps(wide[1])),
                ]
            }
        }
    }
}

/// The minimums of a part; zeros where there are none.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn minimums<F: BlockFormat>(block: *const u8, part: usize) -> [__m256; 2] {
    // SAFETY: the caller's block has the part.
    unsafe {
        match F::SCALES {
            Scales::Half | Scales::Bytes => [_mm256_setzero_ps(); 2],
            Scales::HalfAndMinimum => halves(block.add(MINIMUMS_AT)),
            Scales::SixBits => {
                let (units, sign) = (halves(block.add(MINIMUMS_AT)), _mm256_set1_ps(-0.0));
                let units = [_mm256_xor_ps(units[0], sign), _mm256_xor_ps(units[1], sign)];
                times_unsigned(units, six_bits(block, part)[1])
            }
        }
    }
}

/// Units times sixteen bytes without sign.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn times_unsigned(units: [__m256; 2], bytes: __m128i) -> [__m256; 2] {
    let wide = [
        _mm256_cvtepu8_epi32(bytes),
        _mm256_cvtepu8_epi32(_mm_srli_si128::<8>(bytes)),
    ];
    [
        _mm256_mul_ps(units[0], _mm256_cvtepi32_ps(wide[0])),
        _mm256_mul_ps(units[1], _mm256_cvtepi32_ps(wide[1])),
    ]
}

/// What takes the code of zero off a sum; see [`crate::formats::zero_sum`].
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn zero_sum<F: BlockFormat>(input: &ActivationBlock, part: usize) -> __m256i {
    match (F::PART_COLUMNS, F::ZERO) {
        (BLOCK_COLUMNS, 8) => _mm256_set1_epi32(input.offset),
        (BLOCK_COLUMNS, 16) => _mm256_slli_epi32::<1>(_mm256_set1_epi32(input.offset)),
        _ => {
            // SAFETY: two times 16 bits are 32.
            let half_sums = unsafe { input.half_sums.as_ptr().cast::<i32>().read_unaligned() };
            let factor = i32::from(-F::ZERO as i16 as u16) << (16 * (part % 2));
            _mm256_madd_epi16(_mm256_set1_epi32(half_sums), _mm256_set1_epi32(factor))
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
unsafe fn four(values: *const i8, at: usize) -> __m256i {
    // SAFETY: the caller's values reach so far.
    _mm256_set1_epi32(unsafe { values.add(at).cast::<i32>().read_unaligned() })
}

/// Sums of a part of 32 columns with 4-bit codes. Pairs of columns are summed in 16 bits, which hold it: 8 × 2 × 15 × 127 = 30,480.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn nibble_sums<const M: usize>(codes: *const u8, values: &[*const i8; M]) -> [[__m256i; 2]; M] {
    let mut pairs = [[_mm256_setzero_si256(); 2]; M];
    // SAFETY: a part holds four groups.
    unsafe {
        nibble_group::<0, M>(codes, values, &mut pairs);
        nibble_group::<1, M>(codes, values, &mut pairs);
        nibble_group::<2, M>(codes, values, &mut pairs);
        nibble_group::<3, M>(codes, values, &mut pairs);
    }
    let ones = _mm256_set1_epi16(1);
    for pairs in pairs.as_flattened_mut() {
        *pairs = _mm256_madd_epi16(*pairs, ones);
    }
    pairs
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn nibble_group<const INDEX: usize, const M: usize>(
    codes: *const u8,
    values: &[*const i8; M],
    pairs: &mut [[__m256i; 2]; M],
) {
    // SAFETY: the caller's part holds the group, and as many columns.
    unsafe {
        let bytes = group(codes, INDEX);
        let low = [low_halves(bytes[0]), low_halves(bytes[1])];
        for row in 0..M {
            let input = four(values[row], 8 * INDEX);
            for side in 0..2 {
                pairs[row][side] = _mm256_add_epi16(pairs[row][side], _mm256_maddubs_epi16(low[side], input));
            }
        }
        keep_order(pairs.as_flattened_mut());
        let high = [high_halves(bytes[0]), high_halves(bytes[1])];
        for row in 0..M {
            let input = four(values[row], 8 * INDEX + 4);
            for side in 0..2 {
                pairs[row][side] = _mm256_add_epi16(pairs[row][side], _mm256_maddubs_epi16(high[side], input));
            }
        }
        keep_order(pairs.as_flattened_mut());
    }
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn low_halves(bytes: __m256i) -> __m256i {
    _mm256_and_si256(bytes, _mm256_set1_epi8(15))
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn high_halves(bytes: __m256i) -> __m256i {
    _mm256_and_si256(_mm256_srli_epi16::<4>(bytes), _mm256_set1_epi8(15))
}

/// Sums of a part with codes of five or six bits, eight rows after the other eight, so that 16-bit and 32-bit sums of all rows of
/// activations find room in registers. Sixteen bits hold four products of five bits, 4 × 2 × 31 × 127 = 31,496, or two of six,
/// 2 × 2 × 63 × 127 = 32,004.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn high_sums<F: BlockFormat, const M: usize>(codes: *const u8, values: &[*const i8; M]) -> [[__m256i; 2]; M] {
    let mut sums = [[_mm256_setzero_si256(); 2]; M];
    for side in 0..2 {
        let codes = codes.wrapping_add(32 * side);
        let mut side_sums = [_mm256_setzero_si256(); M];
        // SAFETY: a part holds all groups that it says.
        unsafe {
            let high = _mm256_loadu_si256(codes.add(high_bits_at::<F>()).cast());
            if F::FOURS == 8 {
                let pairs = fours_with_high::<F, M, 0, 4>(codes, high, values);
                add_pairs(&mut side_sums, pairs);
                let pairs = fours_with_high::<F, M, 4, 4>(codes, high, values);
                add_pairs(&mut side_sums, pairs);
            } else {
                let pairs = fours_with_high::<F, M, 0, 2>(codes, high, values);
                add_pairs(&mut side_sums, pairs);
                let pairs = fours_with_high::<F, M, 2, 2>(codes, high, values);
                add_pairs(&mut side_sums, pairs);
            }
        }
        for (sums, sum) in sums.iter_mut().zip(side_sums) {
            sums[side] = sum;
        }
    }
    sums
}

/// Sums of the `COUNT` fours from `FIRST` on with eight rows, in pairs of columns.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn fours_with_high<F: BlockFormat, const M: usize, const FIRST: usize, const COUNT: usize>(
    codes: *const u8,
    high: __m256i,
    values: &[*const i8; M],
) -> [__m256i; M] {
    let mut pairs = [_mm256_setzero_si256(); M];
    for index in FIRST..FIRST + COUNT {
        // SAFETY: the caller's part holds the fours.
        unsafe {
            let bytes = _mm256_loadu_si256(codes.add(GROUP_BYTES * (index / 2)).cast());
            let low = if index % 2 == 0 {
                low_halves(bytes)
            } else {
                high_halves(bytes)
            };
            let weights = _mm256_or_si256(low, high_bits::<F>(high, index));
            for row in 0..M {
                let products = _mm256_maddubs_epi16(weights, four(values[row], 4 * index));
                pairs[row] = _mm256_add_epi16(pairs[row], products);
            }
        }
        keep_order(&mut pairs);
    }
    pairs
}

/// The bits beyond four of the codes of four number `index`, in their place.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn high_bits<F: BlockFormat>(high: __m256i, index: usize) -> __m256i {
    let bits = F::CODES.high_bits();
    let mask = _mm256_set1_epi8(((1 << bits) - 1) << 4);
    // Shifts by a register; the count is a constant once the loop over the fours is unrolled.
    let shifted = if bits * index <= 4 {
        _mm256_sll_epi16(high, _mm_cvtsi32_si128((4 - bits * index) as i32))
    } else {
        _mm256_srl_epi16(high, _mm_cvtsi32_si128((bits * index - 4) as i32))
    };
    _mm256_and_si256(shifted, mask)
}

/// Adds sums of pairs of columns to 32-bit sums.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn add_pairs<const M: usize>(sums: &mut [__m256i; M], pairs: [__m256i; M]) {
    for (sum, pairs) in sums.iter_mut().zip(pairs) {
        *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
    }
}

/// Sums of a part with weights of signed bytes: magnitudes of the weights times activations that took over the weights' signs.
/// A pair of products fits 16 bits: 2 × 128 × 127 = 32,512.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn byte_sums<F: BlockFormat, const M: usize>(codes: *const u8, values: &[*const i8; M]) -> [[__m256i; 2]; M] {
    let ones = _mm256_set1_epi16(1);
    let mut sums = [[_mm256_setzero_si256(); 2]; M];
    for index in 0..F::FOURS {
        // SAFETY: a part holds the fours, and as many columns.
        unsafe {
            let weights = signed_weights::<F>(codes, index);
            let magnitudes = [_mm256_abs_epi8(weights[0]), _mm256_abs_epi8(weights[1])];
            for row in 0..M {
                let input = four(values[row], 4 * index);
                for side in 0..2 {
                    let pairs = _mm256_maddubs_epi16(magnitudes[side], _mm256_sign_epi8(input, weights[side]));
                    sums[row][side] = _mm256_add_epi32(sums[row][side], _mm256_madd_epi16(pairs, ones));
                }
            }
        }
        keep_order(sums.as_flattened_mut());
    }
    sums
}

/// The weights of four number `index`, signed.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn signed_weights<F: BlockFormat>(codes: *const u8, index: usize) -> [__m256i; 2] {
    // SAFETY: the caller's part holds the four, and the table 16 bytes.
    unsafe {
        if F::CODES == Codes::Bytes {
            return group(codes, index);
        }
        let table = _mm256_broadcastsi128_si256(_mm_loadu_si128(TABLE.as_ptr().cast()));
        let mut weights = group(codes, index / 2);
        for weights in &mut weights {
            let nibbles = if index.is_multiple_of(2) {
                low_halves(*weights)
            } else {
                high_halves(*weights)
            };
            *weights = _mm256_shuffle_epi8(table, nibbles);
        }
        weights
    }
}

/// No instruction, but the compiler has to have all sums ready in registers here. Left alone it computes one sum after the
/// other and keeps the unpacked weights on the stack meanwhile.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn keep_order(sums: &mut [__m256i]) {
    macro_rules! ready {
        ($text:literal: $($sum:ident)*) => {
            // SAFETY: no instruction.
            unsafe {
                std::arch::asm!(
                    concat!("/* ", $text, " */"),
                    $(inout(ymm_reg) *$sum,)*
                    options(pure, nomem, nostack, preserves_flags)
                )
            }
        };
    }
    match sums {
        [a, b, c, d, e, f, g, h] => ready!("{0}{1}{2}{3}{4}{5}{6}{7}": a b c d e f g h),
        [a, b, c, d, e, f] => ready!("{0}{1}{2}{3}{4}{5}": a b c d e f),
        [a, b, c, d] => ready!("{0}{1}{2}{3}": a b c d),
        [a, b, c] => ready!("{0}{1}{2}": a b c),
        _ => {}
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

//! AVX2: tiles of matrix products (16 rows of weights times up to four rows of activations) and the loops of attention.

use std::arch::x86_64::*;

use crate::activations::Activations;
use crate::attention::{BLOCK, BlockKernels, Rows, exponentials_body};
use crate::linear::{FloatTile, TILE};
use crate::tensor_type::{BLOCK_COLUMNS, PANEL_ROWS, TensorType, header_bytes};

/// The panel of a quantised matrix times `outputs.len()` rows from `first` on.
///
/// # Safety
/// The processor must have AVX2, FMA and F16C.
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn quantized_tile(
    tensor_type: TensorType,
    panel: &[u8],
    activations: &Activations,
    first: usize,
    outputs: &mut [[f32; PANEL_ROWS]],
) {
    assert_eq!(
        panel.len(),
        PANEL_ROWS * activations.columns() / BLOCK_COLUMNS * tensor_type.block_bytes()
    );
    match (tensor_type, outputs.len()) {
        (TensorType::Q4_0, 4) => rows::<0, 4>(panel, activations, first, outputs),
        (TensorType::Q4_0, 3) => rows::<0, 3>(panel, activations, first, outputs),
        (TensorType::Q4_0, 2) => rows::<0, 2>(panel, activations, first, outputs),
        (TensorType::Q4_0, _) => rows::<0, 1>(panel, activations, first, outputs),
        (TensorType::Q4_1, 4) => rows::<1, 4>(panel, activations, first, outputs),
        (TensorType::Q4_1, 3) => rows::<1, 3>(panel, activations, first, outputs),
        (TensorType::Q4_1, 2) => rows::<1, 2>(panel, activations, first, outputs),
        (TensorType::Q4_1, _) => rows::<1, 1>(panel, activations, first, outputs),
        (_, 4) => rows::<8, 4>(panel, activations, first, outputs),
        (_, 3) => rows::<8, 3>(panel, activations, first, outputs),
        (_, 2) => rows::<8, 2>(panel, activations, first, outputs),
        (_, _) => rows::<8, 1>(panel, activations, first, outputs),
    }
}

/// `KIND` is 0 for Q4_0, 1 for Q4_1, 8 for Q8_0; `M` rows of activations.
#[target_feature(enable = "avx2,fma,f16c")]
fn rows<const KIND: u8, const M: usize>(
    panel: &[u8],
    activations: &Activations,
    first: usize,
    outputs: &mut [[f32; PANEL_ROWS]],
) {
    const { assert!(M >= 1 && M <= TILE) };
    let tensor_type = match KIND {
        0 => TensorType::Q4_0,
        1 => TensorType::Q4_1,
        _ => TensorType::Q8_0,
    };
    let inputs: [_; M] = std::array::from_fn(|row| activations.row(first + row));
    let mut totals = [[_mm256_setzero_ps(); 2]; M];
    for (index, block) in panel.chunks_exact(PANEL_ROWS * tensor_type.block_bytes()).enumerate() {
        let values: [&[i8; BLOCK_COLUMNS]; M] = std::array::from_fn(|row| {
            inputs[row].0[index * BLOCK_COLUMNS..]
                .first_chunk()
                .expect("a row holds whole blocks")
        });
        let groups = &block[header_bytes(tensor_type)..];
        let sums = if KIND == 8 {
            byte_sums::<M>(groups, &values)
        } else {
            nibble_sums::<M>(groups, &values)
        };
        let scales = halves(block, 0);
        for row in 0..M {
            let (scale, sum) = (inputs[row].1[index], inputs[row].2[index]);
            let input_scale = _mm256_set1_ps(scale);
            for side in 0..2 {
                let mut integer = sums[row][side];
                if KIND == 0 {
                    integer = _mm256_sub_epi32(integer, _mm256_set1_epi32(8 * sum));
                }
                let scale_product = _mm256_mul_ps(scales[side], input_scale);
                totals[row][side] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(integer), scale_product, totals[row][side]);
            }
            if KIND == 1 {
                let minimums = halves(block, 2 * PANEL_ROWS);
                let weighted = _mm256_set1_ps(scale * sum as f32);
                for side in 0..2 {
                    totals[row][side] = _mm256_fmadd_ps(minimums[side], weighted, totals[row][side]);
                }
            }
        }
    }
    for (outputs, totals) in outputs.iter_mut().zip(&totals) {
        let (low, high) = outputs.split_at_mut(8);
        // SAFETY: each half is eight floats long.
        unsafe {
            _mm256_storeu_ps(low.as_mut_ptr(), totals[0]);
            _mm256_storeu_ps(high.as_mut_ptr(), totals[1]);
        }
    }
}

/// Sixteen half-precision numbers at a byte offset of a block.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn halves(block: &[u8], at: usize) -> [__m256; 2] {
    let bytes: &[u8; 32] = block[at..].first_chunk().expect("a block starts with its scales");
    // SAFETY: 32 bytes are there.
    unsafe {
        let pointer = bytes.as_ptr().cast();
        [
            _mm256_cvtph_ps(_mm_loadu_si128(pointer)),
            _mm256_cvtph_ps(_mm_loadu_si128(pointer.add(1))),
        ]
    }
}

/// The two halves of a 64-byte group: rows 0..8 and rows 8..16.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn group(groups: &[u8], index: usize) -> [__m256i; 2] {
    let bytes: &[u8; 64] = groups[64 * index..].first_chunk().expect("a block holds whole groups");
    // SAFETY: 64 bytes are there.
    unsafe {
        let pointer = bytes.as_ptr().cast();
        [_mm256_loadu_si256(pointer), _mm256_loadu_si256(pointer.add(1))]
    }
}

/// Four activations, repeated for all eight rows of a register.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn four(values: &[i8; BLOCK_COLUMNS], at: usize) -> __m256i {
    let bytes: &[i8; 4] = values[at..].first_chunk().expect("four values");
    _mm256_set1_epi32(i32::from_le_bytes(bytes.map(|value| value as u8)))
}

/// Sums of one block with 4-bit weights. Sixteen-bit sums hold it: 8 × 2 × 15 × 127 = 30,480.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn nibble_sums<const M: usize>(groups: &[u8], values: &[&[i8; BLOCK_COLUMNS]; M]) -> [[__m256i; 2]; M] {
    let mask = _mm256_set1_epi8(15);
    let mut pairs = [[_mm256_setzero_si256(); 2]; M];
    for index in 0..4 {
        let bytes = group(groups, index);
        let low = [_mm256_and_si256(bytes[0], mask), _mm256_and_si256(bytes[1], mask)];
        for row in 0..M {
            let input = four(values[row], 8 * index);
            for side in 0..2 {
                pairs[row][side] = _mm256_add_epi16(pairs[row][side], _mm256_maddubs_epi16(low[side], input));
            }
        }
        let high = [
            _mm256_and_si256(_mm256_srli_epi16::<4>(bytes[0]), mask),
            _mm256_and_si256(_mm256_srli_epi16::<4>(bytes[1]), mask),
        ];
        for row in 0..M {
            let input = four(values[row], 8 * index + 4);
            for side in 0..2 {
                pairs[row][side] = _mm256_add_epi16(pairs[row][side], _mm256_maddubs_epi16(high[side], input));
            }
        }
    }
    // A closure would not be compiled with this function's instructions, so `map` would call them one by one.
    let ones = _mm256_set1_epi16(1);
    for side in pairs.as_flattened_mut() {
        *side = _mm256_madd_epi16(*side, ones);
    }
    pairs
}

/// Sums of one block with 8-bit weights: magnitudes of the weights times activations that took over the weights' signs.
/// A pair of products fits 16 bits: 2 × 128 × 127 = 32,512.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn byte_sums<const M: usize>(groups: &[u8], values: &[&[i8; BLOCK_COLUMNS]; M]) -> [[__m256i; 2]; M] {
    let ones = _mm256_set1_epi16(1);
    let mut sums = [[_mm256_setzero_si256(); 2]; M];
    for index in 0..8 {
        let weights = group(groups, index);
        let magnitudes = [_mm256_abs_epi8(weights[0]), _mm256_abs_epi8(weights[1])];
        for row in 0..M {
            let input = four(values[row], 4 * index);
            for side in 0..2 {
                let pairs = _mm256_maddubs_epi16(magnitudes[side], _mm256_sign_epi8(input, weights[side]));
                sums[row][side] = _mm256_add_epi32(sums[row][side], _mm256_madd_epi16(pairs, ones));
            }
        }
    }
    sums
}

/// Sixteen rows of a float matrix times `outputs.len()` rows of `x`.
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn float_tile(tile: FloatTile<'_>, x: &[f32], outputs: &mut [[f32; PANEL_ROWS]]) {
    match (tile.tensor_type(), outputs.len()) {
        (TensorType::F32, 4) => float_rows::<0, 4>(tile, x, outputs),
        (TensorType::F32, 3) => float_rows::<0, 3>(tile, x, outputs),
        (TensorType::F32, 2) => float_rows::<0, 2>(tile, x, outputs),
        (TensorType::F32, _) => float_rows::<0, 1>(tile, x, outputs),
        (TensorType::F16, 4) => float_rows::<1, 4>(tile, x, outputs),
        (TensorType::F16, 3) => float_rows::<1, 3>(tile, x, outputs),
        (TensorType::F16, 2) => float_rows::<1, 2>(tile, x, outputs),
        (TensorType::F16, _) => float_rows::<1, 1>(tile, x, outputs),
        (_, 4) => float_rows::<2, 4>(tile, x, outputs),
        (_, 3) => float_rows::<2, 3>(tile, x, outputs),
        (_, 2) => float_rows::<2, 2>(tile, x, outputs),
        (_, _) => float_rows::<2, 1>(tile, x, outputs),
    }
}

/// `KIND` is 0 for F32, 1 for F16, 2 for BF16; `M` rows of `x`. Weight rows go in pairs, so that each activation that was
/// loaded serves two.
#[target_feature(enable = "avx2,fma,f16c")]
fn float_rows<const KIND: u8, const M: usize>(tile: FloatTile<'_>, x: &[f32], outputs: &mut [[f32; PANEL_ROWS]]) {
    let columns = tile.columns();
    let bytes = if KIND == 0 { 4 } else { 2 };
    let mut lane = 0;
    while lane < PANEL_ROWS {
        // The last row of an odd panel is paired with itself.
        let Some(first) = tile.row(lane) else { break };
        let pair = [first, tile.row(lane + 1).unwrap_or(first)];
        let mut sums = [[_mm256_setzero_ps(); 2]; M];
        let whole = columns / 8 * 8;
        let mut column = 0;
        while column < whole {
            let weights = [
                eight_floats::<KIND>(&pair[0][column * bytes..]),
                eight_floats::<KIND>(&pair[1][column * bytes..]),
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
                    *dot += tile.value(weights, column) * x[row * columns + column];
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
fn eight_floats<const KIND: u8>(bytes: &[u8]) -> __m256 {
    if KIND == 0 {
        let bytes: &[u8; 32] = bytes.first_chunk().expect("a row holds all columns");
        // SAFETY: 32 bytes are there.
        return unsafe { _mm256_loadu_ps(bytes.as_ptr().cast()) };
    }
    let bytes: &[u8; 16] = bytes.first_chunk().expect("a row holds all columns");
    // SAFETY: 16 bytes are there.
    let halves = unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) };
    if KIND == 1 {
        _mm256_cvtph_ps(halves)
    } else {
        _mm256_castsi256_ps(_mm256_slli_epi32::<16>(_mm256_cvtepu16_epi32(halves)))
    }
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn sum_of_eight(lanes: __m256) -> f32 {
    let four = _mm_add_ps(_mm256_castps256_ps128(lanes), _mm256_extractf128_ps::<1>(lanes));
    let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)))
}

/// Attention's loops. Only used on processors that have the instructions.
pub(crate) struct Avx2Blocks;

impl BlockKernels for Avx2Blocks {
    fn scores<const G: usize>(dim: usize, queries: &Rows<G>, keys: &[u16], scores: &mut [[f32; BLOCK]; G]) {
        // SAFETY: whoever chose these kernels has looked at the processor.
        unsafe { block_scores(dim, queries, keys, scores) }
    }

    fn add_values<const G: usize>(dim: usize, weights: &[[f32; BLOCK]; G], values: &[u16], sums: &mut Rows<G>) {
        // SAFETY: as above.
        unsafe { add_block_values(dim, weights, values, sums) }
    }

    fn exponentials(scores: &mut [f32], highest: f32) -> f32 {
        #[target_feature(enable = "avx2,fma,f16c")]
        fn avx2(scores: &mut [f32], highest: f32) -> f32 {
            exponentials_body::<true>(scores, highest)
        }
        // SAFETY: as above.
        unsafe { avx2(scores, highest) }
    }
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn eight_halves(halves: &[u16]) -> __m256 {
    let halves: &[u16; 8] = halves.first_chunk().expect("heads are whole registers wide");
    // SAFETY: eight halves are there.
    _mm256_cvtph_ps(unsafe { _mm_loadu_si128(halves.as_ptr().cast()) })
}

#[target_feature(enable = "avx2,fma,f16c")]
fn block_scores<const G: usize>(dim: usize, queries: &Rows<G>, keys: &[u16], scores: &mut [[f32; BLOCK]; G]) {
    for (position, key) in keys.chunks_exact(dim).enumerate() {
        let mut sums = [_mm256_setzero_ps(); G];
        let mut at = 0;
        while at < dim {
            let key = eight_halves(&key[at..]);
            for head in 0..G {
                let query: &[f32; 8] = queries[head][at..]
                    .first_chunk()
                    .expect("rows are whole registers wide");
                // SAFETY: eight floats are there.
                sums[head] = _mm256_fmadd_ps(key, unsafe { _mm256_loadu_ps(query.as_ptr()) }, sums[head]);
            }
            at += 8;
        }
        for head in 0..G {
            scores[head][position] = sum_of_eight(sums[head]);
        }
    }
}

/// Eight columns at a time stay in registers over all positions of the block.
#[target_feature(enable = "avx2,fma,f16c")]
fn add_block_values<const G: usize>(dim: usize, weights: &[[f32; BLOCK]; G], values: &[u16], sums: &mut Rows<G>) {
    let mut at = 0;
    while at < dim {
        let mut lanes = [_mm256_setzero_ps(); G];
        for (position, value) in values.chunks_exact(dim).enumerate() {
            let value = eight_halves(&value[at..]);
            for head in 0..G {
                lanes[head] = _mm256_fmadd_ps(value, _mm256_set1_ps(weights[head][position]), lanes[head]);
            }
        }
        for head in 0..G {
            let sums: &mut [f32; 8] = sums[head][at..]
                .first_chunk_mut()
                .expect("rows are whole registers wide");
            // SAFETY: eight floats are there.
            unsafe {
                let total = _mm256_add_ps(_mm256_loadu_ps(sums.as_ptr()), lanes[head]);
                _mm256_storeu_ps(sums.as_mut_ptr(), total);
            }
        }
        at += 8;
    }
}

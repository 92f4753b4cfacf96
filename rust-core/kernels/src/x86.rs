//! AVX2 tiles of quantised products: 16 rows of weights times up to four rows of activations.

use std::arch::x86_64::*;

use crate::activations::Activations;
use crate::linear::TILE;
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
#[target_feature(enable = "avx2,fma,f16c")]
fn four(values: &[i8; BLOCK_COLUMNS], at: usize) -> __m256i {
    let bytes: &[i8; 4] = values[at..].first_chunk().expect("four values");
    _mm256_set1_epi32(i32::from_le_bytes(bytes.map(|value| value as u8)))
}

/// Sums of one block with 4-bit weights. Sixteen-bit sums hold it: 8 × 2 × 15 × 127 = 30,480.
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
    let ones = _mm256_set1_epi16(1);
    pairs.map(|sides| sides.map(|side| _mm256_madd_epi16(side, ones)))
}

/// Sums of one block with 8-bit weights: magnitudes of the weights times activations that took over the weights' signs.
/// A pair of products fits 16 bits: 2 × 128 × 127 = 32,512.
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

//! Quantises activations to 8 bits with AVX-512.

use std::arch::x86_64::*;

use crate::activations::{ActivationBlock, LARGEST_MIN, quantize_body};
use crate::tensor_type::BLOCK_COLUMNS;

/// Blocks that are quantised together, so that largest values and sums of several are found side by side.
const QUANTIZED: usize = 4;

/// Quantises blocks of 32 floats, as [`crate::activations::quantize_body`] does, to the same bits; what is no number becomes 127.
///
/// # Safety
/// The processor must have AVX-512 F, BW and VL.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx2,fma,f16c")]
pub(crate) fn quantize(x: &[f32], blocks: &mut [ActivationBlock]) {
    let (fours, rest) = x.as_chunks::<{ QUANTIZED * BLOCK_COLUMNS }>();
    let (block_fours, block_rest) = blocks.as_chunks_mut::<QUANTIZED>();
    for (x, blocks) in fours.iter().zip(block_fours) {
        quantize_four(x, blocks);
    }
    quantize_body(rest, block_rest);
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx2,fma,f16c")]
fn quantize_four(x: &[f32; QUANTIZED * BLOCK_COLUMNS], blocks: &mut [ActivationBlock; QUANTIZED]) {
    let mut values = [[_mm512_setzero_ps(); 2]; QUANTIZED];
    let mut largest = [_mm_setzero_ps(); QUANTIZED];
    for (block, values) in values.iter_mut().enumerate() {
        for (half, values) in values.iter_mut().enumerate() {
            // SAFETY: `x` holds 32 floats a block.
            *values = unsafe { _mm512_loadu_ps(x.as_ptr().add(BLOCK_COLUMNS * block + 16 * half)) };
        }
        // Of two numbers of which one is none the second is taken, so that it is never the largest.
        let all = _mm512_max_ps(_mm512_abs_ps(values[0]), _mm512_setzero_ps());
        let all = _mm512_max_ps(_mm512_abs_ps(values[1]), all);
        let eight = _mm256_max_ps(
            _mm512_castps512_ps256(all),
            _mm256_castsi256_ps(_mm512_extracti64x4_epi64::<1>(_mm512_castps_si512(all))),
        );
        largest[block] = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps::<1>(eight));
    }
    // Four registers of four become one of four largest.
    let pairs = |a: __m128, b: __m128| _mm_max_ps(_mm_unpacklo_ps(a, b), _mm_unpackhi_ps(a, b));
    let (a, b) = (pairs(largest[0], largest[1]), pairs(largest[2], largest[3]));
    let largest = _mm_max_ps(_mm_movelh_ps(a, b), _mm_movehl_ps(b, a));
    let scales = _mm_div_ps(largest, _mm_set1_ps(127.0));
    let inverses = _mm_div_ps(_mm_set1_ps(127.0), largest);
    let inverses = _mm_and_ps(inverses, _mm_cmpge_ps(largest, _mm_set1_ps(LARGEST_MIN)));
    let inverses = [
        _mm512_broadcastss_ps(inverses),
        _mm512_broadcastss_ps(_mm_shuffle_ps::<0b01_01_01_01>(inverses, inverses)),
        _mm512_broadcastss_ps(_mm_shuffle_ps::<0b10_10_10_10>(inverses, inverses)),
        _mm512_broadcastss_ps(_mm_shuffle_ps::<0b11_11_11_11>(inverses, inverses)),
    ];
    let mut sums = [[_mm_setzero_si128(); QUANTIZED]; 2];
    for (block, target) in blocks.iter_mut().enumerate() {
        let halves = values[block].map(|values| {
            // The second of two numbers is taken where one is none.
            let scaled = _mm512_min_ps(_mm512_mul_ps(values, inverses[block]), _mm512_set1_ps(127.0));
            _mm512_cvtps_epi32(_mm512_max_ps(scaled, _mm512_set1_ps(-127.0)))
        });
        let to = target.values.as_mut_ptr().cast::<__m128i>();
        for (half, rounded) in halves.into_iter().enumerate() {
            // SAFETY: a block holds 32 values.
            unsafe { _mm_storeu_si128(to.add(half), _mm512_cvtsepi32_epi8(rounded)) };
            let eight = _mm256_add_epi32(_mm512_castsi512_si256(rounded), _mm512_extracti64x4_epi64::<1>(rounded));
            sums[half][block] = _mm_add_epi32(_mm256_castsi256_si128(eight), _mm256_extracti128_si256::<1>(eight));
        }
    }
    let pairs = |a: __m128i, b: __m128i| _mm_add_epi32(_mm_unpacklo_epi32(a, b), _mm_unpackhi_epi32(a, b));
    let mut all_sums = [[0i32; QUANTIZED]; 2];
    for (all, sums) in all_sums.iter_mut().zip(sums) {
        let (a, b) = (pairs(sums[0], sums[1]), pairs(sums[2], sums[3]));
        let four = _mm_add_epi32(_mm_unpacklo_epi64(a, b), _mm_unpackhi_epi64(a, b));
        // SAFETY: four numbers.
        unsafe { _mm_storeu_si128(all.as_mut_ptr().cast(), four) };
    }
    let mut all_scales = [0f32; QUANTIZED];
    // SAFETY: four numbers.
    unsafe { _mm_storeu_ps(all_scales.as_mut_ptr(), scales) };
    for (index, block) in blocks.iter_mut().enumerate() {
        block.set(all_scales[index], [all_sums[0][index], all_sums[1][index]]);
    }
}

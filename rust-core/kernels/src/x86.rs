//! Kernels for x86: AVX2, and AVX-512 with VNNI.

use std::arch::x86_64::*;

use crate::formats::scales::{HIGH_BITS_AT, LOW_BITS_AT};
use crate::tensor_type::PANEL_ROWS;

pub(crate) mod avx2;
pub(crate) mod avx512;
pub(crate) mod floats;
pub(crate) mod quantize;

/// How far ahead of its use a block of weights is fetched, in bytes: the processor's own prefetching stops at the end of a page.
const PREFETCH_BYTES: usize = 4096;

/// Scales and minimums of a part with [`crate::formats::Scales::SixBits`], in their units, as 16 bytes each.
///
/// # Safety
/// The block must have the part.
#[inline]
#[target_feature(enable = "sse4.1")]
unsafe fn six_bits(block: *const u8, part: usize) -> [__m128i; 2] {
    // SAFETY: the caller's block has the part.
    let (low, high) = unsafe {
        (
            _mm_loadu_si128(block.add(LOW_BITS_AT + part * PANEL_ROWS).cast()),
            _mm_loadu_si128(block.add(HIGH_BITS_AT + part / 2 * PANEL_ROWS).cast()),
        )
    };
    let high = _mm_srl_epi16(high, _mm_cvtsi32_si128((part % 2 * 4) as i32));
    let (low_mask, high_mask) = (_mm_set1_epi8(0x0f), _mm_set1_epi8(0x30));
    [
        _mm_or_si128(
            _mm_and_si128(low, low_mask),
            _mm_and_si128(_mm_slli_epi16::<4>(high), high_mask),
        ),
        _mm_or_si128(
            _mm_and_si128(_mm_srli_epi16::<4>(low), low_mask),
            _mm_and_si128(_mm_slli_epi16::<2>(high), high_mask),
        ),
    ]
}

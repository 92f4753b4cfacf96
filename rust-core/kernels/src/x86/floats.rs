//! Registers of floats for attention: eight with AVX2, sixteen with AVX-512.

use std::arch::x86_64::*;

use crate::simd::Floats;

/// Eight floats.
#[derive(Clone, Copy)]
pub(crate) struct Eight(__m256);

// SAFETY: only AVX2, FMA and F16C are used.
unsafe impl Floats for Eight {
    const LANES: usize = 8;
    const FMA: bool = true;

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        // SAFETY: the caller is compiled for AVX2, FMA and F16C.
        Eight(unsafe { _mm256_set1_ps(value) })
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller is compiled for AVX2, FMA and F16C, and eight floats are at `from`.
        Eight(unsafe { _mm256_loadu_ps(from) })
    }

    #[inline(always)]
    unsafe fn load_halves(from: *const u16) -> Self {
        // SAFETY: the caller is compiled for AVX2, FMA and F16C, and eight halves are at `from`.
        Eight(unsafe { _mm256_cvtph_ps(_mm_loadu_si128(from.cast())) })
    }

    #[inline(always)]
    unsafe fn load_bytes(from: *const i8) -> Self {
        // SAFETY: the caller is compiled for AVX2, FMA and F16C, and eight bytes are at `from`.
        Eight(unsafe { _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(from.cast()))) })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller is compiled for AVX2, FMA and F16C, and eight floats have room at `to`.
        unsafe { _mm256_storeu_ps(to, self.0) }
    }

    #[inline(always)]
    unsafe fn mul_add(self, b: Self, c: Self) -> Self {
        // SAFETY: the caller is compiled for AVX2, FMA and F16C; operands are registers.
        Eight(unsafe { _mm256_fmadd_ps(self.0, b.0, c.0) })
    }

    #[inline(always)]
    unsafe fn add(self, b: Self) -> Self {
        // SAFETY: the caller is compiled for AVX2, FMA and F16C; operands are registers.
        Eight(unsafe { _mm256_add_ps(self.0, b.0) })
    }

    #[inline(always)]
    unsafe fn prefetch(at: *const u8) {
        // SAFETY: a prefetch may have any address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) }
    }
}

/// Sixteen floats.
#[derive(Clone, Copy)]
pub(crate) struct Sixteen(__m512);

// SAFETY: only AVX-512 F is used.
unsafe impl Floats for Sixteen {
    const LANES: usize = 16;
    const FMA: bool = true;

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        // SAFETY: the caller is compiled for AVX-512 F.
        Sixteen(unsafe { _mm512_set1_ps(value) })
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller is compiled for AVX-512 F, and sixteen floats are at `from`.
        Sixteen(unsafe { _mm512_loadu_ps(from) })
    }

    #[inline(always)]
    unsafe fn load_halves(from: *const u16) -> Self {
        // SAFETY: the caller is compiled for AVX-512 F, and sixteen halves are at `from`.
        Sixteen(unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(from.cast())) })
    }

    #[inline(always)]
    unsafe fn load_bytes(from: *const i8) -> Self {
        // SAFETY: the caller is compiled for AVX-512 F, and sixteen bytes are at `from`.
        Sixteen(unsafe { _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(from.cast()))) })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller is compiled for AVX-512 F, and sixteen floats have room at `to`.
        unsafe { _mm512_storeu_ps(to, self.0) }
    }

    #[inline(always)]
    unsafe fn mul_add(self, b: Self, c: Self) -> Self {
        // SAFETY: the caller is compiled for AVX-512 F; operands are registers.
        Sixteen(unsafe { _mm512_fmadd_ps(self.0, b.0, c.0) })
    }

    #[inline(always)]
    unsafe fn add(self, b: Self) -> Self {
        // SAFETY: the caller is compiled for AVX-512 F; operands are registers.
        Sixteen(unsafe { _mm512_add_ps(self.0, b.0) })
    }

    #[inline(always)]
    unsafe fn prefetch(at: *const u8) {
        // SAFETY: a prefetch may have any address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) }
    }
}

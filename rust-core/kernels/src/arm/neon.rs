//! NEON registers of floats, and the few instructions for which Rust has no stable function.

use std::arch::aarch64::*;
use std::arch::asm;

use crate::simd::Floats;

/// Eight floats in two registers.
#[derive(Clone, Copy)]
pub(crate) struct Eight(float32x4_t, float32x4_t);

// SAFETY: only NEON is used, which belongs to the target's baseline.
unsafe impl Floats for Eight {
    const LANES: usize = 8;
    const FMA: bool = true;

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        // SAFETY: NEON belongs to the baseline, and no memory is touched.
        let value = unsafe { vdupq_n_f32(value) };
        Eight(value, value)
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: NEON belongs to the baseline, and eight floats are at `from`.
        unsafe { Eight(vld1q_f32(from), vld1q_f32(from.add(4))) }
    }

    #[inline(always)]
    unsafe fn load_halves(from: *const u16) -> Self {
        // SAFETY: NEON belongs to the baseline, and eight halves are at `from`.
        unsafe {
            let (low, high) = floats(vld1q_u16(from));
            Eight(low, high)
        }
    }

    #[inline(always)]
    unsafe fn load_bytes(from: *const i8) -> Self {
        // SAFETY: NEON belongs to the baseline, and eight bytes are at `from`.
        unsafe {
            let wide = vmovl_s8(vld1_s8(from));
            Eight(
                vcvtq_f32_s32(vmovl_s16(vget_low_s16(wide))),
                vcvtq_f32_s32(vmovl_high_s16(wide)),
            )
        }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: NEON belongs to the baseline, and eight floats have room at `to`.
        unsafe {
            vst1q_f32(to, self.0);
            vst1q_f32(to.add(4), self.1);
        }
    }

    #[inline(always)]
    unsafe fn mul_add(self, b: Self, c: Self) -> Self {
        // SAFETY: NEON belongs to the baseline; operands are registers.
        unsafe { Eight(vfmaq_f32(c.0, self.0, b.0), vfmaq_f32(c.1, self.1, b.1)) }
    }

    #[inline(always)]
    unsafe fn add(self, b: Self) -> Self {
        // SAFETY: NEON belongs to the baseline; operands are registers.
        unsafe { Eight(vaddq_f32(self.0, b.0), vaddq_f32(self.1, b.1)) }
    }

    #[inline(always)]
    unsafe fn prefetch(at: *const u8) {
        prefetch(at);
    }
}

/// Asks for the cache line at an address that need not be valid.
#[inline(always)]
pub(crate) fn prefetch(at: *const u8) {
    // SAFETY: a prefetch may have any address.
    unsafe { asm!("prfm pldl1strm, [{0}]", in(reg) at, options(readonly, nostack, preserves_flags)) };
}

/// Loads a register where the compiler would rather copy one: loads have ports of their own, a copy takes one of those that compute.
///
/// # Safety
/// Four numbers are at `from`.
#[inline(always)]
pub(crate) unsafe fn load_anew(from: *const [i32; 4]) -> int32x4_t {
    let loaded;
    // SAFETY: as the caller promises. Without `pure` no load is replaced by a copy.
    unsafe {
        asm!("ldr {0:q}, [{1}]", lateout(vreg) loaded, in(reg) from, options(readonly, nostack, preserves_flags))
    };
    loaded
}

/// Makes the compiler finish some registers here, and load nothing of what comes later before: left to itself it loads so early that a tile's sums no
/// longer fit the registers.
#[inline(always)]
pub(crate) fn settle<T: Copy, const R: usize>(registers: &mut [T; R], range: std::ops::Range<usize>) {
    const { assert!(size_of::<T>() == 16) };
    for register in range {
        // SAFETY: the type is that of a register, and nothing is done with it.
        unsafe {
            let value: &mut int32x4_t = &mut *(&raw mut registers[register]).cast();
            asm!("/* {0:v} */", inout(vreg) * value, options(nostack, preserves_flags));
        }
    }
}

/// `high`, its top two bits kept, with the top six of `low` behind them.
#[inline(always)]
pub(crate) fn two_bits_and_six(high: uint8x16_t, low: uint8x16_t) -> uint8x16_t {
    let mut codes = high;
    // SAFETY: the instruction belongs to the baseline; operands are registers. The compiler makes four of it.
    unsafe {
        asm!("sri {0:v}.16b, {1:v}.16b, 2", inout(vreg) codes, in(vreg) low, options(pure, nomem, nostack, preserves_flags));
    }
    codes
}

/// Four half-precision numbers as floats, exact.
#[inline(always)]
pub(crate) fn four_floats(halves: uint16x4_t) -> float32x4_t {
    let floats;
    // SAFETY: the instruction belongs to the baseline; operands are registers.
    unsafe {
        asm!("fcvtl {0:v}.4s, {1:v}.4h", out(vreg) floats, in(vreg) halves, options(pure, nomem, nostack, preserves_flags))
    };
    floats
}

/// Eight half-precision numbers as floats, exact.
#[inline(always)]
pub(crate) fn floats(halves: uint16x8_t) -> (float32x4_t, float32x4_t) {
    let (low, high);
    // SAFETY: both instructions belong to the baseline; operands are registers.
    unsafe {
        asm!("fcvtl {0:v}.4s, {1:v}.4h", out(vreg) low, in(vreg) halves, options(pure, nomem, nostack, preserves_flags));
        asm!("fcvtl2 {0:v}.4s, {1:v}.8h", out(vreg) high, in(vreg) halves, options(pure, nomem, nostack, preserves_flags));
    }
    (low, high)
}

/// Adds to each lane the dot product of four signed bytes of `a` with the four bytes of lane `LANE` of `b`.
#[inline]
#[target_feature(enable = "neon,dotprod")]
pub(crate) fn dot<const LANE: i32>(sum: int32x4_t, a: int8x16_t, b: int8x16_t) -> int32x4_t {
    let mut sum = sum;
    // SAFETY: the function is only compiled into code for processors that have dot products; operands are registers.
    unsafe {
        asm!("sdot {0:v}.4s, {1:v}.16b, {2:v}.4b[{3}]", inout(vreg) sum, in(vreg) a, in(vreg) b, const LANE,
             options(pure, nomem, nostack, preserves_flags));
    }
    sum
}

/// Adds the product of two rows of eight signed bytes with two columns of eight: `[a0·b0, a0·b1, a1·b0, a1·b1]`.
#[inline]
#[target_feature(enable = "neon,i8mm")]
pub(crate) fn matrix(sum: int32x4_t, a: int8x16_t, b: int8x16_t) -> int32x4_t {
    let mut sum = sum;
    // SAFETY: the function is only compiled into code for processors that have matrix products of bytes; operands are registers.
    unsafe {
        asm!("smmla {0:v}.4s, {1:v}.16b, {2:v}.16b", inout(vreg) sum, in(vreg) a, in(vreg) b,
             options(pure, nomem, nostack, preserves_flags));
    }
    sum
}

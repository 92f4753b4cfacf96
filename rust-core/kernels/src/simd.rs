//! Registers of floats: the few operations that attention needs, for every supported instruction set.

/// A register of [`Floats::LANES`] floats.
///
/// # Safety
/// Every function may only be called in code that is compiled for the instructions of the implementing type; pointers are
/// good for `LANES` values.
pub(crate) unsafe trait Floats: Copy {
    /// How many.
    const LANES: usize;
    /// Whether `mul_add` rounds once.
    const FMA: bool;

    unsafe fn splat(value: f32) -> Self;
    unsafe fn load(from: *const f32) -> Self;
    unsafe fn load_halves(from: *const u16) -> Self;
    unsafe fn load_bytes(from: *const i8) -> Self;
    unsafe fn store(self, to: *mut f32);
    /// `self × b + c`
    unsafe fn mul_add(self, b: Self, c: Self) -> Self;
    unsafe fn add(self, b: Self) -> Self;
    /// Asks for the cache line at an address that need not be valid.
    unsafe fn prefetch(at: *const u8);
}

/// Eight floats in an array, for processors without code of their own; the compiler makes registers of it.
#[derive(Clone, Copy)]
pub(crate) struct Portable([f32; 8]);

// SAFETY: it uses no special instructions.
unsafe impl Floats for Portable {
    const LANES: usize = 8;
    const FMA: bool = crate::dispatch::BASELINE_FMA;

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        Portable([value; 8])
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller promises that eight floats are at `from`, aligned or not.
        Portable(unsafe { from.cast::<[f32; 8]>().read_unaligned() })
    }

    #[inline(always)]
    unsafe fn load_halves(from: *const u16) -> Self {
        // SAFETY: the caller promises that eight halves are at `from`, aligned or not.
        let halves = unsafe { from.cast::<[u16; 8]>().read_unaligned() };
        let mut floats = [0f32; 8];
        for (float, half) in floats.iter_mut().zip(halves) {
            *float = crate::float::f16_to_f32(half);
        }
        Portable(floats)
    }

    #[inline(always)]
    unsafe fn load_bytes(from: *const i8) -> Self {
        // SAFETY: the caller promises that eight bytes are at `from`.
        let bytes = unsafe { from.cast::<[i8; 8]>().read_unaligned() };
        Portable(bytes.map(f32::from))
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller promises that eight floats have room at `to`, aligned or not.
        unsafe { to.cast::<[f32; 8]>().write_unaligned(self.0) }
    }

    #[inline(always)]
    unsafe fn mul_add(mut self, b: Self, c: Self) -> Self {
        for lane in 0..8 {
            self.0[lane] = crate::portable::multiply_add::<{ Self::FMA }>(self.0[lane], b.0[lane], c.0[lane]);
        }
        self
    }

    #[inline(always)]
    unsafe fn add(mut self, b: Self) -> Self {
        for lane in 0..8 {
            self.0[lane] += b.0[lane];
        }
        self
    }

    #[inline(always)]
    unsafe fn prefetch(_at: *const u8) {}
}

//! Half-precision conversions, exact, and with few enough branches to vectorise.

/// IEEE half precision to single precision, exact.
///
/// ```
/// use whimbrel_kernels::f16_to_f32;
///
/// assert_eq!(f16_to_f32(0x3c00), 1.0);
/// assert_eq!(f16_to_f32(0x0001), 2f32.powi(-24));
/// assert_eq!(f16_to_f32(0xfc00), f32::NEG_INFINITY);
/// ```
#[inline(always)]
#[must_use]
pub fn f16_to_f32(half: u16) -> f32 {
    let sign = u32::from(half & 0x8000) << 16;
    let magnitude = u32::from(half & 0x7fff);
    // Shifted into place the exponent is 112 too small; the multiplication mends it, for subnormal numbers too.
    let finite = f32::from_bits(magnitude << 13) * f32::from_bits(0x7780_0000);
    let bits = if magnitude >= 0x7c00 {
        (magnitude << 13) | 0x7f80_0000
    } else {
        finite.to_bits()
    };
    f32::from_bits(sign | bits)
}

/// Single precision to IEEE half precision, rounded to nearest, ties to even. Values that are too large become infinite.
///
/// ```
/// use whimbrel_kernels::{f16_to_f32, f32_to_f16};
///
/// assert_eq!(f32_to_f16(-2.0), 0xc000);
/// assert_eq!(f16_to_f32(f32_to_f16(2049.0)), 2048.0);
/// assert_eq!(f16_to_f32(f32_to_f16(65_520.0)), f32::INFINITY);
/// ```
#[inline(always)]
#[must_use]
pub fn f32_to_f16(value: f32) -> u16 {
    let bits = value.to_bits();
    let sign = (bits >> 16) as u16 & 0x8000;
    let magnitude = bits & 0x7fff_ffff;
    if magnitude > 0x7f80_0000 {
        return sign | 0x7e00;
    }
    if magnitude >= 0x4780_0000 {
        return sign | 0x7c00;
    }
    if magnitude < 0x3880_0000 {
        // A subnormal half: adding 0.5 lines its last bit up with the last bit of the sum, which rounds it.
        let sum = f32::from_bits(magnitude) + 0.5;
        return sign | (sum.to_bits() - 0x3f00_0000) as u16;
    }
    let rounded = magnitude + 0xfff + ((magnitude >> 13) & 1);
    sign | ((rounded - 0x3800_0000) >> 13) as u16
}

/// Brain float to single precision, exact.
///
/// ```
/// assert_eq!(whimbrel_kernels::bf16_to_f32(0x4049), 3.140_625);
/// ```
#[inline(always)]
#[must_use]
pub fn bf16_to_f32(half: u16) -> f32 {
    f32::from_bits(u32::from(half) << 16)
}

//! How the scales of quantised weights are kept: in the header of a packed block, those of the 16 rows side by side.
//!
//! | | header |
//! |---|---|
//! | [`Scales::Half`] | 16 half-precision scales |
//! | [`Scales::HalfAndMinimum`] | 16 half-precision scales, 16 half-precision minimums |
//! | [`Scales::SixBits`] | as before, the unit of a block's scales and that of its minimums; then, for each part, 16 bytes with the low four bits of scale (low half) and minimum (high half); then, for each two parts, 16 bytes with the high two bits of the first part's scale, its minimum, the second part's scale and its minimum, from the lowest bit on |
//! | [`Scales::Bytes`] | 16 half-precision units; then, for each part, 16 signed bytes |

use super::BlockFormat;
use crate::float::f16_to_f32;
use crate::tensor_type::PANEL_ROWS;

/// Where the minimums, or their units, begin: behind a half-precision scale for each row.
pub(crate) const MINIMUMS_AT: usize = 2 * PANEL_ROWS;
/// Where the low bits of [`Scales::SixBits`] begin.
pub(crate) const LOW_BITS_AT: usize = 2 * MINIMUMS_AT;
/// Where the high bits of [`Scales::SixBits`] begin.
pub(crate) const HIGH_BITS_AT: usize = LOW_BITS_AT + SIX_BITS_PARTS * PANEL_ROWS;
/// Where [`Scales::Bytes`] begin, behind their units.
pub(crate) const BYTES_AT: usize = MINIMUMS_AT;
/// Parts of a block with [`Scales::SixBits`].
const SIX_BITS_PARTS: usize = 8;
/// Parts of a block with [`Scales::Bytes`].
const BYTES_PARTS: usize = 16;

/// The kinds of scales.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scales {
    /// A half-precision scale for each row.
    Half,
    /// A half-precision scale and a half-precision minimum for each row.
    HalfAndMinimum,
    /// Six bits for scale and minimum of each part, times a half-precision unit each. The minimum is subtracted.
    SixBits,
    /// A signed byte for each part, times a half-precision unit.
    Bytes,
}

impl Scales {
    pub(super) const fn header_bytes(self) -> usize {
        match self {
            Self::Half => MINIMUMS_AT,
            Self::HalfAndMinimum => LOW_BITS_AT,
            Self::SixBits => HIGH_BITS_AT + SIX_BITS_PARTS / 2 * PANEL_ROWS,
            Self::Bytes => BYTES_AT + BYTES_PARTS * PANEL_ROWS,
        }
    }

    /// Whether a minimum is added to the weights.
    pub(crate) const fn has_minimums(self) -> bool {
        matches!(self, Self::HalfAndMinimum | Self::SixBits)
    }
}

/// Scale and minimum of a part of row `lane`.
#[inline(always)]
pub(super) fn of_lane<F: BlockFormat>(header: &[u8], part: usize, lane: usize) -> (f32, f32) {
    match F::SCALES {
        Scales::Half => (half(header, lane), 0.0),
        Scales::HalfAndMinimum => (half(header, lane), half(header, PANEL_ROWS + lane)),
        Scales::SixBits => {
            let (scale, minimum) = six_bits(header, part, lane);
            (
                half(header, lane) * f32::from(scale),
                -(half(header, PANEL_ROWS + lane) * f32::from(minimum)),
            )
        }
        Scales::Bytes => {
            let scale = header[BYTES_AT + part * PANEL_ROWS + lane] as i8;
            (half(header, lane) * f32::from(scale), 0.0)
        }
    }
}

/// Scale and minimum of a part of row `lane`, in their units.
#[inline(always)]
fn six_bits(header: &[u8], part: usize, lane: usize) -> (u8, u8) {
    let low = header[LOW_BITS_AT + part * PANEL_ROWS + lane];
    let high = header[HIGH_BITS_AT + part / 2 * PANEL_ROWS + lane] >> (4 * (part % 2));
    (low & 15 | (high & 3) << 4, low >> 4 | (high >> 2 & 3) << 4)
}

/// Puts scale and minimum of a part of row `lane`, in their units, into a header of zeros.
pub(super) fn put_six_bits(header: &mut [u8], part: usize, lane: usize, scale: u8, minimum: u8) {
    header[LOW_BITS_AT + part * PANEL_ROWS + lane] = scale & 15 | minimum << 4;
    let high = scale >> 4 | minimum >> 4 << 2;
    header[HIGH_BITS_AT + part / 2 * PANEL_ROWS + lane] |= high << (4 * (part % 2));
}

/// Puts two bytes of a half-precision number into a header, as number `index`.
pub(super) fn put_half(header: &mut [u8], index: usize, bytes: &[u8]) {
    header[2 * index..][..2].copy_from_slice(bytes);
}

/// Number `index` of the half-precision numbers that a header begins with.
#[inline(always)]
fn half(header: &[u8], index: usize) -> f32 {
    f16_to_f32(u16::from_le_bytes([header[2 * index], header[2 * index + 1]]))
}

//! How the codes of quantised weights are kept: in groups of 64 bytes, four bytes for each of the 16 rows, so that one vector register serves
//! 4 to 16 rows.
//!
//! A part of a packed block contains the codes of the columns that share a scale. They are taken in fours of columns:
//!
//! | | groups of 64 bytes | bytes `4r..4r+4` of a group |
//! |---|---|---|
//! | bytes | one for each four | the four of row `r` |
//! | nibbles | one for two fours | low halves: the first four of row `r`; high halves: the second |
//! | the bits beyond four | one, behind the nibbles | for four number `k`, one bit from bit `k` on, or two bits from bit `2k` on |

use super::BlockFormat;
use crate::tensor_type::PANEL_ROWS;

/// Bytes of a group of codes: four for each row.
pub(crate) const GROUP_BYTES: usize = 4 * PANEL_ROWS;

/// The kinds of codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Codes {
    /// Four bits, from 0 to 15.
    Nibbles,
    /// Five bits, from 0 to 31.
    FiveBits,
    /// Six bits, from 0 to 63.
    SixBits,
    /// Signed bytes.
    Bytes,
    /// Four bits that stand for the signed bytes in [`TABLE`].
    Table,
}

/// The values of IQ4_NL's 16 codes (`kvalues_iq4nl` in GGML): closer together around zero, where most weights are.
pub(crate) const TABLE: [i8; 16] = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];

impl Codes {
    /// Bits of a code.
    pub(crate) const fn bits(self) -> usize {
        match self {
            Self::Nibbles | Self::Table => 4,
            Self::FiveBits => 5,
            Self::SixBits => 6,
            Self::Bytes => 8,
        }
    }

    /// Bits of a code that are kept behind the nibbles.
    pub(crate) const fn high_bits(self) -> usize {
        match self {
            Self::Nibbles | Self::Table | Self::Bytes => 0,
            Self::FiveBits => 1,
            Self::SixBits => 2,
        }
    }

    /// Whether codes, as the tiles see them, have a sign. The others are at most 63.
    pub(crate) const fn are_signed(self) -> bool {
        matches!(self, Self::Bytes | Self::Table)
    }
}

/// Where the group of the bits beyond four begins in a part.
pub(crate) const fn high_bits_at<F: BlockFormat>() -> usize {
    F::FOURS / 2 * GROUP_BYTES
}

/// Puts four codes of row `lane` into a part of zeros.
#[inline(always)]
pub(super) fn put<F: BlockFormat>(lane: usize, four: usize, four_codes: [u8; 4], part: &mut [u8]) {
    for (byte, code) in (4 * lane..).zip(four_codes) {
        if F::CODES == Codes::Bytes {
            part[GROUP_BYTES * four + byte] = code;
            continue;
        }
        part[four / 2 * GROUP_BYTES + byte] |= (code & 15) << (4 * (four % 2));
        if F::CODES.high_bits() > 0 {
            part[high_bits_at::<F>() + byte] |= (code >> 4) << (F::CODES.high_bits() * four);
        }
    }
}

/// Four codes of row `lane` of a part; those of a table are looked up.
#[inline(always)]
pub(super) fn four<F: BlockFormat>(lane: usize, four: usize, part: &[u8]) -> [i32; 4] {
    std::array::from_fn(|byte| {
        let byte = 4 * lane + byte;
        if F::CODES == Codes::Bytes {
            return i32::from(part[GROUP_BYTES * four + byte] as i8);
        }
        let nibble = part[four / 2 * GROUP_BYTES + byte] >> (4 * (four % 2)) & 15;
        let high_bits = F::CODES.high_bits();
        if F::CODES == Codes::Table {
            i32::from(TABLE[usize::from(nibble)])
        } else if high_bits > 0 {
            let high = part[high_bits_at::<F>() + byte] >> (high_bits * four) & ((1 << high_bits) - 1);
            i32::from(nibble | high << 4)
        } else {
            i32::from(nibble)
        }
    })
}

/// For each of the 16 rows the sum of the codes of a part times as many activations.
#[inline(always)]
pub(super) fn sums<F: BlockFormat>(part: &[u8], values: &[i8]) -> [i32; PANEL_ROWS] {
    let mut sums = [0i32; PANEL_ROWS];
    for (number, values) in values.as_chunks::<4>().0.iter().enumerate() {
        for (lane, sum) in sums.iter_mut().enumerate() {
            for (code, value) in four::<F>(lane, number, part).into_iter().zip(values) {
                *sum += code * i32::from(*value);
            }
        }
    }
    sums
}

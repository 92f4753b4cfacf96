//! Q4_K: blocks of 256 columns in eight parts of 32 with a 6-bit scale and a 6-bit minimum each, and codes of four bits.
//!
//! | | bytes |
//! |---|---|
//! | GGML's block | f16 unit of the scales, f16 unit of the minimums, 12 bytes of scales and minimums, 128 of codes: 144 |
//! | packed block | 16 f16 units, 16 f16 units, 192 bytes of scales and minimums, 32 groups of codes: 2,304 |

use super::sealed::Sealed;
use super::{BlockFormat, Codes, Format, Scales, scales};
use crate::tensor_type::PANEL_ROWS;

/// `scale × code − minimum`
pub(crate) struct Q4K;

impl Sealed for Q4K {}

impl Format for Q4K {
    const BLOCK_COLUMNS: usize = 256;
    const BLOCK_BYTES: usize = 144;
}

impl BlockFormat for Q4K {
    const CODES: Codes = Codes::Nibbles;
    const SCALES: Scales = Scales::SixBits;

    #[inline(always)]
    fn code(ggml: &[u8], column: usize) -> u8 {
        // Of each 64 columns the first 32 are in the low halves of 32 bytes.
        let byte = ggml[16 + column / 64 * 32 + column % 32];
        if column % 64 < 32 { byte & 15 } else { byte >> 4 }
    }

    fn pack_header(lane: usize, ggml: &[u8], header: &mut [u8]) {
        scales::put_half(header, lane, &ggml[..2]);
        scales::put_half(header, PANEL_ROWS + lane, &ggml[2..4]);
        let packed = &ggml[4..16];
        for part in 0..4 {
            scales::put_six_bits(header, part, lane, packed[part] & 63, packed[part + 4] & 63);
            // Those of the other four parts: low bits in the last four bytes, high bits at the top of the first eight.
            let scale = packed[part + 8] & 15 | packed[part] >> 6 << 4;
            let minimum = packed[part + 8] >> 4 | packed[part + 4] >> 6 << 4;
            scales::put_six_bits(header, part + 4, lane, scale, minimum);
        }
    }
}

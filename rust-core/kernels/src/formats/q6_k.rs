//! Q6_K: blocks of 256 columns in 16 parts of 16 with an 8-bit scale each, and 6-bit codes centred on 32.
//!
//! | | bytes |
//! |---|---|
//! | GGML's block | 128 bytes of low bits, 64 of high bits, 16 scales, f16 unit of the scales: 210 |
//! | packed block | 16 f16 units, 256 scales; for each part 2 groups of low bits and 1 of high bits: 3,360 |

use super::sealed::Sealed;
use super::{BlockFormat, Codes, Format, Scales, scales};
use crate::tensor_type::PANEL_ROWS;

/// `scale × (code − 32)`
pub(crate) struct Q6K;

impl Sealed for Q6K {}

impl Format for Q6K {
    const BLOCK_COLUMNS: usize = 256;
    const BLOCK_BYTES: usize = 210;
}

impl BlockFormat for Q6K {
    const CODES: Codes = Codes::SixBits;
    const SCALES: Scales = Scales::Bytes;
    const ZERO: i32 = 32;

    #[inline(always)]
    fn code(ggml: &[u8], column: usize) -> u8 {
        // Each 128 columns are four runs of 32, which share 64 bytes of low bits and 32 bytes of high bits.
        let (half, run, place) = (column / 128, column % 128 / 32, column % 32);
        let low = ggml[64 * half + run % 2 * 32 + place] >> (run / 2 * 4) & 15;
        let high = ggml[128 + 32 * half + place] >> (2 * run) & 3;
        low | high << 4
    }

    fn pack_header(lane: usize, ggml: &[u8], header: &mut [u8]) {
        scales::put_half(header, lane, &ggml[208..210]);
        for (part, scale) in ggml[192..208].iter().enumerate() {
            header[scales::BYTES_AT + part * PANEL_ROWS + lane] = *scale;
        }
    }
}

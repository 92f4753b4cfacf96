//! Q4_1: blocks of 32 columns with a scale, a minimum and codes of four bits.
//!
//! | | bytes |
//! |---|---|
//! | GGML's block | f16 scale, f16 minimum, 16 bytes of codes: 20 |
//! | packed block | 16 f16 scales, 16 f16 minimums, 4 groups of codes: 320 |

use super::sealed::Sealed;
use super::{BlockFormat, Codes, Format, Scales, nibble, scales};
use crate::tensor_type::PANEL_ROWS;

/// `scale × code + minimum`
pub(crate) struct Q4_1;

impl Sealed for Q4_1 {}

impl Format for Q4_1 {
    const BLOCK_COLUMNS: usize = 32;
    const BLOCK_BYTES: usize = 20;
}

impl BlockFormat for Q4_1 {
    const CODES: Codes = Codes::Nibbles;
    const SCALES: Scales = Scales::HalfAndMinimum;

    #[inline(always)]
    fn code(ggml: &[u8], column: usize) -> u8 {
        nibble(&ggml[4..], column)
    }

    fn pack_header(lane: usize, ggml: &[u8], header: &mut [u8]) {
        scales::put_half(header, lane, &ggml[..2]);
        scales::put_half(header, PANEL_ROWS + lane, &ggml[2..4]);
    }
}

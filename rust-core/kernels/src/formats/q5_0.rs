//! Q5_0: blocks of 32 columns with a scale and 5-bit codes centred on 16.
//!
//! | | bytes |
//! |---|---|
//! | GGML's block | f16 scale, 4 bytes of fifth bits, 16 bytes of codes: 22 |
//! | packed block | 16 f16 scales, 4 groups of codes, 1 of fifth bits: 352 |

use super::sealed::Sealed;
use super::{BlockFormat, Codes, Format, Scales, nibble, scales};

/// `scale × (code − 16)`
pub(crate) struct Q5_0;

impl Sealed for Q5_0 {}

impl Format for Q5_0 {
    const BLOCK_COLUMNS: usize = 32;
    const BLOCK_BYTES: usize = 22;
}

impl BlockFormat for Q5_0 {
    const CODES: Codes = Codes::FiveBits;
    const SCALES: Scales = Scales::Half;
    const ZERO: i32 = 16;

    #[inline(always)]
    fn code(ggml: &[u8], column: usize) -> u8 {
        let (high, low) = ggml[2..].split_at(4);
        nibble(low, column) | (high[column / 8] >> (column % 8) & 1) << 4
    }

    fn pack_header(lane: usize, ggml: &[u8], header: &mut [u8]) {
        scales::put_half(header, lane, &ggml[..2]);
    }
}

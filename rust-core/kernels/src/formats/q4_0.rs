//! Q4_0: blocks of 32 columns with a scale and 4-bit codes centred on 8.
//!
//! | | bytes |
//! |---|---|
//! | GGML's block | f16 scale, 16 bytes of codes: 18 |
//! | packed block | 16 f16 scales, 4 groups of codes: 288 |

use super::sealed::Sealed;
use super::{BlockFormat, Codes, Format, Scales, nibble, scales};

/// `scale × (code − 8)`
pub(crate) struct Q4_0;

impl Sealed for Q4_0 {}

impl Format for Q4_0 {
    const BLOCK_COLUMNS: usize = 32;
    const BLOCK_BYTES: usize = 18;
}

impl BlockFormat for Q4_0 {
    const CODES: Codes = Codes::Nibbles;
    const SCALES: Scales = Scales::Half;
    const ZERO: i32 = 8;

    #[inline(always)]
    fn code(ggml: &[u8], column: usize) -> u8 {
        nibble(&ggml[2..], column)
    }

    fn pack_header(lane: usize, ggml: &[u8], header: &mut [u8]) {
        scales::put_half(header, lane, &ggml[..2]);
    }
}

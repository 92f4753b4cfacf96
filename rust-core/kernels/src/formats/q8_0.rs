//! Q8_0: blocks of 32 columns with a scale and codes of eight bits.
//!
//! | | bytes |
//! |---|---|
//! | GGML's block | f16 scale, 32 signed bytes: 34 |
//! | packed block | 16 f16 scales, 8 groups of codes: 544 |

use super::sealed::Sealed;
use super::{BlockFormat, Codes, Format, Scales, scales};

/// `scale × code`
pub(crate) struct Q8_0;

impl Sealed for Q8_0 {}

impl Format for Q8_0 {
    const BLOCK_COLUMNS: usize = 32;
    const BLOCK_BYTES: usize = 34;
}

impl BlockFormat for Q8_0 {
    const CODES: Codes = Codes::Bytes;
    const SCALES: Scales = Scales::Half;

    #[inline(always)]
    fn code(ggml: &[u8], column: usize) -> u8 {
        ggml[2 + column]
    }

    fn pack_header(lane: usize, ggml: &[u8], header: &mut [u8]) {
        scales::put_half(header, lane, &ggml[..2]);
    }
}

//! IQ4_NL: blocks of 32 columns with a scale and 4-bit codes that stand for the values of a table.
//!
//! | | bytes |
//! |---|---|
//! | GGML's block | f16 scale, 16 bytes of codes: 18 |
//! | packed block | 16 f16 scales, 4 groups of codes: 288 |

use super::sealed::Sealed;
use super::{BlockFormat, Codes, Format, Scales, nibble, scales};

/// `scale × table[code]`
pub(crate) struct Iq4Nl;

impl Sealed for Iq4Nl {}

impl Format for Iq4Nl {
    const BLOCK_COLUMNS: usize = 32;
    const BLOCK_BYTES: usize = 18;
}

impl BlockFormat for Iq4Nl {
    const CODES: Codes = Codes::Table;
    const SCALES: Scales = Scales::Half;

    #[inline(always)]
    fn code(ggml: &[u8], column: usize) -> u8 {
        nibble(&ggml[2..], column)
    }

    fn pack_header(lane: usize, ggml: &[u8], header: &mut [u8]) {
        scales::put_half(header, lane, &ggml[..2]);
    }
}

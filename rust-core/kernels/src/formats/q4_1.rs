//! Q4_1: blocks of 32 columns with a scale, a minimum and codes of four bits.
//!
//! | | bytes |
//! |---|---|
//! | GGML's block | f16 scale, f16 minimum, 16 bytes of codes: 20 |
//! | packed block | 16 f16 scales, 16 f16 minimums, 4 groups of codes: 320 |

use super::sealed::Sealed;
use super::{BlockFormat, Codes, Format, MINIMUMS_AT, Shift, half, nibbles};
use crate::activations::ActivationBlock;
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
    const SHIFT: Shift = Shift::Minimum;

    fn pack_block(lane: usize, ggml: &[u8], packed: &mut [u8]) {
        let (scale, rest) = ggml.split_at(2);
        let (minimum, codes) = rest.split_at(2);
        packed[2 * lane..][..2].copy_from_slice(scale);
        packed[MINIMUMS_AT + 2 * lane..][..2].copy_from_slice(minimum);
        nibbles::pack(lane, codes, &mut packed[Self::HEADER_BYTES..]);
    }

    #[inline(always)]
    fn unpack_block(lane: usize, packed: &[u8], weights: &mut [f32]) {
        let (scale, minimum) = (half(packed, lane), half(packed, PANEL_ROWS + lane));
        nibbles::unpack(lane, &packed[Self::HEADER_BYTES..], weights, |code| {
            scale * code + minimum
        });
    }

    #[inline(always)]
    fn add_products(packed: &[u8], input: &ActivationBlock, totals: &mut [f32; PANEL_ROWS]) {
        let sums = nibbles::sums(&packed[Self::HEADER_BYTES..], &input.values);
        for (lane, total) in totals.iter_mut().enumerate() {
            let (scale, minimum) = (half(packed, lane), half(packed, PANEL_ROWS + lane));
            *total += scale * input.scale * sums[lane] as f32 + minimum * input.weighted_sum;
        }
    }
}

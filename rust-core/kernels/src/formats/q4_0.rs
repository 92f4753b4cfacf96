//! Q4_0: blocks of 32 columns with a scale and 4-bit codes centred on 8.
//!
//! | | bytes |
//! |---|---|
//! | GGML's block | f16 scale, 16 bytes of codes: 18 |
//! | packed block | 16 f16 scales, 4 groups of codes: 288 |

use super::sealed::Sealed;
use super::{BlockFormat, Codes, Format, Shift, half, nibbles};
use crate::activations::ActivationBlock;
use crate::tensor_type::PANEL_ROWS;

/// `scale × (code − 8)`
pub(crate) struct Q4_0;

impl Sealed for Q4_0 {}

impl Format for Q4_0 {
    const BLOCK_COLUMNS: usize = 32;
    const BLOCK_BYTES: usize = 18;
}

impl BlockFormat for Q4_0 {
    const CODES: Codes = Codes::Nibbles;
    const SHIFT: Shift = Shift::Eight;

    fn pack_block(lane: usize, ggml: &[u8], packed: &mut [u8]) {
        let (scale, codes) = ggml.split_at(2);
        packed[2 * lane..][..2].copy_from_slice(scale);
        nibbles::pack(lane, codes, &mut packed[Self::HEADER_BYTES..]);
    }

    #[inline(always)]
    fn unpack_block(lane: usize, packed: &[u8], weights: &mut [f32]) {
        let scale = half(packed, lane);
        // Adding zero makes the weight of code 8 plus zero, whatever the sign of the scale.
        nibbles::unpack(lane, &packed[Self::HEADER_BYTES..], weights, |code| {
            scale * (code - 8.0) + 0.0
        });
    }

    #[inline(always)]
    fn add_products(packed: &[u8], input: &ActivationBlock, totals: &mut [f32; PANEL_ROWS]) {
        let sums = nibbles::sums(&packed[Self::HEADER_BYTES..], &input.values);
        for (lane, total) in totals.iter_mut().enumerate() {
            *total += half(packed, lane) * input.scale * (sums[lane] + input.offset) as f32;
        }
    }
}

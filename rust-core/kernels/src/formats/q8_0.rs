//! Q8_0: blocks of 32 columns with a scale and codes of eight bits.
//!
//! | | bytes |
//! |---|---|
//! | GGML's block | f16 scale, 32 signed bytes: 34 |
//! | packed block | 16 f16 scales, 8 groups of codes: 544 |

use super::sealed::Sealed;
use super::{BlockFormat, Codes, Format, GROUP_BYTES, Shift, half};
use crate::activations::ActivationBlock;
use crate::tensor_type::PANEL_ROWS;

/// `scale × code`
pub(crate) struct Q8_0;

impl Sealed for Q8_0 {}

impl Format for Q8_0 {
    const BLOCK_COLUMNS: usize = 32;
    const BLOCK_BYTES: usize = 34;
}

impl BlockFormat for Q8_0 {
    const CODES: Codes = Codes::Bytes;
    const SHIFT: Shift = Shift::None;

    fn pack_block(lane: usize, ggml: &[u8], packed: &mut [u8]) {
        let (scale, codes) = ggml.split_at(2);
        packed[2 * lane..][..2].copy_from_slice(scale);
        let groups = packed[Self::HEADER_BYTES..].chunks_exact_mut(GROUP_BYTES);
        for (group, four) in groups.zip(codes.chunks_exact(4)) {
            group[4 * lane..][..4].copy_from_slice(four);
        }
    }

    #[inline(always)]
    fn unpack_block(lane: usize, packed: &[u8], weights: &mut [f32]) {
        let scale = half(packed, lane);
        let groups = packed[Self::HEADER_BYTES..].as_chunks::<GROUP_BYTES>().0;
        for (weights, group) in weights.as_chunks_mut::<4>().0.iter_mut().zip(groups) {
            *weights = group.as_chunks::<4>().0[lane].map(|code| scale * f32::from(code as i8));
        }
    }

    #[inline(always)]
    fn add_products(packed: &[u8], input: &ActivationBlock, totals: &mut [f32; PANEL_ROWS]) {
        let sums = sums(&packed[Self::HEADER_BYTES..], &input.values);
        for (lane, total) in totals.iter_mut().enumerate() {
            *total += half(packed, lane) * input.scale * sums[lane] as f32;
        }
    }
}

/// For each of the 16 rows the sum of its codes times 32 activations.
#[inline(always)]
fn sums(groups: &[u8], values: &[i8]) -> [i32; PANEL_ROWS] {
    let mut sums = [0i32; PANEL_ROWS];
    for (group, values) in groups
        .as_chunks::<GROUP_BYTES>()
        .0
        .iter()
        .zip(values.as_chunks::<4>().0)
    {
        for (sum, codes) in sums.iter_mut().zip(group.as_chunks::<4>().0) {
            for byte in 0..4 {
                *sum += i32::from(codes[byte] as i8) * i32::from(values[byte]);
            }
        }
    }
    sums
}

//! 4-bit codes: the common part of Q4_0 and Q4_1. [`super::Codes::Nibbles`] defines their layout in a group.

use super::GROUP_BYTES;
use crate::tensor_type::PANEL_ROWS;

/// Puts the 32 codes of one of GGML's blocks into the four groups of a packed block, as row `lane`.
pub(super) fn pack(lane: usize, ggml: &[u8], groups: &mut [u8]) {
    // GGML keeps column c in the low half of byte c and column c + 16 in its high half.
    let nibble = |column: usize| {
        if column < 16 {
            ggml[column] & 15
        } else {
            ggml[column - 16] >> 4
        }
    };
    for (group, bytes) in groups.chunks_exact_mut(GROUP_BYTES).enumerate() {
        for byte in 0..4 {
            let column = 8 * group + byte;
            bytes[4 * lane + byte] = nibble(column) | nibble(column + 4) << 4;
        }
    }
}

/// The weights of row `lane`, which `weight` makes of the codes.
#[inline(always)]
pub(super) fn unpack(lane: usize, groups: &[u8], weights: &mut [f32], weight: impl Fn(f32) -> f32) {
    let groups = groups.as_chunks::<GROUP_BYTES>().0;
    for (weights, group) in weights.as_chunks_mut::<8>().0.iter_mut().zip(groups) {
        let pairs = group.as_chunks::<4>().0[lane];
        for (byte, pair) in pairs.into_iter().enumerate() {
            weights[byte] = weight(f32::from(pair & 15));
            weights[byte + 4] = weight(f32::from(pair >> 4));
        }
    }
}

/// For each of the 16 rows the sum of its codes times 32 activations.
#[inline(always)]
pub(super) fn sums(groups: &[u8], values: &[i8]) -> [i32; PANEL_ROWS] {
    let mut sums = [0i32; PANEL_ROWS];
    for (group, values) in groups
        .as_chunks::<GROUP_BYTES>()
        .0
        .iter()
        .zip(values.as_chunks::<8>().0)
    {
        for (sum, codes) in sums.iter_mut().zip(group.as_chunks::<4>().0) {
            for byte in 0..4 {
                *sum += i32::from(codes[byte] & 15) * i32::from(values[byte])
                    + i32::from(codes[byte] >> 4) * i32::from(values[byte + 4]);
            }
        }
    }
    sums
}

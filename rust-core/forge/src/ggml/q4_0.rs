//! Q4_0: 32 values share a 16-bit scale; a value is `scale × (q − 8)` with q from 0 to 15. Byte `c` of the block contains column `c` in its
//! low half and column `c + 16` in its high half.

use super::scale::{Codes, Whole, best_scale, inverse};
use super::{half, put_half, through_half};

const VALUES: usize = 32;
const BYTES: usize = 18;
const CODES: Whole = Whole { low: -8.0, high: 7.0 };

pub(super) fn decode(blocks: &[u8], values: &mut [f32]) {
    for (block, values) in blocks.chunks_exact(BYTES).zip(values.chunks_exact_mut(VALUES)) {
        let scale = half(block, 0);
        for (column, byte) in block[2..].iter().enumerate() {
            values[column] = scale * (f32::from(byte & 15) - 8.0);
            values[column + 16] = scale * (f32::from(byte >> 4) - 8.0);
        }
    }
}

pub(super) fn encode(values: &[f32], blocks: &mut [u8]) -> bool {
    for (values, block) in values.chunks_exact(VALUES).zip(blocks.chunks_exact_mut(BYTES)) {
        let scale = best_scale(values, CODES, through_half);
        if !put_half(block, 0, scale) {
            return false;
        }
        let inverse = inverse(scale);
        let code = |value: f32| (CODES.nearest(value * inverse) + 8.0) as u8;
        for column in 0..16 {
            block[2 + column] = code(values[column]) | code(values[column + 16]) << 4;
        }
    }
    true
}

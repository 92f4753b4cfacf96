//! Q5_0: 32 values share a 16-bit scale; a value is `scale × (q − 16)` with q from 0 to 31. Four bytes hold the fifth bits, column `c` at
//! bit `c`; then come the other four in the byte order of Q4_0.

use super::scale::{Codes, Whole, best_scale, inverse};
use super::{fifth_bits, half, put_half, through_half};

const VALUES: usize = 32;
const BYTES: usize = 22;
const CODES: Whole = Whole { low: -16.0, high: 15.0 };

pub(super) fn decode(blocks: &[u8], values: &mut [f32]) {
    for (block, values) in blocks.chunks_exact(BYTES).zip(values.chunks_exact_mut(VALUES)) {
        let (scale, codes) = (half(block, 0), fifth_bits(&block[2..]));
        for (value, code) in values.iter_mut().zip(codes) {
            *value = scale * (f32::from(code) - 16.0);
        }
    }
}

pub(super) fn encode(values: &[f32], blocks: &mut [u8]) -> bool {
    for (values, block) in values.chunks_exact(VALUES).zip(blocks.chunks_exact_mut(BYTES)) {
        let scale = best_scale(values, CODES, through_half);
        if !put_half(block, 0, scale) {
            return false;
        }
        block[2..].fill(0);
        let inverse = inverse(scale);
        for (column, value) in values.iter().enumerate() {
            let code = (CODES.nearest(value * inverse) + 16.0) as u8;
            block[2 + column / 8] |= (code >> 4) << (column % 8);
            block[6 + column % 16] |= (code & 15) << (column / 16 * 4);
        }
    }
    true
}

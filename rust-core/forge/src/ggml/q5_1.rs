//! Q5_1: 32 values share a 16-bit scale and a 16-bit minimum; a value is `scale × q + minimum` with q from 0 to 31, in the byte order of
//! Q5_0.

use super::{fifth_bits, half};

const VALUES: usize = 32;
const BYTES: usize = 24;

pub(super) fn decode(blocks: &[u8], values: &mut [f32]) {
    for (block, values) in blocks.chunks_exact(BYTES).zip(values.chunks_exact_mut(VALUES)) {
        let (scale, minimum) = (half(block, 0), half(block, 1));
        for (value, code) in values.iter_mut().zip(fifth_bits(&block[4..])) {
            *value = scale * f32::from(code) + minimum;
        }
    }
}

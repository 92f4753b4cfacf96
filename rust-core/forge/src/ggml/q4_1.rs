//! Q4_1: 32 values share a 16-bit scale and a 16-bit minimum; a value is `scale × q + minimum` with q from 0 to 15, in the
//! byte order of Q4_0.

use super::line::{Line, best_line};
use super::{half, put_half, through_half};

const VALUES: usize = 32;
const BYTES: usize = 20;
const TOP: f32 = 15.0;

pub(super) fn decode(blocks: &[u8], values: &mut [f32]) {
    for (block, values) in blocks.chunks_exact(BYTES).zip(values.chunks_exact_mut(VALUES)) {
        let (scale, minimum) = (half(block, 0), half(block, 1));
        for (column, byte) in block[4..].iter().enumerate() {
            values[column] = scale * f32::from(byte & 15) + minimum;
            values[column + 16] = scale * f32::from(byte >> 4) + minimum;
        }
    }
}

pub(super) fn encode(values: &[f32], blocks: &mut [u8]) -> bool {
    let stored = |line: Line| Line {
        scale: through_half(line.scale),
        minimum: through_half(line.minimum),
    };
    for (values, block) in values.chunks_exact(VALUES).zip(blocks.chunks_exact_mut(BYTES)) {
        let line = best_line(values, TOP, stored);
        if !put_half(block, 0, line.scale) || !put_half(block, 1, line.minimum) {
            return false;
        }
        let code = |value: f32| line.code(value, TOP) as u8;
        for column in 0..16 {
            block[4 + column] = code(values[column]) | code(values[column + 16]) << 4;
        }
    }
    true
}

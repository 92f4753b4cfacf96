//! IQ4_NL: 32 values share a 16-bit scale; a value is `scale × TABLE[q]` with q from 0 to 15, in the byte order of Q4_0.

use super::scale::{Codes, best_scale, inverse};
use super::{half, put_half, through_half};

const VALUES: usize = 32;
const BYTES: usize = 18;

/// `kvalues_iq4nl` in GGML.
pub(super) const TABLE: [f32; 16] = [
    -127.0, -104.0, -83.0, -65.0, -49.0, -35.0, -22.0, -10.0, 1.0, 13.0, 25.0, 38.0, 53.0, 69.0, 89.0, 113.0,
];

pub(super) fn decode(blocks: &[u8], values: &mut [f32]) {
    for (block, values) in blocks.chunks_exact(BYTES).zip(values.chunks_exact_mut(VALUES)) {
        let scale = half(block, 0);
        for (column, byte) in block[2..].iter().enumerate() {
            values[column] = scale * TABLE[usize::from(byte & 15)];
            values[column + 16] = scale * TABLE[usize::from(byte >> 4)];
        }
    }
}

pub(super) fn encode(values: &[f32], blocks: &mut [u8]) -> bool {
    for (values, block) in values.chunks_exact(VALUES).zip(blocks.chunks_exact_mut(BYTES)) {
        let scale = best_scale(values, Table, through_half);
        if !put_half(block, 0, scale) {
            return false;
        }
        let inverse = inverse(scale);
        let code = |value: f32| nearest(value * inverse) as u8;
        for column in 0..16 {
            block[2 + column] = code(values[column]) | code(values[column + 16]) << 4;
        }
    }
    true
}

#[derive(Clone, Copy)]
struct Table;

impl Codes for Table {
    fn furthest(self) -> f32 {
        TABLE[0]
    }

    fn places(self) -> impl Iterator<Item = f32> {
        let low_end = (-7..=7).map(|step| TABLE[0] - 2.0 * step as f32);
        let high_end = (-7..=7).map(|step| TABLE[15] - 2.0 * step as f32);
        low_end.chain(high_end)
    }

    fn nearest(self, value: f32) -> f32 {
        TABLE[nearest(value)]
    }
}

/// The number of the nearest value in [`TABLE`].
fn nearest(value: f32) -> usize {
    let above = TABLE.partition_point(|entry| *entry < value);
    match above {
        0 => 0,
        16 => 15,
        _ if value - TABLE[above - 1] < TABLE[above] - value => above - 1,
        _ => above,
    }
}

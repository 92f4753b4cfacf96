//! Q6_K: 256 values in 16 parts of 16; a value is `unit × scale × (q − 32)` with q from 0 to 63 and an 8-bit scale for each part. The bytes:
//! the low four bits of the codes, their high two, the scales, a 16-bit unit. Each 128 columns are four runs of 32: in their 64 bytes of low
//! bits the first two runs are the low halves, in their 32 bytes of high bits run `r` begins at bit `2r`.

use super::scale::{Codes, Whole, best_scale, inverse};
use super::{half, put_half, quantize, through_half};

const VALUES: usize = 256;
const BYTES: usize = 210;
const PART: usize = 16;
const HIGH_AT: usize = 128;
const SCALES_AT: usize = 192;
const CODES: Whole = Whole { low: -32.0, high: 31.0 };
const SCALE_MAX: f32 = 127.0;

/// Where the low and the high bits of a column are: byte and lowest bit.
fn places(column: usize) -> [(usize, usize); 2] {
    let (half, run, place) = (column / 128, column % 128 / 32, column % 32);
    [
        (64 * half + run % 2 * 32 + place, run / 2 * 4),
        (HIGH_AT + 32 * half + place, 2 * run),
    ]
}

pub(super) fn decode(blocks: &[u8], values: &mut [f32]) {
    for (block, values) in blocks.chunks_exact(BYTES).zip(values.chunks_exact_mut(VALUES)) {
        let unit = half(block, (BYTES - 2) / 2);
        for (column, value) in values.iter_mut().enumerate() {
            let [(low, low_bit), (high, high_bit)] = places(column);
            let code = block[low] >> low_bit & 15 | (block[high] >> high_bit & 3) << 4;
            let scale = unit * f32::from(block[SCALES_AT + column / PART] as i8);
            *value = scale * (f32::from(code) - 32.0);
        }
    }
}

pub(super) fn encode(values: &[f32], blocks: &mut [u8]) -> bool {
    for (values, block) in values.chunks_exact(VALUES).zip(blocks.chunks_exact_mut(BYTES)) {
        let mut best = [0f32; VALUES / PART];
        for (scale, values) in best.iter_mut().zip(values.chunks_exact(PART)) {
            *scale = best_scale(values, CODES, |scale| scale);
        }
        let unit = through_half(best.iter().fold(0.0f32, |largest, scale| scale.abs().max(largest)) / SCALE_MAX);
        if !put_half(block, (BYTES - 2) / 2, unit) {
            return false;
        }
        block[..SCALES_AT].fill(0);
        for (part, (values, scale)) in values.chunks_exact(PART).zip(best).enumerate() {
            let scale = quantize(scale * inverse(unit), -SCALE_MAX, SCALE_MAX);
            block[SCALES_AT + part] = scale as i8 as u8;
            // The codes that are best for the scale as it is stored.
            let inverse = inverse(unit * scale);
            for (column, value) in (part * PART..).zip(values) {
                let code = (CODES.nearest(value * inverse) + 32.0) as u8;
                let [(low, low_bit), (high, high_bit)] = places(column);
                block[low] |= (code & 15) << low_bit;
                block[high] |= (code >> 4) << high_bit;
            }
        }
    }
    true
}

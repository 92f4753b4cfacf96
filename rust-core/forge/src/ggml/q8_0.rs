//! Q8_0: 32 values share a 16-bit scale; a value is `scale × q` with q from −127 to 127.

use super::scale::inverse;
use super::{half, put_half, quantize, through_half};

const VALUES: usize = 32;
const BYTES: usize = 34;

pub(super) fn decode(blocks: &[u8], values: &mut [f32]) {
    for (block, values) in blocks.chunks_exact(BYTES).zip(values.chunks_exact_mut(VALUES)) {
        let scale = half(block, 0);
        for (value, byte) in values.iter_mut().zip(&block[2..]) {
            *value = scale * f32::from(*byte as i8);
        }
    }
}

pub(super) fn encode(values: &[f32], blocks: &mut [u8]) -> bool {
    for (values, block) in values.chunks_exact(VALUES).zip(blocks.chunks_exact_mut(BYTES)) {
        let values: &[f32; VALUES] = values.try_into().expect("chunks_exact gives whole blocks");
        let scale = best_scale(values);
        if !put_half(block, 0, scale) {
            return false;
        }
        let inverse = inverse(scale);
        for (byte, value) in block[2..].iter_mut().zip(values) {
            *byte = quantize(value * inverse, -127.0, 127.0) as i8 as u8;
        }
    }
    true
}

/// The 16-bit scale with the least squared error among a few near the one that maps the largest value to 127.
fn best_scale(values: &[f32; VALUES]) -> f32 {
    let largest = values.iter().fold(0.0f32, |largest, value| largest.max(value.abs()));
    let plain = through_half(largest / 127.0);
    if largest == 0.0 || !plain.is_finite() {
        return plain;
    }
    let mut best = (squared_error(values, plain), plain);
    for step in -3..=3 {
        let scale = through_half(largest / (127.0 + 0.25 * step as f32));
        let error = squared_error(values, scale);
        if error < best.0 {
            best = (error, scale);
        }
    }
    best.1
}

fn squared_error(values: &[f32; VALUES], scale: f32) -> f32 {
    let inverse = inverse(scale);
    values.iter().fold(0.0, |sum, value| {
        let difference = value - scale * quantize(value * inverse, -127.0, 127.0);
        sum + difference * difference
    })
}

//! Q4_0: 32 values share a 16-bit scale; a value is `scale × (q − 8)` with q from 0 to 15. Byte `c` of the block contains column `c` in its
//! low half and column `c + 16` in its high half.

use whimbrel_kernels::f32_to_f16;

use super::{half, quantize, through_half};

const VALUES: usize = 32;
const BYTES: usize = 18;

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
        let values: &[f32; VALUES] = values.try_into().expect("chunks_exact gives whole blocks");
        let scale = best_scale(values);
        if !scale.is_finite() {
            return false;
        }
        block[..2].copy_from_slice(&f32_to_f16(scale).to_le_bytes());
        let inverse = inverse(scale);
        let code = |value: f32| (quantize(value * inverse, -8.0, 7.0) + 8.0) as u8;
        for column in 0..16 {
            block[2 + column] = code(values[column]) | code(values[column + 16]) << 4;
        }
    }
    true
}

/// The 16-bit scale with the least squared error among those that put the largest value near either end of the range,
/// each moved to the least-squares optimum of the codes it leads to.
fn best_scale(values: &[f32; VALUES]) -> f32 {
    let largest = values.iter().fold(
        0.0f32,
        |largest, value| if value.abs() > largest.abs() { *value } else { largest },
    );
    let mut best = (f32::INFINITY, through_half(largest / -8.0));
    if largest == 0.0 || !best.1.is_finite() {
        return best.1;
    }
    let low_end = (-6..=8).map(|step| -8.0 - 0.15 * step as f32);
    let high_end = (-4..=8).map(|step| 7.0 + 0.15 * step as f32);
    for place in low_end.chain(high_end) {
        for scale in [
            through_half(largest / place),
            through_half(least_squares(values, place / largest)),
        ] {
            let error = squared_error(values, scale);
            if error < best.0 {
                best = (error, scale);
            }
        }
    }
    best.1
}

fn least_squares(values: &[f32; VALUES], inverse: f32) -> f32 {
    let (mut products, mut squares) = (0.0f32, 0.0f32);
    for value in values {
        let code = quantize(value * inverse, -8.0, 7.0);
        products += value * code;
        squares += code * code;
    }
    if squares > 0.0 { products / squares } else { 0.0 }
}

fn squared_error(values: &[f32; VALUES], scale: f32) -> f32 {
    let inverse = inverse(scale);
    values.iter().fold(0.0, |sum, value| {
        let difference = value - scale * quantize(value * inverse, -8.0, 7.0);
        sum + difference * difference
    })
}

fn inverse(scale: f32) -> f32 {
    if scale == 0.0 { 0.0 } else { 1.0 / scale }
}

//! Q4_1: 32 values share a 16-bit scale and a 16-bit minimum; a value is `scale × q + minimum` with q from 0 to 15, in the
//! byte order of Q4_0.

use whimbrel_kernels::f32_to_f16;

use super::{half, quantize, through_half};

const VALUES: usize = 32;
const BYTES: usize = 20;

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
    for (values, block) in values.chunks_exact(VALUES).zip(blocks.chunks_exact_mut(BYTES)) {
        let values: &[f32; VALUES] = values.try_into().expect("chunks_exact gives whole blocks");
        let line = best_line(values);
        if !line.scale.is_finite() || !line.minimum.is_finite() {
            return false;
        }
        block[..2].copy_from_slice(&f32_to_f16(line.scale).to_le_bytes());
        block[2..4].copy_from_slice(&f32_to_f16(line.minimum).to_le_bytes());
        let inverse = line.inverse();
        let code = |value: f32| quantize((value - line.minimum) * inverse, 0.0, 15.0) as u8;
        for column in 0..16 {
            block[4 + column] = code(values[column]) | code(values[column + 16]) << 4;
        }
    }
    true
}

/// The straight line from codes to values.
#[derive(Clone, Copy)]
struct Line {
    scale: f32,
    minimum: f32,
}

impl Line {
    fn stored(scale: f32, minimum: f32) -> Line {
        Line {
            scale: through_half(scale),
            minimum: through_half(minimum),
        }
    }

    fn inverse(self) -> f32 {
        if self.scale == 0.0 { 0.0 } else { 1.0 / self.scale }
    }

    fn squared_error(self, values: &[f32; VALUES]) -> f32 {
        let inverse = self.inverse();
        values.iter().fold(0.0, |sum, value| {
            let code = quantize((value - self.minimum) * inverse, 0.0, 15.0);
            let difference = value - (self.scale * code + self.minimum);
            sum + difference * difference
        })
    }
}

/// The line with the least squared error among those through the block's smallest and largest value, stretched or
/// shrunk a little, each moved to the least-squares optimum of the codes it leads to.
fn best_line(values: &[f32; VALUES]) -> Line {
    let minimum = values.iter().copied().fold(f32::INFINITY, f32::min);
    let maximum = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let plain = Line::stored((maximum - minimum) / 15.0, minimum);
    if maximum == minimum || !plain.scale.is_finite() || !plain.minimum.is_finite() {
        return plain;
    }
    let mut best = (plain.squared_error(values), plain);
    for step in -14..=8 {
        let inverse = (15.0 + 0.2 * step as f32) / (maximum - minimum);
        let line = least_squares(values, minimum, inverse);
        let error = line.squared_error(values);
        if error < best.0 {
            best = (error, line);
        }
    }
    best.1
}

fn least_squares(values: &[f32; VALUES], minimum: f32, inverse: f32) -> Line {
    let (mut sum, mut products, mut codes, mut squares) = (0.0f32, 0.0f32, 0.0f32, 0.0f32);
    for value in values {
        let code = quantize((value - minimum) * inverse, 0.0, 15.0);
        sum += value;
        products += value * code;
        codes += code;
        squares += code * code;
    }
    let count = VALUES as f32;
    let determinant = count * squares - codes * codes;
    if determinant <= 0.0 {
        return Line::stored(0.0, sum / count);
    }
    let scale = (count * products - sum * codes) / determinant;
    Line::stored(scale, (squares * sum - codes * products) / determinant)
}

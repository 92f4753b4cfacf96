//! Q4_K: 256 values in eight parts of 32; a value is `unit × scale × q − unit of minimums × minimum` with q from 0 to 15, and scale and
//! minimum of a part from 0 to 63. The bytes: both units in 16 bits each, the scales and minimums, and the codes: of each 64 columns the
//! first 32 in the low halves of 32 bytes.

use super::line::{Line, best_line};
use super::scale::inverse;
use super::six_bit_scales::{self, PARTS};
use super::{half, put_half, quantize, through_half};

const VALUES: usize = 256;
const BYTES: usize = 144;
const CODES_AT: usize = 4 + six_bit_scales::BYTES;
const TOP: f32 = 15.0;
const SCALE_MAX: f32 = 63.0;

pub(super) fn decode(blocks: &[u8], values: &mut [f32]) {
    for (block, values) in blocks.chunks_exact(BYTES).zip(values.chunks_exact_mut(VALUES)) {
        let lines = lines(block);
        for (part, values) in values.chunks_exact_mut(32).enumerate() {
            let codes = &block[CODES_AT + part / 2 * 32..][..32];
            for (value, code) in values.iter_mut().zip(codes) {
                *value = lines[part].scale * f32::from(code >> (part % 2 * 4) & 15) + lines[part].minimum;
            }
        }
    }
}

/// The line of each part, of a block of Q4_K or Q5_K.
pub(super) fn lines(block: &[u8]) -> [Line; PARTS] {
    let scales = block[4..].first_chunk().expect("a block holds all scales");
    six_bit_scales::unpack(scales).map(|(scale, minimum)| Line {
        scale: half(block, 0) * f32::from(scale),
        minimum: -half(block, 1) * f32::from(minimum),
    })
}

pub(super) fn encode(values: &[f32], blocks: &mut [u8]) -> bool {
    for (values, block) in values.chunks_exact(VALUES).zip(blocks.chunks_exact_mut(BYTES)) {
        let mut best = [Line {
            scale: 0.0,
            minimum: 0.0,
        }; PARTS];
        for (line, values) in best.iter_mut().zip(values.chunks_exact(32)) {
            *line = best_line(values, TOP, at_most_zero);
        }
        let unit = |largest: f32| through_half(largest / SCALE_MAX);
        let scales = unit(best.iter().fold(0.0, |largest, line| line.scale.abs().max(largest)));
        let minimums = unit(best.iter().fold(0.0, |largest, line| (-line.minimum).max(largest)));
        if !put_half(block, 0, scales) || !put_half(block, 1, minimums) {
            return false;
        }
        let parts = best.map(|line| {
            (
                quantize(line.scale * inverse(scales), 0.0, SCALE_MAX) as u8,
                quantize(-line.minimum * inverse(minimums), 0.0, SCALE_MAX) as u8,
            )
        });
        block[4..CODES_AT].copy_from_slice(&six_bit_scales::pack(&parts));
        // The codes that are best for the lines as they are stored.
        let lines = lines(block);
        block[CODES_AT..].fill(0);
        for (part, values) in values.chunks_exact(32).enumerate() {
            for (column, value) in values.iter().enumerate() {
                let code = lines[part].code(*value, TOP) as u8;
                block[CODES_AT + part / 2 * 32 + column] |= code << (part % 2 * 4);
            }
        }
    }
    true
}

/// Minimums are subtracted and have no sign, so that a line cannot begin above zero.
fn at_most_zero(line: Line) -> Line {
    if line.minimum <= 0.0 && line.scale >= 0.0 {
        return line;
    }
    // Keeps the largest value where it was.
    Line {
        scale: (line.scale + line.minimum / TOP).max(0.0),
        minimum: 0.0,
    }
}

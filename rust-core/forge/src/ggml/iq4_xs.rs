//! IQ4_XS: 256 values in eight parts of 32; a value is `unit × (scale − 32) × TABLE[q]`, with IQ4_NL's table and a 6-bit scale for each part.
//! The bytes: a 16-bit unit; the high two bits of the scales in two bytes; their low four in four; codes in IQ4_NL's order.

use super::half;
use super::iq4_nl::TABLE;

const VALUES: usize = 256;
const BYTES: usize = 136;

pub(super) fn decode(blocks: &[u8], values: &mut [f32]) {
    for (block, values) in blocks.chunks_exact(BYTES).zip(values.chunks_exact_mut(VALUES)) {
        let unit = half(block, 0);
        let high = u16::from_le_bytes([block[2], block[3]]);
        let parts = block[8..].chunks_exact(16).zip(values.chunks_exact_mut(32));
        for (part, (codes, values)) in parts.enumerate() {
            let low = block[4 + part / 2] >> (part % 2 * 4) & 15;
            let scale = u16::from(low) | (high >> (2 * part) & 3) << 4;
            let scale = unit * (f32::from(scale) - 32.0);
            for (column, byte) in codes.iter().enumerate() {
                values[column] = scale * TABLE[usize::from(byte & 15)];
                values[column + 16] = scale * TABLE[usize::from(byte >> 4)];
            }
        }
    }
}

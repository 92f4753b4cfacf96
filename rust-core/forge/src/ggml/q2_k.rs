//! Q2_K: 256 values in 16 parts of 16; a value is `unit × scale × q − unit of minimums × minimum` with q from 0 to 3. The bytes: 16 with the scale
//! of a part in the low half and its minimum in the high half; 64 of codes, four runs of 32 columns in each 32 bytes; both units in 16 bits each.

use super::half;

const VALUES: usize = 256;
const BYTES: usize = 84;

pub(super) fn decode(blocks: &[u8], values: &mut [f32]) {
    for (block, values) in blocks.chunks_exact(BYTES).zip(values.chunks_exact_mut(VALUES)) {
        let (scales, rest) = block.split_at(16);
        let (codes, units) = rest.split_at(64);
        for (column, value) in values.iter_mut().enumerate() {
            let (run, place, part) = (column / 32, column % 32, scales[column / 16]);
            let code = codes[run / 4 * 32 + place] >> (run % 4 * 2) & 3;
            *value = half(units, 0) * f32::from(part & 15) * f32::from(code) - half(units, 1) * f32::from(part >> 4);
        }
    }
}

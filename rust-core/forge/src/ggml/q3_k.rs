//! Q3_K: 256 values in 16 parts of 16; a value is `unit × (scale − 32) × (q − 4)` with q from 0 to 7 and a 6-bit scale for each part. The bytes:
//! 32 of third bits, column `c` of run `r` (of eight runs of 32) at bit `r` of byte `c`; 64 of the other two bits, four runs in each 32 bytes; 12 of
//! scales; a 16-bit unit.

use super::half;

const VALUES: usize = 256;
const BYTES: usize = 110;

pub(super) fn decode(blocks: &[u8], values: &mut [f32]) {
    for (block, values) in blocks.chunks_exact(BYTES).zip(values.chunks_exact_mut(VALUES)) {
        let (third, rest) = block.split_at(32);
        let (low, rest) = rest.split_at(64);
        let unit = half(rest, 6);
        for (column, value) in values.iter_mut().enumerate() {
            let (run, place) = (column / 32, column % 32);
            let code = low[run / 4 * 32 + place] >> (run % 4 * 2) & 3 | (third[place] >> run & 1) << 2;
            *value = unit * (f32::from(scale(rest, column / 16)) - 32.0) * (f32::from(code) - 4.0);
        }
    }
}

/// Low four bits in the first eight bytes, those of the last eight parts in the high halves; high two bits in the last four bytes.
fn scale(bytes: &[u8], part: usize) -> u8 {
    let low = bytes[part % 8] >> (part / 8 * 4) & 15;
    let high = bytes[8 + part % 4] >> (part / 4 * 2) & 3;
    low | high << 4
}

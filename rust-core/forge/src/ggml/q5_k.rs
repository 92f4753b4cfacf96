//! Q5_K: as Q4_K, with q from 0 to 31. Between the scales and the other four bits, 32 bytes hold the fifth bits: column `c` of part `p` at bit
//! `p` of byte `c`.

use super::q4_k::lines;

const VALUES: usize = 256;
const BYTES: usize = 176;

pub(super) fn decode(blocks: &[u8], values: &mut [f32]) {
    for (block, values) in blocks.chunks_exact(BYTES).zip(values.chunks_exact_mut(VALUES)) {
        let lines = lines(block);
        let (fifth, codes) = block[16..].split_at(32);
        for (part, values) in values.chunks_exact_mut(32).enumerate() {
            let codes = &codes[part / 2 * 32..][..32];
            for ((value, code), fifth) in values.iter_mut().zip(codes).zip(fifth) {
                let code = code >> (part % 2 * 4) & 15 | (fifth >> part & 1) << 4;
                *value = lines[part].scale * f32::from(code) + lines[part].minimum;
            }
        }
    }
}

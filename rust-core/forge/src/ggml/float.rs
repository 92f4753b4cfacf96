//! F32, F16 and BF16: plain little-endian values.

use whimbrel_kernels::{bf16_to_f32, f16_to_f32, f32_to_f16};

pub(super) fn decode_f32(bytes: &[u8], values: &mut [f32]) {
    for (value, bytes) in values.iter_mut().zip(bytes.chunks_exact(4)) {
        *value = f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    }
}

pub(super) fn decode_f16(bytes: &[u8], values: &mut [f32]) {
    for (value, bytes) in values.iter_mut().zip(bytes.chunks_exact(2)) {
        *value = f16_to_f32(u16::from_le_bytes([bytes[0], bytes[1]]));
    }
}

pub(super) fn decode_bf16(bytes: &[u8], values: &mut [f32]) {
    for (value, bytes) in values.iter_mut().zip(bytes.chunks_exact(2)) {
        *value = bf16_to_f32(u16::from_le_bytes([bytes[0], bytes[1]]));
    }
}

pub(super) fn encode_f32(values: &[f32], bytes: &mut [u8]) -> bool {
    for (value, bytes) in values.iter().zip(bytes.chunks_exact_mut(4)) {
        bytes.copy_from_slice(&value.to_le_bytes());
    }
    true
}

pub(super) fn encode_f16(values: &[f32], bytes: &mut [u8]) -> bool {
    for (value, bytes) in values.iter().zip(bytes.chunks_exact_mut(2)) {
        let half = f32_to_f16(*value);
        if half & 0x7fff == 0x7c00 {
            return false;
        }
        bytes.copy_from_slice(&half.to_le_bytes());
    }
    true
}

/// Rounds to nearest, ties to even.
pub(super) fn encode_bf16(values: &[f32], bytes: &mut [u8]) -> bool {
    for (value, bytes) in values.iter().zip(bytes.chunks_exact_mut(2)) {
        let bits = value.to_bits();
        let rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
        if rounded & 0x7f80 == 0x7f80 {
            return false;
        }
        bytes.copy_from_slice(&(rounded as u16).to_le_bytes());
    }
    true
}

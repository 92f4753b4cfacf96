//! GGML's tensor types: one row per type, with the size of its blocks and, for supported types, how blocks are converted to floats. To add
//! a type, add a file beside this one and change its row here.

mod float;
mod iq4_nl;
mod iq4_xs;
mod line;
mod q2_k;
mod q3_k;
mod q4_0;
mod q4_1;
mod q4_k;
mod q5_0;
mod q5_1;
mod q5_k;
mod q6_k;
mod q8_0;
mod scale;
mod six_bit_scales;
#[cfg(test)]
mod tests;

use whimbrel_kernels::{TensorType, f16_to_f32, f32_to_f16};

/// A tensor type as numbered in GGUF files (`enum ggml_type` in ggml.h).
#[derive(Clone, Copy, Debug)]
pub struct GgmlType {
    /// The number in the file.
    pub id: u32,
    /// GGML's name, in upper case.
    pub name: &'static str,
    /// Values per block; the columns of a tensor are a multiple of it.
    pub block_values: u64,
    /// Bytes per block.
    pub block_bytes: u64,
    /// How it is read; `None` for the types that are only known by name.
    pub(crate) codec: Option<Codec>,
}

/// How the blocks of a supported type are read and kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Codec {
    /// The engine's type that holds the same values, or for a type without one the nearest that is wide enough.
    pub(crate) kept_as: TensorType,
    /// Whether it holds the same bytes in another order.
    pub(crate) is_exact: bool,
    /// Turns whole blocks into floats.
    pub(crate) decode: fn(&[u8], &mut [f32]),
}

impl Codec {
    /// Whether storing as `target` only copies.
    pub(crate) fn keeps(&self, target: TensorType) -> bool {
        self.is_exact && self.kept_as == target
    }
}

const fn known(id: u32, name: &'static str, block_values: u64, block_bytes: u64) -> GgmlType {
    GgmlType {
        id,
        name,
        block_values,
        block_bytes,
        codec: None,
    }
}

const fn supported(row: GgmlType, kept_as: TensorType, decode: fn(&[u8], &mut [f32])) -> GgmlType {
    GgmlType {
        codec: Some(Codec {
            kept_as,
            is_exact: true,
            decode,
        }),
        ..row
    }
}

/// A type that the engine has no kernels for; an import turns it into another.
const fn widened(row: GgmlType, kept_as: TensorType, decode: fn(&[u8], &mut [f32])) -> GgmlType {
    GgmlType {
        codec: Some(Codec {
            kept_as,
            is_exact: false,
            decode,
        }),
        ..row
    }
}

/// Every type that ggml.h defines today.
static TYPES: [GgmlType; 35] = [
    supported(known(0, "F32", 1, 4), TensorType::F32, float::decode_f32),
    supported(known(1, "F16", 1, 2), TensorType::F16, float::decode_f16),
    supported(known(2, "Q4_0", 32, 18), TensorType::Q4_0, q4_0::decode),
    supported(known(3, "Q4_1", 32, 20), TensorType::Q4_1, q4_1::decode),
    supported(known(6, "Q5_0", 32, 22), TensorType::Q5_0, q5_0::decode),
    widened(known(7, "Q5_1", 32, 24), TensorType::Q8_0, q5_1::decode),
    supported(known(8, "Q8_0", 32, 34), TensorType::Q8_0, q8_0::decode),
    known(9, "Q8_1", 32, 36),
    widened(known(10, "Q2_K", 256, 84), TensorType::Q4K, q2_k::decode),
    widened(known(11, "Q3_K", 256, 110), TensorType::Q6K, q3_k::decode),
    supported(known(12, "Q4_K", 256, 144), TensorType::Q4K, q4_k::decode),
    widened(known(13, "Q5_K", 256, 176), TensorType::Q6K, q5_k::decode),
    supported(known(14, "Q6_K", 256, 210), TensorType::Q6K, q6_k::decode),
    known(15, "Q8_K", 256, 292),
    known(16, "IQ2_XXS", 256, 66),
    known(17, "IQ2_XS", 256, 74),
    known(18, "IQ3_XXS", 256, 98),
    known(19, "IQ1_S", 256, 50),
    supported(known(20, "IQ4_NL", 32, 18), TensorType::Iq4Nl, iq4_nl::decode),
    known(21, "IQ3_S", 256, 110),
    known(22, "IQ2_S", 256, 82),
    widened(known(23, "IQ4_XS", 256, 136), TensorType::Iq4Nl, iq4_xs::decode),
    known(24, "I8", 1, 1),
    known(25, "I16", 1, 2),
    known(26, "I32", 1, 4),
    known(27, "I64", 1, 8),
    known(28, "F64", 1, 8),
    known(29, "IQ1_M", 256, 56),
    supported(known(30, "BF16", 1, 2), TensorType::Bf16, float::decode_bf16),
    known(34, "TQ1_0", 256, 54),
    known(35, "TQ2_0", 256, 66),
    known(39, "MXFP4", 32, 17),
    known(40, "NVFP4", 64, 36),
    known(41, "Q1_0", 128, 18),
    known(42, "Q2_0", 64, 18),
];

impl GgmlType {
    /// The type with this number, supported or not.
    #[must_use]
    pub fn by_id(id: u32) -> Option<&'static GgmlType> {
        TYPES.iter().find(|each| each.id == id)
    }

    /// The type with this name, in upper or lower case.
    #[must_use]
    pub fn by_name(name: &str) -> Option<&'static GgmlType> {
        TYPES.iter().find(|each| each.name.eq_ignore_ascii_case(name))
    }

    /// Bits that one value takes, scales included.
    #[must_use]
    pub fn bits_per_value(&self) -> f64 {
        8.0 * self.block_bytes as f64 / self.block_values as f64
    }

    /// Whether tensors of this type can be imported.
    #[must_use]
    pub fn is_supported(&self) -> bool {
        self.codec.is_some()
    }

    /// The engine's type that an import widens this type to; `None` if it is kept as it is, or not supported.
    #[must_use]
    pub fn widened_to(&self) -> Option<TensorType> {
        self.codec.filter(|codec| !codec.is_exact).map(|codec| codec.kept_as)
    }

    /// The names of the types that can be imported.
    #[must_use]
    pub fn supported_names() -> String {
        let names: Vec<&str> = TYPES
            .iter()
            .filter(|each| each.is_supported())
            .map(|each| each.name)
            .collect();
        names.join(", ")
    }

    /// The row of an engine's type.
    pub(crate) fn of(tensor_type: TensorType) -> &'static GgmlType {
        TYPES
            .iter()
            .find(|each| {
                each.codec
                    .is_some_and(|codec| codec.is_exact && codec.kept_as == tensor_type)
            })
            .expect("every type of the engine has a row")
    }
}

/// Turns one row of floats into blocks of `tensor_type`. `false` when a value is not finite or too large for the type;
/// the blocks are then meaningless.
#[must_use]
pub(crate) fn encode(tensor_type: TensorType, values: &[f32], blocks: &mut [u8]) -> bool {
    if !values.iter().all(|value| value.is_finite()) {
        return false;
    }
    match tensor_type {
        TensorType::F32 => float::encode_f32(values, blocks),
        TensorType::F16 => float::encode_f16(values, blocks),
        TensorType::Bf16 => float::encode_bf16(values, blocks),
        TensorType::Q4_0 => q4_0::encode(values, blocks),
        TensorType::Q4_1 => q4_1::encode(values, blocks),
        TensorType::Q5_0 => q5_0::encode(values, blocks),
        TensorType::Q8_0 => q8_0::encode(values, blocks),
        TensorType::Q4K => q4_k::encode(values, blocks),
        TensorType::Q6K => q6_k::encode(values, blocks),
        TensorType::Iq4Nl => iq4_nl::encode(values, blocks),
    }
}

/// The 16-bit float at an index of a block.
fn half(block: &[u8], index: usize) -> f32 {
    f16_to_f32(u16::from_le_bytes([block[2 * index], block[2 * index + 1]]))
}

/// Stores a number as the 16-bit float at an index of a block; `false` if it is too large for one.
#[must_use]
fn put_half(block: &mut [u8], index: usize, value: f32) -> bool {
    let half = f32_to_f16(value);
    block[2 * index..][..2].copy_from_slice(&half.to_le_bytes());
    half & 0x7fff < 0x7c00
}

/// The 32 codes of Q5_0 or Q5_1: four bytes with the fifth bits, then the other four bits.
fn fifth_bits(bytes: &[u8]) -> [u8; 32] {
    std::array::from_fn(|column| {
        let low = bytes[4 + column % 16] >> (column / 16 * 4) & 15;
        low | (bytes[column / 8] >> (column % 8) & 1) << 4
    })
}

/// A value as it is after storing it as a 16-bit float.
fn through_half(value: f32) -> f32 {
    f16_to_f32(f32_to_f16(value))
}

/// Rounds to the nearest integer and clamps. The addition pushes the fraction out of the mantissa, which is much faster
/// than `round` and exact below 2²².
#[inline(always)]
fn quantize(value: f32, low: f32, high: f32) -> f32 {
    const PUSH: f32 = 12_582_912.0;
    (value.clamp(low, high) + PUSH) - PUSH
}

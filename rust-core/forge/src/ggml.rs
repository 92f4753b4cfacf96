//! GGML's tensor types: one row per type, with the size of its blocks and, for supported types, how blocks are converted to floats. To add
//! a type, add a file beside this one and change its row here.

mod float;
mod q4_0;
mod q4_1;
mod q8_0;

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
    /// The engine's type that holds the same values.
    pub(crate) kept_as: TensorType,
    /// Turns whole blocks into floats.
    pub(crate) decode: fn(&[u8], &mut [f32]),
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
        codec: Some(Codec { kept_as, decode }),
        ..row
    }
}

/// Every type that ggml.h defines today.
static TYPES: [GgmlType; 35] = [
    supported(known(0, "F32", 1, 4), TensorType::F32, float::decode_f32),
    supported(known(1, "F16", 1, 2), TensorType::F16, float::decode_f16),
    supported(known(2, "Q4_0", 32, 18), TensorType::Q4_0, q4_0::decode),
    supported(known(3, "Q4_1", 32, 20), TensorType::Q4_1, q4_1::decode),
    known(6, "Q5_0", 32, 22),
    known(7, "Q5_1", 32, 24),
    supported(known(8, "Q8_0", 32, 34), TensorType::Q8_0, q8_0::decode),
    known(9, "Q8_1", 32, 36),
    known(10, "Q2_K", 256, 84),
    known(11, "Q3_K", 256, 110),
    known(12, "Q4_K", 256, 144),
    known(13, "Q5_K", 256, 176),
    known(14, "Q6_K", 256, 210),
    known(15, "Q8_K", 256, 292),
    known(16, "IQ2_XXS", 256, 66),
    known(17, "IQ2_XS", 256, 74),
    known(18, "IQ3_XXS", 256, 98),
    known(19, "IQ1_S", 256, 50),
    known(20, "IQ4_NL", 32, 18),
    known(21, "IQ3_S", 256, 110),
    known(22, "IQ2_S", 256, 82),
    known(23, "IQ4_XS", 256, 136),
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

    /// Whether tensors of this type can be imported.
    #[must_use]
    pub fn is_supported(&self) -> bool {
        self.codec.is_some()
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
            .find(|each| each.codec.is_some_and(|codec| codec.kept_as == tensor_type))
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
        TensorType::Q8_0 => q8_0::encode(values, blocks),
    }
}

/// The 16-bit float at an index of a block.
fn half(block: &[u8], index: usize) -> f32 {
    f16_to_f32(u16::from_le_bytes([block[2 * index], block[2 * index + 1]]))
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

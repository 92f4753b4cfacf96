//! Floats as in GGML's files: F32, F16 and BF16, little-endian, row by row.

use super::sealed::Sealed;
use super::{FloatFormat, FloatType, Format};
use crate::float::{bf16_to_f32, f16_to_f32};

/// 32-bit floats.
pub(crate) struct F32;

/// 16-bit IEEE floats.
pub(crate) struct F16;

/// 16-bit brain floats.
pub(crate) struct Bf16;

impl Sealed for F32 {}
impl Sealed for F16 {}
impl Sealed for Bf16 {}

impl Format for F32 {
    const BLOCK_COLUMNS: usize = 1;
    const BLOCK_BYTES: usize = 4;
}

impl Format for F16 {
    const BLOCK_COLUMNS: usize = 1;
    const BLOCK_BYTES: usize = 2;
}

impl Format for Bf16 {
    const BLOCK_COLUMNS: usize = 1;
    const BLOCK_BYTES: usize = 2;
}

impl FloatFormat for F32 {
    const TYPE: FloatType = FloatType::F32;

    #[inline(always)]
    fn value(row: &[u8], column: usize) -> f32 {
        f32::from_le_bytes(*row[4 * column..].first_chunk().expect("a row holds all columns"))
    }
}

impl FloatFormat for F16 {
    const TYPE: FloatType = FloatType::F16;

    #[inline(always)]
    fn value(row: &[u8], column: usize) -> f32 {
        f16_to_f32(half(row, column))
    }
}

impl FloatFormat for Bf16 {
    const TYPE: FloatType = FloatType::Bf16;

    #[inline(always)]
    fn value(row: &[u8], column: usize) -> f32 {
        bf16_to_f32(half(row, column))
    }
}

/// The 16 bits of one column.
#[inline(always)]
fn half(row: &[u8], column: usize) -> u16 {
    u16::from_le_bytes([row[2 * column], row[2 * column + 1]])
}

//! The storage formats of tensor types: one file per format, which defines its layout, its packing, and its product in plain Rust.
//!
//! A quantised matrix is stored in panels of [`PANEL_ROWS`] rows (the last one padded with zeros). A panel is a sequence of packed blocks
//! along the columns. A packed block contains the same columns of all 16 rows: first their scales, then their minimums if the format has
//! them, then their codes in groups of 64 bytes, four bytes per row, so that one vector register serves 4 to 16 rows. Float matrices are
//! stored row by row.
//!
//! To add a format, add a variant of [`TensorType`] and of [`BlockType`] or [`FloatType`], a file here, and a line in the macros below. The
//! compiler reports every other place that needs a change.

mod float;
mod nibbles;
mod q4_0;
mod q4_1;
mod q8_0;

pub(crate) use float::{Bf16, F16, F32};
pub(crate) use q4_0::Q4_0;
pub(crate) use q4_1::Q4_1;
pub(crate) use q8_0::Q8_0;

use crate::activations::ActivationBlock;
use crate::float::f16_to_f32;
use crate::tensor_type::{PANEL_ROWS, TensorType};

/// Where the minimums of a packed block begin, if it has them: behind a half-precision scale for each row.
pub(crate) const MINIMUMS_AT: usize = 2 * PANEL_ROWS;

/// Bytes of a group of codes: four for each row.
pub(crate) const GROUP_BYTES: usize = 4 * PANEL_ROWS;

/// The two ways in which a matrix lies in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Storage {
    /// Quantised, in panels of packed blocks.
    Blocks(BlockType),
    /// Floats, row after row.
    Floats(FloatType),
}

/// The quantised types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BlockType {
    Q4_0,
    Q4_1,
    Q8_0,
}

/// The types of floats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FloatType {
    F32,
    F16,
    Bf16,
}

impl TensorType {
    /// How a matrix of this type lies in memory.
    #[inline(always)]
    pub(crate) const fn storage(self) -> Storage {
        match self {
            Self::F32 => Storage::Floats(FloatType::F32),
            Self::F16 => Storage::Floats(FloatType::F16),
            Self::Bf16 => Storage::Floats(FloatType::Bf16),
            Self::Q4_0 => Storage::Blocks(BlockType::Q4_0),
            Self::Q4_1 => Storage::Blocks(BlockType::Q4_1),
            Self::Q8_0 => Storage::Blocks(BlockType::Q8_0),
        }
    }
}

/// `with_block_format!(block_type, F => expression)`: the expression, compiled once for each quantised format, which it calls `F`.
macro_rules! with_block_format {
    ($block_type:expr, $format:ident => $body:expr) => {
        match $block_type {
            $crate::formats::BlockType::Q4_0 => {
                type $format = $crate::formats::Q4_0;
                $body
            }
            $crate::formats::BlockType::Q4_1 => {
                type $format = $crate::formats::Q4_1;
                $body
            }
            $crate::formats::BlockType::Q8_0 => {
                type $format = $crate::formats::Q8_0;
                $body
            }
        }
    };
}
pub(crate) use with_block_format;

/// As [`with_block_format`], for the formats of floats.
macro_rules! with_float_format {
    ($float_type:expr, $format:ident => $body:expr) => {
        match $float_type {
            $crate::formats::FloatType::F32 => {
                type $format = $crate::formats::F32;
                $body
            }
            $crate::formats::FloatType::F16 => {
                type $format = $crate::formats::F16;
                $body
            }
            $crate::formats::FloatType::Bf16 => {
                type $format = $crate::formats::Bf16;
                $body
            }
        }
    };
}
pub(crate) use with_float_format;

/// Closes the traits below: only files of this module can implement them.
mod sealed {
    pub(crate) trait Sealed {}
}

/// What is fixed for every format.
pub(crate) trait Format: sealed::Sealed {
    /// Columns of a block.
    const BLOCK_COLUMNS: usize;
    /// Bytes of one row's block in GGML's order.
    const BLOCK_BYTES: usize;
}

/// How the codes of a block are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Codes {
    /// Four bits, from 0 to 15. In group `g`, bytes `4r..4r+4` belong to row `r`: their low halves are columns `8g..8g+4`, their high
    /// halves `8g+4..8g+8`.
    Nibbles,
    /// Signed bytes. In group `g`, bytes `4r..4r+4` are columns `4g..4g+4` of row `r`.
    Bytes,
}

/// What leads from a code to a weight, beside the scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shift {
    /// Nothing: `scale × code`.
    None,
    /// `scale × (code − 8)`.
    Eight,
    /// `scale × code + minimum`, with a half-precision minimum for each row behind the scales.
    Minimum,
}

/// A quantised format: blocks of codes with one scale each. Tiles are compiled once for each.
pub(crate) trait BlockFormat: Format {
    /// How the codes are kept.
    const CODES: Codes;
    /// How a code becomes a weight.
    const SHIFT: Shift;
    /// Bytes of scales (and minimums) before the codes of a packed block.
    const HEADER_BYTES: usize = match Self::SHIFT {
        Shift::None | Shift::Eight => MINIMUMS_AT,
        Shift::Minimum => 2 * MINIMUMS_AT,
    };
    /// Groups of codes in a packed block.
    const GROUPS: usize = match Self::CODES {
        Codes::Nibbles => Self::BLOCK_COLUMNS / 8,
        Codes::Bytes => Self::BLOCK_COLUMNS / 4,
    };
    /// Bytes of a packed block.
    const PACKED_BYTES: usize = {
        let bytes = Self::HEADER_BYTES + Self::GROUPS * GROUP_BYTES;
        assert!(
            bytes == PANEL_ROWS * Self::BLOCK_BYTES,
            "packing only changes the order"
        );
        bytes
    };

    /// Puts one of GGML's blocks into a packed block of zeros, as row `lane`.
    fn pack_block(lane: usize, ggml: &[u8], packed: &mut [u8]);

    /// The weights of row `lane` of a packed block.
    fn unpack_block(lane: usize, packed: &[u8], weights: &mut [f32]);

    /// Adds the product of each row of a packed block with a block of activations to the row's total.
    fn add_products(packed: &[u8], input: &ActivationBlock, totals: &mut [f32; PANEL_ROWS]);
}

/// A format of floats, a block of one column.
pub(crate) trait FloatFormat: Format {
    /// The type whose format it is.
    #[cfg_attr(
        not(target_arch = "x86_64"),
        allow(dead_code, reason = "only x86 has tiles of its own for floats")
    )]
    const TYPE: FloatType;

    /// The value of one column of a row.
    fn value(row: &[u8], column: usize) -> f32;
}

/// Number `index` of the half-precision numbers that a packed block begins with: scales, then perhaps minimums.
#[inline(always)]
fn half(packed: &[u8], index: usize) -> f32 {
    f16_to_f32(u16::from_le_bytes([packed[2 * index], packed[2 * index + 1]]))
}

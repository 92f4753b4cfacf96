//! The storage formats of tensor types: one file per format, which says what GGML's blocks contain; [`codes`] and [`scales`] define how it is
//! kept here.
//!
//! A quantised matrix is stored in panels of [`PANEL_ROWS`] rows (the last one padded with zeros). A panel is a sequence of packed blocks
//! along the columns. A packed block contains the same columns of all 16 rows: first a header with their scales, then their codes in one
//! part or several, each of as many columns as share a scale. Float matrices are stored row by row.
//!
//! To add a format, add a variant of [`TensorType`] and of [`BlockType`] or [`FloatType`], a file here, and a line in the macros below. The
//! compiler reports every other place that needs a change.

pub(crate) mod codes;
mod float;
mod iq4_nl;
mod q4_0;
mod q4_1;
mod q4_k;
mod q5_0;
mod q6_k;
mod q8_0;
pub(crate) mod scales;

pub(crate) use codes::Codes;
pub(crate) use float::{Bf16, F16, F32};
pub(crate) use iq4_nl::Iq4Nl;
pub(crate) use q4_0::Q4_0;
pub(crate) use q4_1::Q4_1;
pub(crate) use q4_k::Q4K;
pub(crate) use q5_0::Q5_0;
pub(crate) use q6_k::Q6K;
pub(crate) use q8_0::Q8_0;
pub(crate) use scales::Scales;

use crate::activations::ActivationBlock;
use crate::tensor_type::{BLOCK_COLUMNS, PANEL_ROWS, TensorType};

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
    Q5_0,
    Q8_0,
    Q4K,
    Q6K,
    Iq4Nl,
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
            Self::Q5_0 => Storage::Blocks(BlockType::Q5_0),
            Self::Q8_0 => Storage::Blocks(BlockType::Q8_0),
            Self::Q4K => Storage::Blocks(BlockType::Q4K),
            Self::Q6K => Storage::Blocks(BlockType::Q6K),
            Self::Iq4Nl => Storage::Blocks(BlockType::Iq4Nl),
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
            $crate::formats::BlockType::Q5_0 => {
                type $format = $crate::formats::Q5_0;
                $body
            }
            $crate::formats::BlockType::Q8_0 => {
                type $format = $crate::formats::Q8_0;
                $body
            }
            $crate::formats::BlockType::Q4K => {
                type $format = $crate::formats::Q4K;
                $body
            }
            $crate::formats::BlockType::Q6K => {
                type $format = $crate::formats::Q6K;
                $body
            }
            $crate::formats::BlockType::Iq4Nl => {
                type $format = $crate::formats::Iq4Nl;
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

/// A quantised format: blocks of codes with scales. Tiles are compiled once for each.
pub(crate) trait BlockFormat: Format {
    /// How the codes are kept.
    const CODES: Codes;
    /// How the scales are kept.
    const SCALES: Scales;
    /// The code of a weight of zero: a weight is `scale × (code − ZERO)`, or `scale × code + minimum` where there are minimums.
    const ZERO: i32 = 0;

    /// Columns that share a scale.
    const PART_COLUMNS: usize = match Self::SCALES {
        Scales::Bytes => BLOCK_COLUMNS / 2,
        Scales::Half | Scales::HalfAndMinimum | Scales::SixBits => BLOCK_COLUMNS,
    };
    /// Parts of a block.
    const PARTS: usize = Self::BLOCK_COLUMNS / Self::PART_COLUMNS;
    /// Fours of columns in a part.
    const FOURS: usize = Self::PART_COLUMNS / 4;
    /// Blocks of activations that a block is multiplied with.
    const ACTIVATION_BLOCKS: usize = Self::BLOCK_COLUMNS / BLOCK_COLUMNS;
    /// Bytes of the codes of a part.
    const PART_BYTES: usize = PANEL_ROWS * Self::PART_COLUMNS * Self::CODES.bits() / 8;
    /// Bytes of scales (and minimums) before the codes of a packed block.
    const HEADER_BYTES: usize = Self::SCALES.header_bytes();
    /// Bytes of a packed block.
    const PACKED_BYTES: usize = {
        let bytes = Self::HEADER_BYTES + Self::PARTS * Self::PART_BYTES;
        assert!(
            bytes == PANEL_ROWS * Self::BLOCK_BYTES,
            "packing only changes the order"
        );
        bytes
    };

    /// The code of a column of one of GGML's blocks.
    fn code(ggml: &[u8], column: usize) -> u8;

    /// Puts the scales of one of GGML's blocks into a header of zeros, as those of row `lane`.
    fn pack_header(lane: usize, ggml: &[u8], header: &mut [u8]);
}

/// Puts one of GGML's blocks into a packed block of zeros, as row `lane`.
pub(crate) fn pack_block<F: BlockFormat>(lane: usize, ggml: &[u8], packed: &mut [u8]) {
    let (header, codes) = packed.split_at_mut(F::HEADER_BYTES);
    F::pack_header(lane, ggml, header);
    for (part, codes) in codes.chunks_exact_mut(F::PART_BYTES).enumerate() {
        for four in 0..F::FOURS {
            let column = part * F::PART_COLUMNS + 4 * four;
            let four_codes = std::array::from_fn(|byte| F::code(ggml, column + byte));
            codes::put::<F>(lane, four, four_codes, codes);
        }
    }
}

/// The weights of row `lane` of a packed block.
#[inline(always)]
pub(crate) fn unpack_block<F: BlockFormat>(lane: usize, packed: &[u8], weights: &mut [f32]) {
    let (header, codes) = packed.split_at(F::HEADER_BYTES);
    let parts = codes
        .chunks_exact(F::PART_BYTES)
        .zip(weights.chunks_exact_mut(F::PART_COLUMNS));
    for (part, (codes, weights)) in parts.enumerate() {
        let (scale, minimum) = scales::of_lane::<F>(header, part, lane);
        for (four, weights) in weights.as_chunks_mut::<4>().0.iter_mut().enumerate() {
            // Adding a minimum of zero makes a weight of zero plus zero, whatever the sign of the scale.
            *weights = codes::four::<F>(lane, four, codes).map(|code| scale * (code - F::ZERO) as f32 + minimum);
        }
    }
}

/// Adds the product of each row of a packed block with the same columns of one row of activations to the row's total.
#[inline(always)]
pub(crate) fn add_products<F: BlockFormat>(packed: &[u8], inputs: &[ActivationBlock], totals: &mut [f32; PANEL_ROWS]) {
    let (header, codes) = packed.split_at(F::HEADER_BYTES);
    for (part, codes) in codes.chunks_exact(F::PART_BYTES).enumerate() {
        let column = part * F::PART_COLUMNS;
        let input = &inputs[column / BLOCK_COLUMNS];
        let sums = codes::sums::<F>(codes, &input.values[column % BLOCK_COLUMNS..][..F::PART_COLUMNS]);
        let zero = zero_sum::<F>(input, part);
        for (lane, (total, sum)) in totals.iter_mut().zip(sums).enumerate() {
            let (scale, minimum) = scales::of_lane::<F>(header, part, lane);
            *total += scale * input.scale * (sum + zero) as f32;
            if F::SCALES.has_minimums() {
                *total += minimum * input.weighted_sum;
            }
        }
    }
}

/// The code of a column of a block of 32: the low halves of 16 bytes hold the first 16 columns.
#[inline(always)]
fn nibble(bytes: &[u8], column: usize) -> u8 {
    bytes[column % 16] >> (column / 16 * 4) & 15
}

/// What takes [`BlockFormat::ZERO`] off a sum of codes times the activations of a part.
#[inline(always)]
pub(crate) fn zero_sum<F: BlockFormat>(input: &ActivationBlock, part: usize) -> i32 {
    if F::PART_COLUMNS == BLOCK_COLUMNS {
        F::ZERO / 8 * input.offset
    } else {
        -F::ZERO * i32::from(input.half_sums[part % 2])
    }
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

//! How weights are stored, and the lossless re-ordering from GGML's blocks to ours.
//!
//! A quantised matrix lies in panels of [`PANEL_ROWS`] rows (the last one padded with zeros). A panel is a run of blocks,
//! one for every 32 columns, and a block holds the 16 rows side by side, so that one vector register serves 4 to 16 rows:
//!
//! | type | a block of 16 rows × 32 columns | bytes |
//! |---|---|---|
//! | Q4_0 | 16 f16 scales, 4 × 64 bytes of nibbles | 288 |
//! | Q4_1 | 16 f16 scales, 16 f16 minimums, 4 × 64 bytes of nibbles | 320 |
//! | Q8_0 | 16 f16 scales, 8 × 64 signed bytes | 544 |
//!
//! In group `g` of nibbles, bytes `4r..4r+4` belong to row `r`: their low halves are columns `8g..8g+4`, their high halves
//! `8g+4..8g+8`. In group `g` of Q8_0, bytes `4r..4r+4` are columns `4g..4g+4` of row `r`. Values and scales are GGML's own,
//! bit for bit. Float matrices lie row after row.

use serde::{Deserialize, Serialize};

use crate::float::{bf16_to_f32, f16_to_f32};

/// Rows of a panel.
pub const PANEL_ROWS: usize = 16;
/// Columns that share one scale.
pub const BLOCK_COLUMNS: usize = 32;

/// How the values of a tensor are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TensorType {
    /// 32-bit floats.
    F32,
    /// 16-bit IEEE floats.
    F16,
    /// 16-bit brain floats.
    Bf16,
    /// 4 bits, symmetric: `scale × (q − 8)`.
    #[serde(rename = "q4_0")]
    Q4_0,
    /// 4 bits with a minimum: `scale × q + minimum`.
    #[serde(rename = "q4_1")]
    Q4_1,
    /// 8 bits: `scale × q`.
    #[serde(rename = "q8_0")]
    Q8_0,
}

impl TensorType {
    /// Every type, in declared order.
    pub const ALL: [TensorType; 6] = [Self::F32, Self::F16, Self::Bf16, Self::Q4_0, Self::Q4_1, Self::Q8_0];

    /// The name used in files and on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
            Self::Q4_0 => "q4_0",
            Self::Q4_1 => "q4_1",
            Self::Q8_0 => "q8_0",
        }
    }

    /// Whether the values lie in panels of blocks.
    #[must_use]
    pub fn is_quantized(self) -> bool {
        matches!(self, Self::Q4_0 | Self::Q4_1 | Self::Q8_0)
    }

    /// Values in one of GGML's blocks: the number of columns must be a multiple of it.
    #[must_use]
    pub fn block_values(self) -> usize {
        if self.is_quantized() { BLOCK_COLUMNS } else { 1 }
    }

    /// Bytes of one of GGML's blocks.
    #[must_use]
    pub const fn block_bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
            Self::Q4_0 => 18,
            Self::Q4_1 => 20,
            Self::Q8_0 => 34,
        }
    }

    /// Bytes of one row in GGML's order; `None` when the columns do not fill whole blocks or the size overflows.
    #[must_use]
    pub fn row_bytes(self, columns: usize) -> Option<usize> {
        columns.is_multiple_of(self.block_values()).then_some(())?;
        (columns / self.block_values()).checked_mul(self.block_bytes())
    }

    /// Bytes of a matrix in our order, padding included; `None` as in [`TensorType::row_bytes`].
    #[must_use]
    pub fn packed_bytes(self, rows: usize, columns: usize) -> Option<usize> {
        let rows = if self.is_quantized() {
            rows.checked_next_multiple_of(PANEL_ROWS)?
        } else {
            rows
        };
        rows.checked_mul(self.row_bytes(columns)?)
    }
}

impl std::fmt::Display for TensorType {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.name())
    }
}

/// Re-orders whole rows of GGML blocks into panels; float rows are copied. `rows × columns` values in `ggml`
/// (row after row), [`TensorType::packed_bytes`] bytes in `packed`.
///
/// # Panics
/// When either slice has another length than the shape asks for: the caller has checked both.
pub fn pack(tensor_type: TensorType, rows: usize, columns: usize, ggml: &[u8], packed: &mut [u8]) {
    let row_bytes = tensor_type.row_bytes(columns).expect("the columns fill whole blocks");
    assert_eq!(ggml.len(), rows * row_bytes, "length of the GGML rows");
    assert_eq!(
        Some(packed.len()),
        tensor_type.packed_bytes(rows, columns),
        "length of the packed matrix"
    );
    if !tensor_type.is_quantized() {
        packed.copy_from_slice(ggml);
        return;
    }
    packed.fill(0);
    let block_bytes = tensor_type.block_bytes();
    let packed_block = PANEL_ROWS * block_bytes;
    for (row, blocks) in ggml.chunks_exact(row_bytes).enumerate() {
        let panel = row / PANEL_ROWS * PANEL_ROWS * row_bytes;
        for (index, block) in blocks.chunks_exact(block_bytes).enumerate() {
            let target = &mut packed[panel + index * packed_block..][..packed_block];
            pack_block(tensor_type, row % PANEL_ROWS, block, target);
        }
    }
}

/// The type that a kernel's `KIND` stands for. Kernels are compiled once a type, and only numbers can be their parameter.
pub(crate) const fn type_of_kind(kind: u8) -> TensorType {
    match kind {
        0 => TensorType::Q4_0,
        1 => TensorType::Q4_1,
        _ => TensorType::Q8_0,
    }
}

/// Bytes of scales (and minimums) before the values in a packed block.
pub(crate) const fn header_bytes(tensor_type: TensorType) -> usize {
    if matches!(tensor_type, TensorType::Q4_1) {
        4 * PANEL_ROWS
    } else {
        2 * PANEL_ROWS
    }
}

fn pack_block(tensor_type: TensorType, row: usize, block: &[u8], target: &mut [u8]) {
    target[2 * row..2 * row + 2].copy_from_slice(&block[..2]);
    let mut values = &block[2..];
    if tensor_type == TensorType::Q4_1 {
        target[2 * (PANEL_ROWS + row)..][..2].copy_from_slice(&values[..2]);
        values = &values[2..];
    }
    let groups = &mut target[header_bytes(tensor_type)..];
    if tensor_type == TensorType::Q8_0 {
        for (group, four) in values.chunks_exact(4).enumerate() {
            groups[64 * group + 4 * row..][..4].copy_from_slice(four);
        }
        return;
    }
    // GGML keeps column c in the low half of byte c and column c + 16 in its high half.
    let nibble = |column: usize| {
        if column < 16 {
            values[column] & 15
        } else {
            values[column - 16] >> 4
        }
    };
    for group in 0..4 {
        for byte in 0..4 {
            let column = 8 * group + byte;
            groups[64 * group + 4 * row + byte] = nibble(column) | nibble(column + 4) << 4;
        }
    }
}

/// Turns one row of a packed matrix into floats; `row_values` is `columns` long.
///
/// # Panics
/// When the matrix is too short for the row: the caller has checked the shape.
pub fn unpack_row(tensor_type: TensorType, packed: &[u8], row: usize, row_values: &mut [f32]) {
    let columns = row_values.len();
    let row_bytes = tensor_type.row_bytes(columns).expect("the columns fill whole blocks");
    let (panel, lane) = (row / PANEL_ROWS, row % PANEL_ROWS);
    let half = |bytes: &[u8]| u16::from_le_bytes([bytes[0], bytes[1]]);
    match tensor_type {
        TensorType::F32 => {
            for (value, bytes) in row_values
                .iter_mut()
                .zip(packed[row * row_bytes..][..row_bytes].chunks_exact(4))
            {
                *value = f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
            }
        }
        TensorType::F16 | TensorType::Bf16 => {
            let convert = if tensor_type == TensorType::F16 {
                f16_to_f32
            } else {
                bf16_to_f32
            };
            for (value, bytes) in row_values
                .iter_mut()
                .zip(packed[row * row_bytes..][..row_bytes].chunks_exact(2))
            {
                *value = convert(half(bytes));
            }
        }
        TensorType::Q4_0 | TensorType::Q4_1 | TensorType::Q8_0 => {
            let panel = &packed[panel * PANEL_ROWS * row_bytes..][..PANEL_ROWS * row_bytes];
            let blocks = panel.chunks_exact(PANEL_ROWS * tensor_type.block_bytes());
            for (values, block) in row_values.chunks_exact_mut(BLOCK_COLUMNS).zip(blocks) {
                unpack_block(tensor_type, lane, block, values);
            }
        }
    }
}

fn unpack_block(tensor_type: TensorType, lane: usize, block: &[u8], values: &mut [f32]) {
    let half = |index: usize| f16_to_f32(u16::from_le_bytes([block[2 * index], block[2 * index + 1]]));
    let scale = half(lane);
    let groups = &block[header_bytes(tensor_type)..];
    if tensor_type == TensorType::Q8_0 {
        for (group, four) in values.chunks_exact_mut(4).enumerate() {
            for (value, byte) in four.iter_mut().zip(&groups[64 * group + 4 * lane..][..4]) {
                *value = scale * f32::from(*byte as i8);
            }
        }
        return;
    }
    let (offset, minimum) = if tensor_type == TensorType::Q4_1 {
        (0.0, half(PANEL_ROWS + lane))
    } else {
        (8.0, 0.0)
    };
    for (group, eight) in values.chunks_exact_mut(8).enumerate() {
        for byte in 0..4 {
            let pair = groups[64 * group + 4 * lane + byte];
            eight[byte] = scale * (f32::from(pair & 15) - offset) + minimum;
            eight[byte + 4] = scale * (f32::from(pair >> 4) - offset) + minimum;
        }
    }
}

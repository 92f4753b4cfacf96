//! Tensor types, and the lossless reordering from GGML's blocks to ours. [`crate::formats`] defines the layout of each type.

use serde::{Deserialize, Serialize};

use crate::formats::{
    BlockFormat, FloatFormat, Format, Storage, pack_block, unpack_block, with_block_format, with_float_format,
};

/// Rows per panel.
pub const PANEL_ROWS: usize = 16;
/// Columns per block of quantised activations.
pub const BLOCK_COLUMNS: usize = 32;

/// The storage type of a tensor's values.
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
    /// 5 bits, symmetric: `scale × (q − 16)`.
    #[serde(rename = "q5_0")]
    Q5_0,
    /// 8 bits: `scale × q`.
    #[serde(rename = "q8_0")]
    Q8_0,
    /// 4 bits with a minimum, in blocks of 256 with quantised scales: `scale × q − minimum`.
    #[serde(rename = "q4_k")]
    Q4K,
    /// 6 bits, symmetric, in blocks of 256 with quantised scales: `scale × (q − 32)`.
    #[serde(rename = "q6_k")]
    Q6K,
    /// 4 bits that stand for the values of a table: `scale × table[q]`.
    #[serde(rename = "iq4_nl")]
    Iq4Nl,
}

impl TensorType {
    /// Every type, in declared order.
    pub const ALL: [TensorType; 10] = [
        Self::F32,
        Self::F16,
        Self::Bf16,
        Self::Q4_0,
        Self::Q4_1,
        Self::Q5_0,
        Self::Q8_0,
        Self::Q4K,
        Self::Q6K,
        Self::Iq4Nl,
    ];

    /// The name in files and on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
            Self::Q4_0 => "q4_0",
            Self::Q4_1 => "q4_1",
            Self::Q5_0 => "q5_0",
            Self::Q8_0 => "q8_0",
            Self::Q4K => "q4_k",
            Self::Q6K => "q6_k",
            Self::Iq4Nl => "iq4_nl",
        }
    }

    /// Whether the values are stored in panels of blocks.
    #[must_use]
    pub fn is_quantized(self) -> bool {
        matches!(self.storage(), Storage::Blocks(_))
    }

    /// Values per GGML block; the number of columns must be a multiple of it.
    #[must_use]
    pub const fn block_values(self) -> usize {
        match self.storage() {
            Storage::Blocks(block_type) => with_block_format!(block_type, F => F::BLOCK_COLUMNS),
            Storage::Floats(float_type) => with_float_format!(float_type, F => F::BLOCK_COLUMNS),
        }
    }

    /// Bytes per GGML block.
    #[must_use]
    pub const fn block_bytes(self) -> usize {
        match self.storage() {
            Storage::Blocks(block_type) => with_block_format!(block_type, F => F::BLOCK_BYTES),
            Storage::Floats(float_type) => with_float_format!(float_type, F => F::BLOCK_BYTES),
        }
    }

    /// Bytes per row in GGML's order; `None` if the columns do not fill whole blocks or the size overflows.
    #[must_use]
    pub fn row_bytes(self, columns: usize) -> Option<usize> {
        columns.is_multiple_of(self.block_values()).then_some(())?;
        (columns / self.block_values()).checked_mul(self.block_bytes())
    }

    /// Bytes of a matrix in our order, padding included; `None` as in [`TensorType::row_bytes`].
    ///
    /// ```
    /// use whimbrel_kernels::TensorType;
    ///
    /// // Two blocks of 18 bytes per row, and rows in panels of 16.
    /// assert_eq!(TensorType::Q4_0.row_bytes(64), Some(36));
    /// assert_eq!(TensorType::Q4_0.packed_bytes(17, 64), Some(32 * 36));
    /// // Floats are not padded, and 65 columns do not fill whole blocks.
    /// assert_eq!(TensorType::F16.packed_bytes(17, 64), Some(17 * 128));
    /// assert_eq!(TensorType::Q4_0.packed_bytes(17, 65), None);
    /// ```
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

/// Reorders whole rows of GGML blocks into panels; float rows are copied. `rows × columns` values in `ggml` (row after row),
/// [`TensorType::packed_bytes`] bytes in `packed`.
///
/// ```
/// use whimbrel_kernels::{TensorType, f32_to_f16, pack, unpack_row};
///
/// // One row of Q8_0: a scale of a half, then the codes 0 to 31.
/// let mut ggml = f32_to_f16(0.5).to_le_bytes().to_vec();
/// ggml.extend(0..32u8);
/// let mut packed = vec![0; TensorType::Q8_0.packed_bytes(1, 32).unwrap()];
/// pack(TensorType::Q8_0, 1, 32, &ggml, &mut packed);
///
/// let mut row = [0.0; 32];
/// unpack_row(TensorType::Q8_0, &packed, 0, &mut row);
/// assert_eq!(row[31], 15.5);
/// ```
///
/// # Panics
/// If the length of either slice does not match the shape; callers must check both.
pub fn pack(tensor_type: TensorType, rows: usize, columns: usize, ggml: &[u8], packed: &mut [u8]) {
    let row_bytes = tensor_type.row_bytes(columns).expect("the columns fill whole blocks");
    assert_eq!(ggml.len(), rows * row_bytes, "length of the GGML rows");
    assert_eq!(
        Some(packed.len()),
        tensor_type.packed_bytes(rows, columns),
        "length of the packed matrix"
    );
    match tensor_type.storage() {
        Storage::Blocks(block_type) => with_block_format!(block_type, F => pack_panels::<F>(row_bytes, ggml, packed)),
        Storage::Floats(_) => packed.copy_from_slice(ggml),
    }
}

/// Packs rows of `row_bytes` each.
fn pack_panels<F: BlockFormat>(row_bytes: usize, ggml: &[u8], packed: &mut [u8]) {
    packed.fill(0);
    for (row, blocks) in ggml.chunks_exact(row_bytes).enumerate() {
        let panel = &mut packed[row / PANEL_ROWS * PANEL_ROWS * row_bytes..];
        let blocks = blocks.chunks_exact(F::BLOCK_BYTES);
        for (block, packed) in blocks.zip(panel.chunks_exact_mut(F::PACKED_BYTES)) {
            pack_block::<F>(row % PANEL_ROWS, block, packed);
        }
    }
}

/// Converts one row of a packed matrix to floats; `row_values` is `columns` long.
///
/// # Panics
/// If the matrix is too short for the row; callers must check the shape.
pub fn unpack_row(tensor_type: TensorType, packed: &[u8], row: usize, row_values: &mut [f32]) {
    let row_bytes = tensor_type
        .row_bytes(row_values.len())
        .expect("the columns fill whole blocks");
    match tensor_type.storage() {
        Storage::Blocks(block_type) => {
            let panel = &packed[row / PANEL_ROWS * PANEL_ROWS * row_bytes..][..PANEL_ROWS * row_bytes];
            with_block_format!(block_type, F => unpack_lane::<F>(panel, row % PANEL_ROWS, row_values));
        }
        Storage::Floats(float_type) => {
            let row = &packed[row * row_bytes..][..row_bytes];
            with_float_format!(float_type, F => unpack_floats::<F>(row, row_values));
        }
    }
}

/// One row of a panel.
fn unpack_lane<F: BlockFormat>(panel: &[u8], lane: usize, row_values: &mut [f32]) {
    let blocks = panel.chunks_exact(F::PACKED_BYTES);
    for (values, block) in row_values.chunks_exact_mut(F::BLOCK_COLUMNS).zip(blocks) {
        unpack_block::<F>(lane, block, values);
    }
}

fn unpack_floats<F: FloatFormat>(row: &[u8], row_values: &mut [f32]) {
    for (value, bytes) in row_values.iter_mut().zip(row.chunks_exact(F::BLOCK_BYTES)) {
        *value = F::value(bytes, 0);
    }
}

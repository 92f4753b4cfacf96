//! The storage type of each tensor, and the conversion of rows to it.

use std::fmt;
use std::str::FromStr;

use whimbrel_kernels::{BLOCK_COLUMNS, TensorType};

use crate::ForgeError;
use crate::architecture::{NetworkTensor, Role, Values};
use crate::ggml::{self, GgmlType};
use crate::plan;

/// The stack of a thread that converts rows, in bytes.
const STACK_BYTES: usize = 1 << 20;

/// What an import does to the weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Quantization {
    /// Changes no value.
    #[default]
    Keep,
    /// 8 bits per weight.
    Q8_0,
    /// 4 bits per weight, with a minimum per block; embedding and head get 8 bits.
    Q4_1,
    /// 4 bits per weight; embedding and head get 8 bits.
    Q4_0,
    /// 16-bit floats.
    F16,
    /// 32-bit floats.
    F32,
}

impl Quantization {
    /// Every choice, in display order.
    pub const ALL: [Self; 6] = [Self::Keep, Self::Q8_0, Self::Q4_1, Self::Q4_0, Self::F16, Self::F32];

    /// The name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Q8_0 => "q8_0",
            Self::Q4_1 => "q4_1",
            Self::Q4_0 => "q4_0",
            Self::F16 => "f16",
            Self::F32 => "f32",
        }
    }

    /// The type that a tensor is stored in. Embedding and head suffer most from 4 bits, as in llama.cpp's files they get 8.
    /// A matrix whose columns do not fill whole blocks becomes 16-bit floats.
    pub(crate) fn target(self, stored: TensorType, role: Role, columns: u32) -> TensorType {
        let is_layer = role == Role::Matrix;
        let target = match self {
            _ if role == Role::Vector => TensorType::F32,
            Self::Keep => stored,
            Self::F32 => TensorType::F32,
            Self::F16 => TensorType::F16,
            Self::Q4_0 if is_layer => TensorType::Q4_0,
            Self::Q4_1 if is_layer => TensorType::Q4_1,
            Self::Q8_0 | Self::Q4_0 | Self::Q4_1 => TensorType::Q8_0,
        };
        let fits = !target.is_quantized() || (columns as usize).is_multiple_of(BLOCK_COLUMNS);
        if fits { target } else { TensorType::F16 }
    }
}

impl fmt::Display for Quantization {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Quantization {
    type Err = ForgeError;

    fn from_str(name: &str) -> Result<Self, ForgeError> {
        Self::ALL
            .into_iter()
            .find(|each| each.name() == name)
            .ok_or_else(|| ForgeError::Unsupported {
                what: "quantization",
                found: name.to_owned(),
                supported: Self::ALL.map(Self::name).join(", "),
            })
    }
}

/// Turns rows of a tensor into GGML's blocks of `target`, row after row, in the bundle's row order. `blocks` holds a whole
/// number of rows, of which `first_row` is the first.
///
/// # Errors
/// [`ForgeError::Tensor`] when a value cannot be stored in the target type.
pub(crate) fn convert_rows(
    tensor: &NetworkTensor<'_>,
    target: TensorType,
    first_row: u32,
    blocks: &mut [u8],
) -> Result<(), ForgeError> {
    let columns = tensor.columns as usize;
    let row_bytes = target
        .row_bytes(columns)
        .expect("the target type was chosen for the columns");
    let mut values = vec![0.0f32; columns];
    for (row, blocks) in (first_row..).zip(blocks.chunks_exact_mut(row_bytes)) {
        match &tensor.values {
            Values::Computed(computed) => values.copy_from_slice(&computed[row as usize * columns..][..columns]),
            Values::Stored(source, order) => {
                let codec = plan::codec(source)?;
                let source_bytes = source_row_bytes(source.ggml_type, columns);
                let bytes = &source.bytes[order.source_row(row) as usize * source_bytes..][..source_bytes];
                if codec.kept_as == target {
                    blocks.copy_from_slice(bytes);
                    continue;
                }
                (codec.decode)(bytes, &mut values);
            }
        }
        if !ggml::encode(target, &values, blocks) {
            let reason = format!("row {row} holds a value that {target} cannot store");
            return Err(ForgeError::tensor(&tensor.name, reason));
        }
    }
    Ok(())
}

/// Bytes of a row in the source. Cannot overflow: the whole tensor lies in memory.
fn source_row_bytes(ggml_type: &GgmlType, columns: usize) -> usize {
    columns / ggml_type.block_values as usize * ggml_type.block_bytes as usize
}

/// As [`convert_rows`], the rows shared out among `threads` threads.
pub(crate) fn convert_rows_in_parallel(
    tensor: &NetworkTensor<'_>,
    target: TensorType,
    first_row: u32,
    blocks: &mut [u8],
    threads: usize,
) -> Result<(), ForgeError> {
    let row_bytes = target
        .row_bytes(tensor.columns as usize)
        .expect("the target type was chosen for the columns");
    let rows = blocks.len() / row_bytes;
    let rows_each = rows.div_ceil(threads).max(1);
    std::thread::scope(|scope| {
        let parts = blocks
            .chunks_mut(rows_each * row_bytes)
            .zip((first_row..).step_by(rows_each));
        let workers: Vec<_> = parts
            .map(|(part, first_row)| {
                std::thread::Builder::new()
                    .stack_size(STACK_BYTES)
                    .spawn_scoped(scope, move || convert_rows(tensor, target, first_row, part))
            })
            .collect();
        workers.into_iter().try_for_each(|worker| {
            let worker = worker.map_err(|source| ForgeError::Memory {
                bytes: STACK_BYTES as u64,
                source,
            })?;
            worker.join().expect("converting rows does not panic")
        })
    })
}

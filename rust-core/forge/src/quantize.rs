//! The storage type of each tensor, and the conversion of rows to it.

use std::fmt;
use std::ops::AddAssign;
use std::str::FromStr;

use whimbrel_kernels::TensorType;

use crate::ForgeError;
use crate::architecture::{NetworkTensor, Role, Values};
use crate::ggml::{self, GgmlType};
use crate::plan;

/// The stack of a thread that converts rows, in bytes.
const STACK_BYTES: usize = 1 << 20;

/// What an import does to the weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Quantization {
    /// Changes no value, except those of types for which the engine has no kernels: they are widened to the nearest type that it has.
    #[default]
    Keep,
    /// 8 bits per weight.
    Q8_0,
    /// 6 bits per weight.
    Q6K,
    /// 5 bits per weight; embedding and head get 8 bits.
    Q5_0,
    /// 4 bits per weight, with a minimum per block and quantised scales; embedding and head get 6 bits.
    Q4K,
    /// 4 bits per weight, with a minimum per block; embedding and head get 8 bits.
    Q4_1,
    /// 4 bits per weight; embedding and head get 8 bits.
    Q4_0,
    /// 4 bits per weight, codes closer together around zero; embedding and head get 8 bits.
    Iq4Nl,
    /// 16-bit floats.
    F16,
    /// 32-bit floats.
    F32,
}

impl Quantization {
    /// Every choice, in display order.
    pub const ALL: [Self; 10] = [
        Self::Keep,
        Self::Q8_0,
        Self::Q6K,
        Self::Q5_0,
        Self::Q4K,
        Self::Q4_1,
        Self::Q4_0,
        Self::Iq4Nl,
        Self::F16,
        Self::F32,
    ];

    /// The name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Q8_0 => "q8_0",
            Self::Q6K => "q6_k",
            Self::Q5_0 => "q5_0",
            Self::Q4K => "q4_k",
            Self::Q4_1 => "q4_1",
            Self::Q4_0 => "q4_0",
            Self::Iq4Nl => "iq4_nl",
            Self::F16 => "f16",
            Self::F32 => "f32",
        }
    }

    /// The type that a tensor is stored in. Embedding and head suffer most from 4 bits; as in llama.cpp's files they get more.
    fn target(self, stored: TensorType, role: Role) -> TensorType {
        let is_layer = role == Role::Matrix;
        match self {
            _ if role == Role::Vector => TensorType::F32,
            Self::Keep => stored,
            Self::F32 => TensorType::F32,
            Self::F16 => TensorType::F16,
            Self::Q4_0 if is_layer => TensorType::Q4_0,
            Self::Q4_1 if is_layer => TensorType::Q4_1,
            Self::Q5_0 if is_layer => TensorType::Q5_0,
            Self::Iq4Nl if is_layer => TensorType::Iq4Nl,
            Self::Q4K if is_layer => TensorType::Q4K,
            Self::Q4K | Self::Q6K => TensorType::Q6K,
            Self::Q8_0 | Self::Q4_0 | Self::Q4_1 | Self::Q5_0 | Self::Iq4Nl => TensorType::Q8_0,
        }
    }
}

/// The type of an embedding, and of a head, that the source stores with more bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EmbeddingType {
    /// 8 bits per weight.
    Q8_0,
    /// 6 bits per weight; 8 bits where a row does not fill blocks of 256.
    Q6K,
}

impl EmbeddingType {
    /// Every choice, in display order.
    pub const ALL: [Self; 2] = [Self::Q8_0, Self::Q6K];

    /// The name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.tensor_type().name()
    }

    fn tensor_type(self) -> TensorType {
        match self {
            Self::Q8_0 => TensorType::Q8_0,
            Self::Q6K => TensorType::Q6K,
        }
    }
}

/// The type in which the bundle stores a tensor of `role` that the source stores as `stored`, in rows of `columns` values. Where they do
/// not fill whole blocks it is the type that llama.cpp's files have there.
pub(crate) fn stored_type(
    quantization: Quantization,
    embedding: Option<EmbeddingType>,
    stored: TensorType,
    role: Role,
    columns: u32,
) -> TensorType {
    let mut target = fitting(quantization.target(stored, role), columns);
    if let Some(embedding) = embedding.filter(|_| !matches!(role, Role::Matrix | Role::Vector)) {
        let narrower = fitting(embedding.tensor_type(), columns);
        if GgmlType::of(narrower).bits_per_value() < GgmlType::of(target).bits_per_value() {
            target = narrower;
        }
    }
    target
}

/// `target`, or the next wider type whose blocks the columns fill.
pub(crate) fn fitting(target: TensorType, columns: u32) -> TensorType {
    if (columns as usize).is_multiple_of(target.block_values()) {
        return target;
    }
    match target {
        TensorType::Q4K => fitting(TensorType::Q5_0, columns),
        TensorType::Q6K => fitting(TensorType::Q8_0, columns),
        _ => TensorType::F16,
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

/// How far values moved when they were converted.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Deviation {
    /// The sum of the squared differences.
    errors: f64,
    /// The sum of the squared values.
    squares: f64,
}

impl Deviation {
    /// The root of the mean squared difference, as a share of the values' root mean square.
    pub(crate) fn relative_error(self) -> f64 {
        if self.squares > 0.0 {
            (self.errors / self.squares).sqrt()
        } else {
            0.0
        }
    }

    fn of(before: &[f32], after: &[f32]) -> Deviation {
        let mut deviation = Deviation::default();
        for (before, after) in before.iter().zip(after) {
            let (before, after) = (f64::from(*before), f64::from(*after));
            deviation.errors += (before - after).powi(2);
            deviation.squares += before.powi(2);
        }
        deviation
    }
}

impl AddAssign for Deviation {
    fn add_assign(&mut self, other: Deviation) {
        self.errors += other.errors;
        self.squares += other.squares;
    }
}

/// Turns rows of a tensor into GGML's blocks of `target`, row after row, in the bundle's row order, and says how far the values of each row
/// moved. `blocks` holds a whole number of rows, of which `first_row` is the first.
///
/// # Errors
/// [`ForgeError::Tensor`] when a value cannot be stored in the target type.
fn convert_rows(
    tensor: &NetworkTensor<'_>,
    target: TensorType,
    first_row: u32,
    blocks: &mut [u8],
) -> Result<Vec<Deviation>, ForgeError> {
    let columns = tensor.columns as usize;
    let row_bytes = target
        .row_bytes(columns)
        .expect("the target type was chosen for the columns");
    let decode = GgmlType::of(target)
        .codec
        .expect("the engine's types are supported")
        .decode;
    let (mut values, mut stored) = (vec![0.0f32; columns], vec![0.0f32; columns]);
    let mut deviations = Vec::new();
    for (row, blocks) in (first_row..).zip(blocks.chunks_exact_mut(row_bytes)) {
        match &tensor.values {
            Values::Computed(computed) => values.copy_from_slice(&computed[row as usize * columns..][..columns]),
            Values::Stored(source, order) => {
                let codec = plan::codec(source)?;
                let source_bytes = source_row_bytes(source.ggml_type, columns);
                let bytes = &source.bytes[order.source_row(row) as usize * source_bytes..][..source_bytes];
                if codec.keeps(target) {
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
        decode(blocks, &mut stored);
        deviations.push(Deviation::of(&values, &stored));
    }
    Ok(deviations)
}

/// Bytes of a row in the source. Cannot overflow: the whole tensor lies in memory.
fn source_row_bytes(ggml_type: &GgmlType, columns: usize) -> usize {
    columns / ggml_type.block_values as usize * ggml_type.block_bytes as usize
}

/// As [`convert_rows`], the rows shared out among `threads` threads. The sum of the deviations does not depend on their number.
pub(crate) fn convert_rows_in_parallel(
    tensor: &NetworkTensor<'_>,
    target: TensorType,
    first_row: u32,
    blocks: &mut [u8],
    threads: usize,
) -> Result<Deviation, ForgeError> {
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
        let mut sum = Deviation::default();
        for worker in workers {
            let worker = worker.map_err(|source| ForgeError::Memory {
                bytes: STACK_BYTES as u64,
                source,
            })?;
            for deviation in worker.join().expect("converting rows does not panic")? {
                sum += deviation;
            }
        }
        Ok(sum)
    })
}

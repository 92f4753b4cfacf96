//! The weight file: one memory map shared by every operator, and the table that says which tensor lies where.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use memmap2::Mmap;
use serde::{Deserialize, Serialize};
pub use whimbrel_kernels::TensorType;

use crate::EngineError;

/// Every tensor starts at a multiple of this many bytes.
pub(crate) const TENSOR_ALIGNMENT: u64 = 64;
/// The largest table that is read, in bytes.
pub(crate) const INDEX_BYTES_MAX: u64 = 16 << 20;

/// `weights.json`: the tensors of a weight file, in the order they lie there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeightsIndex {
    /// See [`TensorEntry`].
    pub tensors: Vec<TensorEntry>,
}

/// One tensor of the weight file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TensorEntry {
    /// The name that the graph uses.
    pub name: String,
    /// How the values are stored. Quantised types lie in panels of 16 rows, the others row after row (see `whimbrel_kernels`).
    #[serde(rename = "type")]
    pub tensor_type: TensorType,
    /// Number of rows (outputs); 1 for a vector.
    pub rows: u32,
    /// Number of columns (inputs).
    pub columns: u32,
    /// Byte offset in the weight file, a multiple of 64.
    pub offset: u64,
}

//! The weight file: one memory map (or a copy in memory) that all operators share, and the table of the tensors in it.

mod guard;

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use memmap2::{Mmap, MmapMut};
use serde::{Deserialize, Serialize};
use whimbrel_kernels::Matrix;
pub use whimbrel_kernels::TensorType;

use self::guard::Guard;
pub use self::guard::catch_cut_weights;
use crate::EngineError;
use crate::bundle::read::open;

/// Every tensor starts at a multiple of this many bytes.
pub(crate) const TENSOR_ALIGNMENT: u64 = 64;
/// The largest table that is read, in bytes.
pub(crate) const INDEX_BYTES_MAX: u64 = 16 << 20;
/// The most tensors that a table may have.
pub(crate) const TENSORS_MAX: usize = 65_536;

#[cfg(target_endian = "big")]
compile_error!("weight files are little-endian and read in place");

/// `weights.json`: the tensors of a weight file, in the order of the file.
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
    /// The name in the graph.
    pub name: String,
    /// How the values are stored: quantised types in panels of 16 rows, the others row after row (see `whimbrel_kernels`).
    #[serde(rename = "type")]
    pub tensor_type: TensorType,
    /// Number of rows (outputs); 1 for a vector.
    pub rows: u32,
    /// Number of columns (inputs).
    pub columns: u32,
    /// Byte offset in the weight file, a multiple of 64.
    pub offset: u64,
}

impl TensorEntry {
    /// Size in the weight file in bytes; `None` if the columns do not fill whole blocks or the size overflows.
    #[must_use]
    pub fn bytes(&self) -> Option<u64> {
        let bytes = self
            .tensor_type
            .packed_bytes(self.rows as usize, self.columns as usize)?;
        u64::try_from(bytes).ok()
    }
}

impl WeightsIndex {
    /// Parses a table and checks it against the size of its weight file: shapes, alignment, and that every tensor is inside the file and
    /// after the previous one.
    ///
    /// ```
    /// use whimbrel_engine::WeightsIndex;
    ///
    /// # fn main() -> Result<(), whimbrel_engine::EngineError> {
    /// let table = br#"{"tensors": [{"name": "norm", "type": "f32", "rows": 1, "columns": 128, "offset": 64}]}"#;
    /// let index = WeightsIndex::parse(table, 576)?;
    /// assert_eq!(index.tensors[0].bytes(), Some(512));
    /// assert!(WeightsIndex::parse(table, 575).is_err(), "the file is too short");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`EngineError::Weights`] with the tensor and what is wrong with it.
    pub fn parse(text: &[u8], file_bytes: u64) -> Result<WeightsIndex, EngineError> {
        let bad = |reason: String| EngineError::Weights { reason };
        let index: WeightsIndex =
            serde_json::from_slice(text).map_err(|error| bad(format!("weights.json: {error}")))?;
        if index.tensors.len() > TENSORS_MAX {
            return Err(bad(format!(
                "{} tensors, the limit is {TENSORS_MAX}",
                index.tensors.len()
            )));
        }
        let mut end = 0u64;
        for tensor in &index.tensors {
            let name = &tensor.name;
            let bytes = tensor.bytes().filter(|bytes| *bytes > 0).ok_or_else(|| {
                let (rows, columns, kind) = (tensor.rows, tensor.columns, tensor.tensor_type);
                bad(format!("tensor {name:?} cannot be {rows} × {columns} of {kind}"))
            })?;
            if !tensor.offset.is_multiple_of(TENSOR_ALIGNMENT) || tensor.offset < end {
                return Err(bad(format!(
                    "tensor {name:?} has offset {}, not aligned or inside another",
                    tensor.offset
                )));
            }
            end = tensor
                .offset
                .checked_add(bytes)
                .filter(|end| *end <= file_bytes)
                .ok_or_else(|| {
                    bad(format!(
                        "tensor {name:?} ends after the end of the weight file ({file_bytes} bytes)"
                    ))
                })?;
        }
        Ok(index)
    }
}

/// Size and alignment of the huge pages that are asked for; where the system has others, it does what it can.
const HUGE_PAGE_BYTES: usize = 2 << 20;

/// The bytes of a weight file, in place or copied.
enum Bytes {
    Mapped {
        /// Dropped before the map.
        guard: Guard,
        map: Mmap,
    },
    /// The bytes begin at `start`, a multiple of the huge page size as an address.
    Copied { memory: Mmap, start: usize, length: usize },
}

impl Bytes {
    fn as_slice(&self) -> &[u8] {
        match self {
            Bytes::Mapped { map, .. } => map,
            Bytes::Copied { memory, start, length } => &memory[*start..start + length],
        }
    }

    /// Copies the file into anonymous memory that the system may back with huge pages.
    fn copy(file: &mut File) -> std::io::Result<Bytes> {
        let length = usize::try_from(file.metadata()?.len()).map_err(|_| std::io::ErrorKind::OutOfMemory)?;
        let room = length
            .checked_add(HUGE_PAGE_BYTES)
            .ok_or(std::io::ErrorKind::OutOfMemory)?;
        let mut memory = MmapMut::map_anon(room)?;
        let start = memory.as_ptr().align_offset(HUGE_PAGE_BYTES);
        #[cfg(target_os = "linux")]
        if let Err(error) = memory.advise(memmap2::Advice::HugePage) {
            log::warn!("the system gives no huge pages: {error}");
        }
        file.read_exact(&mut memory[start..start + length])?;
        Ok(Bytes::Copied {
            memory: memory.make_read_only()?,
            start,
            length,
        })
    }
}

/// The weight file's bytes and their table.
pub(crate) struct Weights {
    bytes: Bytes,
    entries: HashMap<Arc<str>, TensorEntry>,
}

impl Weights {
    /// Maps the weight file at `path`, whose table is `index`; with `huge_pages` it is copied into memory instead.
    pub(crate) fn open(path: &Path, index: &[u8], huge_pages: bool) -> Result<Weights, EngineError> {
        let read = |source| EngineError::Read {
            path: path.to_owned(),
            source,
        };
        let mut file = open(path).map_err(read)?;
        let bytes = if huge_pages {
            Bytes::copy(&mut file).map_err(read)?
        } else {
            // SAFETY: bundles are installed once and then only read; the file is private to the application, and nothing in
            // this project truncates or rewrites a weight file in place. If somebody else does, see `guard`.
            let map = unsafe { Mmap::map(&file) }.map_err(read)?;
            Bytes::Mapped {
                guard: Guard::new(&map),
                map,
            }
        };
        let mut entries = HashMap::new();
        for tensor in WeightsIndex::parse(index, bytes.as_slice().len() as u64)?.tensors {
            if let Some(twice) = entries.insert(Arc::from(tensor.name.as_str()), tensor) {
                return Err(EngineError::Weights {
                    reason: format!("tensor {:?} appears twice", twice.name),
                });
            }
        }
        Ok(Weights { bytes, entries })
    }
}

impl std::fmt::Debug for Weights {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "Weights({} tensors, {} bytes)",
            self.entries.len(),
            self.bytes.as_slice().len()
        )
    }
}

/// What an operator keeps of a tensor: its name, its place, and the shared map. Equal when name and map are.
#[derive(Clone)]
pub(crate) struct WeightRef {
    store: Arc<Weights>,
    pub(crate) name: Arc<str>,
    tensor_type: TensorType,
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    start: usize,
    end: usize,
}

impl WeightRef {
    /// The tensor of that name.
    pub(crate) fn new(store: &Arc<Weights>, name: &str) -> Option<WeightRef> {
        let (name, entry) = store.entries.get_key_value(name)?;
        let (start, bytes) = (
            usize::try_from(entry.offset).ok()?,
            usize::try_from(entry.bytes()?).ok()?,
        );
        Some(WeightRef {
            store: store.clone(),
            name: name.clone(),
            tensor_type: entry.tensor_type,
            rows: entry.rows as usize,
            columns: entry.columns as usize,
            start,
            end: start + bytes,
        })
    }

    /// Whether bytes of the weight file were found to be gone. Known only where [`catch_cut_weights`] was called before the model
    /// was opened; elsewhere such a read ends the process.
    pub(crate) fn is_cut(&self) -> bool {
        matches!(&self.store.bytes, Bytes::Mapped { guard, .. } if guard.is_cut())
    }

    pub(crate) fn matrix(&self) -> Matrix<'_> {
        Matrix::new(
            self.tensor_type,
            self.rows,
            self.columns,
            &self.store.bytes.as_slice()[self.start..self.end],
        )
        .expect("the table was checked against the file")
    }

    /// The values of an F32 tensor; `None` for other types.
    pub(crate) fn floats(&self) -> Option<&[f32]> {
        if self.tensor_type != TensorType::F32 {
            return None;
        }
        // SAFETY: every bit pattern is a float.
        let (before, floats, after) = unsafe { self.store.bytes.as_slice()[self.start..self.end].align_to::<f32>() };
        (before.is_empty() && after.is_empty()).then_some(floats)
    }
}

impl std::fmt::Debug for WeightRef {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.name)
    }
}

impl PartialEq for WeightRef {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.store, &other.store) && self.name == other.name
    }
}

impl Eq for WeightRef {}

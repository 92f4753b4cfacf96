//! The architectures that can be imported: one file per architecture, selected by `general.architecture`, which says how it differs from
//! what they share (`transformer.rs`). An architecture knows which keys
//! describe the network, which tensors it consists of and which operators connect them. It knows nothing about tokenizers or about how
//! tensors are stored.

mod gemma3;
mod granite;
mod lfm2;
mod llama;
mod minicpm;
mod qwen2;
mod qwen3;
mod smollm3;
mod transformer;

use whimbrel_engine::Architecture as Shape;

use crate::graph::Graph;
use crate::{ForgeError, Gguf};

/// The key that names a file's architecture.
const ARCHITECTURE_KEY: &str = "general.architecture";
/// The most layers of a network that is imported.
pub(crate) const LAYERS_MAX: u32 = 1_024;
/// The largest width (embedding, feed-forward, heads × head) that is imported.
pub(crate) const WIDTH_MAX: u32 = 1 << 20;

/// One family of networks.
pub(crate) trait Architecture: Sync {
    /// The value of `general.architecture`.
    fn name(&self) -> &'static str;

    /// Reads keys and tensor shapes, and describes the network.
    fn network<'a>(&self, gguf: &Gguf<'a>, graph_name: &str) -> Result<Network<'a>, ForgeError>;
}

/// Every supported architecture.
static ARCHITECTURES: [&dyn Architecture; 8] = [
    &llama::LLAMA,
    &qwen2::QWEN2,
    &qwen3::QWEN3,
    &granite::GRANITE,
    &minicpm::MINICPM,
    &gemma3::GEMMA3,
    &lfm2::LFM2,
    &smollm3::SMOLLM3,
];

/// A network as an architecture describes it.
pub(crate) struct Network<'a> {
    /// For the manifest; `parameters` counts the values of all stored tensors.
    pub(crate) shape: Shape,
    pub(crate) context_length: u32,
    /// Key and value heads of each layer, and how many tokens the layer sees if not all.
    pub(crate) kv: Vec<(u32, Option<u32>)>,
    /// In the order in which they are written.
    pub(crate) tensors: Vec<NetworkTensor<'a>>,
    pub(crate) graph: Graph,
}

/// A tensor of the bundle and where its values come from.
pub(crate) struct NetworkTensor<'a> {
    /// The name that the graph uses.
    pub(crate) name: String,
    pub(crate) rows: u32,
    pub(crate) columns: u32,
    pub(crate) role: Role,
    pub(crate) values: Values<'a>,
}

/// What a tensor is for; decides how it may be stored and whether a decoded token reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// The token embedding. A decoded token reads one row of it.
    Embedding,
    /// The token embedding where it also is the head. A decoded token reads all of it.
    EmbeddingAndHead,
    /// The head.
    Head,
    /// A matrix of a layer.
    Matrix,
    /// Norm weights and frequencies: always 32-bit floats.
    Vector,
}

/// Where a tensor's values come from.
pub(crate) enum Values<'a> {
    /// A tensor of the source, its rows in another order.
    Stored(crate::gguf::Tensor<'a>, RowOrder),
    /// Computed at import.
    Computed(Vec<f32>),
}

/// Which row of the source becomes which row of the bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RowOrder {
    /// As they are.
    Same,
    /// Some of them, this one first.
    From(u32),
    /// Each head's first `rotated` rows hold rotary pairs side by side (0 and 1, 2 and 3 …) and come out as two halves
    /// (0, 2, 4 … then 1, 3, 5 …), which is how the engine pairs them.
    SplitPairs {
        /// Rows of one head.
        head: u32,
        /// Rows of it that take part in the rotation, even.
        rotated: u32,
    },
}

impl RowOrder {
    /// The source's row for a row of the bundle.
    pub(crate) fn source_row(self, row: u32) -> u32 {
        let (head, rotated) = match self {
            RowOrder::Same => return row,
            RowOrder::From(first) => return first + row,
            RowOrder::SplitPairs { head, rotated } => (head, rotated),
        };
        let (start, within) = (row / head * head, row % head);
        if within >= rotated {
            return row;
        }
        let half = rotated / 2;
        start
            + if within < half {
                2 * within
            } else {
                2 * (within - half) + 1
            }
    }
}

/// Finds the architecture of a file.
pub(crate) fn find(gguf: &Gguf<'_>) -> Result<&'static dyn Architecture, ForgeError> {
    by_name(required(gguf.text(ARCHITECTURE_KEY)?, ARCHITECTURE_KEY)?)
}

/// Whether the architecture that the beginning of a GGUF file names can be imported, for a file that is still coming. A beginning that does not
/// name one passes.
///
/// # Errors
/// [`ForgeError::Unsupported`].
pub fn check_beginning(bytes: &[u8]) -> Result<(), ForgeError> {
    match Gguf::text_at_beginning(bytes, ARCHITECTURE_KEY) {
        Some(name) => by_name(name).map(|_| ()),
        None => Ok(()),
    }
}

fn by_name(name: &str) -> Result<&'static dyn Architecture, ForgeError> {
    ARCHITECTURES
        .iter()
        .copied()
        .find(|each| each.name() == name)
        .ok_or_else(|| ForgeError::Unsupported {
            what: "architecture",
            found: name.to_owned(),
            supported: ARCHITECTURES.map(Architecture::name).join(", "),
        })
}

/// The value of a key that must be there.
pub(crate) fn required<T>(value: Option<T>, key: &str) -> Result<T, ForgeError> {
    Ok(value.ok_or_else(|| crate::GgufError::MissingKey { key: key.to_owned() })?)
}

#[cfg(test)]
mod tests {
    use super::RowOrder;

    #[test]
    fn pairs_become_halves_head_by_head() {
        let order = RowOrder::SplitPairs { head: 6, rotated: 4 };
        let rows: Vec<u32> = (0..12).map(|row| order.source_row(row)).collect();
        assert_eq!(rows, [0, 2, 1, 3, 4, 5, 6, 8, 7, 9, 10, 11]);
    }
}

//! The plan of an import, made before a byte is written: the type, place and size of every tensor, and the resulting figures of the
//! manifest.

use whimbrel_engine::{Architecture as Shape, TensorEntry, WeightsIndex, kept_tokens};
use whimbrel_kernels::TensorType;

use crate::architecture::{self, NetworkTensor, Role, Values};
use crate::ggml::{Codec, GgmlType};
use crate::gguf::{self, Split, Tensor};
use crate::graph::Graph;
use crate::quantize::{EmbeddingType, stored_type};
use crate::{ForgeError, Gguf, Quantization};

/// Every tensor of the weight file starts at a multiple of this many bytes.
pub(crate) const TENSOR_ALIGNMENT: u64 = 64;
/// The context for which peak memory is estimated, in tokens.
pub(crate) const PEAK_CONTEXT: u32 = 2_048;
/// The longest model name, in bytes.
const NAME_BYTES_MAX: usize = 256;

/// A preview of the result of an import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The model's name.
    pub name: String,
    /// The shape of the network.
    pub architecture: Shape,
    /// The longest context that the model supports, in tokens.
    pub context_length: u32,
    /// The variant's name, after the type of most weights in the layers.
    pub variant: String,
    /// Size of the weight file in bytes.
    pub weights_bytes: u64,
    /// Bytes of weights that one decoded token reads.
    pub bytes_per_token: u64,
    /// Estimated peak of resident memory with a context of 2,048 tokens, in bytes.
    pub peak_memory_bytes: u64,
}

/// A preview of the result of an import, without writing anything.
///
/// # Errors
/// As [`crate::import`], for everything that can be determined without the values of the weights.
pub fn summarize(gguf: &Gguf<'_>, quantization: Quantization) -> Result<Summary, ForgeError> {
    let vocabulary = crate::Vocabulary::read(gguf)?;
    let plan = Plan::new(gguf, quantization, None, "model", None)?;
    plan.check_vocabulary(vocabulary.parts.tokens.len())?;
    Ok(plan.summary())
}

/// The decisions of one import.
pub(crate) struct Plan<'a> {
    pub(crate) name: String,
    pub(crate) shape: Shape,
    pub(crate) context_length: u32,
    /// As in [`architecture::Network`].
    kv: Vec<(u32, Option<u32>)>,
    pub(crate) tensors: Vec<PlannedTensor<'a>>,
    pub(crate) graph: Graph,
    pub(crate) variant: String,
    pub(crate) weights_bytes: u64,
}

/// One tensor of the weight file.
pub(crate) struct PlannedTensor<'a> {
    pub(crate) tensor: NetworkTensor<'a>,
    pub(crate) target: TensorType,
    /// In the weight file, a multiple of [`TENSOR_ALIGNMENT`].
    pub(crate) offset: u64,
    /// In the weight file.
    pub(crate) bytes: u64,
}

impl PlannedTensor<'_> {
    fn values(&self) -> u64 {
        u64::from(self.tensor.rows) * u64::from(self.tensor.columns)
    }
}

/// How a tensor of the source is read.
pub(crate) fn codec(tensor: &Tensor<'_>) -> Result<Codec, ForgeError> {
    tensor.ggml_type.codec.ok_or_else(|| ForgeError::Unsupported {
        what: "tensor type",
        found: format!("{} (tensor {})", tensor.ggml_type.name, tensor.name),
        supported: GgmlType::supported_names(),
    })
}

impl<'a> Plan<'a> {
    /// `fallback_name` is used when neither the options nor the file name the model.
    pub(crate) fn new(
        gguf: &Gguf<'a>,
        quantization: Quantization,
        embedding: Option<EmbeddingType>,
        fallback_name: &str,
        name: Option<&str>,
    ) -> Result<Plan<'a>, ForgeError> {
        check_whole(gguf)?;
        let name = model_name(gguf, fallback_name, name)?;
        let architecture = architecture::find(gguf)?;
        let network = architecture.network(gguf, &name)?;
        let mut offset = 0u64;
        let mut tensors = Vec::new();
        for tensor in network.tensors {
            let stored = match &tensor.values {
                Values::Stored(source, _) => codec(source)?.kept_as,
                Values::Computed(_) => TensorType::F32,
            };
            let target = stored_type(quantization, embedding, stored, tensor.role, tensor.columns);
            let bytes = target
                .packed_bytes(tensor.rows as usize, tensor.columns as usize)
                .map(|bytes| bytes as u64);
            let end = bytes.and_then(|bytes| offset.checked_add(bytes)?.checked_next_multiple_of(TENSOR_ALIGNMENT));
            let (Some(bytes), Some(end)) = (bytes, end) else {
                return Err(ForgeError::tensor(&tensor.name, "its size overflows"));
            };
            tensors.push(PlannedTensor {
                tensor,
                target,
                offset,
                bytes,
            });
            offset = end;
        }
        let weights_bytes = tensors.last().map_or(0, |last| last.offset + last.bytes);
        Ok(Plan {
            name,
            shape: network.shape,
            context_length: network.context_length,
            kv: network.kv,
            variant: variant(&tensors).name().to_owned(),
            tensors,
            graph: network.graph,
            weights_bytes,
        })
    }

    /// # Errors
    /// [`ForgeError::Vocabulary`] when the embedding has not one row a token.
    pub(crate) fn check_vocabulary(&self, tokens: usize) -> Result<(), ForgeError> {
        let rows = self.shape.vocabulary;
        if rows as usize == tokens {
            return Ok(());
        }
        Err(ForgeError::Vocabulary {
            reason: format!("{tokens} tokens, but token_embd.weight has {rows} rows"),
        })
    }

    /// Weight bytes that one decoded token reads: all of the layers, the norms and the head, and one row of an embedding
    /// that is not the head.
    pub(crate) fn bytes_per_token(&self) -> u64 {
        let read = |planned: &PlannedTensor<'_>| match planned.tensor.role {
            Role::Embedding => planned.bytes / u64::from(planned.tensor.rows),
            _ => planned.bytes,
        };
        self.tensors.iter().map(read).sum()
    }

    /// The formula is in `docs/model-import.md`.
    pub(crate) fn peak_memory_bytes(&self) -> u64 {
        let Shape {
            embedding_length,
            feed_forward_length,
            heads,
            kv_heads,
            head_dim,
            vocabulary,
            ..
        } = self.shape;
        let [width, feed_forward, heads, kv_heads, head_dim, vocabulary] = [
            embedding_length,
            feed_forward_length,
            heads,
            kv_heads,
            head_dim,
            vocabulary,
        ]
        .map(u64::from);
        let context = PEAK_CONTEXT.min(self.context_length);
        let kept = self
            .kv
            .iter()
            .map(|(kv_heads, window)| u64::from(*kv_heads) * u64::from(kept_tokens(*window, context)));
        let kv = 2 * kept.sum::<u64>() * head_dim * KV_VALUE_BYTES;
        let activations = PREFILL_TOKENS * 4 * (3 * width + 2 * (heads + kv_heads) * head_dim + 2 * feed_forward);
        let logits = 4 * vocabulary;
        self.weights_bytes + kv + activations + logits + vocabulary * TOKEN_BYTES + PROGRAM_BYTES
    }

    pub(crate) fn index(&self) -> WeightsIndex {
        let entry = |planned: &PlannedTensor<'_>| TensorEntry {
            name: planned.tensor.name.clone(),
            tensor_type: planned.target,
            rows: planned.tensor.rows,
            columns: planned.tensor.columns,
            offset: planned.offset,
        };
        WeightsIndex {
            tensors: self.tensors.iter().map(entry).collect(),
        }
    }

    fn summary(&self) -> Summary {
        Summary {
            name: self.name.clone(),
            architecture: self.shape.clone(),
            context_length: self.context_length,
            variant: self.variant.clone(),
            weights_bytes: self.weights_bytes,
            bytes_per_token: self.bytes_per_token(),
            peak_memory_bytes: self.peak_memory_bytes(),
        }
    }
}

/// Bytes of one value of the KV cache.
const KV_VALUE_BYTES: u64 = 2;
/// Tokens of one prefill chunk, whose activations are alive together.
const PREFILL_TOKENS: u64 = 128;
/// What the tokenizer's tables take for one token, in bytes.
const TOKEN_BYTES: u64 = 64;
/// The program itself, the graph and the thread stacks, in bytes.
const PROGRAM_BYTES: u64 = 32 << 20;

/// The type of most weights in the layers; of two equal ones the first in declared order.
fn variant(tensors: &[PlannedTensor<'_>]) -> TensorType {
    let weights = |wanted: TensorType| -> u64 {
        let layer = |planned: &&PlannedTensor<'_>| planned.tensor.role == Role::Matrix && planned.target == wanted;
        tensors.iter().filter(layer).map(PlannedTensor::values).sum()
    };
    TensorType::ALL
        .into_iter()
        .rev()
        .max_by_key(|tensor_type| weights(*tensor_type))
        .expect("there are types")
}

/// Refuses one part of a file that was split: the other tensors are in the other parts.
fn check_whole(gguf: &Gguf<'_>) -> Result<(), ForgeError> {
    match Split::of(gguf)? {
        Some(split) => Err(gguf::alone(&split)),
        None => Ok(()),
    }
}

fn model_name(gguf: &Gguf<'_>, fallback: &str, name: Option<&str>) -> Result<String, ForgeError> {
    let is_name = |name: &&str| !name.is_empty() && name.len() <= NAME_BYTES_MAX && !name.chars().any(char::is_control);
    // What the file calls itself is no reason to refuse it: many files have an empty name.
    let own = gguf.text("general.name")?.map(str::trim).filter(is_name);
    let found = name.or(own).unwrap_or(fallback).trim();
    Some(found)
        .filter(is_name)
        .map(str::to_owned)
        .ok_or(ForgeError::Option {
            option: "name",
            reason: format!("1 to {NAME_BYTES_MAX} bytes without control characters"),
        })
}

//! `llama`: SmolLM2, Llama 2 and 3. RMS norms, rotary positions, grouped-query attention, a gated feed-forward block. Keys, tensor names
//! and defaults are those of llama.cpp (`src/llama-model.cpp`, `src/models/llama.cpp`).

use whimbrel_engine::Architecture as Shape;
use whimbrel_kernels::{AttentionShape, HEAD_DIM_MAX, KV_BLOCK, KvPrecision};

use super::{Architecture, LAYERS_MAX, Network, NetworkTensor, Role, RowOrder, Values, WIDTH_MAX, required};
use crate::gguf::Tensor;
use crate::graph::{Attention, Graph};
use crate::{ForgeError, Gguf};

const FREQUENCIES: &str = "rope_frequencies";
const SCALING_TYPES: &str = "none, linear";

/// The llama family.
pub(crate) struct Llama;

impl Architecture for Llama {
    fn name(&self) -> &'static str {
        "llama"
    }

    fn network<'a>(&self, gguf: &Gguf<'a>, graph_name: &str) -> Result<Network<'a>, ForgeError> {
        let keys = Keys::read(gguf)?;
        let mut tensors = TensorList {
            gguf,
            tensors: Vec::new(),
            used: 0,
        };
        let vocabulary = add_tensors(&mut tensors, &keys)?;
        let head = if gguf.tensor("output.weight").is_some() {
            "output"
        } else {
            "token_embd"
        };
        tensors.refuse_unused()?;
        let tensors = tensors.tensors;
        let parameters = tensors
            .iter()
            .filter(|tensor| matches!(tensor.values, Values::Stored(..)));
        Ok(Network {
            shape: Shape {
                name: self.name().to_owned(),
                layers: keys.layers,
                embedding_length: keys.width,
                feed_forward_length: keys.feed_forward,
                heads: keys.heads,
                kv_heads: keys.kv_heads,
                head_dim: keys.head_dim,
                vocabulary,
                parameters: parameters
                    .map(|tensor| u64::from(tensor.rows) * u64::from(tensor.columns))
                    .sum(),
            },
            context_length: keys.context_length,
            tensors,
            graph: graph(&keys, graph_name, head)?,
        })
    }
}

/// The keys that describe a network of this family, checked against each other.
struct Keys {
    layers: u32,
    width: u32,
    feed_forward: u32,
    heads: u32,
    kv_heads: u32,
    head_dim: u32,
    rotated: u32,
    context_length: u32,
    epsilon: f32,
    attention_scale: f32,
    frequency_base: f32,
    /// Linear position scaling: every frequency is divided by it.
    position_scale: f32,
}

impl Keys {
    fn read(gguf: &Gguf<'_>) -> Result<Keys, ForgeError> {
        let count = |key: &str, limit: u32| -> Result<Option<u32>, ForgeError> {
            let key = format!("llama.{key}");
            match gguf.u32(&key)? {
                Some(value) if value == 0 || value > limit => {
                    Err(ForgeError::key(&key, format!("{value} is not from 1 to {limit}")))
                }
                value => Ok(value),
            }
        };
        let must = |key: &str, limit: u32| required(count(key, limit)?, &format!("llama.{key}"));
        let width = must("embedding_length", WIDTH_MAX)?;
        let heads = must("attention.head_count", WIDTH_MAX)?;
        let kv_heads = count("attention.head_count_kv", WIDTH_MAX)?.unwrap_or(heads);
        let head_dim = match count("attention.key_length", WIDTH_MAX)? {
            Some(head_dim) => head_dim,
            None if width.is_multiple_of(heads) => width / heads,
            None => {
                let reason = format!("{heads} heads do not divide the width {width}");
                return Err(ForgeError::key("llama.attention.head_count", reason));
            }
        };
        let keys = Keys {
            layers: must("block_count", LAYERS_MAX)?,
            width,
            feed_forward: must("feed_forward_length", WIDTH_MAX)?,
            heads,
            kv_heads,
            head_dim,
            rotated: count("rope.dimension_count", WIDTH_MAX)?.unwrap_or(head_dim),
            context_length: must("context_length", u32::MAX)?,
            epsilon: epsilon(gguf)?,
            attention_scale: attention_scale(gguf, head_dim)?,
            frequency_base: positive(gguf, "llama.rope.freq_base")?.unwrap_or(10_000.0),
            position_scale: position_scale(gguf)?,
        };
        keys.check(gguf)?;
        Ok(keys)
    }

    fn check(&self, gguf: &Gguf<'_>) -> Result<(), ForgeError> {
        let &Keys {
            heads,
            kv_heads,
            head_dim,
            rotated,
            ..
        } = self;
        let refuse = |key: &str, reason: String| Err(ForgeError::key(key, reason));
        if !heads.is_multiple_of(kv_heads) {
            return refuse(
                "llama.attention.head_count_kv",
                format!("{kv_heads} does not divide {heads} heads"),
            );
        }
        if u64::from(heads) * u64::from(head_dim) > u64::from(WIDTH_MAX) {
            return refuse(
                "llama.attention.key_length",
                format!("{heads} heads of {head_dim} exceed {WIDTH_MAX}"),
            );
        }
        let shape = AttentionShape {
            heads: heads as usize,
            kv_heads: kv_heads as usize,
            head_dim: head_dim as usize,
            capacity: KV_BLOCK,
            precision: KvPrecision::default(),
        };
        if !shape.is_supported() {
            let reason = format!("heads of width {head_dim}: a multiple of 8 up to {HEAD_DIM_MAX} is supported");
            return refuse("llama.attention.key_length", reason);
        }
        if gguf
            .u32("llama.attention.value_length")?
            .is_some_and(|length| length != head_dim)
        {
            return refuse(
                "llama.attention.value_length",
                format!("it must equal the key length {head_dim}"),
            );
        }
        if !rotated.is_multiple_of(2) || rotated > head_dim {
            let reason = format!("{rotated} is not an even number up to the head's width {head_dim}");
            return refuse("llama.rope.dimension_count", reason);
        }
        if gguf.u32("llama.expert_count")?.is_some_and(|experts| experts > 0) {
            return refuse("llama.expert_count", "mixtures of experts are not supported".to_owned());
        }
        Ok(())
    }

    /// The angle of each rotary pair per position. `factors` are Llama 3's: each divides one frequency.
    fn frequencies(&self, factors: Option<Vec<f32>>) -> Vec<f32> {
        let factors = factors.unwrap_or_else(|| vec![1.0; self.rotated as usize / 2]);
        let base = f64::from(self.frequency_base);
        let scale = f64::from(self.position_scale);
        let frequency = |(pair, factor): (usize, &f32)| {
            let exponent = -2.0 * pair as f64 / f64::from(self.rotated);
            (base.powf(exponent) / f64::from(*factor) / scale) as f32
        };
        factors.iter().enumerate().map(frequency).collect()
    }
}

fn positive(gguf: &Gguf<'_>, key: &str) -> Result<Option<f32>, ForgeError> {
    match gguf.f32(key)? {
        Some(value) if value <= 0.0 => Err(ForgeError::key(key, "it must be greater than 0")),
        value => Ok(value),
    }
}

fn epsilon(gguf: &Gguf<'_>) -> Result<f32, ForgeError> {
    let key = "llama.attention.layer_norm_rms_epsilon";
    required(positive(gguf, key)?, key)
}

fn attention_scale(gguf: &Gguf<'_>, head_dim: u32) -> Result<f32, ForgeError> {
    let scale = gguf.f32("llama.attention.scale")?.filter(|scale| *scale != 0.0);
    Ok(scale.unwrap_or(1.0 / (head_dim as f32).sqrt()))
}

/// As llama.cpp reads it: the type defaults to linear, the factor to none.
fn position_scale(gguf: &Gguf<'_>) -> Result<f32, ForgeError> {
    let scaling = gguf.text("llama.rope.scaling.type")?.unwrap_or("linear");
    let key = "llama.rope.scaling.attn_factor";
    if gguf.f32(key)?.is_some_and(|factor| factor != 1.0) {
        return Err(ForgeError::key(key, "a factor other than 1 is not supported"));
    }
    match scaling {
        "none" => Ok(1.0),
        "linear" => match gguf.value("llama.rope.scaling.factor") {
            Some(_) => Ok(positive_or_zero(gguf, "llama.rope.scaling.factor")?),
            None => positive_or_zero(gguf, "llama.rope.scale_linear"),
        },
        other => Err(ForgeError::Unsupported {
            what: "rope scaling type",
            found: other.to_owned(),
            supported: SCALING_TYPES.to_owned(),
        }),
    }
}

/// 0 means no scaling, in llama.cpp and here.
fn positive_or_zero(gguf: &Gguf<'_>, key: &str) -> Result<f32, ForgeError> {
    match gguf.f32(key)? {
        Some(factor) if factor < 0.0 => Err(ForgeError::key(key, "it must not be negative")),
        Some(factor) if factor > 0.0 => Ok(factor),
        _ => Ok(1.0),
    }
}

/// Collects the tensors of the network, each with the shape that the keys ask for.
struct TensorList<'g, 'a> {
    gguf: &'g Gguf<'a>,
    tensors: Vec<NetworkTensor<'a>>,
    used: usize,
}

impl<'a> TensorList<'_, 'a> {
    /// Takes `NAME.weight` of the file, checks its shape and adds it under `NAME`.
    fn add(&mut self, name: String, rows: u32, columns: u32, role: Role, order: RowOrder) -> Result<(), ForgeError> {
        let tensor = self.take(&format!("{name}.weight"), rows, columns)?;
        self.tensors.push(NetworkTensor {
            name,
            rows,
            columns,
            role,
            values: Values::Stored(tensor, order),
        });
        Ok(())
    }

    fn take(&mut self, name: &str, rows: u32, columns: u32) -> Result<Tensor<'a>, ForgeError> {
        let tensor = self
            .gguf
            .tensor(name)
            .ok_or_else(|| ForgeError::tensor(name, "it is missing"))?;
        if tensor.dimensions != [u64::from(columns), u64::from(rows), 1, 1] {
            let reason = format!(
                "its dimensions are {:?}, the keys ask for [{columns}, {rows}]",
                tensor.dimensions
            );
            return Err(ForgeError::tensor(name, reason));
        }
        self.used += 1;
        Ok(tensor)
    }

    /// A tensor that no operator uses would change the answers silently: biases, experts, adapters.
    fn refuse_unused(&self) -> Result<(), ForgeError> {
        if self.used == self.gguf.tensors().len() {
            return Ok(());
        }
        let is_used = |name: &str| {
            let name = name.strip_suffix(".weight").unwrap_or_default();
            name == "rope_freqs" || self.tensors.iter().any(|tensor| tensor.name == name)
        };
        let unused = self.gguf.tensors().iter().find(|tensor| !is_used(tensor.name));
        let name = unused.map_or("", |tensor| tensor.name);
        Err(ForgeError::Unsupported {
            what: "tensor",
            found: name.to_owned(),
            supported: "the weights of the llama architecture without biases, experts or adapters".to_owned(),
        })
    }
}

/// Adds every tensor in the order in which a token meets it, and returns the size of the vocabulary.
fn add_tensors(tensors: &mut TensorList<'_, '_>, keys: &Keys) -> Result<u32, ForgeError> {
    let &Keys {
        width,
        feed_forward,
        head_dim,
        ..
    } = keys;
    let gguf = tensors.gguf;
    let embedding = "token_embd.weight";
    let found = gguf
        .tensor(embedding)
        .ok_or_else(|| ForgeError::tensor(embedding, "it is missing"))?;
    let vocabulary = u32::try_from(found.dimensions[1])
        .ok()
        .filter(|rows| i32::try_from(*rows).is_ok());
    let vocabulary = vocabulary.ok_or_else(|| ForgeError::tensor(embedding, "it has too many rows"))?;
    let tied = gguf.tensor("output.weight").is_none();
    let role = if tied { Role::EmbeddingAndHead } else { Role::Embedding };
    tensors.add("token_embd".to_owned(), vocabulary, width, role, RowOrder::Same)?;
    let frequencies = frequencies(tensors, keys)?;
    tensors.tensors.push(frequencies);
    let (queries, values) = (keys.heads * head_dim, keys.kv_heads * head_dim);
    let pairs = RowOrder::SplitPairs {
        head: head_dim,
        rotated: keys.rotated,
    };
    for layer in 0..keys.layers {
        let mut add = |name: &str, rows: u32, columns: u32, role: Role, order: RowOrder| {
            tensors.add(format!("blk.{layer}.{name}"), rows, columns, role, order)
        };
        add("attn_norm", 1, width, Role::Vector, RowOrder::Same)?;
        add("attn_q", queries, width, Role::Matrix, pairs)?;
        add("attn_k", values, width, Role::Matrix, pairs)?;
        add("attn_v", values, width, Role::Matrix, RowOrder::Same)?;
        add("attn_output", width, queries, Role::Matrix, RowOrder::Same)?;
        add("ffn_norm", 1, width, Role::Vector, RowOrder::Same)?;
        add("ffn_gate", feed_forward, width, Role::Matrix, RowOrder::Same)?;
        add("ffn_up", feed_forward, width, Role::Matrix, RowOrder::Same)?;
        add("ffn_down", width, feed_forward, Role::Matrix, RowOrder::Same)?;
    }
    tensors.add("output_norm".to_owned(), 1, width, Role::Vector, RowOrder::Same)?;
    if !tied {
        tensors.add("output".to_owned(), vocabulary, width, Role::Head, RowOrder::Same)?;
    }
    Ok(vocabulary)
}

fn frequencies<'a>(tensors: &mut TensorList<'_, 'a>, keys: &Keys) -> Result<NetworkTensor<'a>, ForgeError> {
    let name = "rope_freqs.weight";
    let pairs = keys.rotated / 2;
    let factors = match tensors.gguf.tensor(name) {
        None => None,
        Some(_) => {
            let tensor = tensors.take(name, 1, pairs)?;
            let codec = crate::plan::codec(&tensor)?;
            let mut factors = vec![0.0; pairs as usize];
            (codec.decode)(tensor.bytes, &mut factors);
            if !factors.iter().all(|factor| factor.is_finite() && *factor > 0.0) {
                return Err(ForgeError::tensor(name, "a factor is not a number greater than 0"));
            }
            Some(factors)
        }
    };
    let values = Values::Computed(keys.frequencies(factors));
    Ok(NetworkTensor {
        name: FREQUENCIES.to_owned(),
        rows: 1,
        columns: pairs,
        role: Role::Vector,
        values,
    })
}

/// The names are assigned again and again on purpose: without the lines of one layer the text still is a graph.
fn graph(keys: &Keys, name: &str, head: &str) -> Result<Graph, ForgeError> {
    let &Keys {
        heads,
        kv_heads,
        head_dim,
        epsilon,
        attention_scale: scale,
        ..
    } = keys;
    let mut graph = Graph::new(name);
    graph.embedding("x", "ids", "token_embd");
    for layer in 0..keys.layers {
        let weights = |name: &str| format!("blk.{layer}.{name}");
        graph.section(&format!("layer {layer}"));
        graph.rms_norm("h", "x", &weights("attn_norm"), epsilon);
        let [q, k, v] = ["attn_q", "attn_k", "attn_v"].map(weights);
        graph.qkv(["q", "k", "v"], "h", [&q, &k, &v]);
        let attention = Attention {
            layer,
            heads,
            kv_heads,
            head_dim,
            scale,
        };
        graph.attention("a", ["q", "k", "v"], FREQUENCIES, &attention);
        graph.linear_onto("x", "a", &weights("attn_output"), "x");
        graph.rms_norm("h", "x", &weights("ffn_norm"), epsilon);
        graph.gate_up("m", "h", &weights("ffn_gate"), &weights("ffn_up"));
        graph.linear_onto("x", "m", &weights("ffn_down"), "x");
    }
    graph.section("head");
    graph.rms_norm("h", "x", "output_norm", epsilon);
    graph.head("h", head)
}

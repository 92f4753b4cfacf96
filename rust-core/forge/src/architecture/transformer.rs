//! The network that the families share, which is Llama's: RMS norms, rotary positions, grouped-query attention, a gated feed-forward
//! block. A [`Family`] says in which ways one differs. Keys, tensor names and defaults are those of llama.cpp (`src/llama-model.cpp`,
//! `src/models/`).

use std::collections::BTreeSet;

use whimbrel_engine::Architecture as Shape;
use whimbrel_kernels::{AttentionShape, HEAD_DIM_MAX, KV_BLOCK, KvPrecision};

use super::{Architecture, LAYERS_MAX, Network, NetworkTensor, Role, RowOrder, Values, WIDTH_MAX, required};
use crate::gguf::Tensor;
use crate::graph::{Attention, Graph, Qkv};
use crate::{ForgeError, Gguf};

const FREQUENCIES: &str = "rope_frequencies";
const SCALING_TYPES: &str = "none, linear";

/// In which ways a family differs from the others.
pub(super) struct Family {
    /// The value of `general.architecture`, with which its keys begin.
    pub(super) name: &'static str,
    /// Where its files hold the two rows of a rotary pair. The wrong order gives fluent nonsense and no error.
    pub(super) pairs: Pairs,
    /// Whether its files may divide the frequencies by `rope_freqs.weight`.
    pub(super) frequency_factors: bool,
    /// Whether queries, keys and values have biases.
    pub(super) biases: bool,
    /// Whether every head of the queries and keys passes through a norm before the rotation.
    pub(super) head_norms: bool,
    /// Which layers rotate queries and keys.
    pub(super) rotation: fn(&FamilyKeys<'_, '_>) -> Result<Rotation, ForgeError>,
    /// The factors that its network multiplies by.
    pub(super) scales: fn(&FamilyKeys<'_, '_>) -> Result<Scales, ForgeError>,
}

/// Where the two rows of a rotary pair stand within a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pairs {
    /// Beside each other: 0 and 1, 2 and 3 … (llama.cpp: `LLAMA_ROPE_TYPE_NORM`). They are moved into halves at import.
    Adjacent,
    /// In the two halves of the head, as the engine has them (llama.cpp: `LLAMA_ROPE_TYPE_NEOX`).
    Halves,
}

/// Which layers rotate queries and keys by their position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rotation {
    EveryLayer,
    /// Every layer but the last of so many: of 4, layers 3, 7, 11 … do not.
    AllButEvery(u32),
    NoLayer,
}

impl Rotation {
    /// For [`Family::rotation`] of most families.
    pub(super) fn every_layer(_: &FamilyKeys<'_, '_>) -> Result<Rotation, ForgeError> {
        Ok(Rotation::EveryLayer)
    }

    fn has(self, layer: u32) -> bool {
        match self {
            Rotation::EveryLayer => true,
            Rotation::AllButEvery(interval) => !(layer + 1).is_multiple_of(interval),
            Rotation::NoLayer => false,
        }
    }
}

/// Factors of a network, 1 where it has none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scales {
    /// Of the token embedding.
    pub(super) embedding: f32,
    /// Of what attention and the feed-forward block add to the residual stream.
    pub(super) residual: f32,
    /// Of the logits.
    pub(super) logits: f32,
}

impl Scales {
    /// For [`Family::scales`] of most families.
    pub(super) fn none(_: &FamilyKeys<'_, '_>) -> Result<Scales, ForgeError> {
        Ok(Scales {
            embedding: 1.0,
            residual: 1.0,
            logits: 1.0,
        })
    }
}

impl Architecture for Family {
    fn name(&self) -> &'static str {
        self.name
    }

    fn network<'a>(&self, gguf: &Gguf<'a>, graph_name: &str) -> Result<Network<'a>, ForgeError> {
        let keys = Keys::read(self, gguf)?;
        let mut tensors = TensorList {
            gguf,
            tensors: Vec::new(),
            used: BTreeSet::new(),
        };
        let vocabulary = add_tensors(self, &mut tensors, &keys)?;
        let head = if gguf.tensor("output.weight").is_some() {
            "output"
        } else {
            "token_embd"
        };
        tensors.refuse_unused(self)?;
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
            graph: graph(self, &keys, graph_name, head)?,
        })
    }
}

/// The keys of a file that begin with the name of its family.
pub(super) struct FamilyKeys<'g, 'a> {
    gguf: &'g Gguf<'a>,
    family: &'static str,
}

impl<'a> FamilyKeys<'_, 'a> {
    /// The whole name of a key.
    pub(super) fn key(&self, key: &str) -> String {
        format!("{}.{key}", self.family)
    }

    /// A number from 1 to `limit`.
    fn count(&self, key: &str, limit: u32) -> Result<Option<u32>, ForgeError> {
        let key = self.key(key);
        match self.gguf.u32(&key)? {
            Some(value) if value == 0 || value > limit => {
                Err(ForgeError::key(&key, format!("{value} is not from 1 to {limit}")))
            }
            value => Ok(value),
        }
    }

    pub(super) fn required_count(&self, key: &str, limit: u32) -> Result<u32, ForgeError> {
        required(self.count(key, limit)?, &self.key(key))
    }

    pub(super) fn positive(&self, key: &str) -> Result<Option<f32>, ForgeError> {
        let key = self.key(key);
        match self.gguf.f32(&key)? {
            Some(value) if value <= 0.0 => Err(ForgeError::key(&key, "it must be greater than 0")),
            value => Ok(value),
        }
    }

    pub(super) fn required_positive(&self, key: &str) -> Result<f32, ForgeError> {
        required(self.positive(key)?, &self.key(key))
    }

    /// A factor; 0 means none, in llama.cpp and here.
    pub(super) fn factor(&self, key: &str) -> Result<Option<f32>, ForgeError> {
        let key = self.key(key);
        match self.gguf.f32(&key)? {
            Some(factor) if factor < 0.0 => Err(ForgeError::key(&key, "it must not be negative")),
            factor => Ok(factor.filter(|factor| *factor != 0.0)),
        }
    }

    pub(super) fn flag(&self, key: &str) -> Result<Option<bool>, ForgeError> {
        Ok(self.gguf.flag(&self.key(key))?)
    }

    /// Fails if a key is there that changes the network in a way that is not supported.
    pub(super) fn refuse(&self, key: &str, reason: &str) -> Result<(), ForgeError> {
        let key = self.key(key);
        match self.gguf.value(&key) {
            Some(_) => Err(ForgeError::key(&key, reason)),
            None => Ok(()),
        }
    }

    fn attention_scale(&self, head_dim: u32) -> Result<f32, ForgeError> {
        let scale = self.gguf.f32(&self.key("attention.scale"))?;
        let scale = scale.filter(|scale| *scale != 0.0);
        Ok(scale.unwrap_or(1.0 / (head_dim as f32).sqrt()))
    }

    /// As llama.cpp reads it: the type defaults to linear, the factor to none.
    fn position_scale(&self) -> Result<f32, ForgeError> {
        let attention_factor = self.key("rope.scaling.attn_factor");
        if self.gguf.f32(&attention_factor)?.is_some_and(|factor| factor != 1.0) {
            return Err(ForgeError::key(
                &attention_factor,
                "a factor other than 1 is not supported",
            ));
        }
        let scaling: Option<&'a str> = self.gguf.text(&self.key("rope.scaling.type"))?;
        match scaling.unwrap_or("linear") {
            "none" => Ok(1.0),
            "linear" => {
                let is_there = self.gguf.value(&self.key("rope.scaling.factor")).is_some();
                let key = if is_there {
                    "rope.scaling.factor"
                } else {
                    "rope.scale_linear"
                };
                Ok(self.factor(key)?.unwrap_or(1.0))
            }
            other => Err(ForgeError::Unsupported {
                what: "rope scaling type",
                found: other.to_owned(),
                supported: SCALING_TYPES.to_owned(),
            }),
        }
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
    rotation: Rotation,
    scales: Scales,
}

impl Keys {
    fn read(family: &Family, gguf: &Gguf<'_>) -> Result<Keys, ForgeError> {
        let file = FamilyKeys {
            gguf,
            family: family.name,
        };
        let width = file.required_count("embedding_length", WIDTH_MAX)?;
        let heads = file.required_count("attention.head_count", WIDTH_MAX)?;
        let kv_heads = file.count("attention.head_count_kv", WIDTH_MAX)?.unwrap_or(heads);
        let head_dim = match file.count("attention.key_length", WIDTH_MAX)? {
            Some(head_dim) => head_dim,
            None if width.is_multiple_of(heads) => width / heads,
            None => {
                let reason = format!("{heads} heads do not divide the width {width}");
                return Err(ForgeError::key(&file.key("attention.head_count"), reason));
            }
        };
        let keys = Keys {
            layers: file.required_count("block_count", LAYERS_MAX)?,
            width,
            feed_forward: file.required_count("feed_forward_length", WIDTH_MAX)?,
            heads,
            kv_heads,
            head_dim,
            rotated: file.count("rope.dimension_count", WIDTH_MAX)?.unwrap_or(head_dim),
            context_length: file.required_count("context_length", u32::MAX)?,
            epsilon: file.required_positive("attention.layer_norm_rms_epsilon")?,
            attention_scale: file.attention_scale(head_dim)?,
            frequency_base: file.positive("rope.freq_base")?.unwrap_or(10_000.0),
            position_scale: file.position_scale()?,
            rotation: (family.rotation)(&file)?,
            scales: (family.scales)(&file)?,
        };
        keys.check(&file)?;
        Ok(keys)
    }

    fn check(&self, file: &FamilyKeys<'_, '_>) -> Result<(), ForgeError> {
        let &Keys {
            heads,
            kv_heads,
            head_dim,
            rotated,
            ..
        } = self;
        let refuse = |key: &str, reason: String| Err(ForgeError::key(&file.key(key), reason));
        if !heads.is_multiple_of(kv_heads) {
            return refuse(
                "attention.head_count_kv",
                format!("{kv_heads} does not divide {heads} heads"),
            );
        }
        if u64::from(heads) * u64::from(head_dim) > u64::from(WIDTH_MAX) {
            return refuse(
                "attention.key_length",
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
            return refuse("attention.key_length", reason);
        }
        let number = |key: &str| file.gguf.u32(&file.key(key));
        if number("attention.value_length")?.is_some_and(|length| length != head_dim) {
            return refuse(
                "attention.value_length",
                format!("it must equal the key length {head_dim}"),
            );
        }
        if !rotated.is_multiple_of(2) || rotated > head_dim {
            let reason = format!("{rotated} is not an even number up to the head's width {head_dim}");
            return refuse("rope.dimension_count", reason);
        }
        if number("expert_count")?.is_some_and(|experts| experts > 0) {
            return refuse("expert_count", "mixtures of experts are not supported".to_owned());
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

/// Collects the tensors of the network, each with the shape that the keys ask for.
struct TensorList<'g, 'a> {
    gguf: &'g Gguf<'a>,
    tensors: Vec<NetworkTensor<'a>>,
    /// The names that the file has for them.
    used: BTreeSet<String>,
}

impl<'a> TensorList<'_, 'a> {
    /// Takes `NAME.weight` of the file, checks its shape and adds it under `NAME`.
    fn add(&mut self, name: String, rows: u32, columns: u32, role: Role, order: RowOrder) -> Result<(), ForgeError> {
        let tensor = self.take(&format!("{name}.weight"), rows, columns)?;
        self.push(name, rows, columns, role, Values::Stored(tensor, order));
        Ok(())
    }

    /// Takes `NAME.bias` of the file, so many values, and adds it under that name.
    fn add_bias(&mut self, name: String, values: u32) -> Result<(), ForgeError> {
        let tensor = self.take(&name, 1, values)?;
        self.push(name, 1, values, Role::Vector, Values::Stored(tensor, RowOrder::Same));
        Ok(())
    }

    fn push(&mut self, name: String, rows: u32, columns: u32, role: Role, values: Values<'a>) {
        self.tensors.push(NetworkTensor {
            name,
            rows,
            columns,
            role,
            values,
        });
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
        self.used.insert(name.to_owned());
        Ok(tensor)
    }

    /// A tensor that no operator uses would change the answers silently: biases, experts, adapters.
    fn refuse_unused(&self, family: &Family) -> Result<(), ForgeError> {
        let tensors = self.gguf.tensors();
        let Some(unused) = tensors.iter().find(|tensor| !self.used.contains(tensor.name)) else {
            return Ok(());
        };
        let biases = if family.biases { "other biases" } else { "biases" };
        Err(ForgeError::Unsupported {
            what: "tensor",
            found: unused.name.to_owned(),
            supported: format!(
                "the weights of the {} architecture without {biases}, experts or adapters",
                family.name
            ),
        })
    }
}

/// Adds every tensor in the order in which a token meets it, and returns the size of the vocabulary.
fn add_tensors(family: &Family, tensors: &mut TensorList<'_, '_>, keys: &Keys) -> Result<u32, ForgeError> {
    let gguf = tensors.gguf;
    let embedding = "token_embd.weight";
    let found = gguf
        .tensor(embedding)
        .ok_or_else(|| ForgeError::tensor(embedding, "it is missing"))?;
    let vocabulary = u32::try_from(found.dimensions[1])
        .ok()
        .filter(|rows| i32::try_from(*rows).is_ok());
    let vocabulary = vocabulary.ok_or_else(|| ForgeError::tensor(embedding, "it has too many rows"))?;
    let (width, tied) = (keys.width, gguf.tensor("output.weight").is_none());
    let role = if tied { Role::EmbeddingAndHead } else { Role::Embedding };
    tensors.add("token_embd".to_owned(), vocabulary, width, role, RowOrder::Same)?;
    if (0..keys.layers).any(|layer| keys.rotation.has(layer)) {
        let frequencies = frequencies(family, tensors, keys)?;
        tensors.push(FREQUENCIES.to_owned(), 1, keys.rotated / 2, Role::Vector, frequencies);
    }
    for layer in 0..keys.layers {
        add_layer(family, tensors, keys, layer)?;
    }
    tensors.add("output_norm".to_owned(), 1, width, Role::Vector, RowOrder::Same)?;
    if !tied {
        tensors.add("output".to_owned(), vocabulary, width, Role::Head, RowOrder::Same)?;
    }
    Ok(vocabulary)
}

fn add_layer(family: &Family, tensors: &mut TensorList<'_, '_>, keys: &Keys, layer: u32) -> Result<(), ForgeError> {
    let &Keys {
        width,
        feed_forward,
        head_dim,
        ..
    } = keys;
    let (queries, values) = (keys.heads * head_dim, keys.kv_heads * head_dim);
    let pairs = match family.pairs {
        Pairs::Adjacent => RowOrder::SplitPairs {
            head: head_dim,
            rotated: keys.rotated,
        },
        Pairs::Halves => RowOrder::Same,
    };
    let name = |name: &str| format!("blk.{layer}.{name}");
    let vector = |tensors: &mut TensorList<'_, '_>, vector: &str, values: u32| {
        tensors.add(name(vector), 1, values, Role::Vector, RowOrder::Same)
    };
    let matrix = |tensors: &mut TensorList<'_, '_>, matrix: &str, rows: u32, columns: u32, order: RowOrder| {
        tensors.add(name(matrix), rows, columns, Role::Matrix, order)
    };
    vector(tensors, "attn_norm", width)?;
    matrix(tensors, "attn_q", queries, width, pairs)?;
    matrix(tensors, "attn_k", values, width, pairs)?;
    matrix(tensors, "attn_v", values, width, RowOrder::Same)?;
    if family.biases {
        for (bias, values) in [("attn_q", queries), ("attn_k", values), ("attn_v", values)] {
            tensors.add_bias(name(&format!("{bias}.bias")), values)?;
        }
    }
    if family.head_norms {
        vector(tensors, "attn_q_norm", head_dim)?;
        vector(tensors, "attn_k_norm", head_dim)?;
    }
    matrix(tensors, "attn_output", width, queries, RowOrder::Same)?;
    vector(tensors, "ffn_norm", width)?;
    matrix(tensors, "ffn_gate", feed_forward, width, RowOrder::Same)?;
    matrix(tensors, "ffn_up", feed_forward, width, RowOrder::Same)?;
    matrix(tensors, "ffn_down", width, feed_forward, RowOrder::Same)
}

fn frequencies<'a>(family: &Family, tensors: &mut TensorList<'_, 'a>, keys: &Keys) -> Result<Values<'a>, ForgeError> {
    let name = "rope_freqs.weight";
    if !family.frequency_factors || tensors.gguf.tensor(name).is_none() {
        return Ok(Values::Computed(keys.frequencies(None)));
    }
    let pairs = keys.rotated / 2;
    let tensor = tensors.take(name, 1, pairs)?;
    let codec = crate::plan::codec(&tensor)?;
    let mut factors = vec![0.0; pairs as usize];
    (codec.decode)(tensor.bytes, &mut factors);
    if !factors.iter().all(|factor| factor.is_finite() && *factor > 0.0) {
        return Err(ForgeError::tensor(name, "a factor is not a number greater than 0"));
    }
    Ok(Values::Computed(keys.frequencies(Some(factors))))
}

/// The names are assigned again and again on purpose: without the lines of one layer the text still is a graph.
fn graph(family: &Family, keys: &Keys, name: &str, head: &str) -> Result<Graph, ForgeError> {
    let &Keys {
        heads,
        kv_heads,
        head_dim,
        epsilon,
        attention_scale: scale,
        scales,
        ..
    } = keys;
    let mut graph = Graph::new(name);
    graph.embedding("x", "ids", "token_embd", scales.embedding);
    for layer in 0..keys.layers {
        let weights = |name: &str| format!("blk.{layer}.{name}");
        graph.section(&format!("layer {layer}"));
        graph.rms_norm("h", "x", &weights("attn_norm"), epsilon);
        let names = ["attn_q", "attn_k", "attn_v"];
        let qkv = Qkv {
            weights: names.map(weights),
            biases: family
                .biases
                .then(|| names.map(|name| weights(&format!("{name}.bias")))),
        };
        graph.qkv(["q", "k", "v"], "h", &qkv);
        if family.head_norms {
            graph.head_norm("q", "q", &weights("attn_q_norm"), epsilon, heads);
            graph.head_norm("k", "k", &weights("attn_k_norm"), epsilon, kv_heads);
        }
        let attention = Attention {
            layer,
            heads,
            kv_heads,
            head_dim,
            scale,
            frequencies: keys.rotation.has(layer).then_some(FREQUENCIES),
        };
        graph.attention("a", ["q", "k", "v"], &attention);
        graph.linear_onto("x", "a", &weights("attn_output"), "x", scales.residual);
        graph.rms_norm("h", "x", &weights("ffn_norm"), epsilon);
        graph.gate_up("m", "h", &weights("ffn_gate"), &weights("ffn_up"));
        graph.linear_onto("x", "m", &weights("ffn_down"), "x", scales.residual);
    }
    graph.section("head");
    graph.rms_norm("h", "x", "output_norm", epsilon);
    graph.head("h", head, scales.logits)
}

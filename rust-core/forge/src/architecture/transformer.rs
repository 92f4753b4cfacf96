//! The network that the families share, which is Llama's: RMS norms, rotary positions, grouped-query attention, a gated feed-forward
//! block. A [`Family`] says in which ways one differs. Keys, tensor names and defaults are those of llama.cpp (`src/llama-model.cpp`,
//! `src/models/`).

mod family_keys;
mod graph;
mod keys;
mod tensors;

use whimbrel_engine::Architecture as Shape;
use whimbrel_kernels::Activation;

pub(super) use self::family_keys::FamilyKeys;
use self::graph::graph;
use self::keys::Keys;
use self::tensors::TensorList;
use super::{Architecture, Network};
use crate::{ForgeError, Gguf};

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
    /// Whether what attention and the feed-forward block give passes through a norm before it is added to the residual stream.
    pub(super) norms_after: bool,
    /// Whether layers without key/value heads are short convolutions.
    pub(super) convolutions: bool,
    /// Of the gate in the feed-forward block.
    pub(super) activation: Activation,
    /// The file's name for the norm before the head.
    pub(super) output_norm: &'static str,
    /// Which layers rotate queries and keys.
    pub(super) rotation: fn(&FamilyKeys<'_, '_>) -> Result<Rotation, ForgeError>,
    /// Which layers see only the last tokens.
    pub(super) windows: fn(&FamilyKeys<'_, '_>) -> Result<Option<Windows>, ForgeError>,
    /// The factor of the scores of attention, from the width of a head.
    pub(super) attention_scale: fn(&FamilyKeys<'_, '_>, u32) -> Result<f32, ForgeError>,
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

/// Layers that see only the last tokens.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Windows {
    /// How many tokens, the one that sees them included.
    pub(super) length: u32,
    /// Whether each layer is one of them.
    pub(super) layers: Vec<bool>,
    /// The base of the rotary frequencies in these layers, if it differs from that of the others. Their positions are not scaled then.
    pub(super) frequency_base: Option<f32>,
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
    /// The soft cap of the logits, 0 where there is none.
    pub(super) cap: f32,
}

impl Scales {
    /// Those of most families.
    pub(super) const NONE: Scales = Scales {
        embedding: 1.0,
        residual: 1.0,
        logits: 1.0,
        cap: 0.0,
    };
}

impl Architecture for Family {
    fn name(&self) -> &'static str {
        self.name
    }

    fn network<'a>(&self, gguf: &Gguf<'a>, graph_name: &str) -> Result<Network<'a>, ForgeError> {
        let keys = Keys::read(self, gguf)?;
        let tensors = TensorList::of_network(self, gguf, &keys)?;
        let kv = keys.layers.iter().map(|layer| (layer.kv_heads, layer.window));
        Ok(Network {
            shape: Shape {
                name: self.name().to_owned(),
                layers: keys.layers.len() as u32,
                embedding_length: keys.width,
                feed_forward_length: keys.feed_forward,
                heads: keys.heads,
                kv_heads: keys.kv_heads(),
                head_dim: keys.head_dim,
                vocabulary: tensors.vocabulary,
                parameters: tensors.parameters,
            },
            context_length: keys.context_length,
            kv: kv.collect(),
            graph: graph(self, &keys, graph_name, tensors.head())?,
            tensors: tensors.tensors,
        })
    }
}

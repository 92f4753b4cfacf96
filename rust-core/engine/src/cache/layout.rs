//! What the sessions of a model keep of the tokens that they have run, and how much memory that takes.

use std::ops::Range;

use whimbrel_kernels::{AttentionShape, KV_BLOCK, KvPrecision};

use super::columns::{self, ConvolutionLayer};
use super::windows::{blocks_before, blocks_of};

/// How many tokens of a context a layer keeps keys and values of at most, if a token sees only the last `window` ones, or all.
#[must_use]
pub fn kept_tokens(window: Option<u32>, context_length: u32) -> u32 {
    match window {
        Some(window) => context_length.min((blocks_of(window as usize) * KV_BLOCK) as u32),
        None => context_length,
    }
}

/// One attention layer of a graph.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AttentionLayer {
    pub(crate) layer: u32,
    pub(crate) heads: usize,
    pub(crate) kv_heads: usize,
    pub(crate) head_dim: usize,
    /// How many positions a token sees, its own included, if not all.
    pub(crate) window: Option<usize>,
}

impl AttentionLayer {
    /// The layer with a cache for so many positions, whole blocks of them.
    pub(crate) fn shape(&self, precision: KvPrecision, capacity: usize) -> AttentionShape {
        AttentionShape {
            heads: self.heads,
            kv_heads: self.kv_heads,
            head_dim: self.head_dim,
            capacity,
            precision,
        }
    }
}

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    pub(crate) attention: Vec<AttentionLayer>,
    pub(crate) convolutions: Vec<ConvolutionLayer>,
    pub(crate) precision: KvPrecision,
}

impl Layout {
    /// The longest window.
    pub(crate) fn window(&self) -> Option<usize> {
        self.attention.iter().filter_map(|layer| layer.window).max()
    }

    /// Layers that keep something.
    pub(crate) fn layers(&self) -> usize {
        self.attention.len() + self.convolutions.len()
    }

    /// Whether a session can go back to any length of its text.
    pub(crate) fn keeps_everything(&self) -> bool {
        self.window().is_none() && self.convolutions.is_empty()
    }

    /// Blocks in the cache of a layer with a window, or of one without.
    pub(super) fn capacity(&self, has_window: bool, context_length: usize) -> usize {
        let context = context_length.div_ceil(KV_BLOCK);
        match self.window().filter(|_| has_window) {
            Some(window) => context.min(blocks_of(window)),
            None => context,
        }
    }

    /// The blocks of a layer that are needed to go on from a length.
    pub(super) fn blocks(&self, layer: &AttentionLayer, length: usize) -> Range<usize> {
        match self.window().filter(|_| layer.window.is_some()) {
            Some(window) => blocks_before(window, length),
            None => 0..length.div_ceil(KV_BLOCK),
        }
    }

    /// Bytes of keys and values of some blocks of positions of a layer.
    fn block_bytes(&self, layer: &AttentionLayer, blocks: usize) -> u64 {
        4 * layer.shape(self.precision, KV_BLOCK).cache_halves() as u64 * blocks as u64
    }

    /// Bytes of all keys and values in a context of so many tokens.
    pub(super) fn kv_bytes(&self, context_length: usize) -> u64 {
        let bytes =
            |layer: &AttentionLayer| self.block_bytes(layer, self.capacity(layer.window.is_some(), context_length));
        self.attention.iter().map(bytes).sum()
    }

    /// Bytes of everything that a session with a context of so many tokens keeps.
    pub(crate) fn bytes(&self, context_length: usize) -> u64 {
        self.kv_bytes(context_length) + columns::bytes(&self.convolutions, context_length)
    }

    /// Bytes of keys and values that one more token takes while all layers still see all tokens.
    pub(crate) fn bytes_per_token(&self) -> u64 {
        let block: u64 = self.attention.iter().map(|layer| self.block_bytes(layer, 1)).sum();
        block / KV_BLOCK as u64
    }

    /// Bytes of what is needed to go on from so many tokens.
    pub(crate) fn saved_bytes(&self, tokens: usize) -> u64 {
        let kv = |layer: &AttentionLayer| self.block_bytes(layer, self.blocks(layer, tokens).len());
        self.attention.iter().map(kv).sum::<u64>() + 4 * self.state() as u64
    }

    /// Values of the columns before a token that its convolutions see.
    pub(super) fn state(&self) -> usize {
        self.convolutions.iter().map(ConvolutionLayer::state).sum()
    }
}

//! Kernels for 64-bit ARM: NEON, NEON with dot products, NEON with matrix products.

pub(crate) mod neon;
mod pairs;
mod sums;
pub(crate) mod tiles;

pub(crate) use pairs::{PairBlock, fill_pairs};

/// How far ahead of its use a block of weights is fetched, in bytes.
const PREFETCH_BYTES: usize = 2048;

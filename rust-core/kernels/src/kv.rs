//! The memory layout of keys and values in the cache, and storing new ones.
//!
//! The cache of one layer contains, for each key/value head, `capacity` positions in blocks of [`KV_BLOCK`]. In a block the values of a
//! position form a row. Keys are stored column by column, so that one register holds the same column of several positions and scores need
//! no sums across a register. In half precision a block has no other content. With 8 bits it starts with the scale of each position, in
//! half precision, and a value is its byte times the scale of its position. In both cases a cache is addressed in units of 16 bits
//! (halves).

use crate::attention::Rotation;
use crate::elementwise::rotate_body;
use crate::float::{f16_to_f32, f32_to_f16};

/// Maximum width of a head, in values.
pub const HEAD_DIM_MAX: usize = 256;

/// Positions per block of the cache. A context consists of whole blocks.
pub const KV_BLOCK: usize = 64;

/// The precision of keys and values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum KvPrecision {
    /// 16 bits per value.
    #[default]
    Half,
    /// 8 bits per value, and 16 bits for the scale of each position of a head: about half the memory.
    Int8,
}

/// The shape of one attention layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttentionShape {
    /// Query heads; a multiple of `kv_heads`.
    pub heads: usize,
    /// Key and value heads.
    pub kv_heads: usize,
    /// Values of one head: a multiple of 8, at most [`HEAD_DIM_MAX`].
    pub head_dim: usize,
    /// Positions that the cache has room for: a multiple of [`KV_BLOCK`].
    pub capacity: usize,
    /// The precision.
    pub precision: KvPrecision,
}

impl AttentionShape {
    /// Whether this crate supports this shape.
    #[must_use]
    pub fn is_supported(&self) -> bool {
        (1..=HEAD_DIM_MAX).contains(&self.head_dim)
            && self.head_dim.is_multiple_of(8)
            && self.kv_heads > 0
            && self.heads.is_multiple_of(self.kv_heads)
    }

    /// Length of the key cache of one layer in halves; the value cache has the same length.
    ///
    /// ```
    /// use whimbrel_kernels::{AttentionShape, KvPrecision};
    ///
    /// let half = AttentionShape {
    ///     heads: 9,
    ///     kv_heads: 3,
    ///     head_dim: 64,
    ///     capacity: 128,
    ///     precision: KvPrecision::Half,
    /// };
    /// assert_eq!(half.cache_halves(), 3 * 128 * 64);
    /// // A half holds two bytes, and each position of a head has a scale.
    /// let int8 = AttentionShape { precision: KvPrecision::Int8, ..half };
    /// assert_eq!(int8.cache_halves(), 3 * 128 * (32 + 1));
    /// ```
    #[must_use]
    pub fn cache_halves(&self) -> usize {
        self.kv_heads * self.head_halves()
    }

    /// Length of one head's part of a cache in halves.
    #[must_use]
    pub fn head_halves(&self) -> usize {
        self.capacity / KV_BLOCK * self.block_halves()
    }

    /// Length of a block in halves.
    #[must_use]
    pub fn block_halves(&self) -> usize {
        match self.precision {
            KvPrecision::Half => KV_BLOCK * self.head_dim,
            KvPrecision::Int8 => KV_BLOCK + KV_BLOCK * self.head_dim / 2,
        }
    }

    /// Where in a cache the block of a position begins.
    pub(crate) fn block_at(&self, window: Option<Window<'_>>, kv_head: usize, position: usize) -> usize {
        let block = position / KV_BLOCK;
        let place = window.map_or(block, |window| window.places[block] as usize);
        kv_head * self.head_halves() + place * self.block_halves()
    }

    /// Whether the cache has a place for each of some positions.
    pub(crate) fn has_places(&self, window: Option<Window<'_>>, positions: std::ops::Range<usize>) -> bool {
        let Some(window) = window else {
            return positions.end <= self.capacity;
        };
        let blocks = positions.start / KV_BLOCK..positions.end.div_ceil(KV_BLOCK);
        let places = window.places.get(blocks).unwrap_or(&[u32::MAX]);
        places.iter().all(|place| (*place as usize) < self.capacity / KV_BLOCK)
    }
}

/// What a layer has in its cache if a token sees only the last positions: the blocks that are still needed, each at any place.
#[derive(Clone, Copy, Debug)]
pub struct Window<'a> {
    /// How many positions a token sees, its own included.
    pub length: usize,
    /// The place in the cache, counted in blocks, of each block of positions from position 0 on. Blocks that no token of a run sees
    /// need none.
    pub places: &'a [u32],
}

impl Window<'_> {
    /// The first position that the token at `position` sees.
    pub(crate) fn first_seen(&self, position: usize) -> usize {
        (position + 1).saturating_sub(self.length)
    }
}

/// Rotates new keys, and stores new keys and values from `position` on. `k` and `v` contain rows of `kv_heads × head_dim` floats; `k` is
/// rotated in place.
///
/// # Panics
/// If the rows do not fit the cache or the shape; callers must check them.
#[allow(
    clippy::too_many_arguments,
    reason = "two inputs, two caches, and how one gets into the other"
)]
pub fn append_kv(
    shape: AttentionShape,
    window: Option<Window<'_>>,
    position: usize,
    rotation: Rotation<'_>,
    k: &mut [f32],
    v: &[f32],
    keys: &mut [u16],
    values: &mut [u16],
) {
    let (dim, width) = (shape.head_dim, shape.kv_heads * shape.head_dim);
    assert!(k.len() == v.len() && k.len().is_multiple_of(width));
    assert!(shape.capacity.is_multiple_of(KV_BLOCK));
    assert!(keys.len() == shape.cache_halves() && values.len() == keys.len());
    let positions = position..position + k.len() / width;
    assert!(shape.has_places(window, positions), "the rows fit the cache");
    for (row, (k, v)) in k.chunks_exact_mut(width).zip(v.chunks_exact(width)).enumerate() {
        let (cosines, sines) = rotation.row(row);
        rotate_body(k, dim, cosines, sines);
        for (head, (k, v)) in k.chunks_exact(dim).zip(v.chunks_exact(dim)).enumerate() {
            let block = shape.block_at(window, head, position + row);
            let block = block..block + shape.block_halves();
            let (keys, values) = (&mut keys[block.clone()], &mut values[block]);
            let within = (position + row) % KV_BLOCK;
            match shape.precision {
                KvPrecision::Half => {
                    let mut halves = [0u16; HEAD_DIM_MAX];
                    crate::dispatch::to_halves(k, &mut halves[..dim]);
                    for (key, half) in keys[within..].iter_mut().step_by(KV_BLOCK).zip(&halves[..dim]) {
                        *key = *half;
                    }
                    crate::dispatch::to_halves(v, &mut values[within * dim..][..dim]);
                }
                KvPrecision::Int8 => {
                    let (scale, keys) = scale_and_bytes(keys, within, k);
                    for (key, k) in keys[within..].iter_mut().step_by(KV_BLOCK).zip(k) {
                        *key = to_byte(*k, scale);
                    }
                    let (scale, values) = scale_and_bytes(values, within, v);
                    for (value, v) in values[within * dim..].iter_mut().zip(v) {
                        *value = to_byte(*v, scale);
                    }
                }
            }
        }
    }
}

/// Writes the scale of a position of an 8-bit block, so that the largest of `x` becomes 127, and returns its inverse and the
/// block's bytes. The inverse is that of the scale as it was stored.
fn scale_and_bytes<'a>(block: &'a mut [u16], within: usize, x: &[f32]) -> (f32, &'a mut [u8]) {
    let (scales, bytes) = block.split_at_mut(KV_BLOCK);
    let largest = x.iter().fold(0f32, |largest, x| largest.max(x.abs()));
    scales[within] = f32_to_f16(largest / 127.0);
    let scale = f16_to_f32(scales[within]);
    // SAFETY: every bit pattern is a byte.
    let (_, bytes, _) = unsafe { bytes.align_to_mut::<u8>() };
    (if scale > 0.0 { 1.0 / scale } else { 0.0 }, bytes)
}

/// A signed byte as the cache keeps it: rounded to nearest, ties to even.
fn to_byte(x: f32, inverse: f32) -> u8 {
    (x * inverse).round_ties_even().clamp(-127.0, 127.0) as i8 as u8
}

#[inline(always)]
pub(crate) fn to_halves_body(floats: &[f32], halves: &mut [u16]) {
    for (half, float) in halves.iter_mut().zip(floats) {
        *half = f32_to_f16(*float);
    }
}

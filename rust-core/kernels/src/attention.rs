//! Causal attention over a KV cache in half precision: rotary embedding on the way in, streaming softmax on the way out.
//!
//! The cache of one layer holds, for each key/value head, `capacity` positions of `head_dim` values in a row, first all
//! heads of the keys and then (in a slice of its own) all heads of the values.

use crate::elementwise::{exp, rotate_body};
use crate::float::{f16_to_f32, f32_to_f16};
use crate::linear::multiply_add;
use crate::pool::ThreadPool;
use crate::shared::SharedMut;

/// The widest head, in values.
pub const HEAD_DIM_MAX: usize = 256;

/// Positions whose scores are kept at a time.
pub(crate) const BLOCK: usize = 64;
/// Query heads that share the reading of one key/value head.
const GROUP: usize = 4;

/// The shape of one attention layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttentionShape {
    /// Query heads; a multiple of `kv_heads`.
    pub heads: usize,
    /// Key and value heads.
    pub kv_heads: usize,
    /// Values of one head: a multiple of 8, at most [`HEAD_DIM_MAX`].
    pub head_dim: usize,
    /// Positions that the cache holds.
    pub capacity: usize,
}

impl AttentionShape {
    /// Whether this crate can compute the shape.
    #[must_use]
    pub fn is_supported(&self) -> bool {
        (1..=HEAD_DIM_MAX).contains(&self.head_dim)
            && self.head_dim.is_multiple_of(8)
            && self.kv_heads > 0
            && self.heads.is_multiple_of(self.kv_heads)
    }

    /// Values in the key cache of one layer, and as many in the value cache.
    #[must_use]
    pub fn cache_values(&self) -> usize {
        self.kv_heads * self.capacity * self.head_dim
    }
}

/// Cosines and sines of the rotary angles, `pairs` for each row of a run, row after row.
#[derive(Clone, Copy, Debug)]
pub struct Rotation<'a> {
    /// Angles a row.
    pub pairs: usize,
    /// Their cosines.
    pub cosines: &'a [f32],
    /// Their sines.
    pub sines: &'a [f32],
}

impl Rotation<'_> {
    fn row(&self, row: usize) -> (&[f32], &[f32]) {
        let range = row * self.pairs..(row + 1) * self.pairs;
        (&self.cosines[range.clone()], &self.sines[range])
    }
}

/// Rotates new keys and stores new keys and values at `position` and after. `k` and `v` hold rows of
/// `kv_heads × head_dim` floats; `k` is rotated in place.
///
/// # Panics
/// When the rows do not fit the cache or the shape: the caller has checked them.
pub fn append_kv(
    shape: AttentionShape,
    position: usize,
    rotation: Rotation<'_>,
    k: &mut [f32],
    v: &[f32],
    keys: &mut [u16],
    values: &mut [u16],
) {
    let width = shape.kv_heads * shape.head_dim;
    assert!(k.len() == v.len() && k.len().is_multiple_of(width));
    assert!(keys.len() == shape.cache_values() && values.len() == keys.len());
    assert!(position + k.len() / width <= shape.capacity, "the rows fit the cache");
    for (row, (k, v)) in k.chunks_exact_mut(width).zip(v.chunks_exact(width)).enumerate() {
        let (cosines, sines) = rotation.row(row);
        rotate_body(k, shape.head_dim, cosines, sines);
        for head in 0..shape.kv_heads {
            let at = (head * shape.capacity + position + row) * shape.head_dim;
            let source = head * shape.head_dim..(head + 1) * shape.head_dim;
            crate::dispatch::to_halves(&k[source.clone()], &mut keys[at..at + shape.head_dim]);
            crate::dispatch::to_halves(&v[source], &mut values[at..at + shape.head_dim]);
        }
    }
}

/// Attention of rows at `position` and after over the cache, which already holds their keys and values. `q` holds rows of
/// `heads × head_dim` floats and is rotated and scaled in place; `y` has the same shape.
///
/// # Panics
/// When a length does not fit: the caller has checked them.
#[allow(
    clippy::too_many_arguments,
    reason = "one call site; a struct would only repeat the names"
)]
pub fn attend(
    pool: &ThreadPool,
    shape: AttentionShape,
    position: usize,
    scale: f32,
    rotation: Rotation<'_>,
    q: &mut [f32],
    keys: &[u16],
    values: &[u16],
    y: &mut [f32],
) {
    let width = shape.heads * shape.head_dim;
    assert!(shape.is_supported() && q.len() == y.len() && q.len().is_multiple_of(width));
    assert!(keys.len() == shape.cache_values() && values.len() == keys.len());
    let rows = q.len() / width;
    assert!(position + rows <= shape.capacity, "the rows fit the cache");
    let group = shape.heads / shape.kv_heads;
    let (q, y) = (SharedMut::new(q), SharedMut::new(y));
    // Later rows see more positions; small tasks taken in turn even that out.
    let rows_per_task = rows.div_ceil(8).max(1);
    let row_tasks = rows.div_ceil(rows_per_task);
    pool.run(row_tasks * shape.kv_heads, &|task| {
        let (kv_head, first) = (task % shape.kv_heads, task / shape.kv_heads * rows_per_task);
        let cache = kv_head * shape.capacity * shape.head_dim;
        for row in first..rows.min(first + rows_per_task) {
            let seen = (position + row + 1) * shape.head_dim;
            let (keys, values) = (&keys[cache..cache + seen], &values[cache..cache + seen]);
            let mut head = kv_head * group;
            while head < (kv_head + 1) * group {
                let count = GROUP.min((kv_head + 1) * group - head);
                let start = row * width + head * shape.head_dim;
                let end = start + count * shape.head_dim;
                // SAFETY: a task owns its rows of its heads.
                let (q, y) = unsafe { (q.slice(start, end), y.slice(start, end)) };
                let (cosines, sines) = rotation.row(row);
                let heads = Heads {
                    head_dim: shape.head_dim,
                    scale,
                    cosines,
                    sines,
                    keys,
                    values,
                };
                crate::dispatch::attend_heads(count, heads, q, y);
                head += count;
            }
        }
    });
}

/// What some query heads of one row look at.
#[derive(Clone, Copy)]
pub(crate) struct Heads<'a> {
    head_dim: usize,
    scale: f32,
    cosines: &'a [f32],
    sines: &'a [f32],
    keys: &'a [u16],
    values: &'a [u16],
}

/// The three inner loops over one block of positions, for `G` query heads that share a key/value head.
pub(crate) trait BlockKernels {
    /// `scores[g][p]` = query `g` · key `p`, for the keys that are there.
    fn scores<const G: usize>(dim: usize, queries: &Rows<G>, keys: &[u16], scores: &mut [[f32; BLOCK]; G]);
    /// `sums[g]` += Σ `weights[g][p]` × value `p`.
    fn add_values<const G: usize>(dim: usize, weights: &[[f32; BLOCK]; G], values: &[u16], sums: &mut Rows<G>);
    /// Replaces scores by `exp(score − highest)` and returns their sum.
    fn exponentials(scores: &mut [f32], highest: f32) -> f32;
}

/// One row of at most [`HEAD_DIM_MAX`] values for each of `G` heads.
pub(crate) type Rows<const G: usize> = [[f32; HEAD_DIM_MAX]; G];

/// `G` query heads over one key/value head, in blocks of positions: scores, then a softmax whose maximum may grow from block
/// to block (Milakov and Gimelshein 2018, "Online normalizer calculation for softmax").
pub(crate) fn attend_heads<K: BlockKernels, const G: usize>(heads: Heads<'_>, q: &mut [f32], y: &mut [f32]) {
    let dim = heads.head_dim;
    rotate_body(q, dim, heads.cosines, heads.sines);
    let mut queries = [[0f32; HEAD_DIM_MAX]; G];
    for (query, q) in queries.iter_mut().zip(q.chunks_exact(dim)) {
        for (query, q) in query.iter_mut().zip(q) {
            *query = q * heads.scale;
        }
    }
    let mut sums = [[0f32; HEAD_DIM_MAX]; G];
    let mut maximums = [f32::NEG_INFINITY; G];
    let mut totals = [0f32; G];
    let mut scores = [[0f32; BLOCK]; G];
    for (keys, values) in heads.keys.chunks(BLOCK * dim).zip(heads.values.chunks(BLOCK * dim)) {
        let count = keys.len() / dim;
        K::scores(dim, &queries, keys, &mut scores);
        for head in 0..G {
            let scores = &mut scores[head][..count];
            let highest = scores.iter().fold(maximums[head], |a, b| if *b > a { *b } else { a });
            if highest > maximums[head] {
                let shrink = exp::<false>(maximums[head] - highest);
                totals[head] *= shrink;
                sums[head][..dim].iter_mut().for_each(|sum| *sum *= shrink);
                maximums[head] = highest;
            }
            totals[head] += K::exponentials(scores, highest);
        }
        K::add_values(dim, &scores, values, &mut sums);
    }
    for ((y, sums), total) in y.chunks_exact_mut(dim).zip(&sums).zip(totals) {
        for (y, sum) in y.iter_mut().zip(sums) {
            *y = sum / total;
        }
    }
}

/// The loops for processors without kernels of their own.
pub(crate) struct PortableBlocks;

const FMA: bool = crate::dispatch::BASELINE_FMA;

impl BlockKernels for PortableBlocks {
    fn scores<const G: usize>(dim: usize, queries: &Rows<G>, keys: &[u16], scores: &mut [[f32; BLOCK]; G]) {
        for (position, key) in keys.chunks_exact(dim).enumerate() {
            let mut lanes = [[0f32; 8]; G];
            for (chunk, halves) in key.as_chunks::<8>().0.iter().enumerate() {
                let key = halves.map(f16_to_f32);
                for head in 0..G {
                    let query = &queries[head][8 * chunk..8 * chunk + 8];
                    for lane in 0..8 {
                        lanes[head][lane] = multiply_add::<FMA>(key[lane], query[lane], lanes[head][lane]);
                    }
                }
            }
            for head in 0..G {
                scores[head][position] = lanes[head].iter().sum();
            }
        }
    }

    fn add_values<const G: usize>(dim: usize, weights: &[[f32; BLOCK]; G], values: &[u16], sums: &mut Rows<G>) {
        for (position, value) in values.chunks_exact(dim).enumerate() {
            for (chunk, halves) in value.as_chunks::<8>().0.iter().enumerate() {
                let value = halves.map(f16_to_f32);
                for head in 0..G {
                    let sums = &mut sums[head][8 * chunk..8 * chunk + 8];
                    for lane in 0..8 {
                        sums[lane] = multiply_add::<FMA>(value[lane], weights[head][position], sums[lane]);
                    }
                }
            }
        }
    }

    fn exponentials(scores: &mut [f32], highest: f32) -> f32 {
        exponentials_body::<FMA>(scores, highest)
    }
}

#[inline(always)]
pub(crate) fn exponentials_body<const FMA: bool>(scores: &mut [f32], highest: f32) -> f32 {
    for score in scores.iter_mut() {
        *score = exp::<FMA>(*score - highest);
    }
    let mut lanes = [0f32; 8];
    let (chunks, rest) = scores.as_chunks::<8>();
    for chunk in chunks {
        for (lane, score) in lanes.iter_mut().zip(chunk) {
            *lane += score;
        }
    }
    lanes.iter().sum::<f32>() + rest.iter().sum::<f32>()
}

#[inline(always)]
pub(crate) fn to_halves_body(floats: &[f32], halves: &mut [u16]) {
    for (half, float) in halves.iter_mut().zip(floats) {
        *half = f32_to_f16(*float);
    }
}

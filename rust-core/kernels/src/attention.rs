//! Causal attention over a KV cache in half precision: rotary embedding on the way in, streaming softmax on the way out.
//!
//! The cache of one layer holds, for each key/value head, `capacity` positions of `head_dim` values. The values of a position
//! lie in a row. Keys lie in blocks of [`KV_BLOCK`] positions, and in a block column by column: one register takes the same
//! column of several positions, so that scores need no sums across a register.

use crate::cpu::Level;
use crate::elementwise::{exp, rotate_body};
use crate::float::f32_to_f16;
use crate::pool::ThreadPool;
use crate::shared::SharedMut;
use crate::simd::Floats;

/// The widest head, in values.
pub const HEAD_DIM_MAX: usize = 256;

/// Positions that lie together in the cache. A context holds whole blocks.
pub const KV_BLOCK: usize = 64;

/// Positions whose softmax is computed on its own before it is merged into the whole: where a token's work may be cut for
/// several threads. It does not depend on their number, so neither does the result.
const SPAN: usize = 8 * KV_BLOCK;

/// Queries that share the reading of one key/value head.
const TILE: usize = 6;

/// The shape of one attention layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttentionShape {
    /// Query heads; a multiple of `kv_heads`.
    pub heads: usize,
    /// Key and value heads.
    pub kv_heads: usize,
    /// Values of one head: a multiple of 8, at most [`HEAD_DIM_MAX`].
    pub head_dim: usize,
    /// Positions that the cache holds: whole blocks of [`KV_BLOCK`].
    pub capacity: usize,
}

impl AttentionShape {
    /// Whether this crate can compute the heads.
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
    let (dim, width) = (shape.head_dim, shape.kv_heads * shape.head_dim);
    assert!(k.len() == v.len() && k.len().is_multiple_of(width));
    assert!(shape.capacity.is_multiple_of(KV_BLOCK));
    assert!(keys.len() == shape.cache_values() && values.len() == keys.len());
    assert!(position + k.len() / width <= shape.capacity, "the rows fit the cache");
    for (row, (k, v)) in k.chunks_exact_mut(width).zip(v.chunks_exact(width)).enumerate() {
        let (cosines, sines) = rotation.row(row);
        rotate_body(k, dim, cosines, sines);
        for (head, (k, v)) in k.chunks_exact(dim).zip(v.chunks_exact(dim)).enumerate() {
            let (cache, position) = (head * shape.capacity * dim, position + row);
            let column = cache + position / KV_BLOCK * KV_BLOCK * dim + position % KV_BLOCK;
            for (key, k) in keys[column..].iter_mut().step_by(KV_BLOCK).zip(k) {
                *key = f32_to_f16(*k);
            }
            crate::dispatch::to_halves(v, &mut values[cache + position * dim..][..dim]);
        }
    }
}

/// Attention of rows at `position` and after over the cache, which already holds their keys and values. `q` holds rows of
/// `heads × head_dim` floats and is rotated and scaled in place; `y` has the same shape. `scratch` is kept and reused.
///
/// A row's result depends on nothing but the row and the cache: not on the rows beside it, nor on the number of threads.
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
    scratch: &mut Vec<f32>,
) {
    attend_at(
        Level::best(),
        pool,
        shape,
        position,
        scale,
        rotation,
        q,
        keys,
        values,
        y,
        scratch,
    );
}

#[allow(clippy::too_many_arguments, reason = "as above")]
pub(crate) fn attend_at(
    level: Level,
    pool: &ThreadPool,
    shape: AttentionShape,
    position: usize,
    scale: f32,
    rotation: Rotation<'_>,
    q: &mut [f32],
    keys: &[u16],
    values: &[u16],
    y: &mut [f32],
    scratch: &mut Vec<f32>,
) {
    let (dim, width) = (shape.head_dim, shape.heads * shape.head_dim);
    assert!(shape.is_supported() && q.len() == y.len() && q.len().is_multiple_of(width));
    assert!(shape.capacity.is_multiple_of(KV_BLOCK));
    assert!(keys.len() == shape.cache_values() && values.len() == keys.len());
    let rows = q.len() / width;
    assert!(position + rows <= shape.capacity, "the rows fit the cache");
    for (row, q) in q.chunks_exact_mut(width).enumerate() {
        let (cosines, sines) = rotation.row(row);
        rotate_body(q, dim, cosines, sines);
        q.iter_mut().for_each(|q| *q *= scale);
    }
    let work = Work {
        shape,
        position,
        rows,
        q,
        keys,
        values,
    };
    let tiles = (rows * work.group()).div_ceil(TILE);
    let spans = (position + rows).div_ceil(SPAN);
    let y = SharedMut::new(y);
    if rows == 1 && spans > 1 && pool.threads() > 1 {
        // One token in a long context: its spans are computed apart and merged.
        let partials = spans * shape.heads;
        scratch.clear();
        scratch.resize(partials * (dim + 2), 0.0);
        let apart = SharedMut::new(scratch);
        pool.run(tiles * spans * shape.kv_heads, &|task| {
            let (span, tile) = (task % spans, task / spans);
            let tile = work.tile(tile % shape.kv_heads, tile / shape.kv_heads);
            let mut partial = Partial::empty();
            crate::dispatch::attend_span(level, &work, &tile, span, &mut partial);
            for query in 0..tile.count {
                let at = (span * shape.heads + tile.head(&work, query)) * (dim + 2);
                // SAFETY: a span of a head belongs to one task.
                partial.write(query, unsafe { apart.slice(at, at + dim + 2) });
            }
        });
        for head in 0..shape.heads {
            let mut partial = Partial::empty();
            for span in 0..spans {
                partial.merge(0, &scratch[(span * shape.heads + head) * (dim + 2)..][..dim + 2]);
            }
            // SAFETY: the section is over; nobody else writes.
            partial.finish(0, unsafe { y.slice(head * dim, (head + 1) * dim) });
        }
        return;
    }
    // Later tiles see more positions; small tasks taken in turn even that out.
    let tiles_per_task = tiles.div_ceil(8).max(1);
    let parts = tiles.div_ceil(tiles_per_task);
    pool.run(parts * shape.kv_heads, &|task| {
        let (kv_head, first) = (task % shape.kv_heads, task / shape.kv_heads * tiles_per_task);
        for tile in first..tiles.min(first + tiles_per_task) {
            let tile = work.tile(kv_head, tile);
            let mut whole = Partial::empty();
            for span in 0..tile.seen.div_ceil(SPAN) {
                let mut partial = Partial::empty();
                crate::dispatch::attend_span(level, &work, &tile, span, &mut partial);
                let mut merged = [0f32; HEAD_DIM_MAX + 2];
                for query in 0..tile.count {
                    partial.write(query, &mut merged[..dim + 2]);
                    whole.merge(query, &merged[..dim + 2]);
                }
            }
            for query in 0..tile.count {
                let at = tile.row(&work, query) * width + tile.head(&work, query) * dim;
                // SAFETY: a head of a row belongs to one tile, a tile to one task.
                whole.finish(query, unsafe { y.slice(at, at + dim) });
            }
        }
    });
}

/// One call of [`attend`], its queries rotated and scaled.
pub(crate) struct Work<'a> {
    shape: AttentionShape,
    position: usize,
    rows: usize,
    q: &'a [f32],
    keys: &'a [u16],
    values: &'a [u16],
}

impl Work<'_> {
    /// Whether heads fill registers of so many lanes.
    #[cfg(target_arch = "x86_64")]
    pub(crate) fn fits(&self, lanes: usize) -> bool {
        self.shape.head_dim.is_multiple_of(lanes)
    }

    /// Query heads of one key/value head.
    fn group(&self) -> usize {
        self.shape.heads / self.shape.kv_heads
    }

    fn tile(&self, kv_head: usize, tile: usize) -> Tile {
        let (first, queries) = (tile * TILE, self.rows * self.group());
        let count = TILE.min(queries - first);
        Tile {
            kv_head,
            first,
            count,
            seen: self.position + (first + count - 1) / self.group() + 1,
        }
    }
}

/// Some queries of one key/value head: its heads of a row, then those of the next.
#[derive(Clone, Copy)]
pub(crate) struct Tile {
    kv_head: usize,
    first: usize,
    count: usize,
    /// Positions that the last row sees.
    seen: usize,
}

impl Tile {
    fn row(&self, work: &Work<'_>, query: usize) -> usize {
        (self.first + query) / work.group()
    }

    fn head(&self, work: &Work<'_>, query: usize) -> usize {
        self.kv_head * work.group() + (self.first + query) % work.group()
    }
}

/// A softmax that is not finished: for each query the maximum of the scores so far, the sum of their exponentials and the sum
/// of the values weighted with them (Milakov and Gimelshein 2018, "Online normalizer calculation for softmax").
pub(crate) struct Partial {
    maximums: [f32; TILE],
    totals: [f32; TILE],
    sums: [[f32; HEAD_DIM_MAX]; TILE],
}

impl Partial {
    fn empty() -> Partial {
        Partial {
            maximums: [f32::NEG_INFINITY; TILE],
            totals: [0.0; TILE],
            sums: [[0.0; HEAD_DIM_MAX]; TILE],
        }
    }

    /// Maximum, total and sums of one query in a row.
    fn write(&self, query: usize, to: &mut [f32]) {
        let (head, sums) = to.split_at_mut(2);
        head.copy_from_slice(&[self.maximums[query], self.totals[query]]);
        sums.copy_from_slice(&self.sums[query][..sums.len()]);
    }

    /// Adds what [`Partial::write`] wrote.
    fn merge(&mut self, query: usize, other: &[f32]) {
        let (maximum, total, others) = (other[0], other[1], &other[2..]);
        let highest = self.maximums[query].max(maximum);
        if highest == f32::NEG_INFINITY {
            return;
        }
        let (own, its) = (
            exp::<false>(self.maximums[query] - highest),
            exp::<false>(maximum - highest),
        );
        self.maximums[query] = highest;
        self.totals[query] = self.totals[query] * own + total * its;
        for (sum, other) in self.sums[query].iter_mut().zip(others) {
            *sum = *sum * own + other * its;
        }
    }

    fn finish(&self, query: usize, y: &mut [f32]) {
        let inverse = 1.0 / self.totals[query];
        for (y, sum) in y.iter_mut().zip(&self.sums[query]) {
            *y = sum * inverse;
        }
    }
}

/// The softmax of one tile over one span of positions.
///
/// # Safety
/// The processor must have the instructions of `V`, and the caller must be compiled for them.
#[inline(always)]
pub(crate) unsafe fn attend_span<V: Floats>(work: &Work<'_>, tile: &Tile, span: usize, partial: &mut Partial) {
    // SAFETY: the caller's promise.
    unsafe {
        match tile.count {
            1 => span_of::<V, 1, 4>(work, tile, span, partial),
            2 => span_of::<V, 2, 4>(work, tile, span, partial),
            3 => span_of::<V, 3, 4>(work, tile, span, partial),
            4 => span_of::<V, 4, 2>(work, tile, span, partial),
            5 => span_of::<V, 5, 2>(work, tile, span, partial),
            _ => span_of::<V, 6, 2>(work, tile, span, partial),
        }
    }
}

/// `M` queries, `N` registers of positions or columns at a time.
#[inline(always)]
unsafe fn span_of<V: Floats, const M: usize, const N: usize>(
    work: &Work<'_>,
    tile: &Tile,
    span: usize,
    partial: &mut Partial,
) {
    let dim = work.shape.head_dim;
    let width = work.shape.heads * dim;
    let cache = tile.kv_head * work.shape.capacity * dim;
    let mut queries = [[0f32; HEAD_DIM_MAX]; M];
    let mut seen = [0usize; M];
    for query in 0..M {
        let row = tile.row(work, query);
        let q = &work.q[row * width + tile.head(work, query) * dim..][..dim];
        queries[query][..dim].copy_from_slice(q);
        seen[query] = work.position + row + 1;
    }
    let mut scores = [[0f32; KV_BLOCK]; M];
    let end = tile.seen.min((span + 1) * SPAN);
    for start in (span * SPAN..end).step_by(KV_BLOCK) {
        let count = KV_BLOCK.min(end - start);
        let keys = &work.keys[cache + start * dim..][..KV_BLOCK * dim];
        let values = &work.values[cache + start * dim..][..count * dim];
        // SAFETY: the caller has the instructions; the slices hold a block of keys and `count` values.
        unsafe {
            block_scores::<V, M, N>(dim, &queries, keys, count, &mut scores);
            for query in 0..M {
                let own = KV_BLOCK.min(seen[query].saturating_sub(start));
                soften::<V>(&mut scores[query], own, query, partial, dim);
            }
            add_values::<V, M, N>(dim, &scores, values, partial);
        }
    }
}

/// `scores[m][p]` = query `m` · key `p`, for at least `count` positions of a block.
#[inline(always)]
unsafe fn block_scores<V: Floats, const M: usize, const N: usize>(
    dim: usize,
    queries: &[[f32; HEAD_DIM_MAX]; M],
    keys: &[u16],
    count: usize,
    scores: &mut [[f32; KV_BLOCK]; M],
) {
    let mut at = 0;
    while at < count {
        // SAFETY: `N` registers from `at` on end within the block, whose columns are all there; the caller has the instructions.
        unsafe {
            let mut sums = [[V::splat(0.0); N]; M];
            for column in 0..dim {
                let row = keys.as_ptr().add(column * KV_BLOCK + at);
                V::prefetch(row.wrapping_add(dim * KV_BLOCK).cast());
                let mut key = [V::splat(0.0); N];
                for (index, key) in key.iter_mut().enumerate() {
                    *key = V::load_halves(row.add(index * V::LANES));
                }
                for query in 0..M {
                    let q = V::splat(queries[query][column]);
                    for index in 0..N {
                        sums[query][index] = key[index].mul_add(q, sums[query][index]);
                    }
                }
            }
            for query in 0..M {
                for index in 0..N {
                    sums[query][index].store(scores[query].as_mut_ptr().add(at + index * V::LANES));
                }
            }
        }
        at += N * V::LANES;
    }
}

/// Replaces the first `count` scores by `exp(score − maximum)` and the others by 0, after the sums so far were scaled to the
/// new maximum.
#[inline(always)]
fn soften<V: Floats>(scores: &mut [f32; KV_BLOCK], count: usize, query: usize, partial: &mut Partial, dim: usize) {
    if count == 0 {
        scores.fill(0.0);
        return;
    }
    scores[count..].fill(f32::NEG_INFINITY);
    let mut lanes = [f32::NEG_INFINITY; 8];
    for eight in scores.as_chunks::<8>().0 {
        for (lane, score) in lanes.iter_mut().zip(eight) {
            *lane = if *score > *lane { *score } else { *lane };
        }
    }
    let before = partial.maximums[query];
    let highest = lanes.iter().fold(before, |a, b| if *b > a { *b } else { a });
    if highest > before {
        let shrink = exp::<false>(before - highest);
        partial.totals[query] *= shrink;
        partial.sums[query][..dim].iter_mut().for_each(|sum| *sum *= shrink);
        partial.maximums[query] = highest;
    }
    for score in scores.iter_mut() {
        *score = if V::FMA {
            exp::<true>(*score - highest)
        } else {
            exp::<false>(*score - highest)
        };
    }
    scores[count..].fill(0.0);
    let mut lanes = [0f32; 8];
    for eight in scores.as_chunks::<8>().0 {
        for (lane, score) in lanes.iter_mut().zip(eight) {
            *lane += score;
        }
    }
    partial.totals[query] += lanes.iter().sum::<f32>();
}

/// Adds the values of a block, weighted, to the sums. Every block is summed from zero, so that what a query does not see
/// (weight 0) changes nothing.
#[inline(always)]
unsafe fn add_values<V: Floats, const M: usize, const N: usize>(
    dim: usize,
    weights: &[[f32; KV_BLOCK]; M],
    values: &[u16],
    partial: &mut Partial,
) {
    let mut at = 0;
    // SAFETY: columns `at` to `at + N × LANES` are there, of the values and of the sums; the caller has the instructions.
    unsafe {
        while at + N * V::LANES <= dim {
            value_columns::<V, M, N>(dim, at, weights, values, partial);
            at += N * V::LANES;
        }
        while at < dim {
            value_columns::<V, M, 1>(dim, at, weights, values, partial);
            at += V::LANES;
        }
    }
}

#[inline(always)]
unsafe fn value_columns<V: Floats, const M: usize, const N: usize>(
    dim: usize,
    at: usize,
    weights: &[[f32; KV_BLOCK]; M],
    values: &[u16],
    partial: &mut Partial,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let mut sums = [[V::splat(0.0); N]; M];
        for position in 0..values.len() / dim {
            let row = values.as_ptr().add(position * dim + at);
            V::prefetch(row.wrapping_add(dim * KV_BLOCK).cast());
            let mut value = [V::splat(0.0); N];
            for (index, value) in value.iter_mut().enumerate() {
                *value = V::load_halves(row.add(index * V::LANES));
            }
            for query in 0..M {
                let weight = V::splat(weights[query][position]);
                for index in 0..N {
                    sums[query][index] = value[index].mul_add(weight, sums[query][index]);
                }
            }
        }
        for query in 0..M {
            for index in 0..N {
                let to = partial.sums[query].as_mut_ptr().add(at + index * V::LANES);
                V::load(to).add(sums[query][index]).store(to);
            }
        }
    }
}

#[inline(always)]
pub(crate) fn to_halves_body(floats: &[f32], halves: &mut [u16]) {
    for (half, float) in halves.iter_mut().zip(floats) {
        *half = f32_to_f16(*float);
    }
}

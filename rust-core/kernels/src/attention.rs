//! Causal attention over a KV cache: rotary embedding on the way in, streaming softmax on the way out. How a cache lies in memory is in
//! [`crate::kv`].

mod partial;
mod span;

use crate::cpu::Level;
use crate::elementwise::rotate_body;
use crate::kv::{AttentionShape, HEAD_DIM_MAX, KV_BLOCK};
use crate::pool::ThreadPool;
use crate::shared::SharedMut;

pub(crate) use partial::Partial;
pub(crate) use span::attend_span;

/// Positions whose softmax is computed on its own before it is merged into the whole: where a token's work may be cut for
/// several threads. It does not depend on their number, so neither does the result.
const SPAN: usize = 8 * KV_BLOCK;

/// Queries that share the reading of one key/value head.
const TILE: usize = 6;

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
    pub(crate) fn row(&self, row: usize) -> (&[f32], &[f32]) {
        let range = row * self.pairs..(row + 1) * self.pairs;
        (&self.cosines[range.clone()], &self.sines[range])
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
    assert!(keys.len() == shape.cache_halves() && values.len() == keys.len());
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
            let mut partial = Partial::empty(dim);
            crate::dispatch::attend_span(level, &work, &tile, span, &mut partial);
            for query in 0..tile.count {
                let at = (span * shape.heads + tile.head(&work, query)) * (dim + 2);
                // SAFETY: a span of a head belongs to one task.
                partial.write(query, unsafe { apart.slice(at, at + dim + 2) });
            }
        });
        for head in 0..shape.heads {
            let mut partial = Partial::empty(dim);
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
        let (mut whole, mut partial) = (Partial::empty(dim), Partial::empty(dim));
        for tile in first..tiles.min(first + tiles_per_task) {
            let tile = work.tile(kv_head, tile);
            whole.clear(dim);
            crate::dispatch::attend_span(level, &work, &tile, 0, &mut whole);
            for span in 1..tile.seen.div_ceil(SPAN) {
                partial.clear(dim);
                crate::dispatch::attend_span(level, &work, &tile, span, &mut partial);
                let mut other = [0f32; HEAD_DIM_MAX + 2];
                for query in 0..tile.count {
                    partial.write(query, &mut other[..dim + 2]);
                    whole.merge(query, &other[..dim + 2]);
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

//! Causal attention over a KV cache: rotary embedding of the input, streaming softmax. [`crate::kv`] defines the memory layout of a cache.

mod partial;
mod span;

use std::ops::Range;

use crate::cpu::Level;
use crate::elementwise::rotate_body;
use crate::kv::{AttentionShape, HEAD_DIM_MAX, KV_BLOCK, Window};
use crate::pool::ThreadPool;
use crate::shared::SharedMut;

pub(crate) use partial::Partial;
pub(crate) use span::attend_span;

/// Positions whose softmax is computed on its own before it is merged into the whole: where a token's work may be cut for
/// several threads. It does not depend on their number, so neither does the result. Miri is too slow for several spans of full length.
pub(crate) const SPAN: usize = if cfg!(miri) { KV_BLOCK } else { 8 * KV_BLOCK };

/// Queries that share the reading of one key/value head.
const TILE: usize = 6;

/// Cosines and sines of the rotary angles, `pairs` per row of a run, row by row.
#[derive(Clone, Copy, Debug)]
pub struct Rotation<'a> {
    /// Angles per row.
    pub pairs: usize,
    /// Their cosines.
    pub cosines: &'a [f32],
    /// Their sines.
    pub sines: &'a [f32],
}

impl Rotation<'_> {
    /// Of rows that are not rotated, however many there are.
    pub const NONE: Rotation<'static> = Rotation {
        pairs: 0,
        cosines: &[],
        sines: &[],
    };

    pub(crate) fn row(&self, row: usize) -> (&[f32], &[f32]) {
        let range = row * self.pairs..(row + 1) * self.pairs;
        (&self.cosines[range.clone()], &self.sines[range])
    }
}

/// One call of attention: a run of rows over the cache of one layer, which already contains the keys and values of these rows.
#[derive(Clone, Copy, Debug)]
pub struct Attend<'a> {
    /// The heads, and the layout of the cache.
    pub shape: AttentionShape,
    /// How far back a row sees, unless it sees everything.
    pub window: Option<Window<'a>>,
    /// The position of the first row; the others follow it.
    pub position: usize,
    /// The factor for scores before the softmax, usually `1 ÷ √head_dim`.
    pub scale: f32,
    /// The angles by which the queries are rotated, a row of angles for each row.
    pub rotation: Rotation<'a>,
    /// The keys of the layer's cache, [`AttentionShape::cache_halves`] long.
    pub keys: &'a [u16],
    /// The values of the layer's cache, as long as the keys.
    pub values: &'a [u16],
}

impl Attend<'_> {
    /// Query values of one row.
    fn width(&self) -> usize {
        self.shape.heads * self.shape.head_dim
    }

    /// Fails unless the queries and the cache fit the shape.
    fn check(&self, q: &[f32], y: &[f32]) {
        let shape = &self.shape;
        assert!(shape.is_supported() && q.len() == y.len() && q.len().is_multiple_of(self.width()));
        assert!(shape.capacity.is_multiple_of(KV_BLOCK));
        assert!(self.keys.len() == shape.cache_halves() && self.values.len() == self.keys.len());
        assert!(self.window.is_none_or(|window| window.length > 0));
        let seen = first_seen(self.window, self.position)..self.position + q.len() / self.width();
        assert!(shape.has_places(self.window, seen), "the rows fit the cache");
    }

    /// Turns and scales the queries in place.
    fn prepare(&self, q: &mut [f32]) {
        for (row, q) in q.chunks_exact_mut(self.width()).enumerate() {
            let (cosines, sines) = self.rotation.row(row);
            rotate_body(q, self.shape.head_dim, cosines, sines);
            q.iter_mut().for_each(|q| *q *= self.scale);
        }
    }
}

/// Computes the attention of `q`, rows of `heads × head_dim` floats, which are rotated and scaled in place. `y` has the same shape.
/// `scratch` is kept and reused.
///
/// A row's result depends only on the row and the cache, not on the other rows or the number of threads.
///
/// # Panics
/// If a length does not match; callers must check them.
pub fn attend(pool: &ThreadPool, call: Attend<'_>, q: &mut [f32], y: &mut [f32], scratch: &mut Vec<f32>) {
    attend_at(Level::best(), pool, call, q, y, scratch);
}

pub(crate) fn attend_at(
    level: Level,
    pool: &ThreadPool,
    call: Attend<'_>,
    q: &mut [f32],
    y: &mut [f32],
    scratch: &mut Vec<f32>,
) {
    call.check(q, y);
    call.prepare(q);
    let rows = q.len() / call.width();
    let work = Work {
        shape: call.shape,
        window: call.window,
        position: call.position,
        rows,
        q,
        keys: call.keys,
        values: call.values,
    };
    if rows == 1 && work.spans().len() > 1 && pool.threads() > 1 {
        spans_apart(level, pool, &work, scratch);
        merge_spans(&work, scratch, y);
    } else {
        tiles_in_turn(level, pool, &work, y);
    }
}

/// One token in a long context: each span of a head is a piece of work of its own, whose partial softmax goes into `scratch`, span
/// after span and head after head.
fn spans_apart(level: Level, pool: &ThreadPool, work: &Work<'_>, scratch: &mut Vec<f32>) {
    let AttentionShape {
        heads,
        kv_heads,
        head_dim,
        ..
    } = work.shape;
    let (first, spans) = (work.spans().start, work.spans().len());
    let length = Partial::written(head_dim);
    scratch.clear();
    scratch.resize(spans * heads * length, 0.0);
    let scratch = SharedMut::new(scratch);
    pool.run(work.tiles() * spans * kv_heads, &|task| {
        let (span, tile) = (task % spans, task / spans);
        let tile = work.tile(tile % kv_heads, tile / kv_heads);
        let mut partial = Partial::empty(head_dim);
        crate::dispatch::attend_span(level, work, &tile, first + span, &mut partial);
        for query in 0..tile.count {
            let at = (span * heads + tile.head(work, query)) * length;
            // SAFETY: a head's query belongs to one tile, and a span of a tile to one task.
            partial.write(query, unsafe { scratch.slice(at, at + length) });
        }
    });
}

/// Puts together what [`spans_apart`] left in `scratch`, in the order of the spans.
fn merge_spans(work: &Work<'_>, scratch: &[f32], y: &mut [f32]) {
    let AttentionShape { heads, head_dim, .. } = work.shape;
    let length = Partial::written(head_dim);
    for (head, y) in y.chunks_exact_mut(head_dim).enumerate() {
        let mut whole = Partial::empty(head_dim);
        for span in 0..work.spans().len() {
            whole.merge(0, &scratch[(span * heads + head) * length..][..length]);
        }
        whole.finish(0, y);
    }
}

/// Many rows, a short context or a single thread: a task takes some tiles, one after the other.
fn tiles_in_turn(level: Level, pool: &ThreadPool, work: &Work<'_>, y: &mut [f32]) {
    let AttentionShape {
        heads,
        kv_heads,
        head_dim,
        ..
    } = work.shape;
    let (tiles, width) = (work.tiles(), heads * head_dim);
    let y = SharedMut::new(y);
    // Later tiles see more positions; small tasks taken in turn even that out.
    let tiles_per_task = tiles.div_ceil(8).max(1);
    let parts = tiles.div_ceil(tiles_per_task);
    pool.run(parts * kv_heads, &|task| {
        let (kv_head, first) = (task % kv_heads, task / kv_heads * tiles_per_task);
        let mut whole = Partial::empty(head_dim);
        let mut partial = Partial::empty(head_dim);
        for tile in first..tiles.min(first + tiles_per_task) {
            let tile = work.tile(kv_head, tile);
            whole_tile(level, work, &tile, &mut whole, &mut partial);
            for query in 0..tile.count {
                let at = tile.row(work, query) * width + tile.head(work, query) * head_dim;
                // SAFETY: a head of a row belongs to one tile, a tile to one task.
                whole.finish(query, unsafe { y.slice(at, at + head_dim) });
            }
        }
    });
}

/// The softmax of a tile over all that it sees, span by span, left in `whole`; `partial` is room for one span.
fn whole_tile(level: Level, work: &Work<'_>, tile: &Tile, whole: &mut Partial, partial: &mut Partial) {
    let dim = work.shape.head_dim;
    let first = tile.first_seen / SPAN;
    whole.clear(dim);
    crate::dispatch::attend_span(level, work, tile, first, whole);
    for span in first + 1..tile.seen.div_ceil(SPAN) {
        partial.clear(dim);
        crate::dispatch::attend_span(level, work, tile, span, partial);
        let mut other = [0f32; Partial::written(HEAD_DIM_MAX)];
        let other = &mut other[..Partial::written(dim)];
        for query in 0..tile.count {
            partial.write(query, other);
            whole.merge(query, other);
        }
    }
}

/// The first position that the token at `position` sees.
fn first_seen(window: Option<Window<'_>>, position: usize) -> usize {
    window.map_or(0, |window| window.first_seen(position))
}

/// One call of [`attend`], its queries rotated and scaled.
pub(crate) struct Work<'a> {
    shape: AttentionShape,
    window: Option<Window<'a>>,
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

    /// Tiles of one key/value head.
    fn tiles(&self) -> usize {
        (self.rows * self.group()).div_ceil(TILE)
    }

    /// The positions that a row sees.
    fn seen(&self, row: usize) -> Range<usize> {
        let position = self.position + row;
        first_seen(self.window, position)..position + 1
    }

    /// The spans that the rows see.
    fn spans(&self) -> Range<usize> {
        self.seen(0).start / SPAN..(self.position + self.rows).div_ceil(SPAN)
    }

    fn tile(&self, kv_head: usize, tile: usize) -> Tile {
        let (first, queries) = (tile * TILE, self.rows * self.group());
        let count = TILE.min(queries - first);
        Tile {
            kv_head,
            first,
            count,
            first_seen: self.seen(first / self.group()).start,
            seen: self.seen((first + count - 1) / self.group()).end,
        }
    }
}

/// Some queries of one key/value head: its heads of a row, then those of the next.
#[derive(Clone, Copy)]
pub(crate) struct Tile {
    kv_head: usize,
    first: usize,
    count: usize,
    /// The first position that the first row sees.
    first_seen: usize,
    /// Positions up to the last one that the last row sees.
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

//! The softmax of a few queries over a span of positions, written once for registers of any width.

use std::ops::Range;

use super::partial::Partial;
use super::{SPAN, Tile, Work};
use crate::elementwise::exp;
use crate::kv::{KV_BLOCK, KvPrecision};
use crate::simd::Floats;

/// Halves in a cache line.
const LINE_HALVES: usize = 32;

/// The softmax of one tile over one span of positions.
///
/// # Safety
/// The processor must have the instructions of `V`, and the caller must be compiled for them.
#[inline(always)]
pub(crate) unsafe fn attend_span<V: Floats>(work: &Work<'_>, tile: &Tile, span: usize, partial: &mut Partial) {
    // SAFETY: the caller has the instructions of `V`, which is all that a tile's span asks for.
    unsafe {
        match work.shape.precision {
            KvPrecision::Half => span_of_tile::<V, false>(work, tile, span, partial),
            KvPrecision::Int8 => span_of_tile::<V, true>(work, tile, span, partial),
        }
    }
}

#[inline(always)]
unsafe fn span_of_tile<V: Floats, const INT8: bool>(work: &Work<'_>, tile: &Tile, span: usize, partial: &mut Partial) {
    // SAFETY: the caller has the instructions of `V`; each arm has as many queries as the tile.
    unsafe {
        // Sums, values and a query have to fit the registers: 16 with eight lanes, 32 with sixteen.
        match (tile.count, V::LANES) {
            (1, _) => span_of::<V, INT8, 1, 4>(work, tile, span, partial),
            (2, _) => span_of::<V, INT8, 2, 4>(work, tile, span, partial),
            (3, _) => span_of::<V, INT8, 3, 4>(work, tile, span, partial),
            (4, 16) => span_of::<V, INT8, 4, 4>(work, tile, span, partial),
            (5, 16) => span_of::<V, INT8, 5, 4>(work, tile, span, partial),
            (_, 16) => span_of::<V, INT8, 6, 4>(work, tile, span, partial),
            (4, _) => span_of::<V, INT8, 4, 2>(work, tile, span, partial),
            (5, _) => span_of::<V, INT8, 5, 2>(work, tile, span, partial),
            _ => span_of::<V, INT8, 6, 2>(work, tile, span, partial),
        }
    }
}

/// `M` queries, `N` registers of positions or columns at a time.
#[inline(always)]
unsafe fn span_of<V: Floats, const INT8: bool, const M: usize, const N: usize>(
    work: &Work<'_>,
    tile: &Tile,
    span: usize,
    partial: &mut Partial,
) {
    let dim = work.shape.head_dim;
    let width = work.shape.heads * dim;
    let block = work.shape.block_halves();
    let mut queries = [&work.q[..dim]; M];
    let mut seen = [const { 0..0 }; M];
    for query in 0..M {
        let row = tile.row(work, query);
        queries[query] = &work.q[row * width + tile.head(work, query) * dim..][..dim];
        seen[query] = work.seen(row);
    }
    let mut scores = [[0f32; KV_BLOCK]; M];
    let end = tile.seen.min((span + 1) * SPAN);
    let first = tile.first_seen.max(span * SPAN);
    for start in (first / KV_BLOCK * KV_BLOCK..end).step_by(KV_BLOCK) {
        // Of the block, what some row of the tile sees.
        let some = first.saturating_sub(start)..KV_BLOCK.min(end - start);
        let at = work.shape.block_at(work.window, tile.kv_head, start);
        let (keys, values) = (&work.keys[at..][..block], &work.values[at..][..block]);
        // SAFETY: the caller has the instructions; the slices are whole blocks, and queries are `dim` long.
        unsafe {
            block_scores::<V, INT8, M, N>(dim, &queries, keys, some.clone(), &mut scores);
            for query in 0..M {
                let within = |position: usize| KV_BLOCK.min(position.saturating_sub(start));
                let own = within(seen[query].start)..within(seen[query].end);
                soften::<V>(&mut scores[query], own, query, partial, dim);
            }
            if INT8 {
                scores
                    .iter_mut()
                    .for_each(|weights| scale_weights::<V>(weights, values));
            }
            add_values::<V, INT8, M, N>(dim, &scores, values, some, partial);
        }
    }
}

/// A register of the values of a block: those from `at` on, behind the scales.
#[inline(always)]
unsafe fn load<V: Floats, const INT8: bool>(block: &[u16], at: usize) -> V {
    // SAFETY: the caller has the instructions, and the block holds a register of values from `at` on.
    unsafe {
        if INT8 {
            V::load_bytes(block.as_ptr().add(KV_BLOCK).cast::<i8>().add(at))
        } else {
            V::load_halves(block.as_ptr().add(at))
        }
    }
}

/// Asks for what lies a block behind the values of `N` registers from `at` on.
#[inline(always)]
unsafe fn prefetch_next<V: Floats, const INT8: bool, const N: usize>(block: &[u16], at: usize) {
    let (first, halves) = if INT8 {
        (KV_BLOCK + at / 2, N * V::LANES / 2)
    } else {
        (at, N * V::LANES)
    };
    for line in 0..halves.div_ceil(LINE_HALVES) {
        let half = block.len() + first + line * LINE_HALVES;
        // SAFETY: the caller has the instructions; the address need not be valid.
        unsafe { V::prefetch(block.as_ptr().wrapping_add(half).cast()) };
    }
}

/// `scores[m][p]` = query `m` · key `p`, for at least the positions `some` of a block.
#[inline(always)]
unsafe fn block_scores<V: Floats, const INT8: bool, const M: usize, const N: usize>(
    dim: usize,
    queries: &[&[f32]; M],
    keys: &[u16],
    some: Range<usize>,
    scores: &mut [[f32; KV_BLOCK]; M],
) {
    let mut at = some.start / V::LANES * V::LANES;
    // SAFETY: the registers from `at` on end within the block, whose columns are all there; the caller has the instructions.
    unsafe {
        while at < some.end && at + N * V::LANES <= some.end.next_multiple_of(V::LANES) {
            position_scores::<V, INT8, M, N>(dim, queries, keys, at, scores);
            at += N * V::LANES;
        }
        while at < some.end {
            position_scores::<V, INT8, M, 1>(dim, queries, keys, at, scores);
            at += V::LANES;
        }
    }
}

/// The scores of `N` registers of positions from `at` on.
#[inline(always)]
unsafe fn position_scores<V: Floats, const INT8: bool, const M: usize, const N: usize>(
    dim: usize,
    queries: &[&[f32]; M],
    keys: &[u16],
    at: usize,
    scores: &mut [[f32; KV_BLOCK]; M],
) {
    // SAFETY: the caller has the instructions; `N` registers from `at` on are within the block, for each of its `dim` columns, and within the
    // scores; queries have `dim` columns too.
    unsafe {
        let mut sums = [[V::splat(0.0); N]; M];
        for column in 0..dim {
            let row = column * KV_BLOCK + at;
            prefetch_next::<V, INT8, N>(keys, row);
            let mut key = [V::splat(0.0); N];
            for (index, key) in key.iter_mut().enumerate() {
                *key = load::<V, INT8>(keys, row + index * V::LANES);
            }
            for query in 0..M {
                let q = V::splat(*queries[query].get_unchecked(column));
                for index in 0..N {
                    sums[query][index] = key[index].mul_add(q, sums[query][index]);
                }
            }
        }
        for query in 0..M {
            for index in 0..N {
                let (position, mut score) = (at + index * V::LANES, sums[query][index]);
                if INT8 {
                    score = score.mul_add(V::load_halves(keys.as_ptr().add(position)), V::splat(0.0));
                }
                score.store(scores[query].as_mut_ptr().add(position));
            }
        }
    }
}

/// Multiplies the weights of positions with the scales of their values.
#[inline(always)]
unsafe fn scale_weights<V: Floats>(weights: &mut [f32; KV_BLOCK], values: &[u16]) {
    for at in (0..KV_BLOCK).step_by(V::LANES) {
        // SAFETY: both hold a value for each position of a block; the caller has the instructions.
        unsafe {
            let weight = weights.as_mut_ptr().add(at);
            let scale = V::load_halves(values.as_ptr().add(at));
            V::load(weight).mul_add(scale, V::splat(0.0)).store(weight);
        }
    }
}

/// Replaces the query's `own` scores by `exp(score − maximum)` and the others by 0, after the sums so far were scaled to the
/// new maximum.
#[inline(always)]
fn soften<V: Floats>(scores: &mut [f32; KV_BLOCK], own: Range<usize>, query: usize, partial: &mut Partial, dim: usize) {
    if own.is_empty() {
        scores.fill(0.0);
        return;
    }
    scores[..own.start].fill(f32::NEG_INFINITY);
    scores[own.end..].fill(f32::NEG_INFINITY);
    let before = partial.maximums[query];
    let highest = fold(scores, before, |a, b| if b > a { b } else { a });
    if highest == f32::NEG_INFINITY {
        // No score is a number: nothing to be added, wherever a span ends.
        scores.fill(0.0);
        return;
    }
    if highest > before {
        // Of nothing, nothing is to be scaled.
        if before > f32::NEG_INFINITY {
            let shrink = exp::<false>(before - highest);
            partial.totals[query] *= shrink;
            partial.sums[query][..dim].iter_mut().for_each(|sum| *sum *= shrink);
        }
        partial.maximums[query] = highest;
    }
    for score in scores.iter_mut() {
        *score = if V::FMA {
            exp::<true>(*score - highest)
        } else {
            exp::<false>(*score - highest)
        };
    }
    scores[..own.start].fill(0.0);
    scores[own.end..].fill(0.0);
    partial.totals[query] += fold(scores, 0.0, |a, b| a + b);
}

/// Combines the values of a block in an order that suits registers: lane by lane, then the lanes in halves.
#[inline(always)]
fn fold(scores: &[f32; KV_BLOCK], start: f32, combine: impl Fn(f32, f32) -> f32) -> f32 {
    let mut lanes = [start; 16];
    for sixteen in scores.as_chunks::<16>().0 {
        for (lane, score) in lanes.iter_mut().zip(sixteen) {
            *lane = combine(*lane, *score);
        }
    }
    for half in [8, 4, 2, 1] {
        let (low, high) = lanes.split_at_mut(half);
        for (low, high) in low.iter_mut().zip(high) {
            *low = combine(*low, *high);
        }
    }
    lanes[0]
}

/// Adds the values of a block at the positions `some`, weighted, to the sums. Every block is summed from zero, so that what a query does
/// not see (weight 0) changes nothing.
#[inline(always)]
unsafe fn add_values<V: Floats, const INT8: bool, const M: usize, const N: usize>(
    dim: usize,
    weights: &[[f32; KV_BLOCK]; M],
    values: &[u16],
    some: Range<usize>,
    partial: &mut Partial,
) {
    let mut at = 0;
    // SAFETY: columns `at` to `at + N × LANES` are there, of the values and of the sums; the caller has the instructions.
    unsafe {
        while at + N * V::LANES <= dim {
            value_columns::<V, INT8, M, N>(dim, at, weights, values, some.clone(), partial);
            at += N * V::LANES;
        }
        while at < dim {
            value_columns::<V, INT8, M, 1>(dim, at, weights, values, some.clone(), partial);
            at += V::LANES;
        }
    }
}

#[inline(always)]
unsafe fn value_columns<V: Floats, const INT8: bool, const M: usize, const N: usize>(
    dim: usize,
    at: usize,
    weights: &[[f32; KV_BLOCK]; M],
    values: &[u16],
    some: Range<usize>,
    partial: &mut Partial,
) {
    // SAFETY: the caller has the instructions; columns `at` to `at + N × LANES` are within `dim`, so within the block's rows and the sums.
    unsafe {
        let mut sums = [[V::splat(0.0); N]; M];
        for position in some {
            let row = position * dim + at;
            prefetch_next::<V, INT8, N>(values, row);
            let mut value = [V::splat(0.0); N];
            for (index, value) in value.iter_mut().enumerate() {
                *value = load::<V, INT8>(values, row + index * V::LANES);
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

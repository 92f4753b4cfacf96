//! Attention over a cache in both precisions, and that a row depends on nothing but the row.
#![allow(clippy::unwrap_used)]

use super::{Numbers, assert_close, levels};
use crate::attention::attend_at;
use crate::{
    Attend, AttentionShape, KV_BLOCK, KvPrecision, Level, Rotation, ThreadPool, Window, append_kv, f16_to_f32,
};

/// The values of one position of a head as the cache holds them, with the largest error that keeping them may make.
fn cached(
    shape: AttentionShape,
    window: Option<Window<'_>>,
    cache: &[u16],
    is_keys: bool,
    (head, position): (usize, usize),
) -> (Vec<f64>, f64) {
    let place = window.map_or(position / KV_BLOCK, |window| {
        window.places[position / KV_BLOCK] as usize
    });
    let block = shape.capacity / KV_BLOCK * head + place;
    let block = &cache[block * shape.block_halves()..][..shape.block_halves()];
    let within = position % KV_BLOCK;
    let at = |dim: usize| {
        if is_keys {
            dim * KV_BLOCK + within
        } else {
            within * shape.head_dim + dim
        }
    };
    let dims = 0..shape.head_dim;
    match shape.precision {
        // Half precision has eleven bits; these numbers are below 4.
        KvPrecision::Half => {
            let values = dims.map(|dim| f64::from(f16_to_f32(block[at(dim)])));
            (values.collect(), 2f64.powi(-10))
        }
        KvPrecision::Int8 => {
            let scale = f64::from(f16_to_f32(block[within]));
            let byte = |index: usize| block[KV_BLOCK + index / 2].to_le_bytes()[index % 2] as i8;
            (dims.map(|dim| f64::from(byte(at(dim))) * scale).collect(), 0.51 * scale)
        }
    }
}

/// Attention row by row over a cache filled in two runs, against f64 over what the cache holds.
fn check_attention(level: Level, shape: AttentionShape, window: Option<Window<'_>>, pairs: usize, threads: usize) {
    let AttentionShape {
        heads,
        kv_heads,
        head_dim,
        ..
    } = shape;
    let mut numbers = Numbers(heads as u64);
    let (first, second) = (70usize, 3usize);
    let rows = first + second;
    let (q, k, v) = (
        numbers.many(rows * heads * head_dim),
        numbers.many(rows * kv_heads * head_dim),
        numbers.many(rows * kv_heads * head_dim),
    );
    let angle = |position: usize, pair: usize| position as f64 * 0.7f64.powi(pair as i32);
    let table = |range: std::ops::Range<usize>| -> (Vec<f32>, Vec<f32>) {
        let angles: Vec<f64> = range
            .flat_map(|position| (0..pairs).map(move |pair| angle(position, pair)))
            .collect();
        (
            angles.iter().map(|a| a.cos() as f32).collect(),
            angles.iter().map(|a| a.sin() as f32).collect(),
        )
    };
    let pool = ThreadPool::new(threads).unwrap();
    let (mut keys, mut values) = (vec![0; shape.cache_halves()], vec![0; shape.cache_halves()]);
    let mut found = vec![0.0; q.len()];
    for range in [0..first, first..rows] {
        let (cosines, sines) = table(range.clone());
        let rotation = Rotation {
            pairs,
            cosines: &cosines,
            sines: &sines,
        };
        let kv = range.start * kv_heads * head_dim..range.end * kv_heads * head_dim;
        append_kv(
            shape,
            window,
            range.start,
            rotation,
            &mut k[kv.clone()].to_vec(),
            &v[kv],
            &mut keys,
            &mut values,
        );
        let own = range.start * heads * head_dim..range.end * heads * head_dim;
        let y = &mut found[own.clone()];
        let call = Attend {
            shape,
            window,
            position: range.start,
            scale: 0.3,
            rotation,
            keys: &keys,
            values: &values,
        };
        attend_at(level, &pool, call, &mut q[own].to_vec(), y, &mut Vec::new());
    }
    let rotate = |head: &[f32], position: usize| -> Vec<f64> {
        let mut out: Vec<f64> = head.iter().map(|v| f64::from(*v)).collect();
        for pair in 0..pairs {
            let (a, b, turn) = (out[pair], out[pair + pairs], angle(position, pair));
            out[pair] = a * turn.cos() - b * turn.sin();
            out[pair + pairs] = a * turn.sin() + b * turn.cos();
        }
        out
    };
    // What the cache holds of every position and head, which must be close to what it was given.
    let kept = |is_keys: bool| -> Vec<Vec<f64>> {
        let (given, cache) = if is_keys { (&k, &keys) } else { (&v, &values) };
        let heads = given.chunks(head_dim).enumerate().map(|(index, given)| {
            let (position, kv_head) = (index / kv_heads, index % kv_heads);
            let (kept, error) = cached(shape, window, cache, is_keys, (kv_head, position));
            let given = if is_keys {
                rotate(given, position)
            } else {
                given.iter().map(|value| f64::from(*value)).collect()
            };
            let far = given
                .iter()
                .zip(&kept)
                .find(|(given, kept)| (*given - *kept).abs() > error);
            assert_eq!(far, None, "{shape:?} keys {is_keys} at {position}");
            kept
        });
        heads.collect()
    };
    let (keys, values) = (kept(true), kept(false));
    let mut expected = Vec::new();
    for row in 0..rows {
        for head in 0..heads {
            let kv = |position: usize| position * kv_heads + head / (heads / kv_heads);
            let q = rotate(&q[(row * heads + head) * head_dim..][..head_dim], row);
            let first = window.map_or(0, |window| (row + 1).saturating_sub(window.length));
            let weights: Vec<f64> = (first..=row)
                .map(|position| (q.iter().zip(&keys[kv(position)]).map(|(q, k)| q * k).sum::<f64>() * 0.3).exp())
                .collect();
            let total: f64 = weights.iter().sum();
            let mut sums = vec![0.0; head_dim];
            for (position, weight) in (first..).zip(&weights) {
                let v = &values[kv(position)];
                sums.iter_mut().zip(v).for_each(|(sum, v)| *sum += weight * v);
            }
            expected.extend(sums.iter().map(|sum| sum / total));
        }
    }
    let name = format!("{shape:?}, {window:?}, {}", level.name());
    assert_close(&name, &found, &expected, 3e-4);
}

#[test]
fn attention_agrees_with_plain_arithmetic() {
    for (heads, kv_heads, head_dim, pairs, threads) in [
        (9, 3, 64, 32, 1),
        (4, 4, 16, 8, 2),
        (14, 2, 8, 4, 1),
        (5, 1, 40, 12, 3),
        (2, 1, 256, 128, 1),
    ] {
        for precision in [KvPrecision::Half, KvPrecision::Int8] {
            let shape = AttentionShape {
                heads,
                kv_heads,
                head_dim,
                capacity: 128,
                precision,
            };
            // A window may be anything from the token alone to more than there is; blocks lie in any order.
            let windows = [1, 5, 64, 66, 500].map(|length| Window {
                length,
                places: &[1, 0],
            });
            for window in [None].into_iter().chain(windows.map(Some)) {
                for level in levels() {
                    check_attention(level, shape, window, pairs, threads);
                }
            }
        }
    }
}

/// Attention of all rows in runs of the given lengths; every way of cutting gives the same bits.
fn attention_in_runs(
    level: Level,
    shape: AttentionShape,
    window: Option<Window<'_>>,
    threads: usize,
    runs: &[usize],
    qkv: [&[f32]; 3],
) -> Vec<f32> {
    let (width, kv_width) = (shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim);
    let pool = ThreadPool::new(threads).unwrap();
    // What was never written may be anything, NaN included.
    let (mut keys, mut values) = (
        vec![0xffffu16; shape.cache_halves()],
        vec![0xffffu16; shape.cache_halves()],
    );
    let (mut y, mut scratch, mut position) = (Vec::new(), Vec::new(), 0);
    for rows in runs {
        let range = |width: usize| position * width..(position + rows) * width;
        let angles: Vec<f32> = range(4)
            .map(|index| (index / 4) as f32 * 0.3 + (index % 4) as f32)
            .collect();
        let (cosines, sines): (Vec<f32>, Vec<f32>) = angles.iter().map(|angle| (angle.cos(), angle.sin())).unzip();
        let rotation = Rotation {
            pairs: 4,
            cosines: &cosines,
            sines: &sines,
        };
        let (mut q, mut k) = (qkv[0][range(width)].to_vec(), qkv[1][range(kv_width)].to_vec());
        let v = &qkv[2][range(kv_width)];
        append_kv(shape, window, position, rotation, &mut k, v, &mut keys, &mut values);
        let mut part = vec![0.0; q.len()];
        let call = Attend {
            shape,
            window,
            position,
            scale: 0.4,
            rotation,
            keys: &keys,
            values: &values,
        };
        attend_at(level, &pool, call, &mut q, &mut part, &mut scratch);
        y.extend(part);
        position += rows;
    }
    y
}

#[test]
fn attention_of_a_row_depends_on_nothing_but_the_row() {
    for (heads, kv_heads, head_dim, precision) in [
        (6, 2, 16, KvPrecision::Half),
        (2, 1, 24, KvPrecision::Half),
        (6, 2, 16, KvPrecision::Int8),
        (2, 1, 24, KvPrecision::Int8),
    ] {
        // More than one span of positions, and not a whole block.
        let total = 580;
        let shape = AttentionShape {
            heads,
            kv_heads,
            head_dim,
            capacity: 640,
            precision,
        };
        let mut numbers = Numbers(31);
        let q = numbers.many(total * heads * head_dim);
        let k = numbers.many(total * kv_heads * head_dim);
        let v = numbers.many(total * kv_heads * head_dim);
        for level in levels() {
            let alone = attention_in_runs(level, shape, None, 1, &vec![1; total], [&q, &k, &v]);
            assert!(alone.iter().all(|value| value.is_finite()));
            for (threads, runs) in [(2, vec![1; total]), (1, vec![total]), (3, vec![1, 2, 3, 64, 110, 400])] {
                let batch = attention_in_runs(level, shape, None, threads, &runs, [&q, &k, &v]);
                assert!(batch == alone, "{shape:?}, {threads} threads, {}", level.name());
            }
        }
    }
}

/// A window over more than one span of positions, whose blocks take the places of those that are not seen any more.
#[test]
fn attention_of_a_row_within_a_window_depends_on_nothing_but_the_row() {
    let (heads, kv_heads, head_dim, total) = (6, 2, 16, 1_180);
    let mut numbers = Numbers(37);
    let q = numbers.many(total * heads * head_dim);
    let k = numbers.many(total * kv_heads * head_dim);
    let v = numbers.many(total * kv_heads * head_dim);
    for (precision, length) in [
        (KvPrecision::Half, 550),
        (KvPrecision::Half, 100),
        (KvPrecision::Int8, 550),
    ] {
        // Runs have up to 64 rows, and neither end need be that of a block.
        let blocks = (length + 64 + KV_BLOCK).div_ceil(KV_BLOCK);
        let places: Vec<u32> = (0..total.div_ceil(KV_BLOCK))
            .map(|block| (block % blocks) as u32)
            .collect();
        let window = Some(Window {
            length,
            places: &places,
        });
        let shape = AttentionShape {
            heads,
            kv_heads,
            head_dim,
            capacity: blocks * KV_BLOCK,
            precision,
        };
        for level in levels() {
            let alone = attention_in_runs(level, shape, window, 1, &vec![1; total], [&q, &k, &v]);
            assert!(alone.iter().all(|value| value.is_finite()));
            let mut uneven = vec![1, 2, 3, 64, 50, 60, 33, 27];
            uneven.extend([64; 14]);
            uneven.push(total - uneven.iter().sum::<usize>());
            for (threads, runs) in [(2, vec![1; total]), (1, vec![59; 20]), (3, uneven)] {
                let batch = attention_in_runs(level, shape, window, threads, &runs, [&q, &k, &v]);
                assert!(
                    batch == alone,
                    "{length}, {shape:?}, {threads} threads, {}",
                    level.name()
                );
            }
        }
    }
}

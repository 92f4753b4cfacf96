//! What tasks share in memory: small cases of every parallel section, alone and on several threads, to the same bits. Quick enough for
//! Miri, which also sees accesses that overlap, race or leave their slice (`make miri`).
#![allow(clippy::unwrap_used)]

use super::{Numbers, blocks_of};
use crate::attention::{SPAN, attend_at};
use crate::linear::{multiply_at, multiply_gated_at};
use crate::{
    Activation, Activations, Attend, AttentionShape, Input, KV_BLOCK, KvPrecision, Level, Matrix, Product, Rotation,
    TensorType, ThreadPool, append_kv, pack, rms_norm,
};

/// Computes the same on one thread and on several, to the same bits. In Miri two have to do.
fn check<T: PartialEq + std::fmt::Debug>(what: &str, compute: impl Fn(&ThreadPool) -> T) {
    let alone = compute(&ThreadPool::new(1).unwrap());
    let several: &[usize] = if cfg!(miri) { &[2] } else { &[2, 3] };
    for &threads in several {
        let together = compute(&ThreadPool::new(threads).unwrap());
        assert_eq!(together, alone, "{what} on {threads} threads");
    }
}

fn packed(numbers: &mut Numbers, tensor_type: TensorType, rows: usize, columns: usize) -> Vec<u8> {
    let ggml = numbers.ggml(tensor_type, rows, columns);
    let mut packed = vec![0; tensor_type.packed_bytes(rows, columns).unwrap()];
    pack(tensor_type, rows, columns, &ggml, &mut packed);
    packed
}

/// Several panels, the last one not full, with a residual and without.
#[test]
fn products_share_their_result() {
    let mut numbers = Numbers(41);
    let (rows, tokens) = (35, 2);
    let residual = numbers.many(tokens * rows);
    // How a type is stored makes no difference to what is shared.
    let types: &[TensorType] = if cfg!(miri) {
        &[TensorType::Q4_1, TensorType::F32]
    } else {
        &TensorType::ALL
    };
    for &tensor_type in types {
        let columns = blocks_of(tensor_type, 32);
        let x = numbers.many(tokens * columns);
        let data = packed(&mut numbers, tensor_type, rows, columns);
        let weights = Matrix::new(tensor_type, rows, columns, &data).unwrap();
        check(tensor_type.name(), |pool| {
            let mut quantized = Activations::default();
            quantized.quantize(pool, &x, columns);
            let input = Input {
                x: &x,
                quantized: &quantized,
            };
            let (mut plain, mut added) = (vec![0.0; tokens * rows], vec![0.0; tokens * rows]);
            let mut maxima = vec![0.0; tokens * rows.div_ceil(16)];
            let mut products = [Product::new(weights, &mut plain), Product::new(weights, &mut added)];
            products[0].maxima = Some(&mut maxima);
            products[1].residual = Some(&residual);
            multiply_at(Level::Portable, pool, input, &mut products);
            (plain, added, maxima)
        });
    }
}

#[test]
fn gates_share_their_result() {
    let mut numbers = Numbers(43);
    let (rows, columns, tokens) = (19, 32, 5);
    let x = numbers.many(tokens * columns);
    let (gate, up) = (
        packed(&mut numbers, TensorType::Q4_1, rows, columns),
        packed(&mut numbers, TensorType::Q8_0, rows, columns),
    );
    let gate = Matrix::new(TensorType::Q4_1, rows, columns, &gate).unwrap();
    let up = Matrix::new(TensorType::Q8_0, rows, columns, &up).unwrap();
    check("gate", |pool| {
        let mut quantized = Activations::default();
        quantized.quantize(pool, &x, columns);
        let input = Input {
            x: &x,
            quantized: &quantized,
        };
        let mut y = vec![0.0; tokens * rows];
        multiply_gated_at(Level::Portable, pool, input, Activation::Silu, gate, up, &mut y);
        y
    });
}

/// Rows in several tasks.
#[test]
fn norms_share_their_rows() {
    let mut numbers = Numbers(47);
    let (rows, columns) = (9, 32);
    let (x, weights) = (numbers.many(rows * columns), numbers.many(columns));
    check("norm", |pool| {
        let mut y = vec![0.0; x.len()];
        rms_norm(pool, &x, &weights, 1e-5, &mut y);
        let mut quantized = Activations::default();
        quantized.quantize_normed(pool, &x, &weights, 1e-5);
        let values: Vec<[i8; 32]> = (0..rows).map(|row| quantized.row(row)[0].values).collect();
        (y, values)
    });
}

/// Runs whose tiles are computed in turn, then one token over more than one span, whose spans are computed apart.
#[test]
fn attention_shares_rows_and_spans() {
    let mut numbers = Numbers(53);
    for precision in [KvPrecision::Half, KvPrecision::Int8] {
        let shape = AttentionShape {
            heads: 2,
            kv_heads: 1,
            head_dim: 8,
            capacity: SPAN + KV_BLOCK,
            precision,
        };
        let (first, rows) = (SPAN - 1, 4);
        let kv = numbers.many((rows + 1) * 8);
        let q = numbers.many((rows + 1) * 16);
        check("attention", |pool| {
            // Numbers of either precision, in the place of the positions before.
            let (mut keys, mut values) = (vec![0x2c2c; shape.cache_halves()], vec![0x2c2c; shape.cache_halves()]);
            let (mut y, mut scratch) = (vec![0.0; q.len()], Vec::new());
            for range in [first..first + rows, first + rows..first + rows + 1] {
                let (cosines, sines) = (vec![0.8; 4 * range.len()], vec![0.6; 4 * range.len()]);
                let rotation = Rotation {
                    pairs: 4,
                    cosines: &cosines,
                    sines: &sines,
                };
                let own = &kv[8 * (range.start - first)..8 * (range.end - first)];
                append_kv(
                    shape,
                    None,
                    range.start,
                    rotation,
                    &mut own.to_vec(),
                    own,
                    &mut keys,
                    &mut values,
                );
                let call = Attend {
                    shape,
                    window: None,
                    position: range.start,
                    scale: 0.3,
                    rotation,
                    keys: &keys,
                    values: &values,
                };
                let own = 16 * (range.start - first)..16 * (range.end - first);
                let (mut q, y) = (q[own.clone()].to_vec(), &mut y[own]);
                attend_at(Level::Portable, pool, call, &mut q, y, &mut scratch);
            }
            y
        });
    }
}

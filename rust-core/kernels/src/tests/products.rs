//! Matrix products: every type, level and thread count, what is fused with them, and that rows of a batch equal rows alone.
#![allow(clippy::unwrap_used)]

use super::{Numbers, assert_close, blocks_of, dequantize, levels};
use crate::linear::{multiply_at, multiply_gated_at};
use crate::{Activation, Activations, Input, Matrix, Product, TensorType, ThreadPool, pack};

/// One product at every level and thread count against f64, within what 8-bit activations cost.
fn check_product(tensor_type: TensorType, rows: usize, columns: usize, tokens: usize, residual: bool) {
    let mut numbers = Numbers(columns as u64 + tokens as u64);
    let ggml = numbers.ggml(tensor_type, rows, columns);
    let mut packed = vec![0; tensor_type.packed_bytes(rows, columns).unwrap()];
    pack(tensor_type, rows, columns, &ggml, &mut packed);
    let weights = Matrix::new(tensor_type, rows, columns, &packed).unwrap();
    let x = numbers.many(tokens * columns);
    let added = residual.then(|| numbers.many(tokens * rows));
    let floats: Vec<Vec<f32>> = ggml
        .chunks_exact(tensor_type.row_bytes(columns).unwrap())
        .map(|row| dequantize(tensor_type, row))
        .collect();
    let mut expected = Vec::new();
    for (token, x) in x.chunks_exact(columns).enumerate() {
        for (row, weights) in floats.iter().enumerate() {
            let dot: f64 = weights.iter().zip(x).map(|(w, x)| f64::from(*w) * f64::from(*x)).sum();
            expected.push(dot + added.as_ref().map_or(0.0, |added| f64::from(added[token * rows + row])));
        }
    }
    for threads in [1, 3] {
        let pool = ThreadPool::new(threads).unwrap();
        let mut quantized = Activations::default();
        if tensor_type.is_quantized() {
            quantized.quantize(&pool, &x, columns);
        }
        for level in levels() {
            let mut y = vec![f32::NAN; tokens * rows];
            let product = Product {
                weights,
                residual: added.as_deref(),
                y: &mut y,
                maxima: None,
            };
            multiply_at(
                level,
                &pool,
                Input {
                    x: &x,
                    quantized: &quantized,
                },
                &mut [product],
            );
            let what = format!(
                "{tensor_type} {rows}×{columns}, {tokens} tokens, {}, {threads} threads",
                level.name()
            );
            let tolerance = if tensor_type.is_quantized() { 0.02 } else { 1e-5 };
            assert_close(&what, &y, &expected, tolerance);
        }
    }
}

#[test]
fn products_agree_with_plain_arithmetic() {
    for tensor_type in TensorType::ALL {
        for tokens in 1..=9 {
            check_product(tensor_type, 48, blocks_of(tensor_type, 96), tokens, tokens % 2 == 0);
        }
        check_product(tensor_type, 21, blocks_of(tensor_type, 320), 3, true);
        check_product(tensor_type, 1, blocks_of(tensor_type, 32), 1, false);
    }
    check_product(TensorType::F32, 5, 7, 3, false);
    check_product(TensorType::F16, 5, 259, 2, true);
}

#[test]
fn quantised_products_are_exact_on_integers() {
    // Activations of whole numbers up to 127 quantise without loss, so the levels must agree with f64 to the last bits.
    let mut numbers = Numbers(7);
    let pool = ThreadPool::new(1).unwrap();
    for tensor_type in TensorType::ALL.into_iter().filter(|each| each.is_quantized()) {
        let (rows, columns, tokens) = (32, blocks_of(tensor_type, 128), 9);
        let ggml = numbers.ggml(tensor_type, rows, columns);
        let mut packed = vec![0; tensor_type.packed_bytes(rows, columns).unwrap()];
        pack(tensor_type, rows, columns, &ggml, &mut packed);
        let mut x: Vec<f32> = (0..tokens * columns)
            .map(|_| (numbers.next() * 127.0).round())
            .collect();
        x.iter_mut().step_by(32).for_each(|first| *first = 127.0);
        let mut quantized = Activations::default();
        quantized.quantize(&pool, &x, columns);
        let mut expected = Vec::new();
        for x in x.chunks_exact(columns) {
            for row in ggml.chunks_exact(tensor_type.row_bytes(columns).unwrap()) {
                let weights = dequantize(tensor_type, row);
                expected.push(
                    weights
                        .iter()
                        .zip(x)
                        .map(|(w, x)| f64::from(*w) * f64::from(*x))
                        .sum::<f64>(),
                );
            }
        }
        for level in levels() {
            let mut y = vec![0.0; tokens * rows];
            let weights = Matrix::new(tensor_type, rows, columns, &packed).unwrap();
            let product = Product::new(weights, &mut y);
            multiply_at(
                level,
                &pool,
                Input {
                    x: &x,
                    quantized: &quantized,
                },
                &mut [product],
            );
            assert_close(&format!("{tensor_type} {}", level.name()), &y, &expected, 1e-6);
        }
    }
}

#[test]
fn several_products_share_one_section() {
    let mut numbers = Numbers(3);
    let pool = ThreadPool::new(2).unwrap();
    let x = numbers.many(3 * 64);
    let mut quantized = Activations::default();
    quantized.quantize(&pool, &x, 64);
    let input = Input {
        x: &x,
        quantized: &quantized,
    };
    let packed: Vec<Vec<u8>> = [(TensorType::Q4_1, 40), (TensorType::F32, 7), (TensorType::Q8_0, 16)]
        .map(|(tensor_type, rows)| {
            let ggml = numbers.ggml(tensor_type, rows, 64);
            let mut packed = vec![0; tensor_type.packed_bytes(rows, 64).unwrap()];
            pack(tensor_type, rows, 64, &ggml, &mut packed);
            packed
        })
        .into();
    let matrices = [
        Matrix::new(TensorType::Q4_1, 40, 64, &packed[0]).unwrap(),
        Matrix::new(TensorType::F32, 7, 64, &packed[1]).unwrap(),
        Matrix::new(TensorType::Q8_0, 16, 64, &packed[2]).unwrap(),
    ];
    let mut together = matrices.map(|matrix| vec![0.0; 3 * matrix.rows()]);
    let mut alone = together.clone();
    {
        let outputs = together.iter_mut();
        let mut products: Vec<Product<'_>> = matrices
            .iter()
            .zip(outputs)
            .map(|(weights, y)| Product::new(*weights, y))
            .collect();
        crate::multiply(&pool, input, &mut products);
    }
    for (weights, y) in matrices.iter().zip(&mut alone) {
        crate::multiply(&pool, input, &mut [Product::new(*weights, y)]);
    }
    assert_eq!(together, alone);
}

/// The gated part against its two products at the same level, which others compare with plain arithmetic.
#[test]
fn gates_agree_with_their_products() {
    let mut numbers = Numbers(17);
    for (gate_type, up_type, activation) in [
        (TensorType::Q4_0, TensorType::Q4_0, Activation::Silu),
        (TensorType::Q4_1, TensorType::Q4_1, Activation::Gelu),
        (TensorType::Q4_1, TensorType::Q8_0, Activation::Silu),
        (TensorType::Q8_0, TensorType::F32, Activation::Gelu),
        (TensorType::F16, TensorType::F16, Activation::Silu),
        (TensorType::Q4K, TensorType::Q4K, Activation::Gelu),
        (TensorType::Q5_0, TensorType::Iq4Nl, Activation::Silu),
        (TensorType::Q6K, TensorType::Q8_0, Activation::Silu),
    ] {
        let (rows, columns, tokens) = (40, 256, 9);
        let mut packed = |tensor_type: TensorType| {
            let ggml = numbers.ggml(tensor_type, rows, columns);
            let mut packed = vec![0; tensor_type.packed_bytes(rows, columns).unwrap()];
            pack(tensor_type, rows, columns, &ggml, &mut packed);
            packed
        };
        let (gate, up) = (packed(gate_type), packed(up_type));
        let gate = Matrix::new(gate_type, rows, columns, &gate).unwrap();
        let up = Matrix::new(up_type, rows, columns, &up).unwrap();
        let x = numbers.many(tokens * columns);
        for (level, threads) in levels().into_iter().flat_map(|level| [(level, 1), (level, 3)]) {
            let pool = ThreadPool::new(threads).unwrap();
            let mut quantized = Activations::default();
            quantized.quantize(&pool, &x, columns);
            let input = Input {
                x: &x,
                quantized: &quantized,
            };
            let product = |weights| {
                let mut y = vec![0.0; tokens * rows];
                let product = Product::new(weights, &mut y);
                multiply_at(level, &pool, input, &mut [product]);
                y
            };
            let activated = |v: f64| match activation {
                Activation::Silu => v / (1.0 + (-v).exp()),
                Activation::Gelu => {
                    let u = (2.0 / std::f64::consts::PI).sqrt() * (v + 0.044_715 * v.powi(3));
                    0.5 * v * (1.0 + u.tanh())
                }
            };
            let expected: Vec<f64> = product(gate)
                .iter()
                .zip(&product(up))
                .map(|(gate, up)| activated(f64::from(*gate)) * f64::from(*up))
                .collect();
            let mut y = vec![f32::NAN; tokens * rows];
            multiply_gated_at(level, &pool, input, activation, gate, up, &mut y);
            assert_close(
                &format!("{gate_type} and {up_type}, {}", level.name()),
                &y,
                &expected,
                1e-6,
            );
            for (token, x) in x.chunks_exact(columns).enumerate() {
                let mut quantized = Activations::default();
                quantized.quantize(&pool, x, columns);
                let input = Input {
                    x,
                    quantized: &quantized,
                };
                let mut alone = vec![f32::NAN; rows];
                multiply_gated_at(level, &pool, input, activation, gate, up, &mut alone);
                assert_eq!(alone, y[token * rows..][..rows], "row {token} alone, {}", level.name());
            }
        }
    }
}

/// What a product notes of its groups is what looking at the results gives.
#[test]
fn the_largest_of_each_group_is_noted() {
    let mut numbers = Numbers(19);
    for tensor_type in TensorType::ALL {
        let (rows, columns, tokens) = (40, blocks_of(tensor_type, 64), 9);
        let ggml = numbers.ggml(tensor_type, rows, columns);
        let mut packed = vec![0; tensor_type.packed_bytes(rows, columns).unwrap()];
        pack(tensor_type, rows, columns, &ggml, &mut packed);
        let weights = Matrix::new(tensor_type, rows, columns, &packed).unwrap();
        let mut x = numbers.many(tokens * columns);
        x[columns..2 * columns].fill(f32::NAN);
        for (level, threads) in levels().into_iter().flat_map(|level| [(level, 1), (level, 2)]) {
            let pool = ThreadPool::new(threads).unwrap();
            let mut quantized = Activations::default();
            quantized.quantize(&pool, &x, columns);
            let input = Input {
                x: &x,
                quantized: &quantized,
            };
            let (mut y, mut maxima) = (vec![0.0; tokens * rows], vec![f32::NAN; tokens * 3]);
            let mut product = Product::new(weights, &mut y);
            product.maxima = Some(&mut maxima);
            multiply_at(level, &pool, input, &mut [product]);
            let expected = y.chunks_exact(rows).flat_map(|row| {
                let mut maxima = [0.0; 3];
                crate::group_maxima(row, &mut maxima);
                maxima
            });
            assert!(maxima.iter().copied().eq(expected), "{tensor_type}, {}", level.name());
            assert!(maxima[0] > f32::NEG_INFINITY);
        }
    }
}

#[test]
fn a_row_of_a_batch_equals_the_row_alone() {
    let mut numbers = Numbers(23);
    for tensor_type in TensorType::ALL {
        let (rows, columns, tokens) = (40, blocks_of(tensor_type, 96), 11);
        let ggml = numbers.ggml(tensor_type, rows, columns);
        let mut packed = vec![0; tensor_type.packed_bytes(rows, columns).unwrap()];
        pack(tensor_type, rows, columns, &ggml, &mut packed);
        let weights = Matrix::new(tensor_type, rows, columns, &packed).unwrap();
        let x = numbers.many(tokens * columns);
        for level in levels() {
            let run = |threads: usize, x: &[f32]| {
                let pool = ThreadPool::new(threads).unwrap();
                let mut quantized = Activations::default();
                quantized.quantize(&pool, x, columns);
                let mut y = vec![f32::NAN; x.len() / columns * rows];
                let product = Product::new(weights, &mut y);
                let input = Input {
                    x,
                    quantized: &quantized,
                };
                multiply_at(level, &pool, input, &mut [product]);
                y
            };
            let alone: Vec<f32> = x.chunks_exact(columns).flat_map(|x| run(1, x)).collect();
            for (threads, first) in [(1, 0), (2, 0), (3, 5)] {
                let batch = run(threads, &x[first * columns..]);
                assert_eq!(batch, alone[first * rows..], "{tensor_type} {}", level.name());
            }
        }
    }
}

//! Every kernel at every level this processor has, against plain arithmetic in f64.
#![allow(clippy::unwrap_used)]

use crate::activations::ActivationBlock;
use crate::attention::attend_at;
use crate::linear::{multiply_at, multiply_gated_at};
use crate::{
    Activation, Activations, AttentionShape, Input, KV_BLOCK, KvPrecision, Level, Matrix, Product, Rotation,
    TensorType, ThreadPool, append_kv, f16_to_f32, f32_to_f16, pack, rms_norm, unpack_row,
};

/// A fixed sequence of numbers in -1..1.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> f32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 40) as f32) / ((1u64 << 23) as f32) - 1.0
    }

    fn many(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.next()).collect()
    }

    /// Rows of GGML blocks: random values, moderate scales.
    fn ggml(&mut self, tensor_type: TensorType, rows: usize, columns: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        for _ in 0..rows * columns / tensor_type.block_values() {
            match tensor_type {
                TensorType::F32 => bytes.extend(self.next().to_le_bytes()),
                TensorType::F16 => bytes.extend(f32_to_f16(self.next()).to_le_bytes()),
                TensorType::Bf16 => bytes.extend(((self.next().to_bits() >> 16) as u16).to_le_bytes()),
                TensorType::Q4_0 | TensorType::Q8_0 => bytes.extend(f32_to_f16(self.next() * 0.1).to_le_bytes()),
                TensorType::Q4_1 => {
                    bytes.extend(f32_to_f16(self.next() * 0.1).to_le_bytes());
                    bytes.extend(f32_to_f16(self.next()).to_le_bytes());
                }
            }
            let header = if tensor_type == TensorType::Q4_1 { 4 } else { 2 };
            if tensor_type.is_quantized() {
                bytes.extend((header..tensor_type.block_bytes()).map(|_| (self.next() * 128.0) as i8 as u8));
            }
        }
        bytes
    }
}

/// One row of GGML blocks as floats, straight from the format's definition.
fn dequantize(tensor_type: TensorType, row: &[u8]) -> Vec<f32> {
    let half = |bytes: &[u8]| u16::from_le_bytes([bytes[0], bytes[1]]);
    let mut values = Vec::new();
    for block in row.chunks_exact(tensor_type.block_bytes()) {
        match tensor_type {
            TensorType::F32 => values.push(f32::from_le_bytes(block.try_into().unwrap())),
            TensorType::F16 => values.push(f16_to_f32(half(block))),
            TensorType::Bf16 => values.push(f32::from_bits(u32::from(half(block)) << 16)),
            TensorType::Q8_0 => values.extend(block[2..].iter().map(|q| f16_to_f32(half(block)) * f32::from(*q as i8))),
            TensorType::Q4_0 | TensorType::Q4_1 => {
                let (offset, minimum, quants) = if tensor_type == TensorType::Q4_0 {
                    (8.0, 0.0, &block[2..])
                } else {
                    (0.0, f16_to_f32(half(&block[2..])), &block[4..])
                };
                let nibbles = quants.iter().map(|q| q & 15).chain(quants.iter().map(|q| q >> 4));
                values.extend(nibbles.map(|q| f16_to_f32(half(block)) * (f32::from(q) - offset) + minimum));
            }
        }
    }
    values
}

fn assert_close(what: &str, found: &[f32], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{what}: length");
    let scale = expected.iter().fold(1e-3f64, |a, b| a.max(b.abs()));
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        let difference = (f64::from(*found) - expected).abs() / scale;
        assert!(
            difference <= tolerance,
            "{what}: value {index} is {found}, expected {expected}"
        );
    }
}

#[test]
fn half_precision_converts_both_ways() {
    for half in 0..=u16::MAX {
        let float = f16_to_f32(half);
        let (sign, exponent, fraction) = (half >> 15, i32::from(half >> 10 & 31), f64::from(half & 1023));
        let magnitude = match exponent {
            0 => fraction * 2f64.powi(-24),
            31 if half & 1023 == 0 => f64::INFINITY,
            31 => f64::NAN,
            _ => (1024.0 + fraction) * 2f64.powi(exponent - 25),
        };
        let expected = if sign == 1 { -magnitude } else { magnitude };
        assert!(
            f64::from(float) == expected || (float.is_nan() && expected.is_nan()),
            "{half:#06x}: {float}"
        );
        if !float.is_nan() {
            assert_eq!(f32_to_f16(float), half, "{half:#06x} comes back");
        }
    }
    // Halfway cases go to the even neighbour, beyond the largest to infinity.
    for (float, half) in [
        (1.0 + 2f32.powi(-11), 0x3c00),
        (1.0 + 3.0 * 2f32.powi(-11), 0x3c02),
        (65_520.0, 0x7c00),
    ] {
        assert_eq!(f32_to_f16(float), half, "{float}");
    }
}

#[test]
fn packing_keeps_every_value() {
    let mut numbers = Numbers(1);
    for tensor_type in TensorType::ALL {
        for (rows, columns) in [(1, 32), (16, 64), (17, 96), (40, 32)] {
            let ggml = numbers.ggml(tensor_type, rows, columns);
            let mut packed = vec![0xaa; tensor_type.packed_bytes(rows, columns).unwrap()];
            pack(tensor_type, rows, columns, &ggml, &mut packed);
            for (row, bytes) in ggml.chunks_exact(tensor_type.row_bytes(columns).unwrap()).enumerate() {
                let mut values = vec![0.0; columns];
                unpack_row(tensor_type, &packed, row, &mut values);
                let expected = dequantize(tensor_type, bytes);
                assert_eq!(values, expected, "{tensor_type} {rows}×{columns} row {row}");
            }
        }
    }
}

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
        for level in Level::available() {
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
            check_product(tensor_type, 48, 96, tokens, tokens % 2 == 0);
        }
        check_product(tensor_type, 21, 320, 3, true);
        check_product(tensor_type, 1, 32, 1, false);
    }
    check_product(TensorType::F32, 5, 7, 3, false);
    check_product(TensorType::F16, 5, 259, 2, true);
}

#[test]
fn quantised_products_are_exact_on_integers() {
    // Activations of whole numbers up to 127 quantise without loss, so the levels must agree with f64 to the last bits.
    let mut numbers = Numbers(7);
    let pool = ThreadPool::new(1).unwrap();
    for tensor_type in [TensorType::Q4_0, TensorType::Q4_1, TensorType::Q8_0] {
        let (rows, columns, tokens) = (32, 128, 9);
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
        for level in Level::available() {
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

#[test]
fn norms_agree_with_plain_arithmetic() {
    let mut numbers = Numbers(11);
    for threads in [1, 2] {
        let pool = ThreadPool::new(threads).unwrap();
        for (rows, columns) in [(1, 5), (3, 64), (9, 576)] {
            let (x, weights) = (numbers.many(rows * columns), numbers.many(columns));
            let mut y = vec![0.0; x.len()];
            rms_norm(&pool, &x, &weights, 1e-5, &mut y);
            let mut expected = Vec::new();
            for x in x.chunks_exact(columns) {
                let mean = x.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>() / columns as f64;
                let scale = 1.0 / (mean + 1e-5).sqrt();
                expected.extend(
                    x.iter()
                        .zip(&weights)
                        .map(|(x, w)| f64::from(*x) * scale * f64::from(*w)),
                );
            }
            assert_close("rms_norm", &y, &expected, 1e-6);
        }
    }
}

/// Every level quantises to the same bits, and a norm that is not stored to the bits of one that is.
#[test]
fn quantising_is_the_same_everywhere() {
    let same = |a: &[ActivationBlock], b: &[ActivationBlock]| {
        a.iter().zip(b).all(|(a, b)| {
            let bits = |block: &ActivationBlock| (block.scale.to_bits(), block.weighted_sum.to_bits());
            a.values == b.values && a.offset == b.offset && a.offset_pair == b.offset_pair && bits(a) == bits(b)
        })
    };
    let mut numbers = Numbers(13);
    for columns in [32, 96, 128, 576] {
        let mut x = numbers.many(3 * columns);
        // A block of zeros, one of numbers next to nothing, halves to be rounded, and very different sizes.
        x[..32].fill(0.0);
        x[columns..columns + 32].iter_mut().for_each(|x| *x *= 1e-37);
        x[2 * columns..][..32].copy_from_slice(&std::array::from_fn::<f32, 32, _>(|i| {
            if i == 0 { 127.0 } else { i as f32 + 0.5 }
        }));
        x[2 * columns + 31] = 1e-20;
        let weights = numbers.many(columns);
        let quantize = |level, x: &[f32]| {
            let mut blocks = vec![ActivationBlock::default(); x.len() / 32];
            crate::dispatch::quantize(level, x, &mut blocks);
            blocks
        };
        let expected = quantize(Level::Portable, &x);
        for level in Level::available() {
            assert!(
                same(&quantize(level, &x), &expected),
                "{columns} columns, {}",
                level.name()
            );
        }
        for threads in [1, 2] {
            let pool = ThreadPool::new(threads).unwrap();
            let mut normed = vec![0.0; x.len()];
            rms_norm(&pool, &x, &weights, 1e-5, &mut normed);
            let (mut stored, mut fused) = (Activations::default(), Activations::default());
            stored.quantize(&pool, &normed, columns);
            fused.quantize_normed(&pool, &x, &weights, 1e-5);
            assert_eq!((fused.rows(), fused.columns()), (3, columns));
            for row in 0..3 {
                assert!(same(fused.row(row), stored.row(row)), "{columns} columns, row {row}");
            }
        }
    }
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
    ] {
        let (rows, columns, tokens) = (40, 64, 9);
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
        for (level, threads) in Level::available()
            .into_iter()
            .flat_map(|level| [(level, 1), (level, 3)])
        {
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

#[test]
fn weights_are_close_to_the_systems_exponential() {
    for temperature in [1.0, 0.7, 3.0] {
        let scores: Vec<f32> = (0..=21_000).map(|step| 5.0 - step as f32 * 0.1).collect();
        let mut weights = vec![f64::NAN; scores.len()];
        crate::exp_weights(&scores, 5.0, temperature, &mut weights);
        for (score, found) in scores.iter().zip(&weights) {
            let x = (f64::from(*score) - 5.0) / temperature;
            let expected = if x < -700.0 { 0.0 } else { x.exp() };
            assert!((found - expected).abs() <= 1e-14 * expected, "{x}: {found} {expected}");
        }
        assert_eq!(weights[0], 1.0);
    }
    let mut weights = [f64::NAN; 3];
    crate::exp_weights(&[f32::NAN, f32::NEG_INFINITY, f32::MIN], 0.0, 1.0, &mut weights);
    assert_eq!(weights, [0.0; 3]);
}

/// What a product notes of its groups is what looking at the results gives.
#[test]
fn the_largest_of_each_group_is_noted() {
    let mut numbers = Numbers(19);
    let (rows, columns, tokens) = (40, 64, 9);
    for tensor_type in TensorType::ALL {
        let ggml = numbers.ggml(tensor_type, rows, columns);
        let mut packed = vec![0; tensor_type.packed_bytes(rows, columns).unwrap()];
        pack(tensor_type, rows, columns, &ggml, &mut packed);
        let weights = Matrix::new(tensor_type, rows, columns, &packed).unwrap();
        let mut x = numbers.many(tokens * columns);
        x[columns..2 * columns].fill(f32::NAN);
        for (level, threads) in Level::available()
            .into_iter()
            .flat_map(|level| [(level, 1), (level, 2)])
        {
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
fn the_exponential_is_accurate_and_bounded() {
    for step in -8_700..=8_800 {
        let x = step as f32 * 0.01;
        let (found, expected) = (f64::from(crate::elementwise::exp::<false>(x)), f64::from(x).exp());
        assert!(
            (found / expected - 1.0).abs() < 3e-7,
            "exp({x}) = {found}, expected {expected}"
        );
    }
    assert!(crate::elementwise::exp::<false>(f32::NEG_INFINITY) < 1e-37);
    assert!(crate::elementwise::exp::<false>(f32::INFINITY).is_finite());
}

/// The values of one position of a head as the cache holds them, with the largest error that keeping them may make.
fn cached(shape: AttentionShape, cache: &[u16], is_keys: bool, head: usize, position: usize) -> (Vec<f64>, f64) {
    let block = shape.capacity / KV_BLOCK * head + position / KV_BLOCK;
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
fn check_attention(level: Level, shape: AttentionShape, pairs: usize, threads: usize) {
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
            range.start,
            rotation,
            &mut k[kv.clone()].to_vec(),
            &v[kv],
            &mut keys,
            &mut values,
        );
        let own = range.start * heads * head_dim..range.end * heads * head_dim;
        let y = &mut found[own.clone()];
        attend_at(
            level,
            &pool,
            shape,
            range.start,
            0.3,
            rotation,
            &mut q[own].to_vec(),
            &keys,
            &values,
            y,
            &mut Vec::new(),
        );
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
    let kept = |cache: &[u16], is_keys: bool, position: usize, kv_head: usize, given: &[f64]| {
        let (kept, error) = cached(shape, cache, is_keys, kv_head, position);
        let far = given
            .iter()
            .zip(&kept)
            .find(|(given, kept)| (*given - *kept).abs() > error);
        assert_eq!(far, None, "{shape:?} keys {is_keys} at {position}");
        kept
    };
    let mut expected = Vec::new();
    for row in 0..rows {
        for head in 0..heads {
            let kv_head = head / (heads / kv_heads);
            let q = rotate(&q[(row * heads + head) * head_dim..][..head_dim], row);
            let at = |position: usize| (position * kv_heads + kv_head) * head_dim;
            let weights: Vec<f64> = (0..=row)
                .map(|position| {
                    let k = rotate(&k[at(position)..][..head_dim], position);
                    let k = kept(&keys, true, position, kv_head, &k);
                    (q.iter().zip(&k).map(|(q, k)| q * k).sum::<f64>() * 0.3).exp()
                })
                .collect();
            let total: f64 = weights.iter().sum();
            let mut sums = vec![0.0; head_dim];
            for (position, weight) in weights.iter().enumerate() {
                let given: Vec<f64> = v[at(position)..][..head_dim].iter().map(|v| f64::from(*v)).collect();
                let v = kept(&values, false, position, kv_head, &given);
                sums.iter_mut().zip(&v).for_each(|(sum, v)| *sum += weight * v);
            }
            expected.extend(sums.iter().map(|sum| sum / total));
        }
    }
    assert_close(&format!("{shape:?}, {}", level.name()), &found, &expected, 3e-4);
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
            for level in Level::available() {
                check_attention(level, shape, pairs, threads);
            }
        }
    }
}

#[test]
fn a_row_of_a_batch_equals_the_row_alone() {
    let mut numbers = Numbers(23);
    let (rows, columns, tokens) = (40, 96, 11);
    for tensor_type in TensorType::ALL {
        let ggml = numbers.ggml(tensor_type, rows, columns);
        let mut packed = vec![0; tensor_type.packed_bytes(rows, columns).unwrap()];
        pack(tensor_type, rows, columns, &ggml, &mut packed);
        let weights = Matrix::new(tensor_type, rows, columns, &packed).unwrap();
        let x = numbers.many(tokens * columns);
        for level in Level::available() {
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

/// Attention of all rows in runs of the given lengths; every way of cutting gives the same bits.
fn attention_in_runs(
    level: Level,
    shape: AttentionShape,
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
        append_kv(shape, position, rotation, &mut k, v, &mut keys, &mut values);
        let mut part = vec![0.0; q.len()];
        attend_at(
            level,
            &pool,
            shape,
            position,
            0.4,
            rotation,
            &mut q,
            &keys,
            &values,
            &mut part,
            &mut scratch,
        );
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
        for level in Level::available() {
            let alone = attention_in_runs(level, shape, 1, &vec![1; total], [&q, &k, &v]);
            assert!(alone.iter().all(|value| value.is_finite()));
            for (threads, runs) in [(2, vec![1; total]), (1, vec![total]), (3, vec![1, 2, 3, 64, 110, 400])] {
                let batch = attention_in_runs(level, shape, threads, &runs, [&q, &k, &v]);
                assert!(batch == alone, "{shape:?}, {threads} threads, {}", level.name());
            }
        }
    }
}

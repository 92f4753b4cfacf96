//! Every kernel at every level this processor has, against plain arithmetic in f64.
#![allow(clippy::unwrap_used)]

mod attention;
mod convolution;
mod memory;
mod products;

use crate::activations::ActivationBlock;
use crate::{Activations, Level, TensorType, ThreadPool, f16_to_f32, f32_to_f16, pack, rms_norm, unpack_row};

/// The levels to test: all that this processor can run, or only the one named by `WHIMBREL_TEST_LEVEL`, which must then be among them.
fn levels() -> Vec<Level> {
    let mut levels = Level::available();
    if let Ok(name) = std::env::var("WHIMBREL_TEST_LEVEL") {
        levels.retain(|level| level.name() == name);
        assert!(!levels.is_empty(), "this processor cannot run {name}");
    }
    levels
}

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
                _ => {
                    let start = bytes.len();
                    bytes.extend((0..tensor_type.block_bytes()).map(|_| (self.next() * 128.0) as i8 as u8));
                    for (place, largest) in halves_of(tensor_type) {
                        let half = f32_to_f16(self.next() * largest).to_le_bytes();
                        bytes[start + place..][..2].copy_from_slice(&half);
                    }
                }
            }
        }
        bytes
    }
}

/// Where a block has half-precision numbers, and how large they are here.
fn halves_of(tensor_type: TensorType) -> &'static [(usize, f32)] {
    match tensor_type {
        TensorType::F32 | TensorType::F16 | TensorType::Bf16 => &[],
        TensorType::Q4_0 | TensorType::Q5_0 | TensorType::Q8_0 | TensorType::Iq4Nl => &[(0, 0.1)],
        TensorType::Q4_1 => &[(0, 0.1), (2, 1.0)],
        TensorType::Q4K => &[(0, 0.003), (2, 0.02)],
        TensorType::Q6K => &[(208, 0.001)],
    }
}

/// One row of GGML blocks as floats, straight from the format's definition.
fn dequantize(tensor_type: TensorType, row: &[u8]) -> Vec<f32> {
    let half = |bytes: &[u8]| f16_to_f32(u16::from_le_bytes([bytes[0], bytes[1]]));
    let nibbles = |codes: &[u8]| -> Vec<u8> {
        let low = codes.iter().map(|codes| codes & 15);
        low.chain(codes.iter().map(|codes| codes >> 4)).collect()
    };
    let mut values = Vec::new();
    for block in row.chunks_exact(tensor_type.block_bytes()) {
        match tensor_type {
            TensorType::F32 => values.push(f32::from_le_bytes(block.try_into().unwrap())),
            TensorType::F16 => values.push(half(block)),
            TensorType::Bf16 => values.push(f32::from_bits(
                u32::from(u16::from_le_bytes([block[0], block[1]])) << 16,
            )),
            TensorType::Q8_0 => values.extend(block[2..].iter().map(|q| half(block) * f32::from(*q as i8))),
            TensorType::Q4_0 => values.extend(
                nibbles(&block[2..])
                    .iter()
                    .map(|q| half(block) * (f32::from(*q) - 8.0) + 0.0),
            ),
            TensorType::Q4_1 => {
                let minimum = half(&block[2..]);
                values.extend(
                    nibbles(&block[4..])
                        .iter()
                        .map(|q| half(block) * f32::from(*q) + minimum),
                );
            }
            TensorType::Q5_0 => {
                let fifth = u32::from_le_bytes(block[2..6].try_into().unwrap());
                let codes = nibbles(&block[6..]).into_iter().enumerate();
                let codes = codes.map(|(column, q)| i32::from(q) + ((fifth >> column & 1) << 4) as i32 - 16);
                values.extend(codes.map(|q| half(block) * q as f32 + 0.0));
            }
            TensorType::Iq4Nl => {
                // From `kvalues_iq4nl`.
                let table = [
                    -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113i8,
                ];
                let codes = nibbles(&block[2..]).into_iter();
                values.extend(codes.map(|q| half(block) * f32::from(table[usize::from(q)]) + 0.0));
            }
            TensorType::Q4K => {
                let packed = &block[4..16];
                for (part, pair) in block[16..].chunks_exact(32).enumerate() {
                    for (part, codes) in [2 * part, 2 * part + 1].into_iter().zip(nibbles(pair).chunks_exact(32)) {
                        let (scale, minimum) = if part < 4 {
                            (packed[part] & 63, packed[part + 4] & 63)
                        } else {
                            (
                                packed[part + 4] & 15 | packed[part - 4] >> 6 << 4,
                                packed[part + 4] >> 4 | packed[part] >> 6 << 4,
                            )
                        };
                        let scale = half(block) * f32::from(scale);
                        let minimum = half(&block[2..]) * f32::from(minimum);
                        values.extend(codes.iter().map(|q| scale * f32::from(*q) - minimum));
                    }
                }
            }
            TensorType::Q6K => {
                let unit = half(&block[208..]);
                for half in 0..2 {
                    let (low, high) = (&block[64 * half..][..64], &block[128 + 32 * half..][..32]);
                    for column in 0..128 {
                        let low = low[column % 64] >> (column / 64 * 4) & 15;
                        let high = high[column % 32] >> (column / 32 * 2) & 3;
                        let scale = unit * f32::from(block[192 + 8 * half + column / 16] as i8);
                        values.push(scale * (f32::from(low | high << 4) - 32.0) + 0.0);
                    }
                }
            }
        }
    }
    values
}

/// At least `columns`, as many as fill blocks.
fn blocks_of(tensor_type: TensorType, columns: usize) -> usize {
    columns.next_multiple_of(tensor_type.block_values())
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
            let columns = blocks_of(tensor_type, columns);
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
            a.values == b.values && a.offset == b.offset && a.half_sums == b.half_sums && bits(a) == bits(b)
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
        // What is no number, or none that is finite.
        x[columns - 1] = f32::NAN;
        x[2 * columns - 1] = -f32::NAN;
        x[3 * columns - 2] = f32::NAN;
        let weights = numbers.many(columns);
        let quantize = |level, x: &[f32]| {
            let mut blocks = vec![ActivationBlock::default(); x.len() / 32];
            crate::dispatch::quantize(level, x, &mut blocks);
            blocks
        };
        let expected = quantize(Level::Portable, &x);
        for level in levels() {
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

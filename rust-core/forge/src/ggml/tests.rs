//! Decoding against GGML's own Python package (`scripts/golden/tensor_types.py`), and encoding against what a type can hold.
#![allow(clippy::unwrap_used)]

use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::{Rng, SeedableRng};

use serde_json::Value;

use super::*;

#[test]
fn every_quantised_type_is_decoded_as_ggml_does() {
    let mut names = Vec::new();
    for line in include_str!("golden.jsonl").lines() {
        let golden: Value = serde_json::from_str(line).unwrap();
        let name = golden["type"].as_str().unwrap().to_owned();
        let blocks = golden["blocks"].as_str().unwrap();
        let bytes: Vec<u8> = (0..blocks.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&blocks[at..at + 2], 16).unwrap())
            .collect();
        let expected = golden["values"].as_array().unwrap().iter();
        let expected: Vec<f32> = expected.map(|value| value.as_f64().unwrap() as f32).collect();
        let row = GgmlType::by_name(&name).unwrap();
        assert_eq!(bytes.len() as u64 % row.block_bytes, 0, "{name}");
        let mut values = vec![f32::NAN; expected.len()];
        (row.codec.unwrap().decode)(&bytes, &mut values);
        let largest = expected.iter().fold(0f32, |largest, value| largest.max(value.abs()));
        for (column, (found, expected)) in values.iter().zip(&expected).enumerate() {
            let difference = (found - expected).abs();
            assert!(
                difference <= 1e-6 * largest,
                "{name} column {column}: {found} {expected}"
            );
        }
        names.push(name);
    }
    for row in TYPES.iter().filter(|row| row.is_supported() && row.block_values > 1) {
        assert!(
            names.iter().any(|name| name == row.name),
            "{} has no golden blocks",
            row.name
        );
    }
}

/// Values that are distributed as weights are.
fn weights(count: usize) -> Vec<f32> {
    let mut random = Pcg64Mcg::seed_from_u64(3);
    let mut uniform = || random.next_u32() as f32 / u32::MAX as f32 - 0.5;
    (0..count)
        .map(|_| 0.05 * (0..6).map(|_| uniform()).sum::<f32>())
        .collect()
}

fn relative_error(before: &[f32], after: &[f32]) -> f32 {
    let squares = |values: &mut dyn Iterator<Item = f32>| values.map(|value| value * value).sum::<f32>();
    let errors = squares(&mut before.iter().zip(after).map(|(before, after)| before - after));
    (errors / squares(&mut before.iter().copied())).sqrt()
}

#[test]
fn encoding_is_as_close_as_a_type_allows() {
    let values = weights(4096);
    for (tensor_type, most) in [
        (TensorType::Q8_0, 0.006),
        (TensorType::Q6K, 0.019),
        (TensorType::Q5_0, 0.042),
        (TensorType::Q4K, 0.075),
        (TensorType::Q4_1, 0.075),
        (TensorType::Iq4Nl, 0.078),
        (TensorType::Q4_0, 0.085),
    ] {
        let mut blocks = vec![0xaa; tensor_type.row_bytes(values.len()).unwrap()];
        assert!(encode(tensor_type, &values, &mut blocks));
        let mut stored = vec![0.0; values.len()];
        (GgmlType::of(tensor_type).codec.unwrap().decode)(&blocks, &mut stored);
        let error = relative_error(&values, &stored);
        assert!(error > most / 3.0 && error < most, "{tensor_type}: {error}");
        // What is stored is stored again without loss worth mentioning.
        assert!(encode(tensor_type, &stored, &mut blocks));
        let mut again = vec![0.0; values.len()];
        (GgmlType::of(tensor_type).codec.unwrap().decode)(&blocks, &mut again);
        let error = relative_error(&stored, &again);
        assert!(error < most / 4.0, "{tensor_type} a second time: {error}");
    }
}

#[test]
fn edges_are_stored_or_refused() {
    let types = TensorType::ALL.into_iter().filter(|each| each.is_quantized());
    for tensor_type in types {
        let columns = tensor_type.block_values();
        let mut blocks = vec![0xaa; tensor_type.row_bytes(columns).unwrap()];
        for value in [0.0, 1.0, -1.0, 60_000.0, -60_000.0] {
            let values = vec![value; columns];
            assert!(encode(tensor_type, &values, &mut blocks), "{tensor_type} {value}");
            let mut stored = vec![f32::NAN; columns];
            (GgmlType::of(tensor_type).codec.unwrap().decode)(&blocks, &mut stored);
            assert!(
                stored.iter().all(|stored| (stored - value).abs() <= 0.07 * value.abs()),
                "{tensor_type} {value}: {stored:?}"
            );
        }
        for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 3e38] {
            let mut values = vec![0.5; columns];
            values[1] = value;
            assert!(!encode(tensor_type, &values, &mut blocks), "{tensor_type} {value}");
        }
    }
}

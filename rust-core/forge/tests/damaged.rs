//! Damaged model files: whatever is cut, flipped or claimed, an import ends in a typed error or in a valid bundle, and an error
//! leaves nothing behind.
#![allow(clippy::unwrap_used)]

mod support;

use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::{Rng, SeedableRng};
use support::{Desk, small};
use whimbrel_engine::verify;
use whimbrel_forge::{ForgeError, Gguf, GgufError, Quantization, summarize};
use whimbrel_kernels::TensorType;

/// Imports a file and checks what is left. Returns the error's text, or nothing for a bundle.
fn check(file: &[u8]) -> Option<String> {
    let desk = Desk::new(file);
    match desk.import() {
        Ok(manifest) => {
            assert_eq!(verify(&desk.output()).unwrap(), manifest);
            None
        }
        Err(error) => {
            assert_eq!(desk.names(), ["model.gguf"], "{error}");
            Some(error.to_string())
        }
    }
}

#[test]
fn truncated_files_are_refused() {
    let file = small().to_gguf();
    let mut random = Pcg64Mcg::seed_from_u64(6);
    for _ in 0..200 {
        let length = random.next_u64() as usize % file.len();
        let error = check(&file[..length]);
        // The bytes after the last tensor's values only fill up its alignment; there are none in this file.
        assert!(error.is_some(), "{length} of {} bytes were accepted", file.len());
    }
}

#[test]
fn flipped_bytes_never_crash() {
    let synthetic = small();
    let file = synthetic.to_gguf();
    let header_bytes = synthetic.to_vocabulary_gguf().len();
    let mut random = Pcg64Mcg::seed_from_u64(7);
    let mut refused = 0;
    for round in 0..1_000 {
        // Half of the flips hit keys, values and the table of tensors, where they hurt most.
        let within = if round % 2 == 0 { header_bytes } else { file.len() };
        let position = random.next_u64() as usize % within;
        let mut damaged = file.clone();
        damaged[position] ^= 1 << (random.next_u64() % 8);
        refused += usize::from(check(&damaged).is_some());
    }
    assert!(
        (100..1_000).contains(&refused),
        "{refused} of 1,000 damaged files were refused"
    );
}

#[test]
fn flipped_bytes_never_crash_the_quantisers() {
    let file = small().to_gguf();
    let mut random = Pcg64Mcg::seed_from_u64(8);
    for quantization in [
        Quantization::Q8_0,
        Quantization::Q4_1,
        Quantization::Q4_0,
        Quantization::F16,
    ] {
        for _ in 0..50 {
            let mut damaged = file.clone();
            for _ in 0..20 {
                let position = file.len() / 2 + random.next_u64() as usize % (file.len() / 2);
                damaged[position] = random.next_u64() as u8;
            }
            let desk = Desk::new(&damaged);
            let options = whimbrel_forge::ImportOptions {
                quantization,
                ..desk.options()
            };
            match whimbrel_forge::import(&options, &mut |_| ()) {
                Ok(manifest) => assert_eq!(verify(&desk.output()).unwrap(), manifest),
                Err(ForgeError::Tensor { .. }) => assert_eq!(desk.names(), ["model.gguf"]),
                Err(other) => panic!("{other}"),
            }
        }
    }
}

/// A file that starts with the given header fields and ends there.
fn header(tensors: u64, keys: u64, rest: &[u8]) -> Vec<u8> {
    [
        b"GGUF".as_slice(),
        &3u32.to_le_bytes(),
        &tensors.to_le_bytes(),
        &keys.to_le_bytes(),
        rest,
    ]
    .concat()
}

fn key(name: &str, value_type: u32, value: &[u8]) -> Vec<u8> {
    [
        &(name.len() as u64).to_le_bytes(),
        name.as_bytes(),
        &value_type.to_le_bytes(),
        value,
    ]
    .concat()
}

#[test]
fn lengths_that_the_file_does_not_have_are_refused() {
    const FOUR_GIGABYTES: u64 = 4 << 30;
    let four_gigabytes = FOUR_GIGABYTES.to_le_bytes();
    let nested: Vec<u8> = std::iter::repeat_n([9u32.to_le_bytes().as_slice(), &1u64.to_le_bytes()].concat(), 5_000)
        .flatten()
        .collect();
    let array = |element_type: u32, count: u64| {
        key(
            "k",
            9,
            &[element_type.to_le_bytes().as_slice(), &count.to_le_bytes()].concat(),
        )
    };
    let tensor = |rank: u32, dimensions: &[u64], type_id: u32, offset: u64| {
        let mut bytes = [&1u64.to_le_bytes(), b"t".as_slice(), &rank.to_le_bytes()].concat();
        dimensions
            .iter()
            .for_each(|dimension| bytes.extend(dimension.to_le_bytes()));
        bytes.extend(type_id.to_le_bytes());
        bytes.extend(offset.to_le_bytes());
        header(1, 0, &bytes)
    };
    let huge = 1u64 << 40;
    let cases: [(&str, Vec<u8>, &str); 20] = [
        ("empty", vec![], "does not start with"),
        (
            "other format",
            b"PK\x03\x04 something else".to_vec(),
            "does not start with",
        ),
        (
            "version 1",
            [b"GGUF".as_slice(), &1u32.to_le_bytes()].concat(),
            "version 1 is not supported",
        ),
        (
            "big-endian",
            [b"GGUF".as_slice(), &3u32.to_be_bytes()].concat(),
            "version 50331648 is not supported",
        ),
        (
            "tensor count",
            header(FOUR_GIGABYTES, 0, &[]),
            "4294967296 tensors at byte 8, at most 65536",
        ),
        (
            "key count",
            header(0, FOUR_GIGABYTES, &[]),
            "4294967296 keys at byte 16, at most 16384",
        ),
        (
            "key length",
            header(0, 1, &four_gigabytes),
            "4294967296 bytes of text at byte 24, at most 1024",
        ),
        (
            "key beyond the end",
            header(0, 1, &100u64.to_le_bytes()),
            "100 bytes needed at byte 32, the file has 0 more",
        ),
        (
            "string length",
            header(0, 1, &key("k", 8, &four_gigabytes)),
            "key \"k\": 4294967296 bytes of text",
        ),
        (
            "array length",
            header(0, 1, &array(8, FOUR_GIGABYTES)),
            "4294967296 array elements",
        ),
        (
            "array beyond the end",
            header(0, 1, &array(12, 1 << 20)),
            "8388608 bytes needed",
        ),
        (
            "array of strings beyond the end",
            header(0, 1, &array(8, 1 << 20)),
            "8 bytes needed",
        ),
        (
            "nested arrays",
            header(0, 1, &key("k", 9, &nested)),
            "nested more than 4 deep",
        ),
        ("value type", header(0, 1, &key("k", 77, &[])), "unknown value type 77"),
        ("bool", header(0, 1, &key("k", 7, &[2])), "2 as a bool"),
        ("dimensions", tensor(5, &[1; 5], 0, 0), "5 dimensions, not 1 to 4"),
        (
            "values overflow",
            tensor(3, &[huge, huge, huge], 0, 0),
            "do not make whole F32 blocks",
        ),
        (
            "bytes beyond the end",
            tensor(2, &[huge, 4], 8, 0),
            "tensor \"t\": 4672924418048 bytes needed",
        ),
        (
            "offset",
            tensor(1, &[4], 0, 31),
            "data offset 31 is not a multiple of 32",
        ),
        ("tensor type", tensor(1, &[4], 4, 0), "unknown tensor type 4"),
    ];
    for (name, file, expected) in cases {
        let error = check(&file).unwrap();
        assert!(error.contains(expected), "{name}: {error}");
    }
}

#[test]
fn tensors_that_share_bytes_are_refused() {
    let mut bytes = Vec::new();
    for name in [b"a", b"b"] {
        bytes.extend(1u64.to_le_bytes());
        bytes.extend(name);
        bytes.extend(1u32.to_le_bytes());
        bytes.extend(16u64.to_le_bytes());
        bytes.extend(0u32.to_le_bytes());
        bytes.extend(0u64.to_le_bytes());
    }
    let mut file = header(2, 0, &bytes);
    file.resize(file.len() + 200, 0);
    let error = Gguf::parse(&file).err().unwrap();
    assert!(
        matches!(&error, GgufError::Invalid { within, .. } if within == "tensor \"b\""),
        "{error}"
    );
}

#[test]
fn limits_hold_at_the_limit_and_one_past_it() {
    let key_of = |length: u64| header(0, 1, &key(&"k".repeat(length as usize), 7, &[1]));
    assert!(Gguf::parse(&key_of(whimbrel_forge::gguf::NAME_BYTES_MAX)).is_ok());
    assert!(matches!(
        Gguf::parse(&key_of(whimbrel_forge::gguf::NAME_BYTES_MAX + 1)).err(),
        Some(GgufError::Limit {
            what: "bytes of text",
            ..
        })
    ));
    let aligned = |alignment: u64| header(0, 1, &key("general.alignment", 10, &alignment.to_le_bytes()));
    for (alignment, is_valid) in [
        (8, true),
        (64, true),
        (1 << 16, true),
        (1 << 17, false),
        (4, false),
        (0, false),
        (48, false),
    ] {
        assert_eq!(
            Gguf::parse(&aligned(alignment)).is_ok(),
            is_valid,
            "alignment {alignment}"
        );
    }
}

#[test]
fn a_file_of_a_vocabulary_only_parses_but_is_no_model() {
    let file = small().to_vocabulary_gguf();
    let gguf = Gguf::parse(&file).unwrap();
    assert!(gguf.tensors().is_empty());
    assert!(whimbrel_forge::Vocabulary::read(&gguf).is_ok());
    let error = summarize(&gguf, Quantization::Keep).unwrap_err();
    assert_eq!(error.to_string(), "tensor token_embd.weight: it is missing");
}

#[test]
fn every_stored_type_survives_the_damage_test() {
    let mut random = Pcg64Mcg::seed_from_u64(9);
    for tensor_type in TensorType::ALL {
        let file = whimbrel_forge::synthetic::Synthetic { tensor_type, ..small() }.to_gguf();
        assert_eq!(check(&file), None, "{tensor_type}");
        for _ in 0..20 {
            check(&file[..random.next_u64() as usize % file.len()]);
        }
    }
}

//! What an import writes: the values of every tensor, the graph, the manifest, and which files are refused.
#![allow(clippy::unwrap_used)]

mod support;

use support::{Desk, replaced, small, stored, tensors};
use whimbrel_engine::TensorType;
use whimbrel_forge::synthetic::Synthetic;
use whimbrel_forge::{EmbeddingType, ForgeError, Gguf, ImportOptions, Quantization, Vocabulary, import};

/// The rows of a source tensor as floats, in the source's order.
fn source_rows(file: &[u8], name: &str, tensor_type: TensorType) -> Vec<Vec<f32>> {
    let gguf = Gguf::parse(file).unwrap();
    let tensor = gguf.tensor(name).unwrap();
    let [columns, rows, ..] = tensor.dimensions.map(|dimension| dimension as usize);
    let mut packed = vec![0; tensor_type.packed_bytes(rows, columns).unwrap()];
    whimbrel_kernels::pack(tensor_type, rows, columns, tensor.bytes, &mut packed);
    let row = |row| {
        let mut values = vec![0.0; columns];
        whimbrel_kernels::unpack_row(tensor_type, &packed, row, &mut values);
        values
    };
    (0..rows).map(row).collect()
}

/// The rows of a query or key matrix in the order that the engine expects, written out naively: the even rows of a head's
/// rotated part, its odd rows, the rest.
fn split_pairs(rows: Vec<Vec<f32>>, head_dim: usize) -> Vec<Vec<f32>> {
    let split = |head: &[Vec<f32>]| {
        let even = head.iter().step_by(2).cloned();
        even.chain(head.iter().skip(1).step_by(2).cloned()).collect::<Vec<_>>()
    };
    rows.chunks(head_dim).flat_map(split).collect()
}

/// A small model whose rows fill blocks of a type.
fn of_type(tensor_type: TensorType) -> Synthetic {
    match tensor_type.block_values() {
        256 => Synthetic {
            width: 256,
            feed_forward: 256,
            head_dim: 128,
            ..small()
        },
        _ => small(),
    }
}

#[test]
fn keep_changes_no_value() {
    for tensor_type in TensorType::ALL {
        for tied in [false, true] {
            let synthetic = Synthetic {
                tensor_type,
                tied,
                ..of_type(tensor_type)
            };
            let file = synthetic.to_gguf();
            let desk = Desk::new(&file);
            let manifest = desk.import().unwrap();
            assert_eq!(manifest.variants[0].name, tensor_type.name());
            assert_eq!(manifest.variants[0].conversions, []);
            let written = tensors(&desk.output(), &manifest);
            for (name, values) in &written {
                if name == "rope_frequencies" {
                    continue;
                }
                let stored = if name.ends_with("_norm") {
                    TensorType::F32
                } else {
                    tensor_type
                };
                let mut expected = source_rows(&file, &format!("{name}.weight"), stored);
                if name.ends_with("attn_q") || name.ends_with("attn_k") {
                    expected = split_pairs(expected, synthetic.head_dim as usize);
                }
                assert!(*values == expected, "{name} of {tensor_type}");
            }
            assert_eq!(
                written.len(),
                9 + if tied { 3 } else { 4 },
                "{tensor_type}, tied: {tied}"
            );
        }
    }
}

fn squared_error(values: &[Vec<f32>], expected: &[Vec<f32>]) -> f64 {
    let pairs = values.iter().flatten().zip(expected.iter().flatten());
    pairs.map(|(value, expected)| f64::from(value - expected).powi(2)).sum()
}

/// The plain quantiser of the format's definition, without any search: the scale maps the largest value to the end of the range.
fn plain(values: &[f32], quantization: Quantization) -> Vec<f32> {
    let largest = values
        .iter()
        .copied()
        .max_by(|a, b| a.abs().total_cmp(&b.abs()))
        .unwrap();
    let (minimum, maximum) = values
        .iter()
        .fold((f32::MAX, f32::MIN), |(low, high), v| (low.min(*v), high.max(*v)));
    let (scale, offset, low, high) = match quantization {
        Quantization::Q8_0 => (largest.abs() / 127.0, 0.0, -127.0, 127.0),
        Quantization::Q4_0 => (largest / -8.0, 0.0, -8.0, 7.0),
        _ => ((maximum - minimum) / 15.0, minimum, 0.0, 15.0),
    };
    values
        .iter()
        .map(|value| scale * ((value - offset) / scale).round().clamp(low, high) + offset)
        .collect()
}

#[test]
fn quantisers_err_less_than_plain_rounding() {
    let synthetic = small();
    let file = synthetic.to_gguf();
    let desk = Desk::new(&file);
    let expected = source_rows(&file, "blk.0.ffn_up.weight", TensorType::F32);
    for (quantization, at_most) in [
        (Quantization::Q8_0, 1.0),
        (Quantization::Q4_1, 0.9),
        (Quantization::Q4_0, 0.9),
    ] {
        let manifest = desk.import_as(quantization);
        let written = tensors(&desk.output(), &manifest);
        let (_, values) = written.iter().find(|(name, _)| name == "blk.0.ffn_up").unwrap();
        let rounded: Vec<Vec<f32>> = expected
            .iter()
            .map(|row| row.chunks(32).flat_map(|block| plain(block, quantization)).collect())
            .collect();
        let ratio = squared_error(values, &expected) / squared_error(&rounded, &expected);
        assert!(
            ratio < at_most,
            "{quantization}: {ratio} of the plain quantiser's squared error"
        );
    }
}

#[test]
fn floats_convert_exactly_where_they_can() {
    let file = Synthetic {
        tensor_type: TensorType::F16,
        ..small()
    }
    .to_gguf();
    let desk = Desk::new(&file);
    let expected = source_rows(&file, "blk.0.ffn_up.weight", TensorType::F16);
    let manifest = desk.import_as(Quantization::F32);
    let written = tensors(&desk.output(), &manifest);
    assert!(
        written
            .iter()
            .any(|(name, values)| name == "blk.0.ffn_up" && *values == expected)
    );
}

/// The stored type of a tensor after an import.
fn stored_type(desk: &Desk, quantization: Quantization, name: &str) -> TensorType {
    let manifest = desk.import_as(quantization);
    let index = std::fs::read(desk.output().join(&manifest.variants[0].index.path)).unwrap();
    let index = whimbrel_engine::WeightsIndex::parse(&index, manifest.variants[0].weights.bytes).unwrap();
    assert!(index.tensors.iter().all(|tensor| tensor.offset % 64 == 0));
    index
        .tensors
        .iter()
        .find(|tensor| tensor.name == name)
        .unwrap()
        .tensor_type
}

#[test]
fn every_tensor_gets_the_type_that_suits_it() {
    let whole = Desk::new(&small().to_gguf());
    // 40 columns do not fill blocks of 32.
    let ragged = Desk::new(&Synthetic { width: 40, ..small() }.to_gguf());
    let large = Desk::new(&of_type(TensorType::Q4K).to_gguf());
    let cases = [
        (&whole, Quantization::Keep, "blk.0.attn_q", TensorType::F32),
        (&whole, Quantization::F16, "token_embd", TensorType::F16),
        (&whole, Quantization::Q8_0, "blk.0.attn_q", TensorType::Q8_0),
        (&whole, Quantization::Q8_0, "output", TensorType::Q8_0),
        (&whole, Quantization::Q4_1, "blk.0.attn_q", TensorType::Q4_1),
        (&whole, Quantization::Q4_1, "token_embd", TensorType::Q8_0),
        (&whole, Quantization::Q4_0, "output", TensorType::Q8_0),
        (&whole, Quantization::Q4_0, "blk.0.ffn_down", TensorType::Q4_0),
        (&whole, Quantization::Q4_0, "blk.0.attn_norm", TensorType::F32),
        (&whole, Quantization::F16, "rope_frequencies", TensorType::F32),
        (&ragged, Quantization::Q4_1, "blk.0.attn_q", TensorType::F16),
        (&ragged, Quantization::Q8_0, "token_embd", TensorType::F16),
        (&ragged, Quantization::Q4_1, "blk.0.ffn_down", TensorType::Q4_1),
        (&large, Quantization::Q4K, "blk.0.attn_q", TensorType::Q4K),
        (&large, Quantization::Q4K, "token_embd", TensorType::Q6K),
        (&large, Quantization::Q6K, "blk.0.ffn_down", TensorType::Q6K),
        (&large, Quantization::Q5_0, "blk.0.ffn_up", TensorType::Q5_0),
        (&large, Quantization::Q5_0, "output", TensorType::Q8_0),
        (&large, Quantization::Iq4Nl, "blk.0.ffn_up", TensorType::Iq4Nl),
        // As in llama.cpp's files where rows are no multiple of 256.
        (&whole, Quantization::Q4K, "blk.0.attn_q", TensorType::Q5_0),
        (&whole, Quantization::Q4K, "token_embd", TensorType::Q8_0),
        (&whole, Quantization::Q6K, "blk.0.ffn_down", TensorType::Q8_0),
        (&ragged, Quantization::Q4K, "blk.0.attn_q", TensorType::F16),
    ];
    for (desk, quantization, name, expected) in cases {
        assert_eq!(
            stored_type(desk, quantization, name),
            expected,
            "{name} with {quantization}"
        );
    }
}

#[test]
fn an_embedding_is_only_made_narrower() {
    let import_of = |tensor_type: TensorType, embedding: EmbeddingType| {
        let synthetic = Synthetic {
            tensor_type,
            ..of_type(TensorType::Q6K)
        };
        let desk = Desk::new(&synthetic.to_gguf());
        let options = ImportOptions {
            embedding: Some(embedding),
            ..desk.options()
        };
        let manifest = import(&options, &mut |_| ()).unwrap();
        let index = std::fs::read(desk.output().join(&manifest.variants[0].index.path)).unwrap();
        let index = whimbrel_engine::WeightsIndex::parse(&index, manifest.variants[0].weights.bytes).unwrap();
        let of_name = |name: &str| {
            index
                .tensors
                .iter()
                .find(|tensor| tensor.name == name)
                .unwrap()
                .tensor_type
        };
        [of_name("token_embd"), of_name("output"), of_name("blk.0.attn_q")]
    };
    for (stored, embedding, [table, layer]) in [
        (
            TensorType::F16,
            EmbeddingType::Q8_0,
            [TensorType::Q8_0, TensorType::F16],
        ),
        (TensorType::F16, EmbeddingType::Q6K, [TensorType::Q6K, TensorType::F16]),
        (
            TensorType::Q8_0,
            EmbeddingType::Q6K,
            [TensorType::Q6K, TensorType::Q8_0],
        ),
        (TensorType::Q8_0, EmbeddingType::Q8_0, [TensorType::Q8_0; 2]),
        (TensorType::Q4_0, EmbeddingType::Q6K, [TensorType::Q4_0; 2]),
    ] {
        assert_eq!(import_of(stored, embedding), [table, table, layer], "{stored}");
    }
}

/// A type without kernels becomes the nearest one that has them; the manifest says how far its values moved.
#[test]
fn types_without_kernels_are_widened() {
    let file = Synthetic {
        tied: true,
        ..of_type(TensorType::Q4K)
    }
    .to_gguf();
    let golden = include_str!("../src/ggml/golden.jsonl");
    for (name, id, to, most) in [
        ("Q5_1", 7u32, "q8_0", 0.01),
        ("Q2_K", 10, "q4_k", 0.2),
        ("Q3_K", 11, "q6_k", 0.02),
        ("Q5_K", 13, "q6_k", 0.02),
        ("IQ4_XS", 23, "iq4_nl", 0.001),
    ] {
        let line = golden.lines().find(|line| line.contains(&format!("\"{name}\"")));
        let golden: serde_json::Value = serde_json::from_str(line.unwrap()).unwrap();
        let blocks = golden["blocks"].as_str().unwrap();
        let blocks: Vec<u8> = (0..blocks.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&blocks[at..at + 2], 16).unwrap())
            .collect();
        let values: Vec<f32> = golden["values"]
            .as_array()
            .unwrap()
            .iter()
            .map(|value| value.as_f64().unwrap() as f32)
            .collect();
        // The key matrix's place holds more bytes as F32 than it needs now.
        let tensor = "blk.0.attn_v.weight";
        let description = [
            stored(tensor),
            2u32.to_le_bytes().to_vec(),
            256u64.to_le_bytes().to_vec(),
            128u64.to_le_bytes().to_vec(),
        ]
        .concat();
        let from = [description.as_slice(), &0u32.to_le_bytes()].concat();
        let mut file = replaced(&file, &from, &[description.as_slice(), &id.to_le_bytes()].concat());
        let gguf = Gguf::parse(&file).unwrap();
        let bytes = gguf.tensor(tensor).unwrap().bytes;
        let (place, length) = (bytes.as_ptr() as usize - file.as_ptr() as usize, bytes.len());
        let repeated: Vec<u8> = blocks.iter().copied().cycle().take(length).collect();
        file[place..place + length].copy_from_slice(&repeated);

        let desk = Desk::new(&file);
        let manifest = desk.import().unwrap();
        let [conversion] = &manifest.variants[0].conversions[..] else {
            panic!("{name} is one conversion")
        };
        assert_eq!(
            (conversion.from.as_str(), conversion.to.as_str(), conversion.tensors),
            (name.to_lowercase().as_str(), to, 1)
        );
        assert!(
            conversion.relative_error < most,
            "{name}: {}",
            conversion.relative_error
        );
        let written = tensors(&desk.output(), &manifest);
        let (_, rows) = written.iter().find(|(name, _)| name == "blk.0.attn_v").unwrap();
        let (mut errors, mut squares) = (0.0, 0.0);
        for (found, expected) in rows.iter().flatten().zip(values.iter().cycle()) {
            errors += f64::from(found - expected).powi(2);
            squares += f64::from(*expected).powi(2);
        }
        let error = (errors / squares).sqrt();
        assert!(
            (error - conversion.relative_error).abs() < 1e-3 * error + 1e-6,
            "{name}: {error}"
        );
    }
}

#[test]
fn frequencies_follow_the_scaling_of_positions() {
    let plain: Vec<f32> = (0..8)
        .map(|pair| 10_000f64.powf(-2.0 * f64::from(pair) / 16.0) as f32)
        .collect();
    let divided = |divisors: [f32; 8]| {
        plain
            .iter()
            .zip(divisors)
            .map(|(plain, divisor)| plain / divisor)
            .collect()
    };
    let cases: [(Synthetic, Vec<f32>); 3] = [
        (small(), divided([1.0; 8])),
        (
            Synthetic {
                rope_linear: Some(4.0),
                ..small()
            },
            divided([4.0; 8]),
        ),
        (
            Synthetic {
                rope_factors: true,
                ..small()
            },
            divided([1.0, 1.0, 1.0, 1.0, 8.0, 8.0, 8.0, 8.0]),
        ),
    ];
    for (synthetic, expected) in cases {
        let desk = Desk::new(&synthetic.to_gguf());
        let manifest = desk.import().unwrap();
        let written = tensors(&desk.output(), &manifest);
        let (_, values) = written.iter().find(|(name, _)| name == "rope_frequencies").unwrap();
        for (value, expected) in values[0].iter().zip(&expected) {
            assert!(
                (value / expected - 1.0).abs() < 1e-6,
                "{value} instead of {expected}: {synthetic:?}"
            );
        }
    }
}

#[test]
fn what_is_not_supported_is_refused_by_name() {
    let file = Synthetic {
        rope_linear: Some(2.0),
        ..small()
    }
    .to_gguf();
    let rename = |from: &str, to: &str| replaced(&file, &stored(from), &stored(to));
    // A tensor is followed by its dimensions and its type; 14 is Q6_K, 26 is I32.
    let norm = [
        stored("output_norm.weight"),
        1u32.to_le_bytes().to_vec(),
        32u64.to_le_bytes().to_vec(),
    ]
    .concat();
    let retyped = |id: u32| {
        let from = [norm.as_slice(), &0u32.to_le_bytes()].concat();
        replaced(&file, &from, &[norm.as_slice(), &id.to_le_bytes()].concat())
    };
    let cases = [
        (
            rename("llama", "mamba"),
            "architecture \"mamba\" is not supported; supported: llama, qwen2, qwen3, granite, minicpm, gemma3, lfm2, smollm3",
        ),
        (
            retyped(26),
            "tensor type \"I32 (tensor output_norm.weight)\" is not supported; supported: F32, F16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K, Q3_K, Q4_K, \
             Q5_K, Q6_K, IQ4_NL, IQ4_XS, BF16",
        ),
        (
            rename("gpt2", "bert"),
            "tokenizer model \"bert\" is not supported; supported: gpt2 (byte-level BPE), llama (sentencepiece), gemma4 (BPE of characters)",
        ),
        (
            rename("smollm", "viking"),
            "pre-tokenizer \"viking\" is not supported; supported: default, gpt-2, phi-2, gigachat, a.x-4.0, mellum, mpt, olmo, jais, \
             trillion, granite-docling, exaone4, llama-bpe, llama3, llama-v3, falcon3, falcon-h1, pixtral, midm-2.0, lfm2, smaug-bpe, \
             dbrx, chatglm-bpe, glm4, glm5, smollm, refact, starcoder, command-r, codeshell, exaone, minerva-7b, mellum2, qwen2, \
             deepseek-r1-qwen, kormo, megrez, stablelm2, hunyuan, solar-open, grok-2, qwen35, gpt-4o, llama4, kanana2, talkie, \
             minimax-m2, tekken, falcon, deepseek-coder, deepseek-llm, deepseek-v3, hunyuan-dense, joyai-llm, hy_v4, granite, smollm3",
        ),
        (
            rename("linear", "yarn 2"),
            "rope scaling type \"yarn 2\" is not supported; supported: none, linear",
        ),
        (
            rename("output.weight", "output.biases"),
            "tensor \"output.biases\" is not supported; supported: the weights of the llama architecture without biases, \
             experts or adapters",
        ),
        (
            rename("blk.0.attn_k.weight", "blk.0.attn_k.biased"),
            "tensor blk.0.attn_k.weight: it is missing",
        ),
        (
            rename("llama.block_count", "llama.block_weird"),
            "key llama.block_count is missing",
        ),
    ];
    for (file, expected) in cases {
        let desk = Desk::new(&file);
        assert_eq!(desk.import().unwrap_err().to_string(), expected);
        assert_eq!(desk.names(), ["model.gguf"]);
    }
    let error = "q5_1".parse::<Quantization>().unwrap_err();
    let expected = "quantization \"q5_1\" is not supported; supported: keep, q8_0, q6_k, q5_0, q4_k, q4_1, q4_0, iq4_nl, \
                    f16, f32";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn a_type_that_is_only_known_by_name_is_listed_before_it_is_refused() {
    // 256 columns of F32 as one block of IQ2_XXS.
    let file = Synthetic {
        width: 256,
        head_dim: 128,
        ..small()
    }
    .to_gguf();
    let norm = [
        stored("output_norm.weight"),
        1u32.to_le_bytes().to_vec(),
        256u64.to_le_bytes().to_vec(),
    ]
    .concat();
    let from = [norm.as_slice(), &0u32.to_le_bytes()].concat();
    let file = replaced(&file, &from, &[norm.as_slice(), &16u32.to_le_bytes()].concat());
    assert_eq!(
        Gguf::parse(&file)
            .unwrap()
            .tensor("output_norm.weight")
            .unwrap()
            .ggml_type
            .name,
        "IQ2_XXS"
    );
    let error = Desk::new(&file).import().unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("tensor type \"IQ2_XXS (tensor output_norm.weight)\" is not supported"),
        "{error}"
    );
}

#[test]
fn values_that_cannot_be_stored_are_refused() {
    let mut file = small().to_gguf();
    let last = file.len() - 4;
    let desk = |file: &[u8]| Desk::new(file);
    let quantised = |desk: &Desk, quantization| {
        import(
            &ImportOptions {
                quantization,
                ..desk.options()
            },
            &mut |_| (),
        )
        .map(|_| ())
    };
    file[last..].copy_from_slice(&f32::NAN.to_le_bytes());
    assert!(matches!(
        quantised(&desk(&file), Quantization::Q8_0),
        Err(ForgeError::Tensor { .. })
    ));
    assert!(quantised(&desk(&file), Quantization::Keep).is_ok());
    file[last..].copy_from_slice(&1e9f32.to_le_bytes());
    for quantization in [Quantization::F16, Quantization::Q8_0] {
        let error = quantised(&desk(&file), quantization).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("tensor output: row 299 holds a value that"),
            "{error}"
        );
    }
    assert!(quantised(&desk(&file), Quantization::F32).is_ok());
}

#[test]
fn options_and_keys_fill_the_manifest() {
    let desk = Desk::new(&small().to_gguf());
    let manifest = desk.import().unwrap();
    assert_eq!(manifest.name, "Whimbrel Tiny");
    assert_eq!((manifest.version.as_str(), manifest.task.as_str()), ("1.0.0", "chat"));
    assert_eq!(manifest.licence.spdx, "Apache-2.0");
    assert_eq!(manifest.source.file, "model.gguf");
    assert_eq!(
        manifest.source.blake3,
        blake3::hash(&std::fs::read(desk.source()).unwrap()).to_hex().as_str()
    );
    assert_eq!(manifest.tokenizer.end_of_turn, [0, 2]);
    let options = ImportOptions {
        name: Some("Other name".to_owned()),
        version: Some("2.1.0".to_owned()),
        licence: Some("MIT".to_owned()),
        origin: Some("a shelf".to_owned()),
        replace: true,
        ..desk.options()
    };
    let manifest = import(&options, &mut |_| ()).unwrap();
    assert_eq!(
        (manifest.name.as_str(), manifest.version.as_str()),
        ("Other name", "2.1.0")
    );
    assert_eq!(
        (manifest.licence.spdx.as_str(), manifest.source.origin.as_deref()),
        ("MIT", Some("a shelf"))
    );
    let graph = std::fs::read_to_string(desk.output().join(&manifest.variants[0].graph.path)).unwrap();
    assert!(graph.contains("graph other_name(ids) -> (logits) {"), "{graph}");
    for (name, licence) in [(Some(""), None), (Some("a\nb"), None), (None, Some(" "))] {
        let [name, licence] = [name, licence].map(|text: Option<&str>| text.map(str::to_owned));
        let result = import(
            &ImportOptions {
                name,
                licence,
                replace: true,
                ..desk.options()
            },
            &mut |_| (),
        );
        assert!(matches!(result, Err(ForgeError::Option { .. })));
    }
}

#[test]
fn bytes_per_token_count_what_a_token_reads() {
    // In 32-bit floats: the layers' matrices and norms, the last norm, the frequencies, and the head; of an untied embedding
    // one row.
    let Synthetic {
        width,
        feed_forward,
        heads,
        kv_heads,
        head_dim,
        vocabulary,
        ..
    } = small();
    let attention = 2 * heads * head_dim * width + 2 * kv_heads * head_dim * width;
    let layers = attention + 3 * width * feed_forward + 2 * width;
    let shared = layers + width + head_dim / 2 + vocabulary * width;
    for (tied, values) in [(true, shared), (false, shared + width)] {
        let desk = Desk::new(&Synthetic { tied, ..small() }.to_gguf());
        let manifest = desk.import().unwrap();
        assert_eq!(
            manifest.variants[0].bytes_per_token,
            4 * u64::from(values),
            "tied: {tied}"
        );
        assert!(manifest.variants[0].peak_memory_bytes > manifest.variants[0].weights.bytes);
    }
}

#[test]
fn a_vocabulary_is_read_as_llama_cpp_reads_it() {
    let file = small().to_vocabulary_gguf();
    let gguf = Gguf::parse(&file).unwrap();
    let Vocabulary { parts, chat_template } = Vocabulary::read(&gguf).unwrap();
    assert_eq!(parts.tokens.len(), 300);
    assert_eq!(parts.tokens[2], b"<|im_end|>");
    assert_eq!(parts.tokens[3 + usize::from(b' ')], b" ");
    assert_eq!((parts.bos, parts.eos, parts.add_bos), (Some(1), Some(2), false));
    assert_eq!(parts.merges.len(), 300 - 259);
    assert!(chat_template.unwrap().contains("<|im_start|>assistant"));
    for (id, token) in parts.tokens.iter().enumerate().skip(259) {
        let (left, right) = parts.merges[id - 259];
        assert_eq!(
            *token,
            [parts.tokens[left as usize].as_slice(), &parts.tokens[right as usize]].concat()
        );
    }
}

#[test]
fn a_vocabulary_that_contradicts_itself_is_refused() {
    let file = small().to_vocabulary_gguf();
    let rename = |from: &str, to: &str| replaced(&file, &stored(from), &stored(to));
    let eos = [stored("tokenizer.ggml.eos_token_id"), 4u32.to_le_bytes().to_vec()].concat();
    let out_of_range = replaced(
        &file,
        &[eos.as_slice(), &2u32.to_le_bytes()].concat(),
        &[eos.as_slice(), &300u32.to_le_bytes()].concat(),
    );
    let cases = [
        (rename("<|im_end|>", "<|IM_end|>"), None),
        (
            rename("a", "b"),
            Some("vocabulary: token 100 has the text of another token"),
        ),
        (
            rename("Ġ t", "Ġtt"),
            Some("vocabulary: merge 1 is not two tokens with a space between them"),
        ),
        (
            rename("Ġ t", "zz z"),
            Some("vocabulary: merge 1 names a text that is not a token"),
        ),
        (
            out_of_range,
            Some("key tokenizer.ggml.eos_token_id: token 300 does not exist, there are 300"),
        ),
    ];
    for (file, expected) in cases {
        let result = Vocabulary::read(&Gguf::parse(&file).unwrap());
        assert_eq!(result.err().map(|error| error.to_string()).as_deref(), expected);
    }
}

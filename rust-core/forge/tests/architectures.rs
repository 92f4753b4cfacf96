//! Every architecture on a random tiny model of it: its graph on our operators and on tract's, the order of its rows, and what is refused.
#![allow(clippy::unwrap_used)]

mod support;

use support::{Desk, replaced, small, stored, tensors};
use whimbrel_engine::{CancelFlag, Model, OpenOptions, Session, compare_with_reference};
use whimbrel_forge::synthetic::{Family, Synthetic};
use whimbrel_kernels::TensorType;

/// How far the result of one operator may be from its reference; activations go to 8 bits where weights have few.
const DIFFERENCE_MAX: f64 = 0.04;

/// So many layers that SmolLM3 has one without rotation, Gemma 3 one without a window, and LFM2 one with attention.
fn model(family: Family) -> Synthetic {
    let is_gemma = family == Family::Gemma3;
    Synthetic {
        family,
        layers: if is_gemma { 6 } else { 4 },
        head_dim: if family == Family::Lfm2 { 16 } else { 32 },
        window: is_gemma.then_some(9),
        logits_cap: is_gemma.then_some(3.0),
        ..small()
    }
}

fn ids(count: u32) -> Vec<u32> {
    (0..count).map(|index| 3 + index * 37 % 290).collect()
}

fn graph(desk: &Desk) -> String {
    let manifest = desk.import().unwrap();
    std::fs::read_to_string(desk.output().join(&manifest.variants[0].graph.path)).unwrap()
}

#[test]
fn operators_agree_with_their_reference() {
    let unrotated = Synthetic {
        unrotated: true,
        ..model(Family::Granite)
    };
    for model in Family::ALL.map(model).into_iter().chain([unrotated]) {
        for tensor_type in [TensorType::F32, TensorType::Q4_1] {
            let model = Synthetic {
                tensor_type,
                ..model.clone()
            };
            let desk = Desk::new(&model.to_gguf());
            let manifest = desk.import().unwrap();
            assert_eq!(manifest.architecture.name, model.family.name());
            for count in [1, 40] {
                let differences = compare_with_reference(&desk.output(), &OpenOptions::default(), &ids(count)).unwrap();
                let worst = differences
                    .iter()
                    .max_by(|a, b| a.relative.total_cmp(&b.relative))
                    .unwrap();
                assert!(worst.relative < DIFFERENCE_MAX, "{model:?}: {worst:?}");
            }
        }
    }
}

/// The whole graph beside tract's: floats have to agree closely, whether tokens come together or one by one.
#[test]
fn logits_agree_with_the_reference() {
    let never = CancelFlag::default();
    for family in Family::ALL {
        let desk = Desk::new(&model(family).to_gguf());
        desk.import().unwrap();
        let session = |reference: bool| {
            let options = OpenOptions {
                threads: 1,
                reference,
                ..OpenOptions::default()
            };
            Session::new(&Model::open(&desk.output(), &options).unwrap(), 64).unwrap()
        };
        let ids = ids(40);
        let expected = session(true).logits(&ids, &never).unwrap().to_vec();
        let together = session(false).logits(&ids, &never).unwrap().to_vec();
        let mut session = session(false);
        for id in &ids[..ids.len() - 1] {
            session.prefill(&[*id], &never).unwrap();
        }
        let one_by_one = session.logits(&ids[ids.len() - 1..], &never).unwrap().to_vec();
        let size = expected.iter().fold(0f32, |size, logit| size.max(logit.abs()));
        for logits in [together, one_by_one] {
            let differences = logits.iter().zip(&expected).map(|(a, b)| (a - b).abs());
            let worst = differences.fold(0f32, f32::max);
            assert!(worst < 0.01 * size, "{family:?}: {worst} of {size}");
        }
    }
}

#[test]
fn rows_of_rotary_pairs_are_moved_only_where_they_are_side_by_side() {
    for family in Family::ALL {
        let desk = Desk::new(&model(family).to_gguf());
        let manifest = desk.import().unwrap();
        let file = desk.source();
        let source = std::fs::read(&file).unwrap();
        let gguf = whimbrel_forge::Gguf::parse(&source).unwrap();
        let written = tensors(&desk.output(), &manifest);
        let is_moved = matches!(
            family,
            Family::Llama | Family::Granite | Family::MiniCpm | Family::SmolLm3
        );
        for name in ["attn_q.weight", "attn_k.weight", "attn_q.bias", "attn_k.bias"] {
            // LFM2's first layer with attention is its third.
            let Some(tensor) = gguf.tensor(&format!("blk.2.{name}")) else {
                assert!(name.ends_with("bias") && family != Family::Qwen2);
                continue;
            };
            let values: Vec<f32> = tensor
                .bytes
                .as_chunks()
                .0
                .iter()
                .map(|bytes| f32::from_le_bytes(*bytes))
                .collect();
            let bundle_name = format!("blk.2.{}", name.trim_end_matches(".weight"));
            let (_, rows) = written.iter().find(|(name, _)| *name == bundle_name).unwrap();
            assert_eq!(rows.concat() == values, !is_moved, "{family:?} {name}");
            if is_moved {
                let (columns, half) = (rows[0].len(), 16);
                assert_eq!(rows[1], values[2 * columns..3 * columns], "{family:?} {name}");
                assert_eq!(rows[half], values[columns..2 * columns], "{family:?} {name}");
            }
        }
    }
}

#[test]
fn minicpm_without_factors_has_those_of_its_first_release() {
    let mut file = model(Family::MiniCpm).to_gguf();
    for key in ["embedding_scale", "residual_scale", "logit_scale"] {
        let (key, other) = (format!("minicpm.{key}"), format!("minicpm.{}_", &key[..key.len() - 1]));
        file = replaced(&file, &stored(&key), &stored(&other));
    }
    let text = graph(&Desk::new(&file));
    // 1.4 ÷ √4 layers; 256 ÷ a width of 32.
    for part in [
        "weights = \"token_embd\", scale = 12.0)",
        "residual = x, scale = 0.7)",
        "last = true, scale = 8.0)",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn every_fourth_layer_of_smollm3_has_no_rotation() {
    let layers = |family: Family| {
        let text = graph(&Desk::new(&model(family).to_gguf()));
        let calls = text.lines().filter(|line| line.contains("whimbrel_attention"));
        calls.map(|line| line.contains("rope_frequencies")).collect::<Vec<_>>()
    };
    assert_eq!(layers(Family::SmolLm3), [true, true, true, false]);
    assert_eq!(layers(Family::Llama), [true; 4]);
}

#[test]
fn what_an_architecture_does_not_have_is_refused_by_name() {
    let renamed = |family: Family, from: &str, to: &str| replaced(&model(family).to_gguf(), &stored(from), &stored(to));
    let factors = |family: Family| Synthetic {
        rope_factors: true,
        ..model(family)
    };
    let with = |family: Family, key: &str| model(family).to_gguf_with(&[], &[(key, 2)]);
    let cases = [
        (
            renamed(Family::Qwen2, "blk.2.attn_k.bias", "blk.2.attn_k.blas"),
            "tensor blk.2.attn_k.bias: it is missing",
        ),
        (
            renamed(Family::Qwen2, "blk.2.attn_output.weight", "blk.2.attn_outputs.bias_"),
            "tensor blk.2.attn_output.weight: it is missing",
        ),
        (
            renamed(Family::Qwen3, "blk.1.attn_q_norm.weight", "blk.1.attn_q_norm.weighs"),
            "tensor blk.1.attn_q_norm.weight: it is missing",
        ),
        (
            factors(Family::Qwen2).to_gguf(),
            "tensor \"rope_freqs.weight\" is not supported; supported: the weights of the qwen2 architecture without other \
             biases, experts or adapters",
        ),
        (
            factors(Family::SmolLm3).to_gguf(),
            "tensor \"rope_freqs.weight\" is not supported; supported: the weights of the smollm3 architecture without \
             biases, experts or adapters",
        ),
        (
            renamed(Family::Granite, "granite.logit_scale", "granite.logit_scala"),
            "key granite.logit_scale is missing",
        ),
        (
            with(Family::Granite, "granite.deepstack_mapping"),
            "key granite.deepstack_mapping: models that see are not supported",
        ),
        (
            with(Family::Granite, "granite.expert_count"),
            "key granite.expert_count: mixtures of experts are not supported",
        ),
    ];
    for (file, expected) in cases {
        let desk = Desk::new(&file);
        assert_eq!(desk.import().unwrap_err().to_string(), expected);
        assert_eq!(desk.names(), ["model.gguf"]);
    }
}

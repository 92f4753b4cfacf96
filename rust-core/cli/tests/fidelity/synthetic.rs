//! The random tiny models whose perplexity is compared with llama.cpp's: every architecture in floats and in every quantised type, and Llama's with and
//! without scaled rotary positions, with the head of its own and tied to the embedding, and with rows that do not fill blocks of 256.

use whimbrel_engine::TensorType;
use whimbrel_forge::synthetic::{Family, Synthetic};

/// Every model by its name in the golden figures.
pub(crate) fn models() -> Vec<(String, Synthetic)> {
    let types = TensorType::ALL
        .into_iter()
        .filter(|each| each.is_quantized() || *each == TensorType::F32);
    let of_family = |family: Family| types.clone().map(move |tensor_type| architecture(family, tensor_type));
    let llama = llama().into_iter().map(|(name, model)| (name.to_owned(), model));
    let (_, granite) = architecture(Family::Granite, TensorType::F32);
    let unrotated = Synthetic {
        unrotated: true,
        ..granite
    };
    // What files of Gemma 3 and of LFM2 may have.
    let (_, gemma) = architecture(Family::Gemma3, TensorType::F32);
    let capped = Synthetic {
        logits_cap: Some(4.0),
        rope_linear: Some(8.0),
        tied: true,
        ..gemma
    };
    let capped = ("gemma3-f32-tied-capped".to_owned(), capped);
    let (_, lfm2) = architecture(Family::Lfm2, TensorType::F32);
    let windowed = Synthetic {
        window: Some(100),
        tied: true,
        ..lfm2
    };
    let windowed = ("lfm2-f32-tied-window".to_owned(), windowed);
    llama
        .chain(Family::ALL.into_iter().flat_map(of_family))
        .chain([("granite-f32-unrotated".to_owned(), unrotated), capped, windowed])
        .collect()
}

/// The model of an architecture, by its name in the golden figures. It has layers of every kind that the architecture has, windows shorter than
/// the text, and heads wider than their share of the width where that is usual.
pub(crate) fn architecture(family: Family, tensor_type: TensorType) -> (String, Synthetic) {
    let is_large = tensor_type.block_values() > 128;
    let synthetic = Synthetic {
        family,
        layers: if family == Family::Gemma3 { 6 } else { 4 },
        width: if is_large { 256 } else { 128 },
        feed_forward: if is_large { 256 } else { 192 },
        heads: 4,
        kv_heads: 2,
        head_dim: match family {
            Family::Qwen3 | Family::Gemma3 => 64,
            _ if is_large => 64,
            _ => 32,
        },
        window: (family == Family::Gemma3).then_some(100),
        tensor_type,
        seed: 4,
        ..Synthetic::default()
    };
    (format!("{}-{}", family.name(), tensor_type.name()), synthetic)
}

fn llama() -> Vec<(&'static str, Synthetic)> {
    let plain = Synthetic {
        width: 128,
        feed_forward: 192,
        layers: 3,
        heads: 4,
        kv_heads: 2,
        head_dim: 32,
        ..Synthetic::default()
    };
    let (_, large) = architecture(Family::Llama, TensorType::Q4K);
    vec![
        ("f32", plain.clone()),
        (
            "q4_k-mixed",
            Synthetic {
                feed_forward: 192,
                ..large
            },
        ),
        (
            "f32-tied",
            Synthetic {
                tied: true,
                seed: 2,
                ..plain.clone()
            },
        ),
        (
            "f32-rope-factors",
            Synthetic {
                rope_factors: true,
                ..plain.clone()
            },
        ),
        (
            "f32-rope-linear",
            Synthetic {
                rope_linear: Some(4.0),
                ..plain.clone()
            },
        ),
        (
            "q8_0",
            Synthetic {
                tensor_type: TensorType::Q8_0,
                ..plain.clone()
            },
        ),
        (
            "q8_0-tied-rope-factors",
            Synthetic {
                tensor_type: TensorType::Q8_0,
                tied: true,
                rope_factors: true,
                seed: 3,
                ..plain
            },
        ),
    ]
}

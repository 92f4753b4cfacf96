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
    llama
        .chain(Family::ALL.into_iter().flat_map(of_family))
        .chain([("granite-f32-unrotated".to_owned(), unrotated)])
        .collect()
}

/// The model of an architecture, by its name in the golden figures. It has a layer without rotation where the architecture has one, and
/// heads wider than their share of the width where that is allowed.
pub(crate) fn architecture(family: Family, tensor_type: TensorType) -> (String, Synthetic) {
    let is_large = tensor_type.block_values() > 128;
    let synthetic = Synthetic {
        family,
        layers: 4,
        width: if is_large { 256 } else { 128 },
        feed_forward: if is_large { 256 } else { 192 },
        heads: 4,
        kv_heads: 2,
        head_dim: if family == Family::Qwen3 || is_large { 64 } else { 32 },
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

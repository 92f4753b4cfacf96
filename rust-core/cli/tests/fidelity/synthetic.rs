//! The random tiny models whose perplexity is compared with llama.cpp's: every architecture in floats, in 8 and in 4 bits, and Llama's with and
//! without scaled rotary positions, with the head of its own and tied to the embedding.

use whimbrel_engine::TensorType;
use whimbrel_forge::synthetic::{Family, Synthetic};

/// Every model by its name in the golden figures.
pub(crate) fn models() -> Vec<(String, Synthetic)> {
    let types = [TensorType::F32, TensorType::Q8_0, TensorType::Q4_0, TensorType::Q4_1];
    let of_family = |family: Family| types.map(|tensor_type| architecture(family, tensor_type));
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
    let synthetic = Synthetic {
        family,
        layers: 4,
        width: 128,
        feed_forward: 192,
        heads: 4,
        kv_heads: 2,
        head_dim: if family == Family::Qwen3 { 64 } else { 32 },
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
    vec![
        ("f32", plain.clone()),
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

//! The random tiny models whose perplexity is compared with llama.cpp's: with and without scaled rotary positions, with the head
//! of its own and tied to the embedding, in floats and in 8 bits.

use whimbrel_engine::TensorType;
use whimbrel_forge::synthetic::Synthetic;

/// Every model by its name in the golden figures.
pub(crate) fn models() -> Vec<(&'static str, Synthetic)> {
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

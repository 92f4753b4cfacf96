//! `llama`: SmolLM2, Llama 2 and 3, and whatever else was converted to their form.

use whimbrel_kernels::Activation;

use super::transformer::{Family, Pairs, Rotation, Scales};

pub(super) const LLAMA: Family = Family {
    name: "llama",
    pairs: Pairs::Adjacent,
    frequency_factors: true,
    biases: false,
    head_norms: false,
    norms_after: false,
    convolutions: false,
    activation: Activation::Silu,
    output_norm: "output_norm",
    rotation: Rotation::every_layer,
    windows: |_| Ok(None),
    attention_scale: |file, head_dim| file.attention_scale(head_dim),
    scales: |_| Ok(Scales::NONE),
};

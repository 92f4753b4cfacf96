//! `llama`: SmolLM2, Llama 2 and 3, and whatever else was converted to their form.

use super::transformer::{Family, Pairs, Rotation, Scales};

pub(super) const LLAMA: Family = Family {
    name: "llama",
    pairs: Pairs::Adjacent,
    frequency_factors: true,
    biases: false,
    head_norms: false,
    rotation: Rotation::every_layer,
    scales: Scales::none,
};

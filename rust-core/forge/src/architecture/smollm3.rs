//! `smollm3`: SmolLM3. Every fourth layer has no rotation.

use super::llama::LLAMA;
use super::transformer::{Family, Rotation};

pub(super) const SMOLLM3: Family = Family {
    name: "smollm3",
    frequency_factors: false,
    rotation: |_| Ok(Rotation::AllButEvery(4)),
    ..LLAMA
};

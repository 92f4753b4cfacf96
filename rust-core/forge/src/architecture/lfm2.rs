//! `lfm2`: LFM2, dense. Layers without key/value heads are short convolutions; the others norm every head of the queries and keys
//! (`src/models/lfm2.cpp`).

use super::LAYERS_MAX;
use super::llama::LLAMA;
use super::transformer::{Family, FamilyKeys, Pairs, Windows};
use crate::ForgeError;

pub(super) const LFM2: Family = Family {
    name: "lfm2",
    pairs: Pairs::Halves,
    frequency_factors: false,
    head_norms: true,
    convolutions: true,
    // llama.cpp's name for it.
    output_norm: "token_embd_norm",
    windows,
    ..LLAMA
};

/// A file may give every layer of attention the same window.
fn windows(file: &FamilyKeys<'_, '_>) -> Result<Option<Windows>, ForgeError> {
    let layers = file.required_count("block_count", LAYERS_MAX)?;
    Ok(file.window()?.map(|length| Windows {
        length,
        layers: vec![true; layers as usize],
        frequency_base: None,
    }))
}

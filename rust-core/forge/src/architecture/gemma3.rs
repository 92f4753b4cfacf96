//! `gemma3`: Gemma 3, the text models. Norms behind attention and the feed-forward block too, an embedding times √width, a GELU gate, and a
//! window in five of six layers, which turn queries and keys by other angles than the sixth (`src/models/gemma3.cpp`).

use whimbrel_kernels::Activation;

use super::llama::LLAMA;
use super::transformer::{Family, FamilyKeys, Pairs, Scales, Windows};
use super::{LAYERS_MAX, WIDTH_MAX};
use crate::ForgeError;

/// The layers of Gemma 3 27B.
const LAYERS_27B: u32 = 62;
/// Of so many layers the last one sees everything.
const INTERVAL: u32 = 6;

pub(super) const GEMMA3: Family = Family {
    name: "gemma3",
    pairs: Pairs::Halves,
    frequency_factors: false,
    head_norms: true,
    norms_after: true,
    activation: Activation::Gelu,
    windows,
    attention_scale,
    scales,
    ..LLAMA
};

fn windows(file: &FamilyKeys<'_, '_>) -> Result<Option<Windows>, ForgeError> {
    let Some(length) = file.window()? else {
        return Ok(None);
    };
    Ok(Some(Windows {
        length,
        layers: file.window_layers(INTERVAL)?,
        frequency_base: Some(file.positive("rope.freq_base_swa")?.unwrap_or(10_000.0)),
    }))
}

/// llama.cpp knows the largest model by its layers, and scales its queries by the share of the width that a head would have.
fn attention_scale(file: &FamilyKeys<'_, '_>, head_dim: u32) -> Result<f32, ForgeError> {
    let of_width =
        file.required_count("embedding_length", WIDTH_MAX)? / file.required_count("attention.head_count", WIDTH_MAX)?;
    let is_27b = file.required_count("block_count", LAYERS_MAX)? == LAYERS_27B;
    Ok(1.0 / (if is_27b { of_width } else { head_dim } as f32).sqrt())
}

fn scales(file: &FamilyKeys<'_, '_>) -> Result<Scales, ForgeError> {
    file.refuse("attn_logit_softcapping", "a soft cap of attention is not supported")?;
    Ok(Scales {
        embedding: (file.required_count("embedding_length", WIDTH_MAX)? as f32).sqrt(),
        cap: file.factor("final_logit_softcapping")?.unwrap_or(0.0),
        ..Scales::NONE
    })
}

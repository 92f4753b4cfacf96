//! `minicpm`: MiniCPM 1 and 2, dense. Granite's factors; files of 2024 do not name them.

use super::llama::LLAMA;
use super::transformer::{Family, FamilyKeys, Scales};
use super::{LAYERS_MAX, WIDTH_MAX};
use crate::ForgeError;

pub(super) const MINICPM: Family = Family {
    name: "minicpm",
    scales,
    ..LLAMA
};

/// Without keys the factors are those of MiniCPM 2B (`scale_emb`, `scale_depth` and `dim_model_base` of its `config.json`). llama.cpp then
/// divides the logits by 256 ÷ width, which is the inverse of what the model was trained with.
fn scales(file: &FamilyKeys<'_, '_>) -> Result<Scales, ForgeError> {
    let layers = file.required_count("block_count", LAYERS_MAX)?;
    let width = file.required_count("embedding_length", WIDTH_MAX)?;
    let residual = 1.4 / (layers as f32).sqrt();
    let logits = width as f32 / 256.0;
    Ok(Scales {
        embedding: file.factor("embedding_scale")?.unwrap_or(12.0),
        residual: file.factor("residual_scale")?.unwrap_or(residual),
        logits: 1.0 / file.positive("logit_scale")?.unwrap_or(logits),
        ..Scales::NONE
    })
}

//! `granite`: Granite 3 and 4, dense. Four factors: of the embedding, of what is added to the residual stream, of the logits, and of the
//! scores of attention, which every family may set. A file may also switch the rotation off.

use super::llama::LLAMA;
use super::transformer::{Family, FamilyKeys, Rotation, Scales};
use crate::ForgeError;

pub(super) const GRANITE: Family = Family {
    name: "granite",
    rotation,
    scales,
    ..LLAMA
};

/// llama.cpp takes `rope.scaling.finetuned` as the switch (`src/models/granite.cpp`).
fn rotation(file: &FamilyKeys<'_, '_>) -> Result<Rotation, ForgeError> {
    let is_on = file.flag("rope.scaling.finetuned")?.unwrap_or(true);
    Ok(if is_on { Rotation::EveryLayer } else { Rotation::NoLayer })
}

fn scales(file: &FamilyKeys<'_, '_>) -> Result<Scales, ForgeError> {
    file.refuse("deepstack_mapping", "models that see are not supported")?;
    Ok(Scales {
        embedding: file.factor("embedding_scale")?.unwrap_or(1.0),
        residual: file.factor("residual_scale")?.unwrap_or(1.0),
        logits: 1.0 / file.required_positive("logit_scale")?,
        ..Scales::NONE
    })
}

//! The embedding: from token ids to rows of floats.

use tract_nnef::internal::*;

use crate::bundle::weights::WeightRef;
use crate::graph::arguments::{scale, string, weight};
use crate::graph::context::RunContext;
use crate::graph::operator::{Inputs, Operator, OperatorKind, find, no_projection, rows_of, tract_operator};
use crate::graph::reference;

pub(super) const KIND: OperatorKind = OperatorKind {
    name: "whimbrel_embedding",
    parameters: || vec![TypeName::Integer.tensor().named("ids"), string("weights"), scale()],
    results: &["y"],
    build,
    build_reference: reference::embedding,
    find: find::<Embedding>,
    find_projection: no_projection,
};

/// Rows of the embedding table, one for each token id, times a factor.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Embedding {
    weights: WeightRef,
    /// Bits of an f32, so that operators can be compared.
    scale_bits: u32,
}
tract_operator!(Embedding, "WhimbrelEmbedding");

impl Embedding {
    fn facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        let ids = inputs[0];
        ensure!(
            ids.rank() == 1 && ids.datum_type == i64::datum_type(),
            "token ids are i64 [T], not {ids:?}"
        );
        Ok(tvec!(rows_of(&ids.shape[0], self.weights.columns)))
    }
}

impl Operator for Embedding {
    fn widths(&self) -> TVec<usize> {
        tvec!(self.weights.columns)
    }

    fn run(&self, _: &RunContext, inputs: &Inputs<'_>, outputs: &mut [&mut [f32]]) -> TractResult<()> {
        let (matrix, scale) = (self.weights.matrix(), f32::from_bits(self.scale_bits));
        for (id, y) in inputs.ids.iter().zip(outputs[0].chunks_exact_mut(self.weights.columns)) {
            let row = Some(*id as usize).filter(|row| *row < matrix.rows());
            matrix.unpack_row(
                row.with_context(|| format!("token id {id} is not in the vocabulary"))?,
                y,
            );
            if scale != 1.0 {
                y.iter_mut().for_each(|y| *y *= scale);
            }
        }
        Ok(())
    }
}

fn build(builder: &mut ModelBuilder, call: &ResolvedInvocation) -> TractResult<Value> {
    let ids: OutletId = call.named_arg_as(builder, "ids")?;
    let weights = weight(builder, call, "weights")?;
    let scale: f32 = call.named_arg_as(builder, "scale")?;
    let scale_bits = scale.to_bits();
    builder.wire(Embedding { weights, scale_bits }, &[ids])
}

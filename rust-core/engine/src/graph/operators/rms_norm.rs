//! The root-mean-square norm.

use tract_nnef::internal::*;
use whimbrel_kernels::rms_norm;

use crate::bundle::weights::WeightRef;
use crate::graph::arguments::{count, string, tensor, weight};
use crate::graph::context::RunContext;
use crate::graph::operator::{Inputs, Operator, OperatorKind, expect_width, find, no_projection, tract_operator};
use crate::graph::reference;

pub(super) const KIND: OperatorKind = OperatorKind {
    name: "whimbrel_rms_norm",
    parameters: || {
        vec![
            tensor().named("x"),
            string("weights"),
            TypeName::Scalar.named("epsilon"),
            TypeName::Integer.named("heads").default(1),
            tensor().named("residual").default(false),
        ]
    },
    results: &["y"],
    build,
    build_reference: reference::rms_norm,
    find: find::<RmsNorm>,
    find_projection: no_projection,
};

/// Root-mean-square norm of every row, or of every head in it, plus a residual if there is a second input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RmsNorm {
    pub(super) weights: WeightRef,
    /// Bits of an f32, so that operators can be compared.
    pub(super) epsilon_bits: u32,
    /// Equal parts of a row, each with a norm of its own and all with the same weights; 1 for the norm of whole rows.
    pub(super) heads: usize,
}
tract_operator!(RmsNorm, "WhimbrelRmsNorm");

impl RmsNorm {
    fn facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        ensure!(
            self.weights.rows == 1 && self.weights.floats().is_some(),
            "{} is not an f32 vector",
            self.weights.name
        );
        let width = self.heads.checked_mul(self.weights.columns);
        expect_width(
            &self.weights.name,
            inputs[0],
            width.context("heads × weights is too large")?,
        )?;
        if let Some(residual) = inputs.get(1) {
            expect_width("the residual", residual, self.heads * self.weights.columns)?;
        }
        Ok(tvec!(inputs[0].without_value()))
    }
}

impl Operator for RmsNorm {
    fn widths(&self) -> TVec<usize> {
        tvec!(self.heads * self.weights.columns)
    }

    fn run(&self, run: &RunContext, inputs: &Inputs<'_>, outputs: &mut [&mut [f32]]) -> TractResult<()> {
        let weights = self.weights.floats().context("norm weights are f32")?;
        let epsilon = f32::from_bits(self.epsilon_bits);
        rms_norm(&run.pool, inputs.floats[0], weights, epsilon, outputs[0]);
        if inputs.count > 1 {
            let sums = outputs[0].iter_mut().zip(inputs.floats[1]);
            sums.for_each(|(y, residual)| *y += residual);
        }
        Ok(())
    }
}

fn build(builder: &mut ModelBuilder, call: &ResolvedInvocation) -> TractResult<Value> {
    let mut inputs: TVec<OutletId> = tvec!(call.named_arg_as(builder, "x")?);
    inputs.extend(call.optional_named_arg_as::<OutletId>(builder, "residual")?);
    let epsilon: f32 = call.named_arg_as(builder, "epsilon")?;
    let weights = weight(builder, call, "weights")?;
    let heads = count(builder, call, "heads")?;
    builder.wire(
        RmsNorm {
            weights,
            heads,
            epsilon_bits: epsilon.to_bits(),
        },
        &inputs,
    )
}

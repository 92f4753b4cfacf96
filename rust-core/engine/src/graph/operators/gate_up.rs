//! The gated input of the feed-forward block.

use tract_nnef::internal::*;
use whimbrel_kernels::{Activation, Input, multiply_gated};

use super::projection::multiply_floats;
use crate::bundle::weights::WeightRef;
use crate::graph::arguments::{activation, string, tensor, weight};
use crate::graph::context::RunContext;
use crate::graph::operator::{
    Inputs, Operator, OperatorKind, Projection, expect_width, find, find_projection, rows_of, tract_operator,
};
use crate::graph::reference;

pub(super) const KIND: OperatorKind = OperatorKind {
    name: "whimbrel_gate_up",
    parameters: || {
        let activation = string("activation").default("silu");
        vec![tensor().named("x"), string("gate"), string("up"), activation]
    },
    results: &["y"],
    build,
    build_reference: reference::gate_up,
    find: find::<GateUp>,
    find_projection: find_projection::<GateUp>,
};

/// The gated feed-forward input: `activation(x Gᵀ) × (x Uᵀ)`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct GateUp {
    activation: Activation,
    gate: WeightRef,
    up: WeightRef,
}
tract_operator!(GateUp, "WhimbrelGateUp");

impl GateUp {
    fn facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        ensure!(
            self.gate.rows == self.up.rows,
            "{} and {} differ in rows",
            self.gate.name,
            self.up.name
        );
        expect_width(&self.gate.name, inputs[0], self.gate.columns)?;
        expect_width(&self.up.name, inputs[0], self.up.columns)?;
        Ok(tvec!(rows_of(&inputs[0].shape[0], self.gate.rows)))
    }
}

impl Operator for GateUp {
    fn widths(&self) -> TVec<usize> {
        tvec!(self.gate.rows)
    }

    fn run(&self, run: &RunContext, inputs: &Inputs<'_>, outputs: &mut [&mut [f32]]) -> TractResult<()> {
        multiply_floats(self, run, inputs.floats[0], outputs)
    }
}

impl Projection for GateUp {
    fn weights(&self) -> TVec<&WeightRef> {
        tvec!(&self.gate, &self.up)
    }

    fn multiply(&self, run: &RunContext, input: Input<'_>, outputs: &mut [&mut [f32]]) -> TractResult<()> {
        let (gate, up) = (self.gate.matrix(), self.up.matrix());
        multiply_gated(&run.pool, input, self.activation, gate, up, outputs[0]);
        Ok(())
    }
}

fn build(builder: &mut ModelBuilder, call: &ResolvedInvocation) -> TractResult<Value> {
    let x: OutletId = call.named_arg_as(builder, "x")?;
    let (gate, up) = (weight(builder, call, "gate")?, weight(builder, call, "up")?);
    let activation = activation(builder, call)?;
    builder.wire(GateUp { activation, gate, up }, &[x])
}

//! The projections of attention: queries, keys and values.

use tract_nnef::internal::*;
use whimbrel_kernels::{Input, Product, multiply};

use super::projection::multiply_floats;
use crate::bundle::weights::WeightRef;
use crate::graph::arguments::{string, tensor, weight};
use crate::graph::context::RunContext;
use crate::graph::operator::{
    Inputs, Operator, OperatorKind, Projection, expect_width, find, find_projection, rows_of, tract_operator,
};
use crate::graph::reference;

pub(super) const KIND: OperatorKind = OperatorKind {
    name: "whimbrel_qkv",
    parameters: || vec![tensor().named("x"), string("q"), string("k"), string("v")],
    results: &["yq", "yk", "yv"],
    build,
    build_reference: reference::qkv,
    find: find::<Qkv>,
    find_projection: find_projection::<Qkv>,
};

/// Queries, keys and values of one input: three products in one parallel section.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Qkv {
    weights: [WeightRef; 3],
}
tract_operator!(Qkv, "WhimbrelQkv");

impl Qkv {
    fn facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        for weights in &self.weights {
            expect_width(&weights.name, inputs[0], weights.columns)?;
        }
        Ok(self
            .weights
            .iter()
            .map(|weights| rows_of(&inputs[0].shape[0], weights.rows))
            .collect())
    }
}

impl Operator for Qkv {
    fn widths(&self) -> TVec<usize> {
        self.weights.iter().map(|weights| weights.rows).collect()
    }

    fn run(&self, run: &RunContext, inputs: &Inputs<'_>, outputs: &mut [&mut [f32]]) -> TractResult<()> {
        multiply_floats(self, run, inputs.floats[0], outputs)
    }
}

impl Projection for Qkv {
    fn weights(&self) -> TVec<&WeightRef> {
        self.weights.iter().collect()
    }

    fn multiply(&self, run: &RunContext, input: Input<'_>, outputs: &mut [&mut [f32]]) -> TractResult<()> {
        let [yq, yk, yv] = outputs else {
            bail!("three outputs instead of {}", outputs.len());
        };
        let [q, k, v] = &self.weights;
        let mut products = [(q, yq), (k, yk), (v, yv)].map(|(weights, y)| Product::new(weights.matrix(), y));
        multiply(&run.pool, input, &mut products);
        Ok(())
    }
}

fn build(builder: &mut ModelBuilder, call: &ResolvedInvocation) -> TractResult<Value> {
    let x: OutletId = call.named_arg_as(builder, "x")?;
    let weights = [
        weight(builder, call, "q")?,
        weight(builder, call, "k")?,
        weight(builder, call, "v")?,
    ];
    builder.wire(Qkv { weights }, &[x])
}

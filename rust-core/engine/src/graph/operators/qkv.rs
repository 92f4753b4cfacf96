//! The projections of attention: queries, keys and values.

use tract_nnef::internal::*;
use whimbrel_kernels::{Input, Product, multiply};

use super::projection::multiply_floats;
use crate::bundle::weights::WeightRef;
use crate::graph::arguments::{QKV_BIASES, optional, optional_weight, string, tensor, weight};
use crate::graph::context::RunContext;
use crate::graph::operator::{
    Inputs, Operator, OperatorKind, Projection, expect_width, find, find_projection, rows_of, tract_operator,
};
use crate::graph::reference;

pub(super) const KIND: OperatorKind = OperatorKind {
    name: "whimbrel_qkv",
    parameters: || {
        let mut parameters = vec![tensor().named("x"), string("q"), string("k"), string("v")];
        parameters.extend(QKV_BIASES.map(optional));
        parameters
    },
    results: &["yq", "yk", "yv"],
    build,
    build_reference: reference::qkv,
    find: find::<Qkv>,
    find_projection: find_projection::<Qkv>,
};

/// Queries, keys and values of one input: three products in one parallel section, each with a bias where there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Qkv {
    weights: [WeightRef; 3],
    biases: [Option<WeightRef>; 3],
}
tract_operator!(Qkv, "WhimbrelQkv");

impl Qkv {
    fn facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        for weights in &self.weights {
            expect_width(&weights.name, inputs[0], weights.columns)?;
        }
        for (weights, bias) in self.weights.iter().zip(&self.biases) {
            let Some(bias) = bias else { continue };
            ensure!(
                bias.rows == 1 && bias.columns == weights.rows && bias.floats().is_some(),
                "{} is not an f32 vector of {} values",
                bias.name,
                weights.rows
            );
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
        let mut products =
            [(q, &mut **yq), (k, &mut **yk), (v, &mut **yv)].map(|(weights, y)| Product::new(weights.matrix(), y));
        multiply(&run.pool, input, &mut products);
        for (bias, y) in self.biases.iter().zip(outputs) {
            let Some(bias) = bias else { continue };
            let bias = bias.floats().context("biases are f32")?;
            for y in y.chunks_exact_mut(bias.len()) {
                y.iter_mut().zip(bias).for_each(|(y, bias)| *y += bias);
            }
        }
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
    let [q, k, v] = QKV_BIASES;
    let biases = [
        optional_weight(builder, call, q)?,
        optional_weight(builder, call, k)?,
        optional_weight(builder, call, v)?,
    ];
    builder.wire(Qkv { weights, biases }, &[x])
}

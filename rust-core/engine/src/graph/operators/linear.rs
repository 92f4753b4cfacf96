//! A matrix product with an optional factor and an optional residual; also the head of the graph.

use tract_nnef::internal::*;
use whimbrel_kernels::{Input, Product, multiply};

use super::projection::quantize;
use crate::bundle::weights::WeightRef;
use crate::graph::arguments::{scale, string, tensor, weight};
use crate::graph::context::RunContext;
use crate::graph::operator::{
    Inputs, Operator, OperatorKind, expect_width, find, no_projection, rows_of, tract_operator,
};
use crate::graph::reference;

pub(super) const KIND: OperatorKind = OperatorKind {
    name: "whimbrel_linear",
    parameters: || {
        let residual = tensor().named("residual").default(false);
        let last = TypeName::Logical.named("last").default(false);
        let cap = TypeName::Scalar.named("cap").default(0.0);
        vec![tensor().named("x"), string("weights"), residual, last, scale(), cap]
    },
    results: &["y"],
    build,
    build_reference: reference::linear,
    find: find::<Linear>,
    find_projection: no_projection,
};

/// A matrix product, times a factor, plus a residual as second input. `last`: the head, which is only wanted for the rows whose next token
/// is to be chosen. Its results y can be capped softly, to `cap × tanh(y ÷ cap)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Linear {
    pub(crate) weights: WeightRef,
    pub(crate) last: bool,
    /// Bits of an f32 greater than 0, so that operators can be compared.
    scale_bits: u32,
    /// Bits of an f32 greater than 0, or of 0 for no cap.
    cap_bits: u32,
}
tract_operator!(Linear, "WhimbrelLinear");

impl Linear {
    fn facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        expect_width(&self.weights.name, inputs[0], self.weights.columns)?;
        let scale = f32::from_bits(self.scale_bits);
        ensure!(
            scale.is_finite() && scale > 0.0,
            "{}: scale is {scale}, it must be greater than 0",
            self.weights.name
        );
        let cap = f32::from_bits(self.cap_bits);
        ensure!(
            cap == 0.0 || cap.is_finite() && cap > 0.0 && self.last,
            "{}: cap is {cap}, it must be greater than 0 and that of the head",
            self.weights.name
        );
        if let Some(residual) = inputs.get(1) {
            ensure!(!self.last, "{}: only whole runs have a residual", self.weights.name);
            expect_width("the residual", residual, self.weights.rows)?;
        }
        Ok(tvec!(rows_of(&inputs[0].shape[0], self.weights.rows)))
    }

    /// The product of some rows; with `maxima`, the largest of each group of results too.
    pub(crate) fn multiply(
        &self,
        run: &RunContext,
        x: &[f32],
        residual: Option<&[f32]>,
        y: &mut [f32],
        maxima: Option<&mut [f32]>,
    ) {
        quantize(run, x, &[&self.weights]);
        let input = Input {
            x,
            quantized: &run.activations.borrow(),
        };
        let (scale, cap) = (f32::from_bits(self.scale_bits), f32::from_bits(self.cap_bits));
        if scale == 1.0 && cap == 0.0 {
            let product = Product {
                weights: self.weights.matrix(),
                residual,
                y,
                maxima,
            };
            return multiply(&run.pool, input, &mut [product]);
        }
        let mut maxima = maxima;
        let product = Product {
            weights: self.weights.matrix(),
            residual: None,
            y: &mut *y,
            maxima: maxima.as_deref_mut(),
        };
        multiply(&run.pool, input, &mut [product]);
        // What was the largest of a group stays the largest: the factor is greater than 0, and the cap keeps the order.
        let results = y.iter_mut().chain(maxima.into_iter().flatten());
        if cap == 0.0 {
            results.for_each(|value| *value *= scale);
        } else {
            results.for_each(|value| *value = cap * (*value * scale / cap).tanh());
        }
        if let Some(residual) = residual {
            y.iter_mut().zip(residual).for_each(|(y, residual)| *y += residual);
        }
    }
}

impl Operator for Linear {
    fn widths(&self) -> TVec<usize> {
        tvec!(self.weights.rows)
    }

    fn run(&self, run: &RunContext, inputs: &Inputs<'_>, outputs: &mut [&mut [f32]]) -> TractResult<()> {
        let residual = (inputs.count > 1).then_some(inputs.floats[1]);
        self.multiply(run, inputs.floats[0], residual, outputs[0], None);
        Ok(())
    }
}

fn build(builder: &mut ModelBuilder, call: &ResolvedInvocation) -> TractResult<Value> {
    let mut inputs: TVec<OutletId> = tvec!(call.named_arg_as(builder, "x")?);
    inputs.extend(call.optional_named_arg_as::<OutletId>(builder, "residual")?);
    let weights = weight(builder, call, "weights")?;
    let last = call.named_arg_as(builder, "last")?;
    let scale: f32 = call.named_arg_as(builder, "scale")?;
    let cap: f32 = call.named_arg_as(builder, "cap")?;
    let linear = Linear {
        weights,
        last,
        scale_bits: scale.to_bits(),
        cap_bits: cap.to_bits(),
    };
    builder.wire(linear, &inputs)
}

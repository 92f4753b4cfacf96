//! The gated short convolution, which stands in the place of attention in some layers.

use tract_nnef::internal::*;
use whimbrel_kernels::short_convolution;

use crate::bundle::weights::WeightRef;
use crate::cache::ConvolutionLayer;
use crate::cache::columns::TAPS_MAX;
use crate::graph::arguments::{count, string, tensor, weight};
use crate::graph::context::RunContext;
use crate::graph::operator::{Inputs, Operator, OperatorKind, expect_width, find, no_projection, tract_operator};
use crate::graph::reference;

pub(super) const KIND: OperatorKind = OperatorKind {
    name: "whimbrel_short_convolution",
    parameters: || {
        let mut parameters = ["b", "c", "x"].map(|name| tensor().named(name)).to_vec();
        parameters.extend([string("weights"), TypeName::Integer.named("layer")]);
        parameters
    },
    results: &["y"],
    build,
    build_reference: reference::short_convolution,
    find: find::<ShortConvolution>,
    find_projection: no_projection,
};

/// `c × Σ weights[tap] × (b × x)`, channel by channel, over the token and the ones before it: the last tap belongs to the token itself (Liquid
/// AI, LFM2). The weights have a row for each tap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ShortConvolution {
    layer: u32,
    weights: WeightRef,
}
tract_operator!(ShortConvolution, "WhimbrelShortConvolution");

impl ShortConvolution {
    pub(crate) fn layer(&self) -> ConvolutionLayer {
        ConvolutionLayer {
            layer: self.layer,
            channels: self.weights.columns,
            taps: self.weights.rows,
        }
    }

    fn facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        ensure!(
            (1..=TAPS_MAX).contains(&self.weights.rows) && self.weights.floats().is_some(),
            "{} is not an f32 matrix of 1 to {TAPS_MAX} rows",
            self.weights.name
        );
        for (what, fact) in ["b", "c", "x"].into_iter().zip(inputs) {
            expect_width(what, fact, self.weights.columns)?;
        }
        Ok(tvec!(inputs[0].without_value()))
    }
}

impl Operator for ShortConvolution {
    fn widths(&self) -> TVec<usize> {
        tvec!(self.weights.columns)
    }

    fn run(&self, run: &RunContext, inputs: &Inputs<'_>, outputs: &mut [&mut [f32]]) -> TractResult<()> {
        let ([b, c, x], position) = (inputs.floats, run.position.get());
        let weights = self.weights.floats().context("the weights are f32")?;
        let mut cache = run.cache.borrow_mut();
        cache
            .prepare(position, inputs.rows)
            .context("the session cannot continue here with so many tokens")?;
        let (_, before) = cache
            .columns
            .before(self.layer)
            .context("the session keeps no columns for this layer")?;
        let mut columns = run.scratch.borrow_mut();
        columns.clear();
        columns.extend_from_slice(before);
        let own = columns.len();
        columns.extend(b.iter().zip(x).map(|(b, x)| b * x));
        cache.columns.keep(self.layer, position, &columns[own..]);
        short_convolution(&run.pool, weights, self.weights.columns, &columns, c, outputs[0]);
        Ok(())
    }
}

fn build(builder: &mut ModelBuilder, call: &ResolvedInvocation) -> TractResult<Value> {
    let mut inputs: TVec<OutletId> = tvec!();
    for name in ["b", "c", "x"] {
        inputs.push(call.named_arg_as(builder, name)?);
    }
    let convolution = ShortConvolution {
        layer: count(builder, call, "layer")? as u32,
        weights: weight(builder, call, "weights")?,
    };
    builder.wire(convolution, &inputs)
}

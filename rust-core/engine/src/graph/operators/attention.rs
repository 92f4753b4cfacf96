//! Causal attention over the KV cache of the session.

use tract_nnef::internal::*;
use whimbrel_kernels::{Attend, Rotation, append_kv, attend};

use crate::bundle::weights::WeightRef;
use crate::cache::{AttentionLayer, LayerCache};
use crate::graph::arguments::{count, optional, optional_weight, tensor};
use crate::graph::context::RunContext;
use crate::graph::operator::{Inputs, Operator, OperatorKind, expect_width, find, no_projection, tract_operator};
use crate::graph::reference;

pub(super) const KIND: OperatorKind = OperatorKind {
    name: "whimbrel_attention",
    parameters: || {
        let mut parameters = ["q", "k", "v"].map(|name| tensor().named(name)).to_vec();
        parameters.extend(["layer", "heads", "kv_heads", "head_dim"].map(|name| TypeName::Integer.named(name)));
        parameters.extend([TypeName::Scalar.named("scale"), optional("frequencies")]);
        parameters.push(TypeName::Integer.named("window").default(0));
        parameters
    },
    results: &["y"],
    build,
    build_reference: reference::attention,
    find: find::<Attention>,
    find_projection: no_projection,
};

/// Causal attention over the session's KV cache, with rotary positions if there are frequencies. With a window, a token sees so many
/// positions, its own included, and without one (`window = 0`) all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Attention {
    layer: u32,
    heads: usize,
    kv_heads: usize,
    head_dim: usize,
    /// Bits of an f32, so that operators can be compared.
    scale_bits: u32,
    frequencies: Option<WeightRef>,
    window: Option<usize>,
}
tract_operator!(Attention, "WhimbrelAttention");

impl Attention {
    pub(crate) fn layer(&self) -> AttentionLayer {
        let Attention {
            layer,
            heads,
            kv_heads,
            head_dim,
            window,
            ..
        } = *self;
        AttentionLayer {
            layer,
            heads,
            kv_heads,
            head_dim,
            window,
        }
    }

    fn facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        if let Some(frequencies) = &self.frequencies {
            ensure!(
                frequencies.rows == 1 && frequencies.floats().is_some() && 2 * frequencies.columns <= self.head_dim,
                "{} is not an f32 vector of at most half a head",
                frequencies.name
            );
        }
        for (what, fact, heads) in [
            ("q", inputs[0], self.heads),
            ("k", inputs[1], self.kv_heads),
            ("v", inputs[2], self.kv_heads),
        ] {
            expect_width(
                what,
                fact,
                heads
                    .checked_mul(self.head_dim)
                    .context("heads × head_dim is too large")?,
            )?;
        }
        Ok(tvec!(inputs[0].without_value()))
    }
}

impl Operator for Attention {
    fn widths(&self) -> TVec<usize> {
        tvec!(self.heads * self.head_dim)
    }

    fn run(&self, run: &RunContext, inputs: &Inputs<'_>, outputs: &mut [&mut [f32]]) -> TractResult<()> {
        let ([q, k, v], rows) = (inputs.floats, inputs.rows);
        let mut cache = run.cache.borrow_mut();
        let position = run.position.get();
        cache
            .prepare(position, rows)
            .context("the session cannot continue here with so many tokens")?;
        let LayerCache {
            shape,
            window,
            keys,
            values,
        } = cache
            .layer(self.layer)
            .context("the session has no cache for this layer")?;
        ensure!(
            window.is_some() || position + rows <= shape.capacity,
            "the context is full"
        );
        let mut scratch = run.scratch.borrow_mut();
        scratch.clear();
        scratch.extend_from_slice(k);
        scratch.extend_from_slice(q);
        let (k, q) = scratch.split_at_mut(k.len());
        let mut turned_by = |rotation: Rotation<'_>| {
            append_kv(shape, window, position, rotation, k, v, keys, values);
            let call = Attend {
                shape,
                window,
                position,
                scale: f32::from_bits(self.scale_bits),
                rotation,
                keys,
                values,
            };
            let scratch = &mut run.attention_scratch.borrow_mut();
            attend(&run.pool, call, q, outputs[0], scratch);
        };
        match &self.frequencies {
            Some(frequencies) => run.with_rotation(frequencies, rows, turned_by),
            None => {
                turned_by(Rotation::NONE);
                Ok(())
            }
        }
    }
}

fn build(builder: &mut ModelBuilder, call: &ResolvedInvocation) -> TractResult<Value> {
    let mut inputs: TVec<OutletId> = tvec!();
    for name in ["q", "k", "v"] {
        inputs.push(call.named_arg_as(builder, name)?);
    }
    let scale: f32 = call.named_arg_as(builder, "scale")?;
    let attention = Attention {
        layer: count(builder, call, "layer")? as u32,
        heads: count(builder, call, "heads")?,
        kv_heads: count(builder, call, "kv_heads")?,
        head_dim: count(builder, call, "head_dim")?,
        scale_bits: scale.to_bits(),
        frequencies: optional_weight(builder, call, "frequencies")?,
        window: Some(count(builder, call, "window")?).filter(|window| *window > 0),
    };
    builder.wire(attention, &inputs)
}

//! The NNEF extension `whimbrel`: which operator a name in the graph text stands for, ours or its counterpart on tract's own
//! operators. Weights are named in the text and looked up in the map that the model builder carries.

use std::sync::Arc;

use tract_nnef::ast::TypeSpec;
use tract_nnef::internal::*;
use tract_nnef::registry::ToTract;
use whimbrel_kernels::Activation;

use crate::bundle::weights::{WeightRef, Weights};
use crate::graph::operators::{Attention, Embedding, GateUp, Linear, Qkv, RmsNorm};
use crate::graph::reference;

/// Under this name the builder finds the weights.
pub(crate) const WEIGHTS: &str = "whimbrel_weights";
/// The longest vocabulary, widest layer or greatest head count that a graph may name.
const COUNT_MAX: i64 = 1 << 20;

impl Resource for Weights {}

/// The operators that a graph may use, by name: ours, or what they are compared with.
pub(crate) fn registry(of_reference: bool) -> Registry {
    let pick = |own: ToTract, reference: ToTract| if of_reference { reference } else { own };
    let mut registry = Registry::new("whimbrel");
    let output: &[(&str, TypeSpec)] = &[("y", tensor())];
    let ids = TypeName::Integer.tensor().named("ids");
    let x = || tensor().named("x");
    registry.register_primitive(
        "whimbrel_embedding",
        &[ids, string("weights")],
        output,
        pick(embedding, reference::embedding),
    );
    registry.register_primitive(
        "whimbrel_rms_norm",
        &[x(), string("weights"), TypeName::Scalar.named("epsilon")],
        output,
        pick(rms_norm, reference::rms_norm),
    );
    let residual = tensor().named("residual").default(false);
    let last = TypeName::Logical.named("last").default(false);
    registry.register_primitive(
        "whimbrel_linear",
        &[x(), string("weights"), residual, last],
        output,
        pick(linear, reference::linear),
    );
    let three: &[(&str, TypeSpec)] = &[("yq", tensor()), ("yk", tensor()), ("yv", tensor())];
    registry.register_primitive(
        "whimbrel_qkv",
        &[x(), string("q"), string("k"), string("v")],
        three,
        pick(qkv, reference::qkv),
    );
    let activation = string("activation").default("silu");
    registry.register_primitive(
        "whimbrel_gate_up",
        &[x(), string("gate"), string("up"), activation],
        output,
        pick(gate_up, reference::gate_up),
    );
    let mut parameters = ["q", "k", "v"].map(|name| tensor().named(name)).to_vec();
    parameters.extend(["layer", "heads", "kv_heads", "head_dim"].map(|name| TypeName::Integer.named(name)));
    parameters.extend([TypeName::Scalar.named("scale"), string("frequencies")]);
    registry.register_primitive(
        "whimbrel_attention",
        &parameters,
        output,
        pick(attention, reference::attention),
    );
    registry
}

fn tensor() -> TypeSpec {
    TypeName::Scalar.tensor()
}

fn string(name: &str) -> Parameter {
    TypeName::String.named(name)
}

pub(crate) fn weight(builder: &mut ModelBuilder, call: &ResolvedInvocation, argument: &str) -> TractResult<WeightRef> {
    let name: String = call.named_arg_as(builder, argument)?;
    let resource = builder
        .proto_model
        .resources
        .get(WEIGHTS)
        .context("no weights are loaded")?;
    let weights: Arc<Weights> = resource
        .clone()
        .downcast_arc()
        .map_err(|_| format_err!("the weights are of another kind"))?;
    WeightRef::new(&weights, &name).with_context(|| format!("no tensor is named {name:?}"))
}

pub(crate) fn count(builder: &mut ModelBuilder, call: &ResolvedInvocation, argument: &str) -> TractResult<usize> {
    let value: i64 = call.named_arg_as(builder, argument)?;
    ensure!(
        (0..=COUNT_MAX).contains(&value),
        "argument {argument} is {value}, it must be 0 to {COUNT_MAX}"
    );
    Ok(value as usize)
}

pub(crate) fn activation(builder: &mut ModelBuilder, call: &ResolvedInvocation) -> TractResult<Activation> {
    let name: String = call.named_arg_as(builder, "activation")?;
    Ok(match name.as_str() {
        "silu" => Activation::Silu,
        "gelu" => Activation::Gelu,
        _ => bail!("activation is {name:?}, it must be \"silu\" or \"gelu\""),
    })
}

fn embedding(builder: &mut ModelBuilder, call: &ResolvedInvocation) -> TractResult<Value> {
    let ids: OutletId = call.named_arg_as(builder, "ids")?;
    let weights = weight(builder, call, "weights")?;
    builder.wire(Embedding { weights }, &[ids])
}

fn rms_norm(builder: &mut ModelBuilder, call: &ResolvedInvocation) -> TractResult<Value> {
    let x: OutletId = call.named_arg_as(builder, "x")?;
    let epsilon: f32 = call.named_arg_as(builder, "epsilon")?;
    let weights = weight(builder, call, "weights")?;
    builder.wire(
        RmsNorm {
            weights,
            epsilon_bits: epsilon.to_bits(),
        },
        &[x],
    )
}

fn linear(builder: &mut ModelBuilder, call: &ResolvedInvocation) -> TractResult<Value> {
    let mut inputs: TVec<OutletId> = tvec!(call.named_arg_as(builder, "x")?);
    inputs.extend(call.optional_named_arg_as::<OutletId>(builder, "residual")?);
    let weights = weight(builder, call, "weights")?;
    let last = call.named_arg_as(builder, "last")?;
    builder.wire(Linear { weights, last }, &inputs)
}

fn qkv(builder: &mut ModelBuilder, call: &ResolvedInvocation) -> TractResult<Value> {
    let x: OutletId = call.named_arg_as(builder, "x")?;
    let weights = [
        weight(builder, call, "q")?,
        weight(builder, call, "k")?,
        weight(builder, call, "v")?,
    ];
    builder.wire(Qkv { weights }, &[x])
}

fn gate_up(builder: &mut ModelBuilder, call: &ResolvedInvocation) -> TractResult<Value> {
    let x: OutletId = call.named_arg_as(builder, "x")?;
    let (gate, up) = (weight(builder, call, "gate")?, weight(builder, call, "up")?);
    let activation = activation(builder, call)?;
    builder.wire(GateUp { activation, gate, up }, &[x])
}

fn attention(builder: &mut ModelBuilder, call: &ResolvedInvocation) -> TractResult<Value> {
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
        frequencies: weight(builder, call, "frequencies")?,
    };
    builder.wire(attention, &inputs)
}

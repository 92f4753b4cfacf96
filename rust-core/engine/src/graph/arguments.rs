//! The parameters and arguments of calls in a graph's text. Weights are named there and looked up in the map of the model builder.

use std::sync::Arc;

use tract_nnef::ast::TypeSpec;
use tract_nnef::internal::*;
use whimbrel_kernels::Activation;

use crate::bundle::weights::{WeightRef, Weights};

/// Under this name the builder finds the weights.
pub(crate) const WEIGHTS: &str = "whimbrel_weights";
/// The longest vocabulary, widest layer or greatest head count that a graph may name.
const COUNT_MAX: i64 = 1 << 20;
/// The arguments of `whimbrel_qkv` that name its biases.
pub(crate) const QKV_BIASES: [&str; 3] = ["q_bias", "k_bias", "v_bias"];

impl Resource for Weights {}

pub(crate) fn tensor() -> TypeSpec {
    TypeName::Scalar.tensor()
}

pub(crate) fn string(name: &str) -> Parameter {
    TypeName::String.named(name)
}

/// The weights that a call names in an argument.
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

/// A parameter for a factor that is 1 unless a call gives another one.
pub(crate) fn scale() -> Parameter {
    TypeName::Scalar.named("scale").default(1.0)
}

/// A parameter for the name of weights that a call may do without.
pub(crate) fn optional(name: &str) -> Parameter {
    string(name).default(false)
}

/// The weights that a call names in an argument, if it has that argument.
pub(crate) fn optional_weight(
    builder: &mut ModelBuilder,
    call: &ResolvedInvocation,
    argument: &str,
) -> TractResult<Option<WeightRef>> {
    match call.optional_named_arg_as::<String>(builder, argument)? {
        Some(_) => weight(builder, call, argument).map(Some),
        None => Ok(None),
    }
}

/// A number of things that a call gives in an argument.
pub(crate) fn count(builder: &mut ModelBuilder, call: &ResolvedInvocation, argument: &str) -> TractResult<usize> {
    let value: i64 = call.named_arg_as(builder, argument)?;
    ensure!(
        (0..=COUNT_MAX).contains(&value),
        "argument {argument} is {value}, it must be 0 to {COUNT_MAX}"
    );
    Ok(value as usize)
}

/// The activation that a call names.
pub(crate) fn activation(builder: &mut ModelBuilder, call: &ResolvedInvocation) -> TractResult<Activation> {
    let name: String = call.named_arg_as(builder, "activation")?;
    Ok(match name.as_str() {
        "silu" => Activation::Silu,
        "gelu" => Activation::Gelu,
        _ => bail!("activation is {name:?}, it must be \"silu\" or \"gelu\""),
    })
}

//! The operators that a graph may use, based on `whimbrel-kernels`: one table, and a file for each operator. A layer consists of about
//! seven, and none spans two layers.
//!
//! Each is a tract `TypedOp`, so tract reads them from text, checks their shapes and orders them. Sessions run that order themselves
//! ([`super::plan`]) through [`Operator::run`]. tract's own way to run them, `eval`, does the same with new tensors.

pub(crate) mod attention;
mod embedding;
mod gate_up;
pub(crate) mod linear;
mod normed;
mod projection;
mod qkv;
mod rms_norm;
pub(crate) mod short_convolution;

use tract_nnef::internal::*;

use self::normed::Normed;
use self::rms_norm::RmsNorm;
use super::arguments::tensor;
use super::operator::{Operator, OperatorKind};

/// Every operator of this engine.
pub(crate) const OPERATORS: [OperatorKind; 7] = [
    embedding::KIND,
    rms_norm::KIND,
    linear::KIND,
    qkv::KIND,
    gate_up::KIND,
    attention::KIND,
    short_convolution::KIND,
];

/// The operator in a node of tract's graph, if it is one of ours.
pub(crate) fn operator(node: &TypedNode) -> Option<Box<dyn Operator>> {
    OPERATORS.iter().find_map(|kind| (kind.find)(node))
}

/// What two nodes do as one, if they can be: `reader` is the only one that reads `norm`, and all its weights are quantised.
pub(crate) fn fused(norm: &TypedNode, reader: &TypedNode) -> Option<Box<dyn Operator>> {
    let is_only = matches!(norm.outputs[0].successors.as_slice(), [only] if only.node == reader.id);
    let is_plain = norm.inputs.len() == 1;
    let norm = norm.op_as::<RmsNorm>().filter(|_| is_only && is_plain)?.clone();
    let projection = OPERATORS.iter().find_map(|kind| (kind.find_projection)(reader))?;
    Some(Box::new(Normed::new(norm, projection)?))
}

/// The operators as an extension of NNEF: ours, or what they are compared with.
pub(crate) fn registry(of_reference: bool) -> Registry {
    let mut registry = Registry::new("whimbrel");
    for kind in &OPERATORS {
        let results: Vec<_> = kind.results.iter().map(|name| (*name, tensor())).collect();
        let build = if of_reference { kind.build_reference } else { kind.build };
        registry.register_primitive(kind.name, &(kind.parameters)(), &results, build);
    }
    registry
}

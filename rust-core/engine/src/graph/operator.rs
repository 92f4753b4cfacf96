//! An operator of a bundle's graph: its entry in the table of operators, how a session runs it, and what tract requires of it. Inputs and
//! outputs are f32 of shape `[T, width]`, where `T` is the number of tokens of one run.

use tract_nnef::internal::*;
use tract_nnef::registry::ToTract;
use whimbrel_kernels::Input;

use super::context::RunContext;
use crate::bundle::weights::WeightRef;

/// The most inputs, and the most outputs, of an operator.
pub(crate) const ARITY_MAX: usize = 3;

/// What one operator reads in one run.
pub(crate) struct Inputs<'a> {
    /// Tokens of the run.
    pub(crate) rows: usize,
    /// Their ids, for the operator that starts from them.
    pub(crate) ids: &'a [u32],
    /// Rows of floats, an entry an input; the others are empty.
    pub(crate) floats: [&'a [f32]; ARITY_MAX],
    /// How many inputs there are.
    pub(crate) count: usize,
}

/// What sessions need of an operator.
pub(crate) trait Operator: std::fmt::Debug + Send + Sync {
    /// Values in a row of each output.
    fn widths(&self) -> TVec<usize>;

    /// Computes the outputs, slices of `rows × width` whose values are whatever they were.
    fn run(&self, run: &RunContext, inputs: &Inputs<'_>, outputs: &mut [&mut [f32]]) -> TractResult<()>;
}

/// An operator that does nothing to its one input but multiply weights with it. A norm before it can be part of it.
pub(crate) trait Projection: Operator {
    /// The weights.
    fn weights(&self) -> TVec<&WeightRef>;

    /// As [`Operator::run`], the input prepared.
    fn multiply(&self, run: &RunContext, input: Input<'_>, outputs: &mut [&mut [f32]]) -> TractResult<()>;
}

/// An operator that a graph may use: an entry in the table of operators.
pub(crate) struct OperatorKind {
    /// Its name in the graph's text.
    pub(crate) name: &'static str,
    /// What a call of it is given, in order.
    pub(crate) parameters: fn() -> Vec<Parameter>,
    /// The names of its results.
    pub(crate) results: &'static [&'static str],
    /// Makes the operator from a call.
    pub(crate) build: ToTract,
    /// Makes its counterpart on tract's own operators from the same call.
    pub(crate) build_reference: ToTract,
    /// The operator in a node, if it is of this kind.
    pub(crate) find: fn(&TypedNode) -> Option<Box<dyn Operator>>,
    /// The same for kinds that are projections.
    pub(crate) find_projection: fn(&TypedNode) -> Option<Box<dyn Projection>>,
}

/// For [`OperatorKind::find`].
pub(crate) fn find<O: Operator + TypedOp + Clone>(node: &TypedNode) -> Option<Box<dyn Operator>> {
    Some(Box::new(node.op_as::<O>()?.clone()))
}

/// For [`OperatorKind::find_projection`].
pub(crate) fn find_projection<O: Projection + TypedOp + Clone>(node: &TypedNode) -> Option<Box<dyn Projection>> {
    Some(Box::new(node.op_as::<O>()?.clone()))
}

/// For [`OperatorKind::find_projection`] of kinds that are none.
pub(crate) fn no_projection(_: &TypedNode) -> Option<Box<dyn Projection>> {
    None
}

/// `rows` rows of `width` floats.
pub(crate) fn rows_of(rows: &TDim, width: usize) -> TypedFact {
    f32::fact([rows.clone(), width.to_dim()])
}

/// Fails unless the fact is f32 of shape `[T, width]`.
pub(crate) fn expect_width(what: &str, fact: &TypedFact, width: usize) -> TractResult<()> {
    let fits = fact.rank() == 2 && fact.datum_type == f32::datum_type() && fact.shape[1] == width.to_dim();
    ensure!(fits, "{what} takes f32 [T, {width}], not {fact:?}");
    Ok(())
}

/// What tract asks of every operator, the same for all of ours: never folded into a constant, evaluated only in a session. The
/// type has a method `facts` that checks the inputs and describes the outputs.
macro_rules! tract_operator {
    ($type:ty, $name:literal) => {
        impl Op for $type {
            fn name(&self) -> StaticName {
                $name.into()
            }
            fn info(&self) -> TractResult<Vec<String>> {
                Ok(vec![format!("{self:?}")])
            }
            op_as_typed_op!();
        }
        impl EvalOp for $type {
            not_out_of_plan!();
            fn eval(&self, context: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
                $crate::graph::operator::evaluate(self, context, &inputs)
            }
        }
        impl TypedOp for $type {
            as_op!();
            fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
                self.facts(inputs)
            }
        }
    };
}
pub(crate) use tract_operator;

/// Runs an operator the way tract does: tensors in, fresh tensors out.
pub(crate) fn evaluate(operator: &dyn Operator, context: &EvalContext, values: &[TValue]) -> TractResult<TVec<TValue>> {
    let run = RunContext::of(context)?;
    run.check_cancelled()?;
    let mut inputs = Inputs {
        rows: values.first().map_or(0, |value| value.shape()[0]),
        ids: &[],
        floats: [&[]; ARITY_MAX],
        count: values.len(),
    };
    let mut ids = Vec::new();
    for (value, floats) in values.iter().zip(&mut inputs.floats) {
        let plain = value.try_as_plain_ram()?;
        if value.datum_type() == i64::datum_type() {
            for id in plain.as_slice::<i64>()? {
                ids.push(u32::try_from(*id)?);
            }
        } else {
            *floats = plain.as_slice::<f32>()?;
        }
    }
    inputs.ids = &ids;
    let mut tensors: TVec<Tensor> = tvec!();
    for width in operator.widths() {
        tensors.push(Tensor::zero::<f32>(&[inputs.rows, width])?);
    }
    {
        let mut plains = tvec!();
        for tensor in &mut tensors {
            plains.push(tensor.try_as_plain_ram_mut()?);
        }
        let mut outputs = tvec!();
        for plain in &mut plains {
            outputs.push(plain.as_slice_mut::<f32>()?);
        }
        operator.run(run, &inputs, &mut outputs)?;
    }
    Ok(tensors.into_iter().map(Tensor::into_tvalue).collect())
}

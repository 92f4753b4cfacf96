//! Compares our operators with tract's own, one by one on the same graph text.

use std::path::Path;
use std::sync::Arc;

use tract_nnef::ast::{Document, Identifier, LValue, RValue};
use tract_nnef::internal::*;

use crate::graph::context::RunContext;
use crate::graph::operator::{ARITY_MAX, Inputs};
use crate::graph::operators::operator;
use crate::graph::reference::{Limits, floats, ids_tensor, run};
use crate::graph::text::parse;
use crate::graph::typed_model;
use crate::{EngineError, Model, OpenOptions};

/// The difference between a result of the graph and its reference.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// The result's name in the graph text, and the number of its statement.
    pub name: String,
    /// Root of the mean squared difference, relative to the reference's root mean square.
    pub relative: f64,
}

/// Runs tokens through a bundle's graph on tract's own operators, gives each of our operators the inputs of its counterpart, and compares
/// the results, in the order of the text.
///
/// # Errors
/// As [`Model::open`]; [`EngineError::Run`].
pub fn compare_with_reference(
    folder: &Path,
    options: &OpenOptions,
    ids: &[u32],
) -> Result<Vec<Difference>, EngineError> {
    let model = Model::open(folder, options)?;
    let (text, weights) = Model::graph_and_weights(folder, model.variant(), options)?;
    let weights = Arc::new(weights);
    let (document, names) = numbered(parse(&text)?).map_err(failed)?;
    let fused = typed_model(document.clone(), &weights, None)?;
    let limits = Limits {
        context_length: ids.len(),
    };
    let reference = typed_model(document, &weights, Some(limits))?;
    let context = model.run_context(ids.len() as u32)?;
    compare(&context, &fused, reference, &names, ids).map_err(failed)
}

fn failed(error: TractError) -> EngineError {
    EngineError::Run {
        reason: format!("{error:#}"),
    }
}

fn compare(
    context: &RunContext,
    fused: &TypedModel,
    reference: TypedModel,
    names: &[String],
    ids: &[u32],
) -> TractResult<Vec<Difference>> {
    let plan = reference.into_optimized()?.into_runnable()?;
    let mut expected: HashMap<OutletId, Vec<f32>> = HashMap::new();
    for (outlet, value) in fused.output_outlets()?.iter().zip(&run(&plan, ids_tensor(ids))?) {
        expected.insert(*outlet, floats(value)?);
    }
    let mut found: HashMap<OutletId, f64> = HashMap::new();
    for id in fused.eval_order()? {
        let node = fused.node(id);
        if node.inputs.is_empty() {
            continue;
        }
        let operator = operator(node).with_context(|| format!("{node} is not one of this engine's operators"))?;
        let mut inputs = Inputs {
            rows: ids.len(),
            ids,
            floats: [&[]; ARITY_MAX],
            count: node.inputs.len(),
        };
        for (slot, input) in inputs.floats.iter_mut().zip(&node.inputs) {
            *slot = expected.get(input).map_or(&[], Vec::as_slice);
        }
        let mut values: Vec<Vec<f32>> = operator
            .widths()
            .iter()
            .map(|width| vec![0f32; ids.len() * width])
            .collect();
        let mut outputs: Vec<&mut [f32]> = values.iter_mut().map(Vec::as_mut_slice).collect();
        operator.run(context, &inputs, &mut outputs)?;
        for (slot, value) in values.iter().enumerate() {
            let outlet = OutletId::new(id, slot);
            let reference = expected.get(&outlet).context("a result has no reference")?;
            found.insert(outlet, relative_difference(value, reference));
        }
    }
    let results = fused.output_outlets()?.iter().zip(names);
    results
        .map(|(outlet, name)| {
            Ok(Difference {
                name: name.clone(),
                relative: *found.get(outlet).context("a result was not computed")?,
            })
        })
        .collect()
}

/// The same document with a name of its own for every result, all of which are results of the graph; their names in order.
fn numbered(mut document: Document) -> TractResult<(Document, Vec<String>)> {
    let mut current: HashMap<Identifier, Identifier> = HashMap::new();
    let mut names = Vec::new();
    let mut results = Vec::new();
    for (index, assignment) in document.graph_def.body.iter_mut().enumerate() {
        let RValue::Invocation(call) = &mut assignment.right else {
            bail!("only calls are numbered");
        };
        for argument in &mut call.arguments {
            if let RValue::Identifier(name) = &mut argument.rvalue
                && let Some(numbered) = current.get(name)
            {
                *name = numbered.clone();
            }
        }
        let is_input = index == 0;
        let mut rename = |name: &mut Identifier| {
            let numbered = Identifier(format!("{}_{index}", name.0));
            current.insert(name.clone(), numbered.clone());
            if !is_input {
                names.push(numbered.0.clone());
                results.push(numbered.clone());
            }
            *name = numbered;
        };
        match &mut assignment.left {
            LValue::Identifier(name) => rename(name),
            LValue::Array(all) | LValue::Tuple(all) => {
                for name in all {
                    let LValue::Identifier(name) = name else {
                        bail!("results are not nested");
                    };
                    rename(name);
                }
            }
        }
    }
    let renamed = |name: &Identifier| current.get(name).cloned().unwrap_or_else(|| name.clone());
    document.graph_def.parameters = document.graph_def.parameters.iter().map(renamed).collect();
    document.graph_def.results = results;
    Ok((document, names))
}

fn relative_difference(own: &[f32], reference: &[f32]) -> f64 {
    if own.len() != reference.len() {
        return f64::INFINITY;
    }
    let square = |value: f64| value * value;
    let difference: f64 = own
        .iter()
        .zip(reference)
        .map(|(a, b)| square(f64::from(*a) - f64::from(*b)))
        .sum();
    let size: f64 = reference.iter().map(|value| square(f64::from(*value))).sum();
    (difference / size.max(f64::MIN_POSITIVE)).sqrt()
}

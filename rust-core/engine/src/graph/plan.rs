//! A graph as a flat list of operators and the buffers between them. tract decides what is in the list and in which order,
//! a norm and its only reader become one step, and a run is then one loop over them, without looking anything up and, once
//! its buffers have their size, without allocating.

use std::collections::HashMap;

use tract_nnef::internal::*;

use crate::EngineError;
use crate::graph::context::RunContext;
use crate::graph::operators::{ARITY_MAX, Inputs, Operator, fused, operator};

/// See the module. The head is not in the list: it is run for the rows that are asked for.
pub(crate) struct Walk {
    steps: Vec<Step>,
    /// Values in a row of each buffer.
    widths: Vec<usize>,
    /// The buffer that the head reads.
    hidden: usize,
}

/// One operator, and the buffers it reads and writes; `NONE` where it has fewer.
struct Step {
    operator: Box<dyn Operator>,
    inputs: [usize; ARITY_MAX],
    outputs: [usize; ARITY_MAX],
}

const NONE: usize = usize::MAX;

/// Buffers of one session for one [`Walk`]. They grow to the longest run and stay.
#[derive(Default)]
pub(crate) struct Buffers(Vec<Vec<f32>>);

impl Walk {
    /// Flattens everything before the head, the node `head`.
    pub(crate) fn new(model: &TypedModel, head: usize) -> TractResult<Walk> {
        let order = model.eval_order()?;
        let mut last_use: HashMap<OutletId, usize> = HashMap::new();
        for (index, node) in order.iter().enumerate() {
            for input in &model.node(*node).inputs {
                last_use.insert(*input, index);
            }
        }
        let hidden = *model.node(head).inputs.first().context("the head has no input")?;
        let mut plan = Planner::default();
        let mut steps = Vec::new();
        let mut index = 0;
        while index < order.len() {
            let mut node = model.node(order[index]);
            let inputs = &node.inputs;
            if inputs.is_empty() || node.id == head {
                index += 1;
                continue;
            }
            let next = order.get(index + 1).map(|next| model.node(*next));
            let operator = match next.and_then(|next| Some((next, fused(node, next)?))) {
                Some((next, operator)) => {
                    node = next;
                    index += 1;
                    operator
                }
                None => operator(node).with_context(|| format!("{node} is not one of this engine's operators"))?,
            };
            let widths = operator.widths();
            ensure!(
                widths.len() == node.outputs.len() && widths.len() <= ARITY_MAX && inputs.len() <= ARITY_MAX,
                "{node} has too many inputs or outputs"
            );
            let mut step = Step {
                operator,
                inputs: [NONE; ARITY_MAX],
                outputs: [NONE; ARITY_MAX],
            };
            for (slot, input) in step.inputs.iter_mut().zip(inputs) {
                // Token ids are no buffer.
                *slot = plan.slots.get(input).copied().unwrap_or(NONE);
            }
            for (output, width) in widths.into_iter().enumerate() {
                step.outputs[output] = plan.take(OutletId::new(node.id, output), width);
            }
            // Inputs that nobody reads later are free for the steps that follow; so are outputs that nobody reads at all.
            let outputs = (0..node.outputs.len()).map(|output| OutletId::new(node.id, output));
            for outlet in inputs.iter().copied().chain(outputs) {
                if outlet != hidden && last_use.get(&outlet).is_none_or(|last| *last <= index) {
                    plan.free(outlet);
                }
            }
            steps.push(step);
            index += 1;
        }
        Ok(Walk {
            steps,
            hidden: *plan
                .slots
                .get(&hidden)
                .context("the head reads what nothing computes")?,
            widths: plan.widths,
        })
    }

    /// The rows that the head reads, as the last run left them.
    pub(crate) fn hidden<'b>(&self, buffers: &'b Buffers) -> &'b [f32] {
        buffers.0.get(self.hidden).map_or(&[], Vec::as_slice)
    }

    /// Puts rows where the head reads them, as if a run had left them.
    pub(crate) fn set_hidden(&self, buffers: &mut Buffers, rows: &[f32]) {
        buffers.0.resize_with(self.widths.len(), Vec::new);
        buffers.0[self.hidden].clear();
        buffers.0[self.hidden].extend_from_slice(rows);
    }

    /// Runs the tokens through every operator.
    pub(crate) fn run(
        &self,
        run: &RunContext,
        ids: &[u32],
        buffers: &mut Buffers,
        around: &mut impl Around,
    ) -> Result<(), EngineError> {
        let buffers = &mut buffers.0;
        buffers.resize_with(self.widths.len(), Vec::new);
        for (buffer, width) in buffers.iter_mut().zip(&self.widths) {
            buffer.resize(ids.len() * width, 0.0);
        }
        for (index, step) in self.steps.iter().enumerate() {
            if run.cancel.borrow().is_cancelled() {
                return Err(EngineError::Cancelled);
            }
            around.before();
            let outcome = step.run(run, ids, buffers);
            around.after(index, &step.outputs, buffers);
            outcome.map_err(|error| EngineError::Run {
                reason: format!("{error:#}"),
            })?;
        }
        Ok(())
    }
}

/// Looks at a run while it goes on.
pub(crate) trait Around {
    /// An operator is about to run.
    fn before(&mut self);
    /// The operator of that index has run; its outputs are these of the buffers.
    fn after(&mut self, index: usize, outputs: &[usize; ARITY_MAX], buffers: &[Vec<f32>]);
}

/// Nobody looks.
impl Around for () {
    #[inline(always)]
    fn before(&mut self) {}
    #[inline(always)]
    fn after(&mut self, _: usize, _: &[usize; ARITY_MAX], _: &[Vec<f32>]) {}
}

impl Step {
    fn run(&self, run: &RunContext, ids: &[u32], buffers: &mut [Vec<f32>]) -> TractResult<()> {
        // Outputs leave the list while they are written, so that the inputs can be read beside them.
        let mut taken = self
            .outputs
            .map(|slot| buffers.get_mut(slot).map(std::mem::take).unwrap_or_default());
        let inputs = Inputs {
            rows: ids.len(),
            ids,
            floats: self.inputs.map(|slot| buffers.get(slot).map_or(&[][..], Vec::as_slice)),
            count: self.inputs.iter().filter(|slot| **slot != NONE).count(),
        };
        let count = self.outputs.iter().filter(|slot| **slot != NONE).count();
        let outcome = {
            let mut outputs = taken.each_mut().map(Vec::as_mut_slice);
            self.operator.run(run, &inputs, &mut outputs[..count])
        };
        for (slot, buffer) in self.outputs.iter().zip(taken) {
            if let Some(place) = buffers.get_mut(*slot) {
                *place = buffer;
            }
        }
        outcome
    }
}

/// Gives every value between operators a buffer; values that do not live at the same time share one.
#[derive(Default)]
struct Planner {
    slots: HashMap<OutletId, usize>,
    widths: Vec<usize>,
    free: Vec<usize>,
}

impl Planner {
    fn take(&mut self, outlet: OutletId, width: usize) -> usize {
        let found = self.free.iter().position(|slot| self.widths[*slot] == width);
        let slot = match found {
            Some(index) => self.free.swap_remove(index),
            None => {
                self.widths.push(width);
                self.widths.len() - 1
            }
        };
        self.slots.insert(outlet, slot);
        slot
    }

    fn free(&mut self, outlet: OutletId) {
        if let Some(slot) = self.slots.get(&outlet)
            && !self.free.contains(slot)
        {
            self.free.push(*slot);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use crate::graph::reference::{floats, ids_tensor};
    use crate::graph::{parse, typed_model};
    use crate::{CancelFlag, Model, OpenOptions, Session};

    /// Walking the list gives what tract's own executor gives, to the last bit.
    #[test]
    fn tracts_executor_gives_the_same() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared-models/tiny");
        let options = OpenOptions {
            threads: 1,
            ..OpenOptions::default()
        };
        let model = Model::open(&folder, &options).unwrap();
        let (text, weights) = Model::graph_and_weights(&folder, model.variant(), &options).unwrap();
        let typed = typed_model(parse(&text).unwrap(), &Arc::new(weights), None).unwrap();
        let plan = typed.into_optimized().unwrap().into_runnable().unwrap();
        let mut state = plan.spawn().unwrap();
        state.turn_state.shared.insert(RunContext::new(&model, 64).unwrap());
        let ids: Vec<u32> = (0..40).map(|index| 20 + index * 37 % 700).collect();
        let logits = state.run(tvec!(ids_tensor(&ids).into_tvalue())).unwrap();
        let mut session = Session::new(&model, 64).unwrap();
        let expected = session
            .logits_after(&ids, ids.len() as u32, &CancelFlag::default())
            .unwrap();
        assert!(floats(&logits[0]).unwrap() == expected);
    }
}

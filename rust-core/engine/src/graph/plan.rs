//! The execution plan of a graph: a flat list of operators and the buffers between them. tract determines the list and its order, and a
//! norm and its only reader become one step. A run is then one loop over the list, without any lookups and, once its buffers have their
//! size, without allocations.

use std::collections::HashMap;

use tract_nnef::internal::*;

use super::context::RunContext;
use super::operator::{ARITY_MAX, Inputs, Operator};
use super::operators::{fused, operator};
use crate::EngineError;

/// See the module. The head is not in the list: it is run for the rows that are asked for.
pub(crate) struct ExecutionPlan {
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

/// Buffers of one session for one [`ExecutionPlan`]. They grow to the longest run and stay.
#[derive(Default)]
pub(crate) struct Buffers(Vec<Vec<f32>>);

impl ExecutionPlan {
    /// Flattens everything before the head, the node `head`.
    pub(crate) fn new(model: &TypedModel, head: usize) -> TractResult<ExecutionPlan> {
        let order = model.eval_order()?;
        let hidden = *model.node(head).inputs.first().context("the head has no input")?;
        let mut buffers = BufferAllocator::new(model, &order, hidden);
        let mut steps = Vec::new();
        let mut index = 0;
        while index < order.len() {
            let node = model.node(order[index]);
            if node.inputs.is_empty() || node.id == head {
                index += 1;
                continue;
            }
            let next = order.get(index + 1).map(|next| model.node(*next));
            let (operator, last) = match next.and_then(|next| Some((fused(node, next)?, next))) {
                Some((operator, next)) => {
                    index += 1;
                    (operator, next)
                }
                None => {
                    let operator = operator(node);
                    let operator = operator.with_context(|| format!("{node} is not one of this engine's operators"))?;
                    (operator, node)
                }
            };
            steps.push(Step::new(operator, &node.inputs, last, index, &mut buffers)?);
            index += 1;
        }
        let hidden = buffers.slots.get(&hidden);
        Ok(ExecutionPlan {
            steps,
            hidden: *hidden.context("the head reads what nothing computes")?,
            widths: buffers.widths,
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
        observer: &mut impl RunObserver,
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
            observer.before();
            let outcome = step.run(run, ids, buffers);
            observer.after(index, &step.outputs, buffers);
            outcome.map_err(|error| EngineError::Run {
                reason: format!("{error:#}"),
            })?;
        }
        Ok(())
    }
}

/// Watches a run.
pub(crate) trait RunObserver {
    /// An operator is about to run.
    fn before(&mut self);
    /// The operator of that index has run; its outputs are these of the buffers.
    fn after(&mut self, index: usize, outputs: &[usize; ARITY_MAX], buffers: &[Vec<f32>]);
}

/// Nobody watches.
impl RunObserver for () {
    #[inline(always)]
    fn before(&mut self) {}
    #[inline(always)]
    fn after(&mut self, _: usize, _: &[usize; ARITY_MAX], _: &[Vec<f32>]) {}
}

impl Step {
    /// An operator that reads `inputs` and writes the outputs of the node `last`, the one at `index` of the order.
    fn new(
        operator: Box<dyn Operator>,
        inputs: &[OutletId],
        last: &TypedNode,
        index: usize,
        buffers: &mut BufferAllocator,
    ) -> TractResult<Step> {
        let widths = operator.widths();
        ensure!(
            widths.len() == last.outputs.len() && widths.len() <= ARITY_MAX && inputs.len() <= ARITY_MAX,
            "{last} has too many inputs or outputs"
        );
        let mut step = Step {
            operator,
            inputs: [NONE; ARITY_MAX],
            outputs: [NONE; ARITY_MAX],
        };
        for (slot, input) in step.inputs.iter_mut().zip(inputs) {
            // Token ids are no buffer.
            *slot = buffers.slots.get(input).copied().unwrap_or(NONE);
        }
        for (output, width) in widths.into_iter().enumerate() {
            step.outputs[output] = buffers.take(OutletId::new(last.id, output), width);
        }
        // Inputs that nobody reads later are free for the steps that follow; so are outputs that nobody reads at all.
        let outputs = (0..last.outputs.len()).map(|output| OutletId::new(last.id, output));
        for outlet in inputs.iter().copied().chain(outputs) {
            buffers.free_unread(outlet, index);
        }
        Ok(step)
    }

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
struct BufferAllocator {
    slots: HashMap<OutletId, usize>,
    widths: Vec<usize>,
    free: Vec<usize>,
    /// The last node in the order that reads a value.
    last_reads: HashMap<OutletId, usize>,
    /// The value that is kept to the end.
    kept: OutletId,
}

impl BufferAllocator {
    fn new(model: &TypedModel, order: &[usize], kept: OutletId) -> BufferAllocator {
        let mut last_reads = HashMap::new();
        for (index, node) in order.iter().enumerate() {
            for input in &model.node(*node).inputs {
                last_reads.insert(*input, index);
            }
        }
        BufferAllocator {
            slots: HashMap::new(),
            widths: Vec::new(),
            free: Vec::new(),
            last_reads,
            kept,
        }
    }

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

    /// Frees the buffer of a value that nobody reads after the node at `index`.
    fn free_unread(&mut self, outlet: OutletId, index: usize) {
        if outlet == self.kept || self.last_reads.get(&outlet).is_some_and(|last| *last > index) {
            return;
        }
        if let Some(slot) = self.slots.get(&outlet)
            && !self.free.contains(slot)
        {
            self.free.push(*slot);
        }
    }
}

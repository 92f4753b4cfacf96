//! A norm and the projection that reads it, as one step.

use tract_nnef::internal::*;
use whimbrel_kernels::Input;

use super::projection::is_quantized;
use super::rms_norm::RmsNorm;
use crate::graph::context::RunContext;
use crate::graph::operator::{Inputs, Operator, Projection};

/// A norm and the operator that alone reads it, as one step: the norm goes to 8 bits without being stored.
#[derive(Debug)]
pub(super) struct Normed {
    norm: RmsNorm,
    reader: Box<dyn Projection>,
}

impl Normed {
    /// `None` unless the norm is of whole rows and all weights of the projection are quantised.
    pub(super) fn new(norm: RmsNorm, reader: Box<dyn Projection>) -> Option<Normed> {
        let are_quantized = reader.weights().iter().all(|weights| is_quantized(weights));
        (norm.heads == 1 && are_quantized).then_some(Normed { norm, reader })
    }
}

impl Operator for Normed {
    fn widths(&self) -> TVec<usize> {
        self.reader.widths()
    }

    fn run(&self, run: &RunContext, inputs: &Inputs<'_>, outputs: &mut [&mut [f32]]) -> TractResult<()> {
        let weights = self.norm.weights.floats().context("norm weights are f32")?;
        let epsilon = f32::from_bits(self.norm.epsilon_bits);
        let mut activations = run.activations.borrow_mut();
        activations.quantize_normed(&run.pool, inputs.floats[0], weights, epsilon);
        let input = Input {
            x: &[],
            quantized: &activations,
        };
        self.reader.multiply(run, input, outputs)
    }
}

//! Shared code of operators that multiply weights: quantising their input to 8 bits where a weight requires it.

use tract_nnef::internal::*;
use whimbrel_kernels::Input;

use crate::bundle::weights::WeightRef;
use crate::graph::context::RunContext;
use crate::graph::operator::Projection;

/// Whether the weights are stored in few bits, so that their input is too.
pub(super) fn is_quantized(weights: &WeightRef) -> bool {
    weights.matrix().tensor_type().is_quantized()
}

/// Quantises the input once if any of the weights needs it.
pub(super) fn quantize(run: &RunContext, x: &[f32], weights: &[&WeightRef]) {
    if weights.iter().any(|weights| is_quantized(weights)) {
        run.activations.borrow_mut().quantize(&run.pool, x, weights[0].columns);
    }
}

/// Runs an operator that multiplies, its input as floats and, where a weight needs it, quantised.
pub(super) fn multiply_floats(
    operator: &dyn Projection,
    run: &RunContext,
    x: &[f32],
    outputs: &mut [&mut [f32]],
) -> TractResult<()> {
    quantize(run, x, &operator.weights());
    let quantized = &run.activations.borrow();
    operator.multiply(run, Input { x, quantized }, outputs)
}

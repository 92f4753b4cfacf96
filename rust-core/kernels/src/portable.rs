//! Tiles of matrix products in plain Rust, for processors without special kernels.

use crate::activations::Activations;
use crate::formats::{BlockFormat, FloatFormat, add_products};
use crate::linear::Panel;
use crate::tensor_type::PANEL_ROWS;

/// The panel of a quantised matrix times some rows.
pub(crate) fn quantized_tile_body<F: BlockFormat>(
    panel: &[u8],
    activations: &Activations,
    first: usize,
    outputs: &mut [[f32; PANEL_ROWS]],
) {
    outputs.fill([0.0; PANEL_ROWS]);
    for (index, block) in panel.chunks_exact(F::PACKED_BYTES).enumerate() {
        for (row, outputs) in outputs.iter_mut().enumerate() {
            let inputs = &activations.row(first + row)[index * F::ACTIVATION_BLOCKS..][..F::ACTIVATION_BLOCKS];
            add_products::<F>(block, inputs, outputs);
        }
    }
}

/// Sixteen rows of a float matrix times some rows of activations.
pub(crate) fn float_tile_body<F: FloatFormat, const FMA: bool>(
    tile: Panel<'_>,
    x: &[f32],
    outputs: &mut [[f32; PANEL_ROWS]],
) {
    let columns = tile.columns();
    for lane in 0..PANEL_ROWS {
        let Some(weights) = tile.row::<F>(lane) else { break };
        for (x, outputs) in x.chunks_exact(columns).zip(outputs.iter_mut()) {
            let mut lanes = [0f32; 8];
            for (column, x) in x.iter().enumerate() {
                let sum = &mut lanes[column % 8];
                *sum = multiply_add::<FMA>(F::value(weights, column), *x, *sum);
            }
            outputs[lane] = lanes.iter().sum();
        }
    }
}

/// `a × b + c`, fused where the processor can: without the instruction the fused form would be a slow library call.
#[inline(always)]
pub(crate) fn multiply_add<const FMA: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}

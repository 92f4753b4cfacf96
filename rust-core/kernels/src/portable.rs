//! Tiles of matrix products in plain Rust, for processors without kernels of their own.

use crate::activations::Activations;
use crate::float::f16_to_f32;
use crate::linear::Panel;
use crate::tensor_type::{PANEL_ROWS, TensorType, header_bytes};

/// The panel of a quantised matrix times some rows, for processors without a kernel of their own.
#[inline(always)]
pub(crate) fn quantized_tile_body(
    tensor_type: TensorType,
    panel: &[u8],
    activations: &Activations,
    first: usize,
    outputs: &mut [[f32; PANEL_ROWS]],
) {
    let block_bytes = PANEL_ROWS * tensor_type.block_bytes();
    outputs.fill([0.0; PANEL_ROWS]);
    for (index, block) in panel.chunks_exact(block_bytes).enumerate() {
        let groups = &block[header_bytes(tensor_type)..];
        let half = |at: usize| f16_to_f32(u16::from_le_bytes([block[2 * at], block[2 * at + 1]]));
        for (row, outputs) in outputs.iter_mut().enumerate() {
            let input = &activations.row(first + row)[index];
            let sums = block_sums(tensor_type, groups, &input.values);
            for (lane, output) in outputs.iter_mut().enumerate() {
                *output += match tensor_type {
                    TensorType::Q4_0 => half(lane) * input.scale * (sums[lane] + input.offset) as f32,
                    TensorType::Q4_1 => {
                        half(lane) * input.scale * sums[lane] as f32 + half(PANEL_ROWS + lane) * input.weighted_sum
                    }
                    _ => half(lane) * input.scale * sums[lane] as f32,
                };
            }
        }
    }
}

/// Integer sums of 16 rows over one block of 32 columns, the offset of 4-bit values not taken off yet.
#[inline(always)]
fn block_sums(tensor_type: TensorType, groups: &[u8], values: &[i8]) -> [i32; PANEL_ROWS] {
    let mut sums = [0i32; PANEL_ROWS];
    if tensor_type == TensorType::Q8_0 {
        for (group, values) in groups.as_chunks::<64>().0.iter().zip(values.as_chunks::<4>().0) {
            for (sum, weights) in sums.iter_mut().zip(group.as_chunks::<4>().0) {
                for byte in 0..4 {
                    *sum += i32::from(weights[byte] as i8) * i32::from(values[byte]);
                }
            }
        }
    } else {
        for (group, values) in groups.as_chunks::<64>().0.iter().zip(values.as_chunks::<8>().0) {
            for (sum, weights) in sums.iter_mut().zip(group.as_chunks::<4>().0) {
                for byte in 0..4 {
                    *sum += i32::from(weights[byte] & 15) * i32::from(values[byte])
                        + i32::from(weights[byte] >> 4) * i32::from(values[byte + 4]);
                }
            }
        }
    }
    sums
}

/// Sixteen rows of a float matrix times some rows of activations, for processors without a kernel of their own.
pub(crate) fn float_tile_body<const FMA: bool>(tile: Panel<'_>, x: &[f32], outputs: &mut [[f32; PANEL_ROWS]]) {
    let columns = tile.columns();
    for lane in 0..PANEL_ROWS {
        let Some(weights) = tile.row(lane) else { break };
        for (x, outputs) in x.chunks_exact(columns).zip(outputs.iter_mut()) {
            let mut lanes = [0f32; 8];
            for (column, x) in x.iter().enumerate() {
                let sum = &mut lanes[column % 8];
                *sum = multiply_add::<FMA>(tile.value(weights, column), *x, *sum);
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

//! Arithmetic of the engine: quantised matrix products, attention, norms and activations, chosen per CPU at run time.
//! No files, no threads but the pool's own, no knowledge of models.

mod float;
mod tensor_type;

pub use float::{bf16_to_f32, f16_to_f32, f32_to_f16};
pub use tensor_type::{BLOCK_COLUMNS, PANEL_ROWS, TensorType, pack, unpack_row};

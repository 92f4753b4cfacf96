//! The engine's arithmetic: quantised matrix products, attention, norms and activations, with kernels chosen for the processor at run time.
//! The crate uses no files and no threads except its pool's, and knows nothing about models.

#![allow(
    clippy::needless_range_loop,
    reason = "tiles are small matrices of registers: loops by index show what is multiplied with what"
)]

mod activations;
#[cfg(target_arch = "aarch64")]
mod arm;
mod attention;
mod cpu;
mod dispatch;
mod elementwise;
mod float;
mod formats;
mod kv;
mod linear;
mod pool;
mod portable;
mod shared;
mod simd;
mod tensor_type;
#[cfg(target_arch = "x86_64")]
mod x86;

pub use activations::Activations;
pub use attention::{Attend, Rotation, attend};
pub use cpu::{Level, apple_performance_cores, cpu_features};
pub use elementwise::{Activation, exp_weights, rms_norm, short_convolution};
pub use float::{bf16_to_f32, f16_to_f32, f32_to_f16};
pub use kv::{AttentionShape, HEAD_DIM_MAX, KV_BLOCK, KvPrecision, Window, append_kv};
pub use linear::{Input, Matrix, PRODUCTS_MAX, Product, group_maxima, multiply, multiply_gated};
pub use pool::{THREADS_MAX, ThreadPool};
pub use tensor_type::{BLOCK_COLUMNS, PANEL_ROWS, TensorType, pack, unpack_row};

#[cfg(test)]
mod tests;

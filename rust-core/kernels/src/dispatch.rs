//! From a level to the code compiled for it: hand-written tiles where there are some, otherwise the portable body compiled
//! again with the level's instructions.

use crate::activations::{ActivationBlock, Activations, quantize_body};
use crate::attention::{self, Partial, Tile, Work, to_halves_body};
use crate::cpu::Level;
use crate::elementwise::{rms_norm_body, swiglu_body};
use crate::linear::{FloatTile, float_tile_body, quantized_tile_body};
use crate::simd::Portable;
use crate::tensor_type::{PANEL_ROWS, TensorType};

/// Fused multiply-add belongs to the baseline of 64-bit ARM.
pub(crate) const BASELINE_FMA: bool = cfg!(target_arch = "aarch64");

pub(crate) fn quantize(x: &[f32], blocks: &mut [ActivationBlock]) {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx2,fma,f16c")]
        fn avx2(x: &[f32], blocks: &mut [ActivationBlock]) {
            quantize_body(x, blocks);
        }
        if Level::best() >= Level::Avx2 {
            // SAFETY: the processor has the level's instructions.
            return unsafe { avx2(x, blocks) };
        }
    }
    quantize_body(x, blocks);
}

pub(crate) fn quantized_tile(
    level: Level,
    tensor_type: TensorType,
    panel: &[u8],
    activations: &Activations,
    first: usize,
    outputs: &mut [[f32; PANEL_ROWS]],
) {
    match level {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: a level is only chosen when the processor has its instructions.
        Level::Avx2 => unsafe { crate::x86::quantized_tile(tensor_type, panel, activations, first, outputs) },
        _ => quantized_tile_body(tensor_type, panel, activations, first, outputs),
    }
}

pub(crate) fn float_tile(level: Level, tile: FloatTile<'_>, x: &[f32], outputs: &mut [[f32; PANEL_ROWS]]) {
    match level {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: a level is only chosen when the processor has its instructions.
        Level::Avx2 => unsafe { crate::x86::float_tile(tile, x, outputs) },
        _ => float_tile_body::<BASELINE_FMA>(tile, x, outputs),
    }
}

pub(crate) fn rms_norm(x: &[f32], weights: &[f32], epsilon: f32, y: &mut [f32]) {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx2,fma,f16c")]
        fn avx2(x: &[f32], weights: &[f32], epsilon: f32, y: &mut [f32]) {
            rms_norm_body::<true>(x, weights, epsilon, y);
        }
        if Level::best() >= Level::Avx2 {
            // SAFETY: the processor has the level's instructions.
            return unsafe { avx2(x, weights, epsilon, y) };
        }
    }
    rms_norm_body::<BASELINE_FMA>(x, weights, epsilon, y);
}

pub(crate) fn swiglu(gate: &[f32], y: &mut [f32]) {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx2,fma,f16c")]
        fn avx2(gate: &[f32], y: &mut [f32]) {
            swiglu_body::<true>(gate, y);
        }
        if Level::best() >= Level::Avx2 {
            // SAFETY: the processor has the level's instructions.
            return unsafe { avx2(gate, y) };
        }
    }
    swiglu_body::<BASELINE_FMA>(gate, y);
}

pub(crate) fn to_halves(floats: &[f32], halves: &mut [u16]) {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx2,fma,f16c")]
        fn avx2(floats: &[f32], halves: &mut [u16]) {
            to_halves_body(floats, halves);
        }
        if Level::best() >= Level::Avx2 {
            // SAFETY: the processor has the level's instructions.
            return unsafe { avx2(floats, halves) };
        }
    }
    to_halves_body(floats, halves);
}

/// The softmax of one tile of queries over one span of positions.
pub(crate) fn attend_span(work: &Work<'_>, tile: &Tile, span: usize, partial: &mut Partial) {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx2,fma,f16c")]
        fn avx2(work: &Work<'_>, tile: &Tile, span: usize, partial: &mut Partial) {
            // SAFETY: this function is compiled for the instructions.
            unsafe { attention::attend_span::<crate::x86::Avx2>(work, tile, span, partial) }
        }
        if Level::best() >= Level::Avx2 {
            // SAFETY: the processor has the level's instructions.
            return unsafe { avx2(work, tile, span, partial) };
        }
    }
    // SAFETY: it needs no special instructions.
    unsafe { attention::attend_span::<Portable>(work, tile, span, partial) }
}

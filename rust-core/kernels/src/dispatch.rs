//! Selects the code that was compiled for a level: hand-written tiles if there are any, otherwise the portable code compiled with the
//! level's instructions.

use crate::activations::{ActivationBlock, Activations, quantize_body, quantize_normed_body};
use crate::attention::{self, Partial, Tile, Work};
use crate::cpu::Level;
use crate::elementwise::{Activation, exp_weights_body, gate_body, rms_norm_body, short_convolution_body};
use crate::formats::{BlockType, FloatType, with_block_format, with_float_format};
use crate::kv::to_halves_body;
use crate::linear::Panel;
use crate::portable::{float_tile_body, quantized_tile_body};
use crate::simd::Portable;
use crate::tensor_type::PANEL_ROWS;
#[cfg(target_arch = "x86_64")]
use crate::x86;

/// Fused multiply-add belongs to the baseline of 64-bit ARM.
pub(crate) const BASELINE_FMA: bool = cfg!(target_arch = "aarch64");

pub(crate) fn quantize(level: Level, x: &[f32], blocks: &mut [ActivationBlock]) {
    match level {
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => {
            #[target_feature(enable = "avx2,fma,f16c")]
            fn avx2(x: &[f32], blocks: &mut [ActivationBlock]) {
                quantize_body(x, blocks);
            }
            // SAFETY: the level is AVX2, so the processor has AVX2, FMA and F16C.
            unsafe { avx2(x, blocks) }
        }
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the level is AVX-512, so the processor has F, BW and VL, and AVX2 with them.
        Level::Avx512 => unsafe { x86::quantize::quantize(x, blocks) },
        _ => quantize_body(x, blocks),
    }
}

/// Quantises the norm of one row.
pub(crate) fn quantize_normed(level: Level, x: &[f32], weights: &[f32], epsilon: f32, blocks: &mut [ActivationBlock]) {
    match level {
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => {
            #[target_feature(enable = "avx2,fma,f16c")]
            fn avx2(x: &[f32], weights: &[f32], epsilon: f32, blocks: &mut [ActivationBlock]) {
                quantize_normed_body::<true>(x, weights, epsilon, blocks, quantize_body);
            }
            // SAFETY: the level is AVX2, so the processor has AVX2, FMA and F16C.
            unsafe { avx2(x, weights, epsilon, blocks) }
        }
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => {
            #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx2,fma,f16c")]
            fn avx512(x: &[f32], weights: &[f32], epsilon: f32, blocks: &mut [ActivationBlock]) {
                quantize_normed_body::<true>(x, weights, epsilon, blocks, |x, blocks| {
                    x86::quantize::quantize(x, blocks);
                });
            }
            // SAFETY: the level is AVX-512, so the processor has F, BW and VL, and AVX2 with them.
            unsafe { avx512(x, weights, epsilon, blocks) }
        }
        _ => quantize_normed_body::<BASELINE_FMA>(x, weights, epsilon, blocks, quantize_body),
    }
}

pub(crate) fn quantized_tile(
    level: Level,
    block_type: BlockType,
    panel: &[u8],
    activations: &Activations,
    first: usize,
    outputs: &mut [[f32; PANEL_ROWS]],
) {
    match level {
        Level::Portable => {
            with_block_format!(block_type, F => quantized_tile_body::<F>(panel, activations, first, outputs));
        }
        // SAFETY: the level is AVX2, so the processor has AVX2, FMA and F16C.
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => unsafe { x86::avx2::quantized_tile(block_type, panel, activations, first, outputs) },
        // SAFETY: the level is AVX-512, so the processor has F, BW, VL and VNNI.
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => unsafe { x86::avx512::quantized_tile(block_type, panel, activations, first, outputs) },
        // SAFETY: the processor has the instructions of the level, which is handed on.
        #[cfg(target_arch = "aarch64")]
        Level::Neon | Level::DotProd | Level::I8mm => unsafe {
            crate::arm::tiles::quantized_tile(level, block_type, panel, activations, first, outputs)
        },
    }
}

/// Two panels of one type times `outputs[…].len()` rows from `first` on; one after the other at levels without such tiles.
pub(crate) fn quantized_pair(
    level: Level,
    block_type: BlockType,
    panels: [&[u8]; 2],
    activations: &Activations,
    first: usize,
    outputs: [&mut [[f32; PANEL_ROWS]]; 2],
) {
    match level {
        // SAFETY: the level is AVX-512, so the processor has F, BW, VL and VNNI.
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => unsafe { x86::avx512::quantized_pair(block_type, panels, activations, first, outputs) },
        _ => {
            for (panel, outputs) in panels.into_iter().zip(outputs) {
                quantized_tile(level, block_type, panel, activations, first, outputs);
            }
        }
    }
}

pub(crate) fn float_tile(
    level: Level,
    float_type: FloatType,
    tile: Panel<'_>,
    x: &[f32],
    outputs: &mut [[f32; PANEL_ROWS]],
) {
    match level {
        // SAFETY: the level is AVX2 or AVX-512, and both ask for AVX2, FMA and F16C.
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 | Level::Avx512 => unsafe { x86::avx2::float_tile(float_type, tile, x, outputs) },
        _ => with_float_format!(float_type, F => float_tile_body::<F, BASELINE_FMA>(tile, x, outputs)),
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
            // SAFETY: from AVX2 on, every level asks for AVX2, FMA and F16C.
            return unsafe { avx2(x, weights, epsilon, y) };
        }
    }
    rms_norm_body::<BASELINE_FMA>(x, weights, epsilon, y);
}

/// The convolution of some rows, `x` beginning with those before them.
pub(crate) fn short_convolution(
    level: Level,
    weights: &[f32],
    channels: usize,
    x: &[f32],
    gate: &[f32],
    y: &mut [f32],
) {
    match level {
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => {
            #[target_feature(enable = "avx2,fma,f16c")]
            fn avx2(weights: &[f32], channels: usize, x: &[f32], gate: &[f32], y: &mut [f32]) {
                short_convolution_body::<true>(weights, channels, x, gate, y);
            }
            // SAFETY: the level is AVX2, so the processor has AVX2, FMA and F16C.
            unsafe { avx2(weights, channels, x, gate, y) }
        }
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => {
            #[target_feature(enable = "avx512f,avx2,fma,f16c")]
            fn avx512(weights: &[f32], channels: usize, x: &[f32], gate: &[f32], y: &mut [f32]) {
                short_convolution_body::<true>(weights, channels, x, gate, y);
            }
            // SAFETY: the level is AVX-512, so the processor has its foundation, and AVX2 with it.
            unsafe { avx512(weights, channels, x, gate, y) }
        }
        _ => short_convolution_body::<BASELINE_FMA>(weights, channels, x, gate, y),
    }
}

pub(crate) fn gate(level: Level, activation: Activation, gate: &[f32], y: &mut [f32]) {
    match level {
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => {
            #[target_feature(enable = "avx2,fma,f16c")]
            fn avx2(activation: Activation, gate: &[f32], y: &mut [f32]) {
                gate_body::<true>(activation, gate, y);
            }
            // SAFETY: the level is AVX2, so the processor has AVX2, FMA and F16C.
            unsafe { avx2(activation, gate, y) }
        }
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => {
            #[target_feature(enable = "avx512f,avx2,fma,f16c")]
            fn avx512(activation: Activation, gate: &[f32], y: &mut [f32]) {
                gate_body::<true>(activation, gate, y);
            }
            // SAFETY: the level is AVX-512, so the processor has its foundation, and AVX2 with it.
            unsafe { avx512(activation, gate, y) }
        }
        _ => gate_body::<BASELINE_FMA>(activation, gate, y),
    }
}

pub(crate) fn exp_weights(scores: &[f32], highest: f32, temperature: f64, weights: &mut [f64]) {
    #[cfg(target_arch = "x86_64")]
    {
        // Without fused multiply-add, which rounds differently.
        #[target_feature(enable = "avx2")]
        fn avx2(scores: &[f32], highest: f32, temperature: f64, weights: &mut [f64]) {
            exp_weights_body(scores, highest, temperature, weights);
        }
        if Level::best() >= Level::Avx2 {
            // SAFETY: from AVX2 on, every level asks for AVX2.
            return unsafe { avx2(scores, highest, temperature, weights) };
        }
    }
    exp_weights_body(scores, highest, temperature, weights);
}

pub(crate) fn to_halves(floats: &[f32], halves: &mut [u16]) {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx2,fma,f16c")]
        fn avx2(floats: &[f32], halves: &mut [u16]) {
            to_halves_body(floats, halves);
        }
        if Level::best() >= Level::Avx2 {
            // SAFETY: from AVX2 on, every level asks for AVX2, FMA and F16C.
            return unsafe { avx2(floats, halves) };
        }
    }
    to_halves_body(floats, halves);
}

/// The softmax of one tile of queries over one span of positions.
pub(crate) fn attend_span(level: Level, work: &Work<'_>, tile: &Tile, span: usize, partial: &mut Partial) {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx2,fma,f16c")]
        fn avx2(work: &Work<'_>, tile: &Tile, span: usize, partial: &mut Partial) {
            // SAFETY: this function is compiled for AVX2, FMA and F16C, which `Eight` needs.
            unsafe { attention::attend_span::<x86::floats::Eight>(work, tile, span, partial) }
        }
        #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx2,fma,f16c")]
        fn avx512(work: &Work<'_>, tile: &Tile, span: usize, partial: &mut Partial) {
            // SAFETY: this function is compiled for AVX-512 F, which `Sixteen` needs.
            unsafe { attention::attend_span::<x86::floats::Sixteen>(work, tile, span, partial) }
        }
        match level {
            // SAFETY: the level is AVX-512, so the processor has F, BW and VL, and AVX2 with them.
            Level::Avx512 if work.fits(16) => return unsafe { avx512(work, tile, span, partial) },
            // SAFETY: the level is AVX2 or AVX-512, and both ask for AVX2, FMA and F16C.
            Level::Avx2 | Level::Avx512 => return unsafe { avx2(work, tile, span, partial) },
            Level::Portable => {}
        }
    }
    #[cfg(target_arch = "aarch64")]
    if level >= Level::Neon {
        // SAFETY: NEON belongs to the baseline.
        return unsafe { attention::attend_span::<crate::arm::neon::Eight>(work, tile, span, partial) };
    }
    let _ = level;
    // SAFETY: it needs no special instructions.
    unsafe { attention::attend_span::<Portable>(work, tile, span, partial) }
}

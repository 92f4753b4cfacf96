//! Row-wise arithmetic around the matrix products: RMS norm, rotary embedding, gated activation, short convolution.

use crate::cpu::Level;
use crate::pool::ThreadPool;
use crate::portable::multiply_add;
use crate::shared::SharedMut;

/// Rows that are worth a task of their own.
const ROWS_PER_TASK_MIN: usize = 4;

/// Root-mean-square norm: `y = x / sqrt(mean(x²) + epsilon) × weights`, for rows of `weights.len()` values (Zhang and Sennrich 2019, "Root
/// Mean Square Layer Normalization").
///
/// ```
/// use whimbrel_kernels::{ThreadPool, rms_norm};
///
/// let mut y = [0.0; 2];
/// rms_norm(&ThreadPool::new(1)?, &[3.0, -3.0], &[1.0, 0.5], 0.0, &mut y);
/// assert_eq!(y, [1.0, -0.5]);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Panics
/// If the lengths do not match; callers must check them.
pub fn rms_norm(pool: &ThreadPool, x: &[f32], weights: &[f32], epsilon: f32, y: &mut [f32]) {
    assert!(x.len() == y.len() && !weights.is_empty() && x.len().is_multiple_of(weights.len()));
    by_rows(pool, x.len() / weights.len(), weights.len(), y, &|rows, y| {
        crate::dispatch::rms_norm(
            &x[rows.start * weights.len()..rows.end * weights.len()],
            weights,
            epsilon,
            y,
        );
    });
}

/// A causal convolution of each channel, times a gate: `y[row] = gate[row] × Σ weights[tap] × x[row + tap]`, for rows of `channels` values.
/// `weights` has a row for each tap; `x` begins with the rows before the first one, one fewer than there are taps.
///
/// A row's result depends only on the row and those before it, not on the number of rows or threads.
///
/// ```
/// use whimbrel_kernels::{ThreadPool, short_convolution};
///
/// let mut y = [0.0; 2];
/// short_convolution(&ThreadPool::new(1)?, &[10.0, 1.0], 1, &[1.0, 2.0, 3.0], &[1.0, 2.0], &mut y);
/// assert_eq!(y, [12.0, 2.0 * 23.0]);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Panics
/// If the lengths do not match; callers must check them.
pub fn short_convolution(pool: &ThreadPool, weights: &[f32], channels: usize, x: &[f32], gate: &[f32], y: &mut [f32]) {
    short_convolution_at(Level::best(), pool, weights, channels, x, gate, y);
}

pub(crate) fn short_convolution_at(
    level: Level,
    pool: &ThreadPool,
    weights: &[f32],
    channels: usize,
    x: &[f32],
    gate: &[f32],
    y: &mut [f32],
) {
    assert!(channels > 0 && !weights.is_empty() && weights.len().is_multiple_of(channels));
    assert!(y.len().is_multiple_of(channels) && gate.len() == y.len());
    let before = weights.len() - channels;
    assert_eq!(x.len(), before + y.len(), "the rows and those before them");
    by_rows(pool, y.len() / channels, channels, y, &|rows, y| {
        let own = rows.start * channels..rows.end * channels;
        let x = &x[own.start..own.end + before];
        crate::dispatch::short_convolution(level, weights, channels, x, &gate[own], y);
    });
}

/// Cuts rows into one task a thread; a few rows stay on the calling thread.
fn by_rows(
    pool: &ThreadPool,
    rows: usize,
    columns: usize,
    y: &mut [f32],
    compute: &(dyn Fn(std::ops::Range<usize>, &mut [f32]) + Sync),
) {
    let per_task = rows.div_ceil(pool.threads()).max(ROWS_PER_TASK_MIN);
    let y = SharedMut::new(y);
    pool.run(rows.div_ceil(per_task), &|task| {
        let range = task * per_task..rows.min((task + 1) * per_task);
        // SAFETY: tasks have disjoint rows.
        let y = unsafe { y.slice(range.start * columns, range.end * columns) };
        compute(range, y);
    });
}

/// Rotary position embedding of one row of heads: each head's values `i` and `i + pairs` turn by the angle whose cosine and
/// sine stand at `i` (Su et al. 2021, "RoFormer", in the rotate-half arrangement). Values past `2 × pairs` stay.
#[inline(always)]
pub(crate) fn rotate_body(row: &mut [f32], head_dim: usize, cosines: &[f32], sines: &[f32]) {
    let pairs = cosines.len();
    for head in row.chunks_exact_mut(head_dim) {
        let (low, high) = head[..2 * pairs].split_at_mut(pairs);
        for (((low, high), cosine), sine) in low.iter_mut().zip(high).zip(cosines).zip(sines) {
            let (a, b) = (*low, *high);
            *low = a * cosine - b * sine;
            *high = a * sine + b * cosine;
        }
    }
}

#[inline(always)]
pub(crate) fn rms_norm_body<const FMA: bool>(x: &[f32], weights: &[f32], epsilon: f32, y: &mut [f32]) {
    for (x, y) in x.chunks_exact(weights.len()).zip(y.chunks_exact_mut(weights.len())) {
        let scale = rms_scale::<FMA>(x, epsilon);
        for ((y, x), weight) in y.iter_mut().zip(x).zip(weights) {
            *y = x * scale * weight;
        }
    }
}

#[inline(always)]
pub(crate) fn short_convolution_body<const FMA: bool>(
    weights: &[f32],
    channels: usize,
    x: &[f32],
    gate: &[f32],
    y: &mut [f32],
) {
    let rows = gate.chunks_exact(channels).zip(y.chunks_exact_mut(channels));
    for (row, (gate, y)) in rows.enumerate() {
        y.fill(0.0);
        let taps = weights
            .chunks_exact(channels)
            .zip(x[row * channels..].chunks_exact(channels));
        for (weights, x) in taps {
            for ((y, weight), x) in y.iter_mut().zip(weights).zip(x) {
                *y = multiply_add::<FMA>(*weight, *x, *y);
            }
        }
        y.iter_mut().zip(gate).for_each(|(y, gate)| *y *= gate);
    }
}

/// `1 / sqrt(mean(x²) + epsilon)` of one row.
#[inline(always)]
pub(crate) fn rms_scale<const FMA: bool>(x: &[f32], epsilon: f32) -> f32 {
    let mut lanes = [0f32; 16];
    let (chunks, rest) = x.as_chunks::<16>();
    for chunk in chunks {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane = multiply_add::<FMA>(*value, *value, *lane);
        }
    }
    let sum: f32 = lanes.iter().sum::<f32>() + rest.iter().map(|value| value * value).sum::<f32>();
    1.0 / (sum / x.len() as f32 + epsilon).sqrt()
}

/// The activation function of a feed-forward gate (Shazeer 2020, "GLU Variants Improve Transformer").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Activation {
    /// `v ÷ (1 + e^−v)`
    #[default]
    Silu,
    /// `v ÷ 2 × (1 + tanh(√(2 ÷ π) × (v + 0.044715 v³)))`: GELU as nearly every model computes it (Hendrycks and Gimpel 2016, "Gaussian
    /// Error Linear Units").
    Gelu,
}

/// `y = activation(gate) × y`.
#[inline(always)]
pub(crate) fn gate_body<const FMA: bool>(activation: Activation, gate: &[f32], y: &mut [f32]) {
    match activation {
        Activation::Silu => {
            for (gate, y) in gate.iter().zip(y) {
                *y *= gate / (1.0 + exp::<FMA>(-gate));
            }
        }
        Activation::Gelu => {
            // 1 + tanh(u) is 2 ÷ (1 + e^−2u).
            const LINEAR: f32 = -2.0 * 0.797_884_6;
            const CUBIC: f32 = LINEAR * 0.044_715;
            for (gate, y) in gate.iter().zip(y) {
                let u = gate * multiply_add::<FMA>(gate * gate, CUBIC, LINEAR);
                *y *= gate / (1.0 + exp::<FMA>(u));
            }
        }
    }
}

/// `weights[i] = e^((scores[i] − highest) ÷ temperature)` for scores up to `highest`, with a relative error below 1e-14; 0 where the
/// exponent is below -700 and for NaN. The result has the same bits on every processor, because it consists of additions and
/// multiplications that IEEE 754 defines to the last bit.
///
/// ```
/// let mut weights = [0.0; 3];
/// whimbrel_kernels::exp_weights(&[2.0, 1.0, f32::NEG_INFINITY], 2.0, 1.0, &mut weights);
/// assert_eq!(weights[0], 1.0);
/// assert!((weights[1] - (-1f64).exp()).abs() < 1e-15);
/// assert_eq!(weights[2], 0.0);
/// ```
///
/// # Panics
/// If the lengths differ.
pub fn exp_weights(scores: &[f32], highest: f32, temperature: f64, weights: &mut [f64]) {
    assert_eq!(scores.len(), weights.len(), "a weight for each score");
    crate::dispatch::exp_weights(scores, highest, temperature, weights);
}

#[inline(always)]
pub(crate) fn exp_weights_body(scores: &[f32], highest: f32, temperature: f64, weights: &mut [f64]) {
    for (weight, score) in weights.iter_mut().zip(scores) {
        *weight = exp_of_negative((f64::from(*score) - f64::from(highest)) / temperature);
    }
}

/// `e^x` for x up to 0, as [`exp_weights`] says. x is split into n ln 2 + r with |r| up to ln 2 / 2; e^r is its Taylor series to
/// the 13th power and 2^n is put together from bits.
#[inline(always)]
fn exp_of_negative(x: f64) -> f64 {
    const LOWEST: f64 = -700.0;
    /// 1.5 × 2^52: added to a number it leaves the rounded integer in the low bits of the sum.
    const ROUND: f64 = 6_755_399_441_055_744.0;
    // The upper part of ln 2 has its last 20 bits clear, so that n times it is exact.
    const LN_2_HIGH: f64 = f64::from_bits(0x3fe6_2e42_fee0_0000);
    const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;
    /// 1 ÷ n!
    const SERIES: [f64; 14] = {
        let mut series = [1.0; 14];
        let mut n = 1;
        while n < series.len() {
            series[n] = series[n - 1] / n as f64;
            n += 1;
        }
        series
    };
    let is_weighed = x >= LOWEST;
    let x = if is_weighed { x } else { LOWEST };
    let shifted = x * std::f64::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = x - n * LN_2_HIGH - n * LN_2_LOW;
    let mut sum = SERIES[13];
    for index in (0..13).rev() {
        sum = sum * r + SERIES[index];
    }
    // The low bits of `shifted` hold n; moved into the exponent they multiply by 2^n.
    let weight = f64::from_bits(sum.to_bits().wrapping_add(shifted.to_bits() << 52));
    if is_weighed { weight } else { 0.0 }
}

/// `e^x` within 2 units in the last place, without branches: 2^n times a polynomial on ±ln 2 / 2 (Cephes' coefficients).
/// Arguments are clamped to where the result is a normal number.
#[inline(always)]
pub(crate) fn exp<const FMA: bool>(x: f32) -> f32 {
    const ROUND: f32 = 12_582_912.0;
    let x = if x > 88.0 { 88.0 } else { x };
    let x = if x < -87.0 { -87.0 } else { x };
    let shifted = multiply_add::<FMA>(x, std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = multiply_add::<FMA>(n, -0.693_359_4, x);
    let r = multiply_add::<FMA>(n, 2.121_944_4e-4, r);
    let mut p = 1.987_569_1e-4;
    for coefficient in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5] {
        p = multiply_add::<FMA>(p, r, coefficient);
    }
    let p = multiply_add::<FMA>(p * r, r, r) + 1.0;
    // The low bits of `shifted` hold n; moved into the exponent they multiply by 2^n.
    f32::from_bits(p.to_bits().wrapping_add(shifted.to_bits() << 23))
}

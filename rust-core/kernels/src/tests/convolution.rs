//! The short convolution against plain arithmetic, and that a row depends on nothing but the rows it sees.
#![allow(clippy::unwrap_used)]

use super::{Numbers, assert_close, levels};
use crate::ThreadPool;
use crate::elementwise::short_convolution_at;

#[test]
fn convolutions_agree_with_plain_arithmetic_in_runs_of_any_length() {
    for (channels, taps, rows) in [(1, 1, 3), (7, 2, 9), (32, 3, 40), (45, 4, 17)] {
        let mut numbers = Numbers(channels as u64);
        let weights = numbers.many(taps * channels);
        let x = numbers.many((taps - 1 + rows) * channels);
        let gate = numbers.many(rows * channels);
        let at = |row: usize, channel: usize| row * channels + channel;
        let product = |row: usize, channel: usize, tap: usize| {
            f64::from(weights[at(tap, channel)]) * f64::from(x[at(row + tap, channel)])
        };
        let expected: Vec<f64> = (0..rows * channels)
            .map(|index| {
                let (row, channel) = (index / channels, index % channels);
                let sum: f64 = (0..taps).map(|tap| product(row, channel, tap)).sum();
                f64::from(gate[index]) * sum
            })
            .collect();
        for level in levels() {
            let run = |threads: usize, first: usize, rows: usize| {
                let mut y = vec![0.0; rows * channels];
                let seen = &x[first * channels..(first + rows + taps - 1) * channels];
                let gate = &gate[first * channels..(first + rows) * channels];
                let pool = ThreadPool::new(threads).unwrap();
                short_convolution_at(level, &pool, &weights, channels, seen, gate, &mut y);
                y
            };
            let alone: Vec<f32> = (0..rows).flat_map(|row| run(1, row, 1)).collect();
            let name = format!("{channels} channels, {taps} taps, {}", level.name());
            assert_close(&name, &alone, &expected, 1e-5);
            for threads in [1, 3] {
                assert!(run(threads, 0, rows) == alone, "{name}, {threads} threads");
            }
        }
    }
}

//! Trains the tagger of names anew from generated texts.
//!
//! `cargo run --release -p whimbrel-privacy --example train_tagger -- rust-core/privacy/data/tagger.bin` writes the weights, the same ones
//! in every run. Without a file it prints how good the weights are that were compiled in, on texts whose templates, names and words were
//! held out.

use std::process::ExitCode;

mod perceptron;
mod quality;
mod text;

use perceptron::Perceptron;
use text::{Part, Texts};

/// How many texts are generated to learn from and to measure with.
const TRAINING_TEXTS: u32 = 1_500_000;
const HELD_OUT_TEXTS: u32 = 40_000;

fn main() -> ExitCode {
    let Some(path) = std::env::args().nth(1) else {
        quality::print(Texts::new(Part::HeldOut), HELD_OUT_TEXTS);
        return ExitCode::SUCCESS;
    };
    let mut perceptron = Perceptron::new();
    let mut texts = Texts::new(Part::Training);
    for _ in 0..TRAINING_TEXTS {
        for (candidate, is_name) in texts.next().candidates() {
            perceptron.learn(&candidate.features, is_name);
        }
    }
    let bytes: Vec<u8> = perceptron.weights().map(i8::cast_unsigned).collect();
    if let Err(error) = std::fs::write(&path, &bytes) {
        eprintln!("{path}: {error}");
        return ExitCode::FAILURE;
    }
    println!("{} bytes, BLAKE3 {}", bytes.len(), blake3::hash(&bytes));
    ExitCode::SUCCESS
}

//! Writes a random model of a real model's size, to measure speed on: `random TYPE WIDTH FILE.gguf`. Eight layers of Llama's network, with
//! weights of one type and rows of WIDTH columns; a type that they do not fill is replaced as in llama.cpp's files.

use std::path::Path;
use std::process::ExitCode;

use whimbrel_engine::TensorType;
use whimbrel_forge::synthetic::Synthetic;

/// Values of a head.
const HEAD_DIM: u32 = 64;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match write(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("random: {error}");
            ExitCode::FAILURE
        }
    }
}

fn write(arguments: &[String]) -> Result<(), String> {
    let [name, width, file] = arguments else {
        return Err("usage: random TYPE WIDTH FILE.gguf".to_owned());
    };
    let named = TensorType::ALL.into_iter().find(|each| each.name() == name);
    let tensor_type = named.ok_or_else(|| format!("{name} is no type"))?;
    let width: u32 = width.parse().map_err(|error| format!("{width}: {error}"))?;
    if width == 0 || !width.is_multiple_of(2 * HEAD_DIM) {
        return Err(format!("{width} is no multiple of {}", 2 * HEAD_DIM));
    }
    let model = Synthetic {
        layers: 8,
        width,
        feed_forward: 3 * width,
        heads: width / HEAD_DIM,
        kv_heads: 2,
        head_dim: HEAD_DIM,
        tensor_type,
        ..Synthetic::default()
    };
    std::fs::write(Path::new(file), model.to_gguf()).map_err(|error| format!("{file}: {error}"))
}

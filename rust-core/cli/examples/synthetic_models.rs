//! Writes the synthetic models of the fidelity test as GGUF files, so that llama.cpp can measure them:
//! `cargo run -p whimbrel-cli --example synthetic_models -- FOLDER`.

#[path = "../tests/fidelity/synthetic.rs"]
mod synthetic;

use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(folder) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: synthetic_models FOLDER");
        return ExitCode::from(2);
    };
    for (name, model) in synthetic::models() {
        let path = folder.join(format!("synthetic-{name}.gguf"));
        if let Err(error) = std::fs::write(&path, model.to_gguf()) {
            eprintln!("synthetic_models: {}: {error}", path.display());
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

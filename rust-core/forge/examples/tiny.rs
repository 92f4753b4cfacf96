//! Makes the test bundle: `cargo run -p whimbrel-forge --example tiny -- shared-models/tiny`. An existing bundle there is
//! replaced. With a file name that ends in `.gguf`, writes the model file that the bundle is made from instead; with `--thinks` behind it,
//! that of a model that thinks before it answers.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use whimbrel_forge::synthetic::{Synthetic, import_tiny};

fn main() -> ExitCode {
    let Some(output) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: tiny OUTPUT_DIR | OUTPUT.gguf [--thinks]");
        return ExitCode::from(2);
    };
    let made = if output.extension().is_some_and(|extension| extension == "gguf") {
        write_model(&output, std::env::args_os().any(|argument| argument == "--thinks"))
    } else {
        import_tiny(&output, true)
            .map(|_| ())
            .map_err(|error| error.to_string())
    };
    match made {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tiny: {error}");
            ExitCode::FAILURE
        }
    }
}

fn write_model(output: &Path, thinks: bool) -> Result<(), String> {
    let model = Synthetic {
        thinks,
        ..Synthetic::tiny()
    };
    std::fs::write(output, model.to_gguf()).map_err(|error| error.to_string())
}

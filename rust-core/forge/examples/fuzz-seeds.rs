//! Writes what the fuzz targets start from: `cargo run -p whimbrel-forge --example fuzz-seeds -- FOLDER` makes a folder a target
//! with small valid files in it.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use whimbrel_forge::synthetic::Synthetic;
use whimbrel_forge::{Gguf, ImportOptions, Vocabulary, import};
use whimbrel_kernels::TensorType;

/// Streams that are not quite what they should be, by their oddness.
const SSE_SEEDS: [(&str, &str); 5] = [
    (
        "parts",
        "0data: {\"choices\":[{\"index\":\"0\",\"delta\":{\"content\":[{\"type\":\"text\",\"text\":\"a\"}]}}]}\n\n",
    ),
    (
        "halves",
        "0data: {\"choices\":[{\"delta\":{\"content\":\"\\ud83d\"}}]}\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"\\udc26\"}}]}\n\n",
    ),
    (
        "thoughts",
        "0data: {\"choices\":[{\"delta\":{\"reasoning\":\"a\",\"refusal\":\"b\",\"tool_calls\":[1]}}]}\n\n",
    ),
    (
        "pings",
        "0event: ping\ndata: {}\n\ndata: : b\n\ndata: {\"type\":\"keepalive\"}\n\n",
    ),
    (
        "errors",
        "0error: {\"code\":500}\ndata: [DONE]\n\ndata: {\"error\":{\"message\":\"b\"}}\n\n",
    ),
];

fn main() -> ExitCode {
    let Some(output) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: fuzz-seeds FOLDER");
        return ExitCode::from(2);
    };
    match write_seeds(&output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("fuzz-seeds: {error}");
            ExitCode::FAILURE
        }
    }
}

/// A model of a few kilobytes, so that a fuzzer meets the header often.
fn seed_model(tensor_type: TensorType) -> Synthetic {
    Synthetic {
        layers: 1,
        width: 32,
        feed_forward: 32,
        heads: 2,
        kv_heads: 1,
        head_dim: 16,
        vocabulary: 260,
        rope_factors: true,
        rope_linear: Some(2.0),
        tied: true,
        tensor_type,
        ..Synthetic::default()
    }
}

fn write_seeds(output: &Path) -> Result<(), Box<dyn Error>> {
    let write = |target: &str, name: &str, content: &[u8]| -> Result<(), Box<dyn Error>> {
        std::fs::create_dir_all(output.join(target))?;
        Ok(std::fs::write(output.join(target).join(name), content)?)
    };
    // The target lays its input over a good prefix of its own; nothing at all leaves that as it is.
    write("saved_prefix", "nothing", &[0])?;
    let stream = "\u{feff}: ping\r\ndata: {\"choices\":[{\"delta\":{\"content\":\"ä\"}}]}\r\n\r\nevent: x\ndata: a\ndata: b\n\ndata: [DONE]\n\n";
    write("sse", "stream", stream.as_bytes())?;
    for (name, events) in SSE_SEEDS {
        write("sse", name, events.as_bytes())?;
    }
    write("gguf", "vocabulary", &seed_model(TensorType::F32).to_vocabulary_gguf())?;
    let pieces = Synthetic {
        sentencepiece: true,
        ..seed_model(TensorType::F32)
    };
    write("gguf", "pieces", &pieces.to_vocabulary_gguf())?;
    let vocabulary = Vocabulary::read(&Gguf::parse(&pieces.to_vocabulary_gguf())?)?;
    write("tokenizer", "pieces", &vocabulary.parts.to_bytes()?)?;
    let parts = seed_model(TensorType::F32).to_gguf_parts(2);
    let first = u32::try_from(parts[0].len())?.to_le_bytes();
    write("gguf_parts", "two", &[&first, &parts[0][..], &parts[1]].concat())?;
    write("gguf_parts", "name", b"small-00001-of-00002.gguf")?;
    let folder = tempfile::tempdir()?;
    for tensor_type in TensorType::ALL {
        let name = tensor_type.name();
        let file = seed_model(tensor_type).to_gguf();
        write("gguf", name, &file)?;
        let options = ImportOptions {
            source: folder.path().join(format!("{name}.gguf")),
            output: folder.path().join(name),
            ..ImportOptions::default()
        };
        std::fs::write(&options.source, &file)?;
        let manifest = import(&options, &mut |_| ())?;
        let variant = &manifest.variants[0];
        let read = |path: &str| std::fs::read(options.output.join(path));
        write("manifest", name, &read("manifest.json")?)?;
        write("graph", name, &read(&variant.graph.path)?)?;
        let index = [
            variant.weights.bytes.to_le_bytes().as_slice(),
            &read(&variant.index.path)?,
        ]
        .concat();
        write("weights_index", name, &index)?;
        write("tokenizer", name, &read(&manifest.tokenizer.file.path)?)?;
        if let Some(template) = &manifest.chat_template {
            write("chat_template", name, &read(&template.path)?)?;
        }
    }
    Ok(())
}

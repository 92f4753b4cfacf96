//! `whimbrel inspect`: what is in a bundle, or in a GGUF file and whether it can be imported.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap_complete::engine::ArgValueCompleter;
use serde::Serialize;
use serde_json::{Map, Value as Json, json};
use whimbrel_engine::{EngineError, Manifest, ModelCard, TensorType};
use whimbrel_forge::gguf::{Gguf, ModelFile as SourceFile, Value};
use whimbrel_forge::{Quantization, Summary};

use crate::arguments::model;
use crate::error::{CliError, exit};
use crate::models::import::bundle_bytes;
use crate::models::{completion, install};
use crate::terminal::output::{Facts, OutputArguments, bytes, table};
use crate::terminal::style;

/// The longest text value that is shown to people, in characters.
const SHOWN_CHARACTERS_MAX: usize = 80;

/// The flags of `inspect`.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// An installed model's name, a bundle folder or a GGUF file
    #[arg(value_name = "NAME|FOLDER|FILE", add = ArgValueCompleter::new(completion::installed))]
    what: PathBuf,
    #[command(flatten)]
    output: OutputArguments,
}

/// Returns the exit status: facts about a damaged bundle are facts, and still a failure.
pub(crate) fn run(arguments: &Arguments) -> Result<u8, CliError> {
    let path = arguments.what.as_path();
    if path.is_file() {
        arguments.output.print(&inspect_file(path)?)?;
        return Ok(exit::SUCCESS);
    }
    let bundle = inspect_bundle(&model::resolve(&arguments.what)?)?;
    arguments.output.print(&bundle.facts)?;
    Ok(match bundle.damage {
        None => exit::SUCCESS,
        Some(error) => {
            let report = error.report();
            style::error(&report.line());
            report.status
        }
    })
}

struct Inspected {
    facts: Bundle,
    damage: Option<CliError>,
}

#[derive(Serialize)]
struct Bundle {
    kind: &'static str,
    #[serde(serialize_with = "crate::terminal::output::path")]
    path: PathBuf,
    verified: bool,
    /// Why it is not verified, as any command would say it.
    error: Json,
    bundle_bytes: u64,
    manifest: Manifest,
}

impl Facts for Bundle {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        let manifest = &self.manifest;
        let shape = &manifest.architecture;
        let tokenizer = &manifest.tokenizer;
        let mut rows = vec![
            ("bundle", self.path.display().to_string()),
            (
                "verified",
                if self.verified {
                    "yes: sizes and hashes match".to_owned()
                } else {
                    "NO".to_owned()
                },
            ),
            (
                "model",
                format!("{} {}, {}", manifest.name, manifest.version, manifest.task),
            ),
            (
                "licence",
                format!(
                    "{} {}",
                    manifest.licence.spdx,
                    manifest.licence.url.as_deref().unwrap_or("")
                ),
            ),
            (
                "source",
                manifest.source.origin.as_ref().unwrap_or(&manifest.source.file).clone(),
            ),
            (
                "network",
                format!(
                    "{}, {} layers, width {}, {} heads ({} for keys and values), {} parameters",
                    shape.name, shape.layers, shape.embedding_length, shape.heads, shape.kv_heads, shape.parameters
                ),
            ),
            ("context", format!("{} tokens", manifest.context_length)),
            (
                "tokenizer",
                format!(
                    "{}, {}, {} tokens",
                    tokenizer.kind, tokenizer.pre_tokenizer, shape.vocabulary
                ),
            ),
            ("size", bytes(self.bundle_bytes)),
        ];
        for variant in &manifest.variants {
            rows.push((
                "variant",
                format!(
                    "{}: {} of weights, {} read per token, about {} of memory",
                    variant.name,
                    bytes(variant.weights.bytes),
                    bytes(variant.bytes_per_token),
                    bytes(variant.peak_memory_bytes)
                ),
            ));
        }
        rows.extend(card_rows(&manifest.card));
        table(out, &rows)
    }
}

/// How the model is meant to be used, as far as the bundle says so.
fn card_rows(card: &ModelCard) -> impl Iterator<Item = (&'static str, String)> {
    let sampling = serde_json::to_string(&card.sampling)
        .ok()
        .filter(|sampling| sampling != "{}");
    let languages = Some(card.languages.join(", ")).filter(|languages| !languages.is_empty());
    [
        ("system", card.system.clone()),
        ("sampling", sampling),
        ("languages", languages),
        ("limits", card.limits.clone()),
    ]
    .into_iter()
    .filter_map(|(label, value)| Some((label, value?)))
}

fn inspect_bundle(folder: &Path) -> Result<Inspected, CliError> {
    let (manifest, damage) = match whimbrel_engine::verify(folder) {
        Ok(manifest) => (manifest, None),
        // A file is damaged or gone, the manifest itself may be fine.
        Err(error @ (EngineError::Corrupt { .. } | EngineError::Read { .. })) => match install::manifest(folder) {
            Some(manifest) => (manifest, Some(CliError::Engine(error))),
            None => return Err(error.into()),
        },
        Err(error) => return Err(error.into()),
    };
    let error = damage
        .as_ref()
        .map_or(Json::Null, |error| error.report().object()["error"].take());
    let facts = Bundle {
        kind: "bundle",
        path: folder.to_owned(),
        verified: damage.is_none(),
        error,
        bundle_bytes: bundle_bytes(&manifest),
        manifest,
    };
    Ok(Inspected { facts, damage })
}

#[derive(Serialize)]
struct ModelFile {
    kind: &'static str,
    #[serde(serialize_with = "crate::terminal::output::path")]
    path: PathBuf,
    /// Of all parts together.
    bytes: u64,
    /// Number of files.
    parts: u32,
    gguf_version: u32,
    metadata: Map<String, Json>,
    tensors: Vec<TensorGroup>,
    supported: bool,
    /// Why it cannot be imported.
    reason: Option<String>,
    /// What `import` with `keep` would make.
    import: Json,
}

/// All tensors of one type.
#[derive(Serialize)]
struct TensorGroup {
    #[serde(rename = "type")]
    tensor_type: &'static str,
    supported: bool,
    /// The type that an import turns it into, if there are no kernels for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    widened_to: Option<&'static str>,
    count: u64,
    values: u64,
    bytes: u64,
}

impl Facts for ModelFile {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(
            out,
            "{}: GGUF version {}, {}{}",
            self.path.display(),
            self.gguf_version,
            bytes(self.bytes),
            match self.parts {
                1 => String::new(),
                parts => format!(" in {parts} parts"),
            }
        )?;
        for (key, value) in &self.metadata {
            writeln!(out, "  {key} = {}", shown(value))?;
        }
        for group in &self.tensors {
            let widened = group.widened_to.map(|to| format!(", imported as {to}"));
            writeln!(
                out,
                "  {} tensors {}, {}{}",
                group.count,
                group.tensor_type,
                bytes(group.bytes),
                widened.unwrap_or_default()
            )?;
        }
        match &self.reason {
            None => writeln!(out, "can be imported"),
            Some(reason) => writeln!(out, "cannot be imported: {reason}"),
        }
    }
}

/// A value on one line, shortened.
fn shown(value: &Json) -> String {
    let text = match value {
        Json::Object(array) => format!("{} values of type {}", array["count"], array["array_of"]).replace('"', ""),
        other => other.to_string(),
    };
    match text.char_indices().nth(SHOWN_CHARACTERS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn inspect_file(path: &Path) -> Result<ModelFile, CliError> {
    let file = SourceFile::open(path)?;
    let gguf = file.parse()?;
    let metadata = gguf
        .keys()
        .iter()
        .map(|(key, value)| ((*key).to_owned(), describe(value)))
        .collect();
    let outcome = whimbrel_forge::summarize(&gguf, Quantization::Keep);
    Ok(ModelFile {
        kind: "gguf",
        path: path.to_owned(),
        bytes: file.bytes(),
        parts: file.paths().count() as u32,
        gguf_version: gguf.version(),
        metadata,
        tensors: groups(&gguf),
        supported: outcome.is_ok(),
        reason: outcome.as_ref().err().map(ToString::to_string),
        import: outcome.as_ref().map_or(Json::Null, summary),
    })
}

fn summary(summary: &Summary) -> Json {
    json!({
        "name": summary.name,
        "architecture": summary.architecture,
        "context_length": summary.context_length,
        "variant": summary.variant,
        "weights_bytes": summary.weights_bytes,
        "bytes_per_token": summary.bytes_per_token,
        "peak_memory_bytes": summary.peak_memory_bytes,
    })
}

/// A metadata value as JSON; arrays (vocabularies) only by type and length.
fn describe(value: &Value<'_>) -> Json {
    match value {
        Value::Integer(number, _) => match (u64::try_from(*number), i64::try_from(*number)) {
            (Ok(number), _) => json!(number),
            (_, Ok(number)) => json!(number),
            _ => json!(number.to_string()),
        },
        Value::F32(number) => json!(number),
        Value::F64(number) => json!(number),
        Value::Bool(flag) => json!(flag),
        Value::String(text) => json!(String::from_utf8_lossy(text)),
        Value::Array(array) => json!({"array_of": array.element_type().name(), "count": array.count()}),
    }
}

fn groups(gguf: &Gguf<'_>) -> Vec<TensorGroup> {
    let mut groups: BTreeMap<&str, TensorGroup> = BTreeMap::new();
    for tensor in gguf.tensors() {
        let name = tensor.ggml_type.name;
        let group = groups.entry(name).or_insert_with(|| TensorGroup {
            tensor_type: name,
            supported: tensor.ggml_type.is_supported(),
            widened_to: tensor.ggml_type.widened_to().map(TensorType::name),
            count: 0,
            values: 0,
            bytes: 0,
        });
        group.count += 1;
        group.values += tensor.values();
        group.bytes += tensor.bytes.len() as u64;
    }
    groups.into_values().collect()
}

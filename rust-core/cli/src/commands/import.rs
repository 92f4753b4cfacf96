//! `whimbrel import`: a model file becomes a bundle.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde::Serialize;
use whimbrel_engine::{Architecture, ChatTemplate, Conversion, Licence, ModelCard, Source};
use whimbrel_forge::{EmbeddingType, GgmlType, ImportOptions, Quantization, TemplateChoice};

use crate::arguments::number::whole;
use crate::arguments::policy_documents::object;
use crate::error::CliError;
use crate::models::import::{bundle_bytes, import};
use crate::terminal::output::{Facts, OutputArguments, bytes, table};
use crate::terminal::{input, interrupt};

/// The flags of `import`.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// The GGUF file
    file: PathBuf,
    /// The bundle folder to make
    #[arg(long, short, value_name = "FOLDER")]
    output: PathBuf,
    /// The format of the weights; keep changes no value, but widens formats that have no kernels here (Q2_K, Q3_K, Q5_K, Q5_1, IQ4_XS)
    #[arg(long, value_name = "TYPE", default_value = "keep", value_parser = quantization())]
    quantization: Quantization,
    /// The format of the embedding, and of the head, where they would take more bits
    #[arg(long, value_name = "TYPE", value_parser = embedding())]
    embedding: Option<EmbeddingType>,
    /// The model's name [default: the file's own]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// The licence, as an SPDX expression [default: the file's own]
    #[arg(long, value_name = "SPDX")]
    licence: Option<String>,
    /// How the model is meant to be used, as a JSON object or as @FILE: {"system": "Be brief.", "sampling": {"temperature": 0.3},
    /// "languages": ["en"], "limits": "Makes mistakes."}
    #[arg(long, value_name = "JSON|@FILE", verbatim_doc_comment)]
    card: Option<String>,
    /// The chat template: a file with a Jinja template, or none for a model that only continues text [default: the model file's own]
    #[arg(long, value_name = "FILE|none")]
    chat_template: Option<PathBuf>,
    /// Replace an existing bundle, but never anything else
    #[arg(long)]
    force: bool,
    /// Number of threads; 0 uses one per core
    #[arg(long, value_name = "N", default_value_t = 0, allow_negative_numbers = true, value_parser = whole::<u32>(0..=u32::MAX.into()))]
    threads: u32,
    #[command(flatten)]
    out: OutputArguments,
}

fn quantization() -> impl TypedValueParser<Value = Quantization> {
    PossibleValuesParser::new(Quantization::ALL.map(Quantization::name))
        .map(|name| name.parse().expect("one of the names above"))
}

fn embedding() -> impl TypedValueParser<Value = EmbeddingType> {
    PossibleValuesParser::new(EmbeddingType::ALL.map(EmbeddingType::name)).map(|name| {
        let named = EmbeddingType::ALL.into_iter().find(|each| each.name() == name);
        named.expect("one of the names above")
    })
}

#[derive(Serialize)]
struct Imported {
    #[serde(serialize_with = "crate::terminal::output::path")]
    path: PathBuf,
    name: String,
    variant: String,
    quantization: &'static str,
    task: String,
    licence: Licence,
    source: Source,
    architecture: Architecture,
    context_length: u32,
    weights_bytes: u64,
    bundle_bytes: u64,
    peak_memory_bytes: u64,
    /// How the weights were changed; empty if every value was kept.
    conversions: Vec<Conversion>,
    /// What a person should know of the bundle.
    notices: Vec<String>,
}

impl Facts for Imported {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        let shape = &self.architecture;
        let conversions = self.conversions.iter().map(|each| ("converted", converted(each)));
        let rows = [
            ("bundle", self.path.display().to_string()),
            (
                "model",
                format!("{} ({}, licence {})", self.name, self.task, self.licence.spdx),
            ),
            (
                "network",
                format!(
                    "{}, {} layers, {} parameters",
                    shape.name, shape.layers, shape.parameters
                ),
            ),
            ("weights", format!("{}, {}", self.variant, bytes(self.weights_bytes))),
            (
                "memory",
                format!("about {} with a context of 2,048 tokens", bytes(self.peak_memory_bytes)),
            ),
        ];
        table(out, &rows.into_iter().chain(conversions).collect::<Vec<_>>())
    }
}

/// A conversion in words: what became what, and what it costs.
fn converted(conversion: &Conversion) -> String {
    let Conversion {
        from,
        to,
        tensors,
        relative_error,
    } = conversion;
    let tensors = if *tensors == 1 {
        "1 tensor".to_owned()
    } else {
        format!("{tensors} tensors")
    };
    let size = match (GgmlType::by_name(from), GgmlType::by_name(to)) {
        (Some(from), Some(to)) => format!(", {:.2} times the bytes", to.bits_per_value() / from.bits_per_value()),
        _ => String::new(),
    };
    format!(
        "{tensors} from {from} to {to}: relative error {:.2} %{size}",
        100.0 * relative_error
    )
}

fn chat_template(given: Option<&Path>) -> Result<TemplateChoice, CliError> {
    match given {
        None => Ok(TemplateChoice::Own),
        Some(name) if name == Path::new("none") => Ok(TemplateChoice::None),
        Some(path) => {
            let template = input::file(path)?;
            // Tried here too, so that the error names the file.
            let tried = ChatTemplate::new(&template).and_then(|compiled| compiled.try_out());
            tried.map_err(|error| CliError::InputInvalid {
                path: path.to_owned(),
                reason: error.to_string(),
            })?;
            Ok(TemplateChoice::Given(template))
        }
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), CliError> {
    interrupt::install(false);
    let (manifest, notices) = import(ImportOptions {
        source: arguments.file.clone(),
        output: arguments.output.clone(),
        quantization: arguments.quantization,
        embedding: arguments.embedding,
        name: arguments.name.clone(),
        licence: arguments.licence.clone(),
        card: match &arguments.card {
            Some(card) => object("--card", card)?,
            None => ModelCard::default(),
        },
        chat_template: chat_template(arguments.chat_template.as_deref())?,
        replace: arguments.force,
        threads: arguments.threads,
        ..ImportOptions::default()
    })?;
    let notices: Vec<String> = notices.iter().map(ToString::to_string).collect();
    for notice in &notices {
        eprintln!("note: {notice}");
    }
    let bundle_bytes = bundle_bytes(&manifest);
    let variant = manifest
        .variants
        .into_iter()
        .next()
        .expect("an import makes one variant");
    arguments.out.print(&Imported {
        path: arguments.output.clone(),
        name: manifest.name,
        variant: variant.name,
        quantization: arguments.quantization.name(),
        task: manifest.task,
        licence: manifest.licence,
        source: manifest.source,
        architecture: manifest.architecture,
        context_length: manifest.context_length,
        weights_bytes: variant.weights.bytes,
        bundle_bytes,
        peak_memory_bytes: variant.peak_memory_bytes,
        conversions: variant.conversions,
        notices,
    })
}

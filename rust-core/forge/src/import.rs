//! Turns one model file into one bundle folder, or returns an error and leaves nothing.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use whimbrel_engine::{
    Algorithm, CARD_LANGUAGES_MAX, CancelFlag, Conversion, FileEntry, LAYOUT_VERSION, MANIFEST_FILE, Manifest,
    ModelCard, Source, TokenizerInfo, Variant, WeightsIndex,
};
use whimbrel_kernels::{PANEL_ROWS, pack};

use crate::architecture::Values;
use crate::folder::PartialFolder;
use crate::gguf::{MappedFile, ModelFile};
use crate::plan::{Plan, PlannedTensor};
use crate::quantize::{Deviation, EmbeddingType, convert_rows_in_parallel};
use crate::template::{self, Notice, TemplateChoice};
use crate::{ForgeError, Gguf, Quantization, Vocabulary, licence};

/// Bytes that are hashed between two looks at the cancel flag.
const HASH_CHUNK_BYTES: usize = 8 << 20;
/// Memory besides the map of the source: the tokenizer's tables, a piece of a tensor before and after its conversion, and what
/// threads need. In bytes.
const WORKING_BYTES: u64 = 96 << 20;
/// Values that are converted between two looks at the cancel flag; also what bounds the memory of an import.
const CONVERT_CHUNK_VALUES: usize = 1 << 20;

/// Options of an import.
#[derive(Clone, Debug, Default)]
pub struct ImportOptions {
    /// The GGUF file, or any part of one that was split.
    pub source: PathBuf,
    /// The bundle folder to create.
    pub output: PathBuf,
    /// The quantisation of the weights.
    pub quantization: Quantization,
    /// The type of an embedding, and of a head, that would be stored with more bits.
    pub embedding: Option<EmbeddingType>,
    /// The model's name; `None` uses `general.name`, then the file's name.
    pub name: Option<String>,
    /// The bundle's version; `None` means `1.0.0`.
    pub version: Option<String>,
    /// The licence as an SPDX expression; `None` uses `general.license`.
    pub licence: Option<String>,
    /// How the model is meant to be used; without languages those of `general.languages`.
    pub card: ModelCard,
    /// The chat template.
    pub chat_template: TemplateChoice,
    /// Where the file was fetched from, for the manifest.
    pub origin: Option<String>,
    /// Whether to replace an existing bundle at `output`. Anything else there is never replaced.
    pub replace: bool,
    /// Number of threads that convert weights; 0 uses one per core.
    pub threads: u32,
    /// Cancels the import, which then fails with [`ForgeError::Cancelled`].
    pub cancel: CancelFlag,
}

/// The current phase of an import.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Reading the source for its hash.
    Hashing,
    /// Converting and writing weights.
    Writing,
    /// Writing the last files and moving the bundle to its place.
    Finishing,
}

/// The progress of an import.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The current phase.
    pub phase: Phase,
    /// Bytes processed in all phases so far: of the source while hashing, of the weight file while writing.
    pub bytes_done: u64,
    /// Bytes of all phases together.
    pub bytes_total: u64,
}

/// As [`import_with_notices`], for callers that show nobody what was noticed.
///
/// # Errors
/// As [`import_with_notices`].
pub fn import(options: &ImportOptions, progress: &mut dyn FnMut(Progress)) -> Result<Manifest, ForgeError> {
    import_with_notices(options, progress, &mut |_| ())
}

/// Makes a bundle from a GGUF file. The output appears complete or not at all; the same input gives the same bytes. `notice` is
/// called for what a person should know of the result.
///
/// # Errors
/// [`ForgeError`]: the source cannot be read or is not supported, the output cannot be written, there is too little memory, or
/// the caller cancelled.
pub fn import_with_notices(
    options: &ImportOptions,
    progress: &mut dyn FnMut(Progress),
    notice: &mut dyn FnMut(Notice),
) -> Result<Manifest, ForgeError> {
    let file = ModelFile::open(&options.source)?;
    MappedFile::check_room(WORKING_BYTES)?;
    let gguf = file.parse()?;
    let file_name = file.name();
    let stem = file_name.rsplit_once('.').map_or(file_name.as_str(), |(stem, _)| stem);
    let plan = Plan::new(
        &gguf,
        options.quantization,
        options.embedding,
        stem,
        options.name.as_deref(),
    )?;
    let vocabulary = Vocabulary::read(&gguf)?;
    plan.check_vocabulary(vocabulary.parts.tokens.len())?;
    let licence = licence::of(&gguf, options.licence.as_deref())?;
    let card = card(&gguf, &options.card)?;
    let tokenizer = vocabulary.parts.to_bytes()?;
    let template = template::of(&vocabulary, &options.chat_template, notice)?;

    let folder = PartialFolder::create(&options.output, options.replace)?;
    let mut meter = Meter {
        progress,
        cancel: &options.cancel,
        state: Progress {
            phase: Phase::Hashing,
            bytes_done: 0,
            bytes_total: file.bytes() + plan.weights_bytes,
        },
    };
    let source = Source {
        file: file_name,
        format: "gguf".to_owned(),
        bytes: file.bytes(),
        blake3: hash_source(&file, &mut meter)?,
        origin: options.origin.clone(),
    };
    meter.enter(Phase::Writing)?;
    let (weights, conversions) = write_weights(&folder, &plan, threads(options.threads), &mut meter)?;
    meter.enter(Phase::Finishing)?;
    let manifest = Manifest {
        format: "whimbrel-bundle".to_owned(),
        layout_version: LAYOUT_VERSION,
        name: plan.name.clone(),
        version: options.version.clone().unwrap_or_else(|| "1.0.0".to_owned()),
        task: if template.is_some() { "chat" } else { "text" }.to_owned(),
        licence,
        source,
        architecture: plan.shape.clone(),
        context_length: plan.context_length,
        card,
        tokenizer: tokenizer_info(&vocabulary, write(&folder, "tokenizer.bin", &tokenizer)?),
        chat_template: match &template {
            Some(template) => Some(write(&folder, "chat_template.jinja", template.as_bytes())?),
            None => None,
        },
        variants: vec![write_variant(&folder, &plan, weights, conversions)?],
        blake3: String::new(),
    };
    let manifest = manifest.sealed();
    let text = manifest.to_text();
    // What the engine would refuse is refused here.
    Manifest::parse(text.as_bytes())?;
    folder.write_file(MANIFEST_FILE, text.as_bytes())?;
    meter.check()?;
    folder.commit(&plan.variant)?;
    meter.report();
    Ok(manifest)
}

/// The model's card, with what the file says of its languages where nobody said more.
fn card(gguf: &Gguf<'_>, given: &ModelCard) -> Result<ModelCard, ForgeError> {
    let mut card = given.clone();
    if card.languages.is_empty()
        && let Some(languages) = gguf.strings("general.languages")?
    {
        let languages = languages.strings().take(CARD_LANGUAGES_MAX);
        card.languages = languages
            .map(|language| String::from_utf8_lossy(language).into_owned())
            .collect();
    }
    card.validate()?;
    Ok(card)
}

fn threads(asked: u32) -> usize {
    match asked {
        0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        threads => threads as usize,
    }
}

/// Reports progress and looks at the cancel flag.
struct Meter<'p> {
    progress: &'p mut dyn FnMut(Progress),
    cancel: &'p CancelFlag,
    state: Progress,
}

impl Meter<'_> {
    fn enter(&mut self, phase: Phase) -> Result<(), ForgeError> {
        self.state.phase = phase;
        self.advance(0)
    }

    fn advance(&mut self, bytes: u64) -> Result<(), ForgeError> {
        self.state.bytes_done += bytes;
        self.report();
        self.check()
    }

    fn report(&mut self) {
        (self.progress)(self.state);
    }

    fn check(&self) -> Result<(), ForgeError> {
        if self.cancel.is_cancelled() {
            Err(ForgeError::Cancelled)
        } else {
            Ok(())
        }
    }
}

/// The hash of the file; of parts, of their bytes one after another.
fn hash_source(file: &ModelFile, meter: &mut Meter<'_>) -> Result<String, ForgeError> {
    let mut hasher = blake3::Hasher::new();
    for chunk in file.contents().flat_map(|content| content.chunks(HASH_CHUNK_BYTES)) {
        hasher.update(chunk);
        meter.advance(chunk.len() as u64)?;
    }
    Ok(hasher.finalize().to_hex().to_string())
}

/// Writes a small file of the bundle and describes it.
fn write(folder: &PartialFolder, path: &str, content: &[u8]) -> Result<FileEntry, ForgeError> {
    folder.write_file(path, content)?;
    let blake3 = blake3::hash(content).to_hex().to_string();
    Ok(FileEntry {
        path: path.to_owned(),
        bytes: content.len() as u64,
        blake3,
    })
}

fn tokenizer_info(vocabulary: &Vocabulary, file: FileEntry) -> TokenizerInfo {
    let parts = &vocabulary.parts;
    TokenizerInfo {
        file,
        kind: match parts.algorithm {
            Algorithm::Merges | Algorithm::Characters => "bpe",
            Algorithm::Scores { .. } => "sentencepiece",
        }
        .to_owned(),
        pre_tokenizer: parts.pre_tokenizer.name().to_owned(),
        bos: parts.bos,
        eos: parts.eos,
        add_bos: parts.add_bos,
        end_of_turn: parts.end_of_turn.clone(),
    }
}

fn write_variant(
    folder: &PartialFolder,
    plan: &Plan<'_>,
    weights: FileEntry,
    conversions: Vec<Conversion>,
) -> Result<Variant, ForgeError> {
    let index = serde_json::to_string_pretty(&plan.index()).expect("the table has string keys only") + "\n";
    WeightsIndex::parse(index.as_bytes(), plan.weights_bytes)?;
    Ok(Variant {
        name: plan.variant.clone(),
        graph: write(
            folder,
            &format!("{}/graph.nnef", plan.variant),
            plan.graph.text().as_bytes(),
        )?,
        index: write(folder, &format!("{}/weights.json", plan.variant), index.as_bytes())?,
        weights,
        bytes_per_token: plan.bytes_per_token(),
        peak_memory_bytes: plan.peak_memory_bytes(),
        quality: Vec::new(),
        conversions,
    })
}

/// Streams every tensor into the weight file, and lists how values were changed.
fn write_weights(
    folder: &PartialFolder,
    plan: &Plan<'_>,
    threads: usize,
    meter: &mut Meter<'_>,
) -> Result<(FileEntry, Vec<Conversion>), ForgeError> {
    let entry_path = format!("{}/weights.bin", plan.variant);
    let (file, path) = folder.create_file(&entry_path)?;
    let mut writer = WeightsWriter {
        file,
        path: &path,
        hasher: blake3::Hasher::new(),
        written: 0,
    };
    // By the names of the types before and after.
    let mut changed: BTreeMap<(&str, &str), (u32, Deviation)> = BTreeMap::new();
    for planned in &plan.tensors {
        writer.pad_to(planned.offset, meter)?;
        let deviation = write_tensor(&mut writer, planned, threads, meter)?;
        if deviation.relative_error() > 0.0
            && let Values::Stored(source, _) = &planned.tensor.values
        {
            let entry = changed
                .entry((source.ggml_type.name, planned.target.name()))
                .or_default();
            entry.0 += 1;
            entry.1 += deviation;
        }
        assert_eq!(
            writer.written,
            planned.offset + planned.bytes,
            "a tensor has the planned size"
        );
    }
    writer
        .file
        .sync_all()
        .map_err(|error| ForgeError::write(&path, error))?;
    let file = FileEntry {
        path: entry_path,
        bytes: plan.weights_bytes,
        blake3: writer.hasher.finalize().to_hex().to_string(),
    };
    let conversion = |((from, to), (tensors, deviation)): ((&str, &str), (u32, Deviation))| Conversion {
        from: from.to_lowercase(),
        to: to.to_owned(),
        tensors,
        relative_error: (deviation.relative_error() * 1e6).round() / 1e6,
    };
    Ok((file, changed.into_iter().map(conversion).collect()))
}

fn write_tensor(
    writer: &mut WeightsWriter<'_>,
    planned: &PlannedTensor<'_>,
    threads: usize,
    meter: &mut Meter<'_>,
) -> Result<Deviation, ForgeError> {
    let PlannedTensor { tensor, target, .. } = planned;
    let columns = tensor.columns as usize;
    let row_bytes = target
        .row_bytes(columns)
        .expect("the target type was chosen for the columns");
    let rows_each = (CONVERT_CHUNK_VALUES / columns)
        .next_multiple_of(PANEL_ROWS)
        .max(PANEL_ROWS);
    let threads = if changes_values(planned) { threads } else { 1 };
    let mut deviation = Deviation::default();
    for first_row in (0..tensor.rows).step_by(rows_each) {
        let rows = rows_each.min((tensor.rows - first_row) as usize);
        let mut blocks = vec![0; rows * row_bytes];
        deviation += convert_rows_in_parallel(tensor, *target, first_row, &mut blocks, threads)?;
        let packed_bytes = target
            .packed_bytes(rows, columns)
            .expect("smaller than the planned tensor");
        let mut packed = vec![0; packed_bytes];
        pack(*target, rows, columns, &blocks, &mut packed);
        writer.write(&packed, meter)?;
    }
    Ok(deviation)
}

/// Whether a tensor is decoded and encoded again; otherwise its rows are copied, for which one thread is enough.
fn changes_values(planned: &PlannedTensor<'_>) -> bool {
    match &planned.tensor.values {
        Values::Stored(source, _) => !source.ggml_type.codec.is_some_and(|codec| codec.keeps(planned.target)),
        Values::Computed(_) => true,
    }
}

/// The weight file, hashed while it is written.
struct WeightsWriter<'p> {
    file: File,
    path: &'p Path,
    hasher: blake3::Hasher,
    written: u64,
}

impl WeightsWriter<'_> {
    fn write(&mut self, bytes: &[u8], meter: &mut Meter<'_>) -> Result<(), ForgeError> {
        self.file
            .write_all(bytes)
            .map_err(|error| ForgeError::write(self.path, error))?;
        self.hasher.update(bytes);
        self.written += bytes.len() as u64;
        meter.advance(bytes.len() as u64)
    }

    /// Zeros up to the place of the next tensor.
    fn pad_to(&mut self, offset: u64, meter: &mut Meter<'_>) -> Result<(), ForgeError> {
        let missing = offset - self.written;
        self.write(&[0; crate::plan::TENSOR_ALIGNMENT as usize][..missing as usize], meter)
    }
}

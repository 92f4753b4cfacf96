//! `manifest.json`, which describes a bundle: parsing, writing and sealing the text. [`crate::bundle`] checks the files that it names.

use serde::{Deserialize, Serialize};

use crate::{EngineError, SamplingOptions};

/// The layout version that this engine reads. It changes whenever a file inside a bundle changes its meaning.
pub const LAYOUT_VERSION: u32 = 1;
/// The largest manifest that is read, in bytes.
pub const MANIFEST_BYTES_MAX: u64 = 1 << 20;
/// The longest text of a model's card, in bytes.
pub const CARD_TEXT_BYTES_MAX: usize = 4096;
/// The most languages that a model's card may name.
pub const CARD_LANGUAGES_MAX: usize = 256;
/// The name of the manifest inside a bundle.
pub const MANIFEST_FILE: &str = "manifest.json";

/// A bundle's identity, contents and hashes. The last field is the hash of everything before it.
///
/// ```
/// use whimbrel_engine::Manifest;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared-models/tiny/manifest.json");
/// let text = std::fs::read_to_string(file)?;
/// let manifest = Manifest::parse(text.as_bytes())?;
/// assert_eq!((manifest.name.as_str(), manifest.task.as_str()), ("Whimbrel Tiny", "chat"));
/// assert_eq!(manifest.to_text(), text);
///
/// let edited = text.replace("Whimbrel Tiny", "Something else");
/// assert!(Manifest::parse(edited.as_bytes()).is_err(), "the hash no longer fits");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Always `whimbrel-bundle`.
    pub format: String,
    /// See [`LAYOUT_VERSION`].
    pub layout_version: u32,
    /// The model's display name.
    pub name: String,
    /// The bundle's own version, `1.0.0` unless the importer was given another.
    pub version: String,
    /// What the model does: `chat` if it has a chat template, otherwise `text`.
    pub task: String,
    /// The licence of the weights.
    pub licence: Licence,
    /// Where the weights came from.
    pub source: Source,
    /// The shape of the network.
    pub architecture: Architecture,
    /// The longest context that the model supports, in tokens.
    pub context_length: u32,
    /// The tokenizer file and the tokens with a role.
    pub tokenizer: TokenizerInfo,
    /// How the model is meant to be used, and what it can do.
    #[serde(default, skip_serializing_if = "ModelCard::is_empty")]
    pub card: ModelCard,
    /// The Jinja chat template, if the model has one.
    pub chat_template: Option<FileEntry>,
    /// The same model in different quantisations; the first is the default.
    pub variants: Vec<Variant>,
    /// BLAKE3 (hex) of this document's canonical text with this field empty.
    pub blake3: String,
}

/// How a model is meant to be used, and what it can do. Everything may be missing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelCard {
    /// The system message of a conversation whose app sets none; `None` leaves it to the chat template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// How tokens are chosen where the app does not say so.
    #[serde(default, skip_serializing_if = "is_default")]
    pub sampling: SamplingOptions,
    /// The languages that it knows, as BCP 47 tags, best first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub languages: Vec<String>,
    /// What people should know before they trust it: one or two sentences.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<String>,
}

impl ModelCard {
    /// Whether it says nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        is_default(self)
    }

    /// Checks that its options are in their ranges and its texts are not too long.
    ///
    /// # Errors
    /// [`EngineError::Option`]; [`EngineError::Manifest`] for a text beyond [`CARD_TEXT_BYTES_MAX`] or too many languages.
    pub fn validate(&self) -> Result<(), EngineError> {
        self.sampling.validate()?;
        let texts = self.system.iter().chain(&self.limits).chain(&self.languages);
        let is_too_long = texts.into_iter().any(|text| text.len() > CARD_TEXT_BYTES_MAX);
        if is_too_long || self.languages.len() > CARD_LANGUAGES_MAX {
            return Err(EngineError::Manifest {
                reason: format!(
                    "field `card` has a text of over {CARD_TEXT_BYTES_MAX} bytes or over {CARD_LANGUAGES_MAX} languages"
                ),
            });
        }
        Ok(())
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Terms of use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Licence {
    /// SPDX expression, or `unknown`.
    pub spdx: String,
    /// A link to the licence, if the source gives one.
    pub url: Option<String>,
}

/// The file from which a bundle was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// File name without its folder.
    pub file: String,
    /// `gguf` for now.
    pub format: String,
    /// Size in bytes.
    pub bytes: u64,
    /// BLAKE3 of the whole file, hex.
    pub blake3: String,
    /// Where it was downloaded from, as given to the importer.
    pub origin: Option<String>,
}

/// The shape of the network. It is informative; the graph is what runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Architecture {
    /// The architecture's name, such as `llama`.
    pub name: String,
    /// Number of transformer layers.
    pub layers: u32,
    /// Width of the residual stream.
    pub embedding_length: u32,
    /// Width inside the feed-forward block.
    pub feed_forward_length: u32,
    /// Query heads.
    pub heads: u32,
    /// Key and value heads.
    pub kv_heads: u32,
    /// Width of one head.
    pub head_dim: u32,
    /// Number of token ids.
    pub vocabulary: u32,
    /// Number of weights in all tensors together.
    pub parameters: u64,
}

/// The tokenizer file and the tokens that have a role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenizerInfo {
    /// The prepared tables.
    pub file: FileEntry,
    /// `bpe` (byte-level) or `sentencepiece`.
    pub kind: String,
    /// The pre-tokenizer's name, such as `gpt-2` or `llama-bpe`; `none` for sentencepiece.
    pub pre_tokenizer: String,
    /// Beginning-of-sequence token.
    pub bos: Option<u32>,
    /// End-of-sequence token.
    pub eos: Option<u32>,
    /// Whether raw text starts with `bos`.
    pub add_bos: bool,
    /// Every token that ends an answer.
    pub end_of_turn: Vec<u32>,
}

/// One quantisation of the model, in a folder of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variant {
    /// The variant's name, after the type of most weights: `q4_1`, `q8_0` and so on.
    pub name: String,
    /// The NNEF text.
    pub graph: FileEntry,
    /// The table of tensors in the weight file.
    pub index: FileEntry,
    /// The weight file, which is memory-mapped.
    pub weights: FileEntry,
    /// Bytes of weights that one decoded token reads.
    pub bytes_per_token: u64,
    /// Estimated peak of resident memory with a context of 2,048 tokens, in bytes.
    pub peak_memory_bytes: u64,
    /// Measured quality, if it was measured.
    pub quality: Vec<Quality>,
    /// How the import changed the weights; empty if it kept every value.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conversions: Vec<Conversion>,
}

/// Tensors that an import stored in another type than the source, with other values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conversion {
    /// The type in the source, such as `q5_k`.
    pub from: String,
    /// The type in the bundle.
    pub to: String,
    /// How many tensors.
    pub tensors: u32,
    /// The root of the mean squared change of their values, as a share of the values' root mean square.
    pub relative_error: f64,
}

/// One measured figure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quality {
    /// The metric, such as `perplexity`.
    pub metric: String,
    /// The data on which it was measured.
    pub data: String,
    /// The figure.
    pub value: f64,
}

/// A file of the bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Relative to the bundle, with `/` as separator, and always inside the bundle.
    pub path: String,
    /// Size in bytes.
    pub bytes: u64,
    /// BLAKE3, hex.
    pub blake3: String,
}

impl Manifest {
    /// Parses and checks a manifest: its own hash, its format and layout version, and that every path stays inside the bundle.
    ///
    /// # Errors
    /// [`EngineError::Manifest`] with the field or position; [`EngineError::LayoutVersion`] for a bundle that was made for another engine.
    pub fn parse(text: &[u8]) -> Result<Manifest, EngineError> {
        let manifest: Manifest = serde_json::from_slice(text).map_err(|error| EngineError::Manifest {
            reason: error.to_string(),
        })?;
        manifest.check_fields()?;
        if manifest.sealed().to_text().as_bytes() != text {
            return Err(EngineError::Manifest {
                reason: "its own hash (field `blake3`) does not match".to_owned(),
            });
        }
        Ok(manifest)
    }

    /// Everything but the hashes.
    pub(crate) fn check_fields(&self) -> Result<(), EngineError> {
        let reason = if self.format != "whimbrel-bundle" {
            Some("field `format` is not \"whimbrel-bundle\"".to_owned())
        } else if self.variants.is_empty() {
            Some("field `variants` is empty".to_owned())
        } else {
            let outside = self.files().into_iter().find(|file| !is_inside(&file.path));
            outside.map(|file| format!("path {:?} leaves the bundle or is not plain", file.path))
        };
        if let Some(reason) = reason {
            return Err(EngineError::Manifest { reason });
        }
        self.card.validate()?;
        if self.layout_version != LAYOUT_VERSION {
            return Err(EngineError::LayoutVersion {
                found: self.layout_version,
                supported: LAYOUT_VERSION,
            });
        }
        Ok(())
    }

    /// The same manifest with its own hash set.
    #[must_use]
    pub fn sealed(&self) -> Manifest {
        let mut sealed = Manifest {
            blake3: String::new(),
            ..self.clone()
        };
        sealed.blake3 = blake3::hash(sealed.to_text().as_bytes()).to_hex().to_string();
        sealed
    }

    /// The canonical text: two-space indentation, fields in declared order, a final newline.
    ///
    /// # Panics
    /// Never: the document has string keys only.
    #[must_use]
    pub fn to_text(&self) -> String {
        serde_json::to_string_pretty(self).expect("a manifest has only string keys") + "\n"
    }

    /// Every file the manifest names, in reading order.
    #[must_use]
    pub fn files(&self) -> Vec<&FileEntry> {
        let mut files = vec![&self.tokenizer.file];
        files.extend(&self.chat_template);
        for variant in &self.variants {
            files.extend([&variant.graph, &variant.index, &variant.weights]);
        }
        files
    }

    pub(crate) fn files_mut(&mut self) -> Vec<&mut FileEntry> {
        let mut files = vec![&mut self.tokenizer.file];
        files.extend(&mut self.chat_template);
        for variant in &mut self.variants {
            files.extend([&mut variant.graph, &mut variant.index, &mut variant.weights]);
        }
        files
    }
}

/// Plain relative paths only: no root, no `..`, no empty part, no backslash.
fn is_inside(path: &str) -> bool {
    !path.contains('\\')
        && path
            .split('/')
            .all(|part| !part.is_empty() && part != "." && part != "..")
}

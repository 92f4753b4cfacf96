//! Makes bundles from model files, on a desktop: reads GGUF, decides how every tensor is stored, and writes the graph as NNEF text, the
//! weights in the kernels' layout, the tokenizer and the manifest. Nothing here runs a model.
//!
//! A file passes through [`Gguf`] (bytes to keys and tensors, with every length checked), an architecture (keys and tensors to a network),
//! [`Vocabulary`] (keys to a tokenizer, independent of the network) and [`import`] (everything to a folder, completely or not at all).

mod architecture;
mod error;
mod folder;
mod ggml;
pub mod gguf;
mod graph;
mod import;
mod licence;
mod plan;
mod quantize;
pub mod synthetic;
mod template;
mod vocabulary;

pub use architecture::check_beginning;
pub use error::ForgeError;
pub use folder::{clear_unfinished, remove_bundle};
pub use ggml::GgmlType;
pub use gguf::{Gguf, GgufError, MappedFile, ModelFile};
pub use import::{ImportOptions, Phase, Progress, import, import_with_notices};
pub use plan::{Summary, summarize};
pub use quantize::{EmbeddingType, Quantization};
pub use template::{Notice, TemplateChoice, TemplateFallback};
pub use vocabulary::Vocabulary;

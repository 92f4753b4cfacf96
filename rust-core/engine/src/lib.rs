//! Runs one language model: opens and verifies a bundle, tokenises, prefills and decodes.
//!
//! tract is the graph: it parses the bundle's NNEF text, checks shapes and plans the run. The heavy operators are ours
//! (the module `ops`, backed by `whimbrel-kernels`), read their weights in place from one memory map, and keep the KV cache in the
//! [`Session`] that runs them. Nothing here touches a network or a database; files are only read, except that [`seal`] writes a manifest.

mod bundle;
mod cache;
mod chat;
mod clock;
mod comparison;
mod context;
mod cpu;
mod error;
mod generation;
mod graph;
mod manifest;
mod model;
mod ops;
mod prefix;
mod reference;
mod registry;
mod remembered;
mod sampling;
mod session;
mod speculation;
mod template;
mod text;
mod tokenizer;
mod walk;
mod weights;

pub use bundle::{BundleFile, Verify, seal, verify, verify_and_remember};
pub use chat::{Chat, ChatOptions, ContextPolicy, SYSTEM_DEFAULT};
pub use comparison::{Difference, compare_with_reference};
pub use cpu::{CpuReport, cpu_report, default_threads, performance_cores};
pub use error::EngineError;
pub use generation::{FinishReason, Generation, GenerationOptions, PREFILL_CHUNK, Statistics, Step};
pub use graph::{
    GRAPH_BYTES_MAX, GRAPH_NESTING_MAX, GRAPH_STATEMENT_BYTES_MAX, GRAPH_STATEMENTS_MAX, check_graph_text,
};
pub use manifest::{
    Architecture, FileEntry, LAYOUT_VERSION, Licence, Manifest, Quality, Source, TokenizerInfo, Variant,
};
pub use model::{Model, OpenOptions};
pub use prefix::{PREFIX_NOTE_BYTES_MAX, PREFIX_VERSION, PrefixError, SavedPrefix};
pub use remembered::RECORD_FILE;
pub use sampling::{Sampler, SamplingOptions, Scores};
pub use session::{CancelFlag, RunProfile, Session};
pub use template::{ChatTemplate, Message, Prompt, RenderOptions, Role};
pub use text::{StopMatcher, TextStream};
pub use tokenizer::{PreTokenizer, TokenKind, Tokenizer, TokenizerParts};
pub use weights::{TensorEntry, TensorType, WeightsIndex};
pub use whimbrel_kernels::KvPrecision;

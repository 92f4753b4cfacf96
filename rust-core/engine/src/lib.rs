//! Runs one language model: opens and verifies a bundle, tokenises, prefills and decodes.
//!
//! tract provides the graph: it parses the bundle's NNEF text, checks shapes and plans the run. The heavy operators are our own (the module
//! `graph::operators`, based on `whimbrel-kernels`). They read their weights in place from one memory map, and keep the KV cache in the
//! [`Session`] that runs them. Nothing here uses a network or a database. Files are only read, except that [`seal`] writes a manifest.
//!
//! ```
//! use std::path::Path;
//! use whimbrel_engine::{
//!     CancelFlag, Chat, ChatOptions, GenerationOptions, Message, Model, OpenOptions, Role, Step,
//! };
//!
//! # fn main() -> Result<(), whimbrel_engine::EngineError> {
//! # let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared-models/tiny");
//! let model = Model::open(Path::new(folder), &OpenOptions::default())?;
//! let mut chat = Chat::new(&model, ChatOptions::default())?;
//! let question = Message {
//!     role: Role::User,
//!     content: "Which bird crosses oceans?".into(),
//! };
//! let options = GenerationOptions {
//!     max_tokens: 8,
//!     ..GenerationOptions::default()
//! };
//! chat.ask(&[question], options, CancelFlag::default())?;
//! let mut answer = String::new();
//! let statistics = loop {
//!     match chat.step()? {
//!         Step::Prefilled { .. } | Step::Thinking(_) | Step::Call(_) => {}
//!         Step::Text(text) => answer += &text,
//!         Step::Finished { text, statistics } => {
//!             answer += &text;
//!             break statistics;
//!         }
//!     }
//! };
//! assert!(!answer.is_empty() && statistics.completion_tokens <= 8);
//! # Ok(())
//! # }
//! ```
//!
//! The modules from the bottom up, each of which uses only those before it: `error`, `clock`, `cpu`, `cancel`, `json`, `bundle` (files), `cache`
//! (keys and values), `tokenizer`, `template`, `graph` (operators and their order), `model` (an opened bundle), `session` (runs tokens),
//! `constraint` (the form of an answer),
//! `generation` (makes an answer), `choosing` (chooses one), `chat` (answers a history).

mod bundle;
mod cache;
mod cancel;
mod chat;
mod choosing;
mod clock;
mod constraint;
mod cpu;
mod error;
mod generation;
mod graph;
mod json;
mod memory;
mod model;
mod session;
mod template;
mod tokenizer;
mod tools;

pub use bundle::manifest::{
    Architecture, CARD_LANGUAGES_MAX, CARD_TEXT_BYTES_MAX, Conversion, FileEntry, LAYOUT_VERSION, Licence,
    MANIFEST_BYTES_MAX, MANIFEST_FILE, Manifest, ModelCard, Quality, Source, TokenizerInfo, Variant,
};
pub use bundle::remembered::RECORD_FILE;
pub use bundle::weights::{TensorEntry, TensorType, WeightsIndex, catch_cut_weights};
pub use bundle::{BundleFile, Verify, seal, verify, verify_and_remember};
pub use cache::kept_tokens;
pub use cancel::CancelFlag;
pub use chat::{Chat, ChatOptions, ContextPolicy, ContextUse};
pub use choosing::CALIBRATED_CHOICES_MAX;
pub use constraint::{Constraint, FORM_BYTES_MAX, FORM_NESTING_MAX, Form, Vocabulary};
pub use cpu::{CpuReport, cpu_report, default_threads, performance_cores};
pub use error::{EngineError, PrefixError};
pub use generation::sampling::{Sampler, Sampling, SamplingOptions};
pub use generation::statistics::{FinishReason, Statistics};
pub use generation::stop::StopMatcher;
pub use generation::text_stream::TextStream;
pub use generation::thinking::{Said, ThinkingSplitter};
pub use generation::{Generation, GenerationOptions, PREFILL_CHUNK, Step};
pub use graph::text::{
    GRAPH_BYTES_MAX, GRAPH_NESTING_MAX, GRAPH_STATEMENT_BYTES_MAX, GRAPH_STATEMENTS_MAX, check_graph_text,
};
pub use json::json_on_one_line;
pub use memory::share_limited_memory;
pub use model::comparison::{Difference, compare_with_reference};
pub use model::{Model, OpenOptions};
pub use session::prefix::{PREFIX_NOTE_BYTES_MAX, PREFIX_VERSION, PrefixSource, SavedPrefix};
pub use session::scores::Scores;
pub use session::{RunProfile, Session};
pub use template::{CallFormat, ChatTemplate, Message, Prompt, RenderOptions, Role, ThinkingMarks};
pub use tokenizer::{Algorithm, PreTokenizer, TokenKind, Tokenizer, TokenizerParts};
pub use tools::{TOOL_NAME_BYTES_MAX, TOOLS_MAX, Tool, ToolCall, ToolChoice, ToolStep, ToolUse};
pub use whimbrel_kernels::KvPrecision;

//! Errors of the engine. Messages name files, fields, limits and positions, never a user's text.

use std::path::PathBuf;

/// All errors of the engine.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// There is no bundle at the path.
    #[error("no bundle at {}: {reason}", path.display())]
    BundleMissing {
        /// The folder that was to be opened.
        path: PathBuf,
        /// Why it is not a bundle.
        reason: String,
    },
    /// A file of the bundle could not be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: std::io::Error,
    },
    /// A file of the bundle could not be written (sealing).
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: std::io::Error,
    },
    /// The manifest is not valid.
    #[error("manifest.json: {reason}")]
    Manifest {
        /// The field or the position, and what is wrong there.
        reason: String,
    },
    /// The bundle has another layout version.
    #[error("the bundle has layout version {found}, this engine reads {supported}")]
    LayoutVersion {
        /// The bundle's version.
        found: u32,
        /// The engine's version.
        supported: u32,
    },
    /// A file does not match the manifest.
    #[error("{file} is damaged: {reason}")]
    Corrupt {
        /// Path inside the bundle.
        file: String,
        /// The expected and the actual size or hash.
        reason: String,
    },
    /// The graph cannot be run by this engine.
    #[error("graph.nnef: {reason}")]
    Graph {
        /// What is wrong with it.
        reason: String,
    },
    /// The weight table does not match the weight file.
    #[error("weights: {reason}")]
    Weights {
        /// The tensor and what is wrong with it.
        reason: String,
    },
    /// The tokenizer tables are not valid.
    #[error("tokenizer: {reason}")]
    Tokenizer {
        /// What is wrong, and where.
        reason: String,
    },
    /// The chat template cannot be rendered.
    #[error("chat template: {reason}")]
    Template {
        /// The line, and what is wrong there.
        reason: String,
    },
    /// The model is to think, and its chat template knows no thoughts.
    #[error("thinking cannot be switched on: this model does not think before it answers")]
    NoThinking,
    /// The form of an answer cannot be used. Nothing was answered, unless the form became too complex only while the answer was made.
    #[error("the {kind} cannot be used{}: {reason}", place.as_ref().map(|place| format!(" ({place})")).unwrap_or_default())]
    Form {
        /// What it is: a JSON schema, a grammar …
        kind: &'static str,
        /// Where in it, if that is known: a line and column, a JSON Pointer, or the index of a choice.
        place: Option<String>,
        /// What is wrong there.
        reason: String,
    },
    /// A tool cannot be offered to a model.
    #[error("the tool {name:?} cannot be used: {reason}")]
    Tool {
        /// Its name.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The prompt does not fit the context.
    #[error("the prompt needs {needed} tokens, the context holds {limit}")]
    ContextFull {
        /// Tokens needed, including one token for the answer.
        needed: u64,
        /// Size of the session's context in tokens.
        limit: u64,
    },
    /// An option is out of range.
    #[error("{option} must be {expected}, not {found}")]
    Option {
        /// The option's name.
        option: &'static str,
        /// The allowed range.
        expected: String,
        /// The value that was given.
        found: String,
    },
    /// The caller cancelled.
    #[error("cancelled")]
    Cancelled,
    /// Memory for a model or a context could not be had.
    #[error("not enough memory for {what} ({bytes} bytes)")]
    Memory {
        /// What it was for: the model, or a context of so many tokens.
        what: String,
        /// Tokens of context asked for; 0 where it was for the model.
        context_length: u32,
        /// The requested bytes.
        bytes: u64,
        /// The system's reason.
        #[source]
        source: std::io::Error,
    },
    /// A saved prefix cannot be used.
    #[error("the saved prefix cannot be used: {0}")]
    Prefix(#[from] PrefixError),
    /// A saved prefix could not be read from where it is kept.
    #[error("the saved prefix cannot be read")]
    PrefixRead {
        /// The reason of whatever it was read from.
        #[source]
        source: std::io::Error,
    },
    /// The graph failed while running. This is a bug, not bad input.
    #[error("the model failed while running: {reason}")]
    Run {
        /// tract's error.
        reason: String,
    },
}

/// Why a saved prefix cannot be used. It is then treated as if it did not exist.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PrefixError {
    /// The bytes do not start like a saved prefix.
    #[error("not a saved prefix")]
    NotAPrefix,
    /// It was written by another version.
    #[error("version {found}, this engine reads {supported}")]
    Version {
        /// The file's.
        found: u32,
        /// The engine's.
        supported: u32,
    },
    /// It belongs to another model, another variant or another state of the bundle.
    #[error("it belongs to another model")]
    OtherModel,
    /// Its keys and values have another precision.
    #[error("its keys and values have another precision")]
    OtherKind,
    /// Its length does not match its header.
    #[error("{found} bytes instead of {expected}")]
    Length {
        /// The length in the header.
        expected: u64,
        /// The actual length.
        found: u64,
    },
    /// The checksum does not match.
    #[error("its checksum does not match")]
    Checksum,
    /// The content is inconsistent.
    #[error("{reason}")]
    Content {
        /// What is wrong.
        reason: &'static str,
    },
    /// The session's context is too short.
    #[error("it has {tokens} tokens, the context holds {limit}")]
    TooLong {
        /// Tokens of the prefix.
        tokens: u64,
        /// Tokens of the context.
        limit: u64,
    },
}

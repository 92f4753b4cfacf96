//! Errors in a GGUF file, and their positions.

/// All reasons why a file is not a readable GGUF file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GgufError {
    /// The first four bytes are not `GGUF`.
    #[error("not a GGUF file: it does not start with \"GGUF\"")]
    Magic,
    /// The version is too old or unknown, or the file has the other byte order.
    #[error("GGUF version {found} is not supported; supported: 2, 3 (little-endian)")]
    Version {
        /// The file's version.
        found: u32,
    },
    /// The file ends too early.
    #[error("{within}: {needed} bytes needed at byte {offset}, the file has {left} more")]
    Truncated {
        /// The part of the file: header, key, tensor.
        within: String,
        /// The position of the reader.
        offset: u64,
        /// Bytes needed at this position.
        needed: u64,
        /// Bytes left at this position.
        left: u64,
    },
    /// A count or length exceeds a limit.
    #[error("{within}: {found} {what} at byte {offset}, at most {limit} are read")]
    Limit {
        /// The part of the file.
        within: String,
        /// What is counted.
        what: &'static str,
        /// The file's count.
        found: u64,
        /// The limit.
        limit: u64,
        /// The position of the reader.
        offset: u64,
    },
    /// A value is not allowed by the format.
    #[error("{within}: {reason} at byte {offset}")]
    Invalid {
        /// The part of the file.
        within: String,
        /// What is wrong.
        reason: String,
        /// The position of the reader.
        offset: u64,
    },
    /// A value does not have the type that its key requires.
    #[error("key {key}: expected {expected}, found {found}")]
    Type {
        /// The metadata key.
        key: String,
        /// The required type or range.
        expected: &'static str,
        /// The type in the file.
        found: &'static str,
    },
    /// A required key is missing.
    #[error("key {key} is missing")]
    MissingKey {
        /// The metadata key.
        key: String,
    },
}

//! What can be wrong with a GGUF file, and where.

/// Every reason for which a file is not a readable GGUF file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GgufError {
    /// The first four bytes are not `GGUF`.
    #[error("not a GGUF file: it does not start with \"GGUF\"")]
    Magic,
    /// A version that nobody reads any more, or the other byte order.
    #[error("GGUF version {found} is not supported; supported: 2, 3 (little-endian)")]
    Version {
        /// The file's.
        found: u32,
    },
    /// The file ends before what it promises.
    #[error("{within}: {needed} bytes needed at byte {offset}, the file has {left} more")]
    Truncated {
        /// The part of the file: header, key, tensor.
        within: String,
        /// Where the reading stood.
        offset: u64,
        /// Bytes that the file promises there.
        needed: u64,
        /// Bytes that are there.
        left: u64,
    },
    /// A count or length is beyond a named limit.
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
        /// Where the reading stood.
        offset: u64,
    },
    /// A value that the format does not allow.
    #[error("{within}: {reason} at byte {offset}")]
    Invalid {
        /// The part of the file.
        within: String,
        /// What is wrong.
        reason: String,
        /// Where the reading stood.
        offset: u64,
    },
    /// The type of a value is not the one that its key asks for.
    #[error("key {key}: expected {expected}, found {found}")]
    Type {
        /// The metadata key.
        key: String,
        /// The type or range asked for.
        expected: &'static str,
        /// The type in the file.
        found: &'static str,
    },
    /// A key that the model cannot do without.
    #[error("key {key} is missing")]
    MissingKey {
        /// The metadata key.
        key: String,
    },
}

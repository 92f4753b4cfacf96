//! The public errors and the one place where the client's are translated into them. Cases and numbers are stable.

use whimbrel_client::{ClientError, EngineError};

/// Everything that can go wrong, as apps see it. No case ever holds text of a user or of a model.
#[derive(Debug, thiserror::Error, uniffi::Error)]
pub enum CoreError {
    /// There is no model bundle in the folder, or a file of it is missing or cannot be read.
    #[error("bundle missing: {reason}")]
    BundleMissing {
        /// The folder or file, and why it is not one.
        reason: String,
    },
    /// The bundle is damaged: fetch it again.
    #[error("bundle corrupt: {reason}")]
    BundleCorrupt {
        /// The file, and what is wrong in it.
        reason: String,
    },
    /// The bundle is intact, but this version of the core cannot run it.
    #[error("bundle not supported: {reason}")]
    UnsupportedBundle {
        /// What is not supported.
        reason: String,
    },
    /// The question does not fit the context.
    #[error("context full: {needed} tokens needed, {limit} available")]
    ContextFull {
        /// Tokens needed, with room for one token of answer.
        needed: u64,
        /// Tokens of the context.
        limit: u64,
    },
    /// An option is outside its range.
    #[error("{option} must be {expected}, not {found}")]
    InvalidOption {
        /// The option's name.
        option: String,
        /// The range.
        expected: String,
        /// What was given.
        found: String,
    },
    /// The client, the model or the conversation was closed before.
    #[error("the {what} is closed")]
    Closed {
        /// `client`, `model` or `conversation`.
        what: String,
    },
    /// The conversation is still answering the question before.
    #[error("the conversation is still answering")]
    Busy,
    /// Too many or too much of something.
    #[error("{found} {what}, the limit is {limit}")]
    LimitExceeded {
        /// What there is too much of.
        what: String,
        /// How much there may be.
        limit: u64,
        /// How much there would have been.
        found: u64,
    },
    /// There is not enough memory for the context.
    #[error("no memory for a context of {context_length} tokens ({bytes} bytes)")]
    OutOfMemory {
        /// Tokens asked for.
        context_length: u32,
        /// Bytes that they need.
        bytes: u64,
    },
    /// A defect in Whimbrel: please report the number and the reason.
    #[error("internal error {code}: {reason}")]
    Internal {
        /// 1 the model failed while running, 2 the chat template failed, 3 no thread, 4 the background thread stopped,
        /// 5 a file could not be written, 6 a cancellation came out as an error.
        code: u32,
        /// More about it.
        reason: String,
    },
}

impl From<ClientError> for CoreError {
    fn from(error: ClientError) -> Self {
        let reason = error.to_string();
        match error {
            ClientError::Engine(error) => error.into(),
            ClientError::Closed { what } => CoreError::Closed { what: what.into() },
            ClientError::Busy => CoreError::Busy,
            ClientError::Limit { what, limit, found } => CoreError::LimitExceeded {
                what: what.into(),
                limit,
                found,
            },
            ClientError::Read { .. } => unusable_file(reason),
            ClientError::Write { .. } => CoreError::Internal { code: 5, reason },
            ClientError::Thread(_) => CoreError::Internal { code: 3, reason },
            ClientError::Stopped => CoreError::Internal { code: 4, reason },
        }
    }
}

impl From<EngineError> for CoreError {
    fn from(error: EngineError) -> Self {
        let reason = error.to_string();
        match error {
            EngineError::BundleMissing { .. } | EngineError::Read { .. } => CoreError::BundleMissing { reason },
            EngineError::Manifest { .. }
            | EngineError::Corrupt { .. }
            | EngineError::Weights { .. }
            | EngineError::Tokenizer { .. } => CoreError::BundleCorrupt { reason },
            EngineError::LayoutVersion { .. } | EngineError::Graph { .. } => CoreError::UnsupportedBundle { reason },
            EngineError::ContextFull { needed, limit } => CoreError::ContextFull { needed, limit },
            EngineError::Option {
                option,
                expected,
                found,
            } => CoreError::InvalidOption {
                option: option.into(),
                expected,
                found,
            },
            EngineError::Prefix(_) => unusable_file(reason),
            EngineError::Memory {
                context_length, bytes, ..
            } => CoreError::OutOfMemory { context_length, bytes },
            EngineError::Run { .. } => CoreError::Internal { code: 1, reason },
            EngineError::Template { .. } => CoreError::Internal { code: 2, reason },
            EngineError::Write { .. } => CoreError::Internal { code: 5, reason },
            EngineError::Cancelled => CoreError::Internal { code: 6, reason },
        }
    }
}

/// A file that was given to go on from.
fn unusable_file(found: String) -> CoreError {
    CoreError::InvalidOption {
        option: "path".into(),
        expected: "a conversation saved with this model".into(),
        found,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The translations that apps rely on, one line each.
    #[test]
    fn translates() {
        let text = String::from;
        check(
            EngineError::BundleMissing {
                path: "p".into(),
                reason: text("r"),
            },
            "bundle missing: no bundle at p: r",
        );
        check(
            EngineError::Corrupt {
                file: text("f"),
                reason: text("r"),
            },
            "bundle corrupt: f is damaged: r",
        );
        check(
            EngineError::Manifest { reason: text("r") },
            "bundle corrupt: manifest.json: r",
        );
        check(
            EngineError::LayoutVersion { found: 9, supported: 1 },
            "bundle not supported: the bundle has layout version 9, this engine reads 1",
        );
        check(
            EngineError::ContextFull { needed: 9, limit: 8 },
            "context full: 9 tokens needed, 8 available",
        );
        check(
            EngineError::Option {
                option: "top_p",
                expected: text("0 to 1"),
                found: text("2"),
            },
            "top_p must be 0 to 1, not 2",
        );
        check(
            EngineError::Run { reason: text("r") },
            "internal error 1: the model failed while running: r",
        );
        check(
            EngineError::from(whimbrel_client::PrefixError::Checksum),
            "path must be a conversation saved with this model, not the saved prefix cannot be used: its checksum does not fit",
        );
        check(ClientError::Busy, "the conversation is still answering");
        check(ClientError::Closed { what: "model" }, "the model is closed");
        check(
            ClientError::Limit {
                what: "bytes of prompt",
                limit: 1,
                found: 2,
            },
            "2 bytes of prompt, the limit is 1",
        );
        check(
            ClientError::Stopped,
            "internal error 4: the inference thread has stopped",
        );
    }

    fn check(error: impl Into<ClientError>, expected: &str) {
        assert_eq!(CoreError::from(error.into()).to_string(), expected);
    }
}

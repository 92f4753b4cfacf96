//! Why a document was refused, and where in it.

use std::fmt;

use serde::Serialize;
use thiserror::Error;

/// A policy document was refused. Nothing in such a document is used.
#[derive(Clone, Debug, Eq, Error, PartialEq, Serialize)]
pub struct PolicyError {
    /// The line, from 1. It is 0 if the error does not concern one position.
    pub line: u32,
    /// The character in the line, from 1. It is 0 if the error does not concern one position.
    pub column: u32,
    /// The field, such as `rules[2].when.class.min`. It is empty if the error concerns the whole document.
    pub path: String,
    /// What is wrong.
    pub reason: PolicyErrorReason,
}

impl fmt::Display for PolicyError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line > 0 {
            write!(formatter, "line {}, column {}: ", self.line, self.column)?;
        }
        if !self.path.is_empty() {
            write!(formatter, "{}: ", self.path)?;
        }
        self.reason.fmt(formatter)
    }
}

/// What is wrong with a document.
#[derive(Clone, Debug, Eq, Error, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum PolicyErrorReason {
    /// The document is not valid TOML or JSON.
    #[error("{message}")]
    Syntax {
        /// The parser's message.
        message: String,
    },
    /// The same key twice in one table.
    #[error("the key appears twice")]
    DuplicateKey,
    /// The format does not have this field.
    #[error("unknown field; {expected}")]
    UnknownField {
        /// The fields that are allowed here.
        expected: String,
    },
    /// A required field is missing.
    #[error("the field {field} is missing")]
    MissingField {
        /// Its name.
        field: String,
    },
    /// A value has the wrong type.
    #[error("expected {expected}, found {found}")]
    WrongType {
        /// The expected type.
        expected: String,
        /// The type that was found.
        found: String,
    },
    /// A word is not one of the allowed words.
    #[error("{expected}")]
    UnknownWord {
        /// The allowed words.
        expected: String,
    },
    /// A number outside of its range.
    #[error("must be {min} to {max}")]
    OutOfRange {
        /// The minimum.
        min: String,
        /// The maximum.
        max: String,
    },
    /// A range whose end lies before its beginning, or which has neither.
    #[error("a range needs min or max, and max must not be below min")]
    EmptyRange,
    /// A text, a list or the document is too long.
    #[error("must be at most {max} {unit}")]
    TooLong {
        /// The limit.
        max: u64,
        /// The unit of the limit.
        unit: String,
    },
    /// Nothing where something has to be.
    #[error("must not be empty")]
    Empty,
    /// An id contains a character other than letters, digits, `-`, `_` and `.`, or does not start with a letter or digit.
    #[error("an id consists of letters, digits, -, _ and ., and starts with a letter or a digit")]
    InvalidId,
    /// Two rules or two endpoints with one id, or an entry twice in one list.
    #[error("{what} appears twice")]
    Duplicate {
        /// The duplicate.
        what: String,
    },
    /// A rule names an endpoint that the app's policy does not have.
    #[error("no endpoint has the id {id}")]
    UnknownEndpoint {
        /// The id.
        id: String,
    },
    /// A base URL is invalid.
    #[error("the base URL {problem}")]
    InvalidUrl {
        /// Why.
        problem: &'static str,
    },
    /// `queue` before other steps: nothing behind it would ever be reached.
    #[error("queue must be the last step")]
    QueueNotLast,
    /// A rule with none or both of `deny` and `try`.
    #[error("a rule needs either deny or try")]
    DenyOrTry,
    /// `order` in a rule that denies.
    #[error("only a rule with try can have an order")]
    OrderWithoutTry,
    /// An endpoint that takes more as it is than redacted.
    #[error("class_max_redacted must not be below class_max")]
    RedactedBelowAsIs,
    /// A user's document that brings endpoints.
    #[error("only the app's policy can have endpoints")]
    UserEndpoints,
    /// A user's document that says where telemetry goes, or how much of it.
    #[error("a user's policy can only have metrics and traces here")]
    UserTelemetry,
    /// The document has the wrong role.
    #[error("this is the {found}'s policy, not the {expected}'s")]
    WrongRole {
        /// The required role.
        expected: &'static str,
        /// The document's role.
        found: &'static str,
    },
}

//! Why a document was refused, and where in it.

use std::fmt;

use serde::Serialize;
use thiserror::Error;

/// A policy document that was refused. Nothing of such a document is used.
#[derive(Clone, Debug, Eq, Error, PartialEq, Serialize)]
pub struct PolicyError {
    /// The line, from 1; 0 when the reason is not about one place.
    pub line: u32,
    /// The character in the line, from 1; 0 when the reason is not about one place.
    pub column: u32,
    /// The field: `rules[2].when.class.min`. Empty for the document as a whole.
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
    /// Not TOML or not JSON.
    #[error("{message}")]
    Syntax {
        /// What the parser says.
        message: String,
    },
    /// The same key twice in one table.
    #[error("the key appears twice")]
    DuplicateKey,
    /// A field that this format does not have.
    #[error("unknown field; {expected}")]
    UnknownField {
        /// The fields that may be here.
        expected: String,
    },
    /// A field that has to be here.
    #[error("the field {field} is missing")]
    MissingField {
        /// Its name.
        field: String,
    },
    /// A value of another type.
    #[error("expected {expected}, found {found}")]
    WrongType {
        /// What has to be here.
        expected: String,
        /// What is.
        found: String,
    },
    /// A word that is none of those that may be here.
    #[error("{expected}")]
    UnknownWord {
        /// The words that may be here.
        expected: String,
    },
    /// A number outside of its range.
    #[error("must be {min} to {max}")]
    OutOfRange {
        /// The lowest.
        min: String,
        /// The highest.
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
        /// What is counted.
        unit: String,
    },
    /// Nothing where something has to be.
    #[error("must not be empty")]
    Empty,
    /// An id that is not made of letters, digits, `-`, `_` and `.`, or does not begin with a letter or digit.
    #[error("an id has letters, digits, -, _ and ., and begins with a letter or a digit")]
    InvalidId,
    /// Two rules or two endpoints with one id, or an entry twice in one list.
    #[error("{what} appears twice")]
    Duplicate {
        /// Which.
        what: String,
    },
    /// A rule names an endpoint that the app's policy does not have.
    #[error("no endpoint has the id {id}")]
    UnknownEndpoint {
        /// The id.
        id: String,
    },
    /// A base URL that cannot be used.
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
    /// A document in the place of the other.
    #[error("this is the {found}'s policy, not the {expected}'s")]
    WrongRole {
        /// The role that the place has.
        expected: &'static str,
        /// The role that the document has.
        found: &'static str,
    },
}

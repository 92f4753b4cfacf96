//! Options that are refused, each in the words that complete "must be …, not …".

use whimbrel_client::network::{SECRET_BYTES_MAX, SecretError};
use whimbrel_client::privacy::{ScannerError, USER_WORD_BYTES_MAX, USER_WORDS_MAX};
use whimbrel_client::record::{LABEL_BYTES_MAX, LabelError};

use super::CoreError;

/// An option with a value that cannot be used.
pub(super) fn option(option: &str, expected: &str, found: String) -> CoreError {
    CoreError::InvalidOption {
        option: option.into(),
        expected: expected.into(),
        found,
    }
}

/// A file that was given to go on from.
pub(super) fn unusable_file(reason: String) -> CoreError {
    option(
        "path",
        "a conversation saved with this model",
        format!("this one: {reason}"),
    )
}

/// Words to replace that cannot be looked for.
pub(super) fn words(error: ScannerError) -> CoreError {
    let (expected, found) = match error {
        ScannerError::TooManyWords { count } => (format!("at most {USER_WORDS_MAX} words"), count.to_string()),
        ScannerError::LongWord { index, bytes } => (
            format!("words of at most {USER_WORD_BYTES_MAX} bytes"),
            format!("one of {bytes} bytes, at index {index}"),
        ),
        ScannerError::EmptyWord { index } => (
            "words with a letter or a digit".to_owned(),
            format!("one without, at index {index}"),
        ),
        ScannerError::Confidence { value } => ("a confidence from 0 to 1".to_owned(), value.to_string()),
    };
    option("user_words", &expected, found)
}

/// A task that receipts cannot hold.
pub(super) fn task(error: &LabelError) -> CoreError {
    let found = match error {
        LabelError::Empty => "an empty one".to_owned(),
        LabelError::Long { bytes } => format!("one of {bytes} bytes"),
        LabelError::Character { at } => format!("one with another character at byte {at}"),
    };
    let expected = format!("a name of A-Z, a-z, 0-9 and ._:/@+-, of at most {LABEL_BYTES_MAX} bytes");
    option("task", &expected, found)
}

/// A key that cannot be sent. No part of it is named.
pub(super) fn key(error: SecretError) -> CoreError {
    let found = match error {
        SecretError::Empty => "an empty one",
        SecretError::TooLong => "a longer one",
        SecretError::Character => "one with a space or another character",
    };
    let expected = format!("a key of visible ASCII characters, of at most {SECRET_BYTES_MAX} bytes");
    option("key", &expected, found.to_owned())
}

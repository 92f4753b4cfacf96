//! Short names in receipts: of rules, endpoints, models and codes. They have no room for a sentence.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Maximum length of a [`Label`] in bytes.
pub const LABEL_BYTES_MAX: u32 = 128;

/// A name of a rule, an endpoint, a model, a task, a method or an error code: 1 to [`LABEL_BYTES_MAX`] characters of `A-Z`, `a-z`, `0-9`
/// and `._:/@+-`. It contains no blanks, so that a user's text cannot get into a receipt by accident.
///
/// ```
/// use whimbrel_record::{Label, LabelError};
///
/// assert_eq!(Label::new("cloud/eu-1").unwrap().as_str(), "cloud/eu-1");
/// assert_eq!(Label::new("two words"), Err(LabelError::Character { at: 3 }));
/// assert_eq!(Label::squeezed("two words").as_str(), "two_words");
/// ```
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Label(String);

/// Why a text is not a valid [`Label`].
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum LabelError {
    /// It is empty.
    #[error("the name is empty")]
    Empty,
    /// It is longer than [`LABEL_BYTES_MAX`].
    #[error("the name has {bytes} bytes, the limit is {LABEL_BYTES_MAX}")]
    Long {
        /// Its length.
        bytes: u64,
    },
    /// It contains an invalid character.
    #[error("the name has a character other than A-Z, a-z, 0-9 and ._:/@+- at byte {at}")]
    Character {
        /// The byte index of the character.
        at: u64,
    },
}

impl Label {
    /// Makes a label of a valid name.
    ///
    /// # Errors
    /// [`LabelError`] if the name is empty, too long, or contains an invalid character.
    pub fn new(name: &str) -> Result<Label, LabelError> {
        if name.is_empty() {
            return Err(LabelError::Empty);
        }
        if name.len() as u64 > u64::from(LABEL_BYTES_MAX) {
            return Err(LabelError::Long {
                bytes: name.len() as u64,
            });
        }
        match name.bytes().position(|byte| !allowed(byte)) {
            Some(at) => Err(LabelError::Character { at: at as u64 }),
            None => Ok(Label(name.to_owned())),
        }
    }

    /// Makes a label of any name: invalid characters become `_`, a name that is too long is cut, and an empty name becomes `_`. It is meant
    /// for names that come from elsewhere, such as those of models. Two names can become the same label.
    #[must_use]
    pub fn squeezed(name: &str) -> Label {
        if let Ok(label) = Label::new(name) {
            return label;
        }
        let mut label: String = name
            .chars()
            .take(LABEL_BYTES_MAX as usize)
            .map(|character| match u8::try_from(character) {
                Ok(byte) if allowed(byte) => character,
                _ => '_',
            })
            .collect();
        if label.is_empty() {
            label.push('_');
        }
        Label(label)
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn allowed(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"._:/@+-".contains(&byte)
}

impl TryFrom<String> for Label {
    type Error = LabelError;

    fn try_from(name: String) -> Result<Label, LabelError> {
        Label::new(&name)
    }
}

impl From<Label> for String {
    fn from(label: Label) -> String {
        label.0
    }
}

impl fmt::Display for Label {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_have_no_blanks() {
        let check = |name: &str, expected: Result<(), LabelError>| {
            assert_eq!(Label::new(name).map(|_| ()), expected, "{name:?}");
            assert!(Label::new(Label::squeezed(name).as_str()).is_ok(), "{name:?}");
        };
        check("cloud/eu-1:gpt@2+x_y.z", Ok(()));
        check("", Err(LabelError::Empty));
        check("two words", Err(LabelError::Character { at: 3 }));
        check("Zürich", Err(LabelError::Character { at: 1 }));
        check("line\n", Err(LabelError::Character { at: 4 }));
        check(&"a".repeat(128), Ok(()));
        check(&"a".repeat(129), Err(LabelError::Long { bytes: 129 }));
        assert_eq!(Label::squeezed("mein Modell").as_str(), "mein_Modell");
        assert!(serde_json::from_str::<Label>("\"two words\"").is_err());
    }
}

//! An API key in memory: wiped when it is dropped, and never printed. A key vault stores it.

use std::fmt;

use hyper::header::HeaderValue;
use thiserror::Error;
use zeroize::Zeroizing;

/// Maximum length of a key in bytes.
pub const SECRET_BYTES_MAX: u32 = 4096;

/// An API key. It is wiped from memory when it is dropped, and debug output does not contain it. The header that carries it is marked as
/// sensitive; the copies that the HTTP and TLS layers make of it while sending are not wiped.
///
/// ```
/// use whimbrel_network::{Secret, SecretError};
///
/// let key = Secret::new("sk-0123456789".to_owned())?;
/// assert_eq!(format!("{key:?}"), "Secret");
/// assert_eq!(Secret::new("sk-0123456789\n".to_owned()).unwrap_err(), SecretError::Character);
/// # Ok::<(), SecretError>(())
/// ```
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

/// Why a text is not a valid API key.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum SecretError {
    /// It is empty.
    #[error("the key is empty")]
    Empty,
    /// It is longer than [`SECRET_BYTES_MAX`].
    #[error("the key is longer than {SECRET_BYTES_MAX} bytes")]
    TooLong,
    /// It contains a blank, a control character or a non-ASCII character, none of which is allowed in a header.
    #[error("the key contains a character that is not visible ASCII")]
    Character,
}

impl Secret {
    /// Takes ownership of a key; the string's memory is wiped later.
    ///
    /// # Errors
    /// [`SecretError`].
    pub fn new(key: String) -> Result<Secret, SecretError> {
        let key = Zeroizing::new(key);
        if key.is_empty() {
            return Err(SecretError::Empty);
        }
        if key.len() > SECRET_BYTES_MAX as usize {
            return Err(SecretError::TooLong);
        }
        if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(SecretError::Character);
        }
        Ok(Secret(key))
    }

    /// The value of a header that says the key, behind `prefix`.
    pub(crate) fn header(&self, prefix: &str) -> HeaderValue {
        let text = Zeroizing::new(format!("{prefix}{}", self.0.as_str()));
        let mut value = HeaderValue::from_str(&text).expect("a key is visible ASCII");
        value.set_sensitive(true);
        value
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(key: &str, expected: Option<SecretError>) {
        assert_eq!(Secret::new(key.to_owned()).err(), expected, "{} bytes", key.len());
    }

    #[test]
    fn only_what_a_header_can_carry() {
        check("sk-abc_123.~", None);
        check("", Some(SecretError::Empty));
        check(&"k".repeat(SECRET_BYTES_MAX as usize), None);
        check(&"k".repeat(SECRET_BYTES_MAX as usize + 1), Some(SecretError::TooLong));
        for text in ["a\r\nHost: b", "a\n", "a b", "a\0", "a\u{7f}", "schlüssel"] {
            check(text, Some(SecretError::Character));
        }
    }

    #[test]
    fn nothing_is_printed() {
        let secret = Secret::new("sk-hidden".to_owned()).unwrap();
        assert_eq!(format!("{secret:?}"), "Secret");
        let header = secret.header("Bearer ");
        assert_eq!(header, "Bearer sk-hidden");
        assert_eq!(format!("{header:?}"), "Sensitive");
    }
}

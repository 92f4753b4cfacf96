//! What a server's answer says of a file, from its status and header fields.

use serde::{Deserialize, Serialize};

/// Maximum length of a validator in bytes.
const VALIDATOR_BYTES_MAX: usize = 1_024;

/// What an answer says before its body.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// `Location`.
    pub location: Option<String>,
    /// `Content-Length`.
    pub content_length: Option<u64>,
    /// `Content-Range`.
    pub content_range: Option<String>,
    /// What tells this state of the file from others.
    pub validator: Option<Validator>,
    /// Whether the body is compressed, which was not asked for.
    pub is_encoded: bool,
    /// Whether the server calls the body a web page.
    pub is_page: bool,
    /// How long the server asked to wait, in milliseconds.
    pub retry_after_ms: Option<u64>,
}

/// What tells one state of a file on a server from another (RFC 9110, section 8.8): what `If-Range` takes.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Validator(String);

impl Validator {
    /// The validator of an answer: its entity tag if that is a strong one, or else the time of the last change.
    ///
    /// ```
    /// use whimbrel_policy::download::Validator;
    ///
    /// let date = Some("Sun, 06 Nov 1994 08:49:37 GMT");
    /// assert_eq!(Validator::of(Some("\"a1\""), date).unwrap().as_str(), "\"a1\"");
    /// assert_eq!(Validator::of(Some("W/\"a1\""), date).unwrap().as_str(), date.unwrap());
    /// assert_eq!(Validator::of(Some("a1"), None), None);
    /// ```
    #[must_use]
    pub fn of(entity_tag: Option<&str>, last_modified: Option<&str>) -> Option<Validator> {
        let is_strong = |tag: &&str| tag.len() >= 2 && tag.starts_with('"') && tag.ends_with('"');
        let found = entity_tag
            .map(str::trim)
            .filter(is_strong)
            .or(last_modified.map(str::trim))?;
        let is_header = |byte: u8| byte == b' ' || byte.is_ascii_graphic();
        let is_valid = (1..=VALIDATOR_BYTES_MAX).contains(&found.len()) && found.bytes().all(is_header);
        is_valid.then(|| Validator(found.to_owned()))
    }

    /// As the header field's value.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// `Content-Range` (RFC 9110, section 14.4).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ContentRange {
    /// The body is this part of the file.
    Part {
        /// The first byte.
        first: u64,
        /// The last byte.
        last: u64,
        /// Size of the file, if the server knows it.
        total: Option<u64>,
    },
    /// The file does not have what was asked for, but so many bytes.
    Unsatisfied {
        /// Size of the file.
        total: u64,
    },
}

impl ContentRange {
    /// Reads the field's value; `None` if it is malformed or contradicts itself.
    ///
    /// ```
    /// use whimbrel_policy::download::ContentRange;
    ///
    /// let part = ContentRange::Part { first: 10, last: 99, total: Some(100) };
    /// assert_eq!(ContentRange::parse("bytes 10-99/100"), Some(part));
    /// assert_eq!(ContentRange::parse("bytes */100"), Some(ContentRange::Unsatisfied { total: 100 }));
    /// assert_eq!(ContentRange::parse("bytes 10-100/100"), None);
    /// ```
    #[must_use]
    pub fn parse(value: &str) -> Option<ContentRange> {
        let (unit, rest) = value.trim().split_once(' ')?;
        let (range, total) = rest.trim().split_once('/')?;
        if !unit.eq_ignore_ascii_case("bytes") {
            return None;
        }
        let total = match total {
            "*" => None,
            total => Some(number(total)?),
        };
        if range == "*" {
            return total.map(|total| ContentRange::Unsatisfied { total });
        }
        let (first, last) = range.split_once('-')?;
        let (first, last) = (number(first)?, number(last)?);
        let is_possible = first <= last && total.is_none_or(|total| last < total);
        is_possible.then_some(ContentRange::Part { first, last, total })
    }
}

fn number(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok())?
}

/// What a file is, by its first bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FileKind {
    /// A GGUF file.
    Gguf,
    /// A web page or another text in angle brackets: a list of files, a page to sign in, an error.
    Page,
    /// Anything else.
    Other,
}

impl FileKind {
    /// Bytes that are enough to tell.
    pub const BYTES: usize = 4;

    /// Judges by the first [`FileKind::BYTES`] bytes, or by all of a file that has fewer.
    #[must_use]
    pub fn of(first: &[u8]) -> FileKind {
        let text = first.trim_ascii_start();
        match first {
            _ if first.starts_with(b"GGUF") => FileKind::Gguf,
            _ if text.starts_with(b"<") || first.starts_with(b"\xef\xbb\xbf<") => FileKind::Page,
            _ => FileKind::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_ranges() {
        for (value, expected) in [
            ("bytes 0-0/1", Some((0, 0, Some(1)))),
            ("Bytes 5-9/*", Some((5, 9, None))),
            ("  bytes   5-9/10 ", Some((5, 9, Some(10)))),
        ] {
            let part = expected.map(|(first, last, total)| ContentRange::Part { first, last, total });
            assert_eq!(ContentRange::parse(value), part, "{value}");
        }
        for malformed in [
            "",
            "bytes",
            "bytes 5-4/10",
            "bytes 5-10/10",
            "bytes -5/10",
            "bytes 5-/10",
            "bytes +5-6/10",
            "bytes 5-6",
            "bytes */*",
            "items 5-6/10",
            "bytes 5-99999999999999999999/*",
        ] {
            assert_eq!(ContentRange::parse(malformed), None, "{malformed}");
        }
    }

    #[test]
    fn kinds_of_files() {
        for (first, expected) in [
            (&b"GGUF\x03"[..], FileKind::Gguf),
            (b"<!DOCTYPE html>", FileKind::Page),
            (b"\n <html>", FileKind::Page),
            (b"\xef\xbb\xbf<?xml", FileKind::Page),
            (b"PK\x03\x04", FileKind::Other),
            (b"GGU", FileKind::Other),
            (b"", FileKind::Other),
        ] {
            assert_eq!(FileKind::of(first), expected, "{first:?}");
        }
    }
}

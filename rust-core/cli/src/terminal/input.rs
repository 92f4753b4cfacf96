//! Texts given by the user: from an argument, a file or standard input, never longer than a named limit.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};

use crate::error::CliError;
use crate::terminal::output;

/// The longest text that is read, in bytes.
pub(crate) const TEXT_BYTES_MAX: u64 = 64 << 20;

/// The name under which standard input appears in errors.
const STANDARD_INPUT: &str = "standard input";

/// A whole file.
///
/// # Errors
/// [`CliError::InputRead`]; [`CliError::InputInvalid`] for one that is too long or not UTF-8.
pub(crate) fn file(path: &Path) -> Result<String, CliError> {
    let file = File::open(path).map_err(CliError::read(path))?;
    text(file, path, CliError::read(path))
}

/// A whole file; `-` is standard input.
///
/// # Errors
/// As [`file()`]; [`CliError::StandardInput`].
pub(crate) fn file_or_standard(path: &Path) -> Result<String, CliError> {
    match path.as_os_str() == "-" {
        true => standard_input(),
        false => file(path),
    }
}

/// Everything from standard input.
pub(crate) fn standard_input() -> Result<String, CliError> {
    text(io::stdin().lock(), Path::new(STANDARD_INPUT), CliError::StandardInput)
}

/// Whether something is piped in.
pub(crate) fn is_piped() -> bool {
    !io::stdin().is_terminal()
}

/// The text without one line break at its end: editors and `echo` add it, nobody means it.
pub(crate) fn without_last_line_break(mut text: String) -> String {
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    text
}

fn text(from: impl Read, name: &Path, unreadable: impl FnOnce(io::Error) -> CliError) -> Result<String, CliError> {
    let invalid = |reason: String| CliError::InputInvalid {
        path: PathBuf::from(name),
        reason,
    };
    let mut bytes = Vec::new();
    from.take(TEXT_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() as u64 > TEXT_BYTES_MAX {
        return Err(invalid(format!("longer than {}", output::bytes(TEXT_BYTES_MAX))));
    }
    let text = String::from_utf8(bytes)
        .map_err(|error| invalid(format!("not UTF-8 at byte {}", error.utf8_error().valid_up_to())))?;
    Ok(without_byte_order_mark(text))
}

/// The text without the mark that some editors put before UTF-8.
pub(crate) fn without_byte_order_mark(mut text: String) -> String {
    if text.starts_with('\u{feff}') {
        text.drain(..'\u{feff}'.len_utf8());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_break_goes() {
        for (text, expected) in [
            ("a", "a"),
            ("a\n", "a"),
            ("a\r\n", "a"),
            ("a\n\n", "a\n"),
            ("\n", ""),
            ("", ""),
        ] {
            assert_eq!(without_last_line_break(text.to_owned()), expected);
        }
    }

    #[test]
    fn only_utf_8_is_text() {
        let read = |bytes: &[u8]| text(bytes, Path::new("x"), CliError::StandardInput);
        assert_eq!(read("naïve".as_bytes()).expect("UTF-8"), "naïve");
        assert_eq!(read(b"\xef\xbb\xbfHi").expect("UTF-8"), "Hi");
        assert_eq!(
            read(b"ab\xff").expect_err("not UTF-8").to_string(),
            "x: not UTF-8 at byte 2"
        );
    }
}

//! Errors as a person reads them: in one line, with their causes, and without what only the operating system's programmers know.

use std::error::Error;
use std::io;

/// An error and its causes, joined, without line breaks. What the operating system says is put in plain words, and its numbers and the names of
/// temporary files are left out.
///
/// ```
/// let error = std::io::Error::from_raw_os_error(17);
/// assert_eq!(whimbrel_files::message(&error), "something with this name already exists");
/// ```
#[must_use]
pub fn message(error: &(dyn Error + 'static)) -> String {
    let mut text = said(error);
    let mut source = error.source();
    while let Some(inner) = source {
        let words = said(inner);
        // A transparent variant repeats its source.
        if !text.ends_with(&words) && !text.ends_with(&plain(&inner.to_string())) {
            text = format!("{text}: {words}");
        }
        source = inner.source();
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What an error says by itself.
fn said(error: &(dyn Error + 'static)) -> String {
    match error.downcast_ref::<io::Error>().and_then(of_system) {
        Some(words) => words.to_owned(),
        None => plain(&error.to_string()),
    }
}

/// The operating system's errors that people meet.
fn of_system(error: &io::Error) -> Option<&'static str> {
    Some(match error.kind() {
        io::ErrorKind::NotFound => "there is no such file or folder",
        io::ErrorKind::PermissionDenied => "permission denied",
        io::ErrorKind::AlreadyExists => "something with this name already exists",
        io::ErrorKind::NotADirectory => "a part of the path is a file, not a folder",
        io::ErrorKind::IsADirectory => "it is a folder, not a file",
        io::ErrorKind::StorageFull => "no storage space",
        io::ErrorKind::ReadOnlyFilesystem => "the file system is read-only",
        _ => return None,
    })
}

/// Without `(os error 17)`, and without the place of a temporary file.
fn plain(text: &str) -> String {
    let mut plain = text.to_owned();
    while let Some(from) = plain.find(" (os error ") {
        let Some(length) = plain[from..].find(')') else { break };
        plain.replace_range(from..=from + length, "");
    }
    while let Some(from) = plain.find(" at path \"") {
        let quoted = from + " at path \"".len();
        let Some(length) = plain[quoted..].find('"') else { break };
        plain.replace_range(from..=quoted + length, "");
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot write it")]
    struct Outer(#[source] io::Error);

    #[test]
    fn causes_are_in_plain_words() {
        let check = |source: io::Error, expected: &str| assert_eq!(message(&Outer(source)), expected);
        check(
            io::Error::from_raw_os_error(21),
            "cannot write it: it is a folder, not a file",
        );
        check(
            io::Error::from(io::ErrorKind::StorageFull),
            "cannot write it: no storage space",
        );
        // As the crate for temporary files says it.
        check(
            io::Error::new(
                io::ErrorKind::NotFound,
                "No such file (os error 2) at path \"/x/.tmpAb12\"",
            ),
            "cannot write it: there is no such file or folder",
        );
        check(
            io::Error::other("odd (os error 71) at path \"/x/.tmpAb12\""),
            "cannot write it: odd",
        );
        check(io::Error::other("two\n lines"), "cannot write it: two lines");
        check(
            io::Error::other("unfinished (os error "),
            "cannot write it: unfinished (os error",
        );
    }
}

//! Colour on standard error, for terminals alone. `NO_COLOR` and `TERM=dumb` turn it off, `CLICOLOR_FORCE` turns it on.

use console::{Style, StyledObject};

/// Prints an error's line.
pub(crate) fn error(line: &str) {
    match line.split_once(' ') {
        Some((label, rest)) => eprintln!("{} {rest}", styled(label, Style::new().red().bold())),
        None => eprintln!("{line}"),
    }
}

/// Prints a line about an answer, less prominent than the answer.
pub(crate) fn note(line: &str) {
    eprintln!("{}", styled(line, Style::new().dim()));
}

/// Prints a piece of what a model thinks.
pub(crate) fn thought(piece: &str) {
    eprint!("{}", styled(piece, Style::new().dim()));
}

/// What stands before a question.
pub(crate) fn prompt(text: &str) -> String {
    styled(text, Style::new().cyan().bold()).to_string()
}

fn styled(text: &str, with: Style) -> StyledObject<&str> {
    with.for_stderr().apply_to(text)
}

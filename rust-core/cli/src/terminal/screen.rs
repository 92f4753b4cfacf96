//! An answer on standard output: as it comes and wrapped for a person at a terminal, plain for a program.

use std::io::IsTerminal;

use console::Term;

use crate::error::CliError;
use crate::terminal::output;
use crate::terminal::wrap::Wrap;

/// Columns that a line needs at least; a narrower terminal breaks lines itself.
pub(super) const COLUMNS_MIN: u16 = 20;

/// How an answer is shown.
pub(crate) enum Screen {
    /// Not at all: it is part of an object.
    Silent,
    /// As it comes: for a program, of which nothing is taken back, or a terminal that is too narrow to wrap for.
    Plain,
    /// Whole, at the end: a part that is taken back must not be in a file or a pipe.
    Whole,
    /// As it comes, for a person, in lines of the terminal's width.
    Wrapped(Wrap),
}

impl Screen {
    /// What fits standard output. `may_restart`: an answer may be taken back and made elsewhere.
    pub(crate) fn new(may_restart: bool) -> Screen {
        match (std::io::stdout().is_terminal(), may_restart) {
            (true, _) => match Term::stdout().size_checked() {
                Some((_, columns)) if columns >= COLUMNS_MIN => Screen::Wrapped(Wrap::new(columns)),
                _ => Screen::Plain,
            },
            (false, true) => Screen::Whole,
            (false, false) => Screen::Plain,
        }
    }

    /// The next piece of the text.
    ///
    /// # Errors
    /// [`CliError::Output`].
    pub(crate) fn show(&mut self, piece: &str) -> Result<(), CliError> {
        match self {
            Screen::Silent | Screen::Whole => Ok(()),
            Screen::Plain => output::write_all(piece.as_bytes()),
            Screen::Wrapped(wrap) => output::write_all(wrap.push(piece).as_bytes()),
        }
    }

    /// The text so far is taken back. `text` is the part that was passed to [`Screen::show`].
    ///
    /// # Errors
    /// [`CliError::Output`].
    pub(crate) fn discard(&mut self, text: &str) -> Result<(), CliError> {
        if text.is_empty() || matches!(self, Screen::Silent | Screen::Whole) {
            return Ok(());
        }
        self.end("")?;
        if !text.ends_with('\n') {
            self.show("\n")?;
        }
        if let Screen::Wrapped(wrap) = self {
            wrap.restart();
        }
        Ok(())
    }

    /// What is left of the whole text.
    ///
    /// # Errors
    /// [`CliError::Output`].
    pub(crate) fn end(&mut self, text: &str) -> Result<(), CliError> {
        match self {
            Screen::Silent | Screen::Plain => Ok(()),
            Screen::Whole => output::write_all(text.as_bytes()),
            Screen::Wrapped(wrap) => output::write_all(wrap.end().as_bytes()),
        }
    }

    /// Whether a person sees what is taken back.
    pub(crate) fn is_watched(&self) -> bool {
        matches!(self, Screen::Plain | Screen::Wrapped(_))
    }
}

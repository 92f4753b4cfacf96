//! What a model thinks before it answers: dimmed, on standard error, for a person at a terminal. A program finds it in the object of `--json`.

use console::Term;

use crate::terminal::screen::{COLUMNS_MIN, Screen};
use crate::terminal::wrap::Wrap;
use crate::terminal::{output, style};

/// How thoughts are shown.
pub(crate) struct Thoughts {
    /// None where nobody watches.
    lines: Option<Wrap>,
    is_open: bool,
}

impl Thoughts {
    /// Beside an answer on this screen.
    pub(crate) fn new(screen: &Screen) -> Thoughts {
        let is_watched = output::watched() && !matches!(screen, Screen::Silent);
        let columns = Term::stderr().size_checked().map_or(0, |(_, columns)| columns);
        // A narrower terminal breaks lines itself.
        let width = if columns < COLUMNS_MIN { u16::MAX } else { columns };
        Thoughts {
            lines: is_watched.then(|| Wrap::new(width)),
            is_open: false,
        }
    }

    /// The next piece.
    pub(crate) fn show(&mut self, piece: &str) {
        let Some(lines) = &mut self.lines else { return };
        self.is_open = true;
        style::thought(&lines.push(piece));
    }

    /// Nothing more comes of these thoughts: an empty line stands behind them.
    pub(crate) fn end(&mut self) {
        let Some(lines) = &mut self.lines else { return };
        if std::mem::take(&mut self.is_open) {
            style::thought(&lines.end());
            eprint!("\n\n");
            lines.restart();
        }
    }
}

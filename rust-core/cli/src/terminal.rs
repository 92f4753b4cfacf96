//! What passes between the command and whoever runs it: texts, secrets, Ctrl-C, results and progress.

pub(crate) mod confirm;
pub(crate) mod hidden_line;
pub(crate) mod input;
pub(crate) mod interrupt;
pub(crate) mod output;
pub(crate) mod progress;
pub(crate) mod screen;
pub(crate) mod style;
pub(crate) mod thoughts;
pub(crate) mod words;
mod wrap;

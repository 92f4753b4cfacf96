//! Standard output: facts as one JSON object or as lines for people. Progress and errors go to standard error, elsewhere.

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use serde::{Serialize, Serializer};

use crate::error::CliError;

/// What a command found out.
pub(crate) trait Facts: Serialize {
    /// Writes the facts as lines for people.
    fn human(&self, out: &mut dyn Write) -> io::Result<()>;
}

/// The flag that every command with facts has.
#[derive(clap::Args, Clone, Copy, Debug)]
pub(crate) struct OutputArguments {
    /// Print one JSON object on standard output, and nothing else
    #[arg(long)]
    pub(crate) json: bool,
}

impl OutputArguments {
    /// Prints the facts, whole and at once.
    pub(crate) fn print(self, facts: &impl Facts) -> Result<(), CliError> {
        let mut buffer = Vec::new();
        if self.json {
            serde_json::to_writer_pretty(&mut buffer, facts).map_err(|error| CliError::Output(error.into()))?;
            buffer.push(b'\n');
        } else {
            facts.human(&mut buffer).map_err(CliError::Output)?;
        }
        write_all(&buffer)
    }
}

/// A path as text in an object. What is not UTF-8 in it becomes U+FFFD.
pub(crate) fn path<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&path.to_string_lossy())
}

/// As [`path`], or null.
pub(crate) fn optional_path<S: Serializer>(path: &Option<PathBuf>, serializer: S) -> Result<S::Ok, S::Error> {
    path.as_ref().map(|path| path.to_string_lossy()).serialize(serializer)
}

/// Writes to standard output and flushes.
pub(crate) fn write_all(bytes: &[u8]) -> Result<(), CliError> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)
        .and_then(|()| out.flush())
        .map_err(CliError::Output)
}

/// Whether a person watches standard error.
pub(crate) fn watched() -> bool {
    io::stderr().is_terminal()
}

/// Help as standard output can show it: with colour on a terminal that has it.
pub(crate) fn for_terminal(text: &clap::builder::StyledStr) -> String {
    match console::colors_enabled() {
        true => text.ansi().to_string(),
        false => text.to_string(),
    }
}

/// A number of bytes for people: `98.4 MB`.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 4] = ["B", "kB", "MB", "GB"];
    let mut value = count as f64;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    if unit == 0 {
        format!("{count} B")
    } else {
        format!("{value:.1} {}", UNITS[unit])
    }
}

/// Writes `label  value` with the values under each other.
pub(crate) fn table(out: &mut dyn Write, rows: &[(&str, String)]) -> io::Result<()> {
    let width = rows.iter().map(|(label, _)| label.chars().count()).max().unwrap_or(0);
    rows.iter()
        .try_for_each(|(label, value)| writeln!(out, "{label:<width$}  {value}"))
}

#[cfg(test)]
mod tests {
    use super::bytes;

    #[test]
    fn bytes_for_people() {
        for (count, expected) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (98_362_432, "98.4 MB"),
            (25_000_000_000, "25.0 GB"),
        ] {
            assert_eq!(bytes(count), expected);
        }
    }
}

//! `whimbrel redact`: a text with everything replaced that is recognised as personal or secret, and what was found. The same scanner as before a request
//! leaves the device.

use std::io::{self, Write};
use std::path::PathBuf;

use serde::Serialize;
use whimbrel_client::privacy::{Redacted, Scanner, ScannerOptions, redact};

use crate::error::CliError;
use crate::terminal::input;
use crate::terminal::output::{Facts, OutputArguments};

/// The flags of `redact`.
#[derive(clap::Args, Debug)]
#[command(group = clap::ArgGroup::new("source"))]
pub(crate) struct Arguments {
    /// The text [default: standard input, if something is piped in]
    #[arg(long, short, value_name = "TEXT", group = "source", allow_hyphen_values = true)]
    text: Option<String>,
    /// A file with the text; - is standard input
    #[arg(long, short, value_name = "FILE", group = "source")]
    file: Option<PathBuf>,
    /// An additional word to replace; can be repeated
    #[arg(long, value_name = "WORD", allow_hyphen_values = true)]
    word: Vec<String>,
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Serialize)]
#[serde(transparent)]
struct Shown(Redacted);

impl Facts for Shown {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        let text = &self.0.text;
        out.write_all(text.as_bytes())?;
        if text.ends_with('\n') { Ok(()) } else { writeln!(out) }
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), CliError> {
    let text = match (&arguments.text, &arguments.file) {
        (Some(text), _) => text.clone(),
        (None, Some(path)) => input::file_or_standard(path)?,
        (None, None) if !input::is_piped() => {
            return Err(CliError::usage(
                "a text is missing",
                "--text TEXT, --file FILE, or pipe it in",
            ));
        }
        (None, None) => input::standard_input()?,
    };
    let scanner = Scanner::new(ScannerOptions {
        user_words: arguments.word.clone(),
        ..ScannerOptions::default()
    })?;
    let shown = Shown(redact(&text, &scanner)?);
    arguments.output.print(&shown)?;
    if !arguments.output.json {
        for finding in &shown.0.findings {
            let stands_for = match &finding.placeholder {
                Some(placeholder) => format!("{placeholder} for {}", finding.kind.name()),
                None => format!("{}, not replaced,", finding.kind.name()),
            };
            eprintln!(
                "{stands_for} at characters {} to {}, {:.0} % sure",
                finding.start,
                finding.end,
                finding.confidence * 100.0
            );
        }
        for guess in &shown.0.guesses {
            eprintln!(
                "maybe {} at characters {} to {}: not replaced",
                guess.kind.name(),
                guess.start,
                guess.end
            );
        }
    }
    Ok(())
}

//! `whimbrel tokenize`: the token ids of a text. Special tokens in it are parsed; nothing is added and nothing trimmed.

use std::io::{self, Write};
use std::path::PathBuf;

use serde::Serialize;
use whimbrel_engine::Model;

use crate::arguments::model::ModelArguments;
use crate::error::CliError;
use crate::terminal::input;
use crate::terminal::output::{Facts, OutputArguments};

/// The flags of `tokenize`.
#[derive(clap::Args, Debug)]
#[command(group = clap::ArgGroup::new("source").required(true))]
pub(crate) struct Arguments {
    #[command(flatten)]
    model: ModelArguments,
    /// The text
    #[arg(long, short, value_name = "TEXT", group = "source", allow_hyphen_values = true)]
    text: Option<String>,
    /// A file with the text; - is standard input
    #[arg(long, short, value_name = "FILE", group = "source")]
    file: Option<PathBuf>,
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Serialize)]
struct Tokenized {
    ids: Vec<u32>,
    /// Each token as text; a part of a character becomes U+FFFD.
    pieces: Vec<String>,
    count: u64,
}

impl Facts for Tokenized {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        self.ids
            .iter()
            .zip(&self.pieces)
            .try_for_each(|(id, piece)| writeln!(out, "{id:>7}  {piece:?}"))
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), CliError> {
    let text = match (&arguments.text, &arguments.file) {
        (Some(text), _) => text.clone(),
        (None, Some(path)) => input::file_or_standard(path)?,
        (None, None) => input::standard_input()?,
    };
    let options = arguments.model.open_options(1);
    let model = Model::open(&arguments.model.folder()?, &options)?;
    let tokenizer = model.tokenizer();
    let ids = tokenizer.encode(&text, true);
    let pieces = ids
        .iter()
        .map(|id| String::from_utf8_lossy(tokenizer.decode_bytes(*id)).into_owned())
        .collect();
    arguments.output.print(&Tokenized {
        count: ids.len() as u64,
        ids,
        pieces,
    })
}

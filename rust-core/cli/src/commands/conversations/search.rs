//! `whimbrel conversations search`: where a text occurs, with some words around it.

use std::io::{self, Write};

use serde::Serialize;
use whimbrel_client::block_on;
use whimbrel_client::store::HitPlace;

use crate::arguments::conversations::ID_SHOWN;
use crate::arguments::ledger::LedgerArguments;
use crate::arguments::number::whole;
use crate::error::CliError;
use crate::machine::time::date_and_time;
use crate::terminal::output::{Facts, OutputArguments};

/// Characters that are shown around a text that was found.
const AROUND: usize = 40;

/// The flags of `conversations search`.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// The text to find
    text: String,
    /// Maximum number of places to show
    #[arg(long, value_name = "N", default_value_t = 20, allow_negative_numbers = true, value_parser = whole::<u32>(1..=10_000))]
    limit: u32,
    #[command(flatten)]
    ledger: LedgerArguments,
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Serialize)]
struct Found {
    hits: Vec<FoundText>,
}

#[derive(Serialize)]
struct FoundText {
    conversation: String,
    /// The message's number in the conversation, from 0; null for the title.
    message: Option<u32>,
    time_ms: u64,
    /// Where the text was found, with some words around it.
    excerpt: String,
}

impl Facts for Found {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        if self.hits.is_empty() {
            return writeln!(out, "not found");
        }
        self.hits.iter().try_for_each(|hit| {
            let place = hit
                .message
                .map_or_else(|| "title".to_owned(), |number| format!("message {}", number + 1));
            let id = &hit.conversation[..ID_SHOWN];
            writeln!(out, "{id}  {}  {place}: {}", date_and_time(hit.time_ms), hit.excerpt)
        })
    }
}

pub(super) fn run(arguments: &Arguments) -> Result<(), CliError> {
    let conversations = arguments.ledger.conversations()?;
    let hits = block_on(conversations.search(&arguments.text, arguments.limit))?;
    let hits = hits.into_iter().map(|hit| FoundText {
        conversation: hit.conversation.to_string(),
        message: match hit.place {
            HitPlace::Title => None,
            HitPlace::Message(position) => Some(position),
        },
        time_ms: hit.time_ms,
        excerpt: excerpt(&hit.text, hit.start as usize, hit.end as usize),
    });
    arguments.output.print(&Found { hits: hits.collect() })
}

/// A part of a text with some characters around it, in one line.
fn excerpt(text: &str, start: usize, end: usize) -> String {
    let before = text[..start].char_indices().rev().nth(AROUND - 1).map(|(at, _)| at);
    let after = text[end..].char_indices().nth(AROUND).map(|(at, _)| end + at);
    let part = &text[before.unwrap_or(0)..after.unwrap_or(text.len())];
    let words: Vec<&str> = part.split_whitespace().collect();
    let [open, close] = [before, after].map(|cut| if cut.is_some() { "…" } else { "" });
    format!("{open}{}{close}", words.join(" "))
}

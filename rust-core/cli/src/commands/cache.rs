//! `whimbrel cache`: what is kept to save time, and can be made again.

use std::io::{self, Write};

use serde::Serialize;
use whimbrel_client::{CacheUse, block_on};

use crate::arguments::ledger::LedgerArguments;
use crate::error::CliError;
use crate::terminal::output::{Facts, OutputArguments, bytes};
use crate::terminal::words::counted;

/// The commands under `cache`.
#[derive(clap::Subcommand, Debug)]
pub(crate) enum Command {
    /// Show how much is cached
    Stats(Arguments),
    /// Forget remembered answers and saved contexts; conversations stay
    Clear(Arguments),
}

/// The flags of both.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    #[command(flatten)]
    ledger: LedgerArguments,
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Serialize)]
struct Stats {
    answers: u64,
    answer_bytes: u64,
    saved_contexts: u64,
    saved_context_bytes: u64,
}

#[derive(Serialize)]
struct Cleared {
    cleared: Stats,
}

impl From<CacheUse> for Stats {
    fn from(used: CacheUse) -> Stats {
        Stats {
            answers: used.answers,
            answer_bytes: used.answer_bytes,
            saved_contexts: used.saved_contexts,
            saved_context_bytes: used.saved_context_bytes,
        }
    }
}

impl Stats {
    fn words(&self) -> [String; 2] {
        [
            (self.answers, self.answer_bytes, "remembered answer"),
            (self.saved_contexts, self.saved_context_bytes, "saved context"),
        ]
        .map(|(number, size, what)| format!("{}, {}", counted(number, what), bytes(size)))
    }
}

impl Facts for Stats {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        self.words().iter().try_for_each(|line| writeln!(out, "{line}"))
    }
}

impl Facts for Cleared {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        let words = self.cleared.words();
        words.iter().try_for_each(|line| writeln!(out, "removed {line}"))
    }
}

pub(crate) fn run(command: &Command) -> Result<(), CliError> {
    let (Command::Stats(arguments) | Command::Clear(arguments)) = command;
    let caches = arguments.ledger.conversations()?.caches();
    let stats = Stats::from(block_on(caches.usage())?);
    if let Command::Stats(_) = command {
        return arguments.output.print(&stats);
    }
    block_on(caches.clear())?;
    arguments.output.print(&Cleared { cleared: stats })
}

//! `whimbrel ledger recover`: a new database with what a damaged one still has, conversations and queued questions included.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;
use whimbrel_client::store::{Recovered, RowCounts};
use whimbrel_client::{block_on, recover};

use crate::arguments::ledger::LedgerArguments;
use crate::error::CliError;
use crate::terminal::confirm;
use crate::terminal::output::{Facts, OutputArguments};
use crate::terminal::words::counted;

/// The flags of `ledger recover`.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// Do not ask for confirmation
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    ledger: LedgerArguments,
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Serialize)]
struct Shown {
    #[serde(serialize_with = "crate::terminal::output::path")]
    ledger: PathBuf,
    /// Where the damaged file is now.
    #[serde(serialize_with = "crate::terminal::output::optional_path")]
    old: Option<PathBuf>,
    kept: Rows,
    lost: Rows,
    log_pages_lost: u64,
}

#[derive(Serialize)]
struct Rows {
    conversations: u64,
    messages: u64,
    questions: u64,
    answers: u64,
    entries: u64,
    feedback: u64,
}

impl From<RowCounts> for Rows {
    fn from(from: RowCounts) -> Rows {
        Rows {
            conversations: from.conversations,
            messages: from.messages,
            questions: from.requests,
            answers: from.answers,
            entries: from.entries,
            feedback: from.feedback,
        }
    }
}

impl Rows {
    fn words(&self) -> String {
        let counts = [
            (self.conversations, "conversation"),
            (self.messages, "message"),
            (self.questions, "queued question"),
            (self.answers, "remembered answer"),
            (self.entries, "ledger entry"),
            (self.feedback, "piece of feedback"),
        ];
        let words = counts.iter().filter(|(number, _)| *number > 0);
        let words = words.map(|(number, what)| counted(*number, what));
        match words.collect::<Vec<_>>() {
            words if words.is_empty() => "nothing".to_owned(),
            words => words.join(", "),
        }
    }
}

impl Facts for Shown {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{}: recovered {}", self.ledger.display(), self.kept.words())?;
        writeln!(out, "lost: {}", self.lost.words())?;
        if self.log_pages_lost > 0 {
            writeln!(
                out,
                "part of the log cannot be read, so the newest changes may be missing"
            )?;
        }
        match &self.old {
            Some(old) => writeln!(out, "the damaged file is kept in {}", old.display()),
            None => Ok(()),
        }
    }
}

pub(super) fn run(arguments: &Arguments) -> Result<(), CliError> {
    let ledger = arguments.ledger.database()?;
    if !arguments.yes {
        confirm::require("a recovery", "nothing was changed", || {
            let question = "Put the database aside and begin another one with what can still be read?";
            format!("{}: {question}", ledger.display())
        })?;
    }
    let vault = Arc::new(arguments.ledger.vault()?);
    let Recovered {
        aside,
        kept,
        lost,
        log_pages_lost,
    } = block_on(recover(ledger.clone(), vault))?;
    arguments.output.print(&Shown {
        ledger,
        old: aside,
        kept: kept.into(),
        lost: lost.into(),
        log_pages_lost,
    })
}

//! `whimbrel ledger restart`: a new ledger in place of one that can no longer be written, for example because its vault is gone.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;
use whimbrel_client::Assistant;
use whimbrel_client::store::StoreError;

use crate::arguments::ledger::LedgerArguments;
use crate::error::CliError;
use crate::terminal::confirm;
use crate::terminal::output::{Facts, OutputArguments};

/// The flags of `ledger restart`.
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
struct Restarted {
    #[serde(serialize_with = "crate::terminal::output::path")]
    ledger: PathBuf,
    /// Where the old file is now.
    #[serde(serialize_with = "crate::terminal::output::optional_path")]
    old: Option<PathBuf>,
}

impl Facts for Restarted {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{}: a new ledger", self.ledger.display())?;
        match &self.old {
            Some(old) => writeln!(out, "the old one is kept in {}", old.display()),
            None => Ok(()),
        }
    }
}

pub(super) fn run(arguments: &Arguments) -> Result<(), CliError> {
    let ledger = arguments.ledger.database()?;
    let problem = problem(&arguments.ledger)?;
    if !arguments.yes {
        confirm::require("restarting the ledger", "the ledger is unchanged", || {
            let question = "Keep the old file under another name and start a new, empty ledger?";
            format!("{}: {problem}\n{question}", ledger.display())
        })?;
    }
    let old = Assistant::restart_ledger(&ledger, Arc::new(arguments.ledger.vault()?))?;
    arguments.output.print(&Restarted { ledger, old })
}

/// What is wrong with the ledger, in words.
///
/// # Errors
/// [`CliError::Usage`] when nothing is; [`CliError::Store`] when there is no ledger, or its vault cannot be read.
fn problem(arguments: &LedgerArguments) -> Result<String, CliError> {
    let store = match arguments.inspect() {
        Err(CliError::Store(error)) if !matches!(error, StoreError::Absent { .. } | StoreError::Vault(_)) => {
            return Ok(error.to_string());
        }
        store => store?,
    };
    let report = store.ledger().verify()?;
    match report.problems.first() {
        Some(problem) => Ok(problem.to_string()),
        None => Err(CliError::usage(
            "the ledger is intact and does not need a restart",
            "`whimbrel ledger prune` removes old receipts",
        )),
    }
}

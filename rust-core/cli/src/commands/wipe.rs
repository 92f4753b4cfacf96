//! `whimbrel wipe`: everything that is kept of conversations, questions and receipts is destroyed, the key first.

use std::io::{self, Write};
use std::path::PathBuf;

use serde::Serialize;
use whimbrel_client::store::Store;

use crate::arguments::ledger::LedgerArguments;
use crate::error::CliError;
use crate::terminal::confirm;
use crate::terminal::output::{Facts, OutputArguments};

/// The flags of `wipe`.
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
struct Wiped {
    #[serde(serialize_with = "crate::terminal::output::path")]
    wiped: PathBuf,
}

impl Facts for Wiped {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{}: wiped", self.wiped.display())
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), CliError> {
    arguments.ledger.require_named()?;
    let database = arguments.ledger.database()?;
    if !arguments.yes {
        confirm::require("a wipe", "nothing was wiped", || {
            let what = "all conversations, queued questions and receipts";
            format!("Destroy {what} in {}?", database.display())
        })?;
    }
    Store::wipe(&database, &arguments.ledger.vault()?)?;
    arguments.output.print(&Wiped { wiped: database })
}

//! `whimbrel ledger verify`: what is wrong with a ledger or an export, and where.

use std::fs::File;
use std::io::{self, BufReader, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use whimbrel_client::record::{Checkpoint, LedgerReport, Problem, verify_export};
use whimbrel_client::store::{StoreError, seal_keys};

use crate::arguments::ledger::LedgerArguments;
use crate::error::{CliError, exit};
use crate::machine::time;
use crate::terminal::output::{Facts, OutputArguments};
use crate::terminal::style;
use crate::terminal::words::{counted, counted_as};

/// The flags of `ledger verify`.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// An export to verify instead; its seals are checked, too, if the vault of its ledger is here
    #[arg(long, value_name = "EXPORT")]
    file: Option<PathBuf>,
    #[command(flatten)]
    ledger: LedgerArguments,
    #[command(flatten)]
    output: OutputArguments,
}

/// What a verification saw.
#[derive(Serialize)]
struct Verified {
    #[serde(serialize_with = "crate::terminal::output::path")]
    path: PathBuf,
    intact: bool,
    entries: u64,
    receipts: u64,
    last_sequence: u64,
    checkpoint: Option<Checkpoint>,
    problems: Vec<Described>,
    more_problems: bool,
    /// Null for a ledger.
    export: Option<Export>,
}

/// A problem, with the words for it.
#[derive(Serialize)]
struct Described {
    #[serde(flatten)]
    problem: Problem,
    message: String,
}

/// What only an export has.
#[derive(Serialize)]
struct Export {
    exported_ms: u64,
    seals_checked: bool,
    /// The first line that is not of the format, from 1.
    bad_line: Option<u64>,
}

impl Verified {
    fn new(path: PathBuf, report: LedgerReport, export: Option<Export>) -> Verified {
        let bad_line = export.as_ref().and_then(|export| export.bad_line);
        let describe = |problem: Problem| Described {
            message: problem.to_string(),
            problem,
        };
        Verified {
            path,
            intact: report.is_intact() && bad_line.is_none(),
            entries: report.entries,
            receipts: report.receipts,
            last_sequence: report.last_sequence,
            checkpoint: report.checkpoint,
            problems: report.problems.into_iter().map(describe).collect(),
            more_problems: report.more_problems,
            export,
        }
    }

    /// What is wrong, in words.
    fn messages(&self) -> impl Iterator<Item = String> {
        let bad_line = self.export.as_ref().and_then(|export| export.bad_line);
        let bad_line = bad_line.map(|line| format!("line {line} is not in the format of an export"));
        self.problems
            .iter()
            .map(|problem| problem.message.clone())
            .chain(bad_line)
    }
}

impl Facts for Verified {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        let verdict = if self.intact { "intact" } else { "NOT INTACT" };
        writeln!(
            out,
            "{}: {verdict}, {} of {}",
            self.path.display(),
            counted_as(self.entries, "entry", "entries"),
            counted(self.receipts, "receipt")
        )?;
        if let Some(checkpoint) = &self.checkpoint {
            let what = if checkpoint.lost { "lost" } else { "pruned" };
            writeln!(
                out,
                "receipts up to {} were {what} before {}",
                checkpoint.receipts,
                time::date_and_time(checkpoint.time_ms)
            )?;
        }
        if let Some(export) = &self.export {
            let seals = match export.seals_checked {
                true => "its seals were checked with the vault's key",
                false => "its seals were NOT checked: the vault with their key is missing",
            };
            writeln!(out, "exported {}; {seals}", time::date_and_time(export.exported_ms))?;
        }
        self.messages().try_for_each(|message| writeln!(out, "  {message}"))?;
        if self.more_problems {
            writeln!(out, "  and more problems")?;
        }
        Ok(())
    }
}

/// Returns the exit status.
pub(super) fn run(arguments: &Arguments) -> Result<u8, CliError> {
    let verified = match &arguments.file {
        Some(file) => export(file, &arguments.ledger)?,
        None => {
            let report = arguments.ledger.inspect()?.ledger().verify()?;
            Verified::new(arguments.ledger.database()?, report, None)
        }
    };
    arguments.output.print(&verified)?;
    let Some(first) = verified.messages().next() else {
        return Ok(exit::SUCCESS);
    };
    let error = CliError::LedgerChanged {
        path: verified.path.clone(),
        count: verified.messages().count() as u64,
        first,
    };
    let report = error.report();
    style::error(&report.line());
    Ok(report.status)
}

fn export(path: &Path, ledger: &LedgerArguments) -> Result<Verified, CliError> {
    let file = File::open(path).map_err(CliError::read(path))?;
    let vault = ledger.existing_vault()?;
    let keys = match &vault {
        Some(vault) => seal_keys(vault)?,
        None => None,
    };
    let found = verify_export(&mut BufReader::new(file), keys.as_ref()).map_err(StoreError::from)?;
    let export = Export {
        exported_ms: found.exported_ms,
        seals_checked: found.seals_checked,
        bad_line: found.bad_line,
    };
    Ok(Verified::new(path.to_owned(), found.report, Some(export)))
}

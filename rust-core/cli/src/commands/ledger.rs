//! `whimbrel ledger`: the receipts of what was asked under a policy. Everything but pruning, restarting and recovering only reads, also while
//! answers are made.

mod recover;
mod restart;
mod show;
mod stats;
mod verify;

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use whimbrel_client::Performance;
use whimbrel_client::ports::SystemClock;
use whimbrel_client::record::{Checkpoint, Outcome, PlaceKind, Receipt, ReceiptId, RecordError};
use whimbrel_client::store::{Filter, LIST_MAX, Prune, Store, StoreError};
use whimbrel_files::{Existing, NewFile, Readers};

pub(crate) use self::show::ShownReceipt;
use crate::arguments::ledger::LedgerArguments;
use crate::arguments::number::whole;
use crate::error::{CliError, exit};
use crate::machine::time::{self, DAY_MS};
use crate::terminal::output::{Facts, OutputArguments, bytes};

/// The most days that can be kept.
const KEEP_DAYS_MAX: u64 = 36_500;

/// The commands under `ledger`.
#[derive(clap::Subcommand, Debug)]
pub(crate) enum Command {
    /// List receipts, newest first
    List(ListArguments),
    /// Show everything in one receipt
    Show(ShowArguments),
    /// Check that nobody changed the ledger, or an export of it
    Verify(verify::Arguments),
    /// Export the whole ledger as lines of JSON
    Export(ExportArguments),
    /// Sum up the receipts: today, in total and by day
    Stats(stats::Arguments),
    /// Remove old receipts; their totals are kept and sealed
    Prune(PruneArguments),
    /// Start a new ledger if the old one was changed or its vault is missing; the old file is kept
    Restart(restart::Arguments),
    /// Take over what a damaged database still has; the old file is kept
    Recover(recover::Arguments),
}

/// The flags of `ledger list`.
#[derive(clap::Args, Debug)]
pub(crate) struct ListArguments {
    /// Maximum number of receipts to list
    #[arg(long, value_name = "N", default_value_t = 20, allow_negative_numbers = true, value_parser = whole::<u32>(1..=LIST_MAX.into()))]
    limit: u32,
    /// Only receipts with lower numbers: for the next page, give the last number of this page
    #[arg(long, value_name = "ID", value_parser = whole::<u64>(0..=u64::MAX))]
    before: Option<u64>,
    /// Only receipts with this outcome
    #[arg(long, value_name = "OUTCOME", value_parser = Outcome::ALL.map(Outcome::name))]
    outcome: Option<String>,
    /// Only receipts whose answer, or last attempt, came from this kind of place
    #[arg(long, value_name = "PLACE", value_parser = PlaceKind::ALL.map(PlaceKind::name))]
    place: Option<String>,
    #[command(flatten)]
    ledger: LedgerArguments,
    #[command(flatten)]
    output: OutputArguments,
}

/// The flags of `ledger show`.
#[derive(clap::Args, Debug)]
pub(crate) struct ShowArguments {
    /// The receipt's number
    #[arg(value_parser = whole::<u64>(0..=u64::MAX))]
    id: u64,
    #[command(flatten)]
    ledger: LedgerArguments,
    #[command(flatten)]
    output: OutputArguments,
}

/// The flags of `ledger export`.
#[derive(clap::Args, Debug)]
pub(crate) struct ExportArguments {
    /// The file to write; it is written completely or not at all [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replace the file if it exists
    #[arg(long, requires = "output")]
    force: bool,
    #[command(flatten)]
    ledger: LedgerArguments,
    /// Print one JSON object about the file on standard output
    #[arg(long, requires = "output")]
    json: bool,
}

/// The flags of `ledger prune`.
#[derive(clap::Args, Debug)]
pub(crate) struct PruneArguments {
    /// Keep the receipts of the last N days
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = whole::<u64>(0..=KEEP_DAYS_MAX))]
    keep_days: u64,
    #[command(flatten)]
    ledger: LedgerArguments,
    #[command(flatten)]
    output: OutputArguments,
}

/// Returns the exit status: what is wrong with a ledger is a fact, and still a failure.
pub(crate) fn run(command: &Command) -> Result<u8, CliError> {
    let done = |outcome: Result<(), CliError>| outcome.map(|()| exit::SUCCESS);
    match command {
        Command::List(arguments) => done(list(arguments)),
        Command::Show(arguments) => done(show_one(arguments)),
        Command::Verify(arguments) => verify::run(arguments),
        Command::Export(arguments) => done(export(arguments)),
        Command::Stats(arguments) => done(stats::run(arguments)),
        Command::Prune(arguments) => done(prune(arguments)),
        Command::Restart(arguments) => done(restart::run(arguments)),
        Command::Recover(arguments) => done(recover::run(arguments)),
    }
}

#[derive(Serialize)]
struct Listed {
    #[serde(serialize_with = "crate::terminal::output::path")]
    ledger: PathBuf,
    receipts: Vec<Receipt>,
}

impl Facts for Listed {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        if self.receipts.is_empty() {
            return writeln!(out, "no receipts in {}", self.ledger.display());
        }
        self.receipts
            .iter()
            .try_for_each(|receipt| writeln!(out, "{}", show::line(receipt)))
    }
}

fn list(arguments: &ListArguments) -> Result<(), CliError> {
    let outcome = arguments.outcome.as_deref();
    let place = arguments.place.as_deref();
    let filter = Filter {
        before: arguments.before.map(ReceiptId),
        outcome: outcome.and_then(|name| Outcome::ALL.into_iter().find(|outcome| outcome.name() == name)),
        place: place.and_then(|name| PlaceKind::ALL.into_iter().find(|kind| kind.name() == name)),
        ..Filter::default()
    };
    let receipts = match arguments.ledger.inspect_if_begun()? {
        Some(store) => store.ledger().list(&filter, arguments.limit)?,
        None => Vec::new(),
    };
    arguments.output.print(&Listed {
        ledger: arguments.ledger.database()?,
        receipts,
    })
}

fn show_one(arguments: &ShowArguments) -> Result<(), CliError> {
    let receipt = arguments.ledger.inspect()?.ledger().show(ReceiptId(arguments.id))?;
    arguments.output.print(&ShownReceipt(receipt))
}

#[derive(Serialize)]
struct Exported {
    #[serde(serialize_with = "crate::terminal::output::path")]
    path: PathBuf,
    bytes: u64,
}

impl Facts for Exported {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{}: {}", self.path.display(), bytes(self.bytes))
    }
}

fn export(arguments: &ExportArguments) -> Result<(), CliError> {
    let store = arguments.ledger.inspect()?;
    let Some(path) = &arguments.output else {
        let mut out = io::stdout().lock();
        store.ledger().export(&mut out, time::now_ms())?;
        return out.flush().map_err(CliError::Output);
    };
    let exported = Exported {
        bytes: export_to(&store, path, arguments.force)?,
        path: path.clone(),
    };
    OutputArguments { json: arguments.json }.print(&exported)
}

/// Writes a new file, or an existing one anew where that was asked for. Returns its length.
fn export_to(store: &Store, path: &Path, force: bool) -> Result<u64, CliError> {
    let existing = if force { Existing::Replace } else { Existing::Keep };
    let file = NewFile::create(path, existing, Readers::Owner).map_err(CliError::write(path))?;
    let mut buffered = BufWriter::new(file);
    store
        .ledger()
        .export(&mut buffered, time::now_ms())
        .map_err(|error| match error {
            StoreError::Record(RecordError::Export { source }) => CliError::write(path)(source),
            other => other.into(),
        })?;
    let file = buffered
        .into_inner()
        .map_err(|error| CliError::write(path)(error.into_error()))?;
    let bytes = file.metadata().map_err(CliError::write(path))?.len();
    file.commit().map_err(CliError::write(path))?;
    Ok(bytes)
}

#[derive(Serialize)]
struct Pruned {
    /// Stands for everything that was ever pruned; null when nothing went now.
    checkpoint: Option<Checkpoint>,
}

impl Facts for Pruned {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        match &self.checkpoint {
            Some(checkpoint) => writeln!(out, "receipts up to {} were removed", checkpoint.receipts),
            None => writeln!(out, "no receipts are that old"),
        }
    }
}

fn prune(arguments: &PruneArguments) -> Result<(), CliError> {
    let store = arguments.ledger.open()?;
    let now_ms = time::now_ms();
    let prune = Prune {
        opened_before_ms: Some(now_ms.saturating_sub(arguments.keep_days * DAY_MS)),
        receipts_max: None,
    };
    // What is removed stays counted.
    let checkpoint = Performance::default().prune(&prune, &store, &SystemClock::default())?;
    arguments.output.print(&Pruned { checkpoint })
}

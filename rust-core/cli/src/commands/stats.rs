//! `whimbrel stats`: what requests took.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use whimbrel_client::ports::SystemClock;
use whimbrel_client::record::Host;
use whimbrel_client::telemetry::Overview;
use whimbrel_client::{Performance, page_options};
use whimbrel_files::{Existing, NewFile, Readers};

use crate::arguments::ledger::LedgerArguments;
use crate::error::CliError;
use crate::terminal::confirm;
use crate::terminal::output::{self, Facts, OutputArguments};

/// Columns of the report where the terminal does not say how many it has.
const COLUMNS_DEFAULT: u16 = 100;

/// The flags of `stats`.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// Write a page with charts to this file, for a browser; - writes it to standard output
    #[arg(long, value_name = "FILE", conflicts_with_all = ["json", "reset"])]
    html: Option<PathBuf>,
    /// Replace the file if it exists
    #[arg(long, requires = "html")]
    force: bool,
    /// Forget what was measured, and count from now on; the ledger keeps its receipts
    #[arg(long)]
    reset: bool,
    /// Do not ask before resetting
    #[arg(long, requires = "reset")]
    yes: bool,
    #[command(flatten)]
    ledger: LedgerArguments,
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Serialize)]
#[serde(transparent)]
struct Measured {
    overview: Overview,
}

impl Facts for Measured {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        let columns = console::Term::stdout()
            .size_checked()
            .map_or(COLUMNS_DEFAULT, |(_, columns)| columns);
        let options = page_options(&SystemClock::default(), Host::Computer);
        let lines = self.overview.lines(columns, &options);
        lines.iter().try_for_each(|line| writeln!(out, "{line}"))
    }
}

#[derive(Serialize)]
struct Reset {
    reset: bool,
}

impl Facts for Reset {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "requests are measured from now on")
    }
}

#[derive(Serialize)]
struct Page<'a> {
    #[serde(serialize_with = "crate::terminal::output::path")]
    path: &'a Path,
}

impl Facts for Page<'_> {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "wrote {}: open it in a browser", self.path.display())
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), CliError> {
    let clock = SystemClock::default();
    if arguments.reset {
        return reset(arguments, &clock);
    }
    let overview = match arguments.ledger.inspect_if_begun()? {
        Some(store) => Performance::default().overview(&store, &clock)?,
        None => Overview::default(),
    };
    let Some(path) = &arguments.html else {
        return arguments.output.print(&Measured { overview });
    };
    let page = overview.page(&page_options(&clock, Host::Computer));
    if path.as_os_str() == "-" {
        return output::write_all(page.as_bytes());
    }
    let existing = if arguments.force {
        Existing::Replace
    } else {
        Existing::Keep
    };
    let mut file = NewFile::create(path, existing, Readers::Owner).map_err(CliError::write(path))?;
    file.write_all(page.as_bytes()).map_err(CliError::write(path))?;
    file.commit().map_err(CliError::write(path))?;
    arguments.output.print(&Page { path })
}

fn reset(arguments: &Arguments, clock: &SystemClock) -> Result<(), CliError> {
    if !arguments.yes {
        confirm::require("forgetting what was measured", "nothing was forgotten", || {
            "Forget what was measured so far?".to_owned()
        })?;
    }
    let store = arguments.ledger.open()?;
    Performance::default().reset(&store, clock)?;
    arguments.output.print(&Reset { reset: true })
}

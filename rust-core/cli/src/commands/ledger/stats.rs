//! `whimbrel ledger stats`: what the receipts come to.

use std::io::{self, Write};

use serde::Serialize;
use whimbrel_client::record::{DayStats, Host, Stats};

use crate::arguments::ledger::LedgerArguments;
use crate::error::CliError;
use crate::machine::time::{self, DAY_MS};
use crate::terminal::output::{Facts, OutputArguments, bytes};

/// Days in the table.
const DAYS_SHOWN: u64 = 30;

/// The flags of `ledger stats`.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    #[command(flatten)]
    ledger: LedgerArguments,
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Serialize)]
struct Counted {
    today: Summed,
    total: Summed,
    /// Days with receipts, the oldest first.
    days: Vec<DayStats>,
}

#[derive(Serialize)]
struct Summed {
    /// A sentence for people.
    summary: String,
    #[serde(flatten)]
    stats: Stats,
}

impl From<Stats> for Summed {
    fn from(stats: Stats) -> Summed {
        Summed {
            summary: stats.summary(Host::Computer),
            stats,
        }
    }
}

impl Facts for Counted {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "today: {}", self.today.summary)?;
        writeln!(out, "total: {}", self.total.summary)?;
        if self.days.is_empty() {
            return Ok(());
        }
        writeln!(
            out,
            "{:<10} {:>8} {:>8} {:>9} {:>8} {:>10} {:>8}",
            "day", "requests", "here", "elsewhere", "denied", "sent", "replaced"
        )?;
        for day in &self.days {
            let stats = &day.stats;
            let answers = &stats.answers;
            writeln!(
                out,
                "{:<10} {:>8} {:>8} {:>9} {:>8} {:>10} {:>8}",
                // At midday, so that a clock that was put forward or back does not change the date.
                time::date(day.begins_ms + DAY_MS / 2),
                stats.receipts,
                answers.on_device + answers.system_model,
                answers.own_device + answers.organisation + answers.public_cloud,
                stats.denied,
                bytes(stats.bytes_out),
                stats.redacted.values().sum::<u64>()
            )?;
        }
        Ok(())
    }
}

pub(super) fn run(arguments: &Arguments) -> Result<(), CliError> {
    let Some(store) = arguments.ledger.inspect_if_begun()? else {
        return arguments.output.print(&Counted {
            today: Stats::default().into(),
            total: Stats::default().into(),
            days: Vec::new(),
        });
    };
    let ledger = store.ledger();
    let now_ms = time::now_ms();
    let offset_minutes = time::offset_minutes(now_ms);
    let today_ms = time::day_began_ms(now_ms, offset_minutes);
    let first_ms = today_ms.saturating_sub((DAYS_SHOWN - 1) * DAY_MS);
    arguments.output.print(&Counted {
        today: ledger.stats(Some(today_ms), None)?.into(),
        total: ledger.stats(None, None)?.into(),
        days: ledger.days(Some(first_ms), None, offset_minutes)?,
    })
}

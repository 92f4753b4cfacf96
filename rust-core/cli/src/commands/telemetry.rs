//! `whimbrel telemetry`: what may leave the device about requests, and sending it.

use std::io::{self, Write};
use std::sync::Arc;

use serde::Serialize;
use whimbrel_client::policy::telemetry::Signals;
use whimbrel_client::{
    Assistant, AssistantOptions, EndpointExtras, Telemetry, TelemetryRun, TelemetryStatus, block_on,
};

use crate::arguments::ledger::LedgerArguments;
use crate::arguments::policy_documents;
use crate::error::CliError;
use crate::machine::{device, time};
use crate::terminal::output::{Facts, OutputArguments, bytes, table};

/// The commands under `telemetry`.
#[derive(clap::Subcommand, Debug)]
pub(crate) enum Command {
    /// Show where telemetry may go, what was agreed to, and what waits
    Status(Arguments),
    /// Agree that telemetry is sent to where the policy says
    Allow(AllowArguments),
    /// Withdraw the agreement: nothing is sent any more, and what waited is forgotten
    Withdraw(Arguments),
    /// Send what is due
    Send(SendArguments),
}

/// The flags of all.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// The app's policy: a file, or the name of a preset
    #[arg(long, value_name = "FILE|NAME")]
    policy: String,
    /// The user's policy, which can only be stricter
    #[arg(long, value_name = "FILE")]
    user_policy: Option<std::path::PathBuf>,
    #[command(flatten)]
    ledger: LedgerArguments,
    #[command(flatten)]
    output: OutputArguments,
}

/// The flags of `allow`.
#[derive(clap::Args, Debug)]
pub(crate) struct AllowArguments {
    /// Only sums and histograms of what requests took
    #[arg(long, conflicts_with = "traces")]
    metrics: bool,
    /// Only how single requests went: times and places, never text
    #[arg(long)]
    traces: bool,
    #[command(flatten)]
    common: Arguments,
}

/// The flags of `send`.
#[derive(clap::Args, Debug)]
pub(crate) struct SendArguments {
    /// What is known of this machine, as JSON; otherwise what it says about itself
    #[arg(long, value_name = "JSON")]
    device: Option<String>,
    /// A certificate authority to trust in addition, in PEM
    #[arg(long, value_name = "FILE")]
    authority: Option<std::path::PathBuf>,
    #[command(flatten)]
    common: Arguments,
}

#[derive(Serialize)]
#[serde(transparent)]
struct Status(TelemetryStatus);

impl Facts for Status {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        let status = &self.0;
        let said = |signals: Signals| match (signals.metrics, signals.traces) {
            (true, true) => "metrics and traces",
            (true, false) => "metrics",
            (false, true) => "traces",
            (false, false) => "nothing",
        };
        let mut rows = Vec::new();
        match &status.rules {
            None => rows.push(("policy", "nothing may be sent: it has no section telemetry".to_owned())),
            Some(rules) => {
                rows.push(("policy", format!("{} to {}", said(rules.signals()), rules.url)));
                let limit = format!(
                    "{} and {} connections a day{}",
                    bytes(rules.bytes_a_day),
                    rules.connections_a_day,
                    if rules.metered {
                        ""
                    } else {
                        ", not over metered networks"
                    }
                );
                rows.push(("limit", limit));
            }
        }
        rows.push(match &status.consent {
            None => ("agreed to", "nothing".to_owned()),
            Some(consent) => {
                let signals = Signals {
                    metrics: consent.metrics,
                    traces: consent.traces,
                };
                let given = time::date_and_time(consent.given_ms);
                ("agreed to", format!("{} to {}, on {given}", said(signals), consent.to))
            }
        });
        rows.push(("may be sent", said(status.signals).to_owned()));
        let today = format!(
            "{} in {} connections",
            bytes(status.today.bytes),
            status.today.connections
        );
        rows.push(("sent today", today));
        rows.push(("waiting", format!("{} requests", status.waiting)));
        if status.dropped > 0 {
            rows.push(("given up", format!("{} requests, too old or too many", status.dropped)));
        }
        for (signal, code) in [("metrics", status.refused.metrics), ("traces", status.refused.traces)] {
            match code {
                Some(0) => rows.push(("refused", format!("{signal}, by the collector"))),
                Some(code) => rows.push(("refused", format!("{signal}, by the collector, with status {code}"))),
                None => {}
            }
        }
        if status.rejected > 0 {
            rows.push(("left out", format!("{} items, by the collector", status.rejected)));
        }
        table(out, &rows)
    }
}

#[derive(Serialize)]
#[serde(transparent)]
struct Run(TelemetryRun);

impl Facts for Run {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        let run = &self.0;
        match run.because {
            Some(because) if run.bytes_out == 0 => writeln!(out, "nothing was sent: {}", because.words())?,
            _ if !run.metrics && run.spans == 0 => {
                writeln!(out, "the collector has not taken it; {} left", bytes(run.bytes_out))?;
            }
            _ => {
                let sums = if run.metrics { "sums" } else { "no sums" };
                writeln!(
                    out,
                    "sent {sums} and the spans of {} requests, {}",
                    run.spans,
                    bytes(run.bytes_out)
                )?;
            }
        }
        match run.next_ms {
            Some(next_ms) => writeln!(out, "the next time is {}", time::date_and_time(next_ms)),
            None => Ok(()),
        }
    }
}

pub(crate) fn run(command: &Command) -> Result<(), CliError> {
    match command {
        Command::Status(arguments) => {
            let assistant = open(arguments)?;
            show(&assistant, arguments)
        }
        Command::Allow(AllowArguments {
            metrics,
            traces,
            common,
        }) => {
            let assistant = open(common)?;
            let signals = Signals {
                metrics: !traces,
                traces: !metrics,
            };
            block_on(assistant.telemetry().allow(signals))?;
            show(&assistant, common)
        }
        Command::Withdraw(arguments) => {
            let assistant = open(arguments)?;
            block_on(assistant.telemetry().withdraw())?;
            show(&assistant, arguments)
        }
        Command::Send(SendArguments {
            device,
            authority,
            common,
        }) => {
            let known = device.as_deref().map(policy_documents::device).transpose()?;
            let assistant = open(common)?;
            if let Some(known) = known {
                assistant.update_device(&known);
            }
            let telemetry = assistant.telemetry();
            if let Some(authority) = authority {
                trust(&telemetry, authority)?;
            }
            let sent = block_on(telemetry.run(None))?;
            common.output.print(&Run(sent))
        }
    }
}

fn show(assistant: &Assistant, arguments: &Arguments) -> Result<(), CliError> {
    let status = block_on(assistant.telemetry().status())?;
    arguments.output.print(&Status(status))
}

fn trust(telemetry: &Telemetry, authority: &std::path::Path) -> Result<(), CliError> {
    let extras = EndpointExtras {
        authorities_pem: crate::terminal::input::file(authority)?,
        ..EndpointExtras::default()
    };
    Ok(telemetry.set_collector(extras)?)
}

fn open(arguments: &Arguments) -> Result<Assistant, CliError> {
    let assistant = Assistant::open(AssistantOptions {
        store: {
            arguments.ledger.make_folder()?;
            arguments.ledger.database()?
        },
        vault: Arc::new(arguments.ledger.vault()?),
        policies: policy_documents::set(&arguments.policy, arguments.user_policy.as_deref())?,
        user_words: Vec::new(),
    })?;
    assistant.update_device(&device::read());
    Ok(assistant)
}

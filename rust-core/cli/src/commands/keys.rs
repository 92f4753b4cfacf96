//! `whimbrel keys`: the keys of endpoints, in the vault beside the ledger. A key is never printed.

use std::io::{self, BufRead, Write};

use serde::Serialize;
use whimbrel_client::key_name;
use whimbrel_client::network::Secret;
use whimbrel_client::store::{KeyVault, SecretBytes};

use crate::arguments::ledger::LedgerArguments;
use crate::error::CliError;
use crate::terminal::output::{Facts, OutputArguments};
use crate::terminal::{hidden_line, input};

/// The commands under `keys`.
#[derive(clap::Subcommand, Debug)]
pub(crate) enum Command {
    /// Store an endpoint's key: reads one line from standard input, and hides it while you type
    Set(Arguments),
    /// Delete an endpoint's key
    Delete(Arguments),
}

/// The flags of `keys set` and `keys delete`.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// The endpoint's id in the policy
    endpoint: String,
    #[command(flatten)]
    ledger: LedgerArguments,
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Serialize)]
struct Kept {
    endpoint: String,
    /// Whether there is a key now.
    stored: bool,
}

impl Facts for Kept {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        let done = if self.stored { "kept" } else { "forgotten" };
        writeln!(out, "the key of {} is {done}", self.endpoint)
    }
}

pub(crate) fn run(command: &Command) -> Result<(), CliError> {
    match command {
        Command::Set(arguments) => {
            let key = key()?;
            // Checked as when it is used.
            Secret::new(key.clone())?;
            let name = key_name(&arguments.endpoint);
            arguments
                .ledger
                .vault()?
                .put(&name, &SecretBytes::new(key.into_bytes()))?;
            arguments.print(true)
        }
        Command::Delete(arguments) => {
            let name = key_name(&arguments.endpoint);
            if let Some(vault) = arguments.ledger.existing_vault()? {
                vault.delete(&name)?;
            }
            arguments.print(false)
        }
    }
}

impl Arguments {
    fn print(&self, stored: bool) -> Result<(), CliError> {
        self.output.print(&Kept {
            endpoint: self.endpoint.clone(),
            stored,
        })
    }
}

fn key() -> Result<String, CliError> {
    if !input::is_piped() {
        return hidden_line::read("key: ");
    }
    let mut line = String::new();
    // One byte past the longest key, which is then refused as too long.
    let mut limited = io::Read::take(
        io::stdin().lock(),
        u64::from(whimbrel_client::network::SECRET_BYTES_MAX) + 3,
    );
    limited.read_line(&mut line).map_err(CliError::StandardInput)?;
    Ok(input::without_last_line_break(line))
}

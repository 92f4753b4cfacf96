//! `whimbrel seal`: a bundle whose files were edited on purpose gets a manifest that fits them again.

use std::io::{self, Write};
use std::path::PathBuf;

use serde::Serialize;

use crate::error::CliError;
use crate::terminal::output::{Facts, OutputArguments, bytes};

/// The flags of `seal`.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// The bundle folder
    folder: PathBuf,
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Serialize)]
struct Sealed {
    #[serde(serialize_with = "crate::terminal::output::path")]
    path: PathBuf,
    changed: Vec<Changed>,
}

#[derive(Serialize)]
struct Changed {
    path: String,
    bytes: u64,
}

impl Facts for Sealed {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        if self.changed.is_empty() {
            return writeln!(out, "nothing had changed");
        }
        self.changed
            .iter()
            .try_for_each(|file| writeln!(out, "sealed {} ({})", file.path, bytes(file.bytes)))
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), CliError> {
    let changed = whimbrel_engine::seal(&arguments.folder)?;
    let changed = changed
        .into_iter()
        .map(|file| Changed {
            path: file.path,
            bytes: file.bytes,
        })
        .collect();
    arguments.output.print(&Sealed {
        path: arguments.folder.clone(),
        changed,
    })
}

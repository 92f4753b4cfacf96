//! `whimbrel completions`: scripts that complete commands and flags in a shell.

use clap_complete::Shell;

use crate::error::CliError;
use crate::terminal::output;

/// The flags of `completions`.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// For which shell
    shell: Shell,
}

/// `program` is the whole command line.
pub(crate) fn run(arguments: &Arguments, mut program: clap::Command) -> Result<(), CliError> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut program, "whimbrel", &mut script);
    output::write_all(&script)
}

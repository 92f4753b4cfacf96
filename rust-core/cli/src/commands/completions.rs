//! `whimbrel completions`: scripts that complete commands and flags in a shell.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::error::CliError;
use crate::output;

/// The flags of `completions`.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// For which shell
    shell: Shell,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), CliError> {
    let mut script = Vec::new();
    clap_complete::generate(
        arguments.shell,
        &mut crate::arguments::Arguments::command(),
        "whimbrel",
        &mut script,
    );
    output::write_all(&script)
}

//! `whimbrel completions`: scripts that complete commands, flags and the names of models in a shell. The scripts ask the program itself, so
//! that models are completed that were installed after the script was written.

use clap::CommandFactory;
use clap_complete::env::{CompleteEnv, Shells};

use crate::commands::Arguments as Program;
use crate::error::CliError;
use crate::terminal::output;

/// Set by the scripts when they ask for completions.
const VARIABLE: &str = "WHIMBREL_COMPLETE";
/// What the scripts complete, and what they call.
const PROGRAM: &str = "whimbrel";

/// The flags of `completions`.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// The shell
    #[arg(value_parser = Shells::builtins().names().collect::<Vec<_>>())]
    shell: String,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), CliError> {
    let shells = Shells::builtins();
    let shell = shells.completer(&arguments.shell).expect("one of the names above");
    let mut script = Vec::new();
    shell
        .write_registration(VARIABLE, PROGRAM, PROGRAM, PROGRAM, &mut script)
        .map_err(CliError::Output)?;
    output::write_all(&script)
}

/// Ends the program with the completions when a script asks for them; does nothing otherwise.
pub(crate) fn answer_shell() {
    CompleteEnv::with_factory(Program::command).var(VARIABLE).complete();
}

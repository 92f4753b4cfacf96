//! One file a command: its flags, its facts, and what it does.

pub(crate) mod bench;
pub(crate) mod chat;
pub(crate) mod completions;
pub(crate) mod doctor;
pub(crate) mod import;
pub(crate) mod inspect;
pub(crate) mod keys;
pub(crate) mod ledger;
pub(crate) mod models;
pub(crate) mod perplexity;
pub(crate) mod policy;
pub(crate) mod redact;
pub(crate) mod run;
pub(crate) mod seal;
pub(crate) mod tokenize;

use crate::arguments::Command;
use crate::error::{CliError, exit};

/// Carries out a command and returns the exit status.
pub(crate) fn run(command: Command) -> Result<u8, CliError> {
    let done = |outcome: Result<(), CliError>| outcome.map(|()| exit::SUCCESS);
    match command {
        Command::Chat(arguments) => done(chat::run(&arguments)),
        Command::Run(arguments) => run::run(&arguments),
        Command::Import(arguments) => done(import::run(&arguments)),
        Command::Inspect(arguments) => inspect::run(&arguments),
        Command::Seal(arguments) => done(seal::run(&arguments)),
        Command::Models(command) => done(models::run(&command)),
        Command::Tokenize(arguments) => done(tokenize::run(&arguments)),
        Command::Perplexity(arguments) => done(perplexity::run(&arguments)),
        Command::Bench(arguments) => done(bench::run(&arguments)),
        Command::Redact(arguments) => done(redact::run(&arguments)),
        Command::Policy(command) => done(policy::run(&command)),
        Command::Ledger(command) => ledger::run(&command),
        Command::Keys(command) => done(keys::run(&command)),
        Command::Doctor(arguments) => done(doctor::run(&arguments)),
        Command::Completions(arguments) => done(completions::run(&arguments)),
    }
}

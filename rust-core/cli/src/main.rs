//! `whimbrel`: run, chat with, import and measure language models from a terminal. Each command is a file of its own
//! under `commands/`.

mod answer;
mod arguments;
mod commands;
mod error;
mod machine;
mod mcp;
mod models;
mod terminal;

use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use crate::commands::{Arguments, completions};
use crate::error::{CliError, exit, usage};
use crate::terminal::{output, style};

fn main() -> ExitCode {
    // Answers and ends when a shell asks for completions.
    completions::answer_shell();
    let given: Vec<String> = std::env::args_os()
        .skip(1)
        .map(|argument| argument.to_string_lossy().into_owned())
        .collect();
    let json = given.iter().any(|argument| argument == "--json");
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return refused(&error, &given, json),
    };
    start_log();
    // This process is ours alone: a weight file that is cut short can end an answer instead of the program, and so can a lack of memory.
    whimbrel_engine::catch_cut_weights();
    whimbrel_engine::share_limited_memory();
    match commands::run(arguments.command) {
        Ok(status) => ExitCode::from(status),
        Err(error) => failed(&error, json),
    }
}

/// Warnings only; `RUST_LOG` asks for more. The line editor logs what is typed, so it is never heard.
fn start_log() {
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("warn"))
        .filter_module("rustyline", log::LevelFilter::Off)
        .init();
}

/// Help and versions are answers, and so is the help of a command that needs another one behind it; everything else that clap has to say is
/// one line.
fn refused(error: &clap::Error, given: &[String], json: bool) -> ExitCode {
    let is_help = error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
    if is_help && !json || !error.use_stderr() {
        // A closed pipe is the reader's decision.
        let _ = output::write_all(output::for_terminal(&error.render()).as_bytes());
        return ExitCode::from(exit::SUCCESS);
    }
    failed(&usage::refused(error, given), json)
}

fn failed(error: &CliError, json: bool) -> ExitCode {
    let report = error.report();
    if report.status != exit::OUTPUT_CLOSED {
        style::error(&report.line());
        if json {
            // Standard error has the message already.
            let _ = output::write_all(format!("{:#}\n", report.object()).as_bytes());
        }
    }
    ExitCode::from(report.status)
}

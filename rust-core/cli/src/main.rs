//! `whimbrel`: run, chat with, import and measure language models from a terminal. Each command is a file of its own
//! under `commands/`.

mod answer;
mod arguments;
mod commands;
mod error;
mod machine;
mod models;
mod terminal;

use std::process::ExitCode;

use clap::Parser;

use crate::commands::Arguments;
use crate::error::{CliError, exit};
use crate::terminal::output;

fn main() -> ExitCode {
    let json = std::env::args_os().skip(1).any(|argument| argument == "--json");
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return refused(&error, json),
    };
    start_log();
    // This process is ours alone, so a weight file that is cut short can end an answer instead of the program.
    whimbrel_engine::catch_cut_weights();
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

/// Help and versions are answers; everything else that clap has to say is one line.
fn refused(error: &clap::Error, json: bool) -> ExitCode {
    if !error.use_stderr() {
        // A closed pipe is the reader's decision.
        let _ = error.print();
        return ExitCode::from(exit::SUCCESS);
    }
    let text = error.render().to_string();
    let about = text.split("\n\nUsage:").next().unwrap_or(&text).trim();
    let message = match about.strip_prefix("error: ") {
        Some(message) => message
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .collect::<Vec<_>>()
            .join(" "),
        // Without a command clap prints the help.
        None => "a command is missing".to_owned(),
    };
    failed(&CliError::usage(message, "whimbrel help"), json)
}

fn failed(error: &CliError, json: bool) -> ExitCode {
    let report = error.report();
    if report.status != exit::OUTPUT_CLOSED {
        eprintln!("{}", report.line());
        if json {
            // Standard error has the message already.
            let _ = output::write_all(format!("{:#}\n", report.object()).as_bytes());
        }
    }
    ExitCode::from(report.status)
}

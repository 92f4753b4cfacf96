//! The commands, a file each: its flags, its facts, and what it does.

pub(crate) mod bench;
mod cache;
pub(crate) mod chat;
pub(crate) mod completions;
pub(crate) mod conversations;
pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod import;
pub(crate) mod inspect;
pub(crate) mod keys;
pub(crate) mod ledger;
pub(crate) mod mcp;
pub(crate) mod models;
pub(crate) mod outbox;
pub(crate) mod perplexity;
pub(crate) mod policy;
pub(crate) mod redact;
pub(crate) mod run;
pub(crate) mod seal;
pub(crate) mod stats;
pub(crate) mod task;
pub(crate) mod telemetry;
pub(crate) mod tokenize;
pub(crate) mod wipe;

use clap::{Parser, Subcommand};

use crate::error::{CliError, exit};

/// What stands below the list of commands.
const FIRST_STEPS: &str = "\
First steps:
  whimbrel models pull smollm2-135m-instruct  fetch a small model
  whimbrel run \"What is light?\"               answer one prompt
  whimbrel chat                               talk with the model";

/// Run language models on this machine, with the same core as on phones.
#[derive(Debug, Parser)]
#[command(name = "whimbrel", version, max_term_width = 110, after_help = FIRST_STEPS)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Talk with a model
    Chat(chat::Arguments),
    /// Answer one prompt
    Run(run::Arguments),
    /// Do one kind of work with a text: give it a title, sort it, shorten it, fill in a form, …
    Task(task::Arguments),
    /// Make a bundle from a model file
    Import(import::Arguments),
    /// Show what is in a bundle or a model file
    Inspect(inspect::Arguments),
    /// Update a bundle's hashes after you edited its files
    Seal(seal::Arguments),
    /// List, fetch and remove models
    #[command(subcommand)]
    Models(models::Command),
    /// Turn text into token ids
    Tokenize(tokenize::Arguments),
    /// Measure how well a model predicts a text
    Perplexity(perplexity::Arguments),
    /// Measure how fast a model is on this machine
    Bench(bench::Arguments),
    /// Show what happens to a letter that goes to a cloud service
    Demo(demo::Arguments),
    /// Replace personal and secret data in a text
    Redact(redact::Arguments),
    /// Check policies, and show what they decide
    #[command(subcommand)]
    Policy(policy::Command),
    /// Read and verify the receipts of answers under a policy
    #[command(subcommand)]
    Ledger(ledger::Command),
    /// Show what requests took: times, speed, memory and energy
    Stats(stats::Arguments),
    /// Show, agree to and send what the app's developer may learn about requests
    #[command(subcommand)]
    Telemetry(telemetry::Command),
    /// List, show, find, export and delete the conversations that are kept
    #[command(subcommand)]
    Conversations(conversations::Command),
    /// Show and send questions that wait for a better time
    #[command(subcommand)]
    Outbox(outbox::Command),
    /// Show and clear what is kept to save time
    #[command(subcommand)]
    Cache(cache::Command),
    /// Destroy everything that is kept: conversations, queued questions and receipts
    Wipe(wipe::Arguments),
    /// Store the keys of endpoints
    #[command(subcommand)]
    Keys(keys::Command),
    /// Try MCP servers: list their tools, and call one
    #[command(subcommand)]
    Mcp(mcp::Command),
    /// Show what this machine has and what Whimbrel will use
    Doctor(doctor::Arguments),
    /// Print a completion script for a shell
    Completions(completions::Arguments),
}

/// Carries out a command and returns the exit status.
pub(crate) fn run(command: Command) -> Result<u8, CliError> {
    let done = |outcome: Result<(), CliError>| outcome.map(|()| exit::SUCCESS);
    match command {
        Command::Chat(arguments) => done(chat::run(&arguments)),
        Command::Run(arguments) => run::run(&arguments),
        Command::Task(arguments) => task::run(&arguments),
        Command::Import(arguments) => done(import::run(&arguments)),
        Command::Inspect(arguments) => inspect::run(&arguments),
        Command::Seal(arguments) => done(seal::run(&arguments)),
        Command::Models(command) => done(models::run(&command)),
        Command::Tokenize(arguments) => done(tokenize::run(&arguments)),
        Command::Perplexity(arguments) => done(perplexity::run(&arguments)),
        Command::Bench(arguments) => done(bench::run(&arguments)),
        Command::Demo(arguments) => done(demo::run(&arguments)),
        Command::Redact(arguments) => done(redact::run(&arguments)),
        Command::Policy(command) => done(policy::run(&command)),
        Command::Ledger(command) => ledger::run(&command),
        Command::Stats(arguments) => done(stats::run(&arguments)),
        Command::Telemetry(command) => done(telemetry::run(&command)),
        Command::Conversations(command) => done(conversations::run(&command)),
        Command::Outbox(command) => done(outbox::run(&command)),
        Command::Cache(command) => done(cache::run(&command)),
        Command::Wipe(arguments) => done(wipe::run(&arguments)),
        Command::Keys(command) => done(keys::run(&command)),
        Command::Mcp(command) => mcp::run(&command),
        Command::Doctor(arguments) => done(doctor::run(&arguments)),
        Command::Completions(arguments) => done(completions::run(&arguments)),
    }
}

//! The commands and what each takes; the flags of a command are declared beside it.

use clap::{Parser, Subcommand};

use crate::commands::{
    bench, chat, completions, doctor, import, inspect, keys, ledger, models, perplexity, policy, redact, run, seal,
    tokenize,
};

/// Language models on this machine, through the core that the phones use.
#[derive(Debug, Parser)]
#[command(name = "whimbrel", version, max_term_width = 110)]
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
    /// Make a bundle from a model file
    Import(import::Arguments),
    /// Say what is in a bundle or a model file
    Inspect(inspect::Arguments),
    /// Write a bundle's hashes anew after its files were edited on purpose
    Seal(seal::Arguments),
    /// List, fetch and remove models
    #[command(subcommand)]
    Models(models::Command),
    /// Turn text into token ids
    Tokenize(tokenize::Arguments),
    /// Measure how well a model predicts a text
    Perplexity(perplexity::Arguments),
    /// Measure how quick a model is on this machine
    Bench(bench::Arguments),
    /// Replace what is personal or secret in a text
    Redact(redact::Arguments),
    /// Check policies, and say what they decide
    #[command(subcommand)]
    Policy(policy::Command),
    /// Read and verify the receipts of answers under a policy
    #[command(subcommand)]
    Ledger(ledger::Command),
    /// Keep the keys of endpoints
    #[command(subcommand)]
    Keys(keys::Command),
    /// Say what this machine has and what will be used
    Doctor(doctor::Arguments),
    /// Print a completion script for a shell
    Completions(completions::Arguments),
}

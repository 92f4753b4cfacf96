//! `whimbrel conversations`: the conversations that are kept on this machine.

mod search;

use std::io::{self, Write};
use std::path::PathBuf;

use serde::Serialize;
use whimbrel_client::block_on;
use whimbrel_client::store::{ConversationSummary, MessageRole, MessageState, StoredMessage};

use crate::arguments::conversations::{ID_SHOWN, all, named, short};
use crate::arguments::ledger::LedgerArguments;
use crate::error::CliError;
use crate::machine::time::date_and_time;
use crate::terminal::confirm;
use crate::terminal::output::{Facts, OutputArguments};
use crate::terminal::words::counted;

/// The commands under `conversations`.
#[derive(clap::Subcommand, Debug)]
pub(crate) enum Command {
    /// List the conversations, pinned ones first, then those with the newest messages
    List(ListArguments),
    /// Show a conversation
    Show(NamedArguments),
    /// Find a text in all titles and messages, regardless of case
    Search(search::Arguments),
    /// Change a conversation's title
    Rename(RenameArguments),
    /// Put a conversation before the others
    Pin(NamedArguments),
    /// Put a pinned conversation back among the others
    Unpin(NamedArguments),
    /// Write conversations as one JSON document, which is not encrypted
    Export(ExportArguments),
    /// Add the conversations of such a document
    Import(ImportArguments),
    /// Delete a conversation and its queued questions for good
    Delete(DeleteArguments),
}

/// The flags of `conversations list`.
#[derive(clap::Args, Debug)]
pub(crate) struct ListArguments {
    #[command(flatten)]
    ledger: LedgerArguments,
    #[command(flatten)]
    output: OutputArguments,
}

/// The flags of commands about one conversation.
#[derive(clap::Args, Debug)]
pub(crate) struct NamedArguments {
    /// The conversation's title, or the first digits of its id
    #[arg(value_name = "TITLE|ID")]
    name: String,
    #[command(flatten)]
    ledger: LedgerArguments,
    #[command(flatten)]
    output: OutputArguments,
}

/// The flags of `conversations rename`.
#[derive(clap::Args, Debug)]
pub(crate) struct RenameArguments {
    /// The conversation's title, or the first digits of its id
    #[arg(value_name = "TITLE|ID")]
    name: String,
    /// The new title
    title: String,
    #[command(flatten)]
    ledger: LedgerArguments,
    #[command(flatten)]
    output: OutputArguments,
}

/// The flags of `conversations export`.
#[derive(clap::Args, Debug)]
pub(crate) struct ExportArguments {
    /// The file to write, which must not exist; only you can read it
    file: PathBuf,
    /// Export only this conversation; can be repeated
    #[arg(long, value_name = "TITLE|ID")]
    only: Vec<String>,
    #[command(flatten)]
    ledger: LedgerArguments,
    #[command(flatten)]
    output: OutputArguments,
}

/// The flags of `conversations import`.
#[derive(clap::Args, Debug)]
pub(crate) struct ImportArguments {
    /// The document
    file: PathBuf,
    #[command(flatten)]
    ledger: LedgerArguments,
    #[command(flatten)]
    output: OutputArguments,
}

/// The flags of `conversations delete`.
#[derive(clap::Args, Debug)]
pub(crate) struct DeleteArguments {
    /// The conversation's title, or the first digits of its id
    #[arg(value_name = "TITLE|ID")]
    name: String,
    /// Do not ask for confirmation
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    ledger: LedgerArguments,
    #[command(flatten)]
    output: OutputArguments,
}

pub(crate) fn run(command: &Command) -> Result<(), CliError> {
    match command {
        Command::List(arguments) => list(arguments),
        Command::Show(arguments) => show(arguments),
        Command::Search(arguments) => search::run(arguments),
        Command::Rename(arguments) => rename(arguments),
        Command::Pin(arguments) => pin(arguments, true),
        Command::Unpin(arguments) => pin(arguments, false),
        Command::Export(arguments) => export(arguments),
        Command::Import(arguments) => import(arguments),
        Command::Delete(arguments) => delete(arguments),
    }
}

#[derive(Serialize)]
struct Listed {
    conversations: Vec<Entry>,
}

/// A conversation as the list shows it.
#[derive(Serialize)]
struct Entry {
    id: String,
    title: String,
    created_ms: u64,
    updated_ms: u64,
    pinned: bool,
    messages: u32,
    bytes: u64,
}

impl Entry {
    fn of(summary: ConversationSummary) -> Entry {
        Entry {
            id: summary.id.to_string(),
            title: summary.title,
            created_ms: summary.created_ms,
            updated_ms: summary.updated_ms,
            pinned: summary.pinned,
            messages: summary.messages,
            bytes: summary.bytes,
        }
    }

    fn line(&self) -> String {
        let pinned = if self.pinned { ", pinned" } else { "" };
        let (id, title) = (&self.id[..ID_SHOWN], &self.title);
        format!(
            "{id}  {}  {}{pinned}  {title}",
            date_and_time(self.updated_ms),
            counted(self.messages, "message")
        )
    }
}

impl Facts for Listed {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        if self.conversations.is_empty() {
            return writeln!(
                out,
                "no conversations; `whimbrel chat --conversation NAME` begins one that is kept"
            );
        }
        self.conversations
            .iter()
            .try_for_each(|entry| writeln!(out, "{}", entry.line()))
    }
}

fn list(arguments: &ListArguments) -> Result<(), CliError> {
    let conversations = all(&arguments.ledger.conversations()?)?;
    arguments.output.print(&Listed {
        conversations: conversations.into_iter().map(Entry::of).collect(),
    })
}

/// A conversation with its messages.
#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    entry: Entry,
    said: Vec<Said>,
}

#[derive(Serialize)]
struct Said {
    role: &'static str,
    text: String,
    time_ms: u64,
    receipt: Option<u64>,
    /// Whether it is an answer that ended early.
    interrupted: bool,
}

impl Said {
    fn of(message: StoredMessage) -> Said {
        Said {
            role: match message.role {
                MessageRole::System => "system",
                MessageRole::User => "user",
                MessageRole::Assistant => "assistant",
            },
            text: message.text,
            time_ms: message.time_ms,
            receipt: message.receipt.map(|receipt| receipt.0),
            interrupted: message.state != MessageState::Complete,
        }
    }
}

impl Facts for Shown {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{}", self.entry.line())?;
        for said in &self.said {
            let receipt = said.receipt.map_or_else(String::new, |id| format!(", receipt {id}"));
            let interrupted = if said.interrupted { ", interrupted" } else { "" };
            writeln!(
                out,
                "\n{} ({}{receipt}{interrupted}):\n{}",
                said.role,
                date_and_time(said.time_ms),
                said.text
            )?;
        }
        Ok(())
    }
}

fn show(arguments: &NamedArguments) -> Result<(), CliError> {
    let conversations = arguments.ledger.conversations()?;
    let found = named(&conversations, &arguments.name)?;
    let shown = block_on(conversations.show(found.id))?;
    arguments.output.print(&Shown {
        entry: Entry::of(shown.summary),
        said: shown.messages.into_iter().map(Said::of).collect(),
    })
}

/// What was done to a conversation.
#[derive(Serialize)]
struct Done {
    id: String,
    title: String,
    done: &'static str,
}

impl Facts for Done {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{}: {}", self.title, self.done)
    }
}

impl Done {
    fn new(found: &ConversationSummary, done: &'static str) -> Done {
        Done {
            id: found.id.to_string(),
            title: found.title.clone(),
            done,
        }
    }
}

fn rename(arguments: &RenameArguments) -> Result<(), CliError> {
    let conversations = arguments.ledger.conversations()?;
    let mut found = named(&conversations, &arguments.name)?;
    block_on(conversations.rename(found.id, &arguments.title))?;
    found.title.clone_from(&arguments.title);
    arguments.output.print(&Done::new(&found, "renamed"))
}

fn pin(arguments: &NamedArguments, is_pinned: bool) -> Result<(), CliError> {
    let conversations = arguments.ledger.conversations()?;
    let found = named(&conversations, &arguments.name)?;
    block_on(conversations.pin(found.id, is_pinned))?;
    let done = if is_pinned { "pinned" } else { "unpinned" };
    arguments.output.print(&Done::new(&found, done))
}

#[derive(Serialize)]
struct Exported {
    #[serde(serialize_with = "crate::terminal::output::path")]
    file: PathBuf,
    conversations: u64,
}

impl Facts for Exported {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        let count = counted(self.conversations, "conversation");
        writeln!(out, "{count} in {}; the file is not encrypted", self.file.display())
    }
}

fn export(arguments: &ExportArguments) -> Result<(), CliError> {
    let conversations = arguments.ledger.conversations()?;
    let chosen = arguments.only.iter().map(|name| Ok(named(&conversations, name)?.id));
    let chosen: Vec<_> = chosen.collect::<Result<_, CliError>>()?;
    let ids = Some(chosen.clone()).filter(|chosen| !chosen.is_empty());
    let count = match &ids {
        Some(ids) => ids.len(),
        None => all(&conversations)?.len(),
    };
    block_on(conversations.export(arguments.file.clone(), ids))?;
    arguments.output.print(&Exported {
        file: arguments.file.clone(),
        conversations: count as u64,
    })
}

#[derive(Serialize)]
struct Imported {
    added: Vec<String>,
    /// How many were there already.
    present: u32,
}

impl Facts for Imported {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        let added = counted(self.added.len() as u64, "conversation");
        writeln!(out, "{added} added, {} were there already", self.present)
    }
}

fn import(arguments: &ImportArguments) -> Result<(), CliError> {
    let conversations = arguments.ledger.conversations_or_new()?;
    let imported = block_on(conversations.import(arguments.file.clone()))?;
    arguments.output.print(&Imported {
        added: imported.added.iter().map(ToString::to_string).collect(),
        present: imported.present,
    })
}

fn delete(arguments: &DeleteArguments) -> Result<(), CliError> {
    let conversations = arguments.ledger.conversations()?;
    let found = named(&conversations, &arguments.name)?;
    if !arguments.yes {
        confirm::require("deleting a conversation", "nothing was deleted", || {
            let messages = counted(found.messages, "message");
            format!("Delete {} ({}, {messages}) for good?", found.title, short(found.id))
        })?;
    }
    block_on(conversations.delete(found.id))?;
    arguments.output.print(&Done::new(&found, "deleted"))
}

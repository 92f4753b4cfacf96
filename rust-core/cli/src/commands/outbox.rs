//! `whimbrel outbox`: questions that a policy lets wait until they can be answered.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;
use whimbrel_client::policy::outbox::{Notice, RunBudget, Stuck};
use whimbrel_client::policy::{Format, Policy, PolicySet, Preset};
use whimbrel_client::store::OutboxId;
use whimbrel_client::{Assistant, AssistantOptions, Queued, TASK_DEFAULT, block_on};

use crate::answer::AnswerSource;
use crate::arguments::conversations::short;
use crate::arguments::ledger::LedgerArguments;
use crate::arguments::model::{MemoryArguments, ModelArguments, ThreadArguments};
use crate::arguments::number::whole;
use crate::arguments::policy::PolicyArguments;
use crate::error::CliError;
use crate::machine::time::date_and_time;
use crate::terminal::output::{Facts, OutputArguments};
use crate::terminal::words::counted;

/// The longest that `outbox run` may be given, in seconds.
const RUN_S_MAX: u64 = 24 * 3_600;

/// The longest time of `--confirm-after`: ten years.
const CONFIRM_AFTER_S_MAX: u64 = 10 * 365 * 24 * 3_600;

/// The commands under `outbox`.
#[derive(clap::Subcommand, Debug)]
pub(crate) enum Command {
    /// List the queued questions and how each is doing
    List(ListArguments),
    /// Show one of them
    Show(IdArguments),
    /// Let a question be sent with the next run, whatever it was waiting for
    Retry(IdArguments),
    /// Allow a question to be sent although it is old
    Confirm(IdArguments),
    /// Remove a question
    Cancel(IdArguments),
    /// Replace the text of a question
    Edit(EditArguments),
    /// Send what can be sent now; the policy decides about each question again
    Run(Box<RunArguments>),
}

/// The flags of `outbox list`.
#[derive(clap::Args, Debug)]
pub(crate) struct ListArguments {
    #[command(flatten)]
    ledger: LedgerArguments,
    #[command(flatten)]
    output: OutputArguments,
}

/// The flags of commands about one question.
#[derive(clap::Args, Debug)]
pub(crate) struct IdArguments {
    /// The question's number
    #[arg(value_parser = whole::<u64>(0..=u64::MAX))]
    id: u64,
    #[command(flatten)]
    ledger: LedgerArguments,
    #[command(flatten)]
    output: OutputArguments,
}

/// The flags of `outbox edit`.
#[derive(clap::Args, Debug)]
pub(crate) struct EditArguments {
    /// The question's number
    #[arg(value_parser = whole::<u64>(0..=u64::MAX))]
    id: u64,
    /// Its new text
    text: String,
    #[command(flatten)]
    ledger: LedgerArguments,
    #[command(flatten)]
    output: OutputArguments,
}

/// The flags of `outbox run`.
#[derive(clap::Args, Debug)]
pub(crate) struct RunArguments {
    #[command(flatten)]
    model: ModelArguments,
    #[command(flatten)]
    policy: PolicyArguments,
    /// Begin at most this many attempts
    #[arg(long, value_name = "N", value_parser = whole::<u32>(1..=u32::MAX.into()))]
    limit: Option<u32>,
    /// Send questions that are older than this many seconds only after `outbox confirm`
    #[arg(long, value_name = "S", value_parser = whole::<u64>(0..=CONFIRM_AFTER_S_MAX))]
    confirm_after: Option<u64>,
    /// Stop after this many seconds
    #[arg(long, value_name = "S", value_parser = whole::<u64>(1..=RUN_S_MAX))]
    seconds: Option<u64>,
    #[command(flatten)]
    threads: ThreadArguments,
    #[command(flatten)]
    memory: MemoryArguments,
    #[command(flatten)]
    output: OutputArguments,
}

pub(crate) fn run(command: &Command) -> Result<(), CliError> {
    match command {
        Command::List(arguments) => list(arguments),
        Command::Show(arguments) => show(arguments),
        Command::Retry(arguments) => change(arguments, "retried with the next run", |assistant, id| {
            block_on(assistant.outbox().retry(id))
        }),
        Command::Confirm(arguments) => change(arguments, "confirmed", |assistant, id| {
            block_on(assistant.outbox().confirm(id))
        }),
        Command::Cancel(arguments) => change(arguments, "removed", |assistant, id| {
            block_on(assistant.outbox().cancel(id))
        }),
        Command::Edit(arguments) => edit(arguments),
        Command::Run(arguments) => run_due(arguments),
    }
}

/// The outbox without a policy of the user's: nothing is sent.
fn open(ledger: &LedgerArguments) -> Result<Assistant, CliError> {
    ledger.require_named()?;
    let policy = Policy::parse(Preset::Private.text(), Format::Toml).map_err(whimbrel_client::ClientError::from)?;
    let policies = PolicySet::new(policy, None).map_err(whimbrel_client::ClientError::from)?;
    Ok(Assistant::open(AssistantOptions {
        vault: Arc::new(ledger.vault()?),
        store: ledger.database()?,
        policies,
        user_words: Vec::new(),
    })?)
}

#[derive(Serialize)]
struct Listed {
    #[serde(serialize_with = "crate::terminal::output::path")]
    ledger: PathBuf,
    questions: Vec<Waiting>,
}

/// A queued question.
#[derive(Serialize)]
struct Waiting {
    id: u64,
    conversation: String,
    question: String,
    task: String,
    created_ms: u64,
    attempts: u32,
    /// Milliseconds until it is retried; null if it waits for something else.
    retry_in_ms: Option<u64>,
    state: &'static str,
    /// Why it failed last.
    code: Option<String>,
}

impl Waiting {
    fn of(queued: Queued) -> Waiting {
        let (state, code) = words(&queued.notice);
        Waiting {
            id: queued.id.0,
            conversation: queued.conversation.to_string(),
            question: queued.question.text,
            task: queued.question.options.task,
            created_ms: queued.created_ms,
            attempts: queued.attempts,
            retry_in_ms: queued.retry_in_ms,
            state,
            code,
        }
    }

    fn line(&self) -> String {
        let why = self.code.as_ref().map_or_else(String::new, |code| format!(" ({code})"));
        let question = self.question.lines().next().unwrap_or_default();
        format!(
            "{}  {}  {}{why}: {question}",
            self.id,
            date_and_time(self.created_ms),
            self.state
        )
    }
}

/// How a question is doing, and why it failed last.
fn words(notice: &Notice) -> (&'static str, Option<String>) {
    let code = |failure: &whimbrel_client::policy::outbox::Failure| Some(failure.code.to_string());
    match notice {
        Notice::Queued => ("waiting", None),
        Notice::Retrying { failure, .. } => ("retried later", code(failure)),
        Notice::Blocked { .. } => ("behind another one", None),
        Notice::Sending { .. } => ("being sent", None),
        Notice::NeedsConfirmation => ("needs confirmation", None),
        Notice::Stuck(Stuck::Denied) => ("stuck: the policy denies it", None),
        Notice::Stuck(Stuck::Failed { failure } | Stuck::MayCost { failure }) => ("stuck", code(failure)),
        Notice::Answered => ("answered", None),
        Notice::Expired => ("expired", None),
        Notice::Cancelled => ("cancelled", None),
    }
}

impl Facts for Listed {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        if self.questions.is_empty() {
            return writeln!(out, "no queued questions");
        }
        self.questions
            .iter()
            .try_for_each(|question| writeln!(out, "{}", question.line()))
    }
}

fn list(arguments: &ListArguments) -> Result<(), CliError> {
    let assistant = open(&arguments.ledger)?;
    let queued = block_on(assistant.outbox().list())?;
    arguments.output.print(&Listed {
        ledger: arguments.ledger.database()?,
        questions: queued.into_iter().map(Waiting::of).collect(),
    })
}

impl Facts for Waiting {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        let id = self.conversation.parse().map(short).unwrap_or_default();
        writeln!(out, "{}", self.line())?;
        writeln!(
            out,
            "conversation {id}, task {}, {}",
            self.task,
            counted(self.attempts, "attempt")
        )?;
        writeln!(out, "\n{}", self.question)
    }
}

fn show(arguments: &IdArguments) -> Result<(), CliError> {
    let assistant = open(&arguments.ledger)?;
    let id = OutboxId(arguments.id);
    let queued = block_on(assistant.outbox().list())?;
    let found = queued.into_iter().find(|queued| queued.id == id);
    let found = found.ok_or(whimbrel_client::policy::outbox::OutboxError::Unknown { id: arguments.id });
    let found = found.map_err(whimbrel_client::ClientError::from)?;
    arguments.output.print(&Waiting::of(found))
}

/// What was done to a question.
#[derive(Serialize)]
struct Done {
    id: u64,
    done: &'static str,
}

impl Facts for Done {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "question {}: {}", self.id, self.done)
    }
}

fn change(
    arguments: &IdArguments,
    done: &'static str,
    change: impl FnOnce(&Assistant, OutboxId) -> Result<(), whimbrel_client::ClientError>,
) -> Result<(), CliError> {
    let assistant = open(&arguments.ledger)?;
    change(&assistant, OutboxId(arguments.id))?;
    arguments.output.print(&Done { id: arguments.id, done })
}

fn edit(arguments: &EditArguments) -> Result<(), CliError> {
    let assistant = open(&arguments.ledger)?;
    block_on(assistant.outbox().edit(OutboxId(arguments.id), &arguments.text))?;
    arguments.output.print(&Done {
        id: arguments.id,
        done: "changed",
    })
}

#[derive(Serialize)]
struct Ran {
    answered: u32,
    left: u64,
    /// When another run is worth while, in milliseconds since 1970; null if none is.
    next_ms: Option<u64>,
}

impl Facts for Ran {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        let next = self
            .next_ms
            .filter(|_| self.left > 0)
            .map_or_else(String::new, |next_ms| {
                format!("; the next run is due at {}", date_and_time(next_ms))
            });
        writeln!(out, "{} answered, {} queued{next}", self.answered, self.left)
    }
}

fn run_due(arguments: &RunArguments) -> Result<(), CliError> {
    if arguments.policy.policy.is_none() {
        return Err(CliError::usage(
            "a policy must decide where the questions go",
            "whimbrel outbox run --policy FILE|PRESET",
        ));
    }
    arguments.policy.ledger().require_named()?;
    let source = AnswerSource::open(
        &arguments.model,
        &arguments.policy,
        TASK_DEFAULT,
        arguments.threads,
        arguments.memory,
    )?;
    source.update_device();
    let assistant = source.assistant().expect("there is a policy");
    let budget = RunBudget {
        requests: arguments.limit.unwrap_or(u32::MAX),
        time_ms: arguments.seconds.map_or(u64::MAX, |seconds| seconds * 1_000),
    };
    let outbox = assistant.outbox();
    if let Some(age_s) = arguments.confirm_after {
        block_on(outbox.set_confirm_after_ms(Some(age_s * 1_000)))?;
    }
    let ran = block_on(outbox.run_due(budget))?;
    arguments.output.print(&Ran {
        answered: ran.answered,
        left: ran.left,
        next_ms: ran.next_ms,
    })
}

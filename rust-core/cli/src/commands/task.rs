//! `whimbrel task`: a ready task with a text, and the list of tasks.

use std::ffi::OsStr;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap_complete::engine::{ArgValueCompleter, CompletionCandidate};
use serde::Serialize;
use whimbrel_client::{ClientError, Form, TaskNeeds, TextTask};

use crate::answer::outcome::{self, Answered};
use crate::answer::{self, AnswerSource};
use crate::arguments::form::FormArguments;
use crate::arguments::model::{MemoryArguments, ModelArguments, ThreadArguments};
use crate::arguments::policy::PolicyArguments;
use crate::error::{CliError, exit};
use crate::models::completion;
use crate::terminal::output::{Facts, OutputArguments};
use crate::terminal::{input, interrupt};

/// What stands below the flags.
const EXAMPLES: &str = "\
Examples:
  whimbrel task                               list the tasks
  whimbrel task tone \"The soup was cold.\"
  whimbrel task category \"My parcel is late.\" --choice delivery,billing,praise
  whimbrel task title --text-file letter.txt";

/// The flags of `task`.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The task; without one, they are listed
    #[arg(value_name = "NAME", add = ArgValueCompleter::new(names))]
    name: Option<String>,
    /// The text; it is read from standard input if something is piped in
    #[arg(value_name = "TEXT", conflicts_with_all = ["text", "text_file"])]
    words: Option<String>,
    /// The text
    #[arg(long, value_name = "TEXT", conflicts_with = "text_file", allow_hyphen_values = true)]
    text: Option<String>,
    /// A file with the text; - reads standard input
    #[arg(long, value_name = "FILE")]
    text_file: Option<PathBuf>,
    /// A task of your own, a document like those in shared-models/tasks, in place of NAME
    #[arg(long, value_name = "FILE")]
    document: Option<PathBuf>,
    #[command(flatten)]
    form: FormArguments,
    #[command(flatten)]
    model: ModelArguments,
    #[command(flatten)]
    policy: PolicyArguments,
    #[command(flatten)]
    threads: ThreadArguments,
    #[command(flatten)]
    memory: MemoryArguments,
    /// Print counts and rates on standard error [default: when it is a terminal]
    #[arg(long)]
    stats: bool,
    #[command(flatten)]
    output: OutputArguments,
}

/// What is known of a task.
#[derive(Serialize)]
struct Listed {
    name: &'static str,
    description: &'static str,
    languages: &'static [String],
    /// The flag that it needs, if it needs one.
    needs: Option<&'static str>,
    text_bytes_max: u32,
}

#[derive(Serialize)]
struct TaskList {
    tasks: Vec<Listed>,
}

impl TaskList {
    fn new() -> TaskList {
        let listed = |task: &'static TextTask| Listed {
            name: task.name(),
            description: task.description(),
            languages: task.languages(),
            needs: flag(task.needs()),
            text_bytes_max: task.text_bytes_max(),
        };
        TaskList {
            tasks: TextTask::all().map(listed).collect(),
        }
    }
}

impl Facts for TaskList {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        let width = self.tasks.iter().map(|task| task.name.len()).max().unwrap_or_default();
        for task in &self.tasks {
            let needs = task.needs.map(|flag| format!(" Needs {flag}.")).unwrap_or_default();
            writeln!(out, "{:width$}  {}{needs}", task.name, task.description)?;
        }
        Ok(())
    }
}

/// Returns the exit status: a stopped answer is shown, and is still not the whole answer.
pub(crate) fn run(arguments: &Arguments) -> Result<u8, CliError> {
    let Some((task, text)) = arguments.task()? else {
        arguments.output.print(&TaskList::new())?;
        return Ok(exit::SUCCESS);
    };
    let task = with_form(task, arguments.form.form()?)?;
    let request = task.request(&arguments.text(text)?)?;
    interrupt::install(false);
    let source = AnswerSource::open(
        &arguments.model,
        &arguments.policy,
        task.name(),
        arguments.threads,
        arguments.memory,
    )?;
    let context_length = request.context_length;
    let answer = source.answer(request)?;
    let completion = answer::receive(answer, &mut outcome::screen(&source, arguments.output), None)?;
    let answered = Answered::new(&source, &completion, context_length);
    arguments.output.print(&answered)?;
    source.end();
    Ok(outcome::conclude(&completion.report, arguments.stats, arguments.output))
}

impl Arguments {
    /// The task that is named or described, and the text among the words without a flag. `None` if there is no task.
    fn task(&self) -> Result<Option<(TextTask, Option<&String>)>, CliError> {
        if let Some(path) = &self.document {
            if self.words.is_some() {
                let usage = "whimbrel task --document FILE \"TEXT\"";
                return Err(CliError::usage("a task is named beside its document", usage));
            }
            let task = TextTask::read(&input::file(path)?).map_err(|error| refused(error, path))?;
            return Ok(Some((task, self.name.as_ref())));
        }
        let Some(name) = &self.name else { return Ok(None) };
        let Some(task) = TextTask::built_in(name) else {
            let names: Vec<&str> = TextTask::all().map(TextTask::name).collect();
            let usage = format!("one of {}; or --document FILE", names.join(", "));
            return Err(CliError::usage(format!("there is no task {name}"), &usage));
        };
        Ok(Some((task, self.words.as_ref())))
    }

    /// `words` is the text among the words without a flag.
    fn text(&self, words: Option<&String>) -> Result<String, CliError> {
        let text = match (words.or(self.text.as_ref()), &self.text_file) {
            (Some(text), _) => return Ok(text.clone()),
            (None, Some(path)) => input::file_or_standard(path)?,
            (None, None) if input::is_piped() => input::standard_input()?,
            (None, None) => {
                let usage = "whimbrel task title \"TEXT\", --text-file FILE, or pipe it in";
                return Err(CliError::usage("a text is missing", usage));
            }
        };
        Ok(input::without_last_line_break(text))
    }
}

/// The task with the form that was given, if it needs one.
fn with_form(task: TextTask, form: Option<Form>) -> Result<TextTask, CliError> {
    let name = task.name().to_owned();
    let wrong = |wrong: &str, usage: &str| Err(CliError::usage(format!("the task {name} {wrong}"), usage));
    let needs = task.needs();
    match (flag(needs), form) {
        (None, None) => Ok(task),
        (None, Some(_)) => wrong("has a form of its own", "`whimbrel task` shows what the tasks need"),
        (Some(_), Some(form)) if needs.are_met_by(Some(&form)) => Ok(task.with_form(form)?),
        (Some(flag), _) => wrong(&format!("needs {flag}"), &format!("whimbrel task {name} TEXT {flag}")),
    }
}

/// The tasks whose names begin so, for the completions of a shell.
fn names(current: &OsStr) -> Vec<CompletionCandidate> {
    completion::candidates(current, TextTask::all().map(|task| task.name().to_owned()).collect())
}

/// The flag that gives what a task needs.
fn flag(needs: TaskNeeds) -> Option<&'static str> {
    match needs {
        TaskNeeds::Nothing => None,
        TaskNeeds::Choices => Some("--choice A,B,…"),
        TaskNeeds::Schema => Some("--json-schema FILE"),
    }
}

/// What is wrong with a document, with its file.
fn refused(error: ClientError, path: &Path) -> CliError {
    match error {
        ClientError::TaskDocument { .. } => CliError::InputInvalid {
            path: path.to_owned(),
            reason: error.to_string(),
        },
        error => error.into(),
    }
}

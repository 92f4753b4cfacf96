//! `whimbrel chat`: a conversation, question by question. Where the lines come from is in `lines.rs`, what `/…` means in `slash.rs`.

mod lines;
mod routed;
mod slash;

use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::json;
use whimbrel_client::{
    Client, Conversation, ConversationOptions, GenerationOptions, Message, ModelHandle, OpenOptions, Role,
    SamplingOptions, block_on,
};

use crate::commands::chat::lines::Lines;
use crate::commands::chat::slash::Slash;
use crate::error::CliError;
use crate::model_argument::{MemoryArguments, ModelArguments, ThreadArguments};
use crate::output;
use crate::routed::PolicyArguments;
use crate::sampling_arguments::GenerationArguments;
use crate::statistics::Figures;
use crate::{interrupt, stream};

/// What a chat uses unless told otherwise: a little variety, as the makers of SmolLM2 advise.
const TEMPERATURE_DEFAULT: f32 = 0.2;
const TOP_P_DEFAULT: f32 = 0.9;

/// The flags of `chat`.
#[derive(clap::Args, Debug)]
#[command(mut_arg("model", |model| model.required(false).required_unless_present("policy")))]
pub(crate) struct Arguments {
    #[command(flatten)]
    model: ModelArguments,
    /// The system message [default: a plain one; "" leaves it to the model's template]
    #[arg(long, value_name = "TEXT")]
    system: Option<String>,
    #[command(flatten)]
    policy: PolicyArguments,
    #[command(flatten)]
    generation: GenerationArguments,
    #[command(flatten)]
    threads: ThreadArguments,
    #[command(flatten)]
    memory: MemoryArguments,
    /// Print counts and rates after every answer
    #[arg(long)]
    stats: bool,
    /// Go on with the conversation in this file, if it is there, and write it back at the end
    #[arg(long, value_name = "FILE", conflicts_with = "policy")]
    state: Option<PathBuf>,
    /// Neither read nor write the file with earlier questions
    #[arg(long)]
    no_history: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), CliError> {
    if let Some(policy) = &arguments.policy.policy {
        return routed::run(arguments, policy);
    }
    let folder = arguments.model.folder()?;
    interrupt::install(true);
    let client = Client::new()?;
    let options = OpenOptions {
        huge_pages: arguments.memory.huge_pages,
        ..arguments.model.open_options(arguments.threads.threads)
    };
    let model = block_on(client.open_model(folder, options))?;
    let mut talk = Talk::begin(arguments, model)?;
    if let Some(path) = arguments.state.as_ref().filter(|path| path.exists()) {
        block_on(talk.conversation.restore(path))?;
    }
    let greeting = talk.model_name().to_owned();
    converse(arguments, &greeting, |line| talk.take(line))?;
    if let Some(path) = &arguments.state {
        block_on(talk.conversation.save(path))?;
    }
    Ok(())
}

/// Hands every line to `take` until it returns false or there is none.
fn converse(
    arguments: &Arguments,
    greeting: &str,
    mut take: impl FnMut(&str) -> Result<bool, CliError>,
) -> Result<(), CliError> {
    let mut lines = Lines::open(!arguments.no_history)?;
    if lines.is_terminal() {
        eprintln!("{greeting}. /help shows the commands, Ctrl-C stops an answer, Ctrl-D leaves.");
    }
    while let Some(line) = lines.next()? {
        match take(&line) {
            Ok(true) => {}
            Ok(false) => break,
            // A person can go on; a script must know.
            Err(error) if lines.is_terminal() && goes_on(&error) => eprintln!("{}", error.report().line()),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// How answers are made unless told otherwise.
fn defaults() -> SamplingOptions {
    SamplingOptions {
        temperature: TEMPERATURE_DEFAULT,
        top_p: TOP_P_DEFAULT,
        ..SamplingOptions::default()
    }
}

/// Writes a conversation beside its place and moves it there, so that a full disk costs no earlier file.
fn save_messages(path: &Path, model: Option<&str>, messages: &[Message]) -> Result<(), CliError> {
    let said: Vec<_> = messages
        .iter()
        .map(|message| json!({"role": message.role, "content": message.content}))
        .collect();
    let transcript = json!({"model": model, "messages": said});
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(CliError::write(path))?;
    writeln!(file, "{transcript:#}").map_err(CliError::write(path))?;
    file.persist(path).map_err(|error| CliError::write(path)(error.error))?;
    eprintln!("[saved {} messages]", messages.len());
    Ok(())
}

/// Whether the conversation is still usable after an error.
fn goes_on(error: &CliError) -> bool {
    !matches!(
        error,
        CliError::Output(_) | CliError::Client(whimbrel_client::ClientError::Stopped)
    )
}

/// The conversation and how its answers are made.
struct Talk {
    model: ModelHandle,
    conversation: Conversation,
    options: GenerationOptions,
    context_length: u32,
    shows_figures: bool,
    /// Set by `/system`.
    system: Option<Message>,
    last: Option<Figures>,
}

impl Talk {
    fn begin(arguments: &Arguments, model: ModelHandle) -> Result<Talk, CliError> {
        if !model.info().has_chat_template {
            return Err(CliError::usage(
                "the model has no chat template",
                "whimbrel run --raw goes on from a text",
            ));
        }
        let context_length = arguments.generation.context_length(Some(model.info()));
        let options = ConversationOptions {
            context_length,
            system: arguments.system.clone(),
            ..ConversationOptions::default()
        };
        let conversation = block_on(model.conversation(options))?;
        let options = arguments.generation.options(defaults());
        Ok(Talk {
            model,
            conversation,
            options,
            context_length,
            shows_figures: arguments.stats,
            system: None,
            last: None,
        })
    }

    fn model_name(&self) -> &str {
        &self.model.info().manifest.name
    }

    /// Carries out a line; false ends the chat.
    fn take(&mut self, line: &str) -> Result<bool, CliError> {
        if line.trim().is_empty() {
            return Ok(true);
        }
        match Slash::parse(line)? {
            None => self.ask(line)?,
            Some(Slash::Help) => eprintln!("{}", slash::HELP),
            Some(Slash::Reset) => {
                self.reset()?;
                eprintln!("[forgotten]");
            }
            Some(Slash::Stats) => self.print_stats(),
            Some(Slash::Save(path)) => self.save(&path)?,
            Some(Slash::System(text)) => self.set_system(text)?,
            Some(Slash::Redo | Slash::Elsewhere | Slash::Good | Slash::Bad | Slash::Why(_)) => {
                return Err(CliError::usage("there is no policy", "chat --policy has this command"));
            }
            Some(Slash::Quit) => return Ok(false),
        }
        Ok(true)
    }

    fn ask(&mut self, text: &str) -> Result<(), CliError> {
        interrupt::reset();
        let answer = block_on(self.conversation.ask(text, self.options.clone()))?;
        let received = stream::receive(answer, |text| output::write_all(text.as_bytes()))?;
        output::write_all(b"\n")?;
        let figures = Figures::from(&received.statistics);
        if figures.finish_reason == "cancelled" {
            eprintln!("[stopped]");
        }
        if let Some(line) = figures.dropped_line() {
            eprintln!("{line}");
        }
        if self.shows_figures {
            eprintln!("{}", figures.line());
        }
        self.last = Some(figures);
        Ok(())
    }

    fn print_stats(&self) {
        match &self.last {
            Some(figures) => {
                eprintln!("{}", figures.line());
                eprintln!(
                    "[{} of {} tokens of context used]",
                    figures.tokens(),
                    self.context_length
                );
            }
            None => eprintln!("[no answer yet]"),
        }
    }

    fn save(&self, path: &Path) -> Result<(), CliError> {
        let messages = block_on(self.conversation.messages())?;
        save_messages(path, Some(self.model_name()), &messages)
    }

    /// Forgets everything but the system message, also when that was set by `/system`.
    fn reset(&mut self) -> Result<(), CliError> {
        block_on(self.conversation.reset())?;
        if let Some(system) = &self.system {
            block_on(self.conversation.set_messages(vec![system.clone()]))?;
        }
        self.last = None;
        Ok(())
    }

    /// Another system message, the rest of the conversation unchanged.
    fn set_system(&mut self, text: String) -> Result<(), CliError> {
        let system = Message {
            role: Role::System,
            content: text,
        };
        let mut messages = block_on(self.conversation.messages())?;
        messages.retain(|message| message.role != Role::System);
        messages.insert(0, system.clone());
        block_on(self.conversation.set_messages(messages))?;
        self.system = Some(system);
        eprintln!("[system message set]");
        Ok(())
    }
}

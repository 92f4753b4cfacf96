//! `whimbrel chat`: a conversation, question by question. Where the lines come from is in `lines.rs`, what `/…` means in `slash.rs`.

mod lines;
mod slash;
mod state;

use std::path::{Path, PathBuf};

use serde_json::json;
use whimbrel_client::record::{Outcome, Signal};
use whimbrel_client::{
    Answer, ClientError, Conversation, ConversationOptions, GenerationOptions, Message, Report, Role, SamplingOptions,
    block_on,
};
use whimbrel_files::{Existing, Readers};

use self::lines::Lines;
use self::slash::Slash;
use self::state::StateFile;
use crate::answer::figures::Figures;
use crate::answer::{self, AnswerSource, report};
use crate::arguments::generation::GenerationArguments;
use crate::arguments::model::{MemoryArguments, ModelArguments, ThreadArguments};
use crate::arguments::policy::PolicyArguments;
use crate::error::CliError;
use crate::terminal::{interrupt, output};

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
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
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
    interrupt::install(true);
    let source = AnswerSource::open(&arguments.model, &arguments.policy, arguments.threads, arguments.memory)?;
    let mut chat = Chat::begin(arguments, source)?;
    let state = arguments.state.as_deref().map(StateFile::look);
    if let Some(path) = state.as_ref().and_then(StateFile::existing) {
        block_on(chat.conversation.restore(path))?;
        if let Some(system) = &arguments.system {
            // The file has a system message of its own; what was given now holds from the next question on.
            chat.conversation.set_system(Some(system.clone()))?;
        }
    }
    converse(arguments, &chat.greeting(), |line| chat.take(line))?;
    if let (Some(state), Some(path)) = (state, &arguments.state) {
        let place = state.place();
        block_on(chat.conversation.save(&place))?;
        if place != *path {
            eprintln!(
                "[{} was changed by another program; this chat is in {}]",
                path.display(),
                place.display()
            );
        }
    }
    Ok(())
}

/// Passes every line to `take` until it returns false or there is none.
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
    let text = format!("{transcript:#}\n");
    whimbrel_files::write(path, Existing::Replace, Readers::Owner, text.as_bytes()).map_err(CliError::write(path))?;
    eprintln!("[saved {} messages]", messages.len());
    Ok(())
}

/// Whether the conversation is still usable after an error.
fn goes_on(error: &CliError) -> bool {
    !matches!(error, CliError::Output(_) | CliError::Client(ClientError::Stopped))
}

/// The conversation and how its answers are made.
struct Chat {
    source: AnswerSource,
    conversation: Conversation,
    options: ConversationOptions,
    generation: GenerationOptions,
    shows_figures: bool,
    /// About the last answer.
    last: Option<Report>,
}

impl Chat {
    fn begin(arguments: &Arguments, source: AnswerSource) -> Result<Chat, CliError> {
        let options = ConversationOptions {
            context_length: arguments.generation.context_length(source.model_info()),
            system: arguments.system.clone(),
            ..ConversationOptions::default()
        };
        Ok(Chat {
            conversation: conversation(&source, &options)?,
            source,
            options,
            generation: arguments.generation.options(defaults()),
            shows_figures: arguments.stats,
            last: None,
        })
    }

    fn greeting(&self) -> String {
        let model = self.model_name();
        match self.source.assistant() {
            Some(assistant) => format!(
                "{} under the policy {}",
                model.unwrap_or("no model of this device"),
                assistant.policies().app().name()
            ),
            None => model.unwrap_or_default().to_owned(),
        }
    }

    /// The name of this device's model.
    fn model_name(&self) -> Option<&str> {
        self.source.model_info().map(|info| &*info.manifest.name)
    }

    /// Carries out a line; false ends the chat.
    fn take(&mut self, line: &str) -> Result<bool, CliError> {
        if line.trim().is_empty() {
            return Ok(true);
        }
        let Some(slash) = Slash::parse(line)? else {
            self.begin_answer();
            let options = self.source.ask_options(&self.generation);
            let answer = self.conversation.ask(line, options)?;
            return self.show(answer).map(|()| true);
        };
        if slash.needs_policy() && self.source.assistant().is_none() {
            return Err(CliError::usage("there is no policy", "chat --policy has this command"));
        }
        match slash {
            Slash::Help => self.help(),
            Slash::Reset => {
                self.conversation.reset()?;
                self.last = None;
                eprintln!("[forgotten]");
            }
            Slash::Stats => self.print_figures(),
            Slash::Save(path) => self.save(&path)?,
            Slash::System(text) => self.set_system(text)?,
            Slash::Redo => {
                self.begin_answer();
                let answer = self.conversation.regenerate(self.generation.clone())?;
                self.show(answer)?;
            }
            Slash::Elsewhere => {
                self.begin_answer();
                let answer = self.conversation.escalate()?;
                self.show(answer)?;
            }
            Slash::Good => self.feedback(Signal::ThumbsUp)?,
            Slash::Bad => self.feedback(Signal::ThumbsDown)?,
            Slash::Why(Some(text)) => self.explain(&text)?,
            Slash::Why(None) => self.explain_last()?,
            Slash::Quit => return Ok(false),
        }
        Ok(true)
    }

    /// A policy decides by the device as it is when the answer begins.
    fn begin_answer(&self) {
        interrupt::reset();
        self.source.update_device();
    }

    fn show(&mut self, answer: Answer) -> Result<(), CliError> {
        let completion = answer::receive(answer, |text| output::write_all(text.as_bytes()))?;
        let report = completion.report;
        // A question that a policy kept from being answered has no line.
        if !completion.text.is_empty() || report.receipt.is_none() {
            output::write_all(b"\n")?;
        }
        if let Some(error) = report::not_answered(&report).filter(|_| report.receipt.is_none()) {
            return Err(error);
        }
        for line in report::lines(&report) {
            eprintln!("{line}");
        }
        if let Some(line) = Figures::from(&report).dropped_line() {
            eprintln!("{line}");
        }
        if report.outcome == Outcome::Failed {
            eprintln!("[the question is kept: /redo asks it again]");
        }
        if report.escalation.is_some() {
            eprintln!("[the answer looks weak: /elsewhere asks elsewhere]");
        }
        if self.shows_figures {
            eprintln!("{}", report::figures(&report));
        }
        self.last = Some(report);
        Ok(())
    }

    fn help(&self) {
        eprintln!("{}", slash::HELP);
        if self.source.assistant().is_some() {
            eprintln!("{}", slash::HELP_POLICY);
        }
    }

    fn print_figures(&self) {
        let Some(report) = &self.last else {
            eprintln!("[no answer yet]");
            return;
        };
        eprintln!("{}", report::figures(report));
        if report.receipt.is_none() {
            eprintln!(
                "[{} of {} tokens of context used]",
                Figures::from(report).tokens(),
                self.options.context_length
            );
        }
    }

    fn feedback(&self, signal: Signal) -> Result<(), CliError> {
        let receipt = self.last.as_ref().and_then(|report| report.receipt);
        let (Some(assistant), Some(receipt)) = (self.source.assistant(), receipt) else {
            return Err(CliError::usage("there is no answer yet", "ask something first"));
        };
        block_on(assistant.feedback(receipt, signal))?;
        eprintln!("[noted for receipt {receipt}]");
        Ok(())
    }

    /// What would be decided about a text now.
    fn explain(&self, text: &str) -> Result<(), CliError> {
        self.source.update_device();
        let options = self.source.ask_options(&self.generation);
        let explanation = block_on(self.conversation.explain(text, &options))?;
        eprint!("{explanation}");
        Ok(())
    }

    /// The rules that the last answer went by.
    fn explain_last(&self) -> Result<(), CliError> {
        let Some(report) = &self.last else {
            return Err(CliError::usage(
                "there is no answer yet",
                "/why TEXT asks about a question before it is asked",
            ));
        };
        for line in report::lines(report) {
            eprintln!("{line}");
        }
        for rule in &report.considered {
            eprintln!("  {rule}");
        }
        Ok(())
    }

    /// Another system message. The other messages go on as they are: as private, and for the same recipients.
    fn set_system(&self, text: String) -> Result<(), CliError> {
        self.conversation.set_system(Some(text))?;
        eprintln!("[system message set]");
        Ok(())
    }

    fn save(&self, path: &Path) -> Result<(), CliError> {
        let system = self.conversation.system().map(|text| Message::new(Role::System, text));
        let messages: Vec<_> = system.into_iter().chain(self.conversation.messages()).collect();
        save_messages(path, self.model_name(), &messages)
    }
}

fn conversation(source: &AnswerSource, options: &ConversationOptions) -> Result<Conversation, CliError> {
    source.conversation(options.clone(), "whimbrel run --raw goes on from a text")
}

//! `whimbrel chat`: a conversation, question by question. Where the lines come from is in `lines.rs` and `editor.rs`, what `/…` means in
//! `slash.rs`, `/set` in `settings.rs`, `/model` in `models.rs`, `/save` in `transcript.rs`, the file of `--state` in `state.rs`.

mod editor;
mod lines;
mod models;
mod settings;
mod slash;
mod state;
mod transcript;

use std::path::{Path, PathBuf};

use clap_complete::engine::ArgValueCompleter;
use whimbrel_client::record::{Outcome, ReceiptId, Signal};
use whimbrel_client::{
    Answer, ClientError, Conversation, ConversationOptions, GenerationOptions, Message, Report, Role, SamplingOptions,
    block_on,
};

use self::lines::Lines;
use self::slash::Slash;
use self::state::StateFile;
use self::transcript::Transcript;
use crate::answer::figures::Figures;
use crate::answer::{self, AnswerSource, ServedTools, report};
use crate::arguments::conversations::ConversationArguments;
use crate::arguments::generation::GenerationArguments;
use crate::arguments::model::{MemoryArguments, ModelArguments, ThreadArguments};
use crate::arguments::policy::{PolicyArguments, TaskNameArguments};
use crate::arguments::tools::ToolArguments;
use crate::error::CliError;
use crate::machine::time;
use crate::models::completion;
use crate::models::names::spelled;
use crate::terminal::screen::Screen;
use crate::terminal::words::counted;
use crate::terminal::{interrupt, output, style};

/// How `/redo` samples unless told otherwise: the likeliest tokens alone would give the same answer again.
const TEMPERATURE_AGAIN: f32 = 0.7;
const TOP_P_AGAIN: f32 = 0.9;

/// The flags of `chat`.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// The model: an installed model's name or a bundle folder, same as --model
    #[arg(value_name = "MODEL", add = ArgValueCompleter::new(completion::installed))]
    named: Option<String>,
    #[command(flatten)]
    model: ModelArguments,
    /// The system message [default: a short one; "" uses the one in the model's template]
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    system: Option<String>,
    #[command(flatten)]
    policy: PolicyArguments,
    #[command(flatten)]
    task: TaskNameArguments,
    #[command(flatten)]
    kept: ConversationArguments,
    #[command(flatten)]
    generation: GenerationArguments,
    #[command(flatten)]
    tools: ToolArguments,
    #[command(flatten)]
    threads: ThreadArguments,
    #[command(flatten)]
    memory: MemoryArguments,
    /// Print counts and rates after every answer
    #[arg(long)]
    stats: bool,
    /// Continue the conversation in this file, if it exists, and save it there at the end
    #[arg(long, value_name = "FILE", conflicts_with_all = ["policy", "conversation"])]
    state: Option<PathBuf>,
    /// Do not read or write the file with earlier questions
    #[arg(long)]
    no_history: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), CliError> {
    interrupt::install(true);
    let model = arguments.model.with(arguments.named.as_ref())?;
    let tools = ServedTools::start(&arguments.tools)?;
    let mut source = AnswerSource::open(
        &model,
        &arguments.policy,
        &arguments.task.task,
        arguments.threads,
        arguments.memory,
    )?;
    if let Some(tools) = &tools {
        source.offer(tools.options(&arguments.tools));
    }
    let mut chat = Chat::begin(arguments, source)?;
    chat.tools = tools;
    let state = arguments.state.as_deref().map(StateFile::look);
    if let Some(state) = &state {
        chat.resume(state)?;
    }
    let mut lines = Lines::open(!arguments.no_history)?;
    if lines.is_terminal() {
        let greeting = chat.greeting();
        style::note(&format!(
            "{greeting}. /help shows the commands, Ctrl-C stops an answer, Ctrl-D leaves."
        ));
    }
    chat.may_ask = lines.is_terminal();
    converse(&mut lines, |line| chat.take(line))?;
    if let Some(state) = &state {
        chat.keep(state)?;
    }
    chat.source.end_with(&chat.conversation);
    if let Some(tools) = chat.tools {
        tools.stop();
    }
    Ok(())
}

/// Passes every line to `take` until it returns false or there is none.
fn converse(lines: &mut Lines, mut take: impl FnMut(&str) -> Result<bool, CliError>) -> Result<(), CliError> {
    while let Some(line) = lines.next()? {
        match take(&line) {
            Ok(true) => {}
            Ok(false) => break,
            // A person can go on; a script must know.
            Err(error) if lines.is_terminal() && goes_on(&error) => style::error(&error.report().line()),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Whether the conversation is still usable after an error.
fn goes_on(error: &CliError) -> bool {
    !matches!(error, CliError::Output(_) | CliError::Client(ClientError::Stopped))
}

/// The conversation and how its answers are made.
struct Chat<'a> {
    arguments: &'a Arguments,
    source: AnswerSource,
    /// What carries out calls of tools.
    tools: Option<ServedTools>,
    conversation: Conversation,
    options: ConversationOptions,
    generation: GenerationOptions,
    shows_figures: bool,
    /// Whether a person can answer a question of the program's.
    may_ask: bool,
    /// How often the last question was asked again.
    repeats: u64,
    /// About the last answer.
    last: Option<Report>,
    /// The receipts of the answers so far.
    receipts: Vec<ReceiptId>,
}

impl Chat<'_> {
    fn begin(arguments: &Arguments, source: AnswerSource) -> Result<Chat<'_>, CliError> {
        let options = ConversationOptions {
            context_length: arguments.generation.context_length(source.model_info()),
            system: arguments.system.clone(),
            ..ConversationOptions::default()
        };
        Ok(Chat {
            conversation: conversation(&source, &options, arguments)?,
            generation: arguments.generation.options(source.model_info()),
            arguments,
            source,
            tools: None,
            options,
            shows_figures: arguments.stats,
            may_ask: false,
            repeats: 0,
            last: None,
            receipts: Vec::new(),
        })
    }

    /// Who answers; of a model alone, what to know before trusting it.
    fn greeting(&self) -> String {
        let model = self.source.model_name().unwrap_or("no model on this device");
        if let Some(assistant) = self.source.assistant() {
            return format!("{model} under the policy {}", assistant.policies().app().name());
        }
        match self
            .source
            .model_info()
            .and_then(|info| info.manifest.card.limits.as_deref())
        {
            Some(limits) => format!("{model}. {}", limits.trim_end_matches('.')),
            None => model.to_owned(),
        }
    }

    /// Carries out a line; false ends the chat.
    fn take(&mut self, line: &str) -> Result<bool, CliError> {
        if line.trim().is_empty() {
            return Ok(true);
        }
        let Some(slash) = Slash::parse(line)? else {
            self.begin_answer();
            self.repeats = 0;
            self.source.send_queued(&self.conversation)?;
            let options = self.source.ask_options(&self.generation);
            let answer = self.conversation.ask(line, options)?;
            return self.show(answer).map(|()| true);
        };
        if slash.needs_policy() && self.source.assistant().is_none() {
            return Err(CliError::usage(
                "there is no policy",
                "this command needs `whimbrel chat --policy`",
            ));
        }
        match slash {
            Slash::Help => self.help(),
            Slash::Reset => {
                self.conversation.reset()?;
                self.last = None;
                self.receipts.clear();
                style::note("[forgotten]");
            }
            Slash::Stats => self.print_figures(),
            Slash::Save(path) => self.save(&path)?,
            Slash::System(text) => self.set_system(text)?,
            Slash::Set(None) => settings::lines(&self.generation)
                .iter()
                .for_each(|line| style::note(line)),
            Slash::Set(Some((name, value))) => {
                self.generation = settings::changed(&self.generation, &name, &value)?;
                style::note(&format!("[{name} {value} from the next answer on]"));
            }
            Slash::Model(None) => self.print_models(),
            Slash::Model(Some(name)) => self.change_model(name)?,
            Slash::Redo => self.redo()?,
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

    /// The same question again. Where this device's model alone has answered, with some variety and another seed each time: else the answer would
    /// be the same. A policy may send it to an endpoint, which gets no option that the user did not set.
    fn redo(&mut self) -> Result<(), CliError> {
        self.begin_answer();
        let was_answered = self.last.as_ref().is_some_and(|last| last.outcome == Outcome::Answered);
        if self.source.assistant().is_some() || !was_answered {
            let answer = self.conversation.regenerate(self.generation.clone())?;
            return self.show(answer);
        }
        self.repeats += 1;
        let given = &self.generation.sampling;
        let is_fixed = given.temperature == Some(0.0);
        let varied = SamplingOptions {
            temperature: Some(TEMPERATURE_AGAIN),
            top_p: Some(TOP_P_AGAIN),
            ..SamplingOptions::default()
        };
        let generation = GenerationOptions {
            sampling: SamplingOptions {
                seed: Some(given.seed.unwrap_or(0).wrapping_add(self.repeats)),
                ..given.or(&varied)
            },
            ..self.generation.clone()
        };
        let answer = self.conversation.regenerate(generation)?;
        self.show(answer)?;
        if is_fixed {
            style::note("[at temperature 0 an answer stays the same: /set temperature 0.7 varies it]");
        }
        Ok(())
    }

    fn show(&mut self, answer: Answer) -> Result<(), CliError> {
        let mut screen = Screen::new(self.source.assistant().is_some());
        let completion = answer::receive(answer, &mut screen, self.tools.as_ref())?;
        let report = completion.report;
        // A question that a policy kept from being answered has no line.
        if !completion.text.is_empty() || report.receipt.is_none() {
            output::write_all(b"\n")?;
        }
        if let Some(error) = report::not_answered(&report).filter(|_| report.receipt.is_none()) {
            return Err(error);
        }
        report::lines(&report).iter().for_each(|line| style::note(line));
        if let Some(line) = Figures::from(&report).dropped_line() {
            style::note(&line);
        }
        if report.outcome == Outcome::Failed {
            style::note("[the question is kept: /redo asks it again]");
        }
        if report.escalation.is_some() {
            style::note("[the answer looks weak: /elsewhere asks elsewhere]");
        }
        if self.shows_figures {
            style::note(&report::figures(&report));
        }
        self.receipts.extend(report.receipt);
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
            style::note("[no answer yet]");
            return;
        };
        style::note(&report::figures(report));
        if report.receipt.is_none() {
            style::note(&format!(
                "[{} of {} tokens of context used]",
                Figures::from(report).tokens(),
                self.options.context_length
            ));
        }
    }

    fn feedback(&self, signal: Signal) -> Result<(), CliError> {
        let receipt = self.last.as_ref().and_then(|report| report.receipt);
        let (Some(assistant), Some(receipt)) = (self.source.assistant(), receipt) else {
            return Err(CliError::usage("there is no answer yet", "ask something first"));
        };
        block_on(assistant.feedback(receipt, signal))?;
        style::note(&format!("[noted for receipt {receipt}]"));
        Ok(())
    }

    /// What would be decided about a text now.
    fn explain(&self, text: &str) -> Result<(), CliError> {
        self.source.update_device();
        let options = self.source.ask_options(&self.generation);
        let explanation = block_on(self.conversation.explain(text, &options))?;
        eprint!("{}", spelled(&explanation.to_string()));
        Ok(())
    }

    /// The rules that the last answer went by.
    fn explain_last(&self) -> Result<(), CliError> {
        let Some(report) = &self.last else {
            return Err(CliError::usage(
                "there is no answer yet",
                "/why TEXT explains a question before you ask it",
            ));
        };
        report::lines(report).iter().for_each(|line| style::note(line));
        report
            .considered
            .iter()
            .for_each(|rule| style::note(&format!("  {rule}")));
        Ok(())
    }

    /// Another system message. The other messages go on as they are: as private, and for the same recipients.
    fn set_system(&mut self, text: String) -> Result<(), CliError> {
        self.conversation.set_system(Some(text.clone()))?;
        self.options.system = Some(text);
        style::note("[system message set]");
        Ok(())
    }

    /// Everything that is known of the conversation.
    fn save(&self, path: &Path) -> Result<(), CliError> {
        // What was said of an answer that was just stopped is kept only when it has ended.
        block_on(self.conversation.settled())?;
        let system = self.conversation.system().map(|text| Message::new(Role::System, text));
        let messages: Vec<_> = system.into_iter().chain(self.conversation.messages()).collect();
        let assistant = self.source.assistant();
        let saved = transcript::write(
            path,
            &Transcript {
                model: self.source.model_name(),
                variant: self.source.model_info().map(|info| &*info.variant),
                policy: assistant.map(|assistant| assistant.policies().app().name().to_owned()),
                task: assistant.map(|_| self.source.task()),
                saved_ms: time::now_ms(),
                context_length: self.options.context_length,
                options: &self.generation,
                messages: &messages,
                receipts: &self.receipts,
            },
            self.may_ask,
        )?;
        style::note(&match saved {
            true => format!("[saved {}]", counted(messages.len() as u64, "message")),
            false => "[not saved]".to_owned(),
        });
        Ok(())
    }
}

fn conversation(
    source: &AnswerSource,
    options: &ConversationOptions,
    arguments: &Arguments,
) -> Result<Conversation, CliError> {
    let title = arguments.kept.conversation.as_deref();
    source.conversation(options.clone(), title, "`whimbrel run --raw` continues a text")
}

//! `whimbrel chat --policy`: a conversation whose answers are made where the policy says, each with a receipt.

use std::path::Path;

use whimbrel_client::assistant::{Report, RoutedAnswer, RoutedConversation};
use whimbrel_client::store::Signal;
use whimbrel_client::{ConversationOptions, GenerationOptions, Message, Role, block_on};

use super::slash::{self, Slash};
use super::{Arguments, converse, defaults, save_messages};
use crate::error::CliError;
use crate::routed::{self, Routed};
use crate::{interrupt, output};

pub(super) fn run(arguments: &Arguments, policy: &str) -> Result<(), CliError> {
    let mut routed = arguments.policy.open(policy)?;
    interrupt::install(true);
    let model = routed.open_model(&arguments.model, arguments.threads, arguments.memory)?;
    let info = model.as_ref().map(|model| model.info());
    let options = ConversationOptions {
        context_length: arguments.generation.context_length(info),
        system: arguments.system.clone(),
        ..ConversationOptions::default()
    };
    let policies = routed.assistant.policies();
    let name = info.map(|info| info.manifest.name.clone());
    let greeting = format!(
        "{} under the policy {}",
        name.as_deref().unwrap_or("no model of this device"),
        policies.app().name()
    );
    let mut talk = Talk {
        conversation: routed.assistant.conversation(options.clone()),
        options,
        generation: arguments.generation.options(defaults()),
        model: name,
        shows_figures: arguments.stats,
        last: None,
        routed,
    };
    converse(arguments, &greeting, |line| talk.take(line))
}

/// The conversation and how its answers are made.
struct Talk {
    routed: Routed,
    conversation: RoutedConversation,
    options: ConversationOptions,
    generation: GenerationOptions,
    /// The name of this device's model.
    model: Option<String>,
    shows_figures: bool,
    last: Option<Report>,
}

impl Talk {
    /// Carries out a line; false ends the chat.
    fn take(&mut self, line: &str) -> Result<bool, CliError> {
        if line.trim().is_empty() {
            return Ok(true);
        }
        match Slash::parse(line)? {
            None => self.ask(line)?,
            Some(Slash::Help) => eprintln!("{}\n{}", slash::HELP, slash::HELP_ROUTED),
            Some(Slash::Reset) => {
                self.begin_anew(Vec::new())?;
                eprintln!("[forgotten]");
            }
            Some(Slash::Stats) => match &self.last {
                Some(report) => eprintln!("{}", routed::figures(report)),
                None => eprintln!("[no answer yet]"),
            },
            Some(Slash::Save(path)) => self.save(&path)?,
            Some(Slash::System(text)) => {
                self.options.system = Some(text);
                self.begin_anew(self.conversation.messages())?;
                eprintln!("[system message set]");
            }
            Some(Slash::Redo) => {
                self.begin_answer();
                let answer = self.conversation.regenerate(self.generation.clone())?;
                self.show(answer)?;
            }
            Some(Slash::Elsewhere) => {
                self.begin_answer();
                let answer = self.conversation.escalate()?;
                self.show(answer)?;
            }
            Some(Slash::Good) => self.feedback(Signal::ThumbsUp)?,
            Some(Slash::Bad) => self.feedback(Signal::ThumbsDown)?,
            Some(Slash::Why(text)) => self.explain(text)?,
            Some(Slash::Quit) => return Ok(false),
        }
        Ok(true)
    }

    /// Each answer is decided by the device as it is when it begins.
    fn begin_answer(&self) {
        interrupt::reset();
        self.routed.look();
    }

    fn ask(&mut self, text: &str) -> Result<(), CliError> {
        self.begin_answer();
        let options = self.routed.ask_options(&self.generation);
        let answer = self.conversation.ask(text, options)?;
        self.show(answer)
    }

    fn show(&mut self, answer: RoutedAnswer) -> Result<(), CliError> {
        let received = routed::receive(answer, |text| output::write_all(text.as_bytes()))?;
        if !received.text.is_empty() {
            output::write_all(b"\n")?;
        }
        for line in routed::lines(&received.report) {
            eprintln!("{line}");
        }
        if received.report.escalation.is_some() {
            eprintln!("[the answer looks weak: /elsewhere asks elsewhere]");
        }
        if self.shows_figures {
            eprintln!("{}", routed::figures(&received.report));
        }
        self.last = Some(received.report);
        Ok(())
    }

    fn feedback(&self, signal: Signal) -> Result<(), CliError> {
        let Some(report) = &self.last else {
            return Err(CliError::usage("there is no answer yet", "ask something first"));
        };
        block_on(self.routed.assistant.feedback(report.receipt, signal))?;
        eprintln!("[noted for receipt {}]", report.receipt);
        Ok(())
    }

    /// The rules that the last answer went by, or what would be decided about a text now.
    fn explain(&self, text: Option<String>) -> Result<(), CliError> {
        if let Some(text) = text {
            self.routed.look();
            let options = self.routed.ask_options(&self.generation);
            let explanation = block_on(self.conversation.explain(&text, &options))?;
            eprint!("{explanation}");
            return Ok(());
        }
        let Some(report) = &self.last else {
            return Err(CliError::usage(
                "there is no answer yet",
                "/why TEXT asks about a question before it is asked",
            ));
        };
        for line in routed::lines(report) {
            eprintln!("{line}");
        }
        for rule in &report.considered {
            eprintln!("  {rule}");
        }
        Ok(())
    }

    /// What stood for what in redacted text is forgotten, too.
    fn begin_anew(&mut self, messages: Vec<Message>) -> Result<(), CliError> {
        let conversation = self.routed.assistant.conversation(self.options.clone());
        conversation.set_messages(messages)?;
        self.conversation = conversation;
        Ok(())
    }

    fn save(&self, path: &Path) -> Result<(), CliError> {
        let system = self.conversation.system().map(|content| Message {
            role: Role::System,
            content: content.to_owned(),
        });
        let messages: Vec<_> = system.into_iter().chain(self.conversation.messages()).collect();
        save_messages(path, self.model.as_deref(), &messages)
    }
}

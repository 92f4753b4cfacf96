//! `whimbrel run --policy`: one prompt, answered where the policy says, and a receipt.

use std::io::{self, Write};

use serde::Serialize;
use whimbrel_client::assistant::Report;
use whimbrel_client::policy::End;
use whimbrel_client::{ContextPolicy, ConversationOptions, SamplingOptions};

use crate::commands::run::Arguments;
use crate::error::{CliError, exit};
use crate::output::{self, Facts};
use crate::{interrupt, routed};

#[derive(Serialize)]
struct Ran {
    /// Empty when there is no answer.
    text: String,
    route: Report,
}

impl Facts for Ran {
    /// The text itself was shown as it came.
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        match self.text.is_empty() || self.text.ends_with('\n') {
            true => Ok(()),
            false => writeln!(out),
        }
    }
}

/// Returns the exit status: that there is no answer is a fact, and still a failure.
pub(super) fn run(arguments: &Arguments, policy: &str) -> Result<u8, CliError> {
    let prompt = super::prompt(arguments)?;
    let mut routed = arguments.policy.open(policy)?;
    interrupt::install(false);
    let model = routed.open_model(&arguments.model, arguments.threads, arguments.memory)?;
    let generation = &arguments.generation;
    let conversation = routed.assistant.conversation(ConversationOptions {
        context_length: generation.context_length(model.as_ref().map(|model| model.info())),
        system: arguments.system.clone(),
        context_policy: ContextPolicy::Refuse,
    });
    let options = generation.options(SamplingOptions {
        temperature: 0.0,
        ..SamplingOptions::default()
    });
    routed.look();
    let json = arguments.output.json;
    let answer = conversation.ask(&prompt, routed.ask_options(&options))?;
    let received = routed::receive(answer, |text| match json {
        true => Ok(()),
        false => output::write_all(text.as_bytes()),
    })?;
    let ran = Ran {
        text: received.text,
        route: received.report,
    };
    arguments.output.print(&ran)?;
    let lines = routed::lines(&ran.route);
    if let Some(error) = routed::not_answered(&ran.route) {
        let report = error.report();
        eprintln!("{}", report.line());
        lines[1..].iter().for_each(|line| eprintln!("{line}"));
        return Ok(report.status);
    }
    lines.iter().for_each(|line| eprintln!("{line}"));
    if arguments.stats {
        eprintln!("{}", routed::figures(&ran.route));
    }
    Ok(match ran.route.end {
        End::Cancelled { .. } => exit::INTERRUPTED,
        _ => exit::SUCCESS,
    })
}

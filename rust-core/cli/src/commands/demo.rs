//! `whimbrel demo`: what happens to a letter that goes to a cloud service, step by step, with a stand-in for the service on this machine.

mod stand_in;

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;
use whimbrel_client::policy::{DeviceUpdate, Format, Network, Policy, PolicySet, Reported};
use whimbrel_client::privacy::{RedactedFinding, Scanner, ScannerOptions, redact};
use whimbrel_client::record::Receipt;
use whimbrel_client::store::{Filter, MemoryVault};
use whimbrel_client::{AskOptions, Assistant, AssistantOptions, ConversationOptions, block_on};

use self::stand_in::StandIn;
use crate::answer;
use crate::commands::ledger::ShownReceipt;
use crate::error::CliError;
use crate::terminal::input;
use crate::terminal::output::{Facts, OutputArguments, table};
use crate::terminal::screen::Screen;

/// The letter unless there is another. Nobody in it exists.
const LETTER: &str = "\
Dear Dr. Amara Okafor,

thank you for seeing me on Tuesday. My new number is +44 20 7946 0958, and letters reach me at
14 Harbour Street, Whitby YO22 4DE, or at tomasz.nowak@example.org. Please send the bill to my
account GB82 WEST 1234 5698 7654 32.

Yours sincerely,
Tomasz Nowak
";

/// The flags of `demo`.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// A file with another letter; - is standard input
    #[arg(long, short, value_name = "FILE")]
    file: Option<PathBuf>,
    /// An additional word to replace; can be repeated
    #[arg(long, value_name = "WORD", allow_hyphen_values = true)]
    word: Vec<String>,
    #[command(flatten)]
    output: OutputArguments,
}

/// What happened to the letter.
#[derive(Serialize)]
struct Shown {
    letter: String,
    findings: Vec<RedactedFinding>,
    /// What the stand-in was sent, from its own record.
    sent: String,
    /// What it answered, as the app gets it.
    answer: String,
    receipt: Receipt,
}

impl Facts for Shown {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        let part = |out: &mut dyn Write, title: &str, text: &str| {
            writeln!(out, "{title}\n")?;
            text.trim_end()
                .lines()
                .try_for_each(|line| writeln!(out, "    {line}"))?;
            writeln!(out)
        };
        part(out, "The letter, as it was typed:", &self.letter)?;
        if self.findings.is_empty() {
            writeln!(out, "Nothing was recognised as private.\n")?;
        } else {
            writeln!(out, "Recognised as private, on this machine:\n")?;
            let rows = self.findings.iter().map(|finding| {
                let value: String = chars(&self.letter, finding.start, finding.end);
                (finding.placeholder.as_deref().unwrap_or("(not replaced)"), value)
            });
            table(out, &rows.collect::<Vec<_>>())?;
            writeln!(out)?;
        }
        part(
            out,
            "What the service received (from the service's own record):",
            &self.sent,
        )?;
        part(
            out,
            "Its answer, with the private data put back on this machine:",
            &self.answer,
        )?;
        writeln!(out, "The receipt that stays on this machine:\n")?;
        ShownReceipt(self.receipt.clone()).human(out)?;
        writeln!(
            out,
            "\nThe service was a stand-in on this machine with a prepared answer: nothing left the machine. Try a letter of your own: \
             whimbrel demo --file LETTER.txt"
        )
    }
}

fn chars(text: &str, start: u32, end: u32) -> String {
    let chars = text.chars().skip(start as usize);
    chars.take((end - start) as usize).collect()
}

/// A policy whose only place is the stand-in, which gets text with everything private replaced.
fn policy(port: u16) -> String {
    format!(
        "version = 1\nname = \"demo\"\notherwise = [\"redact_then_remote:stand-in\"]\n[[endpoints]]\nid = \"stand-in\"\n\
         base_url = \"http://127.0.0.1:{port}/v1\"\nmodel = \"stand-in\"\ntrust = \"public_cloud\"\ncost_per_1k_tokens = 0\n\
         class_max = \"public\"\nclass_max_redacted = \"secret\"\n"
    )
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), CliError> {
    let letter = match &arguments.file {
        None => LETTER.to_owned(),
        Some(path) => input::file_or_standard(path)?,
    };
    let shown = send(letter, &arguments.word)?;
    arguments.output.print(&shown)
}

/// Sends the letter as an app would: through the policy, the scanner, the network and the ledger.
fn send(letter: String, words: &[String]) -> Result<Shown, CliError> {
    let scanner = Scanner::new(ScannerOptions {
        user_words: words.to_vec(),
        ..ScannerOptions::default()
    })?;
    let findings = redact(&letter, &scanner)?.findings;
    let stand_in = StandIn::start()?;
    let folder = tempfile::tempdir().map_err(CliError::write(std::env::temp_dir()))?;
    let policy = Policy::parse(&policy(stand_in.port()), Format::Toml).and_then(|policy| PolicySet::new(policy, None));
    let assistant = Assistant::open(AssistantOptions {
        store: folder.path().join("ledger.sqlite"),
        vault: Arc::new(MemoryVault::default()),
        policies: policy.expect("the demo's own policy is one"),
        user_words: words.to_vec(),
    })?;
    assistant.update_device(&DeviceUpdate {
        network: Reported::Is(Network::Unmetered),
        ..DeviceUpdate::default()
    });
    let conversation = assistant.conversation(ConversationOptions::default());
    let completion = answer::receive(
        conversation.ask(&letter, AskOptions::default())?,
        &mut Screen::Silent,
        None,
    )?;
    if let Some(error) = answer::report::not_answered(&completion.report) {
        return Err(error);
    }
    let receipts = block_on(assistant.receipts(Filter::default(), 1))?;
    Ok(Shown {
        findings,
        sent: stand_in.received()?,
        answer: completion.text,
        receipt: receipts
            .into_iter()
            .next()
            .expect("a request that was sent has a receipt"),
        letter,
    })
}

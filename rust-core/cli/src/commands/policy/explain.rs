//! `whimbrel policy explain`: what would be decided about a request, and by which rules. Nothing is asked and nothing written down.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap_complete::engine::ArgValueCompleter;
use serde::{Deserialize, Serialize};
use whimbrel_client::TASK_DEFAULT;
use whimbrel_client::policy::{
    CandidateFacts, DeviceState, DeviceUpdate, Explanation, Learned, LocalModelFacts, Need, RequestFacts, RouteInput,
    UsedToday, explain,
};
use whimbrel_client::privacy::{
    ContentFacts, Draft, DraftMessage, FindingKind, PrivacyClass, Scanner, ScannerOptions, Speaker,
};
use whimbrel_client::record::Label;
use whimbrel_engine::{MANIFEST_FILE, Manifest};

use crate::arguments::policy_documents::object;
use crate::arguments::{model, policy_documents};
use crate::error::CliError;
use crate::machine::{device, time};
use crate::models::completion;
use crate::models::names::spelled;
use crate::terminal::input;
use crate::terminal::output::{Facts, OutputArguments, table};

/// Tokens of an answer unless the request says otherwise: those of `run`.
const ANSWER_TOKENS_DEFAULT: u32 = 512;
/// Bytes of text that count as a token where the request does not say how many there are.
const BYTES_A_TOKEN: u64 = 4;
/// The id of the request in the explanation, unless it has one.
const REQUEST_ID: &str = "explain";

/// The flags of `policy explain`.
#[derive(clap::Args, Debug)]
#[command(group = clap::ArgGroup::new("about").required(true))]
pub(crate) struct Arguments {
    /// The policy: a file (TOML, or JSON if its name ends with .json), or a preset's name
    #[arg(long, value_name = "FILE|PRESET")]
    policy: PathBuf,
    /// The user's policy
    #[arg(long, value_name = "FILE")]
    user: Option<PathBuf>,
    /// The request as a JSON object or as @FILE; {} stands for the defaults
    #[arg(long, value_name = "JSON|@FILE", group = "about")]
    request: Option<String>,
    /// A text to decide about instead; private data found in it counts
    #[arg(long, value_name = "TEXT", group = "about", allow_hyphen_values = true)]
    text: Option<String>,
    /// The task of the text [default: chat]
    #[arg(long, value_name = "TASK", conflicts_with = "request")]
    task: Option<String>,
    /// The device as a JSON object or as @FILE; readings that it leaves out are unknown [default: this machine]
    #[arg(long, value_name = "JSON|@FILE")]
    device: Option<String>,
    /// The model of this device: an installed model's name, a bundle folder or a GGUF file [default: the installed one, if there is only one]
    #[arg(long, short, value_name = "NAME|FOLDER|FILE", add = ArgValueCompleter::new(completion::installed))]
    model: Option<PathBuf>,
    /// All places that could answer, as a JSON object or as @FILE
    #[arg(long, value_name = "JSON|@FILE", conflicts_with = "model")]
    candidates: Option<String>,
    #[command(flatten)]
    output: OutputArguments,
}

/// A request as it is written on the command line.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Request {
    id: Option<String>,
    task: Option<String>,
    class: PrivacyClass,
    findings: BTreeMap<FindingKind, u32>,
    text_bytes: u64,
    prompt_tokens: Option<u32>,
    answer_tokens_max: Option<u32>,
    deadline_ms: Option<u64>,
    needs: Vec<Need>,
}

#[derive(Serialize)]
#[serde(transparent)]
struct Explained(Explanation);

impl Facts for Explained {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        write!(out, "{}", spelled(&self.0.to_string()))?;
        writeln!(out, "device:")?;
        let device = serde_json::to_value(&self.0.device).map_err(io::Error::other)?;
        let fields = device.as_object().into_iter().flatten();
        let rows: Vec<(String, String)> = fields
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (format!("  {name}"), value.to_string().trim_matches('"').to_owned()))
            .collect();
        let rows: Vec<_> = rows
            .iter()
            .map(|(name, value)| (name.as_str(), value.clone()))
            .collect();
        table(out, &rows)
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), CliError> {
    let policies = policy_documents::set(&arguments.policy, arguments.user.as_deref())?;
    let (request, content) = match &arguments.text {
        Some(text) => from_text(text, arguments.task.as_deref())?,
        None => from_facts(object("--request", arguments.request.as_deref().unwrap_or("{}"))?)?,
    };
    let update: DeviceUpdate = match &arguments.device {
        Some(given) => policy_documents::device(given)?,
        None => device::read(),
    };
    let now_ms = time::now_ms();
    arguments.output.print(&Explained(explain(&RouteInput {
        request: &request,
        content: &content,
        device: &DeviceState::reported(&update, now_ms),
        now_ms,
        policies: &policies,
        candidates: &candidates(arguments)?,
        used_today: UsedToday::default(),
        learned: &Learned::default(),
        history: &[],
        excluded: &[],
    })))
}

/// What is found in a text counts, as if it were the question of a request.
fn from_text(text: &str, task: Option<&str>) -> Result<(RequestFacts, ContentFacts), CliError> {
    let content = examined(&[text])?;
    let request = RequestFacts {
        id: REQUEST_ID.to_owned(),
        task: task.unwrap_or(TASK_DEFAULT).to_owned(),
        prompt_tokens: tokens(content.text_bytes),
        answer_tokens_max: ANSWER_TOKENS_DEFAULT,
        deadline_ms: None,
        needs: Vec::new(),
    };
    Ok((request, content))
}

/// Findings raise the class, as those of a text do.
fn from_facts(request: Request) -> Result<(RequestFacts, ContentFacts), CliError> {
    let found = request.findings.iter().filter(|(_, times)| **times > 0);
    let class = found.map(|(kind, _)| kind.class()).max().unwrap_or_default();
    let content = ContentFacts {
        class: request.class.max(class),
        findings: request.findings,
        text_bytes: request.text_bytes,
        ..examined(&[])?
    };
    let facts = RequestFacts {
        id: request.id.unwrap_or_else(|| REQUEST_ID.to_owned()),
        task: request.task.unwrap_or_else(|| TASK_DEFAULT.to_owned()),
        prompt_tokens: request.prompt_tokens.unwrap_or_else(|| tokens(content.text_bytes)),
        answer_tokens_max: request.answer_tokens_max.unwrap_or(ANSWER_TOKENS_DEFAULT),
        deadline_ms: request.deadline_ms,
        needs: request.needs,
    };
    Ok((facts, content))
}

fn examined(texts: &[&str]) -> Result<ContentFacts, CliError> {
    let messages = texts.iter().map(|text| DraftMessage {
        speaker: Speaker::User,
        text: (*text).to_owned(),
    });
    let draft = Draft {
        messages: messages.collect(),
        class: PrivacyClass::Public,
    };
    let scanner = Scanner::new(ScannerOptions::default())?;
    Ok(scanner.examine(draft)?.facts().clone())
}

fn tokens(bytes: u64) -> u32 {
    u32::try_from(bytes / BYTES_A_TOKEN).unwrap_or(u32::MAX)
}

/// As given; else the model that was named; else the installed one, if there is just one, as `run` takes it.
fn candidates(arguments: &Arguments) -> Result<CandidateFacts, CliError> {
    if let Some(given) = &arguments.candidates {
        return object("--candidates", given);
    }
    let local_models = match model::folder_if_any(arguments.model.as_deref())? {
        Some(folder) => vec![local_model(&folder)?],
        None => Vec::new(),
    };
    Ok(CandidateFacts {
        local_models,
        ..CandidateFacts::default()
    })
}

/// What a bundle's manifest says of its first variant.
fn local_model(folder: &Path) -> Result<LocalModelFacts, CliError> {
    let path = folder.join(MANIFEST_FILE);
    let manifest = Manifest::parse(input::file(&path)?.as_bytes())?;
    let variant = manifest.variants.first();
    let label = |name: &str| Label::squeezed(name).to_string();
    Ok(LocalModelFacts {
        // As receipts and what is learned call it.
        model: label(&manifest.name),
        variant: variant.map_or_else(String::new, |variant| label(&variant.name)),
        hash: manifest.blake3.clone(),
        ready: variant.is_some(),
        context_tokens: Some(manifest.context_length),
        peak_memory_bytes: variant.map(|variant| variant.peak_memory_bytes),
        ..LocalModelFacts::default()
    })
}

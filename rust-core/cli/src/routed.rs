//! Answers under a policy: the flags of `run` and `chat` for it, the assistant behind them, and what is said about an answer. Who
//! decides is the client; nothing is decided here.

use std::path::PathBuf;
use std::sync::Arc;

use whimbrel_client::assistant::{
    AskOptions, Assistant, AssistantEvent, AssistantOptions, EndpointExtras, Report, RoutedAnswer, TASK_DEFAULT,
};
use whimbrel_client::policy::{AttemptEnd, DeviceUpdate, End};
use whimbrel_client::{Client, ClientError, GenerationOptions, ModelHandle, OpenOptions, block_on};

use crate::error::CliError;
use crate::ledger_argument::LedgerArguments;
use crate::model_argument::{MemoryArguments, ModelArguments, ThreadArguments};
use crate::{device, input, interrupt, policy_argument};

/// Events taken at a time.
const BATCH: u32 = 64;

/// Where answers may be made.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct PolicyArguments {
    /// Decide by this policy where each answer is made, and keep a receipt: a file, or one of private, on_device_first, balanced and quality_first
    #[arg(long, value_name = "FILE|PRESET")]
    pub(crate) policy: Option<String>,
    /// The user's policy, which can only tighten the other one
    #[arg(long, value_name = "FILE", requires = "policy")]
    user_policy: Option<PathBuf>,
    /// The folder with the ledger and the keys [default: whimbrel/ledger in the state folder]
    #[arg(long, value_name = "FOLDER", requires = "policy")]
    ledger: Option<PathBuf>,
    /// What rules and learning call this work [default: chat]
    #[arg(long, value_name = "TASK", requires = "policy")]
    task: Option<String>,
    /// A word to replace besides what is recognised, where text leaves redacted; may be given several times
    #[arg(long, value_name = "WORD", requires = "policy")]
    word: Vec<String>,
    /// A certificate authority, in PEM, that an endpoint's server may also be signed by; may be given several times
    #[arg(long, value_name = "ENDPOINT=FILE", requires = "policy")]
    authority: Vec<String>,
    /// What is known about the device and cannot be read from it, as an object, or @ and a file with it: {"network": "unmetered"}
    #[arg(long, value_name = "JSON|@FILE", requires = "policy")]
    device: Option<String>,
}

/// An assistant, with what every question to it has in common.
pub(crate) struct Routed {
    pub(crate) assistant: Assistant,
    known: DeviceUpdate,
    task: String,
    /// Answers need it for as long as they are made on this device.
    _client: Option<Client>,
}

impl PolicyArguments {
    /// Opens the ledger, which is made where it is missing, and reads the policies.
    ///
    /// # Errors
    /// Those of reading policies and of the ledger; [`CliError::Usage`] for an authority of no endpoint.
    pub(crate) fn open(&self, policy: &str) -> Result<Routed, CliError> {
        let policies = policy_argument::set(policy, self.user_policy.as_deref())?;
        let known = match &self.device {
            Some(given) => policy_argument::object("--device", given)?,
            None => DeviceUpdate::default(),
        };
        let ledger = LedgerArguments {
            ledger: self.ledger.clone(),
        };
        let assistant = Assistant::open(AssistantOptions {
            vault: Arc::new(ledger.vault()?),
            store: ledger.database()?,
            policies,
            user_words: self.word.clone(),
        })?;
        for authority in &self.authority {
            trust(&assistant, authority)?;
        }
        Ok(Routed {
            assistant,
            known,
            task: self.task.clone().unwrap_or_else(|| TASK_DEFAULT.to_owned()),
            _client: None,
        })
    }
}

/// `ENDPOINT=FILE`
fn trust(assistant: &Assistant, authority: &str) -> Result<(), CliError> {
    let usage = |message: &str| CliError::usage(message, "--authority ENDPOINT=FILE");
    let (id, path) = authority
        .split_once('=')
        .ok_or_else(|| usage("--authority does not say whose it is"))?;
    let policies = assistant.policies();
    if !policies.app().endpoints().iter().any(|endpoint| *endpoint.id == *id) {
        return Err(usage("--authority names an endpoint that the policy does not have"));
    }
    let extras = EndpointExtras {
        authorities_pem: input::file(path.as_ref())?,
        ..EndpointExtras::default()
    };
    Ok(assistant.set_endpoint(id, extras)?)
}

impl Routed {
    /// Opens the model of this device, if one is named, and lets it answer. Returns its handle.
    ///
    /// # Errors
    /// Those of opening; [`CliError::Usage`] for a model that holds no conversations.
    pub(crate) fn open_model(
        &mut self,
        model: &ModelArguments,
        threads: ThreadArguments,
        memory: MemoryArguments,
    ) -> Result<Option<ModelHandle>, CliError> {
        if model.model.is_none() {
            return Ok(None);
        }
        let client = Client::new()?;
        let options = OpenOptions {
            huge_pages: memory.huge_pages,
            ..model.open_options(threads.threads)
        };
        let opened = block_on(client.open_model(model.folder()?, options))?;
        if !opened.info().has_chat_template {
            return Err(CliError::usage("the model has no chat template", "use another --model"));
        }
        self.assistant.set_model(Some(opened.clone()));
        self._client = Some(client);
        Ok(Some(opened))
    }

    /// Looks at the device as it is now. What the user says about it counts more.
    pub(crate) fn look(&self) {
        self.assistant.update_device(&device::read());
        self.assistant.update_device(&self.known);
    }

    /// How a question is asked.
    pub(crate) fn ask_options(&self, generation: &GenerationOptions) -> AskOptions {
        AskOptions {
            task: self.task.clone(),
            generation: generation.clone(),
            ..AskOptions::default()
        }
    }
}

/// A whole answer, or none.
pub(crate) struct Received {
    pub(crate) text: String,
    pub(crate) report: Report,
}

/// Hands every piece of text to `show` as it comes, and says so when what was shown is void. Ctrl-C stops the answer; it then ends like
/// any other, as cancelled.
///
/// # Errors
/// What `show` returns, after the answer was stopped; [`CliError::Assistant`] and those of the ledger when no receipt can be written.
pub(crate) fn receive(
    answer: RoutedAnswer,
    mut show: impl FnMut(&str) -> Result<(), CliError>,
) -> Result<Received, CliError> {
    let answer = Arc::new(answer);
    let stopped = answer.clone();
    let _guard = interrupt::on_raise(move || stopped.cancel());
    let mut text = String::new();
    loop {
        let events = block_on(answer.next(BATCH))?;
        if events.is_empty() {
            // The last event is always the report.
            return Err(ClientError::Stopped.into());
        }
        for event in events {
            match event {
                AssistantEvent::Trying { .. } => {}
                AssistantEvent::Text(piece) => {
                    show(&piece)?;
                    text.push_str(&piece);
                }
                AssistantEvent::Restarted => {
                    if !text.ends_with('\n') {
                        show("\n")?;
                    }
                    text.clear();
                    eprintln!("[what was shown is void: another candidate begins anew]");
                }
                AssistantEvent::Finished(report) => return Ok(Received { text, report: *report }),
            }
        }
    }
}

/// Where it ran and why; where it did not, what was tried and what was not. The first line says it in short.
pub(crate) fn lines(report: &Report) -> Vec<String> {
    let end = match report.end {
        End::Cancelled { .. } => "stopped: ",
        End::Failed { partial: true } | End::DeadlinePassed { partial: true } => "failed midway: ",
        End::Failed { .. } => "failed: ",
        End::DeadlinePassed { .. } => "out of time: ",
        End::Answered { .. } | End::Deferred | End::Denied | End::Unavailable => "",
    };
    let mut lines = vec![format!("[{end}{}]", report.summary())];
    let answered = matches!(report.end, End::Answered { .. });
    // The one that answered is in the first line.
    let tried = report.attempts.len() - usize::from(answered && !report.attempts.is_empty());
    for attempt in &report.attempts[..tried] {
        let how = attempt.end.map_or_else(|| "not ended".to_owned(), words);
        lines.push(format!("  tried {}: {how}", attempt.name));
    }
    if !answered {
        let refused = report.refused.iter();
        lines.extend(refused.map(|refused| format!("  not tried {}: {}", refused.name, refused.reason)));
    }
    lines
}

/// The figures of an answer, for people.
pub(crate) fn figures(report: &Report) -> String {
    let first = match report.first_token_ms {
        Some(first) => format!("after {first} ms"),
        None => "never".to_owned(),
    };
    format!(
        "[prompt {} tokens, first text {first}, answer {} tokens, {} ms in all, {} bytes out, {} bytes in]",
        report.tokens.input, report.tokens.output, report.total_ms, report.bytes_out, report.bytes_in
    )
}

fn words(end: AttemptEnd) -> String {
    match end {
        AttemptEnd::Failed { failure } => {
            let failure = serde_json::to_value(failure).unwrap_or_default();
            format!("failed ({})", failure.as_str().unwrap_or_default())
        }
        AttemptEnd::Answered => "answered".to_owned(),
        AttemptEnd::Busy => "in use by others".to_owned(),
        AttemptEnd::OutOfMemory => "out of memory".to_owned(),
        AttemptEnd::NoFirstToken => "nothing shown in time".to_owned(),
        AttemptEnd::TooLong => "took too long".to_owned(),
        AttemptEnd::Deadline => "out of time".to_owned(),
        AttemptEnd::Cancelled => "stopped".to_owned(),
    }
}

/// The error that stands for a question without an answer; `None` for one that was answered or stopped.
pub(crate) fn not_answered(report: &Report) -> Option<CliError> {
    let code = match report.end {
        End::Answered { .. } | End::Cancelled { .. } => return None,
        End::Denied => "denied",
        End::Deferred => "deferred",
        End::Unavailable => "unavailable",
        End::Failed { .. } => "failed",
        End::DeadlinePassed { .. } => "deadline",
    };
    Some(CliError::NotAnswered {
        code,
        message: lines(report)[0].trim_matches(['[', ']']).to_owned(),
    })
}

//! What an app asks for, and what it gets: events on the way, and a report at the end.

use serde::Serialize;
use whimbrel_policy::{Attempt, DeviceView, End, Escalation, Need, Refused, RuleTrace};
use whimbrel_privacy::PrivacyClass;
use whimbrel_store::{Energy, Place, ReceiptId, Sent, Tokens};

use crate::GenerationOptions;

/// The task of requests that name none.
pub const TASK_DEFAULT: &str = "chat";

/// How a question is asked.
#[derive(Clone, Debug)]
pub struct AskOptions {
    /// The app's name for what it is doing, which rules and learning look at.
    pub task: String,
    /// What the app knows about the text; what is found in it can only raise it.
    pub class: PrivacyClass,
    /// Time for the whole answer in milliseconds; `None` leaves it to the policy.
    pub deadline_ms: Option<u64>,
    /// What the answer needs beyond text.
    pub needs: Vec<Need>,
    /// How the answer is made.
    pub generation: GenerationOptions,
}

impl Default for AskOptions {
    fn default() -> AskOptions {
        AskOptions {
            task: TASK_DEFAULT.into(),
            class: PrivacyClass::Public,
            deadline_ms: None,
            needs: Vec::new(),
            generation: GenerationOptions::default(),
        }
    }
}

/// What an answer brings, in this order, though beginnings, texts and restarts may come again.
#[derive(Clone, PartialEq)]
pub enum AssistantEvent {
    /// A candidate was asked.
    Trying {
        /// Its place.
        place: Place,
        /// In which form the text leaves the device; `None` when it stays.
        sent: Option<Sent>,
    },
    /// The next piece of text, never empty.
    Text(String),
    /// The text so far is void: another candidate answers from the beginning.
    Restarted,
    /// It is over. The last event.
    Finished(Box<Report>),
}

// No text may reach a log through a derived `Debug`.
impl std::fmt::Debug for AssistantEvent {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            AssistantEvent::Trying { place, sent } => {
                let mut record = formatter.debug_struct("Trying");
                record.field("place", place).field("sent", sent).finish()
            }
            AssistantEvent::Text(text) => write!(formatter, "Text({} bytes)", text.len()),
            AssistantEvent::Restarted => formatter.write_str("Restarted"),
            AssistantEvent::Finished(report) => formatter.debug_tuple("Finished").field(report).finish(),
        }
    }
}

/// How a request went. It says everything of the receipt that a person would ask for, and holds no text.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// The receipt's number in the ledger.
    pub receipt: ReceiptId,
    /// How it ended.
    pub end: End,
    /// Where the answer came from, or what was tried last.
    pub place: Option<Place>,
    /// In which form the text left the device, if it did.
    pub sent: Option<Sent>,
    /// Why it ran there, in words.
    pub reasons: Vec<String>,
    /// The rules that had a say.
    pub rules: Vec<String>,
    /// What was tried.
    pub attempts: Vec<Attempt>,
    /// What was listed and not tried.
    pub refused: Vec<Refused>,
    /// Every rule that was looked at, the app's first.
    pub considered: Vec<RuleTrace>,
    /// Bytes that left the device.
    pub bytes_out: u64,
    /// Bytes that came back.
    pub bytes_in: u64,
    /// Findings that were replaced in text that left.
    pub redacted: u32,
    /// Tokens of the attempt that answered.
    pub tokens: Tokens,
    /// From the request to the first text that stayed, in milliseconds.
    pub first_token_ms: Option<u64>,
    /// From the request to its end, in milliseconds.
    pub total_ms: u64,
    /// The energy that it took on this device, if there is an estimate.
    pub energy: Option<Energy>,
    /// Set when the answer looks weak and may be asked for elsewhere: see [`super::RoutedConversation::escalate`].
    pub escalation: Option<Escalation>,
    /// The device as the decision saw it.
    pub device: DeviceView,
}

impl Report {
    /// One line for a person: where it ran and why.
    #[must_use]
    pub fn summary(&self) -> String {
        let place = match (&self.place, self.end) {
            (_, End::Denied) => "not answered: the policy denies it".to_owned(),
            (_, End::Deferred) => "put off: the policy wants to wait for a better time".to_owned(),
            (_, End::Unavailable) => "not answered: nothing that the policy allows can answer now".to_owned(),
            (Some(Place::OnDevice { model, variant, .. }), _) => format!("on this device, {model} {variant}"),
            (Some(Place::SystemModel { adapter }), _) => format!("by the system's model {adapter}"),
            (Some(Place::Remote { endpoint, .. }), _) => match self.sent {
                Some(Sent::Redacted) => format!("at {endpoint}, {} findings replaced", self.redacted),
                _ => format!("at {endpoint}, as it was"),
            },
            (None, _) => "not answered".to_owned(),
        };
        let sent = match self.bytes_out {
            0 => "nothing left".to_owned(),
            bytes => format!("{bytes} bytes left"),
        };
        let reasons = match self.reasons.is_empty() {
            true => self.rules.join(", "),
            false => self.reasons.join(", "),
        };
        let because = if reasons.is_empty() {
            String::new()
        } else {
            format!(" ({reasons})")
        };
        format!("{place}{because}; {sent}; receipt {}", self.receipt)
    }
}

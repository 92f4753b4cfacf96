//! What an answer brings: events on the way, and a report at the end.

use serde::Serialize;
use whimbrel_policy::{Attempt, DeviceView, Escalation, Refusal, Refused, RuleTrace};
use whimbrel_privacy::Release;
use whimbrel_record::{Code, Energy, FinishReason, Outcome, Place, ReceiptId, Tokens, size};

use crate::Statistics;

/// What an answer brings, in this order, though all but the last may come again.
#[derive(Clone, PartialEq)]
pub enum Event {
    /// A place was asked.
    Started {
        /// Where.
        place: Place,
        /// In which form the text leaves the device; `None` when it stays.
        release: Option<Release>,
    },
    /// A part of the prompt was read. A short prompt is read together with the first token, without this event.
    Reading {
        /// Prompt tokens read so far, reused ones included.
        done: u32,
        /// Prompt tokens in all.
        total: u32,
    },
    /// The model thinks before it answers. What it thinks is no part of the answer and is not given.
    Thinking {
        /// Bytes of its thoughts so far.
        bytes: u64,
    },
    /// The next piece of text, never empty and never a broken character.
    Text(String),
    /// The text so far is void: another place answers from the beginning.
    Restarted,
    /// It is over. The last event.
    Finished(Box<Report>),
}

// No text may reach a log through a derived `Debug`.
impl std::fmt::Debug for Event {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Event::Started { place, release } => {
                let mut record = formatter.debug_struct("Started");
                record.field("place", place).field("release", release).finish()
            }
            Event::Reading { done, total } => write!(formatter, "Reading({done} of {total})"),
            Event::Thinking { bytes } => write!(formatter, "Thinking({bytes} bytes)"),
            Event::Text(text) => write!(formatter, "Text({} bytes)", text.len()),
            Event::Restarted => formatter.write_str("Restarted"),
            Event::Finished(report) => formatter.debug_tuple("Finished").field(report).finish(),
        }
    }
}

/// How a request went. It says everything of the receipt that a person would ask for, and holds no text.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// The receipt's number in the ledger; `None` where no policy decides.
    pub receipt: Option<ReceiptId>,
    /// Whether the receipt says how it ended. When the disk was full, it says only that it began, and the next opening of the ledger closes it as
    /// interrupted.
    #[serde(rename = "recorded")]
    pub is_recorded: bool,
    /// How it ended.
    pub outcome: Outcome,
    /// Why there is no answer.
    pub code: Option<Code>,
    /// Whether a part of an answer was shown and stays.
    #[serde(rename = "partial")]
    pub is_partial: bool,
    /// Why the answer is complete: the model ended it, or it reached its limit of tokens.
    pub finish: Option<FinishReason>,
    /// Where the answer came from, or what was tried last.
    pub place: Option<Place>,
    /// In which form the text left the device, if it did.
    pub release: Option<Release>,
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
    /// How many different values were replaced in text that left, those of the conversation's history included.
    pub redacted: u32,
    /// Tokens of the attempt that answered.
    pub tokens: Tokens,
    /// Bytes of what the model thought in the last attempt, which are no part of the answer.
    pub thinking_bytes: u64,
    /// From the request to the first text that stayed, in milliseconds.
    pub first_token_ms: Option<u64>,
    /// From the request to its end, in milliseconds.
    pub total_ms: u64,
    /// The energy that it took on this device, if there is an estimate.
    pub energy: Option<Energy>,
    /// The engine's figures, when it answered on this device.
    #[serde(skip)]
    pub statistics: Option<Statistics>,
    /// Options that were given and that the place cannot honour.
    pub unsupported: Vec<&'static str>,
    /// Set when the answer looks weak and may be asked for elsewhere: see [`crate::Conversation::escalate`].
    pub escalation: Option<Escalation>,
    /// The device as the decision saw it.
    pub device: DeviceView,
}

impl Report {
    /// Whether there is a whole answer.
    #[must_use]
    pub fn is_answered(&self) -> bool {
        self.outcome == Outcome::Answered
    }

    /// One line for a person: where it ran and why.
    #[must_use]
    pub fn summary(&self) -> String {
        let place = match (&self.place, self.outcome) {
            (_, Outcome::Denied) => "not answered: the policy denies it".to_owned(),
            (_, Outcome::Deferred) => "put off: the policy wants to wait for a better time".to_owned(),
            (None, _) if self.code == Some(Code::Unavailable) => {
                "not answered: nothing that the policy allows can answer now".to_owned()
            }
            (Some(Place::OnDevice { model, variant, .. }), _) => format!("on this device, {model} {variant}"),
            (Some(Place::SystemModel { adapter }), _) => format!("by the system's model {adapter}"),
            (None, _) if self.code == Some(Code::Deadline) => {
                "not answered: nothing that the policy allows can begin an answer before the deadline".to_owned()
            }
            (Some(Place::Remote { endpoint, .. }), _) => match (self.release, self.redacted) {
                (Some(Release::Redacted), 1) => format!("at {endpoint}, 1 finding replaced"),
                (Some(Release::Redacted), findings) => format!("at {endpoint}, {findings} findings replaced"),
                _ => format!("at {endpoint}, unchanged"),
            },
            (None, _) => "not answered".to_owned(),
        };
        let sent = match self.bytes_out {
            0 => "nothing sent".to_owned(),
            bytes => format!("{} sent", size(bytes)),
        };
        let reasons = match self.reasons.is_empty() {
            true => self.denying_rules().join(", "),
            false => self.reasons.join(", "),
        };
        let because = if reasons.is_empty() {
            String::new()
        } else {
            format!(" ({reasons})")
        };
        let receipt = self
            .receipt
            .map_or_else(String::new, |receipt| format!("; receipt {receipt}"));
        format!("{place}{because}; {sent}{receipt}")
    }

    /// The rules because of which something was not tried. Others may have matched without a say in this.
    fn denying_rules(&self) -> Vec<&str> {
        let mut rules: Vec<&str> = Vec::new();
        for refused in &self.refused {
            if let Refusal::Denied { rule, .. } = &refused.reason
                && !rules.contains(&&**rule)
            {
                rules.push(rule);
            }
        }
        rules
    }
}

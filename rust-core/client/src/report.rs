//! The events of an answer, and the report at its end.

use serde::Serialize;
use whimbrel_policy::{Attempt, DeviceView, Escalation, Refusal, Refused, RuleTrace};
use whimbrel_privacy::Release;
use whimbrel_record::{Code, Energy, FinishReason, Outcome, Place, ReceiptId, Tokens, size};
use whimbrel_store::OutboxId;

use crate::Statistics;
use crate::tools::{CallReport, PendingCall};

/// The events of an answer, in this order. All but the last may occur more than once.
#[derive(Clone, PartialEq)]
pub enum Event {
    /// A place was asked.
    Started {
        /// The place.
        place: Place,
        /// In which form the text leaves the device; `None` if it stays.
        release: Option<Release>,
    },
    /// Part of the prompt was read. A short prompt is read together with the first token, without this event.
    Reading {
        /// Prompt tokens read so far, reused ones included.
        done: u32,
        /// Prompt tokens in total.
        total: u32,
    },
    /// The next piece of what the model thinks before it answers, never empty. It is not part of the answer or of the conversation, and
    /// void when another place starts.
    Thinking(String),
    /// The next piece of text, never empty and never a broken character.
    Text(String),
    /// Discard the text so far: another place answers from the beginning.
    Restarted,
    /// The model calls a tool of the app, and the answer waits for its result: see [`crate::Answer::give_result`].
    Call(PendingCall),
    /// The answer has ended. This is the last event.
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
            Event::Thinking(text) => write!(formatter, "Thinking({} bytes)", text.len()),
            Event::Text(text) => write!(formatter, "Text({} bytes)", text.len()),
            Event::Call(call) => formatter.debug_tuple("Call").field(call).finish(),
            Event::Restarted => formatter.write_str("Restarted"),
            Event::Finished(report) => formatter.debug_tuple("Finished").field(report).finish(),
        }
    }
}

/// How a request went. The report contains everything in the receipt that a person would ask about, and no text.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// The receipt's number in the ledger; `None` without a policy.
    pub receipt: Option<ReceiptId>,
    /// Whether the receipt records how the request ended. If the disk was full, the receipt only records the start, and the ledger closes
    /// it as interrupted when it is next opened.
    #[serde(rename = "recorded")]
    pub is_recorded: bool,
    /// Whether question and answer are on the disk; `None` for a conversation that is not kept.
    #[serde(rename = "kept", skip_serializing_if = "Option::is_none")]
    pub is_kept: Option<bool>,
    /// The number of the queued request, if the question waits in the outbox: see [`crate::Outbox`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queued: Option<OutboxId>,
    /// Set if an answer that was remembered was given again: no place was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answered_before: Option<AnsweredBefore>,
    /// The tools that were called, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<CallReport>,
    /// How the request ended.
    pub outcome: Outcome,
    /// Why there is no answer.
    pub code: Option<Code>,
    /// Whether part of an answer was shown and remains.
    #[serde(rename = "partial")]
    pub is_partial: bool,
    /// Why the answer is complete: the model ended it, or it reached its token limit.
    pub finish: Option<FinishReason>,
    /// Where the answer came from, or which place was tried last.
    pub place: Option<Place>,
    /// In which form the text left the device, if it did.
    pub release: Option<Release>,
    /// Why it ran there, in words.
    pub reasons: Vec<String>,
    /// The rules that affected the decision.
    pub rules: Vec<String>,
    /// The attempts, in order.
    pub attempts: Vec<Attempt>,
    /// Places that were listed but not tried.
    pub refused: Vec<Refused>,
    /// Every rule that was considered, the app's first.
    pub considered: Vec<RuleTrace>,
    /// Bytes that left the device.
    pub bytes_out: u64,
    /// Bytes that were received.
    pub bytes_in: u64,
    /// How many different values were replaced in text that left, those of the conversation's history included.
    pub redacted: u32,
    /// Tokens of the attempt that answered.
    pub tokens: Tokens,
    /// Bytes of the model's thinking in the last attempt, which is not part of the answer.
    pub thinking_bytes: u64,
    /// Time from the request to the first text that was not discarded, in milliseconds.
    pub first_token_ms: Option<u64>,
    /// Time from the request to its end, in milliseconds.
    pub total_ms: u64,
    /// The energy used on this device, if there is an estimate.
    pub energy: Option<Energy>,
    /// The engine's statistics, if it answered on this device.
    #[serde(skip)]
    pub statistics: Option<Statistics>,
    /// Options that were given but that the place does not support.
    pub unsupported: Vec<&'static str>,
    /// Set if the answer looks weak and the question may be asked again elsewhere: see [`crate::Conversation::escalate`].
    pub escalation: Option<Escalation>,
    /// The device's state at the decision.
    pub device: DeviceView,
}

/// Where an answer that was given again comes from.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub struct AnsweredBefore {
    /// The receipt of the request that it answered first. The ledger may have it no longer.
    pub receipt: ReceiptId,
    /// How long ago that was, in milliseconds.
    pub age_ms: u64,
}

impl Report {
    /// A question that waits behind others of its conversation. Nothing was decided about it.
    pub(crate) fn queued(id: OutboxId, device: DeviceView) -> Report {
        Report {
            is_kept: Some(true),
            queued: Some(id),
            ..Report::new(Outcome::Deferred, device)
        }
    }

    /// A request for which no place was asked.
    pub(crate) fn new(outcome: Outcome, device: DeviceView) -> Report {
        Report {
            receipt: None,
            is_recorded: true,
            is_kept: None,
            queued: None,
            answered_before: None,
            calls: Vec::new(),
            outcome,
            code: None,
            is_partial: false,
            finish: None,
            place: None,
            release: None,
            reasons: Vec::new(),
            rules: Vec::new(),
            attempts: Vec::new(),
            refused: Vec::new(),
            considered: Vec::new(),
            bytes_out: 0,
            bytes_in: 0,
            redacted: 0,
            tokens: Tokens::default(),
            thinking_bytes: 0,
            first_token_ms: None,
            total_ms: 0,
            energy: None,
            statistics: None,
            unsupported: Vec::new(),
            escalation: None,
            device,
        }
    }

    /// Whether there is a complete answer.
    #[must_use]
    pub fn is_answered(&self) -> bool {
        self.outcome == Outcome::Answered
    }

    /// A one-line summary for people: where it ran and why.
    #[must_use]
    pub fn summary(&self) -> String {
        let place = match (&self.place, self.outcome) {
            (_, Outcome::Denied) => "not answered: the policy denies it".to_owned(),
            (_, Outcome::Deferred) if self.queued.is_some() => {
                "queued: it is sent when the policy allows it".to_owned()
            }
            (_, Outcome::Deferred) => "deferred: the policy says to wait for a better time".to_owned(),
            (None, _) if self.code == Some(Code::Unavailable) => {
                "not answered: no place that the policy allows can answer now".to_owned()
            }
            (Some(Place::OnDevice { model, variant, .. }), _) => format!("on this device, {model} {variant}"),
            (Some(Place::SystemModel { adapter }), _) => format!("by the system's model {adapter}"),
            (None, _) if self.code == Some(Code::Deadline) => {
                "not answered: no place that the policy allows can start an answer before the deadline".to_owned()
            }
            (Some(Place::Remote { endpoint, .. }), _) => match (self.release, self.redacted) {
                (Some(Release::Redacted), 1) => format!("at {endpoint}, 1 finding replaced"),
                (Some(Release::Redacted), findings) => format!("at {endpoint}, {findings} findings replaced"),
                _ => format!("at {endpoint}, unchanged"),
            },
            (None, _) => "not answered".to_owned(),
        };
        let place = match self.answered_before {
            Some(before) => format!("answered before, {}, {place}", ago(before.age_ms)),
            None => place,
        };
        let sent = match self.bytes_out {
            0 => "nothing sent".to_owned(),
            bytes => format!("{} sent", size(bytes)),
        };
        let reasons = match (self.reasons.is_empty(), self.outcome) {
            (false, _) => self.reasons.join(", "),
            // The user stopped it, not a rule.
            (true, Outcome::Cancelled) => String::new(),
            (true, _) => self.denying_rules().join(", "),
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

/// How long ago something was, in the unit that people use.
fn ago(age_ms: u64) -> String {
    let minutes = age_ms / 60_000;
    let (number, unit) = match minutes {
        0 => return "less than a minute ago".to_owned(),
        1..60 => (minutes, "minute"),
        60..1_440 => (minutes / 60, "hour"),
        _ => (minutes / 1_440, "day"),
    };
    let s = if number == 1 { "" } else { "s" };
    format!("{number} {unit}{s} ago")
}

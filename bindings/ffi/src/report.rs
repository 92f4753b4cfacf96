//! Reports about requests and explanations of decisions: where a request ran, in which form its text left, how it ended and
//! why.

use whimbrel_client as client;
use whimbrel_client::{policy, privacy, record};

use crate::{CallReport, json};

/// How a request went. The report contains no text of the user.
#[derive(Clone, Debug, uniffi::Record)]
pub struct Report {
    /// The receipt's number in the ledger. Absent without a policy.
    pub receipt: Option<u64>,
    /// Whether the receipt records how the request ended. It is false if, for example, the disk was full; the ledger then
    /// closes the receipt as interrupted when it is next opened.
    pub recorded: bool,
    /// Whether question and answer are on the disk. Absent for a conversation that is not kept.
    pub is_kept: Option<bool>,
    /// The number of the queued question, if it waits in the outbox. It is on the disk then.
    pub queued: Option<u64>,
    /// Present if an answer that was remembered was given again: no place was asked.
    pub answered_before: Option<AnsweredBefore>,
    /// The tools that were called, in order.
    pub calls: Vec<CallReport>,
    /// How the request ended.
    pub outcome: Outcome,
    /// Why there is no answer, as one of the codes in `docs/ledger.md`: `deadline`, `unavailable`, `content_filter` and so
    /// on.
    pub code: Option<String>,
    /// Whether part of an answer was shown and remains, although the request was not answered.
    pub partial: bool,
    /// Why the answer is complete.
    pub finish: Option<FinishReason>,
    /// Where the answer came from, or which place was tried last.
    pub place: Option<Place>,
    /// In which form the text left the device, if it did.
    pub release: Option<Release>,
    /// Why it ran there, in words.
    pub reasons: Vec<String>,
    /// The ids of the rules that affected the decision.
    pub rules: Vec<String>,
    /// The names of the places that were tried, in order.
    pub attempts: Vec<String>,
    /// Places that were listed but not tried.
    pub refused: Vec<Refused>,
    /// Bytes that left the device.
    pub bytes_out: u64,
    /// Bytes that were received.
    pub bytes_in: u64,
    /// Findings that were replaced in text that left.
    pub redacted: u32,
    /// Prompt tokens.
    pub tokens_in: u64,
    /// Answer tokens.
    pub tokens_out: u64,
    /// Bytes of the model's thinking in the last attempt, which is not part of the answer.
    pub thinking_bytes: u64,
    /// Time from the request to the first text that was not discarded, in milliseconds.
    pub first_token_ms: Option<u64>,
    /// Time from the request to its end, in milliseconds.
    pub total_ms: u64,
    /// Estimated energy used on this device in millijoules, if there is an estimate.
    pub millijoules: Option<u64>,
    /// Statistics of Whimbrel's own engine, if it made the answer.
    pub statistics: Option<Statistics>,
    /// The names of options that were given but that the place ignored.
    pub unsupported: Vec<String>,
    /// Whether the answer looks weak and the question may be asked again elsewhere with `escalate`.
    pub can_escalate: bool,
    /// A one-line summary for people: where it ran and why.
    pub summary: String,
    /// The complete report in JSON, with each attempt and the device's state at the decision.
    pub json: String,
}

/// How a request ended. None of these outcomes is an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum Outcome {
    /// With an answer.
    Answered,
    /// The user or the app cancelled it.
    Cancelled,
    /// No place gave an answer. The code says why: `deadline` if the deadline passed, `unavailable` if no allowed place can
    /// answer now.
    Failed,
    /// The policy denies it.
    Denied,
    /// It was deferred.
    Deferred,
    /// The process ended before the request did. This occurs only in receipts.
    Interrupted,
}

/// Why an answer is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum FinishReason {
    /// The model ended it, or a stop string occurred.
    Stop,
    /// It reached its token limit, or the end of the context.
    Length,
    /// It said the same over and over and was ended.
    Repetition,
    /// A filter at the place withheld the rest.
    ContentFilter,
    /// The model called a tool.
    ToolCalls,
    /// The user or the app stopped it.
    Cancelled,
    /// The place did not say.
    Unstated,
}

/// A place where a request ran, or could run.
#[derive(Clone, Debug, uniffi::Enum)]
pub enum Place {
    /// A model of Whimbrel's own engine.
    OnDevice {
        /// The model's name.
        model: String,
        /// The quantisation.
        variant: String,
        /// The hash in the bundle's manifest.
        hash: String,
    },
    /// The system's model, which the app provides.
    SystemModel {
        /// Its name.
        adapter: String,
    },
    /// An endpoint of the policy.
    Remote {
        /// The endpoint's id.
        endpoint: String,
        /// Who operates the endpoint.
        trust: TrustClass,
        /// The requested model.
        model: String,
    },
}

/// Kinds of places, for selecting receipts.
#[derive(Clone, Copy, Debug, uniffi::Enum)]
pub enum PlaceKind {
    /// Whimbrel's own engine.
    OnDevice,
    /// The system's model.
    SystemModel,
    /// Another device of the user.
    OwnDevice,
    /// A machine of the organisation.
    Organisation,
    /// A public cloud.
    PublicCloud,
}

/// Who operates an endpoint.
#[derive(Clone, Copy, Debug, uniffi::Enum)]
pub enum TrustClass {
    /// Another device of the user, nearby.
    OwnDevice,
    /// The user's organisation.
    Organisation,
    /// Anyone else.
    PublicCloud,
}

/// In which form a text leaves the device.
#[derive(Clone, Copy, Debug, uniffi::Enum)]
pub enum Release {
    /// As it is.
    AsIs,
    /// With every finding replaced with a placeholder.
    Redacted,
}

/// A place that was listed but not tried.
#[derive(Clone, Debug, uniffi::Record)]
pub struct Refused {
    /// Its name, such as `remote:` followed by the endpoint's id.
    pub name: String,
    /// Why, in words.
    pub reason: String,
}

/// Token counts and rates of an answer from Whimbrel's own engine.
#[derive(Clone, Debug, uniffi::Record)]
pub struct Statistics {
    /// Tokens of the whole prompt, template and history included.
    pub prompt_tokens: u32,
    /// Prompt tokens that were taken from the cache and not computed again.
    pub reused_tokens: u32,
    /// Tokens of the answer.
    pub completion_tokens: u32,
    /// Tokens that were guessed and checked in speculative decoding.
    pub drafted_tokens: u32,
    /// Guessed tokens that were right.
    pub accepted_tokens: u32,
    /// Tokens that the form of the answer left no choice about; they were not decoded one by one.
    pub forced_tokens: u32,
    /// Oldest messages that were left out because the context was full.
    pub dropped_messages: u32,
    /// Time from the start of the answer to its first token, in milliseconds; 0 if there was none.
    pub time_to_first_token_ms: f64,
    /// Time from the start of the answer to its end, in milliseconds.
    pub total_ms: f64,
    /// Prompt tokens per second of computing time.
    pub prefill_tokens_per_second: f64,
    /// Answer tokens per second of computing time.
    pub decode_tokens_per_second: f64,
}

/// What would be decided about a question.
#[derive(Clone, Copy, Debug, uniffi::Enum)]
pub enum Decision {
    /// At least one place may be tried.
    Run,
    /// No place can be tried now, but the request may wait.
    Defer,
    /// The policy denies every place that it lists.
    Denied,
    /// Some places are allowed, but none can answer now.
    Unavailable,
}

/// Where an answer that was given again comes from.
#[derive(Clone, Debug, uniffi::Record)]
pub struct AnsweredBefore {
    /// The receipt of the request that it answered first. The ledger may have it no longer.
    pub receipt: u64,
    /// How long ago that was, in milliseconds.
    pub age_ms: u64,
}

/// A decision and how it was made.
#[derive(Clone, Debug, uniffi::Record)]
pub struct Explanation {
    /// The decision.
    pub decision: Decision,
    /// The names of the places that would be tried, in order.
    pub candidates: Vec<String>,
    /// Places that were listed but would not be tried.
    pub refused: Vec<Refused>,
    /// The ids of the rules that affect the decision.
    pub rules: Vec<String>,
    /// The complete explanation for people.
    pub text: String,
    /// The complete explanation in JSON.
    pub json: String,
}

impl From<&client::Report> for Report {
    fn from(from: &client::Report) -> Self {
        Report {
            receipt: from.receipt.map(|receipt| receipt.0),
            outcome: from.outcome.into(),
            code: from.code.map(|code| code.name().into()),
            partial: from.is_partial,
            recorded: from.is_recorded,
            is_kept: from.is_kept,
            queued: from.queued.map(|queued| queued.0),
            calls: from.calls.iter().map(Into::into).collect(),
            answered_before: from.answered_before.map(|before| AnsweredBefore {
                receipt: before.receipt.0,
                age_ms: before.age_ms,
            }),
            finish: from.finish.map(Into::into),
            place: from.place.as_ref().map(Into::into),
            release: from.release.map(Into::into),
            reasons: from.reasons.clone(),
            rules: from.rules.clone(),
            attempts: from.attempts.iter().map(|attempt| attempt.name.clone()).collect(),
            refused: refused(&from.refused),
            bytes_out: from.bytes_out,
            bytes_in: from.bytes_in,
            redacted: from.redacted,
            tokens_in: from.tokens.input,
            tokens_out: from.tokens.output,
            thinking_bytes: from.thinking_bytes,
            first_token_ms: from.first_token_ms,
            total_ms: from.total_ms,
            millijoules: from.energy.as_ref().map(|energy| energy.millijoules),
            statistics: from.statistics.as_ref().map(Into::into),
            unsupported: from.unsupported.iter().map(ToString::to_string).collect(),
            can_escalate: from.escalation.is_some(),
            summary: from.summary(),
            json: json(from),
        }
    }
}

impl From<record::Outcome> for Outcome {
    fn from(from: record::Outcome) -> Self {
        match from {
            record::Outcome::Answered => Outcome::Answered,
            record::Outcome::Cancelled => Outcome::Cancelled,
            record::Outcome::Failed => Outcome::Failed,
            record::Outcome::Denied => Outcome::Denied,
            record::Outcome::Deferred => Outcome::Deferred,
            record::Outcome::Interrupted => Outcome::Interrupted,
        }
    }
}

impl From<record::FinishReason> for FinishReason {
    fn from(from: record::FinishReason) -> Self {
        match from {
            record::FinishReason::Stop => FinishReason::Stop,
            record::FinishReason::Length => FinishReason::Length,
            record::FinishReason::Repetition => FinishReason::Repetition,
            record::FinishReason::ContentFilter => FinishReason::ContentFilter,
            record::FinishReason::ToolCalls => FinishReason::ToolCalls,
            record::FinishReason::Cancelled => FinishReason::Cancelled,
            record::FinishReason::Unstated => FinishReason::Unstated,
        }
    }
}

impl From<PlaceKind> for record::PlaceKind {
    fn from(from: PlaceKind) -> Self {
        match from {
            PlaceKind::OnDevice => record::PlaceKind::OnDevice,
            PlaceKind::SystemModel => record::PlaceKind::SystemModel,
            PlaceKind::OwnDevice => record::PlaceKind::OwnDevice,
            PlaceKind::Organisation => record::PlaceKind::Organisation,
            PlaceKind::PublicCloud => record::PlaceKind::PublicCloud,
        }
    }
}

impl From<Outcome> for record::Outcome {
    fn from(from: Outcome) -> Self {
        match from {
            Outcome::Answered => record::Outcome::Answered,
            Outcome::Cancelled => record::Outcome::Cancelled,
            Outcome::Failed => record::Outcome::Failed,
            Outcome::Denied => record::Outcome::Denied,
            Outcome::Deferred => record::Outcome::Deferred,
            Outcome::Interrupted => record::Outcome::Interrupted,
        }
    }
}

impl From<&record::Place> for Place {
    fn from(from: &record::Place) -> Self {
        match from {
            record::Place::OnDevice { model, variant, hash } => Place::OnDevice {
                model: model.to_string(),
                variant: variant.to_string(),
                hash: hash.to_string(),
            },
            record::Place::SystemModel { adapter } => Place::SystemModel {
                adapter: adapter.to_string(),
            },
            record::Place::Remote { endpoint, trust, model } => Place::Remote {
                endpoint: endpoint.to_string(),
                trust: (*trust).into(),
                model: model.to_string(),
            },
        }
    }
}

impl From<record::TrustClass> for TrustClass {
    fn from(from: record::TrustClass) -> Self {
        match from {
            record::TrustClass::OwnDevice => TrustClass::OwnDevice,
            record::TrustClass::Organisation => TrustClass::Organisation,
            record::TrustClass::PublicCloud => TrustClass::PublicCloud,
        }
    }
}

impl From<privacy::Release> for Release {
    fn from(from: privacy::Release) -> Self {
        match from {
            privacy::Release::AsIs => Release::AsIs,
            privacy::Release::Redacted => Release::Redacted,
        }
    }
}

impl From<&client::Statistics> for Statistics {
    fn from(from: &client::Statistics) -> Self {
        Statistics {
            prompt_tokens: from.prompt_tokens,
            reused_tokens: from.reused_tokens,
            completion_tokens: from.completion_tokens,
            drafted_tokens: from.drafted_tokens,
            accepted_tokens: from.accepted_tokens,
            forced_tokens: from.forced_tokens,
            dropped_messages: from.dropped_messages,
            time_to_first_token_ms: from.time_to_first_token_ms,
            total_ms: from.total_ms,
            prefill_tokens_per_second: from.prefill_tokens_per_second,
            decode_tokens_per_second: from.decode_tokens_per_second,
        }
    }
}

fn refused(from: &[policy::Refused]) -> Vec<Refused> {
    from.iter()
        .map(|refused| Refused {
            name: refused.name.clone(),
            reason: refused.reason.to_string(),
        })
        .collect()
}

impl From<&policy::Explanation> for Explanation {
    fn from(from: &policy::Explanation) -> Self {
        let plan = &from.plan;
        Explanation {
            decision: match plan.decision {
                policy::Decision::Run => Decision::Run,
                policy::Decision::Defer => Decision::Defer,
                policy::Decision::Denied => Decision::Denied,
                policy::Decision::Unavailable => Decision::Unavailable,
            },
            candidates: plan.candidates.iter().map(policy::Candidate::name).collect(),
            refused: refused(&plan.refused),
            rules: plan.rule_ids(),
            text: from.to_string(),
            json: json(from),
        }
    }
}

//! What an app asks an assistant for, what it gets, and the translation of both from and to the client's values.

use std::collections::BTreeMap;

use whimbrel_client::assistant as core;
use whimbrel_client::assistant::json;
use whimbrel_client::policy::{End, Plan};
use whimbrel_client::privacy::FindingKind;
use whimbrel_client::{policy, privacy, store};

use crate::GenerationOptions;

/// How private a text is, from the least to the most.
#[derive(Clone, Copy, Debug, uniffi::Enum)]
pub enum PrivacyClass {
    /// Nothing about a person.
    Public,
    /// About a person, ordinary: a name, an address, a telephone number.
    Personal,
    /// Harmful in wrong hands: national ids, cards and accounts, dates of birth, or whatever the app calls so.
    Sensitive,
    /// Opens something: passwords, keys, or whatever the app calls so.
    Secret,
}

/// What an answer needs beyond text.
#[derive(Clone, Copy, Debug, uniffi::Enum)]
pub enum Need {
    /// Calls of tools.
    Tools,
    /// An answer that follows a JSON schema.
    Json,
}

/// Whether the system's model can be asked now.
#[derive(Clone, Copy, Debug, uniffi::Enum)]
pub enum Availability {
    /// Yes.
    Available,
    /// Another app uses it, or its quota is used up for now.
    Busy,
    /// The system is still fetching it.
    Downloading,
    /// This device has none, or the user switched it off.
    Unavailable,
}

/// How an assistant is asked.
#[derive(Clone, Debug, uniffi::Record)]
pub struct AskOptions {
    /// The app's name for what it is doing, which rules and learning look at.
    #[uniffi(default = "chat")]
    pub task: String,
    /// What the app knows about the text; what is found in it can only raise it.
    pub privacy_class: PrivacyClass,
    /// Time for the whole answer in milliseconds; without it the policy says.
    #[uniffi(default = None)]
    pub deadline_ms: Option<u64>,
    /// What the answer needs beyond text.
    #[uniffi(default = [])]
    pub needs: Vec<Need>,
    /// How the answer is made.
    pub generation: GenerationOptions,
}

/// Whose machine an endpoint is.
#[derive(Clone, Copy, Debug, uniffi::Enum)]
pub enum TrustClass {
    /// Another device of the same person, nearby.
    OwnDevice,
    /// A machine of the person's organisation.
    Organisation,
    /// Anybody else's.
    PublicCloud,
}

/// Where a request ran, or was to run.
#[derive(Clone, Debug, uniffi::Enum)]
pub enum Place {
    /// A model of Whimbrel's own engine.
    OnDevice {
        /// The model's name.
        model: String,
        /// Which quantisation of it.
        variant: String,
        /// The hash that the bundle's manifest states.
        hash: String,
    },
    /// The system's model, which the app reaches.
    SystemModel {
        /// Its name.
        adapter: String,
    },
    /// An endpoint of the policy.
    Remote {
        /// The endpoint's id.
        endpoint: String,
        /// Whose machine it is.
        trust: TrustClass,
        /// The model that was asked for.
        model: String,
    },
}

/// In which form a text leaves the device.
#[derive(Clone, Copy, Debug, uniffi::Enum)]
pub enum Sent {
    /// As it is.
    AsIs,
    /// With every finding replaced by a placeholder.
    Redacted,
}

/// How a request ended. None of these is an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum Outcome {
    /// With an answer.
    Answered,
    /// The user or the app stopped it.
    Cancelled,
    /// Nothing that was tried gave an answer.
    Failed,
    /// The deadline passed. Receipts call this failed.
    DeadlinePassed,
    /// Nothing that the rules allow could answer; nothing was tried. Receipts call this failed.
    Unavailable,
    /// The rules deny it.
    Denied,
    /// It was put off to a better time.
    Deferred,
    /// The process ended before the request did. Only in receipts.
    Interrupted,
}

/// What an answer of an assistant brings, in this order, though beginnings, texts and restarts may come again.
// The report comes once an answer, and a box cannot cross the boundary.
#[allow(clippy::large_enum_variant)]
#[derive(Clone, Debug, uniffi::Enum)]
pub enum AssistantEvent {
    /// Something was asked.
    Trying {
        /// Its place.
        place: Place,
        /// In which form the text leaves the device; nothing when it stays.
        sent: Option<Sent>,
    },
    /// The next piece of text, never empty.
    Text {
        /// The piece.
        text: String,
    },
    /// The text so far is void: another place answers from the beginning.
    Restarted,
    /// It is over; nothing follows.
    Finished {
        /// How it went.
        report: Report,
    },
}

/// Something that was listed and not tried.
#[derive(Clone, Debug, uniffi::Record)]
pub struct Refused {
    /// Its name: `remote:` and the endpoint's id, for example.
    pub name: String,
    /// Why, in words.
    pub reason: String,
}

/// How a request went. It says what a person would ask for, and holds no text of theirs.
#[derive(Clone, Debug, uniffi::Record)]
pub struct Report {
    /// The receipt's number in the ledger.
    pub receipt: u64,
    /// How it ended.
    pub outcome: Outcome,
    /// Whether a part of an answer was shown and stays, though the outcome is not an answer.
    pub partial: bool,
    /// Where the answer came from, or what was tried last.
    pub place: Option<Place>,
    /// In which form the text left the device, if it did.
    pub sent: Option<Sent>,
    /// Why it ran there, in words.
    pub reasons: Vec<String>,
    /// The ids of the rules that had a say.
    pub rules: Vec<String>,
    /// The names of what was tried, in order.
    pub tried: Vec<String>,
    /// What was listed and not tried.
    pub refused: Vec<Refused>,
    /// Bytes that left the device.
    pub bytes_out: u64,
    /// Bytes that came back.
    pub bytes_in: u64,
    /// Findings that were replaced in text that left.
    pub redacted: u32,
    /// Tokens that were read for the answer.
    pub tokens_in: u64,
    /// Tokens of the answer.
    pub tokens_out: u64,
    /// From the request to the first text that stayed, in milliseconds.
    pub first_token_ms: Option<u64>,
    /// From the request to its end, in milliseconds.
    pub total_ms: u64,
    /// Thousandths of a joule that it took on this device, if there is an estimate.
    pub millijoules: Option<u64>,
    /// Whether the answer looks weak and may be asked for elsewhere: see `escalate`.
    pub can_escalate: bool,
    /// One line for a person: where it ran and why.
    pub summary: String,
    /// All of it, with each attempt and the device as it was seen, in JSON.
    pub json: String,
}

/// What would be decided about a question.
#[derive(Clone, Copy, Debug, uniffi::Enum)]
pub enum Decision {
    /// Something may be tried.
    Run,
    /// Nothing can be tried now, and the request may wait.
    Defer,
    /// The rules deny everything that was listed.
    Denied,
    /// Something is allowed, but nothing can answer now.
    Unavailable,
}

/// A decision with everything that led to it.
#[derive(Clone, Debug, uniffi::Record)]
pub struct Explanation {
    /// The decision.
    pub decision: Decision,
    /// The names of what would be tried, in order.
    pub candidates: Vec<String>,
    /// What was listed and would not be tried.
    pub refused: Vec<Refused>,
    /// The ids of the rules that have a say.
    pub rules: Vec<String>,
    /// All of it for a person.
    pub text: String,
    /// All of it in JSON.
    pub json: String,
}

/// Something personal or secret in a text.
#[derive(Clone, Debug, uniffi::Record)]
pub struct Finding {
    /// Its kind: `email`, `phone`, `person_name` and so on.
    pub kind: String,
    /// The index of its first character (Unicode scalar value).
    pub start: u32,
    /// The index behind its last character.
    pub end: u32,
    /// How sure this is, from 0 to 1.
    pub confidence: f32,
}

/// A text with its findings replaced.
#[derive(Clone, Debug, uniffi::Record)]
pub struct RedactedText {
    /// The text with placeholders.
    pub text: String,
    /// What was found in the original, in its order.
    pub findings: Vec<Finding>,
}

/// How often a kind of finding occurred.
#[derive(Clone, Debug, uniffi::Record)]
pub struct FindingCount {
    /// The kind, as in `Finding`.
    pub kind: String,
    /// How often.
    pub count: u64,
}

impl From<AskOptions> for core::AskOptions {
    fn from(from: AskOptions) -> Self {
        core::AskOptions {
            task: from.task,
            class: from.privacy_class.into(),
            deadline_ms: from.deadline_ms,
            needs: from.needs.into_iter().map(Into::into).collect(),
            generation: from.generation.into(),
        }
    }
}

impl From<PrivacyClass> for privacy::PrivacyClass {
    fn from(from: PrivacyClass) -> Self {
        match from {
            PrivacyClass::Public => privacy::PrivacyClass::Public,
            PrivacyClass::Personal => privacy::PrivacyClass::Personal,
            PrivacyClass::Sensitive => privacy::PrivacyClass::Sensitive,
            PrivacyClass::Secret => privacy::PrivacyClass::Secret,
        }
    }
}

impl From<privacy::PrivacyClass> for PrivacyClass {
    fn from(from: privacy::PrivacyClass) -> Self {
        match from {
            privacy::PrivacyClass::Public => PrivacyClass::Public,
            privacy::PrivacyClass::Personal => PrivacyClass::Personal,
            privacy::PrivacyClass::Sensitive => PrivacyClass::Sensitive,
            privacy::PrivacyClass::Secret => PrivacyClass::Secret,
        }
    }
}

impl From<Need> for policy::Need {
    fn from(from: Need) -> Self {
        match from {
            Need::Tools => policy::Need::Tools,
            Need::Json => policy::Need::Json,
        }
    }
}

impl From<&store::Place> for Place {
    fn from(from: &store::Place) -> Self {
        match from {
            store::Place::OnDevice { model, variant, hash } => Place::OnDevice {
                model: model.to_string(),
                variant: variant.to_string(),
                hash: hash.to_string(),
            },
            store::Place::SystemModel { adapter } => Place::SystemModel {
                adapter: adapter.to_string(),
            },
            store::Place::Remote { endpoint, trust, model } => Place::Remote {
                endpoint: endpoint.to_string(),
                trust: match trust {
                    store::TrustClass::OwnDevice => TrustClass::OwnDevice,
                    store::TrustClass::Organisation => TrustClass::Organisation,
                    store::TrustClass::PublicCloud => TrustClass::PublicCloud,
                },
                model: model.to_string(),
            },
        }
    }
}

impl From<store::Sent> for Sent {
    fn from(from: store::Sent) -> Self {
        match from {
            store::Sent::AsIs => Sent::AsIs,
            store::Sent::Redacted => Sent::Redacted,
        }
    }
}

impl From<core::AssistantEvent> for AssistantEvent {
    fn from(from: core::AssistantEvent) -> Self {
        match from {
            core::AssistantEvent::Trying { place, sent } => AssistantEvent::Trying {
                place: (&place).into(),
                sent: sent.map(Into::into),
            },
            core::AssistantEvent::Text(text) => AssistantEvent::Text { text },
            core::AssistantEvent::Restarted => AssistantEvent::Restarted,
            core::AssistantEvent::Finished(report) => AssistantEvent::Finished {
                report: (&*report).into(),
            },
        }
    }
}

impl From<&core::Report> for Report {
    fn from(from: &core::Report) -> Self {
        let (outcome, partial) = match from.end {
            End::Answered { .. } => (Outcome::Answered, false),
            End::Deferred => (Outcome::Deferred, false),
            End::Failed { partial } => (Outcome::Failed, partial),
            End::DeadlinePassed { partial } => (Outcome::DeadlinePassed, partial),
            End::Cancelled { partial } => (Outcome::Cancelled, partial),
            End::Denied => (Outcome::Denied, false),
            End::Unavailable => (Outcome::Unavailable, false),
        };
        Report {
            receipt: from.receipt.0,
            outcome,
            partial,
            place: from.place.as_ref().map(Into::into),
            sent: from.sent.map(Into::into),
            reasons: from.reasons.clone(),
            rules: from.rules.clone(),
            tried: from.attempts.iter().map(|attempt| attempt.name.clone()).collect(),
            refused: refused(&from.refused),
            bytes_out: from.bytes_out,
            bytes_in: from.bytes_in,
            redacted: from.redacted,
            tokens_in: from.tokens.input,
            tokens_out: from.tokens.output,
            first_token_ms: from.first_token_ms,
            total_ms: from.total_ms,
            millijoules: from.energy.as_ref().map(|energy| energy.millijoules),
            can_escalate: from.escalation.is_some(),
            summary: from.summary(),
            json: json(from),
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
        let plan: &Plan = &from.plan;
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

impl From<privacy::Redacted> for RedactedText {
    fn from(from: privacy::Redacted) -> Self {
        let finding = |from: privacy::RedactedFinding| Finding {
            kind: from.kind.name().into(),
            start: from.start,
            end: from.end,
            confidence: from.confidence,
        };
        RedactedText {
            text: from.text,
            findings: from.findings.into_iter().map(finding).collect(),
        }
    }
}

/// How often each kind occurred, the kinds in a fixed order.
pub(crate) fn counts<N: Copy + Into<u64>>(from: &BTreeMap<FindingKind, N>) -> Vec<FindingCount> {
    from.iter()
        .map(|(kind, count)| FindingCount {
            kind: kind.name().into(),
            count: (*count).into(),
        })
        .collect()
}

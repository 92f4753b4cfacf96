//! The result of a decision: what may be tried and in which order, what was refused and why, and every rule that was considered.

use std::fmt;

use serde::Serialize;
use serde::ser::{SerializeStruct, Serializer};
use whimbrel_privacy::{ContentFacts, Permit, PrivacyClass, Release};
use whimbrel_record::{CANDIDATES_MAX, Intent, Label, Place, Planned, RULES_MAX};

use crate::condition::Found;
use crate::document::PolicyRole;
use crate::history::Recipients;
use crate::id::Id;
use crate::refusal::{Refusal, Refused};
use crate::request::RequestFacts;

/// The expected cost and time of a candidate, as far as they are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Expected {
    /// Milliseconds to the first token.
    pub first_token_ms: Option<u64>,
    /// Milliseconds to the end of an answer of the maximum length.
    pub total_ms: Option<u64>,
    /// Cost of an answer of the maximum length in millionths of the policy's currency.
    pub cost_micros: u64,
    /// Bytes over the network, both ways, estimated.
    pub network_bytes: u64,
}

/// What was learned about a candidate for the task.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Quality {
    /// The expected reward, 0 to 1.
    pub mean: f64,
    /// The value drawn for this request, by which candidates are ordered.
    pub drawn: f64,
    /// The amount of feedback behind it, after decay; 0 if nothing was learned.
    pub evidence: f64,
}

/// Which list allowed a candidate.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Reason {
    /// The first matching `try` rule, or the first matching rule about a tool.
    Rule {
        /// The document.
        document: PolicyRole,
        /// Its id.
        rule: Id,
    },
    /// The task's `otherwise`, because no `try` rule matched.
    TaskOtherwise {
        /// The document.
        document: PolicyRole,
    },
    /// The document's `otherwise`.
    Otherwise {
        /// The document.
        document: PolicyRole,
    },
    /// The user's document requires redaction where the app's would send the text as it is.
    RedactedForUser,
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Rule { document, rule } => write!(formatter, "the {}'s rule {rule}", document.name()),
            Reason::TaskOtherwise { document } => {
                write!(formatter, "`otherwise` of the task in the {}'s policy", document.name())
            }
            Reason::Otherwise { document } => write!(formatter, "`otherwise` of the {}'s policy", document.name()),
            Reason::RedactedForUser => formatter.write_str("redacted because the user's policy requires it"),
        }
    }
}

/// A place that may be tried. Only [`route`](crate::route) makes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    pub(crate) place: Place,
    /// The endpoint's id exactly as the policy has it.
    pub(crate) endpoint: Option<Id>,
    pub(crate) release: Option<Release>,
    pub(crate) reasons: Vec<Reason>,
    pub(crate) expected: Expected,
    pub(crate) quality: Option<Quality>,
    pub(crate) class: PrivacyClass,
    /// The text that it was decided about; none where nothing can leave.
    pub(crate) digest: Option<whimbrel_privacy::ContentDigest>,
}

impl Candidate {
    /// Where the request would run.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The id of the endpoint in the policy; `None` if this candidate stays on the device.
    #[must_use]
    pub fn endpoint_id(&self) -> Option<&Id> {
        self.endpoint.as_ref()
    }

    /// In which form the text would leave; `None` if it stays on the device.
    #[must_use]
    pub fn release(&self) -> Option<Release> {
        self.release
    }

    /// Why it may be tried.
    #[must_use]
    pub fn reasons(&self) -> &[Reason] {
        &self.reasons
    }

    /// The ids of the rules among the reasons, for the receipt.
    #[must_use]
    pub fn rule_ids(&self) -> Vec<String> {
        let id = |reason: &Reason| match reason {
            Reason::Rule { rule, .. } => Some(rule.to_string()),
            _ => None,
        };
        self.reasons.iter().filter_map(id).collect()
    }

    /// The expected cost and time.
    #[must_use]
    pub fn expected(&self) -> &Expected {
        &self.expected
    }

    /// Its learned quality, if the order is by quality.
    #[must_use]
    pub fn quality(&self) -> Option<&Quality> {
        self.quality.as_ref()
    }

    /// Its name in plans and in learning: [`Place::candidate_name`].
    #[must_use]
    pub fn name(&self) -> String {
        self.place.candidate_name(self.release)
    }

    /// The permit to send the draft with these facts; `None` if this candidate stays on the device, or was decided for another draft.
    #[must_use]
    #[allow(
        clippy::disallowed_methods,
        reason = "this is the one place where permits are given, for what the rules allow"
    )]
    pub fn permit(&self, facts: &ContentFacts) -> Option<Permit> {
        let (Some(id), Some(release)) = (&self.endpoint, self.release) else {
            return None;
        };
        if self.digest != Some(facts.digest) || facts.class > self.class {
            return None;
        }
        Some(Permit::issue(id, release, facts))
    }
}

impl Serialize for Candidate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut record = serializer.serialize_struct("Candidate", 6)?;
        record.serialize_field("name", &self.name())?;
        record.serialize_field("place", &self.place)?;
        record.serialize_field("release", &self.release)?;
        record.serialize_field("reasons", &self.reasons)?;
        record.serialize_field("expected", &self.expected)?;
        record.serialize_field("quality", &self.quality)?;
        record.end()
    }
}

/// The effect of one rule.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum RuleOutcome {
    /// It matched, and its denials apply.
    Denies {
        /// A condition that held only because its reading is unknown.
        assumed: Option<&'static str>,
    },
    /// It was the first `try` rule that matched: its list applies.
    Decides {
        /// A condition that held only because its reading is unknown.
        assumed: Option<&'static str>,
    },
    /// It has a `try`, but an earlier rule had already decided.
    NotReached,
    /// A condition did not hold.
    DoesNotMatch {
        /// The first condition that did not hold, a field of `when`.
        condition: &'static str,
        /// The value that was found.
        found: Found,
    },
}

/// A rule that was considered.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct RuleTrace {
    /// The document.
    pub document: PolicyRole,
    /// Its id.
    pub rule: Id,
    /// Its effect.
    #[serde(flatten)]
    pub outcome: RuleOutcome,
}

/// The request may wait and be decided again later.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Deferred {
    /// Why it may wait: where `queue` is listed.
    pub reasons: Vec<Reason>,
}

/// The timeouts of a plan, in milliseconds.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub struct Bounds {
    /// The deadline of the whole request, from the decision.
    pub deadline_ms: u64,
    /// For a candidate's first token.
    pub first_token_ms: u64,
    /// For a candidate's whole answer.
    pub candidate_ms: u64,
}

/// A budget for a request with all its candidates, or for a day. `None` means no limit.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Budget {
    /// Cost in millionths of the policy's currency.
    pub cost_micros: Option<u64>,
    /// Bytes both ways, on a metered network.
    pub network_bytes: Option<u64>,
}

/// The decision about a request.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// Try the candidates.
    Run,
    /// No candidate can be tried now, but the request may wait.
    Defer,
    /// The policy denies every place that it lists.
    Denied,
    /// Some places are allowed, but none can answer now.
    Unavailable,
}

/// A decision with its candidates.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Plan {
    /// The decision.
    pub decision: Decision,
    /// What may be tried, in this order. Nothing outside this list is ever tried.
    pub candidates: Vec<Candidate>,
    /// Set if the request may wait when no candidate answered.
    pub deferred: Option<Deferred>,
    /// Places that are listed but not tried.
    pub refused: Vec<Refused>,
    /// Every rule, the app's first, in the order of the documents.
    pub considered: Vec<RuleTrace>,
    /// The timeouts.
    pub bounds: Bounds,
    /// The timeouts for candidates on this device that are followed by a place off the device: the app's own, so that a user's shorter
    /// timeouts never send text out that would have stayed.
    pub bounds_staying: Bounds,
    /// The budget of all candidates together. Each candidate of the plan fits into it by itself.
    pub budget: Budget,
    /// The budget of all requests of a day together.
    pub budget_of_day: Budget,
    /// How old an answer to exactly this request may be to be given again, and for how long the new one is remembered, in milliseconds;
    /// `None` if no answer is remembered.
    pub remembered_ms: Option<u64>,
    /// Who may read this exchange when later questions include it as history.
    #[serde(skip)]
    pub recipients: Recipients,
}

impl Plan {
    /// The plan of a request without a policy: the engine on this device answers, within this deadline.
    #[must_use]
    pub fn on_device(place: Place, deadline_ms: u64) -> Plan {
        let bounds = Bounds {
            deadline_ms,
            first_token_ms: deadline_ms,
            candidate_ms: deadline_ms,
        };
        Plan {
            decision: Decision::Run,
            candidates: vec![Candidate {
                place,
                endpoint: None,
                release: None,
                reasons: Vec::new(),
                expected: Expected::default(),
                quality: None,
                class: PrivacyClass::Public,
                digest: None,
            }],
            deferred: None,
            refused: Vec::new(),
            considered: Vec::new(),
            bounds,
            bounds_staying: bounds,
            budget: Budget::default(),
            budget_of_day: Budget::default(),
            remembered_ms: None,
            recipients: Recipients::Any,
        }
    }

    /// The receipt's first entry, which is written before anything else happens. `bytes_out_max` has a number for each candidate.
    #[must_use]
    pub fn intent(&self, request: &RequestFacts, content: &ContentFacts, bytes_out_max: &[u64]) -> Intent {
        let (id, task) = (Label::squeezed(&request.id), Label::squeezed(&request.task));
        let mut intent = Intent::new(id, task, content.class);
        intent.rules = labels(&self.rule_ids());
        intent.findings = content.findings.clone();
        let planned = self.candidates.iter().zip(bytes_out_max);
        intent.planned = planned
            .map(|(candidate, bytes_out_max)| Planned {
                place: candidate.place.clone(),
                sent: candidate.release,
                bytes_out_max: *bytes_out_max,
                rules: labels(&candidate.rule_ids()),
            })
            .collect();
        let of_history = |refused: &&Refused| matches!(refused.reason, Refusal::History { .. });
        let kept = self.refused.iter().filter(of_history).take(CANDIDATES_MAX as usize);
        intent.history = kept.map(|refused| Label::squeezed(&refused.name)).collect();
        intent
    }

    /// Whether the deadline alone keeps everything that is there and allowed from being tried: no place would begin its answer in time.
    #[must_use]
    pub fn is_too_slow(&self) -> bool {
        let is_possible = |refused: &&Refused| !refused.reason.is_absence() && !refused.reason.is_denial();
        let mut possible = self.refused.iter().filter(is_possible).peekable();
        possible.peek().is_some() && possible.all(|refused| matches!(refused.reason, Refusal::TooSlow { .. }))
    }

    /// The ids of the rules that affected it, denials too, without repetition: for the receipt.
    #[must_use]
    pub fn rule_ids(&self) -> Vec<String> {
        let had_a_say =
            |trace: &&RuleTrace| matches!(trace.outcome, RuleOutcome::Denies { .. } | RuleOutcome::Decides { .. });
        let mut ids: Vec<String> = Vec::new();
        for trace in self.considered.iter().filter(had_a_say) {
            if !ids.iter().any(|id| **id == *trace.rule) {
                ids.push(trace.rule.to_string());
            }
        }
        ids
    }
}

/// Rule ids as a receipt holds them.
pub(crate) fn labels(ids: &[String]) -> Vec<Label> {
    ids.iter()
        .take(RULES_MAX as usize)
        .map(|id| Label::squeezed(id))
        .collect()
}

//! Explains a decision in words. It prints the plan that [`route`] made; it decides nothing itself.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use whimbrel_privacy::{FindingKind, PrivacyClass};
use whimbrel_record::size;

use crate::condition::class_name;
use crate::device::DeviceView;
use crate::plan::{Decision, Plan, RuleOutcome, RuleTrace};
use crate::refusal::units;
use crate::route::{DAY_MS, RouteInput, route};

/// The request that the decision was about.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ExplainedRequest {
    /// The request's id.
    pub id: String,
    /// The task.
    pub task: String,
    /// The class of the text.
    pub class: PrivacyClass,
    /// What was found in the text, and how many different values of each kind.
    pub findings: BTreeMap<FindingKind, u32>,
    /// What may be in the text without being sure enough to be replaced, and how many different values of each kind.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub guesses: BTreeMap<FindingKind, u32>,
    /// The text's length in bytes.
    pub text_bytes: u64,
    /// Tokens of the prompt, estimated.
    pub prompt_tokens: u32,
    /// Maximum tokens of the answer.
    pub answer_tokens_max: u32,
}

/// A decision and how it was made.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explanation {
    /// The request.
    pub request: ExplainedRequest,
    /// The valid readings of the device: expired ones are absent.
    pub device: DeviceView,
    /// Name of the app's policy.
    pub app_policy: String,
    /// Name of the user's policy.
    pub user_policy: Option<String>,
    /// The currency of costs.
    pub currency: Option<String>,
    /// The decision itself, as [`route`] made it.
    pub plan: Plan,
}

/// Decides, and keeps the data of the decision.
#[must_use]
pub fn explain(input: &RouteInput<'_>) -> Explanation {
    let (request, content, policies) = (input.request, input.content, input.policies);
    Explanation {
        request: ExplainedRequest {
            id: request.id.clone(),
            task: request.task.clone(),
            class: content.class,
            findings: content.findings.clone(),
            guesses: content.guesses.clone(),
            text_bytes: content.text_bytes,
            prompt_tokens: request.prompt_tokens,
            answer_tokens_max: request.answer_tokens_max,
        },
        device: input.device.view(input.now_ms),
        app_policy: policies.app().name().to_owned(),
        user_policy: policies.user().map(|user| user.name().to_owned()),
        currency: policies.app().currency().map(str::to_owned),
        plan: route(input),
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let request = &self.request;
        let class = class_name(request.class);
        writeln!(formatter, "request {}, task {}: {class}", request.id, request.task)?;
        for (kind, count) in &request.findings {
            writeln!(formatter, "  found {count} × {}", kind.name())?;
        }
        for (kind, count) in &request.guesses {
            writeln!(formatter, "  maybe {count} × {}", kind.name())?;
        }
        let user = self.user_policy.as_deref().map(|name| format!(", tightened by {name}"));
        writeln!(formatter, "policy {}{}", self.app_policy, user.unwrap_or_default())?;
        self.plan.fmt(formatter)
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decision = match self.decision {
            Decision::Run => "try these, in this order:",
            Decision::Defer => "wait, and decide again later",
            Decision::Denied => "denied",
            Decision::Unavailable => "no allowed place can answer now",
        };
        writeln!(formatter, "decision: {decision}")?;
        for (index, candidate) in self.candidates.iter().enumerate() {
            let reasons: Vec<_> = candidate.reasons.iter().map(ToString::to_string).collect();
            writeln!(
                formatter,
                "  {}. {} ({})",
                index + 1,
                candidate.name(),
                reasons.join("; ")
            )?;
            let expected = &candidate.expected;
            if let Some(first) = expected.first_token_ms {
                writeln!(formatter, "     first token after about {first} ms")?;
            }
            if expected.network_bytes > 0 {
                let (cost, bytes) = (units(expected.cost_micros), size(expected.network_bytes));
                writeln!(formatter, "     may cost {cost} and transfer {bytes}")?;
            }
            if let Some(quality) = &candidate.quality {
                let (mean, evidence) = (quality.mean, quality.evidence);
                writeln!(
                    formatter,
                    "     quality so far {mean:.2}, based on feedback with a weight of {evidence:.1}"
                )?;
            }
        }
        if self.deferred.is_some() && self.decision != Decision::Defer {
            writeln!(formatter, "  then wait, and decide again later")?;
        }
        if !self.refused.is_empty() {
            writeln!(formatter, "not tried:")?;
        }
        for refused in &self.refused {
            writeln!(formatter, "  {}: {}", refused.name, refused.reason)?;
        }
        if !self.considered.is_empty() {
            writeln!(formatter, "rules:")?;
        }
        for trace in &self.considered {
            writeln!(formatter, "  {trace}")?;
        }
        let bounds = &self.bounds;
        writeln!(
            formatter,
            "time limits: first token {} ms, one candidate {} ms, in total {} ms",
            bounds.first_token_ms, bounds.candidate_ms, bounds.deadline_ms
        )?;
        match self.remembered_ms.map(|time_ms| time_ms / DAY_MS) {
            None => writeln!(formatter, "the answer is not remembered"),
            Some(1) => writeln!(formatter, "the answer is remembered for 1 day"),
            Some(days) => writeln!(formatter, "the answer is remembered for {days} days"),
        }
    }
}

impl fmt::Display for RuleTrace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}: ", self.document.name(), self.rule)?;
        let assumed = match &self.outcome {
            RuleOutcome::NotReached => return formatter.write_str("not reached, an earlier rule decided"),
            RuleOutcome::DoesNotMatch { condition, found } => {
                return write!(formatter, "does not match: {condition} is {found}");
            }
            RuleOutcome::Denies { assumed } => {
                formatter.write_str("matches, and denies")?;
                assumed
            }
            RuleOutcome::Decides { assumed } => {
                formatter.write_str("matches, and decides")?;
                assumed
            }
        };
        match assumed {
            Some(condition) => write!(formatter, " ({condition} is unknown, which counts as matching)"),
            None => Ok(()),
        }
    }
}

//! From a decision and what came of it to the receipt's two entries.

use std::collections::BTreeMap;

use whimbrel_policy::{Attempt, AttemptEnd, Candidate, End, Plan, PolicySet, Target, TrustClass};
use whimbrel_privacy::{ContentFacts, FindingKind, Release};
use whimbrel_store::{
    Closing, Ended as StoredEnd, Energy, Intent, Label, Latency, Outcome, Place, Planned, RULES_MAX, Sent, Tokens,
};

use super::attempt::Ended;

/// Watts that a busy core is assumed to draw. A round figure for a phone's performance core: the method's name in the receipt says so.
const WATTS_A_THREAD: f64 = 2.0;
const ENERGY_METHOD: &str = "assumed-2-watts-a-thread";

/// Where a candidate runs, as the receipt says it.
pub(super) fn place(candidate: &Candidate, policies: &PolicySet, model_hash: &str) -> Place {
    match candidate.target() {
        Target::OnDevice { model, variant } => Place::OnDevice {
            model: Label::squeezed(model),
            variant: Label::squeezed(variant),
            hash: Label::squeezed(model_hash),
        },
        Target::SystemModel { model } => Place::SystemModel {
            adapter: Label::squeezed(model),
        },
        Target::Endpoint { id } => {
            let endpoint = policies.app().endpoints().iter().find(|endpoint| *endpoint.id == **id);
            Place::Remote {
                endpoint: Label::squeezed(id),
                trust: match endpoint.map(|endpoint| endpoint.trust) {
                    Some(TrustClass::OwnDeviceNearby) => whimbrel_store::TrustClass::OwnDevice,
                    Some(TrustClass::Organisation) => whimbrel_store::TrustClass::Organisation,
                    Some(TrustClass::PublicCloud) | None => whimbrel_store::TrustClass::PublicCloud,
                },
                model: Label::squeezed(endpoint.map_or("", |endpoint| &endpoint.model)),
            }
        }
    }
}

pub(super) fn sent(candidate: &Candidate) -> Option<Sent> {
    candidate.release().map(|release| match release {
        Release::AsIs => Sent::AsIs,
        Release::Redacted => Sent::Redacted,
    })
}

/// What is written down before anything happens. `bytes_out_max` has a number for each candidate.
pub(super) fn intent(
    plan: &Plan,
    request_id: &str,
    task: &str,
    content: &ContentFacts,
    places: &[Place],
    bytes_out_max: &[u64],
) -> Intent {
    let mut intent = Intent::new(Label::squeezed(request_id), Label::squeezed(task), content.class);
    intent.rules = labels(&plan.rule_ids());
    intent.findings = content.findings.clone();
    let planned = plan.candidates.iter().zip(places).zip(bytes_out_max);
    intent.planned = planned
        .map(|((candidate, place), bytes_out_max)| Planned {
            place: place.clone(),
            sent: sent(candidate),
            bytes_out_max: *bytes_out_max,
            rules: labels(&candidate.rule_ids()),
        })
        .collect();
    intent
}

/// The receipt's end. `ended` has what each attempt took, in order.
pub(super) fn closing(plan: &Plan, places: &[Place], end: End, attempts: &[Attempt], ended: &[Ended]) -> Closing {
    let mut closing = Closing::new(outcome(end));
    closing.error = error(end, ended).map(Label::squeezed);
    let total_ms = attempts
        .iter()
        .filter_map(|attempt| attempt.ended_ms)
        .max()
        .unwrap_or(0);
    closing.latency = Latency {
        queue_ms: 0,
        first_token_ms: attempts.last().and_then(|attempt| attempt.first_token_ms),
        total_ms,
    };
    let mut redacted: BTreeMap<FindingKind, u32> = BTreeMap::new();
    let mut joules = 0.0;
    for (attempt, took) in attempts.iter().zip(ended) {
        let milliseconds = attempt.ended_ms.unwrap_or(total_ms).saturating_sub(attempt.started_ms);
        joules += milliseconds as f64 / 1e3 * f64::from(took.threads) * WATTS_A_THREAD;
        for (kind, count) in &took.redacted {
            *redacted.entry(*kind).or_default() += count;
        }
        let candidate = &plan.candidates[attempt.candidate as usize];
        closing.attempts.push(whimbrel_store::Attempt {
            place: places[attempt.candidate as usize].clone(),
            sent: sent(candidate),
            ended: match took.is_skipped {
                true => StoredEnd::Skipped,
                false => stored_end(attempt.end),
            },
            error: took.code.map(Label::squeezed),
            rules: labels(&candidate.rule_ids()),
            milliseconds,
            bytes_out: took.bytes_out,
            bytes_in: took.bytes_in,
        });
    }
    closing.redacted = redacted;
    if let (End::Answered { .. } | End::Cancelled { .. }, Some(took)) = (end, ended.last()) {
        closing.tokens = Tokens {
            input: took.tokens_in,
            output: took.tokens_out,
        };
    }
    if joules > 0.0 {
        closing.energy = Some(Energy {
            millijoules: (joules * 1e3) as u64,
            method: Label::squeezed(ENERGY_METHOD),
        });
    }
    closing
}

fn outcome(end: End) -> Outcome {
    match end {
        End::Answered { .. } => Outcome::Answered,
        End::Deferred => Outcome::Deferred,
        End::Denied => Outcome::Denied,
        End::Cancelled { .. } => Outcome::Cancelled,
        End::Failed { .. } | End::DeadlinePassed { .. } | End::Unavailable => Outcome::Failed,
    }
}

fn error(end: End, ended: &[Ended]) -> Option<&'static str> {
    match end {
        End::DeadlinePassed { .. } => Some("deadline"),
        End::Unavailable => Some("unavailable"),
        End::Failed { .. } => ended.last().and_then(|ended| ended.code).or(Some("timed_out")),
        End::Answered { .. } | End::Deferred | End::Denied | End::Cancelled { .. } => None,
    }
}

fn stored_end(end: Option<AttemptEnd>) -> StoredEnd {
    match end {
        Some(AttemptEnd::Answered) => StoredEnd::Answered,
        Some(AttemptEnd::Cancelled) => StoredEnd::Cancelled,
        Some(AttemptEnd::NoFirstToken | AttemptEnd::TooLong | AttemptEnd::Deadline) => StoredEnd::TimedOut,
        Some(AttemptEnd::Failed { .. } | AttemptEnd::Busy | AttemptEnd::OutOfMemory) | None => StoredEnd::Failed,
    }
}

fn labels(ids: &[String]) -> Vec<Label> {
    ids.iter()
        .take(RULES_MAX as usize)
        .map(|id| Label::squeezed(id))
        .collect()
}

/// The name under which the router learns about a place: as [`Candidate::name`].
pub(super) fn candidate_name(place: &Place, sent: Option<Sent>) -> String {
    match place {
        Place::OnDevice { model, variant, .. } => format!("on_device:{model}/{variant}"),
        Place::SystemModel { adapter } => format!("system_model:{adapter}"),
        Place::Remote { endpoint, .. } => match sent {
            Some(Sent::Redacted) => format!("redact_then_remote:{endpoint}"),
            _ => format!("remote:{endpoint}"),
        },
    }
}

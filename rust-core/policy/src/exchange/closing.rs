//! The result of a request: the receipt's second entry, the costs, and whether the answer is kept, learned from or offered elsewhere.

use std::collections::BTreeMap;

use whimbrel_privacy::FindingKind;
use whimbrel_record::{
    self as record, AttemptEnd, Closing, Code, FinishReason, Label, Latency, Outcome, Signal, Tokens,
};

use super::{Attempt, Confidence, Ended, Ending, Escalation, EscalationThresholds, Exchange, escalation};
use crate::plan::{Plan, labels};

/// See the module.
#[derive(Clone, Debug, PartialEq)]
pub struct Conclusion {
    /// How the request ended.
    pub ending: Ending,
    /// Why the answer is complete, if there is one.
    pub finish: Option<FinishReason>,
    /// The receipt's second entry, without what it took in parts and in energy: whoever carried it out measured that.
    pub closing: Closing,
    /// The attempts, in order.
    pub attempts: Vec<Attempt>,
    /// The cost, in millionths of the policy's currency.
    pub cost_micros: u64,
    /// Bytes both ways, if they count on a metered network.
    pub metered_bytes: u64,
    /// Bytes that left the device.
    pub bytes_out: u64,
    /// Bytes that were received.
    pub bytes_in: u64,
    /// What becomes part of the conversation.
    pub kept: Kept,
    /// What the end says about the answer.
    pub signal: Option<Signal>,
    /// Set if the answer looks weak and the question may be asked again elsewhere. Never if it calls tools.
    pub escalation: Option<Escalation>,
}

/// What becomes part of a conversation when a request has ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kept {
    /// Nothing: the question was cancelled, went nowhere by the rules, or failed for a reason of its own, as every question after it would too.
    /// Also if the answer calls tools: question and answer are kept together when the last round is over.
    Nothing,
    /// The question: places were asked and failed, and the next question may refer to it.
    Question,
    /// Question and answer, or the part of an answer at which the user stopped.
    Exchange,
}

impl Exchange {
    /// The result. `confidence` is the model's confidence in the answer, if it is known.
    ///
    /// # Panics
    /// Before [`super::Command::End`].
    #[must_use]
    pub fn conclude(self, confidence: Option<Confidence>) -> (Plan, Conclusion) {
        let ending = self.fallback.ending().expect("the exchange has ended");
        let attempts = self.fallback.attempts().to_vec();
        let last = self.ended.last().filter(|_| ending.candidate.is_some());
        let finish = last
            .and_then(|ended| ended.result.ok())
            .filter(|_| ending.is_answered());
        let sum = |part: fn(&Ended) -> u64| self.ended.iter().map(part).fold(0, u64::saturating_add);
        let (bytes_out, bytes_in) = (sum(|ended| ended.usage.bytes_out), sum(|ended| ended.usage.bytes_in));
        let costs = attempts.iter().zip(&self.ended).map(|(attempt, ended)| {
            let candidate = attempt.candidate as usize;
            self.prices[candidate].cost_micros(&self.plan.candidates[candidate], ended)
        });
        let calls_tools = finish == Some(FinishReason::ToolCalls);
        let is_cancelled_midway = ending.outcome == Outcome::Cancelled && ending.is_partial;
        let escalation = match (ending.is_answered(), ending.candidate, confidence) {
            (true, Some(answered), Some(confidence)) if !calls_tools => {
                escalation(&self.plan, answered, &confidence, &EscalationThresholds::default())
            }
            _ => None,
        };
        let conclusion = Conclusion {
            closing: closing(&self.plan, ending, finish, &attempts, &self.ended),
            cost_micros: costs.fold(0, u64::saturating_add),
            metered_bytes: if self.is_metered {
                bytes_out.saturating_add(bytes_in)
            } else {
                0
            },
            kept: kept(ending, finish, &attempts),
            signal: is_cancelled_midway.then_some(Signal::Aborted),
            escalation,
            ending,
            finish,
            attempts,
            bytes_out,
            bytes_in,
        };
        (self.plan, conclusion)
    }
}

fn kept(ending: Ending, finish: Option<FinishReason>, attempts: &[Attempt]) -> Kept {
    match ending.outcome {
        Outcome::Answered if finish == Some(FinishReason::ToolCalls) => Kept::Nothing,
        Outcome::Answered => Kept::Exchange,
        Outcome::Cancelled if ending.is_partial => Kept::Exchange,
        Outcome::Failed if !attempts.is_empty() && attempts.iter().all(|attempt| !is_of_question(attempt.code)) => {
            Kept::Question
        }
        _ => Kept::Nothing,
    }
}

/// Whether an attempt failed because of what was asked, and not of who was asked.
fn is_of_question(code: Option<Code>) -> bool {
    matches!(
        code,
        Some(
            Code::ContentFilter
                | Code::ContextFull
                | Code::Declined
                | Code::Form
                | Code::NoThinking
                | Code::NotCleared
                | Code::Refusal
                | Code::Refused
                | Code::Request
                | Code::RequestTooLarge
                | Code::Stop
                | Code::TooLong
                | Code::UnsupportedOption
        )
    )
}

/// The receipt's end. `ended` has what each attempt took, in order.
fn closing(
    plan: &Plan,
    ending: Ending,
    finish: Option<FinishReason>,
    attempts: &[Attempt],
    ended: &[Ended],
) -> Closing {
    let total_ms = attempts
        .iter()
        .filter_map(|attempt| attempt.ended_ms)
        .max()
        .unwrap_or(0);
    let mut closing = Closing::new(ending.outcome);
    for (attempt, took) in attempts.iter().zip(ended) {
        let written = attempt_entry(plan, attempt, took, total_ms);
        raise(&mut closing.redacted, &took.usage.redacted);
        raise(&mut closing.repeated, &took.usage.repeated);
        closing.attempts.push(written);
    }
    closing.error = ending.code.map(Label::from);
    closing.finish = finish;
    if finish == Some(FinishReason::ToolCalls) {
        closing.calls = ended.last().map_or_else(BTreeMap::new, |ended| ended.calls.clone());
    }
    closing.latency = Latency {
        queue_ms: 0,
        first_token_ms: attempts.last().and_then(|attempt| attempt.first_token_ms),
        total_ms,
    };
    if matches!(ending.outcome, Outcome::Answered | Outcome::Cancelled) {
        closing.tokens = ended.last().map_or_else(Tokens::default, |ended| ended.usage.tokens);
    }
    closing
}

/// Takes the higher count of each kind: every attempt sends the same text, so a value that two attempts sent is one.
fn raise(counts: &mut BTreeMap<FindingKind, u32>, other: &BTreeMap<FindingKind, u32>) {
    for (kind, count) in other {
        let known = counts.entry(*kind).or_default();
        *known = (*count).max(*known);
    }
}

fn attempt_entry(plan: &Plan, attempt: &Attempt, took: &Ended, total_ms: u64) -> record::Attempt {
    let candidate = &plan.candidates[attempt.candidate as usize];
    let code = match attempt.end {
        // How a place that was stopped says so is no error.
        Some(AttemptEnd::Cancelled) if !took.is_skipped => None,
        _ => attempt.code.or(took.result.err()),
    };
    record::Attempt {
        place: candidate.place().clone(),
        sent: candidate.release(),
        ended: match took.is_skipped {
            true => AttemptEnd::Skipped,
            false => attempt.end.unwrap_or(AttemptEnd::Failed),
        },
        error: code.map(Label::from),
        rules: labels(&candidate.rule_ids()),
        milliseconds: attempt.ended_ms.unwrap_or(total_ms).saturating_sub(attempt.started_ms),
        bytes_out: took.usage.bytes_out,
        bytes_in: took.usage.bytes_in,
    }
}

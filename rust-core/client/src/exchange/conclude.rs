//! The stages after the answer: usage is added up, the receipt's second entry is written, and the report is assembled.

use std::sync::Arc;

use whimbrel_policy::{Conclusion, Confidence, DeviceView, Kept, SetAside, Usage, UsedToday, repetition_ratio};
use whimbrel_privacy::{ExaminedMessage, PrivacyClass};
use whimbrel_record::{FinishReason, Measured, Outcome, ReceiptId};

use super::run::{Details, Ran};
use super::{Answered, Job, candidate};
use crate::ClientError;
use crate::performance::Measuring;
use crate::report::Report;
use crate::services::Services;

/// What is known of a request before anything of it runs.
pub(super) struct Known {
    /// What was found in each of its messages.
    pub(super) examined: Vec<ExaminedMessage>,
    /// How private its text is.
    pub(super) class: PrivacyClass,
    /// The device at the decision.
    pub(super) device: DeviceView,
    /// What was read when it began.
    pub(super) measuring: Measuring,
    /// What examining and deciding took.
    pub(super) measured: Measured,
}

/// Writes the receipt's end and reports.
///
/// # Errors
/// Without rules, the error of the model; [`ClientError::Stopped`].
pub(super) async fn conclude(
    services: &Arc<Services>,
    mut job: Job,
    known: Known,
    receipt: Option<ReceiptId>,
    ran: Ran,
) -> Result<Answered, ClientError> {
    let Ran {
        exchange,
        answer,
        calls,
        set_aside,
        mut last,
    } = ran;
    let confidence = confidence(&answer, &last.usage);
    let (plan, mut conclusion) = exchange.conclude(confidence);
    let Known {
        examined,
        class,
        device,
        measuring,
        measured,
    } = known;
    let parts = Measured {
        examine_us: measured.examine_us,
        decide_us: measured.decide_us,
        ..last.measured
    };
    measuring.end(services, parts, &mut conclusion.closing);
    let mut is_recorded = true;
    if let Some(receipt) = receipt {
        is_recorded = write(services, &job, receipt, &conclusion, set_aside).await?;
    } else if conclusion.ending.outcome == Outcome::Failed
        && let Some(error) = last.error.take()
    {
        return Err(error);
    }
    if !conclusion.closing.redacted.is_empty() {
        job.placeholders.note_sent();
    }
    let finish = conclusion.finish;
    let kept = match conclusion.kept {
        Kept::Exchange if answer.is_empty() => Kept::Nothing,
        kept => kept,
    };
    Ok(Answered {
        text: answer,
        kept,
        recipients: plan.recipients.clone(),
        report: Report {
            is_recorded,
            ..report(device, plan, conclusion, receipt, last)
        },
        remembering: None,
        examined,
        placeholders: job.placeholders,
        // Those of an attempt that was stopped or given up do not count.
        calls: match finish {
            Some(FinishReason::ToolCalls) => calls,
            _ => Vec::new(),
        },
        class,
    })
}

/// Settles what was set aside, and writes the receipt's second entry. Returns whether it is written: an answer that came is not lost because the
/// disk is full, and the receipt is closed as interrupted when the ledger is opened next.
async fn write(
    services: &Arc<Services>,
    job: &Job,
    receipt: ReceiptId,
    conclusion: &Conclusion,
    set_aside: Vec<SetAside>,
) -> Result<bool, ClientError> {
    let records = job.under_way.records()?;
    let closing = conclusion.closing.clone();
    let used = UsedToday {
        cost_micros: conclusion.cost_micros,
        metered_bytes: conclusion.metered_bytes,
    };
    let signal = conclusion.signal;
    let written = services.blocking(move |services| {
        let now_ms = services.clock.now_ms();
        if let Some(rules) = &services.rules {
            rules.settle(&set_aside, used, &**records);
        }
        if let Err(error) = records.finish(receipt, &closing, now_ms) {
            log::error!("the end of receipt {receipt} cannot be written: {error}");
            return false;
        }
        if let Ok(store) = records.store()
            && let Err(error) = services.performance.look(store, &*services.clock, |_| ())
        {
            log::warn!("a request is not counted yet: {error}");
        }
        if let Some(signal) = signal
            && let Err(error) = services.learn(receipt, signal, &**records)
        {
            log::warn!("feedback about receipt {receipt} was lost: {error}");
        }
        true
    });
    written.await
}

fn report(
    device: DeviceView,
    plan: whimbrel_policy::Plan,
    conclusion: Conclusion,
    receipt: Option<ReceiptId>,
    last: Details,
) -> Report {
    let tried = conclusion
        .attempts
        .last()
        .map(|attempt| candidate(&plan, attempt.candidate));
    let closing = &conclusion.closing;
    Report {
        receipt,
        is_recorded: true,
        is_kept: None,
        queued: None,
        answered_before: None,
        calls: Vec::new(),
        outcome: conclusion.ending.outcome,
        code: conclusion.ending.code,
        is_partial: conclusion.ending.is_partial,
        finish: conclusion.finish,
        place: tried.map(|candidate| candidate.place().clone()),
        release: closing
            .attempts
            .iter()
            .rev()
            .find(|attempt| attempt.bytes_out > 0)
            .and_then(|attempt| attempt.sent),
        reasons: tried.map_or_else(Vec::new, |candidate| {
            candidate.reasons().iter().map(ToString::to_string).collect()
        }),
        rules: plan.rule_ids(),
        redacted: closing.redacted.values().sum(),
        tokens: closing.tokens,
        thinking_bytes: last.thinking_bytes,
        first_token_ms: closing.latency.first_token_ms,
        total_ms: closing.latency.total_ms,
        energy: closing.energy.clone(),
        statistics: last.statistics,
        unsupported: last.unsupported,
        attempts: conclusion.attempts,
        bytes_out: conclusion.bytes_out,
        bytes_in: conclusion.bytes_in,
        escalation: conclusion.escalation,
        device,
        refused: plan.refused,
        considered: plan.considered,
    }
}

/// How sure the answer was. Repetition is counted in words, since not every place tells its tokens.
fn confidence(answer: &str, usage: &Usage) -> Option<Confidence> {
    let mean_log_probability = usage.mean_log_probability? as f32;
    let words: Vec<&str> = answer.split_whitespace().collect();
    Some(Confidence {
        tokens: u32::try_from(usage.tokens.output).unwrap_or(u32::MAX),
        mean_log_probability,
        repetition_ratio: repetition_ratio(&words),
    })
}

//! What is said about an answer that has ended: where it was made and why, what was tried, and its figures.

use whimbrel_client::Report;
use whimbrel_client::policy::{Refusal, Refused, RuleOutcome};
use whimbrel_client::record::{AttemptEnd, Code, Outcome};

use crate::answer::figures::Figures;
use crate::error::CliError;
use crate::models::names::spelled;
use crate::terminal::output::bytes;
use crate::terminal::words::counted;

/// What helps when all tokens of an answer went into what the model thought.
const CUT_OFF_HINT: &str =
    "the answer reached its token limit before any text: raise --max-tokens, or add --thinking off";

/// What helps when an answer ended before it had its form.
const NOT_IN_FORM_HINT: &str =
    "the answer ended before it had its form: raise --max-tokens, or limit what may be long in the form";

/// What a person must know. Under a policy that is where the answer was made and why, in short in the first line; where it was not made, what
/// was tried and what was not. Without a policy only what is out of the ordinary.
pub(crate) fn lines(report: &Report) -> Vec<String> {
    if report.receipt.is_none() {
        return match (report.outcome, report.queued) {
            (Outcome::Cancelled, _) => vec!["[stopped]".to_owned()],
            (_, Some(id)) => vec![format!("[queued as question {id}, behind others of this conversation]")],
            _ => Vec::new(),
        };
    }
    let end = match (report.outcome, report.code) {
        (Outcome::Cancelled, _) => "stopped: ",
        (Outcome::Failed, _) if report.is_partial => "failed midway: ",
        (Outcome::Failed, Some(Code::Deadline)) => "out of time: ",
        (Outcome::Failed, _) if !is_unavailable(report) => "failed: ",
        _ => "",
    };
    let mut lines = vec![format!("[{end}{}]", report.summary())];
    // The one that answered is in the first line.
    let tried = report.attempts.len() - usize::from(report.is_answered() && !report.attempts.is_empty());
    for attempt in &report.attempts[..tried] {
        let how = attempt
            .end
            .map_or_else(|| "not ended".to_owned(), |end| words(end, attempt.code));
        lines.push(format!("  tried {}: {how}", place(&attempt.name)));
        if let Some(hint) = attempt.code.and_then(|code| hint(code, endpoint(&attempt.name))) {
            lines.push(format!("    hint: {hint}"));
        }
    }
    lines.extend(passed_over(report).map(|refused| not_asked(report, refused)));
    if !report.is_recorded {
        lines.push("  the end of the receipt could not be written to disk".to_owned());
    }
    if !report.unsupported.is_empty() {
        lines.push(format!(
            "  not supported there, so ignored: {}",
            report.unsupported.join(", ")
        ));
    }
    lines.iter().map(|line| spelled(line)).collect()
}

/// What was listed and not asked: before the place that answered, or at all where none did.
fn passed_over(report: &Report) -> impl Iterator<Item = &Refused> {
    let answered = match report.is_answered() {
        true => report.attempts.last().map(|attempt| attempt.candidate),
        false => None,
    };
    let counts = move |refused: &&Refused| match answered {
        // Nobody expects a place that there is not to answer.
        Some(candidate) => refused.after_candidates <= candidate && !refused.reason.is_absence(),
        None => true,
    };
    report.refused.iter().filter(counts)
}

/// `cloud not asked: the app's rule not-while-roaming denies it, network unknown (set it with --device)`
fn not_asked(report: &Report, refused: &Refused) -> String {
    let mut line = format!("  {} not asked: {}", place(&refused.name), refused.reason);
    if let Some(condition) = assumed(report, &refused.reason) {
        line.push_str(&format!(", {condition} unknown (set it with --device)"));
    }
    line
}

/// The condition of a rule that counts as met only because nobody knows better.
fn assumed(report: &Report, reason: &Refusal) -> Option<&'static str> {
    let Refusal::Denied { document, rule } = reason else {
        return None;
    };
    let trace = report
        .considered
        .iter()
        .find(|trace| trace.document == *document && trace.rule == *rule)?;
    match trace.outcome {
        RuleOutcome::Denies { assumed } => assumed,
        _ => None,
    }
}

/// A place as people call it: `cloud`, `cloud (redacted)`, `tiny q4_1 on this device`.
fn place(name: &str) -> String {
    match name.split_once(':') {
        Some(("remote" | "redact_then_remote", "*")) => "an endpoint".to_owned(),
        Some(("remote", endpoint)) => endpoint.to_owned(),
        Some(("redact_then_remote", endpoint)) => format!("{endpoint} (redacted)"),
        Some(("on_device", model)) => format!("{} on this device", model.replacen('/', " ", 1)),
        Some(("system_model", adapter)) => format!("the system's model {adapter}"),
        _ if name == "on_device" => "a model on this device".to_owned(),
        _ if name == "system_model" => "the system's model".to_owned(),
        _ => name.to_owned(),
    }
}

/// The endpoint of a place, for commands; a word for one where there is none.
fn endpoint(name: &str) -> &str {
    name.split_once("remote:").map_or("ENDPOINT", |(_, endpoint)| endpoint)
}

/// The figures of an answer, for people: those of the engine without a policy, those of the receipt under one.
pub(crate) fn figures(report: &Report) -> String {
    if report.receipt.is_none() {
        return Figures::from(report).line();
    }
    let first = match report.first_token_ms {
        Some(first) => format!("after {first} ms"),
        None => "never".to_owned(),
    };
    format!(
        "[prompt {}, first text {first}, answer {}, {} ms in total, {} sent, {} received]",
        counted(report.tokens.input, "token"),
        counted(report.tokens.output, "token"),
        report.total_ms,
        bytes(report.bytes_out),
        bytes(report.bytes_in)
    )
}

/// The error that stands for a question without an answer; `None` for one that was answered or stopped.
pub(crate) fn not_answered(report: &Report) -> Option<CliError> {
    let code = match report.outcome {
        Outcome::Answered | Outcome::Cancelled => return None,
        // A model alone may have nothing to say.
        Outcome::Failed if report.receipt.is_none() && report.code == Some(Code::EmptyAnswer) => return None,
        Outcome::Denied => "denied",
        Outcome::Deferred if report.queued.is_some() => "queued",
        Outcome::Deferred => "deferred",
        Outcome::Failed if is_unavailable(report) => "unavailable",
        Outcome::Failed if report.code == Some(Code::Deadline) => "deadline",
        Outcome::Failed | Outcome::Interrupted => "failed",
    };
    let message = match (lines(report).first(), report.code) {
        (Some(line), _) => line.trim_matches(['[', ']']).to_owned(),
        (None, Some(Code::CutOff)) => CUT_OFF_HINT.to_owned(),
        (None, Some(Code::NotInForm)) => NOT_IN_FORM_HINT.to_owned(),
        (None, Some(reason)) => format!("failed ({reason})"),
        (None, None) => "failed".to_owned(),
    };
    Some(CliError::NotAnswered { code, message })
}

/// Whether nothing that the rules allow could be tried.
fn is_unavailable(report: &Report) -> bool {
    report.code == Some(Code::Unavailable) && report.attempts.is_empty()
}

/// What a person can do about an attempt that failed.
fn hint(code: Code, endpoint: &str) -> Option<String> {
    let keys = format!("`whimbrel keys set {endpoint}`");
    let words = match code {
        Code::NotFound => "check the model and the base_url of the endpoint in the policy",
        Code::ContextFull => {
            "the conversation is too long for this model: shorten the question, or start a new conversation"
        }
        Code::Payment => "the endpoint's provider requires payment: check your account there",
        Code::RequestTooLarge => "the text is too large for the endpoint: shorten it",
        Code::KeyMissing => return Some(format!("store the key with {keys}")),
        Code::KeyUnreadable => return Some(format!("store the key again with {keys}")),
        Code::KeyVault => "the folder with the keys cannot be read",
        Code::Unauthorised => {
            return Some(format!(
                "the key is wrong or lacks permission: store another one with {keys}"
            ));
        }
        Code::Certificate => {
            return Some(format!(
                "check this computer's clock; to trust your own certificate authority, add --authority {endpoint}=FILE"
            ));
        }
        Code::Unreachable => "check the network, and the base_url of the endpoint in the policy",
        Code::UnsupportedOption => {
            "the place does not support one of --temperature, --top-p, --seed, --max-tokens, or a form: leave that option out"
        }
        Code::CutOff => CUT_OFF_HINT,
        Code::NotInForm => NOT_IN_FORM_HINT,
        Code::NoThinking => "leave out --thinking on, or choose a model that thinks",
        _ => return None,
    };
    Some(words.to_owned())
}

fn words(end: AttemptEnd, code: Option<Code>) -> String {
    match (end, code) {
        (AttemptEnd::Failed, Some(Code::Busy)) => "busy with other requests".to_owned(),
        (AttemptEnd::Failed, Some(Code::OutOfMemory)) => "out of memory".to_owned(),
        (AttemptEnd::Failed, Some(code)) => format!("failed ({code})"),
        (AttemptEnd::Failed, None) => "failed".to_owned(),
        (AttemptEnd::TimedOut, Some(Code::NoFirstToken)) => "no text in time".to_owned(),
        (AttemptEnd::TimedOut, Some(Code::Deadline)) => "out of time".to_owned(),
        (AttemptEnd::TimedOut, _) => "took too long".to_owned(),
        (AttemptEnd::Answered, _) => "answered".to_owned(),
        (AttemptEnd::Cancelled, _) => "stopped".to_owned(),
        (AttemptEnd::Skipped, _) => "not started".to_owned(),
    }
}

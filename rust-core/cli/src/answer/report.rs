//! What is said about an answer that has ended: where it was made and why, what was tried, and its figures.

use whimbrel_client::Report;
use whimbrel_client::record::{AttemptEnd, Code, Outcome};

use crate::answer::figures::Figures;
use crate::error::CliError;

/// What a person must know. Under a policy that is where the answer was made and why, in short in the first line; where it was not made, what
/// was tried and what was not. Without a policy only what is out of the ordinary.
pub(crate) fn lines(report: &Report) -> Vec<String> {
    if report.receipt.is_none() {
        return match report.outcome {
            Outcome::Cancelled => vec!["[stopped]".to_owned()],
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
        lines.push(format!("  tried {}: {how}", attempt.name));
        if let Some(hint) = attempt.code.and_then(hint) {
            lines.push(format!("    hint: {hint}"));
        }
    }
    if !report.is_answered() {
        let refused = report.refused.iter();
        lines.extend(refused.map(|refused| format!("  not tried {}: {}", refused.name, refused.reason)));
    }
    if !report.is_recorded {
        lines.push("  the receipt has no end yet: the disk did not take it".to_owned());
    }
    if !report.unsupported.is_empty() {
        lines.push(format!("  ignored there: {}", report.unsupported.join(", ")));
    }
    lines
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
        "[prompt {} tokens, first text {first}, answer {} tokens, {} ms in all, {} bytes out, {} bytes in]",
        report.tokens.input, report.tokens.output, report.total_ms, report.bytes_out, report.bytes_in
    )
}

/// The error that stands for a question without an answer; `None` for one that was answered or stopped.
pub(crate) fn not_answered(report: &Report) -> Option<CliError> {
    let code = match report.outcome {
        Outcome::Answered | Outcome::Cancelled => return None,
        // A model alone may have nothing to say.
        Outcome::Failed if report.receipt.is_none() && report.code == Some(Code::EmptyAnswer) => return None,
        Outcome::Denied => "denied",
        Outcome::Deferred => "deferred",
        Outcome::Failed if is_unavailable(report) => "unavailable",
        Outcome::Failed if report.code == Some(Code::Deadline) => "deadline",
        Outcome::Failed | Outcome::Interrupted => "failed",
    };
    let message = match (lines(report).first(), report.code) {
        (Some(line), _) => line.trim_matches(['[', ']']).to_owned(),
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
fn hint(code: Code) -> Option<&'static str> {
    Some(match code {
        Code::NotFound => "check the model and the base_url of the endpoint in the policy",
        Code::ContextFull => "the conversation is too long for this model: ask less, or begin anew",
        Code::Payment => "the endpoint's provider wants to be paid",
        Code::RequestTooLarge => "the text is too large for the endpoint: send less of it",
        Code::KeyMissing => "whimbrel keys set ENDPOINT stores the key",
        Code::KeyUnreadable => "whimbrel keys set ENDPOINT stores the key anew",
        Code::KeyVault => "the folder of the keys cannot be read",
        Code::Unauthorised => "the key is wrong or may not do this: whimbrel keys set ENDPOINT stores another",
        Code::Certificate => "check the device's clock; --authority ENDPOINT=FILE trusts an authority of your own",
        Code::Unreachable => "check the network, and the base_url of the endpoint in the policy",
        Code::UnsupportedOption => {
            "the endpoint does not take one of --temperature, --top-p, --seed and --max-tokens: leave it out"
        }
        Code::CutOff => "the limit of tokens was reached before any text: raise --max-tokens",
        _ => return None,
    })
}

fn words(end: AttemptEnd, code: Option<Code>) -> String {
    match (end, code) {
        (AttemptEnd::Failed, Some(Code::Busy)) => "in use by others".to_owned(),
        (AttemptEnd::Failed, Some(Code::OutOfMemory)) => "out of memory".to_owned(),
        (AttemptEnd::Failed, Some(code)) => format!("failed ({code})"),
        (AttemptEnd::Failed, None) => "failed".to_owned(),
        (AttemptEnd::TimedOut, Some(Code::NoFirstToken)) => "nothing shown in time".to_owned(),
        (AttemptEnd::TimedOut, Some(Code::Deadline)) => "out of time".to_owned(),
        (AttemptEnd::TimedOut, _) => "took too long".to_owned(),
        (AttemptEnd::Answered, _) => "answered".to_owned(),
        (AttemptEnd::Cancelled, _) => "stopped".to_owned(),
        (AttemptEnd::Skipped, _) => "not begun".to_owned(),
    }
}

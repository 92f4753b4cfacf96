//! The figures of an answer: as part of an object, and as a line for people.

use serde::Serialize;
use whimbrel_client::Report;
use whimbrel_client::record::{FinishReason, Outcome};

use crate::terminal::words::counted;

/// The figures as the interface names them.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Figures {
    finish_reason: &'static str,
    pub(crate) prompt_tokens: u32,
    reused_tokens: u32,
    completion_tokens: u32,
    drafted_tokens: u32,
    accepted_tokens: u32,
    forced_tokens: u32,
    dropped_messages: u32,
    time_to_first_token_ms: f64,
    total_ms: f64,
    prefill_tokens_per_second: f64,
    decode_tokens_per_second: f64,
}

impl From<&Report> for Figures {
    /// Zeros for an answer that was stopped before the engine began it.
    fn from(report: &Report) -> Figures {
        let engine = report.statistics.as_ref().map(|statistics| statistics.finish_reason);
        let finish_reason = match (report.outcome, report.finish, engine) {
            (Outcome::Cancelled, ..) => "cancelled",
            (_, Some(FinishReason::Length), _) | (_, None, Some(whimbrel_engine::FinishReason::Length)) => "length",
            (_, Some(FinishReason::Repetition), _) | (_, None, Some(whimbrel_engine::FinishReason::Repetition)) => {
                "repetition"
            }
            (_, None, Some(whimbrel_engine::FinishReason::Incomplete)) => "incomplete",
            _ => "stop",
        };
        let Some(statistics) = &report.statistics else {
            return Figures {
                finish_reason,
                ..Figures::default()
            };
        };
        Figures {
            finish_reason,
            prompt_tokens: statistics.prompt_tokens,
            reused_tokens: statistics.reused_tokens,
            completion_tokens: statistics.completion_tokens,
            drafted_tokens: statistics.drafted_tokens,
            accepted_tokens: statistics.accepted_tokens,
            forced_tokens: statistics.forced_tokens,
            dropped_messages: statistics.dropped_messages,
            time_to_first_token_ms: statistics.time_to_first_token_ms,
            total_ms: statistics.total_ms,
            prefill_tokens_per_second: statistics.prefill_tokens_per_second,
            decode_tokens_per_second: statistics.decode_tokens_per_second,
        }
    }
}

impl Figures {
    /// Tokens of the prompt that had to be run.
    pub(crate) fn read_tokens(&self) -> u32 {
        self.prompt_tokens - self.reused_tokens
    }

    /// Tokens of prompt and answer together.
    pub(crate) fn tokens(&self) -> u64 {
        u64::from(self.prompt_tokens) + u64::from(self.completion_tokens)
    }

    /// One line for people.
    pub(crate) fn line(&self) -> String {
        let run = self.read_tokens();
        let kept = if self.reused_tokens > 0 {
            format!(" ({} kept)", self.reused_tokens)
        } else {
            String::new()
        };
        format!(
            "[{}: prompt {}{kept} at {:.0}/s, first token after {:.0} ms, answer {} at {:.1}/s]",
            self.finish_reason,
            counted(run, "token"),
            self.prefill_tokens_per_second,
            self.time_to_first_token_ms,
            counted(self.completion_tokens, "token"),
            self.decode_tokens_per_second,
        )
    }

    /// What a person must know: the model did not see everything that was said.
    pub(crate) fn dropped_line(&self) -> Option<String> {
        let dropped = self.dropped_messages;
        (dropped > 0).then(|| {
            let oldest = match dropped {
                1 => "message".to_owned(),
                _ => format!("{dropped} messages"),
            };
            format!("[the context is full: the model no longer sees the oldest {oldest}]")
        })
    }
}

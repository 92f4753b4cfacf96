//! Finish reasons: OpenAI's words, and those of other servers that use its format.

use serde::{Deserialize, Serialize};

/// Why an answer ended.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    /// The model ended it, or a stop string occurred.
    Stop,
    /// The token limit or the end of the context was reached.
    Length,
    /// The provider's filter stopped it.
    ContentFilter,
    /// The model called a tool.
    ToolCalls,
    /// The model refused to answer.
    Refusal,
    /// The server failed midway and reported it.
    Error,
    /// A reason that is not known here.
    Other,
    /// The stream was complete, but the server gave no reason.
    Unstated,
}

/// Words for each reason, in lower case.
const WORDS: [(FinishReason, &[&str]); 6] = [
    (
        FinishReason::Stop,
        &["stop", "end_turn", "stop_sequence", "complete", "completed"],
    ),
    (
        FinishReason::Length,
        &[
            "length",
            "max_tokens",
            "max_output_tokens",
            "max_completion_tokens",
            "model_length",
        ],
    ),
    (
        FinishReason::ContentFilter,
        &[
            "content_filter",
            "content_filtered",
            "safety",
            "recitation",
            "blocklist",
            "prohibited_content",
            "spii",
            "sensitive",
        ],
    ),
    (
        FinishReason::ToolCalls,
        &["tool_calls", "tool_call", "function_call", "tool_use"],
    ),
    (FinishReason::Refusal, &["refusal", "refused"]),
    (
        FinishReason::Error,
        &[
            "abort",
            "aborted",
            "cancelled",
            "canceled",
            "timeout",
            "insufficient_system_resource",
            "malformed_function_call",
        ],
    ),
];

/// Words that some servers write into every chunk but the last: no reason yet.
const NONE_YET: [&str; 4] = ["", "null", "none", "unspecified"];

impl FinishReason {
    /// The reason that a word means; `None` for the words that mean no reason yet.
    pub(super) fn from_word(word: &str) -> Option<FinishReason> {
        let word = word.trim().to_ascii_lowercase();
        if NONE_YET.contains(&word.as_str()) {
            return None;
        }
        let known = WORDS.iter().find(|(_, words)| words.contains(&word.as_str()));
        Some(match known {
            Some((reason, _)) => *reason,
            None if word.contains("error") || word.contains("fail") => FinishReason::Error,
            None => FinishReason::Other,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_in_any_case() {
        let check = |words: &[&str], reason| {
            for word in words {
                assert_eq!(FinishReason::from_word(word), reason, "{word:?}");
            }
        };
        check(&["stop", "STOP", " stop ", "end_turn"], Some(FinishReason::Stop));
        check(&["length", "MAX_TOKENS"], Some(FinishReason::Length));
        check(&["content_filter", "SAFETY"], Some(FinishReason::ContentFilter));
        check(
            &["tool_calls", "function_call", "tool_use"],
            Some(FinishReason::ToolCalls),
        );
        check(&["refusal"], Some(FinishReason::Refusal));
        check(
            &["error", "network_error", "failed", "FAILURE", "abort"],
            Some(FinishReason::Error),
        );
        check(&["eos", "42"], Some(FinishReason::Other));
        check(&["", " ", "null", "NULL", "none", "None"], None);
    }
}

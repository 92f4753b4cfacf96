//! How attempts, answers and requests end.

use serde::{Deserialize, Serialize};

/// How an attempt ended.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptEnd {
    /// With the answer.
    Answered,
    /// The user or the app cancelled it.
    Cancelled,
    /// With an error.
    Failed,
    /// It took too long.
    TimedOut,
    /// It was never started, for example because its place was not ready or its circuit breaker was open.
    Skipped,
}

/// Why an answer is complete.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    /// The model ended it, or a stop string occurred.
    Stop,
    /// It reached its token limit.
    Length,
    /// It said the same over and over and was ended.
    Repetition,
    /// A filter at the place withheld the rest.
    ContentFilter,
    /// The model called a tool.
    ToolCalls,
    /// The user or the app cancelled it.
    Cancelled,
    /// The place did not say.
    Unstated,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// With an answer.
    Answered,
    /// The user or the app cancelled it.
    Cancelled,
    /// No candidate gave an answer.
    Failed,
    /// The policy denies it.
    Denied,
    /// It was deferred.
    Deferred,
    /// The process ended before the request did. Text may have left; the intent says where it may have gone and how much at most.
    Interrupted,
}

impl AttemptEnd {
    /// Every end.
    pub const ALL: [AttemptEnd; 5] = [
        AttemptEnd::Answered,
        AttemptEnd::Cancelled,
        AttemptEnd::Failed,
        AttemptEnd::TimedOut,
        AttemptEnd::Skipped,
    ];

    /// The word in the ledger and in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            AttemptEnd::Answered => "answered",
            AttemptEnd::Cancelled => "cancelled",
            AttemptEnd::Failed => "failed",
            AttemptEnd::TimedOut => "timed_out",
            AttemptEnd::Skipped => "skipped",
        }
    }
}

impl FinishReason {
    /// Every reason.
    pub const ALL: [FinishReason; 7] = [
        FinishReason::Stop,
        FinishReason::Length,
        FinishReason::Repetition,
        FinishReason::ContentFilter,
        FinishReason::ToolCalls,
        FinishReason::Cancelled,
        FinishReason::Unstated,
    ];

    /// The word in the ledger and in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            FinishReason::Stop => "stop",
            FinishReason::Length => "length",
            FinishReason::Repetition => "repetition",
            FinishReason::ContentFilter => "content_filter",
            FinishReason::ToolCalls => "tool_calls",
            FinishReason::Cancelled => "cancelled",
            FinishReason::Unstated => "unstated",
        }
    }
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Outcome; 6] = [
        Outcome::Answered,
        Outcome::Cancelled,
        Outcome::Failed,
        Outcome::Denied,
        Outcome::Deferred,
        Outcome::Interrupted,
    ];

    /// The word in the ledger and in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Answered => "answered",
            Outcome::Cancelled => "cancelled",
            Outcome::Failed => "failed",
            Outcome::Denied => "denied",
            Outcome::Deferred => "deferred",
            Outcome::Interrupted => "interrupted",
        }
    }
}

//! The user's feedback on an answer.

use serde::{Deserialize, Serialize};

/// Feedback on an answer.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind", deny_unknown_fields)]
pub enum Signal {
    /// The user liked it.
    ThumbsUp,
    /// The user did not like it.
    ThumbsDown,
    /// The user asked for another answer.
    Regenerated,
    /// The user stopped the answer.
    Aborted,
    /// The user kept the answer, possibly with changes.
    Kept {
        /// How much was changed, in thousandths of the answer's length; 0 if it was kept as it was.
        edited_permille: u32,
    },
    /// The answer did not have the requested format.
    SchemaFailed,
    /// The user accepted the offer to ask elsewhere.
    EscalationAccepted,
}

impl Signal {
    /// Whether the answer is not what the user wants to see again.
    #[must_use]
    pub fn rejects(self) -> bool {
        use Signal::{Aborted, EscalationAccepted, Kept, Regenerated, SchemaFailed, ThumbsDown, ThumbsUp};
        match self {
            ThumbsDown | Regenerated | Aborted | SchemaFailed | EscalationAccepted => true,
            ThumbsUp | Kept { .. } => false,
        }
    }
}

/// A signal with its time.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Feedback {
    /// The time, in milliseconds since 1970 UTC.
    pub time_ms: u64,
    /// The signal.
    pub signal: Signal,
}

//! What the user thought of an answer.

use serde::{Deserialize, Serialize};

/// A sign of how good an answer was.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind", deny_unknown_fields)]
pub enum Signal {
    /// The user liked it.
    ThumbsUp,
    /// The user did not like it.
    ThumbsDown,
    /// The user asked for another one.
    Regenerated,
    /// The user stopped it.
    Aborted,
    /// The user kept it with changes.
    Kept {
        /// How much was changed, in thousandths of the answer's length: 0 when it was kept as it was.
        edited_permille: u32,
    },
    /// It did not have the form that was asked for.
    SchemaFailed,
    /// The user took up the offer to ask elsewhere.
    EscalationAccepted,
}

/// A signal and when it came.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Feedback {
    /// When: milliseconds since 1970 in universal time.
    pub time_ms: u64,
    /// What.
    pub signal: Signal,
}

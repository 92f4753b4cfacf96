//! The text of a request before it is examined. `examined` has the findings.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::PrivacyClass;

/// The author of a message.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Speaker {
    /// The app's instructions.
    System,
    /// The user.
    User,
    /// The assistant, earlier in the conversation.
    Assistant,
    /// The result of a tool.
    Tool,
    /// Nobody: the form of the answer as a JSON schema, which an endpoint gets beside the messages.
    Form,
    /// The assistant's call of a tool, as JSON: `{"name": "…", "arguments": {…}}`, [with plain breaks](crate::with_plain_breaks).
    Call,
    /// Nobody: the tools that the model may call, as JSON: `[{"name": "…", "description": "…", "parameters": {JSON schema}}]`, [with plain
    /// breaks](crate::with_plain_breaks). An endpoint gets them beside the messages.
    Tools,
}

/// Stands between questions in a row that become one message, because the template of a model may refuse two messages of one speaker.
pub const QUESTIONS_JOINT: &str = "\n\n";

/// One message of a draft.
#[derive(Clone, Eq, PartialEq)]
pub struct DraftMessage {
    /// The author.
    pub speaker: Speaker,
    /// The text.
    pub text: String,
}

// No text may reach a log through a derived `Debug`.
impl fmt::Debug for DraftMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DraftMessage")
            .field("speaker", &self.speaker)
            .field("text_bytes", &self.text.len())
            .finish()
    }
}

/// All text of a request: the system message, the history with calls of tools and their results, the question, the tools and the form of the
/// answer, in order.
///
/// ```
/// use whimbrel_privacy::{Draft, DraftMessage, PrivacyClass, Speaker};
///
/// let draft = Draft {
///     messages: vec![DraftMessage {
///         speaker: Speaker::User,
///         text: "How tall is the Eiffel Tower?".to_owned(),
///     }],
///     class: PrivacyClass::Public,
/// };
/// // Debug output may reach a log, so it shows no text.
/// assert!(!format!("{draft:?}").contains("Eiffel"));
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Draft {
    /// The messages, oldest first.
    pub messages: Vec<DraftMessage>,
    /// The privacy class according to the app. Findings can only raise it.
    pub class: PrivacyClass,
}

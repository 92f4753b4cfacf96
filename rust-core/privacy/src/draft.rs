//! The text of a request before anything is known about it. What is found in it is in `examined`.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::PrivacyClass;

/// Who speaks in a message.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Speaker {
    /// The app's instructions.
    System,
    /// The person.
    User,
    /// The assistant, earlier in the conversation.
    Assistant,
    /// The result of a tool.
    Tool,
}

/// One message of a draft.
#[derive(Clone, Eq, PartialEq)]
pub struct DraftMessage {
    /// Who speaks.
    pub speaker: Speaker,
    /// What is said.
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

/// Everything of a request that is text: the system message, the history, tool results and the question, in order.
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
    /// What the app says about the text; findings can only raise it.
    pub class: PrivacyClass,
}

//! A request as plain data: everything that is asked, and nothing of who reads the answer. It can be written down, decided again later, sent
//! without a reader, or come from another process.

use std::fmt;

use serde::{Deserialize, Serialize};
use whimbrel_inference::SessionOptions;
use whimbrel_policy::{Need, Recipients};
use whimbrel_privacy::{ExaminedMessage, PrivacyClass, Speaker};
use whimbrel_record::{Label, Place};

use crate::{ClientError, ContextPolicy, GenerationOptions, Role};

/// The task of requests that name none.
pub const TASK_DEFAULT: &str = "chat";
/// Stands between questions that are one message.
const MESSAGES_JOINT: &str = "\n\n";

/// How a question is asked.
#[derive(Clone, Debug)]
pub struct AskOptions {
    /// The app's name for what it is doing, which rules and learning look at, without regard to case and blanks around. At most 128 characters of
    /// `A-Z a-z 0-9 . _ : / @ + -`.
    pub task: String,
    /// What the app knows about the text; what is found in it can only raise it.
    pub class: PrivacyClass,
    /// Time for the whole answer in milliseconds; `None` leaves it to the policy.
    pub deadline_ms: Option<u64>,
    /// What the answer needs beyond text.
    pub needs: Vec<Need>,
    /// How the answer is made.
    pub generation: GenerationOptions,
}

impl Default for AskOptions {
    fn default() -> AskOptions {
        AskOptions {
            task: TASK_DEFAULT.into(),
            class: PrivacyClass::Public,
            deadline_ms: None,
            needs: Vec::new(),
            generation: GenerationOptions::default(),
        }
    }
}

impl From<GenerationOptions> for AskOptions {
    fn from(generation: GenerationOptions) -> AskOptions {
        AskOptions {
            generation,
            ..AskOptions::default()
        }
    }
}

/// A task as receipts name it: as it was given, without blanks around.
///
/// # Errors
/// [`ClientError::Task`].
pub(crate) fn task_label(task: &str) -> Result<Label, ClientError> {
    Label::new(task.trim()).map_err(ClientError::Task)
}

/// One message of a conversation, with how it is to be treated.
#[derive(Clone, Deserialize, Serialize)]
pub struct Message {
    /// Who wrote it.
    pub role: Role,
    /// Its text.
    pub content: String,
    /// How private the app said that it is; `None` when nobody knows. What is found in it can only raise it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<PrivacyClass>,
    /// Who may read it; `None` when nobody knows. An app hands back what [`crate::Conversation::messages`] gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipients: Option<Recipients>,
    /// What was found in it, so that a history is not examined anew with every question.
    #[serde(skip)]
    pub(crate) examined: Option<ExaminedMessage>,
}

impl Message {
    /// A message of which nothing else is known.
    #[must_use]
    pub fn new(role: Role, content: impl Into<String>) -> Message {
        Message {
            role,
            content: content.into(),
            class: None,
            recipients: None,
            examined: None,
        }
    }

    pub(crate) fn speaker(&self) -> Speaker {
        match self.role {
            Role::System => Speaker::System,
            Role::User => Speaker::User,
            Role::Assistant => Speaker::Assistant,
        }
    }

    pub(crate) fn for_engine(&self) -> whimbrel_engine::Message {
        whimbrel_engine::Message {
            role: self.role,
            content: self.content.clone(),
        }
    }
}

// What was found in a message follows from its text.
impl PartialEq for Message {
    fn eq(&self, other: &Message) -> bool {
        (self.role, &self.content, self.class, &self.recipients)
            == (other.role, &other.content, other.class, &other.recipients)
    }
}

// Messages are what people said.
impl fmt::Debug for Message {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut record = formatter.debug_struct("Message");
        record.field("role", &self.role).field("bytes", &self.content.len());
        record.field("class", &self.class).finish_non_exhaustive()
    }
}

/// Everything that is asked. See the module.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Request {
    /// The system message, if there is one, the history, and the question last.
    pub messages: Vec<Message>,
    /// The app's name for what it is doing.
    pub task: String,
    /// What the app knows about the whole text.
    pub class: PrivacyClass,
    /// Time for the whole answer in milliseconds; `None` leaves it to the policy.
    pub deadline_ms: Option<u64>,
    /// What the answer needs beyond text.
    pub needs: Vec<Need>,
    /// How the answer is made.
    pub generation: GenerationOptions,
    /// Places that are left out of what may answer.
    pub excluded: Vec<Place>,
    /// Tokens of context on this device, and what happens when they are full.
    pub context_length: u32,
    /// See [`ContextPolicy`].
    pub context_policy: ContextPolicy,
}

impl Request {
    /// The messages as a model on this device takes them. Questions in a row, of which nobody answered the first ones, are one message: templates
    /// may refuse two of one speaker.
    pub(crate) fn for_engine(&self) -> Vec<whimbrel_engine::Message> {
        let mut messages: Vec<whimbrel_engine::Message> = Vec::with_capacity(self.messages.len());
        for message in &self.messages {
            match messages.last_mut() {
                Some(last) if last.role == Role::User && message.role == Role::User => {
                    last.content += MESSAGES_JOINT;
                    last.content += &message.content;
                }
                _ => messages.push(message.for_engine()),
            }
        }
        messages
    }

    /// A request with these messages, the question last.
    #[must_use]
    pub fn new(messages: Vec<Message>, options: AskOptions) -> Request {
        let context = SessionOptions::default();
        Request {
            messages,
            task: options.task,
            class: options.class,
            deadline_ms: options.deadline_ms,
            needs: options.needs,
            generation: options.generation,
            excluded: Vec::new(),
            context_length: context.context_length,
            context_policy: context.context_policy,
        }
    }
}

//! A request as plain data: everything about the question, and nothing about who reads the answer. It can be stored, decided again later,
//! sent without a reader, or come from another process.

use std::fmt;

use serde::{Deserialize, Serialize};
use whimbrel_inference::SessionOptions;
use whimbrel_policy::{Need, Recipients};
use whimbrel_privacy::{ExaminedMessage, PrivacyClass, QUESTIONS_JOINT, Speaker};
use whimbrel_record::{Label, LabelError, Place, ReceiptId, TELEMETRY_TASK};

use crate::tools::ToolOptions;
use crate::{ClientError, ContextPolicy, GenerationOptions, Role};

/// The default task.
pub const TASK_DEFAULT: &str = "chat";

/// Options for asking a question.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct AskOptions {
    /// The app's name for the kind of work, used by rules and learning; case and surrounding blanks do not matter. At most 128 characters
    /// of `A-Z a-z 0-9 . _ : / @ + -`.
    pub task: String,
    /// The privacy class of the text as far as the app knows it. Findings in the text can only raise it.
    pub class: PrivacyClass,
    /// The deadline for the whole answer in milliseconds, with tools for each of its rounds; `None` uses the policy's.
    pub deadline_ms: Option<u64>,
    /// For how many milliseconds an answer is of use if the question has to wait in the outbox; `None` means for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in_ms: Option<u64>,
    /// What the answer needs beyond text.
    pub needs: Vec<Need>,
    /// Whether it is asked again even if the answer to exactly this question is remembered.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fresh: bool,
    /// The tools that the model may call before it answers. A question with tools is never queued, and its answer not remembered.
    #[serde(default, skip_serializing_if = "ToolOptions::is_empty")]
    pub tools: ToolOptions,
    /// Options for generating the answer; [`AskOptions::tools`] takes the place of its tools.
    pub generation: GenerationOptions,
}

impl Default for AskOptions {
    fn default() -> AskOptions {
        AskOptions {
            task: TASK_DEFAULT.into(),
            class: PrivacyClass::Public,
            deadline_ms: None,
            expires_in_ms: None,
            needs: Vec::new(),
            fresh: false,
            tools: ToolOptions::default(),
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
    let task = task.trim();
    if task == TELEMETRY_TASK {
        return Err(ClientError::Task(LabelError::Character { at: 0 }));
    }
    Label::new(task).map_err(ClientError::Task)
}

/// One message of a conversation, with its privacy class and recipients.
#[derive(Clone, Deserialize, Serialize)]
pub struct Message {
    /// Who wrote it.
    pub role: Role,
    /// Its text.
    pub content: String,
    /// The privacy class that the app declared; `None` if it is not known. Findings in the message can only raise it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<PrivacyClass>,
    /// Who may read the message; `None` if it is not known. An app passes back the value from [`crate::Conversation::messages`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipients: Option<Recipients>,
    /// The receipt of the request that it is the question or the answer of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<ReceiptId>,
    /// Whether it is an answer that ended early: it was cancelled, or its process ended.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub interrupted: bool,
    /// What was found in it, so that a history is not examined anew with every question.
    #[serde(skip)]
    pub(crate) examined: Option<ExaminedMessage>,
}

impl Message {
    /// A message without a known class or recipients.
    #[must_use]
    pub fn new(role: Role, content: impl Into<String>) -> Message {
        Message {
            role,
            content: content.into(),
            class: None,
            recipients: None,
            receipt: None,
            interrupted: false,
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
}

// What was found in a message follows from its text.
impl PartialEq for Message {
    fn eq(&self, other: &Message) -> bool {
        let facts = |message: &Message| (message.role, message.class, message.receipt, message.interrupted);
        (facts(self), &self.content, &self.recipients) == (facts(other), &other.content, &other.recipients)
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

/// Everything about a question. See the module.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Request {
    /// The system message, if there is one, the history, and the question as the last message.
    pub messages: Vec<Message>,
    /// How it is asked; the privacy class is that of the whole text.
    #[serde(flatten)]
    pub options: AskOptions,
    /// Places that must not answer.
    pub excluded: Vec<Place>,
    /// Size of the context on this device in tokens.
    pub context_length: u32,
    /// See [`ContextPolicy`].
    pub context_policy: ContextPolicy,
    /// How many of the first messages other requests begin with too, so that they need not be read again. The system message always is one.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub shared_messages: u32,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl Request {
    /// The context of a model on this device. `now_s` is in seconds since 1970, for templates that print the date.
    pub(crate) fn session_options(&self, now_s: i64) -> SessionOptions {
        SessionOptions {
            context_length: self.context_length,
            context_policy: self.context_policy,
            now: Some(now_s),
            shared_messages: self.shared_messages,
        }
    }

    /// The messages as a model on this device takes them. Questions in a row, of which nobody answered the first ones, are one message: templates
    /// may refuse two of one speaker.
    pub(crate) fn for_engine(&self) -> Vec<whimbrel_engine::Message> {
        let mut messages: Vec<whimbrel_engine::Message> = Vec::with_capacity(self.messages.len());
        for message in &self.messages {
            match messages.last_mut() {
                Some(last) if last.role == Role::User && message.role == Role::User => {
                    last.content += QUESTIONS_JOINT;
                    last.content += &message.content;
                }
                _ => messages.push(whimbrel_engine::Message {
                    role: message.role,
                    content: message.content.clone(),
                }),
            }
        }
        messages
    }

    /// A request with these messages, the last of which is the question.
    #[must_use]
    pub fn new(messages: Vec<Message>, options: AskOptions) -> Request {
        let context = SessionOptions::default();
        Request {
            messages,
            options,
            excluded: Vec::new(),
            context_length: context.context_length,
            context_policy: context.context_policy,
            shared_messages: 0,
        }
    }
}

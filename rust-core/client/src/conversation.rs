//! A conversation with a model: its messages, and one question at a time.

use std::path::PathBuf;
use std::sync::Arc;

use whimbrel_engine::{ChatOptions, SYSTEM_DEFAULT};

use crate::answer::Answer;
use crate::client::Guard;
use crate::command::{Command, MessagesAction, Prompt, SavedAction};
use crate::error::within;
use crate::model::ModelInner;
use crate::registry::{ConversationId, Owner};
use crate::{
    ClientError, ContextPolicy, GenerationOptions, HISTORY_BYTES_MAX, MESSAGES_MAX, Message, PROMPT_BYTES_MAX, Role,
};

/// How a conversation is kept.
#[derive(Clone, Debug)]
pub struct ConversationOptions {
    /// Tokens of context; at most the model's own.
    pub context_length: u32,
    /// The system message: `None` takes a plain one, an empty text leaves it to the model's template.
    pub system: Option<String>,
    /// See [`ContextPolicy`].
    pub context_policy: ContextPolicy,
}

impl Default for ConversationOptions {
    fn default() -> Self {
        let ChatOptions {
            context_length,
            context_policy,
        } = ChatOptions::default();
        ConversationOptions {
            context_length,
            system: None,
            context_policy,
        }
    }
}

impl ConversationOptions {
    /// What a conversation begins with.
    pub(crate) fn system_message(&self) -> Option<Message> {
        let content = self.system.as_deref().unwrap_or(SYSTEM_DEFAULT);
        (!content.is_empty()).then(|| Message {
            role: Role::System,
            content: content.to_owned(),
        })
    }
}

/// A conversation. Clones are the same conversation; it is closed when they and their answers are dropped, or by
/// [`Conversation::close`].
#[derive(Clone)]
pub struct Conversation {
    pub(crate) inner: Arc<ConversationInner>,
}

pub(crate) struct ConversationInner {
    pub(crate) guard: Guard,
    pub(crate) id: ConversationId,
    /// Keeps the model open.
    pub(crate) model: Arc<ModelInner>,
}

impl Conversation {
    /// Asks a question. When the answer has ended, also by cancelling, question and answer are part of the conversation, unless
    /// there was no answer at all.
    ///
    /// # Errors
    /// [`ClientError::Busy`] while an earlier answer is in the making (a cancelled one does not count);
    /// [`ClientError::Engine`] when the context or an option does not allow it; [`ClientError::Limit`] past
    /// [`PROMPT_BYTES_MAX`] or [`crate::ANSWERS_MAX`]; [`ClientError::Closed`]. The conversation is then as it was.
    pub async fn ask(&self, text: &str, options: GenerationOptions) -> Result<Answer, ClientError> {
        within("bytes of question", text.len() as u64, PROMPT_BYTES_MAX)?;
        let owner = Owner {
            model: self.inner.model.id,
            conversation: Some(self.inner.id),
        };
        let link = self.inner.guard.link.clone();
        Answer::begin(
            link,
            owner,
            Prompt::Question(text.into()),
            options,
            Box::new(self.clone()),
        )
        .await
    }

    /// The messages so far, the system message first. A cancelled answer is waited for; one still in the making is not part
    /// of them.
    ///
    /// # Errors
    /// [`ClientError::Closed`].
    pub async fn messages(&self) -> Result<Vec<Message>, ClientError> {
        self.act(MessagesAction::Read).await
    }

    /// Forgets everything but the system message.
    ///
    /// # Errors
    /// [`ClientError::Busy`] while an answer is in the making, [`ClientError::Closed`].
    pub async fn reset(&self) -> Result<(), ClientError> {
        self.act(MessagesAction::Reset).await.map(drop)
    }

    /// Replaces all messages, the system message included: an earlier conversation goes on.
    ///
    /// # Errors
    /// [`ClientError::Limit`] past [`MESSAGES_MAX`] or [`HISTORY_BYTES_MAX`], otherwise as [`Conversation::reset`].
    pub async fn set_messages(&self, messages: Vec<Message>) -> Result<(), ClientError> {
        within("messages", messages.len() as u64, MESSAGES_MAX)?;
        let bytes = messages.iter().map(|message| message.content.len() as u64).sum();
        within("bytes of messages", bytes, HISTORY_BYTES_MAX)?;
        self.act(MessagesAction::Replace(messages)).await.map(drop)
    }

    /// Writes the conversation to a file from which [`Conversation::restore`] goes on without reading its text again. The file
    /// holds what was said, is readable by its owner only, and appears whole or not at all.
    ///
    /// # Errors
    /// [`ClientError::Busy`] while an answer is in the making, [`ClientError::Write`], [`ClientError::Closed`].
    pub async fn save(&self, path: impl Into<PathBuf>) -> Result<(), ClientError> {
        self.saved(SavedAction::Save(path.into())).await
    }

    /// Goes on with a conversation that [`Conversation::save`] wrote with the same model; this one is forgotten.
    ///
    /// # Errors
    /// [`ClientError::Read`], or [`ClientError::Engine`] with what is wrong with the file; this conversation is then as it was.
    /// Otherwise as [`Conversation::save`].
    pub async fn restore(&self, path: impl Into<PathBuf>) -> Result<(), ClientError> {
        self.saved(SavedAction::Restore(path.into())).await
    }

    /// Writes what the model made of the first `tokens` tokens of the conversation, without the messages: another conversation
    /// that begins with the same text can take it over with [`Conversation::restore_prefix`].
    ///
    /// # Errors
    /// As [`Conversation::save`].
    pub async fn save_prefix(&self, path: impl Into<PathBuf>, tokens: u32) -> Result<(), ClientError> {
        self.saved(SavedAction::SavePrefix(path.into(), tokens)).await
    }

    /// Takes over what [`Conversation::save_prefix`] wrote. The messages stay as they are; as far as their text begins with the
    /// same tokens, those need not be run.
    ///
    /// # Errors
    /// As [`Conversation::restore`].
    pub async fn restore_prefix(&self, path: impl Into<PathBuf>) -> Result<(), ClientError> {
        self.saved(SavedAction::RestorePrefix(path.into())).await
    }

    async fn saved(&self, action: SavedAction) -> Result<(), ClientError> {
        let id = self.inner.id;
        self.inner
            .guard
            .link
            .request(|reply| Command::Saved { id, action, reply })
            .await
    }

    async fn act(&self, action: MessagesAction) -> Result<Vec<Message>, ClientError> {
        let id = self.inner.id;
        self.inner
            .guard
            .link
            .request(|reply| Command::Messages { id, action, reply })
            .await
    }

    /// Cancels the answer in the making and gives the memory of the context back. Returns at once; may be called again.
    pub fn close(&self) {
        self.inner.guard.close();
    }
}

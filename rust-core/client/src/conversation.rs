//! A conversation with a model: its messages, and one question at a time.

use std::sync::Arc;

use crate::answer::Answer;
use crate::client::Guard;
use crate::command::{Command, MessagesAction, Prompt};
use crate::error::within;
use crate::model::ModelInner;
use crate::registry::{ConversationId, Owner};
use crate::{ClientError, GenerationOptions, HISTORY_BYTES_MAX, MESSAGES_MAX, Message, PROMPT_BYTES_MAX};

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

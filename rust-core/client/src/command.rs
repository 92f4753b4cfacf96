//! What handles ask of the inference thread.

use std::path::PathBuf;

use tokio::sync::{mpsc, oneshot};
use whimbrel_engine::{CancelFlag, GenerationOptions, Message, OpenOptions};

use crate::registry::{ConversationId, ModelId, Owner, Ticket};
use crate::{AnswerEvent, ClientError, ConversationOptions, ModelInfo};

pub(crate) type Reply<T> = oneshot::Sender<Result<T, ClientError>>;
pub(crate) type EventSender = mpsc::Sender<Result<AnswerEvent, ClientError>>;

pub(crate) enum Command {
    OpenModel {
        id: ModelId,
        path: PathBuf,
        options: OpenOptions,
        reply: Reply<ModelInfo>,
    },
    OpenConversation {
        id: ConversationId,
        model: ModelId,
        options: ConversationOptions,
        reply: Reply<()>,
    },
    Messages {
        id: ConversationId,
        action: MessagesAction,
        reply: Reply<Vec<Message>>,
    },
    Saved {
        id: ConversationId,
        action: SavedAction,
        reply: Reply<()>,
    },
    Begin {
        begin: Begin,
        reply: Reply<()>,
    },
}

impl Command {
    /// Whether nobody waits for the reply any more.
    pub(crate) fn is_abandoned(&self) -> bool {
        match self {
            Command::OpenModel { reply, .. } => reply.is_closed(),
            Command::OpenConversation { reply, .. } | Command::Saved { reply, .. } | Command::Begin { reply, .. } => {
                reply.is_closed()
            }
            Command::Messages { reply, .. } => reply.is_closed(),
        }
    }
}

pub(crate) enum MessagesAction {
    Read,
    Reset,
    Replace(Vec<Message>),
}

/// What happens between a conversation and a file.
pub(crate) enum SavedAction {
    Save(PathBuf),
    Restore(PathBuf),
    SavePrefix(PathBuf, u32),
    RestorePrefix(PathBuf),
}

/// An answer to be made.
pub(crate) struct Begin {
    pub(crate) owner: Owner,
    pub(crate) prompt: Prompt,
    pub(crate) options: GenerationOptions,
    pub(crate) cancel: CancelFlag,
    pub(crate) events: EventSender,
    pub(crate) ticket: Ticket,
}

pub(crate) enum Prompt {
    /// The next message of the owner's conversation.
    Question(String),
    /// A text to go on from, without a template, in a context of its own.
    Raw { text: String, context_length: u32 },
}

//! What handles ask of the inference thread.

use std::path::PathBuf;

use tokio::sync::{mpsc, oneshot};
use whimbrel_engine::{CancelFlag, GenerationOptions, Message, OpenOptions, Step};

use super::SessionOptions;
use super::registry::{ModelId, Owner, SessionId, Ticket};
use crate::{ClientError, ModelInfo};

pub(super) type Reply<T> = oneshot::Sender<Result<T, ClientError>>;
pub(super) type EventSender = mpsc::Sender<Result<Step, ClientError>>;

pub(super) enum Command {
    OpenModel {
        id: ModelId,
        path: PathBuf,
        options: OpenOptions,
        reply: Reply<ModelInfo>,
    },
    OpenSession {
        id: SessionId,
        model: ModelId,
        options: SessionOptions,
        reply: Reply<()>,
    },
    Saved {
        id: SessionId,
        action: SavedAction,
        reply: Reply<Vec<Message>>,
    },
    Begin {
        begin: Begin,
        reply: Reply<()>,
    },
}

impl Command {
    /// Whether nobody waits for the reply any more.
    pub(super) fn is_abandoned(&self) -> bool {
        match self {
            Command::OpenModel { reply, .. } => reply.is_closed(),
            Command::OpenSession { reply, .. } | Command::Begin { reply, .. } => reply.is_closed(),
            Command::Saved { reply, .. } => reply.is_closed(),
        }
    }
}

/// What happens between a session and a file. Restoring gives the messages back, the others give none.
pub(super) enum SavedAction {
    Save(PathBuf, Vec<Message>),
    Restore(PathBuf),
    SavePrefix(PathBuf, u32),
    RestorePrefix(PathBuf),
}

/// An answer to be made.
pub(super) struct Begin {
    pub(super) owner: Owner,
    pub(super) prompt: Prompt,
    pub(super) options: GenerationOptions,
    pub(super) cancel: CancelFlag,
    pub(super) events: EventSender,
    pub(super) ticket: Ticket,
}

pub(super) enum Prompt {
    /// The whole history, the question last, for the owner's session.
    Messages(Vec<Message>),
    /// A text to go on from, without a template, in a context of its own.
    Raw { text: String, context_length: u32 },
}

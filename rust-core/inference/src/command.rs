//! The commands that handles send to the inference thread.

use std::path::PathBuf;

use tokio::sync::{mpsc, oneshot};
use whimbrel_engine::{CancelFlag, GenerationOptions, Message, OpenOptions, Step};

use crate::registry::{ModelId, Owner, SessionId, Ticket};
use crate::thread::InferenceThread;
use crate::{InferenceError, ModelInfo, SessionOptions};

pub(crate) type Reply<T> = oneshot::Sender<Result<T, InferenceError>>;
pub(crate) type EventSender = mpsc::Sender<Result<Step, InferenceError>>;

pub(crate) enum Command {
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
    /// Work with a context. It sends its own reply.
    WithChat(Box<dyn FnOnce(&mut InferenceThread) + Send>),
    Begin {
        begin: Box<Begin>,
        reply: Reply<()>,
    },
}

impl Command {
    /// Whether nobody waits for the reply any more.
    pub(crate) fn is_abandoned(&self) -> bool {
        match self {
            Command::OpenModel { reply, .. } => reply.is_closed(),
            Command::OpenSession { reply, .. } | Command::Begin { reply, .. } => reply.is_closed(),
            // It looks by itself.
            Command::WithChat(_) => false,
        }
    }
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
    /// The whole history, the question last, for the owner's session.
    Messages(Vec<Message>),
    /// A text to go on from, without a template, in a context of its own.
    Raw { text: String, context_length: u32 },
}

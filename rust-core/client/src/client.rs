//! The root object: owns the inference thread and the channel to it.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{self, Thread};

use tokio::sync::{mpsc, oneshot};

use crate::command::{Command, Reply};
use crate::inference::Inference;
use crate::model::ModelInner;
use crate::registry::{Owned, Registry};
use crate::{COMMANDS_WAITING_MAX, ClientError, ModelHandle, OpenOptions};

/// Opens models. Clones are the same client; it ends when it is closed, or when the last of it, of its models, conversations
/// and answers is dropped.
#[derive(Clone)]
pub struct Client {
    link: Arc<Link>,
}

impl Client {
    /// Starts the inference thread.
    ///
    /// # Errors
    /// [`ClientError::Thread`] when the system has no thread left.
    pub fn new() -> Result<Client, ClientError> {
        let registry = Arc::new(Registry::default());
        let (commands, received) = mpsc::channel(COMMANDS_WAITING_MAX);
        let inference = Inference::new(registry.clone(), received);
        let thread = thread::Builder::new()
            .name("whimbrel-inference".into())
            .spawn(move || inference.run())
            .map_err(ClientError::Thread)?
            .thread()
            .clone();
        Ok(Client {
            link: Arc::new(Link {
                registry,
                commands,
                thread,
            }),
        })
    }

    /// Opens the bundle in the folder `path`. Opening reads and, unless told otherwise, verifies all of it; answers in the
    /// making pause meanwhile.
    ///
    /// # Errors
    /// [`ClientError::Engine`] with what is wrong with the bundle; [`ClientError::Limit`] past [`crate::MODELS_MAX`].
    pub async fn open_model(&self, path: impl Into<PathBuf>, options: OpenOptions) -> Result<ModelHandle, ClientError> {
        let id = self.link.registry.model_id();
        // Made first, so that dropping this future half-way closes what the thread opened.
        let guard = Guard {
            link: self.link.clone(),
            owned: Owned::Model(id),
        };
        let path = path.into();
        let info = self
            .link
            .request(|reply| Command::OpenModel {
                id,
                path,
                options,
                reply,
            })
            .await?;
        Ok(ModelHandle {
            inner: Arc::new(ModelInner { guard, id, info }),
        })
    }

    /// Answers in the making, in all conversations. A cancelled answer counts until it has really ended.
    #[must_use]
    pub fn active_answers(&self) -> u32 {
        self.link.registry.active_answers()
    }

    /// Cancels every answer and closes every model. Returns at once; whatever uses the client afterwards gets
    /// [`ClientError::Closed`]. May be called again.
    pub fn close(&self) {
        self.link.close();
    }

    /// Closes, and waits until the inference thread has let go of everything: one operator of a running model, or the opening
    /// of a bundle if one is under way. May be called again.
    pub async fn shutdown(&self) {
        self.link.close();
        self.link.commands.closed().await;
    }
}

/// The way to the inference thread. The thread ends when the last of these is dropped.
pub(crate) struct Link {
    pub(crate) registry: Arc<Registry>,
    commands: mpsc::Sender<Command>,
    thread: Thread,
}

impl Link {
    /// Sends a command and waits for its reply.
    pub(crate) async fn request<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, ClientError> {
        if self.registry.is_closing() {
            return Err(self.gone());
        }
        let (reply, replied) = oneshot::channel();
        self.commands.send(command(reply)).await.map_err(|_| self.gone())?;
        self.wake();
        replied.await.map_err(|_| self.gone())?
    }

    /// Makes the inference thread look around: something was sent, read, cancelled or closed.
    pub(crate) fn wake(&self) {
        self.thread.unpark();
    }

    /// Why the thread does not answer.
    pub(crate) fn gone(&self) -> ClientError {
        if self.registry.is_closing() {
            ClientError::Closed { what: "client" }
        } else {
            ClientError::Stopped
        }
    }

    fn close(&self) {
        self.registry.close_all();
        self.wake();
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.close();
    }
}

/// Stands for something that the inference thread holds: closes it when dropped.
pub(crate) struct Guard {
    pub(crate) link: Arc<Link>,
    pub(crate) owned: Owned,
}

impl Guard {
    pub(crate) fn close(&self) {
        self.link.registry.close(self.owned);
        self.link.wake();
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.close();
    }
}

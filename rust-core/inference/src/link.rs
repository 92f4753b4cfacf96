//! The channel to the inference thread, and what keeps objects on it open.

use std::sync::Arc;
use std::thread::Thread;

use tokio::sync::{mpsc, oneshot};

use crate::InferenceError;
use crate::command::{Command, Reply};
use crate::registry::{Owned, Registry};

/// The way to the inference thread. The thread ends when the last of these is dropped.
pub(crate) struct Link {
    pub(crate) registry: Arc<Registry>,
    pub(crate) commands: mpsc::Sender<Command>,
    pub(crate) thread: Thread,
}

impl Link {
    /// Sends a command and waits for its reply.
    pub(crate) async fn request<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, InferenceError> {
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
    pub(crate) fn gone(&self) -> InferenceError {
        if self.registry.is_closing() {
            InferenceError::Closed { what: "client" }
        } else {
            InferenceError::Stopped
        }
    }

    pub(crate) fn close(&self) {
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

//! The way to the inference thread, and what holds something open there.

use std::sync::Arc;
use std::thread::Thread;

use tokio::sync::{mpsc, oneshot};

use super::command::{Command, Reply};
use super::registry::{Owned, Registry};
use crate::ClientError;

/// The way to the inference thread. The thread ends when the last of these is dropped.
pub(super) struct Link {
    pub(super) registry: Arc<Registry>,
    pub(super) commands: mpsc::Sender<Command>,
    pub(super) thread: Thread,
}

impl Link {
    /// Sends a command and waits for its reply.
    pub(super) async fn request<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, ClientError> {
        if self.registry.is_closing() {
            return Err(self.gone());
        }
        let (reply, replied) = oneshot::channel();
        self.commands.send(command(reply)).await.map_err(|_| self.gone())?;
        self.wake();
        replied.await.map_err(|_| self.gone())?
    }

    /// Makes the inference thread look around: something was sent, read, cancelled or closed.
    pub(super) fn wake(&self) {
        self.thread.unpark();
    }

    /// Why the thread does not answer.
    pub(super) fn gone(&self) -> ClientError {
        if self.registry.is_closing() {
            ClientError::Closed { what: "client" }
        } else {
            ClientError::Stopped
        }
    }

    pub(super) fn close(&self) {
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
pub(super) struct Guard {
    pub(super) link: Arc<Link>,
    pub(super) owned: Owned,
}

impl Guard {
    pub(super) fn close(&self) {
        self.link.registry.close(self.owned);
        self.link.wake();
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.close();
    }
}

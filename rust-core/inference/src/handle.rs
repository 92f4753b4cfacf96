//! The object that opens models: owns the inference thread and the channel to it.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread::Builder;

use tokio::sync::mpsc;
use whimbrel_engine::OpenOptions;

use crate::command::Command;
use crate::link::{Guard, Link};
use crate::model::ModelInner;
use crate::registry::{Owned, Registry};
use crate::thread::InferenceThread;
use crate::{COMMANDS_WAITING_MAX, InferenceError, OpenModel};

/// The inference thread. Clones refer to the same thread. It ends when it is closed, or when the last clone and the last of its models,
/// sessions and answers are dropped.
#[derive(Clone)]
pub struct Inference {
    link: Arc<Link>,
}

impl Inference {
    /// Starts the thread.
    ///
    /// # Errors
    /// [`InferenceError::Thread`] if the system cannot start a thread.
    pub fn start() -> Result<Inference, InferenceError> {
        let registry = Arc::new(Registry::default());
        let (commands, received) = mpsc::channel(COMMANDS_WAITING_MAX);
        let inference = InferenceThread::new(registry.clone(), received);
        let thread = Builder::new()
            .name("whimbrel-inference".into())
            .spawn(move || inference.run())
            .map_err(InferenceError::Thread)?
            .thread()
            .clone();
        Ok(Inference {
            link: Arc::new(Link {
                registry,
                commands,
                thread,
            }),
        })
    }

    /// Opens the bundle in the folder `path`. Opening reads the bundle and, unless the options say otherwise, verifies all of it. Answers
    /// in progress pause meanwhile.
    ///
    /// # Errors
    /// [`InferenceError::Engine`] with what is wrong with the bundle; [`InferenceError::Limit`] beyond [`crate::MODELS_MAX`];
    /// [`InferenceError::Closed`].
    pub async fn open_model(
        &self,
        path: impl Into<PathBuf>,
        options: OpenOptions,
    ) -> Result<OpenModel, InferenceError> {
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
        Ok(OpenModel {
            inner: Arc::new(ModelInner { guard, id, info }),
        })
    }

    /// The number of answers in progress in all sessions. A cancelled answer counts until it has ended.
    #[must_use]
    pub fn active_answers(&self) -> u32 {
        self.link.registry.active_answers()
    }

    /// Cancels every answer and closes every model. Returns at once. Later calls fail with [`InferenceError::Closed`]. May be called again.
    pub fn close(&self) {
        self.link.close();
    }

    /// Closes everything, and waits until the thread has released it. This takes at most one operator of a running model, or the rest of
    /// opening a bundle. May be called again.
    pub async fn shutdown(&self) {
        self.link.close();
        self.link.commands.closed().await;
    }
}

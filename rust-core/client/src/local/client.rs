//! The object that opens models: owns the inference thread and the channel to it.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use tokio::sync::mpsc;

use super::command::Command;
use super::inference::Inference;
use super::link::{Guard, Link};
use super::model::{Model, ModelInner};
use super::registry::{Owned, Registry};
use crate::places::Places;
use crate::ports::Ports;
use crate::services::{Services, runtime};
use crate::{COMMANDS_WAITING_MAX, ClientError, OpenOptions};

/// Opens models. Clones are the same client; it ends when it is closed, or when the last of it, of its models, conversations
/// and answers is dropped.
#[derive(Clone)]
pub struct Client {
    link: Arc<Link>,
    /// For conversations without a policy.
    services: Arc<Services>,
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
        let runtime = runtime()?;
        let places = Places::new(runtime.handle().clone(), None, None);
        let Ports { clock, randomness, .. } = Ports::default();
        let (services, _) = Services::new(runtime, (clock, randomness), None, places, None);
        Ok(Client {
            link: Arc::new(Link {
                registry,
                commands,
                thread,
            }),
            services: Arc::new(services),
        })
    }

    /// Opens the bundle in the folder `path`. Opening reads and, unless told otherwise, verifies all of it; answers in
    /// progress pause meanwhile.
    ///
    /// # Errors
    /// [`ClientError::Engine`] with what is wrong with the bundle; [`ClientError::Limit`] past [`crate::MODELS_MAX`].
    pub async fn open_model(&self, path: impl Into<PathBuf>, options: OpenOptions) -> Result<Model, ClientError> {
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
        let services = self.services.clone();
        Ok(Model {
            inner: Arc::new(ModelInner {
                guard,
                id,
                info,
                services,
            }),
        })
    }

    /// Answers in progress, in all conversations. A cancelled answer counts until it has really ended.
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

//! A model's state for a conversation: its context with keys and values. The messages are passed with each question, and the engine reuses
//! as much of its context as agrees with them.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::Mutex;
use whimbrel_engine::{GenerationOptions, Message};

use crate::command::{Command, Prompt, SavedAction};
use crate::error::lock;
use crate::link::Guard;
use crate::model::ModelInner;
use crate::registry::{Owned, Owner, SessionId};
use crate::{InferenceError, OpenModel, SessionOptions, Stream};

/// The session of a conversation, created when it is first needed. A session with another model replaces it.
#[derive(Default)]
pub struct SessionSlot {
    session: Mutex<Option<Session>>,
    closed: std::sync::Mutex<Option<Arc<SessionInner>>>,
}

/// A session with a model. Clones refer to the same session. Its memory is released when all clones and their answers are dropped.
#[derive(Clone)]
pub struct Session {
    inner: Arc<SessionInner>,
}

struct SessionInner {
    guard: Guard,
    id: SessionId,
    /// Keeps the model open.
    model: Arc<ModelInner>,
}

impl SessionSlot {
    /// The session with this model.
    ///
    /// # Errors
    /// [`InferenceError::Engine`] for a context length out of range, too little memory or a model without a chat template;
    /// [`InferenceError::Limit`] beyond [`crate::SESSIONS_MAX`]; [`InferenceError::Closed`].
    pub async fn of(&self, model: &OpenModel, options: SessionOptions) -> Result<Session, InferenceError> {
        let mut session = self.session.lock().await;
        if let Some(open) = session
            .as_ref()
            .filter(|open| Arc::ptr_eq(&open.inner.model, &model.inner))
        {
            return Ok(open.clone());
        }
        let open = Session::open(model, options).await?;
        *lock(&self.closed) = Some(open.inner.clone());
        *session = Some(open.clone());
        Ok(open)
    }

    /// Releases the memory of the context.
    pub fn close(&self) {
        if let Some(session) = lock(&self.closed).take() {
            session.guard.close();
        }
    }
}

impl Session {
    /// Reserves the memory of a context. Fails as [`SessionSlot::of`].
    async fn open(model: &OpenModel, options: SessionOptions) -> Result<Session, InferenceError> {
        let link = &model.inner.guard.link;
        let (id, model_id) = (link.registry.session_id(), model.inner.id);
        // Made first, so that dropping this future half-way closes what the thread opened.
        let guard = Guard {
            link: link.clone(),
            owned: Owned::Session(id),
        };
        link.request(|reply| Command::OpenSession {
            id,
            model: model_id,
            options,
            reply,
        })
        .await?;
        Ok(Session {
            inner: Arc::new(SessionInner {
                guard,
                id,
                model: model.inner.clone(),
            }),
        })
    }

    /// Answers the last of the messages.
    ///
    /// # Errors
    /// [`InferenceError::Busy`] while an earlier answer is in progress (a cancelled one does not count); [`InferenceError::Engine`] if the
    /// messages do not fit the context or an option is invalid; [`InferenceError::Limit`] beyond [`crate::ANSWERS_MAX`];
    /// [`InferenceError::Closed`].
    pub async fn ask(&self, messages: Vec<Message>, options: GenerationOptions) -> Result<Stream, InferenceError> {
        let owner = Owner {
            model: self.inner.model.id,
            session: Some(self.inner.id),
        };
        let link = self.inner.guard.link.clone();
        Stream::begin(link, owner, Prompt::Messages(messages), options, Box::new(self.clone())).await
    }

    /// Saves the messages and the KV cache to a file.
    pub async fn save(&self, messages: Vec<Message>, path: PathBuf) -> Result<(), InferenceError> {
        self.saved(SavedAction::Save(path, messages)).await.map(drop)
    }

    /// Loads what [`Session::save`] wrote, and returns the messages.
    pub async fn restore(&self, path: PathBuf) -> Result<Vec<Message>, InferenceError> {
        self.saved(SavedAction::Restore(path)).await
    }

    /// Saves the KV cache of the first tokens to a file.
    pub async fn save_prefix(&self, path: PathBuf, tokens: u32) -> Result<(), InferenceError> {
        self.saved(SavedAction::SavePrefix(path, tokens)).await.map(drop)
    }

    /// Loads what [`Session::save_prefix`] wrote.
    pub async fn restore_prefix(&self, path: PathBuf) -> Result<(), InferenceError> {
        self.saved(SavedAction::RestorePrefix(path)).await.map(drop)
    }

    async fn saved(&self, action: SavedAction) -> Result<Vec<Message>, InferenceError> {
        let id = self.inner.id;
        let link = &self.inner.guard.link;
        link.request(|reply| Command::Saved { id, action, reply }).await
    }
}

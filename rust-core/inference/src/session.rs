//! What a model keeps of a conversation: its context with keys and values. The messages come with each question, and the engine keeps what of
//! its context still agrees with them.

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

/// The session of a conversation, made when it is first needed. Another model takes the place of the one before.
#[derive(Default)]
pub struct SessionSlot {
    session: Mutex<Option<Session>>,
    closed: std::sync::Mutex<Option<Arc<SessionInner>>>,
}

/// A session with a model. Clones are the same session; its memory is given back when they and their answers are dropped.
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
    /// [`InferenceError::Limit`] past [`crate::SESSIONS_MAX`]; [`InferenceError::Closed`].
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

    /// Gives the memory of the context back.
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
    /// [`InferenceError::Busy`] while an earlier answer goes on (a cancelled one does not count); [`InferenceError::Engine`] when the context or an option
    /// does not allow it; [`InferenceError::Limit`] past [`crate::ANSWERS_MAX`]; [`InferenceError::Closed`].
    pub async fn ask(&self, messages: Vec<Message>, options: GenerationOptions) -> Result<Stream, InferenceError> {
        let owner = Owner {
            model: self.inner.model.id,
            session: Some(self.inner.id),
        };
        let link = self.inner.guard.link.clone();
        Stream::begin(link, owner, Prompt::Messages(messages), options, Box::new(self.clone())).await
    }

    /// Writes the messages and what the model made of them.
    pub async fn save(&self, messages: Vec<Message>, path: PathBuf) -> Result<(), InferenceError> {
        self.saved(SavedAction::Save(path, messages)).await.map(drop)
    }

    /// Takes over what [`Session::save`] wrote; the messages are the result.
    pub async fn restore(&self, path: PathBuf) -> Result<Vec<Message>, InferenceError> {
        self.saved(SavedAction::Restore(path)).await
    }

    /// Writes what the model made of the first tokens.
    pub async fn save_prefix(&self, path: PathBuf, tokens: u32) -> Result<(), InferenceError> {
        self.saved(SavedAction::SavePrefix(path, tokens)).await.map(drop)
    }

    /// Takes over what [`Session::save_prefix`] wrote.
    pub async fn restore_prefix(&self, path: PathBuf) -> Result<(), InferenceError> {
        self.saved(SavedAction::RestorePrefix(path)).await.map(drop)
    }

    async fn saved(&self, action: SavedAction) -> Result<Vec<Message>, InferenceError> {
        let id = self.inner.id;
        let link = &self.inner.guard.link;
        link.request(|reply| Command::Saved { id, action, reply }).await
    }
}

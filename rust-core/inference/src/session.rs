//! A model's state for a conversation: its context with keys and values. The messages are passed with each question, and the engine reuses
//! as much of its context as agrees with them.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Mutex;
use whimbrel_engine::{Chat, ContextUse, GenerationOptions, Message, PrefixSource};

use crate::command::{Command, Prompt, Reply};
use crate::error::lock;
use crate::link::Guard;
use crate::model::ModelInner;
use crate::registry::{Owned, Owner, SessionId};
use crate::thread::InferenceThread;
use crate::{InferenceError, ModelInfo, OpenModel, SessionOptions, Stream, saved};

/// The session of a conversation, created when it is first needed. A session with another model replaces it.
#[derive(Default)]
pub struct SessionSlot {
    session: Mutex<Option<Session>>,
    opened: std::sync::Mutex<Option<Session>>,
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
    /// Whether it was asked nothing since its context was empty.
    is_unused: AtomicBool,
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
        *lock(&self.opened) = Some(open.clone());
        *session = Some(open.clone());
        Ok(open)
    }

    /// The session, if there is one.
    #[must_use]
    pub fn opened(&self) -> Option<Session> {
        lock(&self.opened).clone()
    }

    /// Releases the memory of the context.
    pub fn close(&self) {
        if let Some(session) = lock(&self.opened).take() {
            session.close();
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
                is_unused: true.into(),
            }),
        })
    }

    /// Properties of its model.
    #[must_use]
    pub fn model_info(&self) -> &ModelInfo {
        &self.inner.model.info
    }

    /// Whether it was asked nothing yet, or not since [`Session::release`]. True once: what asks next fills the context.
    #[must_use]
    pub fn take_unused(&self) -> bool {
        self.inner.is_unused.swap(false, Ordering::Relaxed)
    }

    /// Cancels its answer and releases the memory of the context. Returns at once, and may be called again.
    pub fn close(&self) {
        self.inner.guard.close();
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
        self.with(move |chat| saved::write(&path, &chat.save(&messages)?)).await
    }

    /// Loads what [`Session::save`] wrote, and returns the messages.
    pub async fn restore(&self, path: PathBuf) -> Result<Vec<Message>, InferenceError> {
        self.with(move |chat| Ok(chat.restore(&saved::read(&path)?)?)).await
    }

    /// Saves the KV cache of the first tokens to a file.
    pub async fn save_prefix(&self, path: PathBuf, tokens: u32) -> Result<(), InferenceError> {
        self.with(move |chat| saved::write(&path, &chat.save_prefix(tokens)?))
            .await
    }

    /// Loads what [`Session::save_prefix`] wrote.
    pub async fn restore_prefix(&self, path: PathBuf) -> Result<(), InferenceError> {
        self.with(move |chat| Ok(chat.restore_prefix(&saved::read(&path)?)?))
            .await
    }

    /// What the context holds now.
    pub async fn context(&self) -> Result<ContextUse, InferenceError> {
        self.with(|chat| Ok(chat.context())).await
    }

    /// What identifies the beginning that is shared with other conversations: a hash of its tokens. `None` if it is not worth saving by itself.
    pub async fn beginning_hash(
        &self,
        messages: Vec<Message>,
        options: GenerationOptions,
    ) -> Result<Option<[u8; 32]>, InferenceError> {
        self.with(move |chat| Ok(chat.beginning_hash(&messages, &options)))
            .await
    }

    /// The context as bytes, or its first tokens. They contain what was said.
    pub async fn export(&self, tokens_max: u32) -> Result<Vec<u8>, InferenceError> {
        self.with(move |chat| Ok(chat.export(tokens_max)?)).await
    }

    /// Fills the context from where bytes of [`Session::export`] are kept. The source must notice bytes that were changed.
    ///
    /// # Errors
    /// [`InferenceError::Engine`]: with [`whimbrel_engine::EngineError::PrefixRead`] if the source fails. The context is then empty, or as it was.
    pub async fn import(&self, source: impl PrefixSource + 'static) -> Result<(), InferenceError> {
        self.with(move |chat| Ok(chat.import_from(&source)?)).await
    }

    /// Empties the context and gives its memory back.
    pub async fn release(&self) -> Result<(), InferenceError> {
        let id = self.inner.id;
        self.with_thread(move |thread| {
            thread.idle_chat(id)?;
            thread.renew(id);
            Ok(())
        })
        .await?;
        self.inner.is_unused.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Does something with the chat while no answer is in progress.
    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Chat) -> Result<T, InferenceError> + Send + 'static,
    ) -> Result<T, InferenceError> {
        let id = self.inner.id;
        self.with_thread(move |thread| work(thread.idle_chat(id)?)).await
    }

    async fn with_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut InferenceThread) -> Result<T, InferenceError> + Send + 'static,
    ) -> Result<T, InferenceError> {
        let id = self.inner.id;
        let command = |reply: Reply<T>| {
            Command::WithChat(Box::new(move |thread| {
                if !reply.is_closed() {
                    // Whoever waits may have gone meanwhile.
                    drop(reply.send(thread.isolated(Some(id), work)));
                }
            }))
        };
        self.inner.guard.link.request(command).await
    }
}

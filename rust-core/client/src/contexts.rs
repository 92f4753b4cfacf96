//! Contexts on the disk: the keys and values of beginnings that conversations share, a system message for instance, and of conversations that are
//! not open, so that their text need not be read again. They are caches, sealed like everything that is made from a text: one that is damaged, foreign or out of date is not used.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};

use tokio::time::Instant;
use whimbrel_engine::{EngineError, GenerationOptions, Message, PrefixSource};
use whimbrel_inference::{InferenceError, Session, SessionSlot};
use whimbrel_store::{ConversationId, SealedFile, SealedFiles, Store, StoreError};

use crate::conversation::Inner;
use crate::error::lock;
use crate::services::{OpenRecords, Services};
use crate::{ClientError, caches};

/// The purpose of the sealed files. A file ends with the model's [`whimbrel_inference::ModelInfo::context_binding`].
pub(crate) const PURPOSE: &str = "context";
/// A context of fewer tokens is not worth a file.
const TOKENS_MIN: u32 = 128;
/// The largest file that is read.
const FILE_BYTES_MAX: u32 = 1 << 30;
/// Ahead of the name of a shared beginning's file; the others are named after their conversations.
const SHARED: &str = "system-";
const BINDING_BYTES: usize = 32;

/// The context of a conversation on this device.
#[derive(Default)]
pub(crate) struct Context {
    pub(crate) slot: SessionSlot,
    /// When it was last used.
    used: Mutex<Option<Instant>>,
    /// It has text that was deleted since.
    is_stale: AtomicBool,
    /// So may its file, and the store's log.
    has_stale_file: AtomicBool,
    /// How many of its tokens are on the disk.
    saved_tokens: AtomicU32,
    /// Held while what was read of it is saved.
    pub(crate) saving: Arc<tokio::sync::Mutex<()>>,
}

/// All contexts, and what keeps their files and the conversations in step.
#[derive(Default)]
pub(crate) struct ContextDesk {
    open: Mutex<Vec<Weak<Inner>>>,
    /// Held while a file is written or a conversation is deleted.
    pub(crate) files: Mutex<()>,
    /// Grows whenever messages are replaced: what was read of a context before may have text that is gone.
    replaced: AtomicU64,
}

/// The files of a store, for the context of one conversation.
#[derive(Clone)]
pub(crate) struct ContextFiles {
    services: Arc<Services>,
    records: Arc<OpenRecords>,
    /// Set if the conversation is kept.
    conversation: Option<ConversationId>,
}

/// A file that is open, for the engine to read. Its end is the binding.
struct SavedContext(SealedFile);

/// A shared beginning that is saved once it was read.
pub(crate) struct ToSave {
    files: ContextFiles,
    name: String,
    saving: Arc<tokio::sync::Mutex<()>>,
}

impl Context {
    /// For how long it was not used, in milliseconds.
    pub(crate) fn idle_ms(&self) -> u64 {
        let idle = lock(&self.used).map(|used| used.elapsed());
        idle.map_or(u64::MAX, |idle| u64::try_from(idle.as_millis()).unwrap_or(u64::MAX))
    }

    /// It is asked: what it holds agrees with the messages from now on.
    pub(crate) fn note_used(&self) {
        *lock(&self.used) = Some(Instant::now());
        self.is_stale.store(false, Ordering::Relaxed);
    }

    /// Messages were replaced.
    pub(crate) fn note_changed(&self) {
        self.is_stale.store(true, Ordering::Relaxed);
        self.has_stale_file.store(true, Ordering::Relaxed);
    }

    /// Removes the file of the conversation if it may have text that was deleted. Returns whether it may. Blocks.
    pub(crate) fn forget_stale(
        &self,
        services: &Services,
        store: &Store,
        id: ConversationId,
    ) -> Result<bool, StoreError> {
        if !self.has_stale_file.swap(false, Ordering::Relaxed) {
            return Ok(false);
        }
        let _files = lock(&services.contexts.files);
        services.contexts.replaced.fetch_add(1, Ordering::Relaxed);
        self.saved_tokens.store(0, Ordering::Relaxed);
        forget(store, id).map(|()| true)
    }
}

impl ContextDesk {
    pub(crate) fn enter(&self, inner: &Arc<Inner>) {
        let mut open = lock(&self.open);
        open.retain(|other| other.strong_count() > 0);
        open.push(Arc::downgrade(inner));
    }

    /// The conversations that are open, kept or not. Whoever goes through them must not hold them all: one that is dropped meanwhile gives its memory
    /// back at once.
    pub(crate) fn open(&self) -> Vec<Weak<Inner>> {
        lock(&self.open).clone()
    }
}

impl ContextFiles {
    pub(crate) fn new(
        services: &Arc<Services>,
        records: Arc<OpenRecords>,
        conversation: Option<ConversationId>,
    ) -> ContextFiles {
        ContextFiles {
            services: services.clone(),
            records,
            conversation,
        }
    }

    /// Fills an empty context with what is saved of the conversation, or of its beginning. Returns what is to be saved once the question is
    /// answered.
    pub(crate) async fn fill(
        self,
        context: &Context,
        session: &Session,
        messages: &[Message],
        options: &GenerationOptions,
    ) -> Option<ToSave> {
        let filled = self.try_to_fill(context, session, messages, options).await;
        filled.unwrap_or_else(|error| {
            log::debug!("a saved context is not used: {error}");
            None
        })
    }

    async fn try_to_fill(
        self,
        context: &Context,
        session: &Session,
        messages: &[Message],
        options: &GenerationOptions,
    ) -> Result<Option<ToSave>, ClientError> {
        if let Some(id) = self.conversation
            && self.fill_from(session, id.to_string()).await?
        {
            let tokens = session.context().await?.tokens;
            context.saved_tokens.store(tokens, Ordering::Relaxed);
            return Ok(None);
        }
        let Some(hash) = session.beginning_hash(messages.to_vec(), options.clone()).await? else {
            return Ok(None);
        };
        let bound = [binding(session), hash].concat();
        let hidden = self.with_files(move |files, _| files.hidden_name(&bound)).await?;
        let name = format!("{SHARED}{hidden}");
        match self.fill_from(session, name.clone()).await? {
            true => Ok(None),
            false => Ok(Some(ToSave {
                files: self,
                name,
                saving: context.saving.clone(),
            })),
        }
    }

    /// Fills an empty context from a file. Returns whether there is one that is of use; otherwise the context is still empty.
    async fn fill_from(&self, session: &Session, name: String) -> Result<bool, ClientError> {
        let Some(saved) = self.open(session, name.clone()).await? else {
            return Ok(false);
        };
        match session.import(saved).await {
            Err(InferenceError::Engine(EngineError::PrefixRead { source })) => {
                let error = source
                    .downcast::<StoreError>()
                    .map_err(|source| EngineError::PrefixRead { source })?;
                self.with_files(move |files, _| discard(files, &name, error)).await?;
                Ok(false)
            }
            imported => Ok(imported.map(|()| true)?),
        }
    }

    /// Saves the context of a kept conversation.
    pub(crate) async fn put_away(&self, context: &Context, session: &Session) -> Result<(), ClientError> {
        let is_stale = context.is_stale.load(Ordering::Relaxed);
        let Some(id) = self.conversation.filter(|_| !is_stale) else {
            return Ok(());
        };
        let replaced = self.services.contexts.replaced.load(Ordering::Relaxed);
        let held = session.context().await?.tokens;
        if held < TOKENS_MIN || held == context.saved_tokens.load(Ordering::Relaxed) {
            return Ok(());
        }
        let bytes = session.export(u32::MAX).await?;
        self.write(session, id.to_string(), bytes, replaced).await?;
        context.saved_tokens.store(held, Ordering::Relaxed);
        caches::keep_within_budget(&self.services, Some(&self.records)).await;
        Ok(())
    }

    async fn open(&self, session: &Session, name: String) -> Result<Option<SavedContext>, ClientError> {
        let binding = binding(session);
        self.with_files(move |files, services| {
            let saved = open(files, &name, binding)?;
            if saved.is_some() {
                files.note_used(&name, services.clock.now_ms())?;
            }
            Ok(saved)
        })
        .await
    }

    /// Does something with the sealed files where it may block.
    async fn with_files<T: Send + 'static>(
        &self,
        work: impl FnOnce(&SealedFiles, &Services) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, ClientError> {
        let records = self.records.clone();
        let done = self.services.blocking(move |services| {
            let files = records.store()?.files(PURPOSE)?;
            Ok::<_, ClientError>(work(&files, services)?)
        });
        done.await?
    }

    /// Writes a file, unless messages were replaced since it was `replaced` so often.
    async fn write(
        &self,
        session: &Session,
        name: String,
        mut bytes: Vec<u8>,
        replaced: u64,
    ) -> Result<(), ClientError> {
        bytes.extend(binding(session));
        let (records, id) = (self.records.clone(), self.conversation);
        let written = self.services.blocking(move |services| {
            let _files = lock(&services.contexts.files);
            if services.contexts.replaced.load(Ordering::Relaxed) != replaced {
                return Ok(());
            }
            let store = records.store()?;
            if let Some(id) = id {
                // It may have been deleted meanwhile.
                store.conversations().summary(id)?;
            }
            Ok::<_, ClientError>(store.files(PURPOSE)?.put(&name, &bytes)?)
        });
        written.await?
    }
}

impl ToSave {
    /// The question was answered.
    pub(crate) fn save_aside(self, session: Session) {
        let handle = self.files.services.handle().clone();
        // From now on: the conversation may be dropped as soon as its reader has the answer.
        let saving = self.saving.clone().try_lock_owned();
        drop(handle.spawn(async move {
            let _saving = saving;
            if let Err(error) = self.save(&session).await {
                log::debug!("a shared beginning is not saved: {error}");
            }
        }));
    }

    async fn save(self, session: &Session) -> Result<(), ClientError> {
        if let Some(tokens) = session.context().await?.shared_tokens {
            let replaced = self.files.services.contexts.replaced.load(Ordering::Relaxed);
            let bytes = session.export(tokens).await?;
            self.files.write(session, self.name, bytes, replaced).await?;
            caches::keep_within_budget(&self.files.services, Some(&self.files.records)).await;
        }
        Ok(())
    }
}

/// What a saved context is good for: see [`whimbrel_inference::ModelInfo::context_binding`].
fn binding(session: &Session) -> [u8; BINDING_BYTES] {
    session.model_info().context_binding
}

impl PrefixSource for SavedContext {
    fn bytes(&self) -> u64 {
        self.0.bytes() - BINDING_BYTES as u64
    }

    fn chunk_bytes(&self) -> u32 {
        SealedFile::CHUNK_BYTES
    }

    fn read(&self, offset: u64, parts: &mut [&mut [u8]]) -> io::Result<()> {
        self.0.read_at(offset, parts).map_err(io::Error::other)
    }
}

/// Opens a file that was written under this binding. A file that is of no use is removed.
fn open(files: &SealedFiles, name: &str, binding: [u8; BINDING_BYTES]) -> Result<Option<SavedContext>, StoreError> {
    let found = || {
        let Some(file) = files.open(name, FILE_BYTES_MAX)? else {
            return Ok(None);
        };
        let Some(start) = file.bytes().checked_sub(BINDING_BYTES as u64) else {
            return Ok(Some((SavedContext(file), false)));
        };
        let mut end = [0; BINDING_BYTES];
        file.read_at(start, &mut [&mut end])?;
        Ok(Some((SavedContext(file), end == binding)))
    };
    match found() {
        Ok(None) => Ok(None),
        Ok(Some((saved, true))) => Ok(Some(saved)),
        Ok(Some((_, false))) => files.remove(name).map(|()| None),
        Err(error) => discard(files, name, error).map(|()| None),
    }
}

/// Removes a file that was damaged or is too large, and passes on any other error.
fn discard(files: &SealedFiles, name: &str, error: StoreError) -> Result<(), StoreError> {
    match error {
        StoreError::Sealed(_) | StoreError::Record(_) => {
            log::warn!("a saved context cannot be read and is removed: {error}");
            files.remove(name)
        }
        other => Err(other),
    }
}

/// Removes what is saved of a conversation, before the conversation itself: nothing of it may be left. Blocks.
pub(crate) fn forget(store: &Store, id: ConversationId) -> Result<(), StoreError> {
    store.files(PURPOSE)?.remove(&id.to_string())
}

/// Removes what is saved of conversations that are gone, because the process ended while they were deleted. Blocks.
pub(crate) fn forget_gone(store: &Store) -> Result<(), StoreError> {
    let files = store.files(PURPOSE)?;
    for entry in files.list()? {
        let Ok(id) = entry.name.parse::<ConversationId>() else {
            continue;
        };
        if matches!(
            store.conversations().summary(id),
            Err(StoreError::UnknownConversation { .. })
        ) {
            files.remove(&entry.name)?;
        }
    }
    Ok(())
}

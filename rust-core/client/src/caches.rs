//! All caches under one budget: remembered answers and saved contexts on the disk, and in memory the contexts of conversations. What is dropped
//! first, [`whimbrel_policy::budget`] decides.

use std::sync::{Arc, Mutex, Weak};

use serde::Serialize;
use tokio::sync::MutexGuard;
use whimbrel_inference::Session;
use whimbrel_policy::budget::{CacheBudget, CacheItem, EvictionPlan, MemoryPressure, plan_evictions};
use whimbrel_store::Store;

use crate::contexts::PURPOSE;
use crate::conversation::{Inner, Shelf};
use crate::error::lock;
use crate::services::{OpenRecords, Services};
use crate::{Assistant, Client, ClientError, Conversations};

/// What the caches may take if the app does not say.
pub const CACHE_BUDGET_DEFAULT: CacheBudget = CacheBudget {
    disk_bytes: 256 << 20,
    memory_bytes: 256 << 20,
};
/// What it costs to have an answer again, in milliseconds.
const ANSWER_MS: u64 = 3_000;
/// So many bytes of keys and values a small model computes on a phone in a millisecond.
const CONTEXT_BYTES_A_MS: u64 = 16 << 10;
/// So many a file gives.
const FILE_BYTES_A_MS: u64 = 1 << 20;

/// What the caches take.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct CacheUse {
    /// Remembered answers.
    pub answers: u64,
    /// Their bytes on the disk.
    pub answer_bytes: u64,
    /// Saved contexts: of system messages, and of conversations that are not open.
    pub saved_contexts: u64,
    /// Their bytes on the disk.
    pub saved_context_bytes: u64,
    /// Conversations with a context in memory.
    pub contexts: u64,
    /// Bytes of keys and values in these contexts.
    pub context_bytes: u64,
}

/// The caches of a client, of an assistant or of conversations that are kept. Clones are handles of the same caches.
#[derive(Clone)]
pub struct Caches {
    services: Arc<Services>,
    /// Where something is kept on the disk.
    shelf: Option<Shelf>,
}

/// The budget, and whose turn it is to keep to it.
pub(crate) struct Budget {
    most: Mutex<CacheBudget>,
    turn: tokio::sync::Mutex<()>,
}

impl Default for Budget {
    fn default() -> Budget {
        Budget {
            most: Mutex::new(CACHE_BUDGET_DEFAULT),
            turn: tokio::sync::Mutex::default(),
        }
    }
}

/// Something in a cache.
enum Cached {
    Answer(u64),
    File(String),
    Context(Weak<Inner>, Session),
}

impl Client {
    /// The contexts of conversations with a model alone.
    #[must_use]
    pub fn caches(&self) -> Caches {
        Caches {
            services: self.services.clone(),
            shelf: None,
        }
    }
}

impl Assistant {
    /// The caches of the assistant.
    #[must_use]
    pub fn caches(&self) -> Caches {
        self.conversations().caches()
    }
}

impl Conversations {
    /// The caches of these conversations.
    #[must_use]
    pub fn caches(&self) -> Caches {
        Caches {
            services: self.services.clone(),
            shelf: Some(self.shelf.clone()),
        }
    }
}

/// Every call fails with [`ClientError::Store`] if the store cannot be used, and with [`ClientError::Closed`] after its assistant was closed.
impl Caches {
    /// What the caches take now. A conversation that is just answering does not count.
    ///
    /// # Errors
    /// Those of all calls.
    pub async fn usage(&self) -> Result<CacheUse, ClientError> {
        let records = self.open()?;
        let mut total = CacheUse::default();
        if let Some(records) = records {
            let on_disk = self.services.blocking(move |_| {
                let store = records.store()?;
                Ok::<_, ClientError>((store.answers().size()?, store.files(PURPOSE)?.list()?))
            });
            let (answers, files) = on_disk.await??;
            (total.answers, total.answer_bytes) = (answers.answers, answers.bytes);
            total.saved_contexts = files.len() as u64;
            total.saved_context_bytes = files.iter().map(|file| file.bytes).sum();
        }
        for (_, _, bytes) in idle_contexts(&self.services).await {
            total.contexts += 1;
            total.context_bytes += bytes;
        }
        Ok(total)
    }

    /// Empties all caches. Conversations stay as they are; their text is read again when they go on.
    ///
    /// # Errors
    /// Those of all calls.
    pub async fn clear(&self) -> Result<(), ClientError> {
        if let Some(records) = self.open()? {
            let cleared = self.services.blocking(move |services| {
                let _files = lock(&services.contexts.files);
                let (answers, files) = (records.store()?.answers(), records.store()?.files(PURPOSE)?);
                answers.forget_all()?;
                for file in files.list()? {
                    files.remove(&file.name)?;
                }
                Ok::<_, ClientError>(())
            });
            cleared.await??;
        }
        for (_, session, _) in idle_contexts(&self.services).await {
            release(&session).await;
        }
        Ok(())
    }

    /// Sets what all caches together may take. What exceeds it is dropped at once.
    ///
    /// # Errors
    /// Those of all calls.
    pub async fn set_budget(&self, budget: CacheBudget) -> Result<(), ClientError> {
        *lock(&self.services.budget.most) = budget;
        self.trim(MemoryPressure::None).await
    }

    /// Gives memory back, as much as the system wants: Android's `onTrimMemory`, a memory warning of Apple's systems. The contexts of kept
    /// conversations are saved first, except under [`MemoryPressure::Critical`]. Nothing that is in use is dropped.
    ///
    /// # Errors
    /// Those of all calls.
    pub async fn trim(&self, pressure: MemoryPressure) -> Result<(), ClientError> {
        let records = self.open()?;
        let turn = self.services.budget.turn.lock().await;
        keep_within(&self.services, records.as_ref(), pressure, turn).await
    }

    fn open(&self) -> Result<Option<Arc<OpenRecords>>, ClientError> {
        self.shelf.as_ref().map(|shelf| shelf.open(&self.services)).transpose()
    }
}

/// A context was saved: what exceeds the budget is dropped, unless it was saved because somebody is doing that.
pub(crate) async fn keep_within_budget(services: &Arc<Services>, records: Option<&Arc<OpenRecords>>) {
    if let Ok(turn) = services.budget.turn.try_lock() {
        // Boxed, since dropping a context may save it.
        noted(Box::pin(keep_within(services, records, MemoryPressure::None, turn)).await);
    }
}

/// A question was answered: what exceeds the budget is dropped. Nobody waits for it.
pub(crate) fn keep_within_budget_aside(services: &Arc<Services>, records: Option<Arc<OpenRecords>>) {
    let keeping = services.clone();
    drop(services.handle().spawn(async move {
        let turn = keeping.budget.turn.lock().await;
        noted(keep_within(&keeping, records.as_ref(), MemoryPressure::None, turn).await);
    }));
}

fn noted(kept: Result<(), ClientError>) {
    if let Err(error) = kept {
        log::warn!("the caches cannot be kept within their budget: {error}");
    }
}

async fn keep_within(
    services: &Arc<Services>,
    records: Option<&Arc<OpenRecords>>,
    pressure: MemoryPressure,
    _turn: MutexGuard<'_, ()>,
) -> Result<(), ClientError> {
    let (mut cached, mut items) = (Vec::new(), Vec::new());
    let mut enter = |what, item: CacheItem| {
        items.push(CacheItem {
            id: items.len() as u64,
            ..item
        });
        cached.push(what);
    };
    let now_ms = services.clock.now_ms();
    if let Some(records) = records.cloned() {
        let on_disk = services.blocking(move |_| {
            let store = records.store()?;
            Ok::<_, ClientError>((store.answers().entries()?, store.files(PURPOSE)?.list()?))
        });
        let (answers, files) = on_disk.await??;
        for answer in answers {
            enter(
                Cached::Answer(answer.id),
                on_disk_item(answer.bytes, answer.used_ms, ANSWER_MS),
            );
        }
        for file in files {
            let remake_ms = file.bytes / CONTEXT_BYTES_A_MS;
            enter(
                Cached::File(file.name),
                on_disk_item(file.bytes, file.used_ms, remake_ms),
            );
        }
    }
    for (inner, session, bytes) in idle_contexts(services).await {
        let idle_ms = inner.upgrade().map_or(u64::MAX, |inner| inner.context.idle_ms());
        let used_ms = now_ms.saturating_sub(idle_ms);
        let item = CacheItem {
            memory_bytes: bytes,
            remake_ms: bytes / CONTEXT_BYTES_A_MS,
            reload_ms: bytes / FILE_BYTES_A_MS,
            ..on_disk_item(0, used_ms, 0)
        };
        enter(Cached::Context(inner, session), item);
    }
    let budget = *lock(&services.budget.most);
    let EvictionPlan { evictions, .. } = plan_evictions(&items, budget, pressure, now_ms);
    let (mut answers, mut files) = (Vec::new(), Vec::new());
    for eviction in evictions {
        match &cached[eviction.id as usize] {
            Cached::Answer(id) => answers.push(*id),
            Cached::File(name) => files.push(name.clone()),
            Cached::Context(inner, session) => {
                // One that was dropped meanwhile has given its memory back.
                let Some(inner) = inner.upgrade() else { continue };
                if pressure != MemoryPressure::Critical {
                    inner.put_away(session).await;
                }
                release(session).await;
            }
        }
    }
    if let Some(records) = records.cloned().filter(|_| !answers.is_empty() || !files.is_empty()) {
        let evicted = services.blocking(move |services| evict(records.store()?, services, &answers, &files));
        evicted.await??;
    }
    Ok(())
}

fn on_disk_item(bytes: u64, used_ms: u64, remake_ms: u64) -> CacheItem {
    CacheItem {
        id: 0,
        disk_bytes: bytes,
        memory_bytes: 0,
        last_used_ms: used_ms,
        is_in_use: false,
        remake_ms,
        reload_ms: 0,
    }
}

fn evict(store: &Store, services: &Services, answers: &[u64], names: &[String]) -> Result<(), ClientError> {
    if !answers.is_empty() {
        store.answers().evict(answers)?;
    }
    let _files = lock(&services.contexts.files);
    let files = store.files(PURPOSE)?;
    Ok(names.iter().try_for_each(|name| files.remove(name))?)
}

/// The contexts in memory that no answer uses now, with the bytes that each takes.
async fn idle_contexts(services: &Services) -> Vec<(Weak<Inner>, Session, u64)> {
    let mut idle = Vec::new();
    for inner in services.contexts.open() {
        let Some(session) = inner.upgrade().and_then(|inner| inner.context.slot.opened()) else {
            continue;
        };
        if let Ok(held) = session.context().await
            && held.tokens > 0
        {
            idle.push((inner, session, held.bytes));
        }
    }
    idle
}

async fn release(session: &Session) {
    if let Err(error) = session.release().await {
        log::debug!("a context is not released: {error}");
    }
}

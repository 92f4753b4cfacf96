//! What is kept only to save time: remembered answers, and contexts on the disk and in memory.

use std::sync::Arc;

use whimbrel_client as client;
use whimbrel_client::policy::budget;

use crate::{Assistant, Client, CoreError};

/// What the caches take.
#[derive(Clone, Debug, uniffi::Record)]
pub struct CacheUse {
    /// Remembered answers.
    pub answers: u64,
    /// Their bytes on the disk.
    pub answer_bytes: u64,
    /// Saved contexts: of system messages, and of conversations that are not open.
    pub saved_contexts: u64,
    /// Their bytes on the disk.
    pub saved_context_bytes: u64,
    /// Conversations with a context in memory that are not answering.
    pub contexts: u64,
    /// Bytes of keys and values in these contexts.
    pub context_bytes: u64,
}

/// What all caches together may take.
#[derive(Clone, Debug, uniffi::Record)]
pub struct CacheBudget {
    /// Bytes on the disk. The default is 256 MiB.
    #[uniffi(default = 268435456)]
    pub disk_bytes: u64,
    /// Bytes of contexts in memory that are not in use. The default is 256 MiB.
    #[uniffi(default = 268435456)]
    pub memory_bytes: u64,
}

/// How much the system wants memory back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum MemoryPressure {
    /// Not at all: the budget applies.
    None,
    /// Caches may keep half of their budget in memory.
    Moderate,
    /// Caches keep nothing in memory that is not in use.
    Critical,
}

/// The caches of a client, of an assistant or of conversations that are kept.
#[derive(uniffi::Object)]
pub struct Caches(pub(crate) client::Caches);

#[uniffi::export]
impl Assistant {
    /// The caches beside the ledger, and the contexts of the assistant's conversations.
    #[must_use]
    pub fn caches(&self) -> Arc<Caches> {
        Arc::new(Caches(self.0.caches()))
    }
}

#[uniffi::export]
impl Client {
    /// The contexts of conversations with a model alone.
    #[must_use]
    pub fn caches(&self) -> Arc<Caches> {
        Arc::new(Caches(self.inner().caches()))
    }
}

#[uniffi::export]
impl Caches {
    /// What the caches take now.
    pub async fn usage(&self) -> Result<CacheUse, CoreError> {
        let used = self.0.usage().await?;
        Ok(CacheUse {
            answers: used.answers,
            answer_bytes: used.answer_bytes,
            saved_contexts: used.saved_contexts,
            saved_context_bytes: used.saved_context_bytes,
            contexts: used.contexts,
            context_bytes: used.context_bytes,
        })
    }

    /// Empties all caches. Conversations stay as they are; their text is read again when they go on.
    pub async fn clear(&self) -> Result<(), CoreError> {
        Ok(self.0.clear().await?)
    }

    /// Sets what all caches together may take. What exceeds it is dropped at once.
    pub async fn set_budget(&self, budget: CacheBudget) -> Result<(), CoreError> {
        let budget = budget::CacheBudget {
            disk_bytes: budget.disk_bytes,
            memory_bytes: budget.memory_bytes,
        };
        Ok(self.0.set_budget(budget).await?)
    }

    /// Gives memory back, as much as the system wants. Nothing that is in use is dropped.
    pub async fn trim(&self, pressure: MemoryPressure) -> Result<(), CoreError> {
        Ok(self.0.trim(pressure.into()).await?)
    }
}

impl From<MemoryPressure> for budget::MemoryPressure {
    fn from(from: MemoryPressure) -> Self {
        match from {
            MemoryPressure::None => budget::MemoryPressure::None,
            MemoryPressure::Moderate => budget::MemoryPressure::Moderate,
            MemoryPressure::Critical => budget::MemoryPressure::Critical,
        }
    }
}

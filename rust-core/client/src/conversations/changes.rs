//! Tells that something that is kept of conversations has changed, so that a list can be read anew.

use tokio::sync::{Mutex, watch};

use super::Conversations;
use crate::ClientError;

/// Hears of changes, from the moment on at which this was made.
pub struct ConversationChanges {
    changes: Mutex<watch::Receiver<u64>>,
    gone: watch::Receiver<()>,
}

impl Conversations {
    /// Changes of what is kept: titles, messages, which conversations there are. It does not say which.
    ///
    /// # Errors
    /// [`ClientError::Closed`].
    pub fn changes(&self) -> Result<ConversationChanges, ClientError> {
        let mut changes = self.services.changes();
        // Whoever begins to listen reads the list once.
        changes.mark_changed();
        Ok(ConversationChanges {
            changes: Mutex::new(changes),
            gone: self.shelf.open(&self.services)?.gone(),
        })
    }
}

impl ConversationChanges {
    /// Waits for a change since the last call; the first call returns at once. Several changes may count as one. `false` means that the store
    /// was closed.
    pub async fn next(&self) -> bool {
        let mut changes = self.changes.lock().await;
        let mut gone = self.gone.clone();
        tokio::select! {
            biased;
            // Nothing is ever sent: it ends with the store.
            _ = gone.changed() => false,
            changed = changes.changed() => changed.is_ok(),
        }
    }
}

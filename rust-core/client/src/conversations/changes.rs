//! Tells that something that is kept of conversations has changed, so that a list can be read again.

use tokio::sync::{Mutex, watch};

use super::Conversations;
use crate::ClientError;

/// Hears of changes, from the moment on at which this was made.
pub struct ConversationChanges {
    changes: Mutex<watch::Receiver<u64>>,
    gone: watch::Receiver<()>,
    cancelled: watch::Sender<bool>,
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
            cancelled: watch::Sender::new(false),
        })
    }
}

impl ConversationChanges {
    /// Waits for a change since the last call; the first call returns at once. Several changes may count as one. `false` is the end: the
    /// store was closed, or this was cancelled.
    pub async fn next(&self) -> bool {
        let mut changes = self.changes.lock().await;
        let (mut gone, mut cancelled) = (self.gone.clone(), self.cancelled.subscribe());
        tokio::select! {
            biased;
            _ = cancelled.wait_for(|cancelled| *cancelled) => false,
            // Nothing is ever sent: it ends with the store.
            _ = gone.changed() => false,
            changed = changes.changed() => changed.is_ok(),
        }
    }

    /// Ends a call of [`ConversationChanges::next`] that waits, and all later ones. May be called again.
    pub fn cancel(&self) {
        self.cancelled.send_replace(true);
    }
}

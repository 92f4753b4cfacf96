//! The care of a store: closing it, repairing it, another key for it, and its end.

use std::path::PathBuf;
use std::sync::Arc;

use whimbrel_store::{KeyVault, Repaired, Rotation, Store};

use super::Conversations;
use crate::conversation::Shelf;
use crate::ports::{Clock, SystemClock};
use crate::{ClientError, Conversation, assistant, outbox};

/// Rows that are sealed again in one step of a rotation.
const ROTATION_ROWS: u32 = 500;

impl Conversations {
    /// Gives up single values that were damaged; everything around them can be used again. It reads the whole store, so it is meant for one in
    /// which a call failed with [`whimbrel_store::SealError::Value`]. Conversations that are open keep what they have.
    ///
    /// # Errors
    /// Those of all calls.
    pub async fn repair(&self) -> Result<Repaired, ClientError> {
        let repaired = self.change(|store, _| store.repair()).await?;
        outbox::forget(&self.services).await;
        Ok(repaired)
    }

    /// Seals everything that is kept with a new data key, and removes the old one from the vault. Everything can be used meanwhile. If this
    /// is not waited for, or the process ends, the next call goes on where it was.
    ///
    /// # Errors
    /// Those of all calls.
    pub async fn rotate_key(&self) -> Result<Rotation, ClientError> {
        loop {
            let rotation = self.with(|store, _| store.rotate(ROTATION_ROWS)).await?;
            if rotation.finished {
                return Ok(rotation);
            }
        }
    }

    /// Whether [`Conversations::rotate_key`] has begun and is not finished.
    ///
    /// # Errors
    /// Those of all calls.
    pub async fn is_rotating_key(&self) -> Result<bool, ClientError> {
        self.with(|store, _| store.is_rotating()).await
    }

    /// Closes the conversations that are open here, and a store that no assistant has. Returns at once. Later calls fail with
    /// [`ClientError::Closed`]. An assistant's store is closed with the assistant. May be called again.
    pub fn close(&self) {
        if let Shelf::Own(own) = &self.shelf {
            self.close_conversations();
            own.close();
        }
    }

    /// Like [`Conversations::close`], but waits until answers have ended and the store can be opened again.
    pub async fn shutdown(&self) {
        if let Shelf::Own(own) = &self.shelf {
            for open in self.close_conversations() {
                open.ended().await;
            }
            self.services.asides_written().await;
            own.close();
            own.gone().await;
        }
    }

    fn close_conversations(&self) -> Vec<Conversation> {
        let open = self.services.open_conversations().into_iter();
        let open: Vec<Conversation> = open.filter(|open| open.is_kept_in(&self.shelf)).collect();
        open.iter().for_each(Conversation::close);
        open
    }
}

/// Destroys everything of the store at `path`, the key first: see [`Store::wipe`]. A separate thread waits for the disk.
///
/// # Errors
/// [`ClientError::Store`], also while the store is open; [`ClientError::Thread`].
pub async fn wipe(path: PathBuf, vault: Arc<dyn KeyVault>) -> Result<(), ClientError> {
    assistant::aside(move || Ok(Store::wipe(&path, &*vault)?)).await
}

/// Gives up what can no longer be read because the vault lost its keys: see [`Store::start_empty`]. Returns where the ledger was put if its key
/// was lost too. The store is closed afterwards. A separate thread waits for the disk.
///
/// # Errors
/// As [`wipe`].
pub async fn start_empty(path: PathBuf, vault: Arc<dyn KeyVault>) -> Result<Option<PathBuf>, ClientError> {
    assistant::aside(move || {
        let (_, aside) = Store::start_empty(&path, vault, SystemClock::default().now_ms())?;
        Ok(aside)
    })
    .await
}

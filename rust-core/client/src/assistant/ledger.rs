//! The assistant's ledger: reading, verifying, exporting and pruning it, and starting a new one if its vault is gone.

use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use whimbrel_files::{Existing, NewFile, Readers};
use whimbrel_record::{Checkpoint, LedgerReport, Receipt, ReceiptId, Stats};
use whimbrel_store::{Filter, KeyVault, Ledger, Prune, Store, StoreError};

use super::Assistant;
use crate::ClientError;
use crate::ports::{Clock, SystemClock};

impl Assistant {
    /// Replaces a ledger that can no longer be opened because its vault is gone with a new, empty one. The old file is kept under another
    /// name, which is returned if there was one. Blocks.
    ///
    /// # Errors
    /// [`ClientError::Store`] if the ledger is in use, or writing fails.
    pub fn restart_ledger(path: &Path, vault: Arc<dyn KeyVault>) -> Result<Option<PathBuf>, ClientError> {
        let (_, old) = Store::restart(path, vault, SystemClock::default().now_ms())?;
        Ok(old)
    }

    /// Like [`Assistant::restart_ledger`], without blocking the caller: a separate thread waits for the disk.
    ///
    /// # Errors
    /// As [`Assistant::restart_ledger`]; [`ClientError::Thread`].
    pub async fn restart_ledger_aside(path: PathBuf, vault: Arc<dyn KeyVault>) -> Result<Option<PathBuf>, ClientError> {
        super::aside(move || Assistant::restart_ledger(&path, vault)).await
    }

    /// A page of receipts, newest first.
    ///
    /// # Errors
    /// [`ClientError::Store`].
    pub async fn receipts(&self, filter: Filter, receipts_max: u32) -> Result<Vec<Receipt>, ClientError> {
        self.ledger(move |ledger, _| ledger.list(&filter, receipts_max)).await
    }

    /// One receipt.
    ///
    /// # Errors
    /// [`ClientError::Store`], also if there is no receipt with this number or it was pruned.
    pub async fn receipt(&self, id: ReceiptId) -> Result<Receipt, ClientError> {
        self.ledger(move |ledger, _| ledger.show(id)).await
    }

    /// Checks whether the ledger is unchanged.
    ///
    /// # Errors
    /// [`ClientError::Store`] if it cannot be read. Problems with its content are in the report.
    pub async fn verify_ledger(&self) -> Result<LedgerReport, ClientError> {
        self.ledger(|ledger, _| ledger.verify()).await
    }

    /// The totals of the receipts between two times, in milliseconds since 1970; without limits, of all receipts.
    ///
    /// # Errors
    /// [`ClientError::Store`].
    pub async fn stats(&self, from_ms: Option<u64>, until_ms: Option<u64>) -> Result<Stats, ClientError> {
        self.ledger(move |ledger, _| ledger.stats(from_ms, until_ms)).await
    }

    /// Removes old receipts. The rest can still be verified, starting at the returned checkpoint. Returns `None` if nothing was removed.
    ///
    /// # Errors
    /// [`ClientError::Store`].
    pub async fn prune_ledger(&self, prune: Prune) -> Result<Option<Checkpoint>, ClientError> {
        // What is removed stays counted, and nothing else counts meanwhile.
        let resting = self.services.telemetry.rest().await;
        let pruned = self
            .counted(move |performance, store, clock| performance.prune(&prune, store, clock))
            .await;
        drop(resting);
        pruned
    }

    /// Whether the vault's floor, below which the ledger cannot be rolled back unnoticed, is behind the ledger, because the vault has not
    /// stored the last entries yet.
    ///
    /// # Errors
    /// [`ClientError::Store`].
    pub async fn is_ledger_floor_behind(&self) -> Result<bool, ClientError> {
        self.ledger(|ledger, _| ledger.is_floor_behind()).await
    }

    /// Limits the ledger's file to this many pages of 4 KiB, or to its present size if that is larger. When the file is full, questions are
    /// refused.
    ///
    /// # Errors
    /// [`ClientError::Store`].
    pub fn limit_store_pages(&self, pages_max: u32) -> Result<(), ClientError> {
        Ok(self.services.records()?.store()?.limit_pages(pages_max)?)
    }

    /// Exports the ledger to a new file as lines of JSON, which [`whimbrel_record::verify_export`] can check. Only the file's owner can
    /// read it.
    ///
    /// # Errors
    /// [`ClientError::Store`], also if the file already exists.
    pub async fn export_ledger(&self, path: PathBuf) -> Result<(), ClientError> {
        self.ledger(move |ledger, now_ms| {
            let failed = |source| StoreError::Io {
                path: path.clone(),
                source,
            };
            let file = NewFile::create(&path, Existing::Keep, Readers::Owner).map_err(failed)?;
            let mut buffered = BufWriter::new(file);
            ledger.export(&mut buffered, now_ms)?;
            let file = buffered.into_inner().map_err(|error| failed(error.into_error()))?;
            file.commit().map_err(failed)
        })
        .await
    }

    async fn ledger<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Ledger, u64) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, ClientError> {
        let records = self.services.records()?;
        let read = self.services.blocking(move |services| {
            let ledger = records.store()?.ledger();
            Ok::<_, ClientError>(read(&ledger, services.clock.now_ms())?)
        });
        read.await?
    }
}

//! The assistant's ledger: reading, checking, exporting, pruning, and starting over when its vault is gone.

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
    /// Puts a new, empty ledger in the place of one that nobody can open any more, because its vault is gone. The old file is kept under another
    /// name, which is the result when there was one. Blocks.
    ///
    /// # Errors
    /// [`ClientError::Store`] when the ledger is in use, or the disk does not allow it.
    pub fn restart_ledger(path: &Path, vault: Arc<dyn KeyVault>) -> Result<Option<PathBuf>, ClientError> {
        let (_, old) = Store::restart(path, vault, SystemClock::default().now_ms())?;
        Ok(old)
    }

    /// As [`Assistant::restart_ledger`], without holding up the caller: a thread of its own waits for the disk.
    ///
    /// # Errors
    /// As [`Assistant::restart_ledger`]; [`ClientError::Thread`].
    pub async fn restart_ledger_aside(path: PathBuf, vault: Arc<dyn KeyVault>) -> Result<Option<PathBuf>, ClientError> {
        super::aside(move || Assistant::restart_ledger(&path, vault)).await
    }

    /// A page of receipts, the newest first.
    ///
    /// # Errors
    /// [`ClientError::Store`].
    pub async fn receipts(&self, filter: Filter, receipts_max: u32) -> Result<Vec<Receipt>, ClientError> {
        self.ledger(move |ledger, _| ledger.list(&filter, receipts_max)).await
    }

    /// One receipt.
    ///
    /// # Errors
    /// [`ClientError::Store`], also when there is none of this number, or it was pruned.
    pub async fn receipt(&self, id: ReceiptId) -> Result<Receipt, ClientError> {
        self.ledger(move |ledger, _| ledger.show(id)).await
    }

    /// Looks whether the ledger is as it was written.
    ///
    /// # Errors
    /// [`ClientError::Store`] when it cannot be read; what is wrong with it is in the report.
    pub async fn verify_ledger(&self) -> Result<LedgerReport, ClientError> {
        self.ledger(|ledger, _| ledger.verify()).await
    }

    /// What the receipts between two times come to, in milliseconds since 1970; all of them without limits.
    ///
    /// # Errors
    /// [`ClientError::Store`].
    pub async fn stats(&self, from_ms: Option<u64>, until_ms: Option<u64>) -> Result<Stats, ClientError> {
        self.ledger(move |ledger, _| ledger.stats(from_ms, until_ms)).await
    }

    /// Removes old receipts. What is left still verifies, from the checkpoint on that is the result; `None` when nothing was removed.
    ///
    /// # Errors
    /// [`ClientError::Store`].
    pub async fn prune_ledger(&self, prune: Prune) -> Result<Option<Checkpoint>, ClientError> {
        self.ledger(move |ledger, now_ms| ledger.prune(&prune, now_ms)).await
    }

    /// Whether the floor in the vault, below which the ledger cannot be rolled back unnoticed, is behind the ledger: the vault did not take
    /// the last entries yet.
    ///
    /// # Errors
    /// [`ClientError::Store`].
    pub async fn is_ledger_floor_behind(&self) -> Result<bool, ClientError> {
        self.ledger(|ledger, _| ledger.is_floor_behind()).await
    }

    /// Limits the ledger's file to so many pages of 4 KiB, or as many as it has already; when it is full, nothing is asked any more.
    ///
    /// # Errors
    /// [`ClientError::Store`].
    pub fn limit_store_pages(&self, pages_max: u32) -> Result<(), ClientError> {
        Ok(self.services.records()?.store()?.limit_pages(pages_max)?)
    }

    /// Writes the ledger to a new file, which only its owner can read, as lines of JSON that [`whimbrel_record::verify_export`] checks.
    ///
    /// # Errors
    /// [`ClientError::Store`], also when there is such a file already.
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

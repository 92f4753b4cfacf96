//! The key vault as the core holds it: when nobody has it any more, the core is gone, and with it its hold on the ledger.

use std::sync::Arc;

use tokio::sync::watch;
use whimbrel_store::{KeyVault, SecretBytes, VaultError, VaultLevel};

/// An app's vault. The core lets go of the ledger, which has the vault too, before it lets go of the vault.
pub(super) struct HeldVault {
    vault: Arc<dyn KeyVault>,
    /// Nothing is ever sent: it says that it is gone.
    _gone: watch::Sender<()>,
}

impl HeldVault {
    /// The vault, and what ends when nobody has it any more.
    pub(super) fn holding(vault: Arc<dyn KeyVault>) -> (Arc<dyn KeyVault>, watch::Receiver<()>) {
        let (sender, gone) = watch::channel(());
        (Arc::new(HeldVault { vault, _gone: sender }), gone)
    }
}

impl KeyVault for HeldVault {
    fn get(&self, name: &str) -> Result<Option<SecretBytes>, VaultError> {
        self.vault.get(name)
    }

    fn put(&self, name: &str, secret: &SecretBytes) -> Result<(), VaultError> {
        self.vault.put(name, secret)
    }

    fn delete(&self, name: &str) -> Result<(), VaultError> {
        self.vault.delete(name)
    }

    fn level(&self) -> VaultLevel {
        self.vault.level()
    }
}

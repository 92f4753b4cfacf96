//! A key vault in memory, for tests and for stores that need not be permanent.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::{KeyVault, SecretBytes, VaultLevel, check_name, check_secret};
use crate::VaultError;

/// A vault whose content is lost with the process. For tests and for stores that need not be permanent.
#[derive(Debug, Default)]
pub struct MemoryVault(Mutex<BTreeMap<String, SecretBytes>>);

impl MemoryVault {
    /// An empty vault.
    #[must_use]
    pub fn new() -> MemoryVault {
        MemoryVault::default()
    }
}

impl KeyVault for MemoryVault {
    fn get(&self, name: &str) -> Result<Option<SecretBytes>, VaultError> {
        check_name(name)?;
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned())
    }

    fn put(&self, name: &str, secret: &SecretBytes) -> Result<(), VaultError> {
        check_name(name)?;
        check_secret(name, secret.expose().len() as u64)?;
        let mut secrets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        secrets.insert(name.to_owned(), secret.clone());
        Ok(())
    }

    fn delete(&self, name: &str) -> Result<(), VaultError> {
        check_name(name)?;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
        Ok(())
    }

    fn level(&self) -> VaultLevel {
        VaultLevel::Memory
    }
}

//! The interface for a key vault that the app implements, and its conversion to the client's interface. Every call should
//! return at once. If the app's code throws, the call counts as failed.

use std::sync::Arc;

use whimbrel_client::{record, store};

/// How the secrets of a vault are protected, from weakest to strongest.
#[derive(Clone, Copy, Debug, uniffi::Enum)]
pub enum VaultLevel {
    /// In this process's memory only.
    Memory,
    /// By the permissions of a file.
    File,
    /// By the operating system's key store, in software.
    Software,
    /// By hardware that never reveals its key.
    Hardware,
}

/// Why a call to a key vault failed.
#[derive(Clone, Debug, thiserror::Error, uniffi::Error)]
pub enum KeyVaultError {
    /// The system's key store is locked, for example before the first unlock after a restart. A later call may succeed.
    #[error("the key store is locked")]
    Locked,
    /// The system's key store has given up its key, for example because the phone's lock was removed. The secrets are lost for good.
    #[error("the key store invalidated its key")]
    Invalidated,
    /// Another failure.
    #[error("the key store failed: {code}")]
    Failed {
        /// A short error code of the system, without any secret in it.
        code: String,
    },
}

impl From<uniffi::UnexpectedUniFFICallbackError> for KeyVaultError {
    fn from(_: uniffi::UnexpectedUniFFICallbackError) -> Self {
        // What the app threw may hold anything: it is not passed on.
        KeyVaultError::Failed {
            code: "unexpected".into(),
        }
    }
}

/// Stores small secrets by name for the app and one store: the keys of endpoints, and those that seal the ledger and conversations. It is
/// called from any thread and should answer within milliseconds. What `put` has stored must survive a crash.
#[uniffi::export(with_foreign)]
pub trait KeyVault: Send + Sync {
    /// Returns the secret with this name, or nothing if there is none. A secret that cannot be read is an error.
    fn get(&self, name: String) -> Result<Option<Vec<u8>>, KeyVaultError>;

    /// Stores a secret, replacing the one with this name.
    fn put(&self, name: String, secret: Vec<u8>) -> Result<(), KeyVaultError>;

    /// Deletes a secret. Succeeds if there is none.
    fn delete(&self, name: String) -> Result<(), KeyVaultError>;

    /// How the secrets are protected.
    fn level(&self) -> Result<VaultLevel, KeyVaultError>;
}

/// An app's vault, as the client sees it.
pub(crate) struct ForeignVault(pub(crate) Arc<dyn KeyVault>);

impl store::KeyVault for ForeignVault {
    fn get(&self, name: &str) -> Result<Option<store::SecretBytes>, store::VaultError> {
        store::check_name(name)?;
        let Some(secret) = self.0.get(name.into())? else {
            return Ok(None);
        };
        let bytes = secret.len() as u64;
        let secret = store::SecretBytes::new(secret);
        check_secret(name, bytes)?;
        Ok(Some(secret))
    }

    fn put(&self, name: &str, secret: &store::SecretBytes) -> Result<(), store::VaultError> {
        store::check_name(name)?;
        check_secret(name, secret.expose().len() as u64)?;
        Ok(self.0.put(name.into(), secret.expose().to_vec())?)
    }

    fn delete(&self, name: &str) -> Result<(), store::VaultError> {
        store::check_name(name)?;
        Ok(self.0.delete(name.into())?)
    }

    fn level(&self) -> store::VaultLevel {
        match self.0.level() {
            // A vault that cannot say protects nothing.
            Ok(VaultLevel::Memory) | Err(_) => store::VaultLevel::Memory,
            Ok(VaultLevel::File) => store::VaultLevel::File,
            Ok(VaultLevel::Software) => store::VaultLevel::Software,
            Ok(VaultLevel::Hardware) => store::VaultLevel::Hardware,
        }
    }
}

fn check_secret(name: &str, bytes: u64) -> Result<(), store::VaultError> {
    if bytes == 0 || bytes > u64::from(store::SECRET_BYTES_MAX) {
        return Err(store::VaultError::Size {
            name: name.into(),
            bytes,
        });
    }
    Ok(())
}

impl From<KeyVaultError> for store::VaultError {
    fn from(from: KeyVaultError) -> Self {
        match from {
            KeyVaultError::Locked => store::VaultError::Locked,
            KeyVaultError::Invalidated => store::VaultError::Invalidated,
            // Short and of plain characters, whatever the app gives.
            KeyVaultError::Failed { code } => store::VaultError::Platform {
                code: record::Label::squeezed(&code).to_string(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use whimbrel_client::store::KeyVault as _;

    use super::*;

    /// A vault of the app that answers everything in one way.
    struct Fixed(Result<Option<Vec<u8>>, KeyVaultError>);

    impl KeyVault for Fixed {
        fn get(&self, _: String) -> Result<Option<Vec<u8>>, KeyVaultError> {
            self.0.clone()
        }

        fn put(&self, _: String, _: Vec<u8>) -> Result<(), KeyVaultError> {
            self.0.clone().map(drop)
        }

        fn delete(&self, _: String) -> Result<(), KeyVaultError> {
            self.0.clone().map(drop)
        }

        fn level(&self) -> Result<VaultLevel, KeyVaultError> {
            self.0.clone().map(|_| VaultLevel::Hardware)
        }
    }

    #[test]
    fn takes_from_a_vault_what_it_may_give() {
        let secret = |bytes: u32| Ok(Some(vec![7; bytes as usize]));
        let failed = |code: &str| Err(KeyVaultError::Failed { code: code.into() });
        check(Ok(None), "none");
        check(secret(store::SECRET_BYTES_MAX), "16384 bytes");
        check(
            secret(store::SECRET_BYTES_MAX + 1),
            "the secret k has 16385 bytes, but must have 1 to 16384",
        );
        check(secret(0), "the secret k has 0 bytes, but must have 1 to 16384");
        check(Err(KeyVaultError::Locked), "the key store is locked");
        check(Err(KeyVaultError::Invalidated), "the key store invalidated its key");
        check(failed("errSecAuth"), "the key store failed: errSecAuth");
        let unexpected = uniffi::UnexpectedUniFFICallbackError::new("with a secret");
        check(Err(unexpected.into()), "the key store failed: unexpected");
    }

    fn check(given: Result<Option<Vec<u8>>, KeyVaultError>, expected: &str) {
        let vault = ForeignVault(Arc::new(Fixed(given)));
        let got = match vault.get("k") {
            Ok(None) => "none".to_owned(),
            Ok(Some(secret)) => format!("{} bytes", secret.expose().len()),
            Err(error) => error.to_string(),
        };
        assert_eq!(got, expected);
    }

    #[test]
    fn asks_a_vault_only_for_names() {
        let vault = ForeignVault(Arc::new(Fixed(Ok(None))));
        assert!(matches!(vault.get("../x"), Err(store::VaultError::Name)));
        assert!(matches!(vault.delete(""), Err(store::VaultError::Name)));
        assert_eq!(vault.level(), store::VaultLevel::Hardware);
        let broken = ForeignVault(Arc::new(Fixed(Err(KeyVaultError::Locked))));
        assert_eq!(broken.level(), store::VaultLevel::Memory);
    }
}

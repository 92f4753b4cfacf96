//! The key vault, which stores small secrets. On a phone it is implemented with Android's Keystore or Apple's Keychain; `file` is the
//! desktop's vault, and `memory` is for tests.

mod file;
mod memory;

use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

pub use self::file::FileVault;
pub use self::memory::MemoryVault;
use crate::VaultError;

/// Maximum length of a secret's name in bytes.
pub const VAULT_NAME_BYTES_MAX: u32 = 64;
/// Maximum size of a secret in bytes.
pub const SECRET_BYTES_MAX: u32 = 16 * 1024;

/// How the secrets of a vault are protected, from weakest to strongest.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum VaultLevel {
    /// In this process's memory only.
    Memory,
    /// By the permissions of a file.
    File,
    /// By the operating system's key store, in software.
    Software,
    /// By hardware that never reveals its key: a secure element or a trusted execution environment.
    Hardware,
}

/// Bytes that are overwritten when they are dropped, and never appear in debug output.
#[derive(Clone)]
pub struct SecretBytes(Zeroizing<Vec<u8>>);

impl SecretBytes {
    /// Takes ownership of the bytes.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> SecretBytes {
        SecretBytes(Zeroizing::new(bytes))
    }

    /// The bytes. If you copy them, wipe the copy.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn expose_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SecretBytes(..)")
    }
}

/// Stores small secrets by name: API keys of endpoints, and the store's own key and rollback floor. Each store needs its own vault.
///
/// Calls are synchronous, from any thread, and should answer within milliseconds, because the store writes its floor after almost every
/// entry of the ledger. Names are those that [`check_name`] accepts; names that start with `whimbrel.` belong to the store. Secrets have 1
/// to [`SECRET_BYTES_MAX`] bytes. When [`KeyVault::put`] has returned, the secret survives a crash. A crash never leaves a mixture of the
/// old and the new secret.
pub trait KeyVault: Send + Sync {
    /// Returns the secret with this name, or `None` if there is none.
    ///
    /// # Errors
    /// [`VaultError`]. A secret that cannot be read is an error, never `None`.
    fn get(&self, name: &str) -> Result<Option<SecretBytes>, VaultError>;

    /// Stores a secret, replacing the one with this name.
    ///
    /// # Errors
    /// [`VaultError`]; the old secret is then unchanged.
    fn put(&self, name: &str, secret: &SecretBytes) -> Result<(), VaultError>;

    /// Deletes a secret. Succeeds if there is none.
    ///
    /// # Errors
    /// [`VaultError`].
    fn delete(&self, name: &str) -> Result<(), VaultError>;

    /// How the secrets are protected.
    fn level(&self) -> VaultLevel;
}

/// Checks a secret's name, as [`KeyVault::put`] does.
///
/// ```
/// use whimbrel_store::check_name;
///
/// assert!(check_name("endpoint.house").is_ok());
/// assert!(check_name("../house").is_err());
/// ```
///
/// It has 1 to [`VAULT_NAME_BYTES_MAX`] characters of `a-z`, `0-9`, `.`, `_` and `-`, the first not a dot.
///
/// # Errors
/// [`VaultError::Name`].
pub fn check_name(name: &str) -> Result<(), VaultError> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
    let long = name.len() > VAULT_NAME_BYTES_MAX as usize;
    if name.is_empty() || long || name.starts_with('.') || !name.bytes().all(allowed) {
        return Err(VaultError::Name);
    }
    Ok(())
}

/// Checks a secret's length.
pub(crate) fn check_secret(name: &str, bytes: u64) -> Result<(), VaultError> {
    if bytes == 0 || bytes > u64::from(SECRET_BYTES_MAX) {
        return Err(VaultError::Size {
            name: name.to_owned(),
            bytes,
        });
    }
    Ok(())
}

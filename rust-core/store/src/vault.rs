//! The key vault: where small secrets live. A phone implements it with Android's Keystore or Apple's Keychain; `file` is the
//! desktop's, and `memory` is for tests.

mod file;
mod memory;

use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

pub use self::file::FileVault;
pub use self::memory::MemoryVault;
use crate::VaultError;

/// How long a secret's name may be.
pub const VAULT_NAME_BYTES_MAX: u32 = 64;
/// How long a secret may be.
pub const SECRET_BYTES_MAX: u32 = 16 * 1024;

/// What protects the secrets of a vault, from the weakest to the strongest.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum VaultLevel {
    /// Nothing but this process's memory.
    Memory,
    /// The permissions of a file.
    File,
    /// The operating system's key store, in software.
    Software,
    /// Hardware that does not give its key away: a secure element or a trusted execution environment.
    Hardware,
}

/// Bytes that are overwritten when they are dropped, and that no debug output shows.
#[derive(Clone)]
pub struct SecretBytes(Zeroizing<Vec<u8>>);

impl SecretBytes {
    /// Takes the bytes over.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> SecretBytes {
        SecretBytes(Zeroizing::new(bytes))
    }

    /// The bytes. Whoever copies them has to wipe the copy.
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

/// Keeps small secrets by name: API keys for endpoints, and the store's own key and rollback floor. One vault belongs to one store.
///
/// Calls are synchronous, from any thread, and should answer within milliseconds: the store writes its floor after almost every
/// entry of the ledger. Names are those that [`check_name`] accepts; names that begin with `whimbrel.` are the store's own. Secrets have 1 to
/// [`SECRET_BYTES_MAX`] bytes. When [`KeyVault::put`] has returned, the secret survives a crash, and it never leaves a mixture of the old
/// and the new one.
pub trait KeyVault: Send + Sync {
    /// The secret of this name, or none when there is none.
    ///
    /// # Errors
    /// [`VaultError`]; a secret that cannot be read is an error and never "none".
    fn get(&self, name: &str) -> Result<Option<SecretBytes>, VaultError>;

    /// Keeps a secret, in place of the one that had this name.
    ///
    /// # Errors
    /// [`VaultError`]; the old secret is then still there.
    fn put(&self, name: &str, secret: &SecretBytes) -> Result<(), VaultError>;

    /// Forgets a secret. It is no error when there is none.
    ///
    /// # Errors
    /// [`VaultError`].
    fn delete(&self, name: &str) -> Result<(), VaultError>;

    /// What protects the secrets.
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

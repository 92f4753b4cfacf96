//! The data keys: random secrets of 32 bytes with increasing versions, all in one secret of the vault. One is in use; during a rotation
//! the previous one is beside it. Keys for rows, files and lookups are derived from each.

use blake3::derive_key;
use zeroize::Zeroizing;

use super::SealError;
use super::cipher::KEY_BYTES;
use crate::{KeyVault, SecretBytes, StoreError, VaultError};

/// The secret with the data keys.
pub(crate) const KEYS_NAME: &str = "whimbrel.data-keys";

/// What the secret begins with. Nothing behind it means that a wipe has begun.
const MAGIC: &[u8] = b"whimbrel-data-keys-1";
const VERSION_BYTES: usize = 4;
/// Versions in one secret: the key in use, and the one before it.
const KEYS_MAX: usize = 2;

const ROWS_CONTEXT: &str = "whimbrel store 2026-11-29 rows";
const FILES_CONTEXT: &str = "whimbrel store 2026-11-29 files";
const LOOKUP_CONTEXT: &str = "whimbrel store 2026-11-29 lookup";
const ID_CONTEXT: &str = "whimbrel store 2026-11-29 data key id";

/// Bytes of a key's id.
pub(crate) const KEY_ID_BYTES: usize = 16;

/// One version of the data key, and what is derived from it.
pub(crate) struct DataKey {
    pub(crate) version: u32,
    root: Zeroizing<[u8; KEY_BYTES]>,
    pub(super) rows: Zeroizing<[u8; KEY_BYTES]>,
    pub(super) files: Zeroizing<[u8; KEY_BYTES]>,
    lookup: Zeroizing<[u8; KEY_BYTES]>,
    id: [u8; KEY_ID_BYTES],
}

impl DataKey {
    fn new(version: u32, root: Zeroizing<[u8; KEY_BYTES]>) -> DataKey {
        let mut id = [0; KEY_ID_BYTES];
        id.copy_from_slice(&derive_key(ID_CONTEXT, &*root)[..KEY_ID_BYTES]);
        DataKey {
            version,
            rows: Zeroizing::new(derive_key(ROWS_CONTEXT, &*root)),
            files: Zeroizing::new(derive_key(FILES_CONTEXT, &*root)),
            lookup: Zeroizing::new(derive_key(LOOKUP_CONTEXT, &*root)),
            id,
            root,
        }
    }

    fn random(version: u32) -> Result<DataKey, StoreError> {
        let mut root = Zeroizing::new([0; KEY_BYTES]);
        getrandom::fill(&mut root[..]).map_err(|_| StoreError::Random)?;
        Ok(DataKey::new(version, root))
    }

    /// Tells keys apart without revealing them.
    pub(crate) fn id(&self) -> &[u8; KEY_ID_BYTES] {
        &self.id
    }

    /// What stands for these bytes in an index.
    pub(crate) fn lookup(&self, bytes: &[u8]) -> [u8; 32] {
        *blake3::keyed_hash(&self.lookup, bytes).as_bytes()
    }
}

/// All versions of the data key that the vault has, oldest first. Without any, nothing was ever sealed.
#[derive(Default)]
pub(crate) struct Keyring {
    keys: Vec<DataKey>,
}

/// What the vault has of the data keys.
pub(crate) enum Stored {
    /// Nothing.
    None,
    /// The mark of a wipe that has begun.
    Wiped,
    /// Bytes that this program does not write.
    Foreign,
    Keys(Keyring),
}

impl Keyring {
    /// Reads the vault's data keys.
    pub(crate) fn read(vault: &dyn KeyVault) -> Result<Stored, VaultError> {
        let Some(secret) = vault.get(KEYS_NAME)? else {
            return Ok(Stored::None);
        };
        let Some(entries) = secret.expose().strip_prefix(MAGIC) else {
            return Ok(Stored::Foreign);
        };
        if entries.is_empty() {
            return Ok(Stored::Wiped);
        }
        Ok(Keyring::decode(entries).map_or(Stored::Foreign, Stored::Keys))
    }

    fn decode(entries: &[u8]) -> Option<Keyring> {
        let mut keys: Vec<DataKey> = Vec::new();
        for entry in entries.chunks(VERSION_BYTES + KEY_BYTES) {
            let (version, root) = entry.split_at_checked(VERSION_BYTES)?;
            let version = u32::from_le_bytes(version.try_into().ok()?);
            let root = Zeroizing::new(<[u8; KEY_BYTES]>::try_from(root).ok()?);
            if version == 0 || keys.last().is_some_and(|last| last.version >= version) || keys.len() == KEYS_MAX {
                return None;
            }
            keys.push(DataKey::new(version, root));
        }
        Some(Keyring { keys })
    }

    /// Puts the keys into the vault, in the place of those that are there.
    pub(crate) fn write(&self, vault: &dyn KeyVault) -> Result<(), VaultError> {
        // The whole room at once: a vector that grows leaves copies behind.
        let mut bytes = Vec::with_capacity(MAGIC.len() + self.keys.len() * (VERSION_BYTES + KEY_BYTES));
        bytes.extend_from_slice(MAGIC);
        for key in &self.keys {
            bytes.extend_from_slice(&key.version.to_le_bytes());
            bytes.extend_from_slice(&*key.root);
        }
        vault.put(KEYS_NAME, &SecretBytes::new(bytes))
    }

    /// The first key of a store.
    pub(crate) fn first() -> Result<Keyring, StoreError> {
        Ok(Keyring {
            keys: vec![DataKey::random(1)?],
        })
    }

    /// The key in use, and a new one that takes over from it.
    pub(crate) fn with_successor(&self) -> Result<Keyring, StoreError> {
        let Some(newest) = self.keys.last() else {
            return Keyring::first();
        };
        // Four thousand million rotations are not reached; the version would then be refused as unordered.
        let successor = DataKey::random(newest.version.saturating_add(1))?;
        Ok(Keyring {
            keys: vec![DataKey::new(newest.version, newest.root.clone()), successor],
        })
    }

    /// The newest key alone.
    pub(crate) fn newest_only(&self) -> Keyring {
        let newest = self.keys.last();
        Keyring {
            keys: newest
                .map(|key| DataKey::new(key.version, key.root.clone()))
                .into_iter()
                .collect(),
        }
    }

    /// The key that new values are sealed with.
    pub(crate) fn newest(&self) -> Option<&DataKey> {
        self.keys.last()
    }

    pub(crate) fn all(&self) -> &[DataKey] {
        &self.keys
    }

    pub(crate) fn key(&self, version: u32) -> Result<&DataKey, SealError> {
        let found = self.keys.iter().find(|key| key.version == version);
        found.ok_or(SealError::KeyLost { version })
    }
}

/// Replaces the vault's data keys by the mark of a wipe, in one step.
pub(crate) fn destroy(vault: &dyn KeyVault) -> Result<(), VaultError> {
    match vault.put(KEYS_NAME, &SecretBytes::new(MAGIC.to_vec())) {
        // The vault can no longer read what it has, and its owner may refuse to add to it: nothing is left to be read.
        Err(VaultError::Invalidated) => vault.delete(KEYS_NAME),
        result => result,
    }
}

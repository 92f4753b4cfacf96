//! Sealed values of rows: XChaCha20-Poly1305 with a random nonce, bound to table, column, row, what else identifies the row, and the
//! key's version.
//!
//! A sealed value is a format byte, the key's version (4 bytes, little-endian), the nonce (24 bytes), the encrypted bytes, and the tag
//! (16 bytes).

use super::cipher::{TAG_BYTES, XNONCE_BYTES, extended, open_in_place, seal_detached};
use super::{Keyring, SealError};
use crate::StoreError;

const FORMAT: u8 = 1;
const DOMAIN: &[u8] = b"whimbrel-sealed-1\n";
const VERSION_END: usize = 1 + 4;
const NONCE_END: usize = VERSION_END + XNONCE_BYTES;

/// How many bytes a sealed value has more than what is in it.
pub(crate) const OVERHEAD_BYTES: usize = NONCE_END + TAG_BYTES;

/// A column that is sealed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    pub(crate) table: &'static str,
    pub(crate) name: &'static str,
}

/// What identifies a row besides its number. A value that is moved to another row does not open.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bound<'a> {
    Nothing,
    /// The row of the conversation, and the position in it.
    Position(i64, i64),
    /// A key by which the row is found.
    Lookup(&'a [u8]),
}

impl Column {
    fn associated(self, row: i64, bound: Bound<'_>, version: u32) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(128);
        bytes.extend_from_slice(DOMAIN);
        for name in [self.table, self.name] {
            bytes.extend_from_slice(name.as_bytes());
            bytes.push(b'\n');
        }
        bytes.extend_from_slice(&version.to_le_bytes());
        bytes.extend_from_slice(&row.to_le_bytes());
        match bound {
            Bound::Nothing => {}
            Bound::Position(conversation, position) => {
                bytes.extend_from_slice(&conversation.to_le_bytes());
                bytes.extend_from_slice(&position.to_le_bytes());
            }
            Bound::Lookup(key) => bytes.extend_from_slice(key),
        }
        bytes
    }

    /// Seals a value with the newest key.
    pub(crate) fn seal(
        self,
        keyring: &Keyring,
        row: i64,
        bound: Bound<'_>,
        plain: &[u8],
    ) -> Result<Vec<u8>, StoreError> {
        let key = keyring.newest().ok_or(SealError::KeyLost { version: 1 })?;
        let mut sealed = Vec::with_capacity(plain.len() + OVERHEAD_BYTES);
        sealed.push(FORMAT);
        sealed.extend_from_slice(&key.version.to_le_bytes());
        let mut nonce = [0; XNONCE_BYTES];
        getrandom::fill(&mut nonce).map_err(|_| StoreError::Random)?;
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(plain);
        let associated = self.associated(row, bound, key.version);
        let (inner, short) = extended(&key.rows, &nonce);
        let tag = seal_detached(&inner, short, &associated, &mut sealed[NONCE_END..]);
        sealed.extend_from_slice(&tag);
        Ok(sealed)
    }

    /// The error for a value that is not what was sealed.
    pub(crate) fn changed(self, row: i64) -> SealError {
        SealError::Value {
            table: self.table,
            row,
            column: self.name,
        }
    }

    /// Opens a sealed value.
    pub(crate) fn open(
        self,
        keyring: &Keyring,
        row: i64,
        bound: Bound<'_>,
        sealed: &[u8],
    ) -> Result<Vec<u8>, SealError> {
        let mut plain = Vec::new();
        self.open_into(keyring, row, bound, sealed, &mut plain)?;
        Ok(plain)
    }

    /// As [`Column::open`], into a buffer that is reused.
    pub(crate) fn open_into(
        self,
        keyring: &Keyring,
        row: i64,
        bound: Bound<'_>,
        sealed: &[u8],
        plain: &mut Vec<u8>,
    ) -> Result<(), SealError> {
        plain.clear();
        let changed = || self.changed(row);
        let version = sealed_version(sealed).ok_or_else(changed)?;
        // Every key that the database knows is in the keyring, so another version is a changed byte.
        let key = match keyring.key(version) {
            Err(_) if keyring.newest().is_some() => return Err(changed()),
            key => key?,
        };
        let (nonce, rest) = sealed[VERSION_END..]
            .split_first_chunk::<XNONCE_BYTES>()
            .ok_or_else(changed)?;
        plain.extend_from_slice(rest);
        let (inner, short) = extended(&key.rows, nonce);
        open_in_place(&inner, short, &self.associated(row, bound, version), plain).map_err(|_| changed())
    }
}

/// The version of the key with which a value was sealed; none for what is no sealed value.
pub(super) fn sealed_version(sealed: &[u8]) -> Option<u32> {
    let (format, version) = sealed.get(..VERSION_END)?.split_first()?;
    let version = u32::from_le_bytes(version.try_into().ok()?);
    (*format == FORMAT && version > 0).then_some(version)
}

//! The cache of exact answers: values found by a keyed hash of the caller's bytes, and removed from the one that was used longest ago. What
//! makes two requests the same, and what may be kept, is decided elsewhere.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError};

use rusqlite::{Connection, OptionalExtension};
use whimbrel_record::limit;

use crate::connection::Shared;
use crate::conversations::sql_time;
use crate::fault::Fault;
use crate::sealed::{ANSWER_VALUE, Bound, Keyring};
use crate::{Store, StoreError};

/// Maximum size of a cached answer in bytes.
pub const ANSWER_VALUE_BYTES_MAX: u32 = 8 << 20;
/// How many uses of answers are remembered before they are written.
const USES_MAX: usize = 4096;

/// The cached answers of a store. Clones are handles of the same store.
#[derive(Clone)]
pub struct Answers {
    shared: Arc<Shared>,
}

/// A cached answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CachedAnswer {
    /// What was stored.
    pub value: Vec<u8>,
    /// When it was stored, in milliseconds since 1970.
    pub created_ms: u64,
    /// How long ago that is in milliseconds; 0 if the clock was set back since.
    pub age_ms: u64,
}

/// How much is cached.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct AnswersSize {
    /// The number of answers.
    pub answers: u64,
    /// What they take on the disk, in bytes.
    pub bytes: u64,
}

/// When answers were last used, by row, as long as that is not on the disk: a hit writes nothing.
#[derive(Default)]
pub(crate) struct Uses(BTreeMap<i64, u64>);

impl Store {
    /// The cached answers.
    #[must_use]
    pub fn answers(&self) -> Answers {
        Answers {
            shared: Arc::clone(self.shared_arc()),
        }
    }
}

impl fmt::Debug for Answers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Answers")
            .field("path", &self.shared.path())
            .finish_non_exhaustive()
    }
}

/// Every call fails with [`StoreError::Sealed`] if the store's keys are lost or a value was changed, with [`StoreError::Database`] and
/// [`StoreError::Damaged`] if the database cannot be used, and, where it writes, with [`StoreError::ReadOnly`], [`StoreError::Full`], and
/// [`StoreError::Vault`] if the first key cannot be made. `key` is a canonical form of everything that the answer depends on; only its
/// keyed hash is stored.
impl Answers {
    /// Stores an answer, replacing the one with this key.
    ///
    /// # Errors
    /// [`StoreError::Record`] past [`ANSWER_VALUE_BYTES_MAX`], and those of all calls.
    pub fn put(&self, key: &[u8], value: &[u8], now_ms: u64) -> Result<(), StoreError> {
        limit("bytes of a cached answer", value.len(), ANSWER_VALUE_BYTES_MAX)?;
        let hash = blake3::hash(key);
        self.shared.change(|connection, keyring| {
            self.write_uses(connection)?;
            for lookup in lookups(keyring, &hash) {
                connection.execute("DELETE FROM answer WHERE lookup = ?1", [&lookup[..]])?;
            }
            let newest = keyring.newest().expect("a key was made");
            let lookup = newest.lookup(hash.as_bytes());
            let next = "SELECT coalesce(max(id), 0) + 1 FROM answer";
            let row: i64 = connection.query_row(next, [], |row| row.get(0))?;
            let plain = [&hash.as_bytes()[..], value].concat();
            let sealed = ANSWER_VALUE.seal(keyring, row, Bound::Lookup(&lookup), &plain)?;
            connection.execute(
                "INSERT INTO answer (id, lookup, created_ms, used_ms, bytes, value) VALUES (?1, ?2, ?3, ?3, ?4, ?5)",
                (row, &lookup[..], sql_time(now_ms), sealed.len() as i64, sealed),
            )?;
            Ok(())
        })
    }

    /// Finds an answer. It counts as used now; the disk learns that with the next call that writes.
    ///
    /// # Errors
    /// Those of all calls.
    pub fn get(&self, key: &[u8], now_ms: u64) -> Result<Option<CachedAnswer>, StoreError> {
        let hash = blake3::hash(key);
        let found = self.shared.read(|connection, keyring| {
            for lookup in lookups(keyring, &hash) {
                if let Some(found) = read(connection, keyring, &lookup)? {
                    return Ok(Some(found));
                }
            }
            Ok(None)
        })?;
        let Some((row, created_ms, mut value)) = found else {
            return Ok(None);
        };
        if value.get(..32) != Some(hash.as_bytes()) {
            return Err(StoreError::Sealed(ANSWER_VALUE.changed(row)));
        }
        value.drain(..32);
        let mut uses = self.shared.answer_uses().lock().unwrap_or_else(PoisonError::into_inner);
        if uses.0.len() < USES_MAX {
            uses.0.insert(row, now_ms);
        }
        Ok(Some(CachedAnswer {
            value,
            created_ms,
            age_ms: now_ms.saturating_sub(created_ms),
        }))
    }

    /// Forgets an answer. Returns whether there was one. Nothing of it stays in a file.
    ///
    /// # Errors
    /// [`StoreError::LogLeft`] as for [`crate::Conversations::delete`], and those of all calls.
    pub fn forget(&self, key: &[u8]) -> Result<bool, StoreError> {
        let hash = blake3::hash(key);
        self.shared.change_and_empty_log(|connection, keyring| {
            let mut forgotten = 0;
            for lookup in lookups(keyring, &hash) {
                forgotten += connection.execute("DELETE FROM answer WHERE lookup = ?1", [&lookup[..]])?;
            }
            Ok(forgotten > 0)
        })
    }

    /// Forgets all answers. Nothing of them stays in a file.
    ///
    /// # Errors
    /// [`StoreError::LogLeft`] as for [`crate::Conversations::delete`], and those of all calls.
    pub fn forget_all(&self) -> Result<(), StoreError> {
        self.shared.change_and_empty_log(|connection, _| {
            connection.execute("DELETE FROM answer", [])?;
            Ok(())
        })
    }

    /// How much is cached.
    ///
    /// # Errors
    /// Those of all calls.
    pub fn size(&self) -> Result<AnswersSize, StoreError> {
        self.shared.read(|connection, _| Ok(size(connection)?))
    }

    /// Removes answers, the one that was used longest ago first, until they take at most this many bytes. Returns how many are gone.
    ///
    /// # Errors
    /// Those of all calls.
    pub fn evict(&self, bytes_max: u64) -> Result<u64, StoreError> {
        self.shared.change(|connection, _| {
            self.write_uses(connection)?;
            let mut bytes = size(connection)?.bytes;
            let mut gone = Vec::new();
            let mut statement = connection.prepare("SELECT id, bytes FROM answer ORDER BY used_ms, id")?;
            let mut rows = statement.query([])?;
            while bytes > bytes_max
                && let Some(row) = rows.next()?
            {
                gone.push(row.get::<_, i64>(0)?);
                bytes = bytes.saturating_sub(row.get::<_, i64>(1)?.cast_unsigned());
            }
            drop(rows);
            let mut delete = connection.prepare("DELETE FROM answer WHERE id = ?1")?;
            for row in &gone {
                delete.execute([row])?;
            }
            Ok(gone.len() as u64)
        })
    }

    /// Writes what is only remembered of uses.
    fn write_uses(&self, connection: &Connection) -> Result<(), Fault> {
        let uses = std::mem::take(&mut *self.shared.answer_uses().lock().unwrap_or_else(PoisonError::into_inner));
        let mut update = connection.prepare("UPDATE answer SET used_ms = max(used_ms, ?2) WHERE id = ?1")?;
        for (row, used_ms) in uses.0 {
            update.execute((row, sql_time(used_ms)))?;
        }
        Ok(())
    }
}

/// What an answer may be found by: the newest key's hash, and during a rotation also the older one's.
fn lookups(keyring: &Keyring, hash: &blake3::Hash) -> Vec<[u8; 32]> {
    keyring
        .all()
        .iter()
        .rev()
        .map(|key| key.lookup(hash.as_bytes()))
        .collect()
}

/// The row, the time and the opened value.
fn read(connection: &Connection, keyring: &Keyring, lookup: &[u8; 32]) -> Result<Option<(i64, u64, Vec<u8>)>, Fault> {
    let found = connection
        .query_row(
            "SELECT id, created_ms, value FROM answer WHERE lookup = ?1",
            [&lookup[..]],
            |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, Vec<u8>>(2)?)),
        )
        .optional()?;
    let Some((row, created_ms, sealed)) = found else {
        return Ok(None);
    };
    let value = ANSWER_VALUE.open(keyring, row, Bound::Lookup(lookup), &sealed)?;
    Ok(Some((row, created_ms.cast_unsigned(), value)))
}

fn size(connection: &Connection) -> rusqlite::Result<AnswersSize> {
    connection.query_row("SELECT count(*), coalesce(sum(bytes), 0) FROM answer", [], |row| {
        Ok(AnswersSize {
            answers: row.get::<_, i64>(0)?.cast_unsigned(),
            bytes: row.get::<_, i64>(1)?.cast_unsigned(),
        })
    })
}

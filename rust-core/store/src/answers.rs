//! The cache of exact answers: values found by a keyed hash of the caller's bytes. What makes two requests the same, what may be kept and what
//! is evicted is decided elsewhere.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError};

use rusqlite::{Connection, OptionalExtension};
use whimbrel_record::{ReceiptId, limit};

use crate::connection::Shared;
use crate::conversations::{find, sql_time};
use crate::fault::Fault;
use crate::sealed::{ANSWER_VALUE, Bound, Keyring};
use crate::{ConversationId, Store, StoreError};

/// Maximum size of a cached answer in bytes.
pub const ANSWER_VALUE_BYTES_MAX: u32 = 8 << 20;
/// Stands for the conversation of an answer that was given in none that is kept. Rows begin with 1.
const NO_CONVERSATION: i64 = 0;
/// How many uses of answers are remembered before they are written.
const USES_MAX: usize = 4096;

/// The cached answers of a store. Clones are handles of the same store.
#[derive(Clone)]
pub struct Answers {
    shared: Arc<Shared>,
}

/// An answer to be remembered.
#[derive(Clone, Copy, Debug)]
pub struct NewAnswer<'a> {
    /// A canonical form of everything that the answer depends on. Only its keyed hash is stored.
    pub key: &'a [u8],
    /// The answer, in a form of the caller's. At most [`ANSWER_VALUE_BYTES_MAX`] bytes.
    pub value: &'a [u8],
    /// The receipt of the request that it answered.
    pub receipt: ReceiptId,
    /// The conversation that it was given in, if that is kept. The answer is forgotten with it, and with the message that has this receipt.
    pub conversation: Option<ConversationId>,
    /// For how long it is cached, in milliseconds.
    pub lifetime_ms: u64,
}

/// A cached answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CachedAnswer {
    /// What was stored.
    pub value: Vec<u8>,
    /// As [`NewAnswer::receipt`].
    pub receipt: ReceiptId,
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

/// A cached answer as an eviction sees it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AnswerEntry {
    /// Its number.
    pub id: u64,
    /// What it takes on the disk, in bytes.
    pub bytes: u64,
    /// When it was last used, in milliseconds since 1970.
    pub used_ms: u64,
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
/// [`StoreError::Vault`] if the first key cannot be made.
impl Answers {
    /// Stores an answer, replacing the one with this key, and removes those whose time is over. If its conversation is gone, nothing is stored.
    ///
    /// # Errors
    /// [`StoreError::Record`] past [`ANSWER_VALUE_BYTES_MAX`], and those of all calls.
    pub fn put(&self, new: &NewAnswer<'_>, now_ms: u64) -> Result<(), StoreError> {
        limit("bytes of a cached answer", new.value.len(), ANSWER_VALUE_BYTES_MAX)?;
        let hash = blake3::hash(new.key);
        self.shared.change(|connection, keyring| {
            let conversation = match new.conversation.map(|id| find(connection, id)).transpose() {
                Err(Fault::Store(StoreError::UnknownConversation { .. })) => return Ok(()),
                found => found?.unwrap_or(NO_CONVERSATION),
            };
            self.write_uses(connection)?;
            connection.execute("DELETE FROM answer WHERE expires_ms < ?1", [sql_time(now_ms)])?;
            for lookup in lookups(keyring, &hash) {
                connection.execute("DELETE FROM answer WHERE lookup = ?1", [&lookup[..]])?;
            }
            let newest = keyring.newest().expect("a key was made");
            let lookup = newest.lookup(hash.as_bytes());
            let next = "SELECT coalesce(max(id), 0) + 1 FROM answer";
            let row: i64 = connection.query_row(next, [], |row| row.get(0))?;
            let plain = [&hash.as_bytes()[..], new.value].concat();
            let sealed = ANSWER_VALUE.seal(keyring, row, Bound::Lookup(&lookup), &plain)?;
            connection.execute(
                "INSERT INTO answer (id, lookup, receipt, conversation, created_ms, expires_ms, used_ms, bytes, value)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?5, ?7, ?8)",
                (
                    row,
                    &lookup[..],
                    sql_receipt(new.receipt),
                    conversation,
                    sql_time(now_ms),
                    sql_time(now_ms.saturating_add(new.lifetime_ms)),
                    sealed.len() as i64,
                    sealed,
                ),
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
                if let Some(found) = read(connection, keyring, &lookup, now_ms)? {
                    return Ok(Some(found));
                }
            }
            Ok(None)
        })?;
        let Some((row, mut found)) = found else {
            return Ok(None);
        };
        if found.value.get(..32) != Some(hash.as_bytes()) {
            return Err(StoreError::Sealed(ANSWER_VALUE.changed(row)));
        }
        found.value.drain(..32);
        found.age_ms = now_ms.saturating_sub(found.created_ms);
        let mut uses = self.shared.answer_uses().lock().unwrap_or_else(PoisonError::into_inner);
        if uses.0.len() < USES_MAX {
            uses.0.insert(row, now_ms);
        }
        Ok(Some(found))
    }

    /// Forgets the answers that came with this receipt. Returns whether there was one. Nothing of them stays in a file.
    ///
    /// # Errors
    /// [`StoreError::LogLeft`] as for [`crate::Conversations::delete`], and those of all calls.
    pub fn forget(&self, receipt: ReceiptId) -> Result<bool, StoreError> {
        let receipt = sql_receipt(receipt);
        let is_known = self.shared.read(|connection, _| {
            let query = "SELECT 1 FROM answer WHERE receipt = ?1 LIMIT 1";
            Ok(connection.query_row(query, [receipt], |_| Ok(())).optional()?.is_some())
        })?;
        if is_known {
            self.shared.change_and_empty_log(|connection, _| {
                connection.execute("DELETE FROM answer WHERE receipt = ?1", [receipt])?;
                Ok(())
            })?;
        }
        Ok(is_known)
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

    /// The answers, so that a caller can decide which are evicted.
    ///
    /// # Errors
    /// Those of all calls.
    pub fn entries(&self) -> Result<Vec<AnswerEntry>, StoreError> {
        let mut entries = self.shared.read(|connection, _| {
            let mut statement = connection.prepare("SELECT id, bytes, used_ms FROM answer ORDER BY id")?;
            let rows = statement.query_map([], |row| {
                Ok(AnswerEntry {
                    id: row.get::<_, i64>(0)?.cast_unsigned(),
                    bytes: row.get::<_, i64>(1)?.cast_unsigned(),
                    used_ms: row.get::<_, i64>(2)?.cast_unsigned(),
                })
            })?;
            Ok(rows.collect::<Result<Vec<_>, _>>()?)
        })?;
        let uses = self.shared.answer_uses().lock().unwrap_or_else(PoisonError::into_inner);
        for entry in &mut entries {
            let used_ms = uses.0.get(&entry.id.cast_signed());
            entry.used_ms = used_ms.map_or(entry.used_ms, |used_ms| entry.used_ms.max(*used_ms));
        }
        Ok(entries)
    }

    /// Removes answers by their numbers. Returns how many are gone.
    ///
    /// # Errors
    /// Those of all calls.
    pub fn evict(&self, ids: &[u64]) -> Result<u64, StoreError> {
        self.shared.change(|connection, _| {
            self.write_uses(connection)?;
            let mut delete = connection.prepare("DELETE FROM answer WHERE id = ?1")?;
            let mut gone = 0;
            for id in ids {
                gone += delete.execute([id.cast_signed()])?;
            }
            Ok(gone as u64)
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

/// The row, and what is in it. Its value still begins with the hash of its key, and its age is not known.
fn read(
    connection: &Connection,
    keyring: &Keyring,
    lookup: &[u8; 32],
    now_ms: u64,
) -> Result<Option<(i64, CachedAnswer)>, Fault> {
    let query = "SELECT id, receipt, created_ms, value FROM answer WHERE lookup = ?1 AND expires_ms >= ?2";
    let mut statement = connection.prepare(query)?;
    let mut rows = statement.query((&lookup[..], sql_time(now_ms)))?;
    let Some(found) = rows.next()? else {
        return Ok(None);
    };
    let row: i64 = found.get(0)?;
    let sealed = found.get_ref(3)?.as_blob().map_err(|_| ANSWER_VALUE.changed(row))?;
    let answer = CachedAnswer {
        value: ANSWER_VALUE.open(keyring, row, Bound::Lookup(lookup), sealed)?,
        receipt: ReceiptId(found.get::<_, i64>(1)?.cast_unsigned()),
        created_ms: found.get::<_, i64>(2)?.cast_unsigned(),
        age_ms: 0,
    };
    Ok(Some((row, answer)))
}

fn sql_receipt(receipt: ReceiptId) -> i64 {
    i64::try_from(receipt.0).unwrap_or(i64::MAX)
}

fn size(connection: &Connection) -> rusqlite::Result<AnswersSize> {
    connection.query_row("SELECT count(*), coalesce(sum(bytes), 0) FROM answer", [], |row| {
        Ok(AnswersSize {
            answers: row.get::<_, i64>(0)?.cast_unsigned(),
            bytes: row.get::<_, i64>(1)?.cast_unsigned(),
        })
    })
}

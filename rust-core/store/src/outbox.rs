//! Queued requests that survive the process: durable rows with a sealed request and the sealed state of whatever decides about it. When to
//! send and how often is decided elsewhere.

use std::fmt;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row};
use serde::{Deserialize, Serialize};
use whimbrel_record::limit;

use crate::connection::Shared;
use crate::conversations::{Change, ConversationId, find, sql_time, stable_id, write};
use crate::fault::Fault;
use crate::sealed::{Bound, Keyring, OUTBOX_MACHINE, OUTBOX_REQUEST};
use crate::{LIST_MAX, Store, StoreError};

/// Maximum size of a queued request in bytes.
pub const QUEUED_REQUEST_BYTES_MAX: u32 = 16 << 20;
/// Maximum size of the state of whatever decides about a request, in bytes.
pub const QUEUED_MACHINE_BYTES_MAX: u32 = 64 * 1024;

/// Numbers queued requests. Numbers grow and are never used again, so they are also the order inside a conversation.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct OutboxId(pub u64);

impl fmt::Display for OutboxId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// Where a request stands, as the machine that decides about it says.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct QueuedState {
    /// A number for the kind of state, readable on the disk.
    pub tag: u8,
    /// When the request is due, in milliseconds since 1970; `None` if it waits for something else. Readable on the disk.
    pub next_attempt_ms: Option<u64>,
    /// Requests with a higher number come first where the machine says so. Readable on the disk.
    pub priority: i32,
    /// The machine's state, in a form of its own. It is sealed. At most [`QUEUED_MACHINE_BYTES_MAX`] bytes.
    pub machine: Vec<u8>,
}

/// A request to queue.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NewRequest {
    /// The conversation that the answer goes to. It must exist.
    pub conversation: ConversationId,
    /// The request, in a form of the caller's. It is sealed. At most [`QUEUED_REQUEST_BYTES_MAX`] bytes.
    pub request: Vec<u8>,
    /// Where it stands.
    pub state: QueuedState,
}

/// A number and an idempotency key for a request that is about to be queued.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Reserved {
    /// Its number.
    pub id: OutboxId,
    /// Its idempotency key.
    pub idempotency: [u8; 16],
}

/// A queued request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct QueuedRequest {
    /// Its number.
    pub id: OutboxId,
    /// The conversation that the answer goes to.
    pub conversation: ConversationId,
    /// Random bytes that stay the same over all attempts and restarts, so that a server can tell a repetition.
    pub idempotency: [u8; 16],
    /// When it was queued, in milliseconds since 1970.
    pub created_ms: u64,
    /// The size of the request in bytes.
    pub bytes: u64,
    /// Where it stands.
    pub state: QueuedState,
    /// The request, in a form of the caller's.
    pub request: Vec<u8>,
}

/// How much is queued.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct OutboxSize {
    /// The number of requests.
    pub requests: u64,
    /// The size of the requests in bytes.
    pub bytes: u64,
}

/// The queued requests of a store. Clones are handles of the same store.
///
/// Every change is on the disk when its call returns. The number of requests is not limited here.
#[derive(Clone)]
pub struct Outbox {
    shared: Arc<Shared>,
}

impl Store {
    /// The queued requests.
    #[must_use]
    pub fn outbox(&self) -> Outbox {
        Outbox {
            shared: Arc::clone(self.shared_arc()),
        }
    }
}

impl fmt::Debug for Outbox {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Outbox")
            .field("path", &self.shared.path())
            .finish_non_exhaustive()
    }
}

/// The columns that [`request`] reads.
const COLUMNS: &str =
    "SELECT o.id, o.conversation, o.priority, o.state, o.created_ms, o.next_attempt_ms, o.bytes, o.idempotency,
    o.machine, o.request, c.stable_id FROM outbox o JOIN conversation c ON c.id = o.conversation";

/// Every call fails with [`StoreError::Sealed`] if the store's keys are lost or a value was changed, with [`StoreError::Database`] and
/// [`StoreError::Damaged`] if the database cannot be used, and, where it writes, with [`StoreError::ReadOnly`], [`StoreError::Full`], and
/// [`StoreError::Vault`] if the first key cannot be made. Nothing has then changed.
impl Outbox {
    /// The number and the idempotency key of the next request, for a caller whose state of it names them. Nothing is written.
    ///
    /// # Errors
    /// Those of all calls.
    pub fn reserve(&self) -> Result<Reserved, StoreError> {
        let mut idempotency = [0; 16];
        getrandom::fill(&mut idempotency).map_err(|_| StoreError::Random)?;
        self.shared.read(|connection, _| {
            Ok(Reserved {
                id: OutboxId(next_id(connection)?.cast_unsigned()),
                idempotency,
            })
        })
    }

    /// Queues a request under a number that was reserved. When this returns, it has reached the disk.
    ///
    /// # Errors
    /// [`StoreError::RequestNumber`] if another request was queued meanwhile, and those of [`Outbox::enqueue`].
    pub fn enqueue_reserved(&self, reserved: Reserved, new: &NewRequest, now_ms: u64) -> Result<(), StoreError> {
        self.shared.change(|connection, keyring| {
            let next = next_id(connection)?;
            if sql_id(reserved.id) != next {
                return Err(StoreError::RequestNumber { id: reserved.id.0 }.into());
            }
            insert(connection, keyring, (next, reserved.idempotency), new, now_ms)?;
            count(connection, next)
        })
    }

    /// Queues a request. When this returns, it has reached the disk.
    ///
    /// # Errors
    /// [`StoreError::UnknownConversation`], [`StoreError::Record`] past a limit, and those of all calls.
    pub fn enqueue(&self, new: &NewRequest, now_ms: u64) -> Result<QueuedRequest, StoreError> {
        let mut queued = self.enqueue_many(std::slice::from_ref(new), now_ms)?;
        Ok(queued.pop().expect("one request was queued"))
    }

    /// Queues many requests, all in one step.
    ///
    /// # Errors
    /// As [`Outbox::enqueue`]; none is then queued.
    pub fn enqueue_many(&self, new: &[NewRequest], now_ms: u64) -> Result<Vec<QueuedRequest>, StoreError> {
        self.shared.change(|connection, keyring| {
            let mut next = next_id(connection)?;
            let mut queued = Vec::with_capacity(new.len());
            for new in new {
                let mut idempotency = [0; 16];
                getrandom::fill(&mut idempotency).map_err(|_| StoreError::Random)?;
                queued.push(insert(connection, keyring, (next, idempotency), new, now_ms)?);
                next += 1;
            }
            count(connection, next - 1)?;
            Ok(queued)
        })
    }

    /// Stores where a request stands now.
    ///
    /// # Errors
    /// [`StoreError::UnknownRequest`], [`StoreError::Record`] past a limit, and those of all calls.
    pub fn update(&self, id: OutboxId, state: &QueuedState) -> Result<(), StoreError> {
        self.shared.change(|connection, keyring| {
            let conversation = conversation_of(connection, id)?;
            update_state(connection, keyring, id, conversation, state)
        })
    }

    /// Stores where a request stands now, and replaces the request, for one that was edited. The idempotency key of the row stays; a caller that
    /// gives it another one has that in its state.
    ///
    /// # Errors
    /// As [`Outbox::update`].
    pub fn replace(&self, id: OutboxId, state: &QueuedState, request: &[u8]) -> Result<(), StoreError> {
        limit("bytes of a queued request", request.len(), QUEUED_REQUEST_BYTES_MAX)?;
        self.shared.change(|connection, keyring| {
            let conversation = conversation_of(connection, id)?;
            update_state(connection, keyring, id, conversation, state)?;
            let bound = Bound::Position(conversation, 0);
            let sealed = OUTBOX_REQUEST.seal(keyring, sql_id(id), bound, request)?;
            connection.execute(
                "UPDATE outbox SET request = ?2, bytes = ?3 WHERE id = ?1",
                (sql_id(id), sealed, request.len() as i64),
            )?;
            Ok(())
        })
    }

    /// Removes a request that will not be answered.
    ///
    /// # Errors
    /// [`StoreError::UnknownRequest`], and those of all calls.
    pub fn remove(&self, id: OutboxId) -> Result<(), StoreError> {
        self.shared.change(|connection, _| {
            remove(connection, id)?;
            Ok(())
        })
    }

    /// Removes an answered request and makes a change of its conversation, in one step: even if the process is killed, the answer is there
    /// exactly once.
    ///
    /// # Errors
    /// [`StoreError::UnknownRequest`] if it was answered or removed before, otherwise as [`crate::Conversations::change`].
    pub fn conclude(&self, id: OutboxId, change: &Change<'_>, now_ms: u64) -> Result<(), StoreError> {
        self.shared.change(|connection, keyring| {
            let conversation = remove(connection, id)?;
            write(connection, keyring, conversation, change, now_ms)
        })
    }

    /// Queued requests in the order of their numbers, behind `after`, at most `requests_max` of them.
    ///
    /// # Errors
    /// [`StoreError::Record`] beyond [`LIST_MAX`], and those of all calls.
    pub fn list(&self, after: Option<OutboxId>, requests_max: u32) -> Result<Vec<QueuedRequest>, StoreError> {
        limit("queued requests of a page", requests_max as usize, LIST_MAX)?;
        let query = format!("{COLUMNS} WHERE o.id > ?1 ORDER BY o.id LIMIT ?2");
        self.shared.read(|connection, keyring| {
            let mut statement = connection.prepare(&query)?;
            let mut found = statement.query((after.map_or(0, sql_id), requests_max))?;
            let mut page = Vec::new();
            while let Some(row) = found.next()? {
                page.push(request(keyring, row)?);
            }
            Ok(page)
        })
    }

    /// One queued request.
    ///
    /// # Errors
    /// [`StoreError::UnknownRequest`], and those of all calls.
    pub fn get(&self, id: OutboxId) -> Result<QueuedRequest, StoreError> {
        let query = format!("{COLUMNS} WHERE o.id = ?1");
        self.shared.read(|connection, keyring| {
            let mut statement = connection.prepare(&query)?;
            let mut found = statement.query([sql_id(id)])?;
            let row = found.next()?.ok_or(StoreError::UnknownRequest { id: id.0 })?;
            request(keyring, row)
        })
    }

    /// How much is queued.
    ///
    /// # Errors
    /// Those of all calls.
    pub fn size(&self) -> Result<OutboxSize, StoreError> {
        self.shared.read(|connection, _| {
            let query = "SELECT count(*), coalesce(sum(bytes), 0) FROM outbox";
            let size = connection.query_row(query, [], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))?;
            Ok(OutboxSize {
                requests: size.0.cast_unsigned(),
                bytes: size.1.cast_unsigned(),
            })
        })
    }
}

fn sql_id(id: OutboxId) -> i64 {
    i64::try_from(id.0).unwrap_or(i64::MAX)
}

/// The next number, which was never used.
fn next_id(connection: &Connection) -> Result<i64, Fault> {
    let query = "SELECT value FROM counter WHERE name = 'outbox'";
    let last: Option<i64> = connection.query_row(query, [], |row| row.get(0)).optional()?;
    let next = last.unwrap_or(0).saturating_add(1);
    // The counter is readable, so somebody may have set it to anything.
    let next = (1..1 << 62).contains(&next).then_some(next);
    Ok(next.ok_or_else(|| StoreError::Unreadable {
        what: "the last number of the outbox".to_owned(),
    })?)
}

/// Notes the last number that was given.
fn count(connection: &Connection, last: i64) -> Result<(), Fault> {
    let counter = "INSERT OR REPLACE INTO counter (name, value) VALUES ('outbox', ?1)";
    connection.execute(counter, [last])?;
    Ok(())
}

fn insert(
    connection: &Connection,
    keyring: &Keyring,
    (row, idempotency): (i64, [u8; 16]),
    new: &NewRequest,
    now_ms: u64,
) -> Result<QueuedRequest, Fault> {
    limit("bytes of a queued request", new.request.len(), QUEUED_REQUEST_BYTES_MAX)?;
    check_machine(&new.state)?;
    let conversation = find(connection, new.conversation)?;
    let bound = Bound::Position(conversation, 0);
    let machine = OUTBOX_MACHINE.seal(keyring, row, bound, &new.state.machine)?;
    let request = OUTBOX_REQUEST.seal(keyring, row, bound, &new.request)?;
    connection.execute(
        "INSERT INTO outbox (id, conversation, priority, state, created_ms, next_attempt_ms, bytes, idempotency, machine, request)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        (
            row,
            conversation,
            new.state.priority,
            new.state.tag,
            sql_time(now_ms),
            new.state.next_attempt_ms.map(sql_time),
            new.request.len() as i64,
            &idempotency[..],
            machine,
            request,
        ),
    )?;
    Ok(QueuedRequest {
        id: OutboxId(row.cast_unsigned()),
        conversation: new.conversation,
        idempotency,
        created_ms: now_ms,
        bytes: new.request.len() as u64,
        state: new.state.clone(),
        request: new.request.clone(),
    })
}

fn check_machine(state: &QueuedState) -> Result<(), Fault> {
    let what = "bytes of a queued request's state";
    Ok(limit(what, state.machine.len(), QUEUED_MACHINE_BYTES_MAX)?)
}

fn conversation_of(connection: &Connection, id: OutboxId) -> Result<i64, Fault> {
    let query = "SELECT conversation FROM outbox WHERE id = ?1";
    let found = connection.query_row(query, [sql_id(id)], |row| row.get(0)).optional()?;
    found.ok_or_else(|| StoreError::UnknownRequest { id: id.0 }.into())
}

/// Removes a row and returns its conversation.
fn remove(connection: &Connection, id: OutboxId) -> Result<i64, Fault> {
    let conversation = conversation_of(connection, id)?;
    connection.execute("DELETE FROM outbox WHERE id = ?1", [sql_id(id)])?;
    Ok(conversation)
}

fn update_state(
    connection: &Connection,
    keyring: &Keyring,
    id: OutboxId,
    conversation: i64,
    state: &QueuedState,
) -> Result<(), Fault> {
    check_machine(state)?;
    let machine = OUTBOX_MACHINE.seal(keyring, sql_id(id), Bound::Position(conversation, 0), &state.machine)?;
    connection.execute(
        "UPDATE outbox SET priority = ?2, state = ?3, next_attempt_ms = ?4, machine = ?5 WHERE id = ?1",
        (
            sql_id(id),
            state.priority,
            state.tag,
            state.next_attempt_ms.map(sql_time),
            machine,
        ),
    )?;
    Ok(())
}

fn request(keyring: &Keyring, row: &Row<'_>) -> Result<QueuedRequest, Fault> {
    let number: i64 = row.get(0)?;
    let bound = Bound::Position(row.get(1)?, 0);
    let machine = row.get_ref(8)?.as_blob().unwrap_or_default();
    let request = row.get_ref(9)?.as_blob().unwrap_or_default();
    Ok(QueuedRequest {
        id: OutboxId(number.cast_unsigned()),
        conversation: stable_id(row, 10)?,
        idempotency: row.get(7)?,
        created_ms: row.get::<_, i64>(4)?.cast_unsigned(),
        bytes: row.get::<_, i64>(6)?.cast_unsigned(),
        state: QueuedState {
            tag: row.get(3)?,
            next_attempt_ms: row.get::<_, Option<i64>>(5)?.map(i64::cast_unsigned),
            priority: row.get(2)?,
            machine: OUTBOX_MACHINE.open(keyring, number, bound, machine)?,
        },
        request: OUTBOX_REQUEST.open(keyring, number, bound, request)?,
    })
}

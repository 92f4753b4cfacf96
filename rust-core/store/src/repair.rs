//! Repair: gives up single values that were damaged and counts them. Everything around them can be used again.

use rusqlite::Connection;

use crate::conversations::{Body, MessageRole, MessageState};
use crate::fault::Fault;
use crate::sealed::{
    ANSWER_VALUE, Bound, CONVERSATION_ATTRIBUTES, CONVERSATION_TITLE, Column, Keyring, MESSAGE_BODY, OUTBOX_MACHINE,
    OUTBOX_REQUEST,
};
use crate::{Store, StoreError};

/// What a repair gave up.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Repaired {
    /// Titles that are empty now.
    pub titles: u64,
    /// Attributes of conversations that are empty now.
    pub attributes: u64,
    /// Messages that have no content now, and the state [`MessageState::Lost`].
    pub messages: u64,
    /// Queued requests that were removed.
    pub requests: u64,
    /// Cached answers that were removed.
    pub answers: u64,
}

impl Store {
    /// Opens every sealed value of a row and gives up those that cannot be opened, in one step. Everything else stays as it is. This reads
    /// the whole database, so it is meant for a store in which a call failed with [`crate::SealError::Value`].
    ///
    /// # Errors
    /// [`StoreError::Sealed`] if the store's keys are lost, [`StoreError::ReadOnly`], and those of reading and writing. Nothing was then
    /// given up.
    pub fn repair(&self) -> Result<Repaired, StoreError> {
        self.shared().change(|connection, keyring| {
            Ok(Repaired {
                titles: empty(connection, keyring, CONVERSATION_TITLE)?,
                attributes: empty(connection, keyring, CONVERSATION_ATTRIBUTES)?,
                messages: messages(connection, keyring)?,
                requests: requests(connection, keyring)?,
                answers: answers(connection, keyring)?,
            })
        })
    }
}

/// Rows of a conversation whose value in this column cannot be opened get an empty one.
pub(crate) fn empty(connection: &Connection, keyring: &Keyring, column: Column) -> Result<u64, Fault> {
    let mut lost = Vec::new();
    let mut statement = connection.prepare(&format!("SELECT id, {} FROM conversation", column.name))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let number = row.get(0)?;
        let sealed = row.get_ref(1)?.as_blob().unwrap_or_default();
        let opened = column.open(keyring, number, Bound::Nothing, sealed);
        if !opened.is_ok_and(|plain| String::from_utf8(plain).is_ok()) {
            lost.push(number);
        }
    }
    for row in &lost {
        let sealed = column.seal(keyring, *row, Bound::Nothing, b"")?;
        let update = format!("UPDATE conversation SET {} = ?2 WHERE id = ?1", column.name);
        connection.execute(&update, (row, sealed))?;
    }
    Ok(lost.len() as u64)
}

fn messages(connection: &Connection, keyring: &Keyring) -> Result<u64, Fault> {
    let mut lost = Vec::new();
    let mut statement = connection.prepare("SELECT id, conversation, position, body, state FROM message")?;
    let mut rows = statement.query([])?;
    let mut plain = Vec::new();
    while let Some(row) = rows.next()? {
        let (number, conversation, position) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let sealed = row.get_ref(3)?.as_blob().unwrap_or_default();
        let bound = Bound::Position(conversation, position);
        let opened = MESSAGE_BODY.open_into(keyring, number, bound, sealed, &mut plain);
        if opened.is_err() || Body::decode(&plain).is_none() || MessageState::from_code(row.get(4)?).is_none() {
            lost.push((number, conversation, position));
        }
    }
    for (number, conversation, position) in &lost {
        let sealed = nothing(keyring, *number, Bound::Position(*conversation, *position))?;
        connection.execute(
            "UPDATE message SET body = ?2, state = ?3 WHERE id = ?1",
            (number, sealed, MessageState::Lost.code()),
        )?;
    }
    Ok(lost.len() as u64)
}

/// What a message has whose content is lost.
fn nothing(keyring: &Keyring, row: i64, bound: Bound<'_>) -> Result<Vec<u8>, StoreError> {
    let nothing = Body {
        role: MessageRole::Assistant,
        receipt: None,
        attributes: "",
        text: "",
    };
    MESSAGE_BODY.seal(keyring, row, bound, &nothing.encode())
}

/// Puts a lost message in the place of one that is gone.
pub(crate) fn put_lost(
    connection: &Connection,
    keyring: &Keyring,
    (conversation, position): (i64, i64),
    time_ms: i64,
) -> Result<(), Fault> {
    let next = "SELECT coalesce(max(id), 0) + 1 FROM message";
    let row: i64 = connection.query_row(next, [], |row| row.get(0))?;
    let sealed = nothing(keyring, row, Bound::Position(conversation, position))?;
    connection.execute(
        "INSERT INTO message (id, conversation, position, time_ms, state, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        (row, conversation, position, time_ms, MessageState::Lost.code(), sealed),
    )?;
    Ok(())
}

fn requests(connection: &Connection, keyring: &Keyring) -> Result<u64, Fault> {
    let mut lost = Vec::new();
    let mut statement = connection.prepare("SELECT id, conversation, machine, request FROM outbox")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let number: i64 = row.get(0)?;
        let bound = Bound::Position(row.get(1)?, 0);
        let opens = |column: Column, sealed: &[u8]| column.open(keyring, number, bound, sealed).is_ok();
        let machine = row.get_ref(2)?.as_blob().unwrap_or_default();
        let request = row.get_ref(3)?.as_blob().unwrap_or_default();
        if !opens(OUTBOX_MACHINE, machine) || !opens(OUTBOX_REQUEST, request) {
            lost.push(number);
        }
    }
    remove(connection, "DELETE FROM outbox WHERE id = ?1", &lost)
}

fn answers(connection: &Connection, keyring: &Keyring) -> Result<u64, Fault> {
    let mut lost = Vec::new();
    let mut statement = connection.prepare("SELECT id, lookup, value FROM answer")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let number: i64 = row.get(0)?;
        let lookup = row.get_ref(1)?.as_blob().unwrap_or_default();
        let sealed = row.get_ref(2)?.as_blob().unwrap_or_default();
        if ANSWER_VALUE
            .open(keyring, number, Bound::Lookup(lookup), sealed)
            .is_err()
        {
            lost.push(number);
        }
    }
    remove(connection, "DELETE FROM answer WHERE id = ?1", &lost)
}

fn remove(connection: &Connection, delete: &str, rows: &[i64]) -> Result<u64, Fault> {
    for row in rows {
        connection.execute(delete, [row])?;
    }
    Ok(rows.len() as u64)
}

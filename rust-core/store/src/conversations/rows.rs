//! Conversations and messages as rows: found, read, appended, replaced and cut. The caller provides the transaction.

use rusqlite::{Connection, OptionalExtension, Row};
use whimbrel_record::limit;

use super::message::{Body, CONVERSATION_MESSAGES_MAX, MessageState, StoredMessage, check_message};
use super::{ConversationId, ConversationSummary};
use crate::StoreError;
use crate::fault::Fault;
use crate::sealed::{Bound, CONVERSATION_ATTRIBUTES, CONVERSATION_TITLE, Keyring, MESSAGE_BODY};

/// The columns that [`summary`] reads.
pub(super) const SUMMARY: &str =
    "SELECT id, stable_id, created_ms, updated_ms, pinned, messages, bytes, title FROM conversation";

/// A time as SQLite's number; those past the year 292 million are cut.
pub(crate) fn sql_time(time_ms: u64) -> i64 {
    i64::try_from(time_ms).unwrap_or(i64::MAX)
}

/// The row of a conversation.
pub(crate) fn find(connection: &Connection, id: ConversationId) -> Result<i64, Fault> {
    let found = connection
        .query_row("SELECT id FROM conversation WHERE stable_id = ?1", [&id.0[..]], |row| {
            row.get(0)
        })
        .optional()?;
    found.ok_or_else(|| StoreError::UnknownConversation { id }.into())
}

pub(super) fn exists(connection: &Connection, id: ConversationId) -> rusqlite::Result<bool> {
    connection.query_row(
        "SELECT EXISTS (SELECT 1 FROM conversation WHERE stable_id = ?1)",
        [&id.0[..]],
        |row| row.get(0),
    )
}

/// The stable id of a row.
pub(crate) fn stable_id(row: &Row<'_>, column: usize) -> rusqlite::Result<ConversationId> {
    Ok(ConversationId(row.get(column)?))
}

/// Opens a sealed text.
pub(super) fn open_text(
    column: crate::sealed::Column,
    keyring: &Keyring,
    row: i64,
    sealed: &[u8],
) -> Result<String, Fault> {
    let plain = column.open(keyring, row, Bound::Nothing, sealed)?;
    String::from_utf8(plain).map_err(|_| column.changed(row).into())
}

pub(super) fn summary(keyring: &Keyring, row: &Row<'_>) -> Result<ConversationSummary, Fault> {
    let number: i64 = row.get(0)?;
    Ok(ConversationSummary {
        row: number,
        id: stable_id(row, 1)?,
        created_ms: row.get::<_, i64>(2)?.cast_unsigned(),
        updated_ms: row.get::<_, i64>(3)?.cast_unsigned(),
        pinned: row.get(4)?,
        messages: row.get(5)?,
        bytes: row.get::<_, i64>(6)?.cast_unsigned(),
        title: open_text(CONVERSATION_TITLE, keyring, number, &row.get::<_, Vec<u8>>(7)?)?,
    })
}

/// What a new row of a conversation holds.
pub(super) struct NewRow<'a> {
    pub(super) id: ConversationId,
    pub(super) title: &'a str,
    pub(super) attributes: &'a str,
    pub(super) pinned: bool,
    pub(super) created_ms: u64,
    pub(super) updated_ms: u64,
}

/// Adds a conversation without messages and returns its row.
pub(super) fn insert(connection: &Connection, keyring: &Keyring, new: &NewRow<'_>) -> Result<i64, Fault> {
    let row: i64 = connection.query_row("SELECT coalesce(max(id), 0) + 1 FROM conversation", [], |row| {
        row.get(0)
    })?;
    let title = CONVERSATION_TITLE.seal(keyring, row, Bound::Nothing, new.title.as_bytes())?;
    let attributes = CONVERSATION_ATTRIBUTES.seal(keyring, row, Bound::Nothing, new.attributes.as_bytes())?;
    connection.execute(
        "INSERT INTO conversation (id, stable_id, created_ms, updated_ms, pinned, messages, bytes, title, attributes)
         VALUES (?1, ?2, ?3, ?4, ?5, 0, 0, ?6, ?7)",
        (
            row,
            &new.id.0[..],
            sql_time(new.created_ms),
            sql_time(new.updated_ms),
            new.pinned,
            title,
            attributes,
        ),
    )?;
    Ok(row)
}

/// Appends messages to the conversation in this row and returns the position of the first.
pub(super) fn append_messages(
    connection: &Connection,
    keyring: &Keyring,
    conversation: i64,
    messages: &[StoredMessage],
    updated_ms: u64,
) -> Result<u32, Fault> {
    let first: u32 = connection.query_row(
        "SELECT messages FROM conversation WHERE id = ?1",
        [conversation],
        |row| row.get(0),
    )?;
    let after = first as usize + messages.len();
    limit("messages of a conversation", after, CONVERSATION_MESSAGES_MAX)?;
    let next = "SELECT coalesce(max(id), 0) + 1 FROM message";
    let next: i64 = connection.query_row(next, [], |row| row.get(0))?;
    let mut insert = connection.prepare(
        "INSERT INTO message (id, conversation, position, time_ms, state, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    let mut bytes = 0i64;
    for ((row, position), message) in (next..).zip(i64::from(first)..).zip(messages) {
        check_message(message)?;
        let bound = Bound::Position(conversation, position);
        let body = MESSAGE_BODY.seal(keyring, row, bound, &Body::of(message).encode())?;
        bytes += body.len() as i64;
        insert.execute((
            row,
            conversation,
            position,
            sql_time(message.time_ms),
            message.state.code(),
            body,
        ))?;
    }
    connection.execute(
        "UPDATE conversation SET messages = messages + ?2, bytes = bytes + ?3, updated_ms = max(updated_ms, ?4) WHERE id = ?1",
        (conversation, messages.len() as i64, bytes, sql_time(updated_ms)),
    )?;
    Ok(first)
}

/// Removes the messages from a position on, and forgets the answers among them.
pub(super) fn cut(connection: &Connection, keyring: &Keyring, conversation: i64, position: u32) -> Result<(), Fault> {
    let present: u32 = connection.query_row(
        "SELECT messages FROM conversation WHERE id = ?1",
        [conversation],
        |row| row.get(0),
    )?;
    if position > present {
        return Err(StoreError::UnknownMessage { position }.into());
    }
    forget_answers(connection, keyring, conversation, position)?;
    let removed: i64 = connection.query_row(
        "SELECT coalesce(sum(length(body)), 0) FROM message WHERE conversation = ?1 AND position >= ?2",
        (conversation, position),
        |row| row.get(0),
    )?;
    connection.execute(
        "DELETE FROM message WHERE conversation = ?1 AND position >= ?2",
        (conversation, position),
    )?;
    connection.execute(
        "UPDATE conversation SET messages = ?2, bytes = bytes - ?3 WHERE id = ?1",
        (conversation, position, removed),
    )?;
    Ok(())
}

/// Forgets the cached answers that came with the messages from a position on. A message that cannot be read is not there any more: no answer of
/// its conversation stays then.
fn forget_answers(connection: &Connection, keyring: &Keyring, conversation: i64, position: u32) -> Result<(), Fault> {
    let query = "SELECT EXISTS (SELECT 1 FROM answer WHERE conversation = ?1)";
    if !connection.query_row(query, [conversation], |row| row.get::<_, bool>(0))? {
        return Ok(());
    }
    match messages(connection, keyring, conversation, position, CONVERSATION_MESSAGES_MAX) {
        Ok(gone) => {
            let mut delete = connection.prepare("DELETE FROM answer WHERE conversation = ?1 AND receipt = ?2")?;
            for receipt in gone.iter().filter_map(|message| message.receipt) {
                delete.execute((conversation, i64::try_from(receipt.0).unwrap_or(i64::MAX)))?;
            }
        }
        Err(Fault::Store(StoreError::Sealed(_))) => {
            connection.execute("DELETE FROM answer WHERE conversation = ?1", [conversation])?;
        }
        Err(fault) => return Err(fault),
    }
    Ok(())
}

/// Replaces an answer in progress.
pub(super) fn update_draft(
    connection: &Connection,
    keyring: &Keyring,
    conversation: i64,
    position: u32,
    message: &StoredMessage,
) -> Result<(), Fault> {
    check_message(message)?;
    let found = connection
        .query_row(
            "SELECT id, length(body) FROM message WHERE conversation = ?1 AND position = ?2 AND state = ?3",
            (conversation, position, MessageState::Draft.code()),
            |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)),
        )
        .optional()?;
    let (row, before) = found.ok_or(StoreError::UnknownMessage { position })?;
    let bound = Bound::Position(conversation, i64::from(position));
    let body = MESSAGE_BODY.seal(keyring, row, bound, &Body::of(message).encode())?;
    let grown = body.len() as i64 - before;
    connection.execute(
        "UPDATE message SET time_ms = ?2, state = ?3, body = ?4 WHERE id = ?1",
        (row, sql_time(message.time_ms), message.state.code(), body),
    )?;
    connection.execute(
        "UPDATE conversation SET bytes = bytes + ?2 WHERE id = ?1",
        (conversation, grown),
    )?;
    Ok(())
}

/// The messages of a conversation from a position on, at most `messages_max`.
pub(super) fn messages(
    connection: &Connection,
    keyring: &Keyring,
    conversation: i64,
    from: u32,
    messages_max: u32,
) -> Result<Vec<StoredMessage>, Fault> {
    let mut statement = connection.prepare(
        "SELECT id, position, time_ms, state, body FROM message
         WHERE conversation = ?1 AND position >= ?2 ORDER BY position LIMIT ?3",
    )?;
    let mut rows = statement.query((conversation, from, messages_max))?;
    let (mut messages, mut plain) = (Vec::new(), Vec::new());
    while let Some(row) = rows.next()? {
        let (number, position): (i64, i64) = (row.get(0)?, row.get(1)?);
        let changed = || MESSAGE_BODY.changed(number);
        let sealed = row.get_ref(4)?.as_blob().map_err(|_| changed())?;
        let bound = Bound::Position(conversation, position);
        let state = MessageState::from_code(row.get(3)?).ok_or_else(changed)?;
        MESSAGE_BODY.open_into(keyring, number, bound, sealed, &mut plain)?;
        let body = Body::decode(&plain).ok_or_else(changed)?;
        messages.push(StoredMessage {
            role: body.role,
            text: body.text.to_owned(),
            attributes: body.attributes.to_owned(),
            time_ms: row.get::<_, i64>(2)?.cast_unsigned(),
            receipt: body.receipt,
            state,
        });
    }
    Ok(messages)
}

/// Deletes a conversation with its messages, its queued requests and the answers that are remembered of it.
pub(super) fn delete(connection: &Connection, conversation: i64) -> rusqlite::Result<()> {
    for statement in [
        "DELETE FROM message WHERE conversation = ?1",
        "DELETE FROM outbox WHERE conversation = ?1",
        "DELETE FROM answer WHERE conversation = ?1",
        "DELETE FROM conversation WHERE id = ?1",
    ] {
        connection.execute(statement, [conversation])?;
    }
    Ok(())
}

/// Marks answers as interrupted whose process ended.
pub(crate) fn close_drafts(connection: &Connection) -> rusqlite::Result<()> {
    // The number is written out, so that the index of drafts serves.
    connection.execute(
        "UPDATE message SET state = ?1 WHERE id IN (SELECT id FROM message WHERE state = 1)",
        [MessageState::Interrupted.code()],
    )?;
    Ok(())
}

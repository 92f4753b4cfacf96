//! What a turn changes in a conversation, in one step: its last messages, and what is known about all of it.

use rusqlite::Connection;

use super::{ConversationId, Conversations, StoredMessage, handle, rows};
use crate::StoreError;
use crate::fault::Fault;
use crate::sealed::{Bound, CONVERSATION_ATTRIBUTES, Keyring};

/// A change of a conversation.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    /// The messages from this position on are replaced.
    pub position: u32,
    /// The messages from this position on, afterwards.
    pub messages: &'a [StoredMessage],
    /// As [`super::NewConversation::attributes`].
    pub attributes: &'a str,
}

impl Conversations {
    /// Makes a change, all of it in one step. Bytes of messages that were replaced may stay in SQLite's log for a while;
    /// [`crate::Store::empty_log`] removes them.
    ///
    /// # Errors
    /// [`StoreError::UnknownConversation`], [`StoreError::UnknownMessage`] for a position past the end, [`StoreError::Record`] past a
    /// limit, and those of all calls.
    pub fn change(&self, id: ConversationId, change: &Change<'_>, now_ms: u64) -> Result<(), StoreError> {
        self.shared().change(|connection, keyring| {
            let row = rows::find(connection, id)?;
            write(connection, keyring, row, change, now_ms)
        })
    }
}

/// Makes a change in the conversation of a row.
pub(crate) fn write(
    connection: &Connection,
    keyring: &Keyring,
    row: i64,
    change: &Change<'_>,
    now_ms: u64,
) -> Result<(), Fault> {
    handle::check_conversation("", change.attributes)?;
    rows::cut(connection, keyring, row, change.position)?;
    rows::append_messages(connection, keyring, row, change.messages, now_ms)?;
    let sealed = CONVERSATION_ATTRIBUTES.seal(keyring, row, Bound::Nothing, change.attributes.as_bytes())?;
    connection.execute("UPDATE conversation SET attributes = ?2 WHERE id = ?1", (row, sealed))?;
    Ok(())
}

//! Import of a document with conversations: all of it or nothing, and every conversation once.

use std::io::{self, Read};

use whimbrel_record::{RecordError, limit};

use super::document::{CONVERSATIONS_FORMAT, CONVERSATIONS_VERSION, Document, DocumentConversation, EXPORT_BYTES_MAX};
use super::handle::check_conversation;
use super::message::{CONVERSATION_MESSAGES_MAX, StoredMessage, check_message};
use super::rows::{self, NewRow};
use super::{ConversationId, Conversations};
use crate::StoreError;

/// Maximum number of conversations of a document.
pub const IMPORT_CONVERSATIONS_MAX: u32 = 100_000;

/// Why a document cannot be read. No variant contains any of its text.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// It could not be read.
    #[error("the document cannot be read")]
    Read {
        /// The reason.
        source: io::Error,
    },
    /// It is not JSON of this form.
    #[error("line {line}, column {column} is not what a document with conversations has there")]
    Malformed {
        /// The line, counted from 1.
        line: u64,
        /// The column, counted from 1.
        column: u64,
    },
    /// It is a document of another kind.
    #[error("this is not a document of the format {CONVERSATIONS_FORMAT}")]
    Format,
    /// A newer program wrote it.
    #[error("the document has version {found}; this program reads version {CONVERSATIONS_VERSION}")]
    Version {
        /// Its version.
        found: u32,
    },
}

/// What an import did.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Imported {
    /// The conversations that were added.
    pub added: Vec<ConversationId>,
    /// How many were there already, and were left as they are.
    pub present: u32,
}

impl Conversations {
    /// Adds the conversations of a document that [`Conversations::export`] wrote. Those whose ids are here already are left out, so a
    /// second import changes nothing. Receipts are not taken over: their numbers are those of another ledger.
    ///
    /// # Errors
    /// [`StoreError::Import`], [`StoreError::Record`] past a limit, and those of writing. Nothing was then added.
    pub fn import(&self, source: &mut dyn Read) -> Result<Imported, StoreError> {
        let document = read(source)?;
        self.shared().change(|connection, keyring| {
            let mut imported = Imported::default();
            for conversation in document.conversations {
                if rows::exists(connection, conversation.id)? {
                    imported.present += 1;
                    continue;
                }
                let row = rows::insert(
                    connection,
                    keyring,
                    &NewRow {
                        id: conversation.id,
                        title: &conversation.title,
                        attributes: &conversation.attributes,
                        pinned: conversation.pinned,
                        created_ms: conversation.created_ms,
                        updated_ms: conversation.updated_ms,
                    },
                )?;
                let messages: Vec<_> = conversation.messages.into_iter().map(StoredMessage::from).collect();
                for message in &messages {
                    check_message(message)?;
                }
                rows::append_messages(connection, keyring, row, &messages, conversation.updated_ms)?;
                imported.added.push(conversation.id);
            }
            Ok(imported)
        })
    }
}

/// Reads a document and checks its sizes.
fn read(source: &mut dyn Read) -> Result<Document, StoreError> {
    let mut bytes = Vec::new();
    let read = source.take(u64::from(EXPORT_BYTES_MAX) + 1).read_to_end(&mut bytes);
    read.map_err(|source| ImportError::Read { source })?;
    limit("bytes of an import", bytes.len(), EXPORT_BYTES_MAX)?;
    // What the parser says can hold parts of the text.
    let malformed = |error: serde_json::Error| ImportError::Malformed {
        line: error.line() as u64,
        column: error.column() as u64,
    };
    let document: Document = serde_json::from_slice(&bytes).map_err(|error| match kind(&bytes) {
        Some((format, _)) if format != CONVERSATIONS_FORMAT => ImportError::Format,
        Some((_, found)) if found != CONVERSATIONS_VERSION => ImportError::Version { found },
        _ => malformed(error),
    })?;
    if document.format != CONVERSATIONS_FORMAT {
        return Err(ImportError::Format.into());
    }
    if document.version != CONVERSATIONS_VERSION {
        let found = document.version;
        return Err(ImportError::Version { found }.into());
    }
    limit(
        "conversations of an import",
        document.conversations.len(),
        IMPORT_CONVERSATIONS_MAX,
    )?;
    document.conversations.iter().try_for_each(check)?;
    Ok(document)
}

/// What a document says that it is, whatever else it has.
fn kind(bytes: &[u8]) -> Option<(String, u32)> {
    #[derive(serde::Deserialize)]
    struct Kind {
        format: String,
        version: u32,
    }
    let kind: Kind = serde_json::from_slice(bytes).ok()?;
    Some((kind.format, kind.version))
}

fn check(conversation: &DocumentConversation) -> Result<(), RecordError> {
    check_conversation(&conversation.title, &conversation.attributes)?;
    limit(
        "messages of a conversation",
        conversation.messages.len(),
        CONVERSATION_MESSAGES_MAX,
    )
}

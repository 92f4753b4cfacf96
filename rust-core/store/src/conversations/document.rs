//! The document in which conversations are exported: one JSON object, written one conversation after the other.

use std::io::{self, Write};

use serde::{Deserialize, Serialize};
use whimbrel_record::{ReceiptId, RecordError};

use super::{Conversation, ConversationId, Conversations, MessageRole, MessageState, StoredMessage};
use crate::{LIST_MAX, StoreError};

/// What the document says that it is.
pub const CONVERSATIONS_FORMAT: &str = "whimbrel-conversations";
/// The version of the document that this program writes, and the only one that it reads.
pub const CONVERSATIONS_VERSION: u32 = 1;
/// Maximum size of a document in bytes, written or read.
pub const EXPORT_BYTES_MAX: u32 = 256 << 20;

/// The whole document.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    pub(super) format: String,
    pub(super) version: u32,
    /// When it was written, in milliseconds since 1970.
    pub(super) exported_ms: u64,
    pub(super) conversations: Vec<DocumentConversation>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DocumentConversation {
    pub(super) id: ConversationId,
    pub(super) title: String,
    pub(super) created_ms: u64,
    pub(super) updated_ms: u64,
    #[serde(default)]
    pub(super) pinned: bool,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) attributes: String,
    pub(super) messages: Vec<DocumentMessage>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DocumentMessage {
    role: MessageRole,
    text: String,
    time_ms: u64,
    state: MessageState,
    /// The receipt's number on the device that wrote the document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    receipt: Option<u64>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    attributes: String,
}

impl From<Conversation> for DocumentConversation {
    fn from(from: Conversation) -> DocumentConversation {
        DocumentConversation {
            id: from.summary.id,
            title: from.summary.title,
            created_ms: from.summary.created_ms,
            updated_ms: from.summary.updated_ms,
            pinned: from.summary.pinned,
            attributes: from.attributes,
            messages: from.messages.into_iter().map(DocumentMessage::from).collect(),
        }
    }
}

/// An answer in progress goes on here, and ends in a copy.
fn copied(state: MessageState) -> MessageState {
    match state {
        MessageState::Draft => MessageState::Interrupted,
        state => state,
    }
}

impl From<StoredMessage> for DocumentMessage {
    fn from(from: StoredMessage) -> DocumentMessage {
        DocumentMessage {
            role: from.role,
            text: from.text,
            time_ms: from.time_ms,
            state: copied(from.state),
            receipt: from.receipt.map(|ReceiptId(number)| number),
            attributes: from.attributes,
        }
    }
}

impl From<DocumentMessage> for StoredMessage {
    fn from(from: DocumentMessage) -> StoredMessage {
        StoredMessage {
            role: from.role,
            text: from.text,
            attributes: from.attributes,
            time_ms: from.time_ms,
            // The number is one of another ledger, or of a ledger that began again since.
            receipt: None,
            state: copied(from.state),
        }
    }
}

impl Conversations {
    /// Writes conversations as one JSON document, which `docs/store.md` describes: those with these ids, or all of them. The document is
    /// not sealed. `now_ms` is the time, in milliseconds since 1970.
    ///
    /// # Errors
    /// [`StoreError::UnknownConversation`], [`RecordError::Export`] if it cannot be written, [`RecordError::TooMuch`] beyond
    /// [`EXPORT_BYTES_MAX`], and those of reading. The text that was written until then is incomplete.
    pub fn export(&self, out: &mut dyn Write, ids: Option<&[ConversationId]>, now_ms: u64) -> Result<(), StoreError> {
        let ids = match ids {
            Some(ids) => ids.to_vec(),
            None => self.all_ids()?,
        };
        let mut counted = Counted { out, bytes: 0 };
        let head = format!(
            "{{\"format\":\"{CONVERSATIONS_FORMAT}\",\"version\":{CONVERSATIONS_VERSION},\"exported_ms\":{now_ms},\"conversations\":["
        );
        counted.put(head.as_bytes())?;
        for (place, id) in ids.into_iter().enumerate() {
            let conversation = DocumentConversation::from(self.get(id)?);
            let text = serde_json::to_vec(&conversation).expect("texts and numbers are JSON");
            counted.put(if place == 0 { b"\n" } else { b",\n" })?;
            counted.put(&text)?;
        }
        counted.put(b"\n]}\n")?;
        Ok(())
    }

    fn all_ids(&self) -> Result<Vec<ConversationId>, StoreError> {
        let mut ids = Vec::new();
        let mut last = None;
        loop {
            let page = self.list(last.as_ref(), LIST_MAX)?;
            ids.extend(page.iter().map(|summary| summary.id));
            match page.into_iter().last() {
                Some(end) => last = Some(end),
                None => return Ok(ids),
            }
        }
    }
}

/// Writes as long as the document can be read again.
struct Counted<'a> {
    out: &'a mut dyn Write,
    bytes: usize,
}

impl Counted<'_> {
    fn put(&mut self, bytes: &[u8]) -> Result<(), RecordError> {
        self.bytes += bytes.len();
        whimbrel_record::limit("bytes of an export", self.bytes, EXPORT_BYTES_MAX)?;
        let written: io::Result<()> = self.out.write_all(bytes);
        written.map_err(|source| RecordError::Export { source })
    }
}

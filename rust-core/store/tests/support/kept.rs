//! Conversations, requests and answers to keep in tests, and a search for bytes in all files of a folder.
#![allow(dead_code, clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use whimbrel_record::ReceiptId;
use whimbrel_store::{
    ConversationId, Conversations, MessageRole, MessageState, NewConversation, NewRequest, QueuedState, Store,
    StoredMessage,
};

use super::NOW_MS;

pub(crate) fn message(role: MessageRole, text: &str) -> StoredMessage {
    StoredMessage {
        role,
        text: text.to_owned(),
        attributes: format!("{{\"class\":\"personal\",\"length\":{}}}", text.len()),
        time_ms: NOW_MS,
        receipt: (role == MessageRole::Assistant).then_some(ReceiptId(7)),
        state: MessageState::Complete,
    }
}

pub(crate) fn question(text: &str) -> StoredMessage {
    message(MessageRole::User, text)
}

pub(crate) fn answer(text: &str) -> StoredMessage {
    message(MessageRole::Assistant, text)
}

/// A conversation with a question and its answer.
pub(crate) fn conversation(conversations: &Conversations, title: &str, texts: &[&str]) -> ConversationId {
    let messages: Vec<_> = texts
        .iter()
        .enumerate()
        .map(|(place, text)| if place % 2 == 0 { question(text) } else { answer(text) })
        .collect();
    let new = NewConversation {
        title,
        attributes: "{\"system\":\"Be brief.\"}",
        messages: &messages,
    };
    conversations.create(&new, NOW_MS).unwrap()
}

pub(crate) fn request(store: &Store, conversation: ConversationId, text: &str) -> NewRequest {
    NewRequest {
        id: store.outbox().next_id().unwrap(),
        idempotency: [7; 16],
        conversation,
        request: text.as_bytes().to_vec(),
        state: QueuedState {
            tag: 1,
            next_attempt_ms: Some(NOW_MS),
            priority: 0,
            machine: b"{\"attempts\":0}".to_vec(),
        },
    }
}

/// Every file below a folder.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push(path),
        }
    }
    found
}

pub(crate) fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// Whether any file below a folder has these bytes.
pub(crate) fn is_anywhere(folder: &Path, part: &[u8]) -> bool {
    files(folder)
        .iter()
        .any(|path| contains(&std::fs::read(path).unwrap(), part))
}

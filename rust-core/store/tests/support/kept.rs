//! Conversations, requests and answers to keep in tests, and a search for bytes in all files of a folder.
#![allow(dead_code, clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use whimbrel_record::ReceiptId;
use whimbrel_store::{
    Change, ConversationId, Conversations, MemoryVault, MessageRole, MessageState, NewAnswer, NewConversation,
    NewRequest, OutboxId, QueuedState, Store, StoreError, StoredMessage,
};

use super::{NOW_MS, open, vault};

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

pub(crate) fn request(conversation: ConversationId, text: &str) -> NewRequest {
    NewRequest {
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

/// Appends messages and returns the position of the first.
pub(crate) fn append(
    conversations: &Conversations,
    id: ConversationId,
    messages: &[StoredMessage],
    now_ms: u64,
) -> Result<u32, StoreError> {
    let position = conversations.summary(id)?.messages;
    replace_from(conversations, id, position, messages, now_ms)?;
    Ok(position)
}

/// Replaces the messages from a position on.
pub(crate) fn replace_from(
    conversations: &Conversations,
    id: ConversationId,
    position: u32,
    messages: &[StoredMessage],
    now_ms: u64,
) -> Result<(), StoreError> {
    let change = Change {
        position,
        messages,
        attributes: &conversations.attributes(id)?,
    };
    conversations.change(id, &change, now_ms)
}

/// Appends an answer in progress and returns its position.
pub(crate) fn start_answer(
    conversations: &Conversations,
    id: ConversationId,
    answer: &StoredMessage,
    now_ms: u64,
) -> Result<u32, StoreError> {
    let draft = StoredMessage {
        state: MessageState::Draft,
        ..answer.clone()
    };
    append(conversations, id, &[draft], now_ms)
}

/// Removes an answered request and appends messages to its conversation. Returns the position of the first.
pub(crate) fn complete(
    store: &Store,
    id: OutboxId,
    messages: &[StoredMessage],
    now_ms: u64,
) -> Result<u32, StoreError> {
    let conversation = store.outbox().get(id)?.conversation;
    let position = store.conversations().summary(conversation)?.messages;
    let change = Change {
        position,
        messages,
        attributes: &store.conversations().attributes(conversation)?,
    };
    store.outbox().conclude(id, &change, now_ms)?;
    Ok(position)
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

/// One row of every kind.
pub(crate) fn filled(folder: &Path) -> (Store, Arc<MemoryVault>, ConversationId) {
    let vault = vault();
    let store = open(&folder.join("store.db"), &vault);
    let id = conversation(&store.conversations(), "Birds", &["Which bird?", "A whimbrel."]);
    store.outbox().enqueue(&request(id, "ask"), NOW_MS).unwrap();
    store.answers().put(&cached(b"question", b"answer"), NOW_MS).unwrap();
    (store, vault, id)
}

/// Reads everything that is sealed, and says what the first failure is.
pub(crate) fn read_all(store: &Store, id: ConversationId) -> Result<(), StoreError> {
    let conversations = store.conversations();
    conversations.list(None, 100)?;
    conversations.get(id)?;
    store.outbox().list(None, 100)?;
    store.answers().get(b"question", NOW_MS)?;
    Ok(())
}

/// An answer to be cached, of the receipt 1.
pub(crate) fn cached<'a>(key: &'a [u8], value: &'a [u8]) -> NewAnswer<'a> {
    NewAnswer {
        key,
        value,
        receipt: ReceiptId(1),
        conversation: None,
        lifetime_ms: 1_000_000,
    }
}

//! Persistent data on the device: receipts of every request in a tamper-evident ledger, feedback, small pieces of state, sealed data of
//! users, and secrets behind a trait that the phone's own key store implements. It uses one SQLite file and a folder of sealed files
//! beside it, and no network, clock or threads.
//!
//! Every call blocks and may wait for the disk, so asynchronous code must call it from a thread that may block. `docs/ledger.md` describes
//! the ledger's format, and which changes it detects and which it cannot; `docs/store.md` describes what is sealed, and how.

mod answers;
mod connection;
mod conversations;
mod database;
mod error;
mod fault;
mod ledger;
mod marks;
mod outbox;
mod recover;
mod repair;
mod schema;
mod sealed;
mod store;
mod vault;

pub use answers::{ANSWER_VALUE_BYTES_MAX, AnswerEntry, Answers, AnswersSize, CachedAnswer, NewAnswer};
pub use conversations::{
    CONVERSATION_ATTRIBUTES_BYTES_MAX, CONVERSATION_MESSAGES_MAX, CONVERSATIONS_FORMAT, CONVERSATIONS_VERSION, Change,
    Conversation, ConversationId, ConversationIdError, ConversationSummary, Conversations, EXPORT_BYTES_MAX, Hit,
    HitPlace, IMPORT_CONVERSATIONS_MAX, ImportError, Imported, MESSAGE_ATTRIBUTES_BYTES_MAX, MESSAGE_TEXT_BYTES_MAX,
    MessageRole, MessageState, NewConversation, Retention, SEARCH_TEXT_BYTES_MAX, Search, StoredMessage,
    TITLE_BYTES_MAX,
};
pub use error::{StoreError, VaultError};
pub use ledger::{ClosedPage, ClosedReceipt, Filter, GivenFeedback, LIST_MAX, Ledger, Prune, seal_keys};
pub use marks::MARKS_BYTES_MAX;
pub use outbox::{
    NewRequest, Outbox, OutboxId, OutboxSize, QUEUED_MACHINE_BYTES_MAX, QUEUED_REQUEST_BYTES_MAX, QueuedRequest,
    QueuedState, Reserved,
};
pub use recover::{Recovered, RowCounts};
pub use repair::Repaired;
pub use schema::SCHEMA_VERSION;
pub use sealed::{FileEntry, Rotation, SealError, SealedFile, SealedFiles, SealedWriter};
pub use store::{STATE_BYTES_MAX, STATE_NAME_BYTES_MAX, Store};
pub use vault::{
    FileVault, KeyVault, MemoryVault, SECRET_BYTES_MAX, SecretBytes, VAULT_NAME_BYTES_MAX, VaultLevel, check_name,
};

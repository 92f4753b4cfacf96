//! Conversations: their messages, titles and order, search, limits of what is kept, and a document for export and import. Titles, texts and
//! attributes are sealed; what the attributes mean is not known here.

mod change;
mod document;
mod handle;
mod id;
mod import;
mod message;
mod retention;
mod rows;
mod search;

pub use self::change::Change;
pub(crate) use self::change::write;
pub use self::document::{CONVERSATIONS_FORMAT, CONVERSATIONS_VERSION, EXPORT_BYTES_MAX};
pub use self::handle::{Conversation, ConversationSummary, Conversations, NewConversation};
pub use self::id::{ConversationId, ConversationIdError};
pub use self::import::{IMPORT_CONVERSATIONS_MAX, ImportError, Imported};
pub(crate) use self::message::Body;
pub use self::message::{
    CONVERSATION_ATTRIBUTES_BYTES_MAX, CONVERSATION_MESSAGES_MAX, MESSAGE_ATTRIBUTES_BYTES_MAX, MESSAGE_TEXT_BYTES_MAX,
    MessageRole, MessageState, StoredMessage, TITLE_BYTES_MAX,
};
pub use self::retention::Retention;
pub(crate) use self::rows::{close_drafts, find, sql_time, stable_id};
pub use self::search::{Hit, HitPlace, SEARCH_TEXT_BYTES_MAX, Search};

//! The conversations of a store: making, listing, reading, changing and deleting them.

use std::sync::Arc;

use whimbrel_record::{RecordError, limit};

use super::message::{
    CONVERSATION_ATTRIBUTES_BYTES_MAX, CONVERSATION_MESSAGES_MAX, MessageState, StoredMessage, TITLE_BYTES_MAX,
};
use super::rows::{self, NewRow};
use super::{ConversationId, Search};
use crate::connection::Shared;
use crate::fault::Fault;
use crate::sealed::{Bound, CONVERSATION_ATTRIBUTES, CONVERSATION_TITLE};
use crate::{LIST_MAX, Store, StoreError};

/// The conversations of a store. Clones are handles of the same store.
///
/// Every change is on the disk when its call returns. `now_ms` is the time, in milliseconds since 1970.
///
/// ```
/// # use std::sync::Arc;
/// # use whimbrel_store::{MemoryVault, Store};
/// use whimbrel_store::{MessageRole, MessageState, NewConversation, StoredMessage};
///
/// # let folder = tempfile::tempdir().unwrap();
/// # let now_ms = 1_795_420_800_000;
/// # let store = Store::open(&folder.path().join("store.db"), Arc::new(MemoryVault::new()), now_ms)?;
/// let conversations = store.conversations();
/// let question = StoredMessage {
///     role: MessageRole::User,
///     text: "Which bird is this?".into(),
///     attributes: String::new(),
///     time_ms: now_ms,
///     receipt: None,
///     state: MessageState::Complete,
/// };
/// let id = conversations.create(&NewConversation { title: "Birds", messages: &[question], ..Default::default() }, now_ms)?;
/// assert_eq!(conversations.list(None, 20)?[0].title, "Birds");
/// assert_eq!(conversations.find("BIRD", 10)?.len(), 2);
/// conversations.delete(id)?;
/// # Ok::<(), whimbrel_store::StoreError>(())
/// ```
#[derive(Clone)]
pub struct Conversations {
    shared: Arc<Shared>,
}

/// What a conversation begins with.
#[derive(Clone, Copy, Debug, Default)]
pub struct NewConversation<'a> {
    /// Its title. At most [`TITLE_BYTES_MAX`] bytes.
    pub title: &'a str,
    /// What the caller knows about it, such as its system text, in a form of the caller's. At most
    /// [`CONVERSATION_ATTRIBUTES_BYTES_MAX`] bytes. It is sealed.
    pub attributes: &'a str,
    /// Its first messages.
    pub messages: &'a [StoredMessage],
}

/// A conversation as a list shows it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ConversationSummary {
    /// Its number in this store: later ones have higher numbers. A page of the list goes on by it.
    pub row: i64,
    /// Its id.
    pub id: ConversationId,
    /// Its title.
    pub title: String,
    /// When it was made, in milliseconds since 1970.
    pub created_ms: u64,
    /// When a message was last added or replaced, in milliseconds since 1970.
    pub updated_ms: u64,
    /// Whether it stands before the others.
    pub pinned: bool,
    /// How many messages it has.
    pub messages: u32,
    /// What its messages take on the disk, in bytes.
    pub bytes: u64,
}

/// A conversation with its messages.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Conversation {
    /// What a list shows of it.
    pub summary: ConversationSummary,
    /// As [`NewConversation::attributes`].
    pub attributes: String,
    /// Its messages; a message's position is its index.
    pub messages: Vec<StoredMessage>,
}

impl Store {
    /// The conversations.
    #[must_use]
    pub fn conversations(&self) -> Conversations {
        Conversations {
            shared: Arc::clone(self.shared_arc()),
        }
    }
}

impl std::fmt::Debug for Conversations {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Conversations")
            .field("path", &self.shared.path())
            .finish_non_exhaustive()
    }
}

/// Every call fails with [`StoreError::Sealed`] if the store's keys are lost or a value was changed, with [`StoreError::Database`] and
/// [`StoreError::Damaged`] if the database cannot be used, and, where it writes, with [`StoreError::ReadOnly`], [`StoreError::Full`], and
/// [`StoreError::Vault`] if the first key cannot be made. Nothing has then changed.
impl Conversations {
    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Makes a conversation.
    ///
    /// # Errors
    /// [`StoreError::Record`] past a limit, and those of all calls.
    pub fn create(&self, new: &NewConversation<'_>, now_ms: u64) -> Result<ConversationId, StoreError> {
        check_conversation(new.title, new.attributes)?;
        let id = ConversationId::random()?;
        self.shared.change(|connection, keyring| {
            let row = NewRow {
                id,
                title: new.title,
                attributes: new.attributes,
                pinned: false,
                created_ms: now_ms,
                updated_ms: now_ms,
            };
            let row = rows::insert(connection, keyring, &row)?;
            rows::append_messages(connection, keyring, row, new.messages, now_ms)?;
            Ok(id)
        })
    }

    /// A page of the list: pinned conversations first, then those with the newest messages. The next page begins `after` the last
    /// conversation of this one.
    ///
    /// # Errors
    /// [`StoreError::Record`] beyond [`LIST_MAX`], and those of all calls.
    pub fn list(
        &self,
        after: Option<&ConversationSummary>,
        conversations_max: u32,
    ) -> Result<Vec<ConversationSummary>, StoreError> {
        limit("conversations of a page", conversations_max as usize, LIST_MAX)?;
        let behind = after.map_or((2, 0, 0), |last| {
            (i64::from(last.pinned), rows::sql_time(last.updated_ms), last.row)
        });
        let query = format!(
            "{} WHERE (pinned, updated_ms, id) < (?1, ?2, ?3) ORDER BY pinned DESC, updated_ms DESC, id DESC LIMIT ?4",
            rows::SUMMARY
        );
        self.shared.read(|connection, keyring| {
            let mut statement = connection.prepare(&query)?;
            let mut found = statement.query((behind.0, behind.1, behind.2, conversations_max))?;
            let mut page = Vec::new();
            while let Some(row) = found.next()? {
                page.push(rows::summary(keyring, row)?);
            }
            Ok(page)
        })
    }

    /// What the list shows of one conversation.
    ///
    /// # Errors
    /// [`StoreError::UnknownConversation`], and those of all calls.
    pub fn summary(&self, id: ConversationId) -> Result<ConversationSummary, StoreError> {
        self.shared
            .read(|connection, keyring| summary_of(connection, keyring, id))
    }

    /// A conversation with all its messages.
    ///
    /// # Errors
    /// [`StoreError::UnknownConversation`], and those of all calls.
    pub fn get(&self, id: ConversationId) -> Result<Conversation, StoreError> {
        self.shared.read(|connection, keyring| {
            let summary = summary_of(connection, keyring, id)?;
            Ok(Conversation {
                attributes: attributes_of(connection, keyring, summary.row)?,
                messages: rows::messages(connection, keyring, summary.row, 0, CONVERSATION_MESSAGES_MAX)?,
                summary,
            })
        })
    }

    /// What the caller knows about a conversation: [`NewConversation::attributes`], or what was set later.
    ///
    /// # Errors
    /// [`StoreError::UnknownConversation`], and those of all calls.
    pub fn attributes(&self, id: ConversationId) -> Result<String, StoreError> {
        self.shared.read(|connection, keyring| {
            let row = rows::find(connection, id)?;
            attributes_of(connection, keyring, row)
        })
    }

    /// Some messages of a conversation, from a position on.
    ///
    /// # Errors
    /// [`StoreError::UnknownConversation`], and those of all calls.
    pub fn messages(&self, id: ConversationId, from: u32, messages_max: u32) -> Result<Vec<StoredMessage>, StoreError> {
        self.shared.read(|connection, keyring| {
            let row = rows::find(connection, id)?;
            rows::messages(connection, keyring, row, from, messages_max)
        })
    }

    /// Replaces an answer in progress by what there is of it now. A call waits for the disk, so a few times a second is enough. If the
    /// process ends before the answer is complete, it reads as interrupted the next time that the store is opened.
    ///
    /// # Errors
    /// [`StoreError::UnknownConversation`], [`StoreError::UnknownMessage`] if there is no answer in progress at this position,
    /// [`StoreError::Record`] past a limit, and those of all calls.
    pub fn update_answer(&self, id: ConversationId, position: u32, answer: &StoredMessage) -> Result<(), StoreError> {
        let draft = StoredMessage {
            state: MessageState::Draft,
            ..answer.clone()
        };
        self.shared.change(|connection, keyring| {
            let row = rows::find(connection, id)?;
            rows::update_draft(connection, keyring, row, position, &draft)
        })
    }

    /// Changes the title.
    ///
    /// # Errors
    /// [`StoreError::UnknownConversation`], [`StoreError::Record`] past [`TITLE_BYTES_MAX`], and those of all calls.
    pub fn set_title(&self, id: ConversationId, title: &str) -> Result<(), StoreError> {
        check_conversation(title, "")?;
        self.shared.change(|connection, keyring| {
            let row = rows::find(connection, id)?;
            let sealed = CONVERSATION_TITLE.seal(keyring, row, Bound::Nothing, title.as_bytes())?;
            connection.execute("UPDATE conversation SET title = ?2 WHERE id = ?1", (row, sealed))?;
            Ok(())
        })
    }

    /// Puts a conversation before the others, or back among them.
    ///
    /// # Errors
    /// [`StoreError::UnknownConversation`], and those of all calls.
    pub fn set_pinned(&self, id: ConversationId, pinned: bool) -> Result<(), StoreError> {
        self.shared.change(|connection, _| {
            let row = rows::find(connection, id)?;
            connection.execute("UPDATE conversation SET pinned = ?2 WHERE id = ?1", (row, pinned))?;
            Ok(())
        })
    }

    /// Deletes a conversation with its messages, its queued requests and its remembered answers. Nothing of them stays in a file, unless another process is
    /// reading at this moment; [`Store::empty_log`] removes the rest then.
    ///
    /// # Errors
    /// [`StoreError::UnknownConversation`], [`StoreError::LogLeft`] if it is deleted but not yet gone from the log, and those of all calls.
    pub fn delete(&self, id: ConversationId) -> Result<(), StoreError> {
        self.shared.change_and_empty_log(|connection, _| {
            let row = rows::find(connection, id)?;
            Ok(rows::delete(connection, row)?)
        })
    }

    /// Begins a search of all titles and texts, regardless of case.
    ///
    /// # Errors
    /// [`StoreError::Record`] for a text that is too long.
    pub fn search(&self, text: &str) -> Result<Search, StoreError> {
        Search::begin(Arc::clone(&self.shared), text)
    }
}

fn attributes_of(
    connection: &rusqlite::Connection,
    keyring: &crate::sealed::Keyring,
    row: i64,
) -> Result<String, Fault> {
    let query = "SELECT attributes FROM conversation WHERE id = ?1";
    let sealed: Vec<u8> = connection.query_row(query, [row], |row| row.get(0))?;
    rows::open_text(CONVERSATION_ATTRIBUTES, keyring, row, &sealed)
}

pub(super) fn summary_of(
    connection: &rusqlite::Connection,
    keyring: &crate::sealed::Keyring,
    id: ConversationId,
) -> Result<ConversationSummary, Fault> {
    let row = rows::find(connection, id)?;
    let mut statement = connection.prepare(&format!("{} WHERE id = ?1", rows::SUMMARY))?;
    let mut found = statement.query([row])?;
    let row = found.next()?.ok_or(StoreError::UnknownConversation { id })?;
    rows::summary(keyring, row)
}

/// Checks a conversation's sizes.
pub(super) fn check_conversation(title: &str, attributes: &str) -> Result<(), RecordError> {
    limit("bytes of a title", title.len(), TITLE_BYTES_MAX)?;
    limit(
        "bytes of a conversation's attributes",
        attributes.len(),
        CONVERSATION_ATTRIBUTES_BYTES_MAX,
    )
}

//! The conversations that are kept on this device: making, opening, listing, finding, exporting and deleting them, and the care of the store
//! that they are in.

use std::sync::Arc;

use whimbrel_client as client;
use whimbrel_client::store;

use crate::vault::ForeignVault;
use crate::{
    Assistant, Client, Conversation, ConversationOptions, CoreError, KeyVault, Model, Role, error::conversation_id,
};

/// A conversation as a list shows it.
#[derive(Clone, Debug, uniffi::Record)]
pub struct ConversationSummary {
    /// Its id, 32 hexadecimal digits, which stays the same on all devices.
    pub id: String,
    /// Its number on this device: later ones have higher numbers. The next page of the list goes on by it.
    pub number: u64,
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

/// Whether a message is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum MessageState {
    /// It is whole.
    Complete,
    /// It is an answer that is being written.
    InProgress,
    /// It is an answer that ended early: it was cancelled, it failed, or its process ended.
    Interrupted,
    /// Its content could not be read any more and was given up by `repair`.
    Lost,
}

/// A message as it is kept.
#[derive(Clone, Debug, uniffi::Record)]
pub struct KeptMessage {
    /// The author.
    pub role: Role,
    /// The text.
    pub content: String,
    /// When it was written, in milliseconds since 1970.
    pub time_ms: u64,
    /// The number of its request's receipt in the ledger.
    pub receipt: Option<u64>,
    /// Whether it is whole.
    pub state: MessageState,
}

/// A conversation with everything that was said in it.
#[derive(Clone, Debug, uniffi::Record)]
pub struct KeptConversation {
    /// What a list shows of it.
    pub summary: ConversationSummary,
    /// Its messages, without the system message.
    pub messages: Vec<KeptMessage>,
}

/// A text that was found.
#[derive(Clone, Debug, uniffi::Record)]
pub struct SearchHit {
    /// The id of the conversation.
    pub conversation: String,
    /// The position of the message in it, from 0. Absent if the text was found in the title.
    pub message: Option<u32>,
    /// When the message was written, or the conversation last changed, in milliseconds since 1970.
    pub time_ms: u64,
    /// The whole title or message.
    pub text: String,
    /// The index of the first character of the match (Unicode scalar value).
    pub start: u32,
    /// The index of the character after its last one.
    pub end: u32,
}

/// Selects old conversations to delete: those that match either value, unless they are pinned.
#[derive(Clone, Debug, uniffi::Record)]
pub struct Retention {
    /// Conversations whose last message is older than this time, in milliseconds since 1970.
    #[uniffi(default = None)]
    pub updated_before_ms: Option<u64>,
    /// The number of newest conversations to keep. Pinned ones are not counted.
    #[uniffi(default = None)]
    pub conversations_max: Option<u32>,
}

/// What an import of conversations did.
#[derive(Clone, Debug, uniffi::Record)]
pub struct ImportedConversations {
    /// The ids of the conversations that were added.
    pub added: Vec<String>,
    /// How many were there already, and were left as they are.
    pub present: u32,
}

/// What a repair gave up.
#[derive(Clone, Debug, uniffi::Record)]
pub struct Repaired {
    /// Titles that are empty now.
    pub titles: u64,
    /// Conversations of which it is no longer known how private they are. They are treated like imported ones.
    pub attributes: u64,
    /// Messages that have no content now, and the state `Lost`.
    pub messages: u64,
    /// Queued questions that were removed.
    pub questions: u64,
    /// Cached answers that were removed.
    pub answers: u64,
}

/// How a change of the data key went.
#[derive(Clone, Debug, uniffi::Record)]
pub struct KeyRotation {
    /// Values that have the new key.
    pub rows: u64,
    /// Values that were damaged before, and are as unreadable as before. `repair` gives them up.
    pub unreadable: u64,
}

/// Conversations that are kept on this device. Titles and texts are encrypted.
#[derive(uniffi::Object)]
pub struct Conversations(client::Conversations);

#[uniffi::export]
impl Assistant {
    /// The conversations that are kept beside the ledger. The policy decides about the questions in them.
    #[must_use]
    pub fn conversations(&self) -> Arc<Conversations> {
        Arc::new(Conversations(self.0.conversations()))
    }
}

#[uniffi::export]
impl Client {
    /// Opens the conversations of the store at `path` without a policy or a ledger. The model of `answered_by` answers alone. Only one
    /// assistant or client can have a store open.
    pub async fn conversations(&self, path: String, vault: Arc<dyn KeyVault>) -> Result<Arc<Conversations>, CoreError> {
        let vault = Arc::new(ForeignVault(vault));
        let conversations = self.inner().conversations_aside(path.into(), vault).await?;
        Ok(Arc::new(Conversations(conversations)))
    }
}

#[uniffi::export]
impl Conversations {
    /// The same conversations; this model alone answers in those that are opened from now on.
    #[must_use]
    pub fn answered_by(&self, model: Arc<Model>) -> Arc<Conversations> {
        Arc::new(Conversations(self.0.answered_by(&model.inner())))
    }

    /// Makes a conversation. An empty title is replaced by the beginning of the first question.
    #[uniffi::method(default(title = "", options))]
    pub async fn create(&self, title: String, options: ConversationOptions) -> Result<Arc<Conversation>, CoreError> {
        Ok(Arc::new(self.0.create(&title, options.into()).await?.into()))
    }

    /// Opens a conversation. One that is open already is the same one, and its options stay as they are. A system message in the options
    /// replaces the conversation's; initial messages are ignored.
    #[uniffi::method(default(options))]
    pub async fn open(&self, id: String, options: ConversationOptions) -> Result<Arc<Conversation>, CoreError> {
        let id = conversation_id(&id)?;
        Ok(Arc::new(self.0.open(id, options.into()).await?.into()))
    }

    /// A page of the list, at most 1,000: pinned conversations first, then those with the newest messages. The next page begins `after` the
    /// last one of this one.
    #[uniffi::method(default(after = None))]
    pub async fn list(
        &self,
        after: Option<ConversationSummary>,
        conversations_max: u32,
    ) -> Result<Vec<ConversationSummary>, CoreError> {
        let after = after.map(store::ConversationSummary::try_from).transpose()?;
        let page = self.0.list(after, conversations_max).await?;
        Ok(page.into_iter().map(Into::into).collect())
    }

    /// The id of the newest conversation with exactly this title.
    pub async fn find_title(&self, title: String) -> Result<Option<String>, CoreError> {
        Ok(self.0.find_title(&title).await?.map(|id| id.to_string()))
    }

    /// A conversation with its messages. It is not opened.
    pub async fn show(&self, id: String) -> Result<KeptConversation, CoreError> {
        Ok(self.0.show(conversation_id(&id)?).await?.into())
    }

    /// Changes the title.
    pub async fn rename(&self, id: String, title: String) -> Result<(), CoreError> {
        Ok(self.0.rename(conversation_id(&id)?, &title).await?)
    }

    /// Puts a conversation before the others, or back among them.
    pub async fn pin(&self, id: String, pinned: bool) -> Result<(), CoreError> {
        Ok(self.0.pin(conversation_id(&id)?, pinned).await?)
    }

    /// Deletes a conversation with its queued questions. Nothing of it stays in a file. If it is open, it is closed.
    pub async fn delete(&self, id: String) -> Result<(), CoreError> {
        Ok(self.0.delete(conversation_id(&id)?).await?)
    }

    /// Deletes old conversations, and returns the ids of those that are gone.
    pub async fn retain(&self, retention: Retention) -> Result<Vec<String>, CoreError> {
        let retention = store::Retention {
            updated_before_ms: retention.updated_before_ms,
            conversations_max: retention.conversations_max,
        };
        let gone = self.0.retain(retention).await?;
        Ok(gone.iter().map(ToString::to_string).collect())
    }

    /// Finds a text in all titles and messages, regardless of case: the newest hits, at most `hits_max`.
    pub async fn search(&self, text: String, hits_max: u32) -> Result<Vec<SearchHit>, CoreError> {
        let hits = self.0.search(&text, hits_max).await?;
        Ok(hits.into_iter().map(Into::into).collect())
    }

    /// Writes conversations as one JSON document to a new file, which only its owner can read: those with these ids, or all of them. The
    /// document is not encrypted.
    #[uniffi::method(default(ids = None))]
    pub async fn export_document(&self, path: String, ids: Option<Vec<String>>) -> Result<(), CoreError> {
        let ids = ids.map(|ids| ids.iter().map(|id| conversation_id(id)).collect::<Result<_, _>>());
        Ok(self.0.export(path.into(), ids.transpose()?).await?)
    }

    /// Adds the conversations of a document that `export_document` wrote, all of them or none. Those that are here already are left as they
    /// are.
    pub async fn import_document(&self, path: String) -> Result<ImportedConversations, CoreError> {
        let imported = self.0.import(path.into()).await?;
        Ok(ImportedConversations {
            added: imported.added.iter().map(ToString::to_string).collect(),
            present: imported.present,
        })
    }

    /// Hears of changes of titles and messages, and of which conversations there are.
    pub fn changes(&self) -> Result<Arc<ConversationChanges>, CoreError> {
        Ok(Arc::new(ConversationChanges(self.0.changes()?)))
    }

    /// Gives up single values that were damaged; everything around them can be used again. It reads the whole store, so it is meant for one
    /// in which a call failed with the error `Sealed` and the problem `value_changed`.
    pub async fn repair(&self) -> Result<Repaired, CoreError> {
        let repaired = self.0.repair().await?;
        Ok(Repaired {
            titles: repaired.titles,
            attributes: repaired.attributes,
            messages: repaired.messages,
            questions: repaired.requests,
            answers: repaired.answers,
        })
    }

    /// Encrypts everything that is kept with a new data key, and removes the old one from the vault. Everything can be used meanwhile. If
    /// this is cancelled, or the process ends, the next call goes on where it was.
    pub async fn rotate_key(&self) -> Result<KeyRotation, CoreError> {
        let rotation = self.0.rotate_key().await?;
        Ok(KeyRotation {
            rows: rotation.rows_done,
            unreadable: rotation.rows_unreadable,
        })
    }

    /// Whether `rotate_key` has begun and is not finished.
    pub async fn is_rotating_key(&self) -> Result<bool, CoreError> {
        Ok(self.0.is_rotating_key().await?)
    }

    /// Closes the open conversations and a store that a client opened. Returns at once, and may be called again. An assistant's store is
    /// closed with the assistant.
    pub fn release(&self) {
        self.0.close();
    }

    /// Like `release`, but waits until answers have ended and the store can be opened again.
    pub async fn shutdown(&self) {
        self.0.shutdown().await;
    }
}

/// Hears of changes of the kept conversations.
#[derive(uniffi::Object)]
pub struct ConversationChanges(client::ConversationChanges);

#[uniffi::export]
impl ConversationChanges {
    /// Waits for a change since the last call; the first call returns at once. Several changes may count as one. False is the end: the
    /// store was closed, or this was cancelled.
    pub async fn next(&self) -> bool {
        self.0.next().await
    }

    /// Ends a call of `next` that waits, and all later ones. Returns at once, and may be called again.
    pub fn cancel(&self) {
        self.0.cancel();
    }
}

/// Destroys everything of the store at `path`: first the key, so that nothing can be read from this moment on, then conversations, queued
/// questions and the ledger. If the process ends in between, the next call finishes, or the next opening. Secrets of the app, such as the keys
/// of endpoints, stay in the vault. Nobody may have the store open.
#[uniffi::export]
pub async fn wipe_store(path: String, vault: Arc<dyn KeyVault>) -> Result<(), CoreError> {
    Ok(client::wipe(path.into(), Arc::new(ForeignVault(vault))).await?)
}

/// Gives up what can no longer be read in the store at `path` because the vault lost its keys, so that it can be used again. The ledger stays
/// as it is. If its key is lost too, it is put aside and another one begins; the result is its new path then. If no key is lost, nothing
/// changes. Nobody may have the store open.
#[uniffi::export]
pub async fn start_store_empty(path: String, vault: Arc<dyn KeyVault>) -> Result<Option<String>, CoreError> {
    let aside = client::start_empty(path.into(), Arc::new(ForeignVault(vault))).await?;
    Ok(aside.map(|aside| aside.to_string_lossy().into_owned()))
}

impl From<store::ConversationSummary> for ConversationSummary {
    fn from(from: store::ConversationSummary) -> Self {
        ConversationSummary {
            id: from.id.to_string(),
            number: from.row.cast_unsigned(),
            title: from.title,
            created_ms: from.created_ms,
            updated_ms: from.updated_ms,
            pinned: from.pinned,
            messages: from.messages,
            bytes: from.bytes,
        }
    }
}

impl TryFrom<ConversationSummary> for store::ConversationSummary {
    type Error = CoreError;

    fn try_from(from: ConversationSummary) -> Result<Self, CoreError> {
        Ok(store::ConversationSummary {
            id: conversation_id(&from.id)?,
            row: from.number.cast_signed(),
            title: from.title,
            created_ms: from.created_ms,
            updated_ms: from.updated_ms,
            pinned: from.pinned,
            messages: from.messages,
            bytes: from.bytes,
        })
    }
}

impl From<store::Conversation> for KeptConversation {
    fn from(from: store::Conversation) -> Self {
        KeptConversation {
            summary: from.summary.into(),
            messages: from.messages.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<store::StoredMessage> for KeptMessage {
    fn from(from: store::StoredMessage) -> Self {
        KeptMessage {
            role: match from.role {
                store::MessageRole::System => Role::System,
                store::MessageRole::User => Role::User,
                store::MessageRole::Assistant => Role::Assistant,
            },
            content: from.text,
            time_ms: from.time_ms,
            receipt: from.receipt.map(|receipt| receipt.0),
            state: match from.state {
                store::MessageState::Complete => MessageState::Complete,
                store::MessageState::Draft => MessageState::InProgress,
                store::MessageState::Interrupted => MessageState::Interrupted,
                store::MessageState::Lost => MessageState::Lost,
            },
        }
    }
}

impl From<store::Hit> for SearchHit {
    fn from(from: store::Hit) -> Self {
        let characters = |bytes: u32| from.text[..bytes as usize].chars().count() as u32;
        SearchHit {
            conversation: from.conversation.to_string(),
            message: match from.place {
                store::HitPlace::Title => None,
                store::HitPlace::Message(position) => Some(position),
            },
            time_ms: from.time_ms,
            start: characters(from.start),
            end: characters(from.end),
            text: from.text,
        }
    }
}

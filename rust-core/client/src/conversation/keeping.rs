//! A conversation that is kept on the disk: its changes are written when a turn is over, and an answer while it comes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use whimbrel_policy::{Kept, Recipients};
use whimbrel_privacy::PrivacyClass;
use whimbrel_record::ReceiptId;
use whimbrel_store::{Change, ConversationId, MessageRole, MessageState, Store, StoreError, StoredMessage};

use super::history::{Changes, Held, History, Last, Turn};
use crate::error::lock;
use crate::request::Message;
use crate::services::{OpenRecords, Services};
use crate::{ClientError, Role};

/// An answer that comes is written this often.
const DRAFT_EVERY: Duration = Duration::from_millis(200);
/// How much of a question becomes a title.
const TITLE_CHARACTERS: usize = 60;
/// Version of what is written about a conversation and its messages.
const FORMAT: u32 = 1;

/// Where conversations are kept.
#[derive(Clone)]
pub(crate) enum Shelf {
    /// Beside the ledger of the assistant that answers.
    Assistant,
    /// In a store of their own.
    Own(Arc<OwnStore>),
}

/// A store that no assistant has, until it is closed.
pub(crate) struct OwnStore {
    open: Mutex<Option<Arc<OpenRecords>>>,
    /// Ends when nothing holds the store any more.
    gone: watch::Receiver<()>,
}

impl OwnStore {
    pub(crate) fn new(store: Store) -> OwnStore {
        let (open, gone) = OpenRecords::new(Arc::new(store.clone()), Some(store));
        OwnStore {
            open: Mutex::new(Some(open)),
            gone,
        }
    }

    /// Lets go of it. Whatever still writes holds it until then.
    pub(crate) fn close(&self) {
        lock(&self.open).take();
    }

    /// Waits until nothing holds it any more.
    pub(crate) async fn gone(&self) {
        let mut gone = self.gone.clone();
        // Nothing is ever sent: it ends with the store.
        while gone.changed().await.is_ok() {}
    }
}

impl Shelf {
    /// Holds the store open.
    ///
    /// # Errors
    /// [`ClientError::Closed`].
    pub(crate) fn open(&self, services: &Services) -> Result<Arc<OpenRecords>, ClientError> {
        match self {
            Shelf::Assistant => services.records(),
            Shelf::Own(own) => lock(&own.open).clone().ok_or(ClientError::Closed { what: "store" }),
        }
    }

    pub(crate) fn is(&self, other: &Shelf) -> bool {
        match (self, other) {
            (Shelf::Assistant, Shelf::Assistant) => true,
            (Shelf::Own(own), Shelf::Own(others)) => Arc::ptr_eq(own, others),
            _ => false,
        }
    }
}

/// What is written about a conversation beside its messages.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct ConversationAttributes {
    format: u32,
    held: Held,
}

/// What is written about a message beside its text.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct MessageAttributes {
    format: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    class: Option<PrivacyClass>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    recipients: Option<Recipients>,
}

/// A conversation's place in the store.
pub(crate) struct Keeping {
    pub(crate) id: ConversationId,
    pub(crate) shelf: Shelf,
    /// Held while something is written, so that later changes are written later.
    writing: Mutex<()>,
    has_title: AtomicBool,
}

impl Keeping {
    pub(crate) fn new(id: ConversationId, shelf: Shelf, has_title: bool) -> Keeping {
        Keeping {
            id,
            shelf,
            writing: Mutex::new(()),
            has_title: has_title.into(),
        }
    }

    /// A conversation without a title is called like the beginning of its first question. Blocks.
    pub(crate) fn entitle(&self, store: &Store, history: &Mutex<History>) -> Result<(), ClientError> {
        if self.has_title.load(Ordering::Relaxed) {
            return Ok(());
        }
        let title = {
            let history = lock(history);
            let mut questions = history.messages().iter().filter(|said| said.role == Role::User);
            questions.next().map(|question| beginning(&question.content))
        };
        if let Some(title) = title {
            store.conversations().set_title(self.id, &title)?;
            self.has_title.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Reads the history. Blocks.
    pub(crate) fn read(&self, store: &Store) -> Result<History, ClientError> {
        let conversations = store.conversations();
        let attributes = conversations.attributes(self.id)?;
        let held = match attributes.is_empty() {
            // It came with a document.
            true => None,
            false => Some(parse::<ConversationAttributes>(&attributes)?.held),
        };
        let first = held.as_ref().map_or(0, |held| held.first);
        let stored = conversations.messages(self.id, first, u32::MAX)?;
        let messages = stored.into_iter().map(message).collect::<Result<Vec<_>, _>>()?;
        match held {
            Some(held) => Ok(History::resume(held, messages)),
            None => {
                let mut history = History::new(None);
                history.restore(messages)?;
                Ok(history)
            }
        }
    }

    /// Writes what has changed, at least what stands from the position `from` on. Blocks.
    pub(crate) fn write(
        &self,
        store: &Store,
        history: &Mutex<History>,
        from: Option<u32>,
        now_ms: u64,
    ) -> Result<(), ClientError> {
        let _writing = lock(&self.writing);
        let changes = lock(history).changes(from);
        self.make(&changes, now_ms, |change| {
            store.conversations().change(self.id, change, now_ms)
        })?;
        lock(history).wrote(&changes);
        self.entitle(store, history)
    }

    /// Writes the end of a queued request, and only then makes it part of the history. Blocks.
    pub(crate) fn conclude(
        &self,
        end: impl Fn(&mut History),
        history: &Mutex<History>,
        now_ms: u64,
        write: impl FnOnce(&Change<'_>) -> Result<(), StoreError>,
    ) -> Result<(), ClientError> {
        let _writing = lock(&self.writing);
        let mut after = lock(history).clone();
        let revision = after.revision();
        end(&mut after);
        let changes = after.changes(None);
        self.make(&changes, now_ms, write)?;
        let mut history = lock(history);
        if history.revision() == revision {
            *history = after;
            history.wrote(&changes);
        } else {
            // The app has changed the messages meanwhile, and that is written next.
            end(&mut history);
        }
        Ok(())
    }

    fn make(
        &self,
        changes: &Changes,
        now_ms: u64,
        write: impl FnOnce(&Change<'_>) -> Result<(), StoreError>,
    ) -> Result<(), ClientError> {
        let messages: Vec<StoredMessage> = changes.messages.iter().map(|said| stored(said, now_ms)).collect();
        let attributes = to_json(&ConversationAttributes {
            format: FORMAT,
            held: changes.held.clone(),
        });
        write(&Change {
            position: changes.position,
            messages: &messages,
            attributes: &attributes,
        })?;
        Ok(())
    }
}

/// An answer that is written while it comes. One of a question that is asked again is not: until it is whole, the answer before it stays.
pub(crate) struct Draft {
    keeping: Arc<Keeping>,
    records: Arc<OpenRecords>,
    /// The history, and the question.
    begun: Mutex<Option<(History, Last)>>,
    progress: Mutex<Progress>,
}

#[derive(Default)]
struct Progress {
    /// Where the answer stands, once its question is written, and as what.
    row: Option<(u32, StoredMessage)>,
    /// What was written about the conversation with it.
    held: Option<Held>,
    text: String,
    is_new: bool,
    is_over: bool,
}

impl Draft {
    pub(crate) fn new(keeping: Arc<Keeping>, records: Arc<OpenRecords>, history: History, last: Last) -> Draft {
        Draft {
            keeping,
            records,
            begun: Mutex::new(Some((history, last))),
            progress: Mutex::default(),
        }
    }

    /// The question is decided: it is written, with the places that may read it. Blocks.
    pub(crate) fn begin(
        &self,
        recipients: &Recipients,
        receipt: Option<ReceiptId>,
        now_ms: u64,
    ) -> Result<(), ClientError> {
        let Some((mut history, last)) = lock(&self.begun).take() else {
            return Ok(());
        };
        let answer = Message {
            interrupted: true,
            receipt,
            ..Message::new(Role::Assistant, "")
        };
        let last = Last { receipt, ..last };
        let handling = (last.options.class, recipients.clone());
        history.keep(last, handling, Kept::Exchange, answer, Turn::Next);
        let _writing = lock(&self.keeping.writing);
        let changes = history.changes(None);
        let (id, store) = (self.keeping.id, self.records.store()?);
        let mut row = None;
        self.keeping.make(&changes, now_ms, |change| {
            let mut messages = change.messages.to_vec();
            if let Some(answer) = messages.last_mut() {
                answer.state = MessageState::Draft;
                row = Some((change.position + change.messages.len() as u32 - 1, answer.clone()));
            }
            let change = Change {
                messages: &messages,
                ..*change
            };
            store.conversations().change(id, &change, now_ms)
        })?;
        let mut progress = lock(&self.progress);
        (progress.row, progress.held) = (row, Some(changes.held));
        Ok(())
    }

    /// The app says how private the messages are: it is written beside the answer that comes. Returns whether it is, or will be when the answer
    /// begins; otherwise the answer is over. Blocks.
    pub(crate) fn raise_class(&self, class: PrivacyClass, now_ms: u64) -> Result<bool, ClientError> {
        if let Some((history, _)) = lock(&self.begun).as_mut() {
            history.raise_class(class);
            return Ok(true);
        }
        let _writing = lock(&self.keeping.writing);
        let mut progress = lock(&self.progress);
        let Progress {
            row: Some((position, _)),
            held: Some(held),
            is_over: false,
            ..
        } = &mut *progress
        else {
            return Ok(false);
        };
        held.raise_class(class);
        let attributes = to_json(&ConversationAttributes {
            format: FORMAT,
            held: held.clone(),
        });
        let change = Change {
            position: *position + 1,
            messages: &[],
            attributes: &attributes,
        };
        let store = self.records.store()?;
        store.conversations().change(self.keeping.id, &change, now_ms)?;
        Ok(true)
    }

    /// The next piece of the answer.
    pub(crate) fn push(&self, text: &str) {
        let mut progress = lock(&self.progress);
        progress.text.push_str(text);
        progress.is_new = true;
    }

    /// The answer begins anew.
    pub(crate) fn restart(&self) {
        let mut progress = lock(&self.progress);
        progress.text.clear();
        progress.is_new = true;
    }

    /// Writes the answer again and again, until it is over.
    pub(crate) async fn write_as_it_comes(self: Arc<Draft>, services: Arc<Services>) {
        loop {
            tokio::time::sleep(DRAFT_EVERY).await;
            if lock(&self.progress).is_over {
                return;
            }
            let draft = self.clone();
            let written = services.blocking(move |_| draft.write());
            if let Ok(Err(error)) | Err(error) = written.await {
                log::warn!("an answer cannot be written while it comes: {error}");
                return;
            }
        }
    }

    fn write(&self) -> Result<(), ClientError> {
        let _writing = lock(&self.keeping.writing);
        let (position, answer) = {
            let mut progress = lock(&self.progress);
            let is_new = std::mem::take(&mut progress.is_new) && !progress.is_over;
            let Some((position, answer)) = progress.row.as_mut().filter(|_| is_new) else {
                return Ok(());
            };
            let (position, answer) = (*position, answer.clone());
            let text = progress.text.clone();
            (position, StoredMessage { text, ..answer })
        };
        let conversations = self.records.store()?.conversations();
        Ok(conversations.update_answer(self.keeping.id, position, &answer)?)
    }

    /// It is over. Returns the position of its question, if that was written.
    pub(crate) fn end(&self) -> Option<u32> {
        let mut progress = lock(&self.progress);
        progress.is_over = true;
        progress.row.as_ref().map(|(position, _)| position - 1)
    }
}

/// The first words of a text.
fn beginning(text: &str) -> String {
    let line = text.trim().lines().next().unwrap_or_default();
    match line.char_indices().nth(TITLE_CHARACTERS) {
        Some((end, _)) => format!("{}…", line[..end].trim_end()),
        None => line.to_owned(),
    }
}

fn stored(message: &Message, now_ms: u64) -> StoredMessage {
    StoredMessage {
        role: match message.role {
            Role::System => MessageRole::System,
            Role::User => MessageRole::User,
            Role::Assistant => MessageRole::Assistant,
        },
        text: message.content.clone(),
        attributes: to_json(&MessageAttributes {
            format: FORMAT,
            class: message.class,
            recipients: message.recipients.clone(),
        }),
        time_ms: now_ms,
        receipt: message.receipt,
        state: match message.interrupted {
            true => MessageState::Interrupted,
            false => MessageState::Complete,
        },
    }
}

fn message(stored: StoredMessage) -> Result<Message, ClientError> {
    let attributes = match stored.attributes.is_empty() {
        true => None,
        false => Some(parse::<MessageAttributes>(&stored.attributes)?),
    };
    let role = match stored.role {
        MessageRole::System => Role::System,
        MessageRole::User => Role::User,
        MessageRole::Assistant => Role::Assistant,
    };
    let (class, recipients) = attributes.map_or((None, None), |known| (known.class, known.recipients));
    Ok(Message {
        class,
        // We always say who may read it. A document that does not came from elsewhere.
        recipients: recipients.or_else(|| Some(Recipients::nobody())),
        receipt: stored.receipt,
        interrupted: stored.state != MessageState::Complete,
        ..Message::new(role, stored.text)
    })
}

fn parse<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T, ClientError> {
    serde_json::from_str(json).map_err(|_| {
        ClientError::Store(StoreError::Unreadable {
            what: "what is kept about a conversation".to_owned(),
        })
    })
}

fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("it has only texts as keys")
}

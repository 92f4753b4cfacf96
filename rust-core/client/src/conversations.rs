//! The conversations that are kept on this device: making, opening, finding, exporting and deleting them. Titles and texts are sealed; see
//! `docs/store.md`.

mod changes;
mod upkeep;

use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::sync::Arc;

use whimbrel_files::{Existing, NewFile, Readers};
use whimbrel_store::{
    ConversationId, ConversationSummary, Hit, Imported, NewConversation, Retention, Store, StoreError,
};

use crate::conversation::{Keeping, OwnStore, Shelf};
use crate::error::lock;
use crate::services::Services;
use crate::{Assistant, Client, ClientError, Conversation, ConversationOptions, Model, assistant, contexts, outbox};

pub use self::changes::ConversationChanges;
pub use self::upkeep::{recover, start_empty, wipe};

/// Conversations of a page of [`Conversations::find_title`].
const PAGE: u32 = 256;

/// The conversations of a store. Clones are handles of the same store.
#[derive(Clone)]
pub struct Conversations {
    pub(crate) services: Arc<Services>,
    pub(crate) shelf: Shelf,
    /// The model that answers where no policy decides.
    model: Option<Model>,
}

impl Assistant {
    /// The conversations that are kept beside the ledger.
    #[must_use]
    pub fn conversations(&self) -> Conversations {
        Conversations::of(&self.services)
    }
}

impl Client {
    /// Opens the conversations of a store without a policy. The model of [`Conversations::answered_by`] answers alone. Blocks on the disk.
    ///
    /// # Errors
    /// [`ClientError::Store`], also while an assistant has the store open.
    pub fn conversations(
        &self,
        store: &std::path::Path,
        vault: Arc<dyn whimbrel_store::KeyVault>,
    ) -> Result<Conversations, ClientError> {
        let store = Store::open(store, vault, self.services.clock.now_ms())?;
        contexts::forget_gone(&store)?;
        Ok(Conversations {
            services: self.services.clone(),
            shelf: Shelf::Own(Arc::new(OwnStore::new(store))),
            model: None,
        })
    }

    /// Like [`Client::conversations`], without blocking the caller: a separate thread waits for the disk.
    ///
    /// # Errors
    /// As [`Client::conversations`]; [`ClientError::Thread`].
    pub async fn conversations_aside(
        &self,
        store: PathBuf,
        vault: Arc<dyn whimbrel_store::KeyVault>,
    ) -> Result<Conversations, ClientError> {
        let client = self.clone();
        assistant::aside(move || client.conversations(&store, vault)).await
    }
}

impl Conversations {
    /// Those of the assistant.
    pub(crate) fn of(services: &Arc<Services>) -> Conversations {
        Conversations {
            services: services.clone(),
            shelf: Shelf::Assistant,
            model: None,
        }
    }
}

/// Every call fails with [`ClientError::Store`] if the store cannot be used, and with [`ClientError::Closed`] after its assistant was closed.
impl Conversations {
    /// The same conversations; this model alone answers in those that are opened from now on.
    #[must_use]
    pub fn answered_by(&self, model: &Model) -> Conversations {
        Conversations {
            model: Some(model.clone()),
            ..self.clone()
        }
    }

    /// Makes a conversation. An empty title is replaced by the beginning of the first question.
    ///
    /// # Errors
    /// Those of [`Model::conversation`], and those of all calls.
    pub async fn create(&self, title: &str, options: ConversationOptions) -> Result<Conversation, ClientError> {
        self.check(&options)?;
        let (title, has_title) = (title.to_owned(), !title.is_empty());
        let id = self.with(move |store, now_ms| {
            let new = NewConversation {
                title: &title,
                ..NewConversation::default()
            };
            store.conversations().create(&new, now_ms)
        });
        let id = id.await?;
        let keeping = Keeping::new(id, self.shelf.clone(), has_title);
        let conversation = Conversation::kept(&self.services, self.model.clone(), options, keeping, None);
        if let Some(Err(error)) = conversation.inner().try_write(None).await {
            // Nothing stays of one that cannot begin as it should.
            conversation.close();
            let _ = self.delete(id).await;
            return Err(error);
        }
        Ok(conversation)
    }

    /// Opens a conversation. One that is open already is the same one; its options stay as they are. A system message in the options
    /// replaces the conversation's.
    ///
    /// # Errors
    /// [`ClientError::Store`] if there is no such conversation; those of [`Model::conversation`], and those of all calls.
    pub async fn open(&self, id: ConversationId, options: ConversationOptions) -> Result<Conversation, ClientError> {
        self.check(&options)?;
        if let Some(open) = self.services.open_conversation(id) {
            return Ok(open);
        }
        let place = self.shelf.clone();
        let read = self.services.blocking(move |services| {
            let shelf = place.open(services)?;
            let summary = shelf.store()?.conversations().summary(id)?;
            let keeping = Keeping::new(id, place, !summary.title.is_empty());
            let history = keeping.read(shelf.store()?)?;
            Ok::<_, ClientError>((keeping, history))
        });
        let (keeping, mut history) = read.await??;
        let has_other_system = options.system.is_some() && history.system() != options.system.as_deref();
        if has_other_system {
            history.set_system(options.system.clone());
        }
        // The outbox may have opened it meanwhile, and be answering in it.
        let conversation = Conversation::kept(&self.services, self.model.clone(), options, keeping, Some(history));
        if has_other_system {
            conversation.note_changed();
        }
        Ok(conversation)
    }

    /// A page of the list: pinned conversations first, then those with the newest messages. The next page begins `after` the last one of
    /// this one.
    ///
    /// # Errors
    /// Those of all calls.
    pub async fn list(
        &self,
        after: Option<ConversationSummary>,
        conversations_max: u32,
    ) -> Result<Vec<ConversationSummary>, ClientError> {
        self.with(move |store, _| store.conversations().list(after.as_ref(), conversations_max))
            .await
    }

    /// The newest conversation with exactly this title.
    ///
    /// # Errors
    /// Those of all calls.
    pub async fn find_title(&self, title: &str) -> Result<Option<ConversationId>, ClientError> {
        let title = title.to_owned();
        self.with(move |store, _| {
            let mut last = None;
            loop {
                let page = store.conversations().list(last.as_ref(), PAGE)?;
                if let Some(found) = page.iter().find(|found| found.title == title) {
                    return Ok(Some(found.id));
                }
                match page.into_iter().next_back() {
                    Some(end) => last = Some(end),
                    None => return Ok(None),
                }
            }
        })
        .await
    }

    /// What a list shows of a conversation, and its messages with everything that is kept about them.
    ///
    /// # Errors
    /// Those of all calls, also for a conversation that is not there.
    pub async fn show(&self, id: ConversationId) -> Result<whimbrel_store::Conversation, ClientError> {
        self.with(move |store, _| store.conversations().get(id)).await
    }

    /// Changes the title.
    ///
    /// # Errors
    /// Those of all calls.
    pub async fn rename(&self, id: ConversationId, title: &str) -> Result<(), ClientError> {
        let title = title.to_owned();
        self.change(move |store, _| store.conversations().set_title(id, &title))
            .await
    }

    /// Puts a conversation before the others, or back among them.
    ///
    /// # Errors
    /// Those of all calls.
    pub async fn pin(&self, id: ConversationId, is_pinned: bool) -> Result<(), ClientError> {
        self.change(move |store, _| store.conversations().set_pinned(id, is_pinned))
            .await
    }

    /// Deletes a conversation with its queued questions. Nothing of it stays in a file. If it is open, it is closed.
    ///
    /// # Errors
    /// Those of all calls.
    pub async fn delete(&self, id: ConversationId) -> Result<(), ClientError> {
        if let Some(open) = self.services.open_conversation(id) {
            open.close();
            open.ended().await;
        }
        self.change_with_files(move |store| {
            contexts::forget(store, id)?;
            store.conversations().delete(id)
        })
        .await?;
        outbox::forget(&self.services).await;
        Ok(())
    }

    /// Deletes old conversations. Returns those that are gone.
    ///
    /// # Errors
    /// Those of all calls.
    pub async fn retain(&self, retention: Retention) -> Result<Vec<ConversationId>, ClientError> {
        let gone = self
            .change_with_files(move |store| {
                let gone = store.conversations().retain(&retention)?;
                gone.iter().try_for_each(|id| contexts::forget(store, *id))?;
                Ok(gone)
            })
            .await?;
        for id in &gone {
            if let Some(open) = self.services.open_conversation(*id) {
                open.close();
            }
        }
        outbox::forget(&self.services).await;
        Ok(gone)
    }

    /// Finds a text in all titles and messages, regardless of case: the newest hits, at most `hits_max`.
    ///
    /// # Errors
    /// Those of all calls.
    pub async fn search(&self, text: &str, hits_max: u32) -> Result<Vec<Hit>, ClientError> {
        let text = text.to_owned();
        self.with(move |store, _| store.conversations().find(&text, hits_max))
            .await
    }

    /// Writes conversations, those with these ids or all of them, as one JSON document to a new file, which only its owner can read. The
    /// document is not sealed.
    ///
    /// # Errors
    /// Those of all calls, also if the file already exists.
    pub async fn export(&self, path: PathBuf, ids: Option<Vec<ConversationId>>) -> Result<(), ClientError> {
        self.with(move |store, now_ms| {
            let failed = |source| StoreError::Io {
                path: path.clone(),
                source,
            };
            let file = NewFile::create(&path, Existing::Keep, Readers::Owner).map_err(failed)?;
            let mut buffered = BufWriter::new(file);
            store.conversations().export(&mut buffered, ids.as_deref(), now_ms)?;
            buffered.flush().map_err(failed)?;
            let file = buffered.into_inner().map_err(|error| failed(error.into_error()))?;
            file.commit().map_err(failed)
        })
        .await
    }

    /// Adds the conversations of a document that [`Conversations::export`] wrote, all of them or none. Those that are here already are left
    /// as they are.
    ///
    /// # Errors
    /// Those of all calls, also with what is wrong with the document.
    pub async fn import(&self, path: PathBuf) -> Result<Imported, ClientError> {
        self.change(move |store, _| {
            #[expect(clippy::disallowed_methods, reason = "the document is the app's file")]
            let opened = std::fs::File::open(&path);
            let mut file = opened.map_err(|source| StoreError::Io {
                path: path.clone(),
                source,
            })?;
            store.conversations().import(&mut file)
        })
        .await
    }

    fn check(&self, options: &ConversationOptions) -> Result<(), ClientError> {
        match &self.model {
            Some(model) => model.check(options),
            None if self.services.rules.is_none() => Err(ClientError::NoModel),
            None => options.check(),
        }
    }

    /// As [`Conversations::with`], for work that changes something.
    async fn change<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Store, u64) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, ClientError> {
        let done = self.with(work).await?;
        self.services.note_change();
        Ok(done)
    }

    /// As [`Conversations::change`], while no context is saved.
    async fn change_with_files<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, ClientError> {
        let shelf = self.shelf.clone();
        let done = self.services.blocking(move |services| {
            let records = shelf.open(services)?;
            let _files = lock(&services.contexts.files);
            Ok::<_, ClientError>(work(records.store()?)?)
        });
        let done = done.await??;
        self.services.note_change();
        Ok(done)
    }

    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Store, u64) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, ClientError> {
        let shelf = self.shelf.clone();
        let done = self.services.blocking(move |services| {
            let shelf = shelf.open(services)?;
            Ok::<_, ClientError>(work(shelf.store()?, services.clock.now_ms())?)
        });
        done.await?
    }
}

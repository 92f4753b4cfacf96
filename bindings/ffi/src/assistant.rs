//! The assistant and its conversations, as apps hold them. Every method is a line or two over the client; what is kept here besides lets
//! `release` reach the conversations and answers that came from it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use whimbrel_client as client;
use whimbrel_client::assistant as core;
use whimbrel_client::policy::PolicySet;
use whimbrel_client::store::ReceiptId;

use crate::adapters::{ForeignSystemModel, ForeignVault};
use crate::{
    AskOptions, AssistantEvent, ConversationOptions, CoreError, DeviceUpdate, EndpointExtras, Explanation,
    GenerationOptions, Host, KeyVault, LearningMode, LedgerReport, LedgerStats, Message, Model, PolicyDocument,
    Receipt, ReceiptFilter, RedactedText, Signal, SystemModel, logging, records,
};

/// What an assistant is opened with.
#[derive(uniffi::Record)]
pub struct AssistantOptions {
    /// The file of the ledger, which is made when it is not there. Its folder must exist.
    pub store: String,
    /// Where keys are kept. One vault belongs to one ledger.
    pub vault: Arc<dyn KeyVault>,
    /// The app's rules.
    pub app_policy: PolicyDocument,
    /// The user's rules, which can only tighten the app's.
    #[uniffi(default = None)]
    pub user_policy: Option<PolicyDocument>,
    /// Words to redact besides what is recognised.
    #[uniffi(default = [])]
    pub user_words: Vec<String>,
}

/// Takes questions, decides under rules where each is answered, redacts what may only leave redacted, and writes a receipt for
/// everything.
#[derive(uniffi::Object)]
pub struct Assistant {
    /// Taken out by `release`.
    inner: Mutex<Option<core::Assistant>>,
    conversations: Mutex<Vec<Weak<RoutedConversation>>>,
}

#[uniffi::export]
impl Assistant {
    /// Opens the ledger and reads the rules. Receipts that a process left open are closed as interrupted.
    #[uniffi::constructor]
    pub async fn open(options: AssistantOptions) -> Result<Arc<Assistant>, CoreError> {
        logging::install();
        let options = core::AssistantOptions {
            store: options.store.into(),
            vault: Arc::new(ForeignVault(options.vault)),
            policies: policies(options.app_policy, options.user_policy)?,
            user_words: options.user_words,
        };
        let opened = core::Assistant::open_aside(options).await?;
        Ok(Arc::new(Assistant {
            inner: Mutex::new(Some(opened)),
            conversations: Mutex::default(),
        }))
    }

    /// Starts a conversation.
    pub fn conversation(&self, options: ConversationOptions) -> Result<Arc<RoutedConversation>, CoreError> {
        let conversation = Arc::new(RoutedConversation {
            inner: Mutex::new(Some(self.inner()?.conversation(options.into()))),
            answer: Mutex::default(),
        });
        let mut conversations = lock(&self.conversations);
        conversations.retain(|known| known.strong_count() > 0);
        conversations.push(Arc::downgrade(&conversation));
        Ok(conversation)
    }

    /// The model of this device that answers from the next question on; nothing takes it away.
    pub fn set_model(&self, model: Option<Arc<Model>>) -> Result<(), CoreError> {
        self.inner()?.set_model(model.map(|model| model.handle()));
        Ok(())
    }

    /// The system's model, as the app reaches it; nothing takes it away.
    pub fn set_system_model(&self, model: Option<Arc<dyn SystemModel>>) -> Result<(), CoreError> {
        let model = model.map(|model| Arc::new(ForeignSystemModel(model)) as Arc<dyn core::SystemModel>);
        self.inner()?.set_system_model(model);
        Ok(())
    }

    /// Tells the system's model, if there is one, that a question may come soon.
    pub fn prewarm_system_model(&self) -> Result<(), CoreError> {
        self.inner()?.prewarm_system_model();
        Ok(())
    }

    /// Takes in what the app knows about the device now.
    pub fn update_device(&self, update: DeviceUpdate) -> Result<(), CoreError> {
        self.inner()?.update_device(&update.into());
        Ok(())
    }

    /// Puts other rules in force, from the next question on. After an error the rules are as they were.
    pub fn set_policies(&self, app: PolicyDocument, user: Option<PolicyDocument>) -> Result<(), CoreError> {
        let user = user.map(PolicyDocument::read).transpose()?;
        Ok(self.inner()?.set_policies(app.read()?, user)?)
    }

    /// Puts other rules of the user's in force, which can only tighten the app's. After an error the rules are as they were.
    pub fn set_user_policy(&self, user: Option<PolicyDocument>) -> Result<(), CoreError> {
        let user = user.map(PolicyDocument::read).transpose()?;
        Ok(self.inner()?.set_user_policy(user)?)
    }

    /// Words to redact besides what is recognised, from the next question on.
    pub fn set_user_words(&self, words: Vec<String>) -> Result<(), CoreError> {
        Ok(self.inner()?.set_user_words(words)?)
    }

    /// What the app knows about an endpoint of the policy besides what stands there.
    pub fn set_endpoint(&self, endpoint_id: String, extras: EndpointExtras) -> Result<(), CoreError> {
        Ok(self.inner()?.set_endpoint(&endpoint_id, extras.into())?)
    }

    /// Keeps the key of an endpoint in the vault, or forgets it.
    pub async fn set_key(&self, endpoint_id: String, key: Option<String>) -> Result<(), CoreError> {
        Ok(self.inner()?.set_key(&endpoint_id, key).await?)
    }

    /// Takes in what the user thought of an answer: it is kept beside the receipt, and the choice of places learns from it.
    pub async fn feedback(&self, receipt: u64, signal: Signal) -> Result<(), CoreError> {
        Ok(self.inner()?.feedback(ReceiptId(receipt), signal.into()).await?)
    }

    /// Whether feedback is learned from and used.
    pub fn learning(&self) -> Result<LearningMode, CoreError> {
        Ok(self.inner()?.learning().into())
    }

    /// Switches learning on, freezes it, or switches it off.
    pub async fn set_learning(&self, mode: LearningMode) -> Result<(), CoreError> {
        Ok(self.inner()?.set_learning(mode.into()).await?)
    }

    /// Forgets everything that was learned.
    pub async fn reset_learning(&self) -> Result<(), CoreError> {
        Ok(self.inner()?.reset_learning().await?)
    }

    /// A text with its findings replaced, and the findings: what an endpoint would get that may only get redacted text.
    pub async fn redact(&self, text: String) -> Result<RedactedText, CoreError> {
        Ok(self.inner()?.redact(&text).await?.into())
    }

    /// A page of receipts, the newest first; at most 1,000.
    pub async fn receipts(&self, filter: ReceiptFilter, receipts_max: u32) -> Result<Vec<Receipt>, CoreError> {
        let receipts = self.inner()?.receipts(filter.into(), receipts_max).await?;
        Ok(receipts.iter().map(Into::into).collect())
    }

    /// One receipt.
    pub async fn receipt(&self, id: u64) -> Result<Receipt, CoreError> {
        Ok((&self.inner()?.receipt(ReceiptId(id)).await?).into())
    }

    /// Looks whether the ledger is as it was written. What is wrong with it is in the report.
    pub async fn verify_ledger(&self) -> Result<LedgerReport, CoreError> {
        Ok((&self.inner()?.verify_ledger().await?).into())
    }

    /// Writes the ledger to a new file, which only its owner can read, as lines of JSON that `whimbrel ledger verify` checks.
    pub async fn export_ledger(&self, path: String) -> Result<(), CoreError> {
        Ok(self.inner()?.export_ledger(path.into()).await?)
    }

    /// What the receipts between two times come to, in milliseconds since 1970; all of them without limits.
    pub async fn stats(
        &self,
        from_ms: Option<u64>,
        until_ms: Option<u64>,
        host: Host,
    ) -> Result<LedgerStats, CoreError> {
        let stats = self.inner()?.stats(from_ms, until_ms).await?;
        Ok(LedgerStats::new(&stats, host))
    }

    /// Cancels its answers and closes it with its conversations. Returns at once; safe to call again.
    pub fn release(&self) {
        drop(self.taken());
    }

    /// Like `release`, and waits until the ledger is closed and may be opened again. Safe to call again.
    pub async fn shutdown(&self) {
        if let Some(inner) = self.taken() {
            inner.shutdown().await;
        }
    }
}

impl Assistant {
    fn inner(&self) -> Result<core::Assistant, CoreError> {
        lock(&self.inner).clone().ok_or_else(|| closed("assistant"))
    }

    fn taken(&self) -> Option<core::Assistant> {
        let taken = lock(&self.inner).take();
        for conversation in lock(&self.conversations).drain(..) {
            if let Some(conversation) = conversation.upgrade() {
                conversation.release();
            }
        }
        taken
    }
}

/// A conversation that may be answered in several places. It answers one question at a time.
#[derive(uniffi::Object)]
pub struct RoutedConversation {
    /// Taken out by `release`.
    inner: Mutex<Option<core::RoutedConversation>>,
    /// The last answer that was begun.
    answer: Mutex<Weak<core::RoutedAnswer>>,
}

#[uniffi::export]
impl RoutedConversation {
    /// Asks a question. Where it is answered, and whether at all, the last event says.
    pub fn ask(&self, question: String, options: AskOptions) -> Result<Arc<RoutedAnswer>, CoreError> {
        self.begun(|inner| inner.ask(&question, options.into()))
    }

    /// Takes the last answer back and asks its question again. That counts as a sign that the answer was not liked.
    pub fn regenerate(&self, generation: GenerationOptions) -> Result<Arc<RoutedAnswer>, CoreError> {
        self.begun(|inner| inner.regenerate(generation.into()))
    }

    /// Takes the last answer back and asks its question elsewhere, as far as the rules allow it now.
    pub fn escalate(&self) -> Result<Arc<RoutedAnswer>, CoreError> {
        self.begun(core::RoutedConversation::escalate)
    }

    /// What would be decided about a question now. Nothing is asked, and no receipt is written.
    pub async fn explain(&self, question: String, options: AskOptions) -> Result<Explanation, CoreError> {
        let inner = self.inner()?;
        Ok((&inner.explain(&question, &options.into()).await?).into())
    }

    /// The messages so far, without the system message.
    pub fn messages(&self) -> Result<Vec<Message>, CoreError> {
        Ok(records::messages_out(self.inner()?.messages()))
    }

    /// Replaces the messages: an earlier conversation goes on.
    pub fn set_messages(&self, messages: Vec<Message>) -> Result<(), CoreError> {
        Ok(self.inner()?.set_messages(records::messages_in(messages))?)
    }

    /// Cancels the answer in the making and closes the conversation. Returns at once; safe to call again.
    pub fn release(&self) {
        drop(lock(&self.inner).take());
        if let Some(answer) = lock(&self.answer).upgrade() {
            answer.cancel();
        }
    }
}

impl RoutedConversation {
    fn inner(&self) -> Result<core::RoutedConversation, CoreError> {
        lock(&self.inner).clone().ok_or_else(|| closed("conversation"))
    }

    /// Begins an answer under the lock, so that `release` sees either no conversation or the answer.
    fn begun(
        &self,
        begin: impl FnOnce(&core::RoutedConversation) -> Result<core::RoutedAnswer, core::AssistantError>,
    ) -> Result<Arc<RoutedAnswer>, CoreError> {
        let inner = lock(&self.inner);
        let answer = Arc::new(begin(inner.as_ref().ok_or_else(|| closed("conversation"))?)?);
        *lock(&self.answer) = Arc::downgrade(&answer);
        Ok(Arc::new(RoutedAnswer(answer)))
    }
}

/// An answer in the making. It pauses while its reader is far behind, and is cancelled when nobody holds it any more.
#[derive(uniffi::Object)]
pub struct RoutedAnswer(Arc<core::RoutedAnswer>);

#[uniffi::export]
impl RoutedAnswer {
    /// Waits until at least one event is there and returns all that are, at most `max`. An empty list is the end.
    pub async fn next(&self, max: u32) -> Result<Vec<AssistantEvent>, CoreError> {
        let events = self.0.next(max).await?;
        Ok(events.into_iter().map(Into::into).collect())
    }

    /// Stops the answer. The last event, with the report, still comes. Safe to call again, and after the end.
    pub fn cancel(&self) {
        self.0.cancel();
    }
}

fn policies(app: PolicyDocument, user: Option<PolicyDocument>) -> Result<PolicySet, CoreError> {
    let user = user.map(PolicyDocument::read).transpose()?;
    Ok(PolicySet::new(app.read()?, user).map_err(core::AssistantError::from)?)
}

fn closed(what: &'static str) -> CoreError {
    client::ClientError::Closed { what }.into()
}

/// Nothing panics while it holds one of these locks.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

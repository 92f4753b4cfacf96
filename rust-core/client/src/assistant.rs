//! The assistant: one object that takes an app's questions and decides, under rules that people can read, where each is answered; that
//! redacts what may only leave redacted, and writes a receipt for everything. The models of this device are a [`crate::Client`]'s.

mod attempt;
mod conversation;
mod core;
mod dispatch;
mod error;
mod held_vault;
mod receipts;
mod request;
mod system_model;

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::BufWriter;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use serde::Serialize;
use tokio::runtime::Builder;
use tokio::sync::{oneshot, watch};
use whimbrel_policy::{DeviceState, DeviceUpdate, Feedback, LearningMode, Policy, PolicySet};
use whimbrel_privacy::{Redacted, Scanner, ScannerOptions};
use whimbrel_store::{
    Filter, KeyVault, Ledger, Receipt, ReceiptId, Report as LedgerReport, Signal, Stats, Store, StoreError,
};

pub use self::conversation::{RoutedAnswer, RoutedConversation};
use self::core::{Core, endpoint_with, lock, now_ms};
pub use self::core::{EndpointExtras, key_name};
pub use self::error::AssistantError;
use self::held_vault::HeldVault;
pub use self::request::{AskOptions, AssistantEvent, Report, TASK_DEFAULT};
pub use self::system_model::{
    SYSTEM_ANSWER_BYTES_MAX, SystemAnswer, SystemCapabilities, SystemModel, SystemModelError, SystemRequest,
};
use crate::{ConversationOptions, ModelHandle};

/// What an assistant is opened with.
pub struct AssistantOptions {
    /// The database with the ledger; its folder must exist.
    pub store: PathBuf,
    /// Where keys are kept.
    pub vault: Arc<dyn KeyVault>,
    /// The rules.
    pub policies: PolicySet,
    /// Words to redact besides what is recognised.
    pub user_words: Vec<String>,
}

/// See the module. Clones are the same assistant; requests under way keep it open.
#[derive(Clone)]
pub struct Assistant {
    core: Arc<Core>,
    /// Ends when nothing holds the ledger any more.
    gone: watch::Receiver<()>,
}

impl Assistant {
    /// Opens the ledger and starts the thread on which requests are looked after. Receipts that a process left open are closed as
    /// interrupted. Waits for the disk.
    ///
    /// # Errors
    /// [`AssistantError::Store`] when the ledger is damaged, in use or was tampered with, [`AssistantError::Words`],
    /// [`AssistantError::Endpoint`] for an endpoint that cannot be asked, [`AssistantError::Thread`].
    pub fn open(options: AssistantOptions) -> Result<Assistant, AssistantError> {
        let scanner = scanner(options.user_words)?;
        check_endpoints(options.policies.app(), &BTreeMap::new())?;
        let (vault, gone) = HeldVault::holding(options.vault);
        let store = Store::open(&options.store, vault.clone(), now_ms())?;
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("whimbrel-requests")
            .enable_all()
            .build()
            .map_err(AssistantError::Thread)?;
        let core = Arc::new(Core::new(runtime, store, vault, scanner, options.policies)?);
        Ok(Assistant { core, gone })
    }

    /// As [`Assistant::open`], without holding up the caller: a thread of its own waits for the disk.
    ///
    /// # Errors
    /// As [`Assistant::open`].
    pub async fn open_aside(options: AssistantOptions) -> Result<Assistant, AssistantError> {
        let (sender, opened) = oneshot::channel();
        let open = move || {
            // Nobody may be waiting any more; the assistant is then closed again.
            let _ = sender.send(Assistant::open(options));
        };
        let builder = thread::Builder::new().name("whimbrel-open".into());
        builder.spawn(open).map_err(AssistantError::Thread)?;
        opened.await.map_err(|_| AssistantError::Closed)?
    }

    /// Lets go of this handle and waits until nothing holds the ledger any more: other handles, conversations and requests under way do.
    /// Then it may be opened again.
    pub async fn shutdown(self) {
        let mut gone = self.gone.clone();
        drop(self);
        // Nothing is ever sent: the sender goes with the core.
        while gone.changed().await.is_ok() {}
    }

    /// Starts a conversation.
    #[must_use]
    pub fn conversation(&self, options: ConversationOptions) -> RoutedConversation {
        RoutedConversation::new(self.core.clone(), options)
    }

    /// The model of this device that answers from the next question on; `None` takes it away.
    pub fn set_model(&self, model: Option<ModelHandle>) {
        *lock(&self.core.model) = model;
    }

    /// The system's model, as the app reaches it; `None` takes it away.
    pub fn set_system_model(&self, system: Option<Arc<dyn SystemModel>>) {
        *lock(&self.core.system) = system;
    }

    /// Tells the system's model, if there is one, that a question may come soon. Whether it gets ready, nothing depends on.
    pub fn prewarm_system_model(&self) {
        if let Some(system) = lock(&self.core.system).clone() {
            self.core.handle().spawn_blocking(move || system.prewarm().is_ok());
        }
    }

    /// Takes in what the app knows about the device now.
    pub fn update_device(&self, update: &DeviceUpdate) {
        let mut device = lock(&self.core.device);
        device.apply(update, now_ms());
        let Some(network) = device.network.value().copied() else {
            return;
        };
        // An app that does not know for a moment has not changed its network.
        let before = lock(&self.core.network).replace(network);
        if before.is_some_and(|before| before != network) {
            // Connections over the old one may lead nowhere.
            self.core.remote.network_changed();
        }
    }

    /// What is known about the device.
    #[must_use]
    pub fn device(&self) -> DeviceState {
        lock(&self.core.device).clone()
    }

    /// The rules in force.
    #[must_use]
    pub fn policies(&self) -> Arc<PolicySet> {
        lock(&self.core.policies).clone()
    }

    /// Puts other rules in force, for the next question on.
    ///
    /// # Errors
    /// [`AssistantError::Policy`], [`AssistantError::Endpoint`]; the rules are then as they were.
    pub fn set_policies(&self, app: Policy, user: Option<Policy>) -> Result<(), AssistantError> {
        self.replace_policies(|_| (app, user))
    }

    /// Puts other rules of the app's in force; the user's stay.
    ///
    /// # Errors
    /// As [`Assistant::set_policies`], also when the user's rules name an endpoint that the app's no longer have.
    pub fn set_app_policy(&self, app: Policy) -> Result<(), AssistantError> {
        self.replace_policies(|now| (app, now.user().cloned()))
    }

    /// Puts other rules of the user's in force; they can only tighten the app's.
    ///
    /// # Errors
    /// [`AssistantError::Policy`]; the rules are then as they were.
    pub fn set_user_policy(&self, user: Option<Policy>) -> Result<(), AssistantError> {
        self.replace_policies(|now| (now.app().clone(), user))
    }

    /// Under one lock, so that nobody's rules are lost.
    fn replace_policies(
        &self,
        change: impl FnOnce(&PolicySet) -> (Policy, Option<Policy>),
    ) -> Result<(), AssistantError> {
        let mut policies = lock(&self.core.policies);
        let (app, user) = change(&policies);
        check_endpoints(&app, &lock(&self.core.extras))?;
        *policies = Arc::new(PolicySet::new(app, user)?);
        Ok(())
    }

    /// Words to redact besides what is recognised, from the next question on.
    ///
    /// # Errors
    /// [`AssistantError::Words`].
    pub fn set_user_words(&self, words: Vec<String>) -> Result<(), AssistantError> {
        *lock(&self.core.scanner) = scanner(words)?;
        Ok(())
    }

    /// What the app knows about an endpoint of the policy besides what stands there.
    ///
    /// # Errors
    /// [`AssistantError::UnknownEndpoint`] when no endpoint of the policy in force has this id, [`AssistantError::Endpoint`]; what was
    /// known before still holds.
    pub fn set_endpoint(&self, id: &str, extras: EndpointExtras) -> Result<(), AssistantError> {
        let policies = self.policies();
        let known = policies.app().endpoints().iter().find(|endpoint| *endpoint.id == *id);
        let endpoint = known.ok_or_else(|| AssistantError::UnknownEndpoint { id: id.to_owned() })?;
        endpoint_with(endpoint, extras.clone())?;
        lock(&self.core.extras).insert(id.to_owned(), extras);
        Ok(())
    }

    /// Keeps the key of an endpoint in the vault, or forgets it.
    ///
    /// # Errors
    /// [`AssistantError::Key`], [`AssistantError::Vault`].
    pub async fn set_key(&self, endpoint_id: &str, key: Option<String>) -> Result<(), AssistantError> {
        let id = endpoint_id.to_owned();
        self.core.blocking(move |core| core.set_key(&id, key)).await?
    }

    /// Takes in what the user thought of an answer: it is kept beside the receipt, and the router learns from it.
    ///
    /// # Errors
    /// [`AssistantError::Store`], for example when there is no such receipt.
    pub async fn feedback(&self, receipt: ReceiptId, signal: Signal) -> Result<(), AssistantError> {
        let core = self.core.clone();
        self.core
            .blocking(move |_| learn(&core, receipt, signal, meaning(signal)))
            .await?
    }

    /// Whether feedback is learned from and used.
    #[must_use]
    pub fn learning(&self) -> LearningMode {
        lock(&self.core.learned).mode()
    }

    /// Switches learning on, freezes it, or switches it off.
    ///
    /// # Errors
    /// [`AssistantError::Store`] when that cannot be kept; it holds until the process ends.
    pub async fn set_learning(&self, mode: LearningMode) -> Result<(), AssistantError> {
        lock(&self.core.learned).set_mode(mode);
        self.core.blocking(Core::keep_learned).await?
    }

    /// Forgets everything that was learned.
    ///
    /// # Errors
    /// As [`Assistant::set_learning`].
    pub async fn reset_learning(&self) -> Result<(), AssistantError> {
        lock(&self.core.learned).reset();
        self.core.blocking(Core::keep_learned).await?
    }

    /// A text with its findings replaced, and the findings: what an endpoint would get that may only get redacted text.
    ///
    /// # Errors
    /// [`AssistantError::Scan`] for a text that is too long, or does not settle.
    pub async fn redact(&self, text: &str) -> Result<Redacted, AssistantError> {
        let text = text.to_owned();
        let redacted = self.core.blocking(move |core| {
            let scanner = lock(&core.scanner).clone();
            whimbrel_privacy::redact(&text, &scanner)
        });
        Ok(redacted.await??)
    }

    /// A page of receipts, the newest first.
    ///
    /// # Errors
    /// [`AssistantError::Store`].
    pub async fn receipts(&self, filter: Filter, receipts_max: u32) -> Result<Vec<Receipt>, AssistantError> {
        self.ledger(move |ledger| ledger.list(&filter, receipts_max)).await
    }

    /// One receipt.
    ///
    /// # Errors
    /// [`AssistantError::Store`], also when there is none of this number, or it was pruned.
    pub async fn receipt(&self, id: ReceiptId) -> Result<Receipt, AssistantError> {
        self.ledger(move |ledger| ledger.show(id)).await
    }

    /// Looks whether the ledger is as it was written.
    ///
    /// # Errors
    /// [`AssistantError::Store`] when it cannot be read; what is wrong with it is in the report.
    pub async fn verify_ledger(&self) -> Result<LedgerReport, AssistantError> {
        self.ledger(|ledger| ledger.verify()).await
    }

    /// What the receipts between two times come to, in milliseconds since 1970; all of them without limits.
    ///
    /// # Errors
    /// [`AssistantError::Store`].
    pub async fn stats(&self, from_ms: Option<u64>, until_ms: Option<u64>) -> Result<Stats, AssistantError> {
        self.ledger(move |ledger| ledger.stats(from_ms, until_ms)).await
    }

    /// Limits the ledger's file to so many pages of 4 KiB, or as many as it has already; when it is full, nothing is asked any more.
    ///
    /// # Errors
    /// [`AssistantError::Store`].
    pub fn limit_store_pages(&self, pages_max: u32) -> Result<(), AssistantError> {
        Ok(self.core.store.limit_pages(pages_max)?)
    }

    /// Writes the ledger to a new file, which only its owner can read, as lines of JSON that [`whimbrel_store::verify_export`] checks.
    ///
    /// # Errors
    /// [`AssistantError::Store`], also when there is such a file already.
    pub async fn export_ledger(&self, path: PathBuf) -> Result<(), AssistantError> {
        self.ledger(move |ledger| {
            let mut create = OpenOptions::new();
            create.write(true).create_new(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut create, 0o600);
            let file = create.open(&path).map_err(|source| StoreError::Io { path, source })?;
            ledger.export(&mut BufWriter::new(file), now_ms())
        })
        .await
    }

    async fn ledger<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Ledger) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, AssistantError> {
        Ok(self.core.blocking(move |core| read(&core.store.ledger())).await??)
    }
}

/// A report, a receipt or a decision as JSON.
///
/// # Panics
/// For values that are no JSON; those of this crate are.
#[must_use]
pub fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("names and numbers are JSON")
}

fn scanner(user_words: Vec<String>) -> Result<Scanner, AssistantError> {
    Ok(Scanner::new(ScannerOptions {
        user_words,
        ..ScannerOptions::default()
    })?)
}

/// Every endpoint of a policy must be one that the network takes, before a question depends on it.
fn check_endpoints(policy: &Policy, extras: &BTreeMap<String, EndpointExtras>) -> Result<(), AssistantError> {
    policy.endpoints().iter().try_for_each(|endpoint| {
        let extras = extras.get(&*endpoint.id).cloned().unwrap_or_default();
        endpoint_with(endpoint, extras).map(drop)
    })
}

/// Keeps a sign about a receipt, and learns from it for the place that answered. Blocks.
fn learn(core: &Core, receipt: ReceiptId, signal: Signal, feedback: Feedback) -> Result<(), AssistantError> {
    let ledger = core.store.ledger();
    ledger.feedback(receipt, signal, now_ms())?;
    let receipt = ledger.show(receipt)?;
    let attempt = receipt.closing.as_ref().and_then(|closing| closing.attempts.last());
    if let Some(attempt) = attempt {
        let candidate = receipts::candidate_name(&attempt.place, attempt.sent);
        lock(&core.learned).record(receipt.intent.task.as_str(), &candidate, feedback, now_ms());
        core.keep_learned()?;
    }
    Ok(())
}

fn meaning(signal: Signal) -> Feedback {
    match signal {
        Signal::ThumbsUp => Feedback::ThumbsUp,
        Signal::ThumbsDown => Feedback::ThumbsDown,
        Signal::Regenerated => Feedback::Regenerated,
        Signal::Aborted => Feedback::Aborted,
        Signal::Kept { edited_permille } => Feedback::Kept {
            ratio: 1.0 - edited_permille.min(1000) as f32 / 1e3,
        },
        Signal::SchemaFailed => Feedback::FailedSchema,
    }
}

/// A new request's id: sixteen random bytes in hexadecimal digits.
fn request_id() -> Result<String, AssistantError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|_| AssistantError::NoRandomness)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

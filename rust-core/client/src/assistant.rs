//! The assistant: one object that takes an app's questions and decides, under rules that people can read, where each is answered; that
//! redacts what may only leave redacted, and writes a receipt for everything. The models of this device are a [`crate::Client`]'s.

mod ledger;

use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use tokio::sync::{oneshot, watch};
use whimbrel_policy::{DeviceState, DeviceUpdate, LearningMode, Policy, PolicySet};
use whimbrel_privacy::Redacted;
use whimbrel_record::{ReceiptId, Signal};
use whimbrel_store::{KeyVault, Store};

use crate::places::Places;
use crate::places::system_model::SystemModel;
use crate::ports::{Ports, Records};
use crate::request::Request;
use crate::rules::{EndpointExtras, Rules, RulesSnapshot};
use crate::services::{Services, runtime};
use crate::{Answer, ClientError, Conversation, ConversationOptions, Model, keys};

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

/// See the module. Clones are the same assistant.
#[derive(Clone)]
pub struct Assistant {
    services: Arc<Services>,
    vault: Arc<dyn KeyVault>,
    /// Ends when nothing holds the ledger any more.
    gone: watch::Receiver<()>,
}

impl Assistant {
    /// Opens the ledger and starts the thread on which requests are looked after. Receipts that a process left open are closed as
    /// interrupted. Waits for the disk.
    ///
    /// # Errors
    /// [`ClientError::Store`] when the ledger is damaged, in use, foreign to the vault or was tampered with, [`ClientError::Words`],
    /// [`ClientError::Endpoint`] for an endpoint that cannot be asked, [`ClientError::Thread`].
    pub fn open(options: AssistantOptions) -> Result<Assistant, ClientError> {
        Assistant::open_with(options, Ports::default())
    }

    /// As [`Assistant::open`], with a clock, randomness, a ledger and places of the caller's: for tests and simulators.
    ///
    /// # Errors
    /// As [`Assistant::open`].
    pub fn open_with(options: AssistantOptions, ports: Ports) -> Result<Assistant, ClientError> {
        let (records, store): (Arc<dyn Records>, _) = match ports.records {
            Some(records) => (records, None),
            None => {
                let store = Store::open(&options.store, options.vault.clone(), ports.clock.now_ms())?;
                (Arc::new(store.clone()), Some(store))
            }
        };
        let rules = Rules::new(options.policies, options.user_words, &*records)?;
        let runtime = runtime()?;
        let places = Places::new(runtime.handle().clone(), Some(options.vault.clone()), ports.backends);
        let ports = (ports.clock, ports.randomness);
        let (services, gone) = Services::new(runtime, ports, Some(rules), places, Some((records, store)));
        Ok(Assistant {
            services: Arc::new(services),
            vault: options.vault,
            gone,
        })
    }

    /// As [`Assistant::open`], without holding up the caller: a thread of its own waits for the disk.
    ///
    /// # Errors
    /// As [`Assistant::open`].
    pub async fn open_aside(options: AssistantOptions) -> Result<Assistant, ClientError> {
        aside(|| Assistant::open(options)).await
    }

    /// Cancels every answer and lets go of the ledger once they have ended. Returns at once; whatever uses the assistant afterwards gets
    /// [`ClientError::Closed`]. May be called again.
    pub fn close(&self) {
        self.services.close();
    }

    /// As [`Assistant::close`], and waits until the ledger is closed and may be opened again.
    pub async fn shutdown(&self) {
        self.close();
        let mut gone = self.gone.clone();
        // Nothing is ever sent: it ends with the ledger.
        while gone.changed().await.is_ok() {}
    }

    /// Starts a conversation.
    #[must_use]
    pub fn conversation(&self, options: ConversationOptions) -> Conversation {
        Conversation::new(self.services.clone(), None, options)
    }

    /// Answers a request that is no conversation's: one that was written down, or came from another process.
    ///
    /// # Errors
    /// [`ClientError::Limit`], [`ClientError::Engine`] for an option out of its range, [`ClientError::Closed`].
    pub fn answer(&self, request: Request) -> Result<Answer, ClientError> {
        Conversation::answer(&self.services, request)
    }

    /// The model of this device that answers from the next question on; `None` takes it away.
    pub fn set_model(&self, model: Option<Model>) {
        self.services.places.set_model(model);
    }

    /// The system's model, as the app reaches it; `None` takes it away.
    pub fn set_system_model(&self, system: Option<Arc<dyn SystemModel>>) {
        self.services.places.set_system_model(system);
    }

    /// Tells the system's model, if there is one, that a question may come soon. Best effort: answers work whether or not it warms up.
    pub fn prewarm_system_model(&self) {
        self.services.places.prewarm_system_model();
    }

    /// Takes in what the app knows about the device now.
    pub fn update_device(&self, update: &DeviceUpdate) {
        if self.rules().update_device(update, self.services.clock.now_ms()) {
            // Connections over the old network may lead nowhere.
            self.services.places.chat.network_changed();
        }
    }

    /// What is known about the device.
    #[must_use]
    pub fn device(&self) -> DeviceState {
        self.snapshot().device
    }

    /// The rules in force.
    #[must_use]
    pub fn policies(&self) -> Arc<PolicySet> {
        self.snapshot().policies
    }

    /// Puts other rules in force, for the next question on.
    ///
    /// # Errors
    /// [`ClientError::Policy`], [`ClientError::Endpoint`]; the rules are then as they were.
    pub fn set_policies(&self, app: Policy, user: Option<Policy>) -> Result<(), ClientError> {
        self.rules().replace_policies(|_| (app, user))
    }

    /// Puts other rules of the app's in force; the user's stay.
    ///
    /// # Errors
    /// As [`Assistant::set_policies`], also when the user's rules name an endpoint that the app's no longer have.
    pub fn set_app_policy(&self, app: Policy) -> Result<(), ClientError> {
        self.rules().replace_policies(|now| (app, now.user().cloned()))
    }

    /// Puts other rules of the user's in force; they can only tighten the app's.
    ///
    /// # Errors
    /// [`ClientError::Policy`]; the rules are then as they were.
    pub fn set_user_policy(&self, user: Option<Policy>) -> Result<(), ClientError> {
        self.rules().replace_policies(|now| (now.app().clone(), user))
    }

    /// Words to redact besides what is recognised, from the next question on.
    ///
    /// # Errors
    /// [`ClientError::Words`].
    pub fn set_user_words(&self, words: Vec<String>) -> Result<(), ClientError> {
        self.rules().set_user_words(words)
    }

    /// Settings of an endpoint that the app knows and the policy does not have.
    ///
    /// # Errors
    /// [`ClientError::UnknownEndpoint`] when no endpoint of the policy in force has this id, [`ClientError::Endpoint`]; what was
    /// known before still holds.
    pub fn set_endpoint(&self, id: &str, extras: EndpointExtras) -> Result<(), ClientError> {
        self.rules().set_endpoint(id, extras)
    }

    /// Keeps the key of an endpoint in the vault, or forgets it. A key can be forgotten whose endpoint the policy no longer has.
    ///
    /// # Errors
    /// [`ClientError::UnknownEndpoint`] for a key of an endpoint that the policy in force does not have, [`ClientError::Key`], [`ClientError::Vault`].
    pub async fn set_key(&self, endpoint_id: &str, key: Option<String>) -> Result<(), ClientError> {
        if key.is_some() && self.policies().app().endpoint(endpoint_id).is_none() {
            return Err(ClientError::UnknownEndpoint {
                id: endpoint_id.to_owned(),
            });
        }
        let (id, vault) = (endpoint_id.to_owned(), self.vault.clone());
        self.services.blocking(move |_| keys::write(&*vault, &id, key)).await?
    }

    /// Takes in what the user thought of an answer: it is kept beside the receipt, and the router learns from it.
    ///
    /// # Errors
    /// [`ClientError::Store`], for example when there is no such receipt.
    pub async fn feedback(&self, receipt: ReceiptId, signal: Signal) -> Result<(), ClientError> {
        let records = self.services.records()?;
        let learned = self
            .services
            .blocking(move |services| services.learn(receipt, signal, &**records));
        learned.await?
    }

    /// Whether feedback is learned from and used.
    #[must_use]
    pub fn learning(&self) -> LearningMode {
        self.snapshot().learned.mode()
    }

    /// Switches learning on, freezes it, or switches it off.
    ///
    /// # Errors
    /// [`ClientError::Store`] when that cannot be kept; it holds until the process ends.
    pub async fn set_learning(&self, mode: LearningMode) -> Result<(), ClientError> {
        self.with_rules(move |rules, records| rules.set_learning(mode, records))
            .await
    }

    /// Forgets everything that was learned.
    ///
    /// # Errors
    /// As [`Assistant::set_learning`].
    pub async fn reset_learning(&self) -> Result<(), ClientError> {
        self.with_rules(Rules::reset_learning).await
    }

    /// A text with its findings replaced, and the findings: what an endpoint would get that may only get redacted text.
    ///
    /// # Errors
    /// [`ClientError::Redact`] for a text that is too long, or does not settle.
    pub async fn redact(&self, text: &str) -> Result<Redacted, ClientError> {
        let (text, scanner) = (text.to_owned(), self.snapshot().scanner);
        let redacted = self
            .services
            .blocking(move |_| whimbrel_privacy::redact(&text, &scanner));
        Ok(redacted.await??)
    }

    fn rules(&self) -> &Rules {
        self.services.rules().expect("an assistant has rules")
    }

    fn snapshot(&self) -> RulesSnapshot {
        self.rules().snapshot(self.services.clock.now_ms())
    }

    async fn with_rules(
        &self,
        change: impl FnOnce(&Rules, &dyn Records) -> Result<(), ClientError> + Send + 'static,
    ) -> Result<(), ClientError> {
        let records = self.services.records()?;
        let changed = self
            .services
            .blocking(move |services| change(services.rules()?, &**records));
        changed.await?
    }
}

/// Does something that waits for the disk on a thread of its own.
async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ClientError> + Send + 'static,
) -> Result<T, ClientError> {
    let (sender, done) = oneshot::channel();
    let work = move || {
        // Nobody may be waiting any more; what was opened is then closed again.
        let _ = sender.send(work());
    };
    let builder = thread::Builder::new().name("whimbrel-open".into());
    builder.spawn(work).map_err(ClientError::Thread)?;
    done.await.map_err(|_| ClientError::Stopped)?
}

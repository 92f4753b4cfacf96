//! The assistant: one object that takes an app's questions, decides under a policy where each one is answered, redacts text that may only
//! leave redacted, and writes a receipt for every request. The models on this device belong to a [`crate::Client`].

mod ledger;

use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use tokio::sync::{oneshot, watch};
use whimbrel_policy::{DeviceState, DeviceUpdate, LearningMode, Policy, PolicySet};
use whimbrel_privacy::Redacted;
use whimbrel_record::{ReceiptId, Signal};
use whimbrel_store::{KeyVault, Store};
use whimbrel_telemetry::{Ended, ended};

use crate::places::Places;
use crate::places::system_model::SystemModel;
use crate::ports::{Ports, Records};
use crate::request::Request;
use crate::rules::{EndpointExtras, Rules, RulesSnapshot};
use crate::services::{Services, runtime};
use crate::{Answer, ClientError, Conversation, ConversationOptions, Model, contexts, keys, outbox, reporting};

/// Options for opening an assistant.
pub struct AssistantOptions {
    /// The ledger's database; its folder must exist.
    pub store: PathBuf,
    /// The vault that stores keys.
    pub vault: Arc<dyn KeyVault>,
    /// The policies.
    pub policies: PolicySet,
    /// Words to redact in addition to what is recognised.
    pub user_words: Vec<String>,
}

/// See the module. Clones refer to the same assistant.
#[derive(Clone)]
pub struct Assistant {
    pub(crate) services: Arc<Services>,
    vault: Arc<dyn KeyVault>,
    /// Ends when nothing holds the ledger any more.
    gone: watch::Receiver<()>,
    /// What was going on when the last process was ended.
    pub(crate) endings: Arc<[Ended]>,
}

impl Assistant {
    /// Opens the ledger and starts the request thread. Receipts that an earlier process left unfinished are closed as interrupted. Blocks
    /// on the disk.
    ///
    /// # Errors
    /// [`ClientError::Store`] if the ledger is damaged, in use, does not belong to the vault or was tampered with; [`ClientError::Words`];
    /// [`ClientError::Endpoint`] for an endpoint with invalid settings; [`ClientError::Thread`].
    pub fn open(options: AssistantOptions) -> Result<Assistant, ClientError> {
        Assistant::open_with(options, Ports::default())
    }

    /// Like [`Assistant::open`], with the caller's own clock, randomness, ledger and places, for tests and simulators.
    ///
    /// # Errors
    /// As [`Assistant::open`].
    pub fn open_with(options: AssistantOptions, ports: Ports) -> Result<Assistant, ClientError> {
        let (records, store): (Arc<dyn Records>, _) = match ports.records {
            Some(records) => (records, None),
            None => {
                let store = Store::open(&options.store, options.vault.clone(), ports.clock.now_ms())?;
                contexts::forget_gone(&store)?;
                (Arc::new(store.clone()), Some(store))
            }
        };
        let rules = Rules::new(options.policies, options.user_words, &*records)?;
        let runtime = runtime()?;
        let places = Places::new(runtime.handle().clone(), Some(options.vault.clone()), ports.backends);
        let ports = (ports.clock, ports.randomness, ports.gauges);
        let endings = match &store {
            Some(store) => ended(&store.take_marks()?),
            None => Vec::new(),
        };
        let (services, gone) = Services::new(runtime, ports, Some(rules), places, Some((records, store)));
        if !endings.is_empty() {
            let records = services.records()?;
            let counted = records.store().and_then(|store| {
                let (performance, clock) = (&services.performance, &*services.clock);
                performance.count_endings(&endings, store, clock)
            });
            // The assistant works without, and the app is told of them all the same.
            if let Err(error) = counted {
                log::warn!("where the last process was ended is not counted: {error}");
            }
        }
        let services = Arc::new(services);
        if let Ok(store) = services.records()?.store() {
            // The assistant works without, and the next look at it reads it again.
            if let Err(error) = reporting::recall(&services, store) {
                log::warn!("telemetry cannot be read: {error}");
            }
        }
        reporting::begin(&services);
        Ok(Assistant {
            endings: endings.into(),
            services,
            vault: options.vault,
            gone,
        })
    }

    /// Like [`Assistant::open`], without blocking the caller: a separate thread waits for the disk.
    ///
    /// # Errors
    /// As [`Assistant::open`].
    pub async fn open_aside(options: AssistantOptions) -> Result<Assistant, ClientError> {
        aside(|| Assistant::open(options)).await
    }

    /// Cancels every answer, and closes the ledger once they have ended. Returns at once. Later calls fail with [`ClientError::Closed`].
    /// May be called again.
    pub fn close(&self) {
        self.services.close();
    }

    /// Like [`Assistant::close`], but waits until what the app has changed in kept conversations is written, and the ledger is closed and can be
    /// opened again.
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

    /// Answers a request that does not belong to a conversation, for example one that was stored or came from another process.
    ///
    /// # Errors
    /// [`ClientError::Limit`], [`ClientError::Engine`] for an option out of its range, [`ClientError::Closed`].
    pub fn answer(&self, request: Request) -> Result<Answer, ClientError> {
        Conversation::answer(&self.services, None, request)
    }

    /// Sets the model on this device that answers from the next question on; `None` removes it.
    pub fn set_model(&self, model: Option<Model>) {
        if let Some(model) = &model {
            self.recall_speed(model);
        }
        self.services.places.set_model(model);
        outbox::tell_settings(&self.services);
    }

    /// Sets the system's model that the app provides; `None` removes it.
    pub fn set_system_model(&self, system: Option<Arc<dyn SystemModel>>) {
        self.services.places.set_system_model(system);
        outbox::tell_settings(&self.services);
    }

    /// Tells the system's model, if one is set, to prepare for a question. This is only a hint; answers do not depend on it.
    pub fn prewarm_system_model(&self) {
        self.services.places.prewarm_system_model();
    }

    /// Reports the current state of the device.
    pub fn update_device(&self, update: &DeviceUpdate) {
        let before = self.services.device().network;
        if self.rules().update_device(update, self.services.clock.now_ms()) {
            // Connections over the old network may lead nowhere.
            self.services.places.chat.network_changed();
        }
        if self.services.device().network != before {
            reporting::begin(&self.services);
        }
        outbox::tell_conditions(&self.services);
    }

    /// The last reported state of the device.
    #[must_use]
    pub fn device(&self) -> DeviceState {
        self.snapshot().device
    }

    /// The policies in force.
    #[must_use]
    pub fn policies(&self) -> Arc<PolicySet> {
        self.snapshot().policies
    }

    /// Replaces both policies from the next question on.
    ///
    /// # Errors
    /// [`ClientError::Policy`], [`ClientError::Endpoint`]. The previous policies then stay in force.
    pub fn set_policies(&self, app: Policy, user: Option<Policy>) -> Result<(), ClientError> {
        self.replace_policies(|_| (app, user))
    }

    /// Replaces the app's policy and keeps the user's.
    ///
    /// # Errors
    /// As [`Assistant::set_policies`], also if the user's policy names an endpoint that the app's no longer has.
    pub fn set_app_policy(&self, app: Policy) -> Result<(), ClientError> {
        self.replace_policies(|now| (app, now.user().cloned()))
    }

    /// Replaces the user's policy, which can only make the app's stricter.
    ///
    /// # Errors
    /// [`ClientError::Policy`]. The previous policies then stay in force.
    pub fn set_user_policy(&self, user: Option<Policy>) -> Result<(), ClientError> {
        self.replace_policies(|now| (now.app().clone(), user))
    }

    fn replace_policies(&self, change: impl FnOnce(&PolicySet) -> (Policy, Option<Policy>)) -> Result<(), ClientError> {
        self.changed(self.rules().replace_policies(change))?;
        reporting::policies_replaced(&self.services);
        Ok(())
    }

    /// Sets words to redact in addition to what is recognised, from the next question on.
    ///
    /// # Errors
    /// [`ClientError::Words`].
    pub fn set_user_words(&self, words: Vec<String>) -> Result<(), ClientError> {
        self.rules().set_user_words(words)
    }

    /// Sets connection settings of an endpoint that are not part of the policy.
    ///
    /// # Errors
    /// [`ClientError::UnknownEndpoint`] if the policy in force has no endpoint with this id; [`ClientError::Endpoint`]. The previous
    /// settings then still apply.
    pub fn set_endpoint(&self, id: &str, extras: EndpointExtras) -> Result<(), ClientError> {
        self.changed(self.rules().set_endpoint(id, extras))
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
        let written = self.services.blocking(move |_| keys::write(&*vault, &id, key));
        self.changed(written.await?)
    }

    /// Records the user's feedback on an answer. It is stored beside the receipt, and the router learns from it.
    ///
    /// # Errors
    /// [`ClientError::Store`], for example if the receipt does not exist.
    pub async fn feedback(&self, receipt: ReceiptId, signal: Signal) -> Result<(), ClientError> {
        let records = self.services.records()?;
        let learned = self
            .services
            .blocking(move |services| services.learn(receipt, signal, &**records));
        learned.await?
    }

    /// Whether the assistant learns from feedback and uses what it learned.
    #[must_use]
    pub fn learning(&self) -> LearningMode {
        self.snapshot().learned.mode()
    }

    /// Switches learning on or off, or freezes it.
    ///
    /// # Errors
    /// [`ClientError::Store`] if the mode cannot be stored; it then applies until the process ends.
    pub async fn set_learning(&self, mode: LearningMode) -> Result<(), ClientError> {
        self.with_rules(move |rules, records| rules.set_learning(mode, records))
            .await
    }

    /// Deletes everything that was learned.
    ///
    /// # Errors
    /// As [`Assistant::set_learning`].
    pub async fn reset_learning(&self) -> Result<(), ClientError> {
        self.with_rules(Rules::reset_learning).await
    }

    /// Redacts a text as it would be redacted for an endpoint, and returns it with the findings.
    ///
    /// # Errors
    /// [`ClientError::Redact`] for a text that is too long, or whose redaction does not finish.
    pub async fn redact(&self, text: &str) -> Result<Redacted, ClientError> {
        let (text, scanner) = (text.to_owned(), self.snapshot().scanner);
        let redacted = self
            .services
            .blocking(move |_| whimbrel_privacy::redact(&text, &scanner));
        Ok(redacted.await??)
    }

    /// A setting that queued questions may wait for has changed, unless it was refused.
    fn changed(&self, outcome: Result<(), ClientError>) -> Result<(), ClientError> {
        outcome.inspect(|()| outbox::tell_settings(&self.services))
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
pub(crate) async fn aside<T: Send + 'static>(
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

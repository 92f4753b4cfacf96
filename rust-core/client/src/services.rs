//! What all requests share: the request thread, the ports, the policies, the places, and the ledger while it is open.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::watch;
use whimbrel_policy::outbox::IdempotencyKey;
use whimbrel_policy::{DeviceView, ToolPermission};
use whimbrel_privacy::PrivacyClass;
use whimbrel_record::{ReceiptId, Signal};
use whimbrel_store::{ConversationId, Store};
use whimbrel_telemetry::Stage;

use crate::contexts::ContextDesk;
use crate::conversation::Inner;
use crate::error::lock;
use crate::marks::{Marking, Marks};
use crate::outbox::OutboxSlot;
use crate::performance::Performance;
use crate::places::Places;
use crate::ports::{Clock, Gauges, Randomness, Records};
use crate::reporting::TelemetryDesk;
use crate::rules::Rules;
use crate::{ClientError, Conversation, caches};

/// See the module. Without rules and ledger it serves models alone.
pub(crate) struct Services {
    /// Taken out at the end.
    runtime: Option<Runtime>,
    handle: Handle,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) randomness: Arc<dyn Randomness>,
    pub(crate) gauges: Arc<dyn Gauges>,
    pub(crate) rules: Option<Rules>,
    pub(crate) places: Places,
    records: Mutex<Option<Arc<OpenRecords>>>,
    /// Conversations that are kept and open.
    open: Mutex<HashMap<ConversationId, Weak<Inner>>>,
    /// Counts changes of what is kept of conversations.
    kept: watch::Sender<u64>,
    pub(crate) outbox: OutboxSlot,
    pub(crate) contexts: ContextDesk,
    pub(crate) budget: caches::Budget,
    pub(crate) performance: Performance,
    pub(crate) telemetry: TelemetryDesk,
    pub(crate) marks: Marks,
    /// A number of this process's own.
    pub(crate) session: u64,
    /// What cancels each request under way.
    under_way: Mutex<HashMap<u64, watch::Sender<bool>>>,
    last_number: AtomicU64,
}

/// The ledger while somebody uses it.
pub(crate) struct OpenRecords {
    records: Arc<dyn Records>,
    /// The same, with all that it can do; none where a test brought its own.
    store: Option<Store>,
    /// Nothing is ever sent: it says that the ledger is let go of. Behind the records, which go first.
    gone: watch::Sender<()>,
}

impl OpenRecords {
    /// The second value ends when nothing holds the ledger any more.
    pub(crate) fn new(records: Arc<dyn Records>, store: Option<Store>) -> (Arc<OpenRecords>, watch::Receiver<()>) {
        let (gone, is_gone) = watch::channel(());
        let open = OpenRecords { records, store, gone };
        (Arc::new(open), is_gone)
    }

    /// Ends when nothing holds the ledger any more.
    pub(crate) fn gone(&self) -> watch::Receiver<()> {
        self.gone.subscribe()
    }

    /// The store behind it.
    ///
    /// # Errors
    /// [`ClientError::Closed`] where a test brought its own records.
    pub(crate) fn store(&self) -> Result<&Store, ClientError> {
        self.store.as_ref().ok_or(ClientError::Closed { what: "assistant" })
    }
}

impl std::ops::Deref for OpenRecords {
    type Target = dyn Records;

    fn deref(&self) -> &(dyn Records + 'static) {
        &*self.records
    }
}

/// A request under way, for as long as this lives. It holds the ledger open, also when everything else is closed meanwhile.
pub(crate) struct UnderWay {
    services: Arc<Services>,
    records: Option<Arc<OpenRecords>>,
    number: u64,
    marking: Option<Marking>,
}

impl UnderWay {
    /// The ledger.
    ///
    /// # Errors
    /// [`ClientError::Closed`] where there is none.
    pub(crate) fn records(&self) -> Result<Arc<OpenRecords>, ClientError> {
        self.records.clone().ok_or(ClientError::Closed { what: "assistant" })
    }

    /// The request is in a stage, and makes progress in it.
    pub(crate) fn note(&self, stage: Stage) {
        if let Some(marking) = &self.marking {
            marking.note(stage);
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        lock(&self.services.under_way).remove(&self.number);
    }
}

/// The thread on which requests are looked after.
pub(crate) fn runtime() -> Result<Runtime, ClientError> {
    Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("whimbrel-requests")
        .enable_all()
        .build()
        .map_err(ClientError::Thread)
}

impl Services {
    /// Puts the parts together. The second value ends when nothing holds the ledger any more.
    pub(crate) fn new(
        runtime: Runtime,
        (clock, randomness, gauges): (Arc<dyn Clock>, Arc<dyn Randomness>, Arc<dyn Gauges>),
        rules: Option<Rules>,
        places: Places,
        records: Option<(Arc<dyn Records>, Option<Store>)>,
    ) -> (Services, watch::Receiver<()>) {
        let (records, gone) = match records {
            Some((records, store)) => {
                let (open, gone) = OpenRecords::new(records, store);
                (Some(open), gone)
            }
            None => (None, watch::channel(()).1),
        };
        let mut session = [0; 8];
        // Without randomness nothing is asked: see [`Services::request_id`].
        let _ = randomness.fill(&mut session);
        let services = Services {
            session: u64::from_le_bytes(session),
            handle: runtime.handle().clone(),
            runtime: Some(runtime),
            clock,
            randomness,
            gauges,
            rules,
            places,
            records: Mutex::new(records),
            open: Mutex::default(),
            kept: watch::Sender::new(0),
            outbox: OutboxSlot::default(),
            contexts: ContextDesk::default(),
            budget: caches::Budget::default(),
            performance: Performance::default(),
            telemetry: TelemetryDesk::default(),
            marks: Marks::default(),
            under_way: Mutex::default(),
            last_number: AtomicU64::new(0),
        };
        (services, gone)
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// The ledger.
    ///
    /// # Errors
    /// [`ClientError::Closed`] after [`Services::close`], and where there is none.
    pub(crate) fn records(&self) -> Result<Arc<OpenRecords>, ClientError> {
        lock(&self.records)
            .clone()
            .ok_or(ClientError::Closed { what: "assistant" })
    }

    /// The rules.
    ///
    /// # Errors
    /// [`ClientError::NoPolicy`].
    pub(crate) fn rules(&self) -> Result<&Rules, ClientError> {
        self.rules.as_ref().ok_or(ClientError::NoPolicy)
    }

    /// The device as it is now; nothing is known of it where no rules decide.
    pub(crate) fn device(&self) -> DeviceView {
        let now_ms = self.clock.now_ms();
        self.rules
            .as_ref()
            .map_or_else(DeviceView::default, |rules| rules.snapshot(now_ms).device.view(now_ms))
    }

    /// Whether a tool may be used, by the policies if there are some, or else as the app says.
    pub(crate) fn permission(&self, tool: &str, class: PrivacyClass, of_app: ToolPermission) -> ToolPermission {
        match &self.rules {
            Some(rules) => {
                rules
                    .snapshot(self.clock.now_ms())
                    .policies
                    .tool_permission(tool, class, of_app)
                    .permission
            }
            None => of_app,
        }
    }

    /// Enters a request, so that closing can cancel it.
    ///
    /// # Errors
    /// [`ClientError::Closed`].
    pub(crate) fn enter(self: &Arc<Services>, cancel: &watch::Sender<bool>) -> Result<UnderWay, ClientError> {
        // Under the lock, so that closing sees either the request or makes it fail.
        let mut under_way = lock(&self.under_way);
        let records = match self.rules.is_some() {
            true => Some(self.records()?),
            false => None,
        };
        let number = self.last_number.fetch_add(1, Ordering::Relaxed);
        under_way.insert(number, cancel.clone());
        let marking = records.as_ref().and_then(|records| Marking::begin(self, records));
        Ok(UnderWay {
            services: self.clone(),
            records,
            number,
            marking,
        })
    }

    /// Cancels every request and lets go of the ledger once they have ended. May be called again.
    pub(crate) fn close(&self) {
        // Before the ledger is let go of, where kept ones are saved.
        for conversation in self.contexts.open().iter().filter_map(Weak::upgrade) {
            drop(conversation.close_context());
        }
        self.telemetry.stop();
        let under_way = lock(&self.under_way);
        lock(&self.records).take();
        for cancel in under_way.values() {
            cancel.send_replace(true);
        }
    }

    /// A kept conversation that is open.
    pub(crate) fn open_conversation(&self, id: ConversationId) -> Option<Conversation> {
        still_open(&lock(&self.open), id)
    }

    /// The kept conversation that is open, or else this one from now on: two of them would write over each other.
    pub(crate) fn open_or_note(&self, id: ConversationId, make: impl FnOnce() -> Arc<Inner>) -> Conversation {
        let mut open = lock(&self.open);
        if let Some(found) = still_open(&open, id) {
            return found;
        }
        open.retain(|_, conversation| conversation.strong_count() > 0);
        let made = make();
        open.insert(id, Arc::downgrade(&made));
        Conversation::of(made)
    }

    /// All kept conversations that are open.
    pub(crate) fn open_conversations(&self) -> Vec<Conversation> {
        let open = lock(&self.open);
        open.keys().filter_map(|id| still_open(&open, *id)).collect()
    }

    /// Something that is kept of a conversation has changed.
    pub(crate) fn note_change(&self) {
        self.kept.send_modify(|changes| *changes += 1);
    }

    /// Hears of changes of what is kept of conversations.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.kept.subscribe()
    }

    /// Runs something that may wait for the disk or compute for long.
    pub(crate) async fn blocking<T: Send + 'static>(
        self: &Arc<Services>,
        work: impl FnOnce(&Services) -> T + Send + 'static,
    ) -> Result<T, ClientError> {
        let services = self.clone();
        let work = self.handle.spawn_blocking(move || work(&services));
        work.await.map_err(|_| ClientError::Stopped)
    }

    /// Keeps a sign about a receipt, and learns from it for the place that answered. Blocks.
    pub(crate) fn learn(&self, receipt: ReceiptId, signal: Signal, records: &dyn Records) -> Result<(), ClientError> {
        let now_ms = self.clock.now_ms();
        let Some((task, candidate)) = records.feedback(receipt, signal, now_ms)? else {
            return Ok(());
        };
        self.rules()?.learn(&task, &candidate, signal, now_ms, records)
    }

    /// The time for templates that print the date: seconds since 1970 began, on the local clock.
    pub(crate) fn now_s(&self) -> i64 {
        let now_ms = self.clock.now_ms();
        let now_s = i64::try_from(now_ms / 1000).unwrap_or(i64::MAX);
        now_s.saturating_add(self.clock.utc_offset_s(now_ms).into())
    }

    /// What an endpoint recognises a request by.
    pub(crate) fn idempotency_key(&self) -> Result<IdempotencyKey, ClientError> {
        let mut bytes = [0; 16];
        self.randomness.fill(&mut bytes)?;
        Ok(IdempotencyKey(bytes))
    }

    /// A new request's id: sixteen random bytes in hexadecimal digits.
    pub(crate) fn request_id(&self) -> Result<String, ClientError> {
        Ok(self.idempotency_key()?.to_string())
    }
}

fn still_open(open: &HashMap<ConversationId, Weak<Inner>>, id: ConversationId) -> Option<Conversation> {
    let found = Conversation::of(open.get(&id)?.upgrade()?);
    Some(found).filter(|found| !found.is_closed())
}

impl Drop for Services {
    fn drop(&mut self) {
        // The last handle may go away on one of the runtime's own threads, which cannot wait for themselves.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

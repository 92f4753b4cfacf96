//! Telemetry: tells the app's developer what requests took, if the app's policy says where and the user has agreed. `policy::telemetry` decides
//! when and how much, `telemetry::export` makes the messages, and `network` sends them. The queue is the ledger: what has left is a number in it,
//! and each message that is sent has a receipt, too.

mod batch;

use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::{Mutex as AsyncMutex, MutexGuard as AsyncGuard, watch};
use whimbrel_network::TelemetryClient;
use whimbrel_policy::telemetry::{
    BACKOFF_MS_BASE, ClosedReceipt, Command, Consent, Event, RefusedSignals, Sender, SenderRecord, SentToday, Signals,
    TelemetryRules, Why,
};
use whimbrel_store::Store;

use self::batch::{Batch, Reported};
use crate::error::lock;
use crate::performance::state_or_empty;
use crate::ports::Clock;
use crate::services::Services;
use crate::{Assistant, ClientError, EndpointExtras, keys};

/// Names of pieces of state in the store.
const SENDER: &str = "telemetry.sender";
const SUMS: &str = "telemetry.sums";
const INSTALL: &str = "telemetry.install";
/// The name of the collector's key in the vault.
const KEY: &str = "telemetry-key";
/// How long an assistant has been open, or on another network, before it sends by itself, in milliseconds.
const FIRST_MS: u64 = 30_000;
/// Receipts that are looked at once.
const PAGE: u32 = 256;

/// What telemetry needs between two calls.
pub(crate) struct TelemetryDesk {
    client: TelemetryClient,
    /// Made when it is needed. One call at a time.
    sender: AsyncMutex<Option<Sender>>,
    /// Changes when a consent is withdrawn, when the policies say something else, and at the end: a message under way stops.
    stops: watch::Sender<u64>,
    /// Calls that are withdrawing the consent.
    withdrawals: AtomicUsize,
    /// What the machine still has to hear, in its order.
    changes: Mutex<Changes>,
    extras: Mutex<EndpointExtras>,
    names: Mutex<TelemetryNames>,
    /// The timer that counts; earlier ones do nothing.
    timer: AtomicU64,
}

/// What changed since the machine was told.
#[derive(Default)]
struct Changes {
    /// The rules of the policies in force.
    rules: Option<TelemetryRules>,
    events: VecDeque<Change>,
}

#[derive(Clone)]
enum Change {
    Rules(Option<TelemetryRules>),
    Collector,
}

impl Default for TelemetryDesk {
    fn default() -> TelemetryDesk {
        TelemetryDesk {
            client: TelemetryClient::new(),
            sender: AsyncMutex::default(),
            stops: watch::Sender::new(0),
            withdrawals: AtomicUsize::new(0),
            changes: Mutex::default(),
            extras: Mutex::default(),
            names: Mutex::default(),
            timer: AtomicU64::new(0),
        }
    }
}

impl TelemetryDesk {
    /// Stops a message that is under way.
    pub(crate) fn stop(&self) {
        self.stops.send_modify(|count| *count += 1);
    }

    /// While what it returns lives, nothing is sent or counted.
    pub(crate) async fn rest(&self) -> AsyncGuard<'_, Option<Sender>> {
        self.sender.lock().await
    }

    fn note(&self, change: Change) {
        lock(&self.changes).events.push_back(change);
    }
}

/// Names that may be sent as they are. All others are sent as `other`, because an app or a user can choose them freely. The tasks that come with
/// Whimbrel, the tasks and models in the app's policy, and the usual variants are always among them.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct TelemetryNames {
    /// Models on this device, such as those of the app's own catalogue.
    pub models: BTreeSet<String>,
    /// Tasks of the app.
    pub tasks: BTreeSet<String>,
}

/// What a run has sent.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct TelemetryRun {
    /// Bytes that left the device.
    pub bytes_out: u64,
    /// Whether sums were sent, and the collector took them.
    pub metrics: bool,
    /// How many requests' spans the collector took.
    pub spans: u64,
    /// Items that the collector has left out.
    pub rejected: u64,
    /// Why nothing was sent.
    pub because: Option<Why>,
    /// When it is time for the next run, in milliseconds since 1970.
    pub next_ms: Option<u64>,
}

/// How telemetry stands.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TelemetryStatus {
    /// Where the app's policy lets telemetry go, and how much; `None` if nowhere.
    pub rules: Option<TelemetryRules>,
    /// What the user has agreed to.
    pub consent: Option<Consent>,
    /// What may be sent now.
    pub signals: Signals,
    /// What was sent today.
    pub today: SentToday,
    /// Requests whose spans wait.
    pub waiting: u64,
    /// Requests whose spans got too old, or too many, and were given up.
    pub dropped: u64,
    /// Items that the collector has left out.
    pub rejected: u64,
    /// Signals that the collector refuses, with the status that it gave.
    pub refused: RefusedSignals,
}

/// The telemetry of an assistant. Nothing is sent before [`Telemetry::allow`], and nothing after [`Telemetry::withdraw`].
#[derive(Clone)]
pub struct Telemetry {
    services: Arc<Services>,
}

impl Assistant {
    /// The telemetry. It does something where the app's policy has a section `telemetry`.
    #[must_use]
    pub fn telemetry(&self) -> Telemetry {
        Telemetry {
            services: self.services.clone(),
        }
    }
}

impl Telemetry {
    /// How it stands.
    ///
    /// # Errors
    /// [`ClientError::Store`], [`ClientError::Closed`].
    pub async fn status(&self) -> Result<TelemetryStatus, ClientError> {
        let mut guard = self.services.telemetry.sender.lock().await;
        let sender = self.opened(&mut guard).await?;
        let waiting = self.waiting(sender).await?.len() as u64;
        let now_ms = self.services.clock.now_ms();
        Ok(TelemetryStatus {
            rules: sender.rules().cloned(),
            consent: sender.consent().cloned(),
            signals: sender.signals(),
            today: sender.today(now_ms),
            waiting,
            dropped: sender.dropped(),
            rejected: sender.rejected(),
            refused: sender.refused(now_ms),
        })
    }

    /// The user agrees that this is sent to where the policy says. Only requests that begin from now on are sent. Another consent takes the place of
    /// the previous one, under another random id.
    ///
    /// # Errors
    /// [`ClientError::NoTelemetry`] if the policy has no place for it; [`ClientError::Store`], [`ClientError::Closed`].
    pub async fn allow(&self, signals: Signals) -> Result<(), ClientError> {
        let mut guard = self.services.telemetry.sender.lock().await;
        let sender = self.opened(&mut guard).await?;
        let rules = sender.rules().cloned().ok_or(ClientError::NoTelemetry)?;
        let consent = Consent {
            to: rules.url,
            service: rules.service,
            metrics: signals.metrics,
            traces: signals.traces,
            given_ms: self.services.clock.now_ms(),
        };
        if sender.consent().is_some_and(|before| before.is_same(&consent)) {
            return Ok(());
        }
        let install = self.services.idempotency_key()?.0;
        let kept = self.in_store(move |_, store| {
            store.state_put(INSTALL, &install)?;
            Ok(store.ledger().last_sequence()?)
        });
        let begin_after = kept.await?;
        self.tell(&mut guard, Event::Consented { consent, begin_after }).await?;
        drop(guard);
        begin(&self.services);
        Ok(())
    }

    /// The user withdraws the consent. When this returns, nothing is sent any more, and what waited is forgotten.
    ///
    /// # Errors
    /// [`ClientError::Store`], [`ClientError::Closed`].
    pub async fn withdraw(&self) -> Result<(), ClientError> {
        // Whoever waits to send hears of it, too.
        let withdrawing = Withdrawing::begin(&self.services.telemetry.withdrawals);
        self.services.telemetry.stop();
        let mut guard = self.services.telemetry.sender.lock().await;
        self.opened(&mut guard).await?;
        self.tell(&mut guard, Event::Withdrawn).await?;
        drop(withdrawing);
        let forgotten = self.in_store(|_, store| {
            store.state_delete(SUMS)?;
            Ok(store.state_delete(INSTALL)?)
        });
        forgotten.await
    }

    /// Connection settings of the collector that are not part of the policy.
    ///
    /// # Errors
    /// [`ClientError::Endpoint`] for settings that are not valid. The previous ones then still apply.
    pub fn set_collector(&self, extras: EndpointExtras) -> Result<(), ClientError> {
        if let Some(rules) = self.rules()? {
            batch::collector(&rules.url, &extras)?;
        }
        *lock(&self.services.telemetry.extras) = extras;
        self.collector_changed();
        Ok(())
    }

    /// Keeps the collector's key in the vault, or forgets it.
    ///
    /// # Errors
    /// [`ClientError::Key`], [`ClientError::Vault`].
    pub async fn set_key(&self, key: Option<String>) -> Result<(), ClientError> {
        let written = self.services.blocking(move |services| {
            let vault = services.places.vault().ok_or(ClientError::Closed { what: "vault" })?;
            keys::write_at(&*vault, KEY, key)
        });
        written.await??;
        self.collector_changed();
        Ok(())
    }

    fn collector_changed(&self) {
        self.services.telemetry.note(Change::Collector);
        begin(&self.services);
    }

    /// Names that may be sent as they are, from the next run on. They are not kept: an app gives them when it has opened its assistant, before it runs
    /// anything, so that a collector does not count a model once by its name and once as `other`.
    pub fn set_names(&self, names: TelemetryNames) {
        *lock(&self.services.telemetry.names) = names;
    }

    /// Sends what is due. While the assistant lives this happens by itself; an app calls it when the system gives it time in the background, and
    /// with `within_ms` when it goes to the background: so many milliseconds it may still run.
    ///
    /// # Errors
    /// [`ClientError::Store`], [`ClientError::Closed`]; [`ClientError::Endpoint`] for settings of [`Telemetry::set_collector`] that are not valid,
    /// [`ClientError::Vault`] if the key cannot be read. A collector that cannot be reached is not an error: [`TelemetryRun::because`] says why
    /// nothing was sent, or the next run tries again.
    pub async fn run(&self, within_ms: Option<u64>) -> Result<TelemetryRun, ClientError> {
        // Whoever awaits this may have no runtime, and the network needs one.
        let here = self.clone();
        let ran = self
            .services
            .handle()
            .spawn(async move { here.run_here(within_ms).await });
        ran.await.map_err(|_| ClientError::Stopped)?
    }

    async fn run_here(&self, within_ms: Option<u64>) -> Result<TelemetryRun, ClientError> {
        let began_ms = self.services.clock.elapsed_ms();
        let desk = &self.services.telemetry;
        let mut guard = desk.sender.lock().await;
        let stopped = desk.stops.subscribe();
        // Whoever withdraws from here on is heard by what is sent.
        if desk.withdrawals.load(Ordering::SeqCst) > 0 {
            return Ok(TelemetryRun {
                because: Some(Why::NoConsent),
                ..TelemetryRun::default()
            });
        }
        self.opened(&mut guard).await?;
        let network = self.services.device().network;
        self.tell(&mut guard, Event::Conditions { network }).await?;
        self.drop_oldest(&mut guard).await?;
        let newest = self.newest().await?;
        let waited_ms = self.services.clock.elapsed_ms() - began_ms;
        let within_ms = within_ms.map(|ms| ms.saturating_sub(waited_ms));
        let mut run = TelemetryRun::default();
        let mut commands = self.tell(&mut guard, Event::Asked { newest, within_ms }).await?;
        // What is sent leads to further commands; one attempt a run.
        while let Some(command) = commands.pop() {
            match command {
                Command::Send(batch) => {
                    let attempted = self.attempt(&mut guard, &batch, stopped.clone(), &mut run).await;
                    // An attempt without an end is over once the machine is read again.
                    commands.extend(attempted.inspect_err(|_| *guard = None)?);
                }
                Command::WakeAt { at_ms } => {
                    run.next_ms = Some(at_ms);
                    self.wake_at(at_ms);
                }
                Command::Nothing { because } => run.because = Some(because),
                // They belong to attempts, which are over.
                Command::Go { .. } | Command::Stop { .. } => {}
            }
        }
        Ok(run)
    }

    /// Makes a batch ready, and sends it if that is still wanted.
    async fn attempt(
        &self,
        guard: &mut Option<Sender>,
        wanted: &whimbrel_policy::telemetry::Batch,
        mut stopped: watch::Receiver<u64>,
        run: &mut TelemetryRun,
    ) -> Result<Vec<Command>, ClientError> {
        let attempt = wanted.attempt;
        let rules = guard.as_ref().and_then(|sender| sender.rules().cloned());
        let rules = rules.ok_or(ClientError::NoTelemetry)?;
        let batch = Batch::make(&self.services, wanted, rules).await?;
        if batch.is_empty() || stopped.has_changed().unwrap_or(true) {
            run.because = Some(match (batch.is_empty(), batch.is_too_large) {
                (false, _) => Why::InProgress,
                (true, true) => Why::BudgetBytes,
                (true, false) => Why::NothingNew,
            });
            let through = if batch.is_empty() {
                batch.through
            } else {
                wanted.spans_after
            };
            return self.tell(guard, Event::Skipped { attempt, through }).await;
        }
        let bytes = batch.bytes_max();
        let mut commands = self.tell(guard, Event::Sending { attempt, bytes }).await?;
        let is_to_go = commands.contains(&Command::Go { attempt });
        if !is_to_go {
            return Ok(commands);
        }
        let sent = batch.send(&self.services, wanted.within_ms, &mut stopped).await?;
        let Reported {
            bytes_out,
            metrics,
            traces,
            spans,
        } = sent;
        run.bytes_out += bytes_out;
        for (reply, is_metrics) in [(metrics, true), (traces, false)] {
            if let Some(whimbrel_policy::telemetry::Reply::Accepted { rejected, .. }) = reply {
                run.rejected = run.rejected.saturating_add(rejected);
                match is_metrics {
                    true => run.metrics = true,
                    false => run.spans += spans,
                }
            }
        }
        let ended = Event::Ended {
            attempt,
            bytes: bytes_out,
            metrics,
            traces,
        };
        commands = self.tell(guard, ended).await?;
        Ok(commands)
    }

    /// Tells the machine what happened. What it knows is on the disk when this returns; otherwise it is read again before it is used next.
    async fn tell(&self, guard: &mut Option<Sender>, event: Event) -> Result<Vec<Command>, ClientError> {
        let sender = guard.as_mut().ok_or(ClientError::Closed { what: "telemetry" })?;
        let before = sender.record().clone();
        let commands = sender.step(self.services.clock.now_ms(), event);
        if *sender.record() != before {
            self.keep(guard).await?;
        }
        Ok(commands)
    }

    /// Writes down what the machine knows.
    async fn keep(&self, guard: &mut Option<Sender>) -> Result<(), ClientError> {
        let sender = guard.as_ref().ok_or(ClientError::Closed { what: "telemetry" })?;
        let record = sender.record().encode();
        let kept = self.in_store(move |_, store| Ok(store.state_put(SENDER, record.as_bytes())?));
        // What was not written has not happened.
        kept.await.inspect_err(|_| *guard = None)
    }

    /// Does something with the store, aside.
    async fn in_store<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Services, &Store) -> Result<T, ClientError> + Send + 'static,
    ) -> Result<T, ClientError> {
        let records = self.services.records()?;
        let done = self.services.blocking(move |services| work(services, records.store()?));
        done.await?
    }

    /// The machine, read from the store if it is not here, and told of everything that has changed.
    async fn opened<'g>(&self, guard: &'g mut Option<Sender>) -> Result<&'g mut Sender, ClientError> {
        if guard.is_none() {
            *guard = Some(self.in_store(open).await?);
        }
        let changes = &self.services.telemetry.changes;
        // What cannot be written is not told, and stays here.
        while let Some(change) = first(changes) {
            let event = match change {
                Change::Collector => Event::CollectorChanged,
                Change::Rules(rules) => Event::RulesChanged {
                    rules,
                    newest: self.last_entry().await?,
                },
            };
            self.tell(guard, event).await?;
            lock(changes).events.pop_front();
        }
        guard.as_mut().ok_or(ClientError::Closed { what: "telemetry" })
    }

    fn rules(&self) -> Result<Option<TelemetryRules>, ClientError> {
        rules_in_force(&self.services)
    }

    /// The ledger's last entry that closes a request.
    async fn newest(&self) -> Result<u64, ClientError> {
        let newest = self.in_store(|_, store| Ok(store.ledger().newest_request()?));
        newest.await
    }

    /// The ledger's last entry.
    async fn last_entry(&self) -> Result<u64, ClientError> {
        let last = self.in_store(|_, store| Ok(store.ledger().last_sequence()?));
        last.await
    }

    /// Gives up what is too old or too much.
    async fn drop_oldest(&self, guard: &mut Option<Sender>) -> Result<(), ClientError> {
        let sender = guard.as_mut().ok_or(ClientError::Closed { what: "telemetry" })?;
        let waiting = self.waiting(sender).await?;
        let dropped = sender.drop_oldest(self.services.clock.now_ms(), waiting.into_iter().rev());
        if dropped > 0 {
            self.keep(guard).await?;
        }
        Ok(())
    }

    /// The receipts whose spans wait, oldest first.
    async fn waiting(&self, sender: &Sender) -> Result<Vec<ClosedReceipt>, ClientError> {
        let (true, Some(begin), Some(after)) = (sender.signals().traces, sender.spans_begin(), sender.spans_after())
        else {
            return Ok(Vec::new());
        };
        let waiting = self.in_store(move |_, store| waiting(store, begin, after));
        waiting.await
    }

    /// Runs again at a time, if the assistant still lives then.
    fn wake_at(&self, at_ms: u64) {
        let number = self.services.telemetry.timer.fetch_add(1, Ordering::Relaxed) + 1;
        let services = Arc::downgrade(&self.services);
        let wait_ms = at_ms.saturating_sub(self.services.clock.now_ms());
        self.services.handle().spawn(async move {
            tokio::time::sleep(Duration::from_millis(wait_ms)).await;
            run_by_itself(&services, number).await;
        });
    }
}

/// Runs once if no other timer was set meanwhile. It keeps nothing open before its time.
async fn run_by_itself(services: &Weak<Services>, number: u64) {
    let Some(services) = services.upgrade() else { return };
    if services.telemetry.timer.load(Ordering::Relaxed) != number {
        return;
    }
    let telemetry = Telemetry { services };
    match Box::pin(telemetry.run_here(None)).await {
        Ok(_) | Err(ClientError::Closed { .. }) => {}
        Err(error) => {
            log::warn!("telemetry cannot be sent: {error}");
            telemetry.wake_at(telemetry.services.clock.now_ms() + BACKOFF_MS_BASE);
        }
    }
}

/// A call that is withdrawing the consent, for as long as it lives.
struct Withdrawing<'a>(&'a AtomicUsize);

impl Withdrawing<'_> {
    fn begin(count: &AtomicUsize) -> Withdrawing<'_> {
        count.fetch_add(1, Ordering::SeqCst);
        Withdrawing(count)
    }
}

impl Drop for Withdrawing<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The first change that the machine has not heard of.
fn first(changes: &Mutex<Changes>) -> Option<Change> {
    lock(changes).events.front().cloned()
}

fn rules_in_force(services: &Services) -> Result<Option<TelemetryRules>, ClientError> {
    let snapshot = services.rules()?.snapshot(services.clock.now_ms());
    Ok(snapshot.policies.telemetry())
}

/// Reads the machine from the store, and tells it the policies in force. What it then knows is on the disk. Blocks.
fn open(services: &Services, store: &Store) -> Result<Sender, ClientError> {
    let stored = stored_text(store)?;
    let record = stored
        .as_deref()
        .map_or(Ok(SenderRecord::default()), SenderRecord::decode);
    // Without the record there is no consent.
    let record = record.unwrap_or_else(|error| {
        log::warn!("the consent to telemetry cannot be read, so nothing is sent: {error}");
        SenderRecord::default()
    });
    let mut random = [0; 8];
    services.randomness.fill(&mut random)?;
    let (rules, last) = (rules_in_force(services)?, store.ledger().last_sequence()?);
    let (sender, _) = Sender::open(record, rules, last, u64::from_le_bytes(random), services.clock.now_ms());
    let known = sender.record().encode();
    if stored.is_some_and(|stored| stored != known) {
        store.state_put(SENDER, known.as_bytes())?;
    }
    Ok(sender)
}

/// The stored record of the machine.
fn stored_text(store: &Store) -> Result<Option<String>, ClientError> {
    let stored = state_or_empty(store, SENDER)?;
    Ok(stored.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

/// When an assistant is opened: requests that are made while the policies do not allow telemetry must be known as such, also if nothing else is asked
/// of it. Blocks.
pub(crate) fn recall(services: &Services, store: &Store) -> Result<(), ClientError> {
    lock(&services.telemetry.changes).rules = rules_in_force(services)?;
    if stored_text(store)?.is_some()
        && let Ok(mut guard) = services.telemetry.sender.try_lock()
    {
        *guard = Some(open(services, store)?);
    }
    Ok(())
}

/// The policies were replaced. A message under way stops if they now say something else about telemetry.
pub(crate) fn policies_replaced(services: &Arc<Services>) {
    {
        // Under the lock, so that the last word is what is in force, and a run hears of it either here or by being stopped.
        let mut changes = lock(&services.telemetry.changes);
        let Ok(rules) = rules_in_force(services) else { return };
        if changes.rules == rules {
            return;
        }
        changes.rules.clone_from(&rules);
        changes.events.push_back(Change::Rules(rules));
        services.telemetry.stop();
    }
    let telemetry = Telemetry {
        services: services.clone(),
    };
    services.handle().spawn(async move {
        let mut guard = telemetry.services.telemetry.sender.lock().await;
        match telemetry.opened(&mut guard).await {
            Ok(_) | Err(ClientError::Closed { .. }) => {}
            Err(error) => log::warn!("telemetry has not heard of the new policies yet: {error}"),
        }
    });
    begin(services);
}

/// Counts what the sums that are sent do not have yet, because receipts are about to be removed. Blocks.
pub(crate) fn keep_sums(store: &Store, clock: &dyn Clock) -> Result<(), ClientError> {
    let record = stored_text(store)?.and_then(|text| SenderRecord::decode(&text).ok());
    match record.and_then(|record| record.sums()) {
        Some((after, since_ms)) => batch::Sums::counted(store, clock, after, since_ms)?.keep(store),
        None => Ok(()),
    }
}

/// Sends by itself a while from now, if the policy says where. An app that has just begun has better things to do, and its user may be about to
/// withdraw the consent.
pub(crate) fn begin(services: &Arc<Services>) {
    if rules_in_force(services).is_ok_and(|rules| rules.is_some()) {
        let telemetry = Telemetry {
            services: services.clone(),
        };
        telemetry.wake_at(services.clock.now_ms() + FIRST_MS);
    }
}

/// All receipts that were opened behind the entry `begin` and closed behind `after`, but those of telemetry itself.
fn waiting(store: &Store, begin: u64, after: u64) -> Result<Vec<ClosedReceipt>, ClientError> {
    let ledger = store.ledger();
    let (mut waiting, mut after) = (Vec::new(), after);
    loop {
        let page = ledger.closed_after(after, PAGE)?;
        let requests = page
            .receipts
            .iter()
            .filter(|closed| closed.opened > begin && !closed.intent.is_report());
        waiting.extend(requests.map(|closed| ClosedReceipt {
            sequence: closed.sequence,
            closed_ms: closed.closed_ms,
        }));
        if page.is_last {
            return Ok(waiting);
        }
        after = page.through;
    }
}

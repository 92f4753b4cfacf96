//! Telemetry: tells the app's developer what requests took, if the app's policy says where and the user has agreed. `policy::telemetry` decides
//! when and how much, `telemetry::export` makes the messages, and `network` sends them. The queue is the ledger: what has left is a number in it,
//! and each message that is sent has a receipt, too.

mod batch;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::{Mutex as AsyncMutex, watch};
use whimbrel_network::TelemetryClient;
use whimbrel_policy::telemetry::{
    ClosedReceipt, Command, Consent, Event, RefusedSignals, Sender, SenderRecord, SentToday, Signals, TelemetryRules,
    Why,
};

use self::batch::{Batch, Reported};
use crate::error::lock;
use crate::services::{OpenRecords, Services};
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
    /// Changes when a consent is withdrawn, and at the end: a message under way stops.
    stops: watch::Sender<u64>,
    extras: Mutex<EndpointExtras>,
    names: Mutex<TelemetryNames>,
    /// The timer that counts; earlier ones do nothing.
    timer: AtomicU64,
}

impl Default for TelemetryDesk {
    fn default() -> TelemetryDesk {
        TelemetryDesk {
            client: TelemetryClient::new(),
            sender: AsyncMutex::default(),
            stops: watch::Sender::new(0),
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
        let waiting = match (sender.signals().traces, sender.spans_after()) {
            (true, Some(after)) => self.waiting(after).await?.len() as u64,
            _ => 0,
        };
        let now_ms = self.services.clock.now_ms();
        Ok(TelemetryStatus {
            rules: self.rules()?,
            consent: sender.consent().cloned(),
            signals: sender.signals(),
            today: sender.today(now_ms),
            waiting,
            dropped: sender.dropped(),
            rejected: sender.rejected(),
            refused: sender.refused(now_ms),
        })
    }

    /// The user agrees that this is sent to where the policy says. Only what happens from now on is sent. Another consent takes the place of the
    /// previous one.
    ///
    /// # Errors
    /// [`ClientError::NoTelemetry`] if the policy has no place for it; [`ClientError::Store`], [`ClientError::Closed`].
    pub async fn allow(&self, signals: Signals) -> Result<(), ClientError> {
        let rules = self.rules()?.ok_or(ClientError::NoTelemetry)?;
        let mut guard = self.services.telemetry.sender.lock().await;
        self.opened(&mut guard).await?;
        let begin_after = self.newest().await?;
        let consent = Consent {
            to: rules.url,
            service: rules.service,
            metrics: signals.metrics,
            traces: signals.traces,
            given_ms: self.services.clock.now_ms(),
        };
        let install = self.services.idempotency_key()?.0;
        let records = self.services.records()?;
        let kept = self.services.blocking(move |_| match records.state(INSTALL)? {
            Some(_) => Ok(()),
            None => records.keep_state(INSTALL, &install),
        });
        kept.await??;
        self.tell(&mut guard, Event::Consented { consent, begin_after }).await?;
        Ok(())
    }

    /// The user withdraws the consent. When this returns, nothing is sent any more, and what waited is forgotten.
    ///
    /// # Errors
    /// [`ClientError::Store`], [`ClientError::Closed`].
    pub async fn withdraw(&self) -> Result<(), ClientError> {
        self.services.telemetry.stop();
        let mut guard = self.services.telemetry.sender.lock().await;
        self.opened(&mut guard).await?;
        self.tell(&mut guard, Event::Withdrawn).await?;
        let records = self.services.records()?;
        let forgotten = self.services.blocking(move |_| {
            let store = records.store()?;
            store.state_delete(SUMS)?;
            Ok::<_, ClientError>(store.state_delete(INSTALL)?)
        });
        forgotten.await?
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
        written.await?
    }

    /// Names that may be sent as they are, from the next run on.
    pub fn set_names(&self, names: TelemetryNames) {
        *lock(&self.services.telemetry.names) = names;
    }

    /// Sends what is due. While the assistant lives this happens by itself; an app calls it when the system gives it time in the background, and
    /// with `within_ms` when it goes to the background: so many milliseconds it may still run.
    ///
    /// # Errors
    /// [`ClientError::Store`], [`ClientError::Closed`]. A collector that cannot be reached is not an error: [`TelemetryRun::because`] says why nothing
    /// was sent, or the next run tries again.
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
        let stopped = self.services.telemetry.stops.subscribe();
        let mut guard = self.services.telemetry.sender.lock().await;
        self.opened(&mut guard).await?;
        let newest = self.newest().await?;
        let network = self.services.device().network;
        let rules = self.rules()?;
        self.tell(&mut guard, Event::RulesChanged { rules, newest }).await?;
        self.tell(&mut guard, Event::Conditions { network }).await?;
        self.drop_oldest(&mut guard).await?;
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
        let batch = Batch::make(&self.services, wanted).await?;
        if batch.is_empty() {
            let through = batch.through;
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
                run.rejected += rejected;
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
            let bytes = sender.record().encode();
            if let Err(error) = self.keep(bytes).await {
                *guard = None;
                return Err(error);
            }
        }
        Ok(commands)
    }

    async fn keep(&self, record: String) -> Result<(), ClientError> {
        let records = self.services.records()?;
        let kept = self
            .services
            .blocking(move |_| records.keep_state(SENDER, record.as_bytes()));
        Ok(kept.await??)
    }

    /// The machine, read from the store if it is not here.
    async fn opened<'g>(&self, guard: &'g mut Option<Sender>) -> Result<&'g mut Sender, ClientError> {
        if guard.is_none() {
            let records = self.services.records()?;
            let stored = self.services.blocking(move |_| records.state(SENDER)).await??;
            let record = match stored.map(|bytes| SenderRecord::decode(&String::from_utf8_lossy(&bytes))) {
                Some(Ok(record)) => record,
                // Without the record there is no consent.
                Some(Err(error)) => {
                    log::warn!("the consent to telemetry cannot be read, so nothing is sent: {error}");
                    SenderRecord::default()
                }
                None => SenderRecord::default(),
            };
            let mut random = [0; 8];
            self.services.randomness.fill(&mut random)?;
            let (newest, rules) = (self.newest().await?, self.rules()?);
            let now_ms = self.services.clock.now_ms();
            let (sender, _) = Sender::open(record, rules, newest, u64::from_le_bytes(random), now_ms);
            *guard = Some(sender);
        }
        Ok(guard.as_mut().expect("it was just made"))
    }

    fn rules(&self) -> Result<Option<TelemetryRules>, ClientError> {
        let snapshot = self.services.rules()?.snapshot(self.services.clock.now_ms());
        Ok(snapshot.policies.telemetry())
    }

    /// The ledger's newest entry that closes a receipt.
    async fn newest(&self) -> Result<u64, ClientError> {
        let records = self.services.records()?;
        let newest = self
            .services
            .blocking(move |_| Ok::<_, ClientError>(records.store()?.ledger().newest_closed()?));
        newest.await?
    }

    /// Gives up what is too old or too much.
    async fn drop_oldest(&self, guard: &mut Option<Sender>) -> Result<(), ClientError> {
        let sender = guard.as_mut().ok_or(ClientError::Closed { what: "telemetry" })?;
        let Some(after) = sender.spans_after().filter(|_| sender.signals().traces) else {
            return Ok(());
        };
        let waiting = self.waiting(after).await?;
        let dropped = sender.drop_oldest(self.services.clock.now_ms(), waiting.into_iter().rev());
        if dropped > 0 {
            let bytes = sender.record().encode();
            if let Err(error) = self.keep(bytes).await {
                *guard = None;
                return Err(error);
            }
        }
        Ok(())
    }

    /// The receipts whose spans wait, oldest first.
    async fn waiting(&self, after: u64) -> Result<Vec<ClosedReceipt>, ClientError> {
        let records = self.services.records()?;
        let waiting = self.services.blocking(move |_| waiting(&records, after));
        waiting.await?
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
    match Box::pin(Telemetry { services }.run_here(None)).await {
        Ok(_) | Err(ClientError::Closed { .. }) => {}
        Err(error) => log::warn!("telemetry cannot be sent: {error}"),
    }
}

/// Sends by itself a while from now, if the policy says where. An app that has just begun has better things to do, and its user may be about to
/// withdraw the consent.
pub(crate) fn begin(services: &Arc<Services>) {
    let has_rules = services.rules().is_ok_and(|rules| {
        let snapshot = rules.snapshot(services.clock.now_ms());
        snapshot.policies.telemetry().is_some()
    });
    if has_rules {
        let telemetry = Telemetry {
            services: services.clone(),
        };
        telemetry.wake_at(services.clock.now_ms() + FIRST_MS);
    }
}

/// All receipts behind an entry, but those of telemetry itself.
fn waiting(records: &OpenRecords, after: u64) -> Result<Vec<ClosedReceipt>, ClientError> {
    let ledger = records.store()?.ledger();
    let (mut waiting, mut after) = (Vec::new(), after);
    loop {
        let page = ledger.closed_after(after, PAGE)?;
        let requests = page.iter().filter(|closed| !closed.intent.is_report());
        waiting.extend(requests.map(|closed| ClosedReceipt {
            sequence: closed.sequence,
            closed_ms: closed.closed_ms,
        }));
        match page.last() {
            Some(last) if page.len() == PAGE as usize => after = last.sequence,
            _ => return Ok(waiting),
        }
    }
}

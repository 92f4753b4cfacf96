//! One attempt to send: what goes into it, its receipt, and what the collector made of it.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use whimbrel_network::{Collector, CollectorSettings, Secret, TelemetryError};
use whimbrel_policy::telemetry::{Batch as Wanted, Failure, Reply, TelemetryRules};
use whimbrel_privacy::{PrivacyClass, Release};
use whimbrel_record::{
    Attempt, AttemptEnd, Closing, DeviceClass, Intent, Label, Latency, Outcome, Place, Planned, ReceiptId,
    TELEMETRY_TASK,
};
use whimbrel_store::{ClosedReceipt, Store};
use whimbrel_telemetry::export::{Body, InstallId, Os, Resource, Signal, SpanSource, Vocabulary, metrics, spans};
use whimbrel_telemetry::{ENERGY_METHODS, Meter};

use super::{INSTALL, KEY, PAGE, SUMS, TelemetryNames};
use crate::error::lock;
use crate::performance::state_or_empty;
use crate::places::endpoint_code;
use crate::ports::Clock;
use crate::services::{OpenRecords, Services};
use crate::{ClientError, EndpointExtras, TASK_DEFAULT, TextTask, keys};

/// Variants that the importer makes.
const VARIANTS: [&str; 8] = ["q4_0", "q4_1", "q4_k", "q5_0", "q6_k", "q8_0", "iq4_nl", "f16"];

/// What one attempt sends.
pub(super) struct Batch {
    bodies: Vec<Body>,
    /// The last receipt that was looked at.
    pub(super) through: u64,
    /// Requests with spans.
    spans: u64,
    /// The last receipt in the sums.
    sums_through: u64,
    /// Whether something is left out that does not fit, however little else there is.
    pub(super) is_too_large: bool,
    rules: TelemetryRules,
    collector: Collector,
    key: Option<Secret>,
}

/// What became of it.
pub(super) struct Reported {
    pub(super) bytes_out: u64,
    pub(super) metrics: Option<Reply>,
    pub(super) traces: Option<Reply>,
    /// Requests with spans in it.
    pub(super) spans: u64,
}

/// The sums since the consent.
pub(super) struct Sums {
    /// Up to which receipt the collector has them.
    sent: u64,
    meter: Meter,
}

/// As the store has them.
#[derive(Deserialize, Serialize)]
struct StoredSums {
    sent: u64,
    /// The stored form of the meter.
    meter: String,
}

impl Sums {
    /// What is stored, and everything that the ledger has behind it. They count the requests that began behind the entry `after`. Blocks.
    pub(super) fn counted(store: &Store, clock: &dyn Clock, after: u64, since_ms: u64) -> Result<Sums, ClientError> {
        let stored = Sums::stored(store)?;
        let stored = stored.filter(|sums| sums.meter.begins_ms() == since_ms && sums.meter.through() >= after);
        let mut sums = stored.unwrap_or_else(|| Sums {
            sent: 0,
            meter: Meter::new(since_ms, after),
        });
        crate::performance::count(&mut sums.meter, store, clock, after)?;
        Ok(sums)
    }

    fn stored(store: &Store) -> Result<Option<Sums>, ClientError> {
        let stored = state_or_empty(store, SUMS)?;
        let stored = stored.and_then(|bytes| serde_json::from_slice::<StoredSums>(&bytes).ok());
        Ok(stored.and_then(|stored| {
            let meter = Meter::from_bytes(stored.meter.as_bytes()).ok()?;
            let sent = stored.sent;
            Some(Sums { sent, meter })
        }))
    }

    pub(super) fn keep(&self, store: &Store) -> Result<(), ClientError> {
        let stored = StoredSums {
            sent: self.sent,
            meter: String::from_utf8(self.meter.to_bytes()).expect("JSON is text"),
        };
        let bytes = serde_json::to_vec(&stored).expect("a number and a text are JSON");
        Ok(store.state_put(SUMS, &bytes)?)
    }
}

impl Batch {
    /// What is to be sent to where the rules say, as far as it fits.
    pub(super) async fn make(
        services: &Arc<Services>,
        wanted: &Wanted,
        rules: TelemetryRules,
    ) -> Result<Batch, ClientError> {
        let (records, wanted) = (services.records()?, *wanted);
        let made = services.blocking(move |services| {
            let snapshot = services.rules()?.snapshot(services.clock.now_ms());
            let names = lock(&services.telemetry.names).clone();
            let vocabulary = vocabulary(&snapshot.policies, &names);
            let resource = resource(services, &records, &rules)?;
            let mut batch = Batch {
                bodies: Vec::new(),
                through: wanted.spans_after,
                spans: 0,
                sums_through: 0,
                is_too_large: false,
                collector: collector(&rules.url, &lock(&services.telemetry.extras))?,
                key: match services.places.vault() {
                    Some(vault) => keys::read_at(&*vault, KEY)?,
                    None => None,
                },
                rules,
            };
            if wanted.signals.metrics {
                batch.add_sums(services, &records, &wanted, &resource, &vocabulary)?;
            }
            let page = records.store()?.ledger().closed_after(wanted.spans_after, PAGE)?;
            let requests = page
                .receipts
                .iter()
                .filter(|closed| closed.opened > wanted.spans_begin && !closed.intent.is_report());
            let requests: Vec<_> = requests.take(wanted.spans_max as usize).collect();
            if requests.is_empty() {
                batch.through = page.through;
            } else if wanted.signals.traces {
                batch.add_spans(&requests, wanted.bytes_max, &resource, &vocabulary);
            }
            Ok::<_, ClientError>(batch)
        });
        made.await?
    }

    /// The sums, if there is something new in them.
    fn add_sums(
        &mut self,
        services: &Services,
        records: &OpenRecords,
        wanted: &Wanted,
        resource: &Resource,
        vocabulary: &Vocabulary,
    ) -> Result<(), ClientError> {
        let store = records.store()?;
        let sums = Sums::counted(store, &*services.clock, wanted.sums_after, wanted.sums_since_ms)?;
        self.sums_through = sums.meter.through();
        if self.sums_through <= sums.sent.max(wanted.sums_after) {
            return Ok(());
        }
        let bodies = metrics(&sums.meter, resource, vocabulary, services.clock.now_ms());
        if self.bytes_of(&bodies) <= wanted.bytes_max {
            self.bodies.extend(bodies);
        } else {
            self.is_too_large = true;
        }
        sums.keep(store)
    }

    /// The spans of the oldest requests, as many as fit.
    fn add_spans(&mut self, requests: &[&ClosedReceipt], bytes_max: u64, resource: &Resource, vocabulary: &Vocabulary) {
        let left = bytes_max.saturating_sub(self.bytes_max());
        let mut count = requests.len();
        while count > 0 {
            let sources: Vec<_> = requests[..count]
                .iter()
                .map(|closed| SpanSource {
                    id: closed.id,
                    opened_ms: closed.opened_ms,
                    intent: &closed.intent,
                    closing: &closed.closing,
                })
                .collect();
            let bodies = spans(&sources, resource, vocabulary);
            if self.bytes_of(&bodies) <= left {
                self.bodies.extend(bodies);
                self.spans = count as u64;
                self.through = requests[count - 1].sequence;
                return;
            }
            count /= 2;
        }
        self.is_too_large = true;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bodies.is_empty()
    }

    /// The most that sending it takes.
    pub(super) fn bytes_max(&self) -> u64 {
        self.bytes_of(&self.bodies)
    }

    fn bytes_of(&self, bodies: &[Body]) -> u64 {
        let bytes = bodies
            .iter()
            .map(|body| self.collector.sent_bytes_max(body, self.key.as_ref()));
        bytes.sum()
    }

    /// Sends it. The receipt's first entry is on the disk before anything leaves.
    ///
    /// # Errors
    /// When nothing was sent, because no receipt could be written.
    pub(super) async fn send(
        self,
        services: &Arc<Services>,
        within_ms: u64,
        stopped: &mut watch::Receiver<u64>,
    ) -> Result<Reported, ClientError> {
        let place = Place::Remote {
            endpoint: Label::squeezed(TELEMETRY_TASK),
            trust: self.rules.trust,
            model: Label::squeezed("otlp"),
        };
        let records = services.records()?;
        let receipt = begin(services, &records, &place, self.bytes_max()).await?;
        let began_ms = services.clock.elapsed_ms();
        let mut sent = Sent::default();
        let sending = async {
            for body in &self.bodies {
                let client = &services.telemetry.client;
                let reply = client.send(&self.collector, body, self.key.as_ref()).await;
                if sent.take(body, reply).is_break() {
                    break;
                }
            }
        };
        // Once stopped or late, the connection is closed where it is.
        let is_stopped = tokio::select! {
            biased;
            _ = stopped.changed() => true,
            () = tokio::time::sleep(Duration::from_millis(within_ms)) => true,
            () = sending => false,
        };
        if is_stopped {
            // What was on its way may have left.
            sent.bytes_out = sent.bytes_out.max(self.bytes_max());
        }
        let milliseconds = services.clock.elapsed_ms() - began_ms;
        let closing = sent.closing(place, milliseconds, is_stopped);
        finish(services, &records, receipt, closing).await;
        // Of what was not tried any more, nothing is known.
        let has = |signal| sent.of(signal).next().is_some() || is_stopped && self.has(signal);
        let reply = |signal, through| {
            let failed = Failure::Retryable { after_ms: None };
            has(signal).then(|| match sent.failed(signal) {
                _ if is_stopped => Reply::Failed(failed),
                Some(failure) => Reply::Failed(failure),
                None => Reply::Accepted {
                    rejected: sent.rejected(signal),
                    through,
                },
            })
        };
        let reported = Reported {
            bytes_out: sent.bytes_out,
            metrics: reply(Signal::Metrics, self.sums_through),
            traces: reply(Signal::Traces, self.through),
            spans: self.spans,
        };
        if let Some(Reply::Accepted { .. }) = reported.metrics {
            note_sent(services, records, self.sums_through).await;
        }
        Ok(reported)
    }

    fn has(&self, signal: Signal) -> bool {
        self.bodies.iter().any(|body| body.signal() == signal)
    }
}

/// What the collector made of the messages so far.
#[derive(Default)]
struct Sent {
    bytes_out: u64,
    bytes_in: u64,
    replies: Vec<(Signal, Result<u64, TelemetryError>)>,
}

impl Sent {
    /// Breaks if nothing more is to be sent now: there is no connection, or the collector has asked to wait.
    fn take(&mut self, body: &Body, reply: Result<whimbrel_network::Sent, TelemetryError>) -> ControlFlow<()> {
        let (bytes_out, bytes_in) = match &reply {
            Ok(sent) => (sent.bytes_out, sent.bytes_in),
            Err(error) => (error.traffic.bytes_out, error.traffic.bytes_in),
        };
        self.bytes_out += bytes_out;
        self.bytes_in += bytes_in;
        let rejected = match reply {
            Ok(sent) => Ok(sent.rejected.min(body.items().into())),
            // It was taken, with a reply that nobody reads.
            Err(error) if matches!(error.failure, whimbrel_network::Failure::ResponseTooLarge { .. }) => Ok(0),
            Err(error) => Err(error),
        };
        let is_last = rejected.is_err_and(|error| error.is_retryable);
        self.replies.push((body.signal(), rejected));
        if is_last {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }

    fn of(&self, signal: Signal) -> impl Iterator<Item = &Result<u64, TelemetryError>> {
        let replies = self.replies.iter().filter(move |(of, _)| *of == signal);
        replies.map(|(_, reply)| reply)
    }

    fn rejected(&self, signal: Signal) -> u64 {
        self.of(signal).flatten().sum()
    }

    fn failed(&self, signal: Signal) -> Option<Failure> {
        let error = self.of(signal).find_map(|reply| reply.as_ref().err())?;
        Some(match error.failure {
            _ if error.is_retryable => Failure::Retryable {
                after_ms: error.retry_after_ms,
            },
            whimbrel_network::Failure::Refused { status, .. } => Failure::Permanent { code: status },
            _ => Failure::Permanent { code: 0 },
        })
    }

    fn closing(&self, place: Place, milliseconds: u64, is_stopped: bool) -> Closing {
        let error = self.replies.iter().find_map(|(_, reply)| reply.as_ref().err());
        let code = error.map(|error| Label::from(endpoint_code(&error.failure, true)));
        let (outcome, ended) = match (is_stopped, &code) {
            (true, _) => (Outcome::Cancelled, AttemptEnd::Cancelled),
            (false, Some(_)) => (Outcome::Failed, AttemptEnd::Failed),
            (false, None) => (Outcome::Answered, AttemptEnd::Answered),
        };
        Closing {
            error: code.clone(),
            attempts: vec![Attempt {
                place,
                sent: Some(Release::AsIs),
                ended,
                error: code,
                rules: Vec::new(),
                milliseconds,
                bytes_out: self.bytes_out,
                bytes_in: self.bytes_in,
            }],
            latency: Latency {
                total_ms: milliseconds,
                ..Latency::default()
            },
            ..Closing::new(outcome)
        }
    }
}

/// The collector of the policy with the app's settings.
pub(super) fn collector(url: &str, extras: &EndpointExtras) -> Result<Collector, ClientError> {
    let mut settings = CollectorSettings::new(url);
    settings.authorities_pem.clone_from(&extras.authorities_pem);
    settings.pins.clone_from(&extras.pins);
    settings.key_header = extras.key_header.clone();
    if let Some(timeouts) = extras.timeouts {
        settings.timeouts = timeouts;
    }
    Collector::new(settings).map_err(|source| ClientError::Endpoint {
        id: TELEMETRY_TASK.to_owned(),
        source,
    })
}

async fn begin(
    services: &Arc<Services>,
    records: &Arc<OpenRecords>,
    place: &Place,
    bytes_out_max: u64,
) -> Result<ReceiptId, ClientError> {
    let intent = Intent {
        planned: vec![Planned {
            place: place.clone(),
            sent: Some(Release::AsIs),
            bytes_out_max,
            rules: Vec::new(),
        }],
        ..Intent::new(
            Label::squeezed(&services.request_id()?),
            Label::squeezed(TELEMETRY_TASK),
            PrivacyClass::Public,
        )
    };
    let records = records.clone();
    let begun = services.blocking(move |services| records.begin(&intent, services.clock.now_ms()));
    Ok(begun.await??)
}

async fn finish(services: &Arc<Services>, records: &Arc<OpenRecords>, receipt: ReceiptId, closing: Closing) {
    let records = records.clone();
    let finished = services.blocking(move |services| records.finish(receipt, &closing, services.clock.now_ms()));
    if let Ok(Err(error)) = finished.await {
        log::error!("the end of receipt {receipt} cannot be written: {error}");
    }
}

/// The collector has the sums up to this receipt. Where that cannot be written, it gets the same sums again, which changes nothing.
async fn note_sent(services: &Arc<Services>, records: Arc<OpenRecords>, through: u64) {
    let noted = services.blocking(move |_| {
        let store = records.store()?;
        match Sums::stored(store)? {
            Some(sums) => Sums { sent: through, ..sums }.keep(store),
            None => Ok(()),
        }
    });
    if let Ok(Err(error)) = noted.await {
        log::warn!("what the collector has cannot be written: {error}");
    }
}

fn resource(services: &Services, records: &OpenRecords, rules: &TelemetryRules) -> Result<Resource, ClientError> {
    let install = records.state(INSTALL)?.and_then(|bytes| bytes.try_into().ok());
    let install: [u8; 16] = match install {
        Some(install) => install,
        None => {
            let install = services.idempotency_key()?.0;
            records.keep_state(INSTALL, &install)?;
            install
        }
    };
    Ok(Resource {
        service: Label::squeezed(&rules.service),
        install: InstallId(install),
        os: Os::here(),
        device: services.device().memory_total_bytes.map(DeviceClass::of),
    })
}

/// Names that anybody may know: those that come with Whimbrel, those in the app's own policy, and those that the app gives.
fn vocabulary(policies: &whimbrel_policy::PolicySet, names: &TelemetryNames) -> Vocabulary {
    let app = policies.app();
    let mut tasks: Vec<&str> = TextTask::all().map(|task| task.name()).collect();
    tasks.push(TASK_DEFAULT);
    tasks.extend(app.task_names());
    tasks.extend(names.tasks.iter().map(String::as_str));
    let mut models: Vec<&str> = app.endpoints().iter().map(|endpoint| &*endpoint.model).collect();
    models.extend(names.models.iter().map(String::as_str));
    Vocabulary {
        models: labels(&models),
        variants: labels(&VARIANTS),
        tasks: labels(&tasks),
        energy_methods: labels(&ENERGY_METHODS),
    }
}

fn labels(names: &[&str]) -> BTreeSet<Label> {
    names.iter().map(|name| Label::squeezed(name)).collect()
}

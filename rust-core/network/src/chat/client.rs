//! The remote engine: takes cleared text, sends it under the endpoint's rules, and turns what comes back into events.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use hyper::body::Bytes;
use hyper::header::{self, HeaderMap, HeaderValue};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout_at};
use whimbrel_privacy::Cleared;

use crate::chat::answer::Meter;
use crate::chat::completion;
use crate::http::connector::Connector;
use crate::http::exchange::{self, HttpClient, Prepared, Reply, milliseconds};
use crate::http::{retry, tls};
use crate::{
    Admission, Answer, Breaker, ChatError, ChatEvent, ChatOptions, Circuit, Delivery, EVENT_BYTES_MAX,
    EVENTS_WAITING_MAX, Endpoint, Failure, FinishReason, Finished, Piece, Secret, ServerCode, SseError, SseEvent,
    SseParser, Usage, Verdict,
};

/// The largest answer of a server that does not stream, in bytes; it has to be in memory at once.
pub const JSON_BYTES_MAX: u32 = 4 * 1024 * 1024;
/// So many endpoints are remembered; beyond that the one that was not used for longest is forgotten, its connections closed.
pub const ENDPOINTS_MAX: u32 = 64;

/// Names the program and its version, and nothing about the device.
const USER_AGENT: &str = concat!("whimbrel/", env!("CARGO_PKG_VERSION"));

/// How an endpoint has done lately.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct EndpointHealth {
    /// Whether requests are let through.
    pub circuit: Circuit,
    /// How long none is let through: 0 unless the circuit is open.
    pub open_for_ms: u64,
    /// Requests that failed in a row, for a reason of the endpoint's.
    pub failures_in_a_row: u32,
    /// Usual time from sending to the first byte of an answer, smoothed over the last few; `None` before the first.
    pub first_byte_ms: Option<u64>,
    /// Certificate chains that held no pinned key, refused or only reported.
    pub pin_misses: u64,
}

/// The remote engine. One for the process; it keeps connections and the health of every endpoint.
#[derive(Debug)]
pub struct Remote {
    runtime: Handle,
    begun: Instant,
    requests: AtomicU64,
    doors: Mutex<HashMap<String, Arc<Door>>>,
}

/// What is kept about one endpoint.
struct Door {
    endpoint: Endpoint,
    client: Mutex<HttpClient>,
    begun: Instant,
    breaker: Mutex<Breaker>,
    first_byte_ms: Mutex<Option<u64>>,
    pin_misses: Arc<AtomicU64>,
    /// The number of its last request, of all that went through any door.
    used: AtomicU64,
}

impl Remote {
    /// An engine whose work runs on `runtime`, which needs its I/O and time drivers. When that is shut down, its answers end as cancelled.
    #[must_use]
    pub fn new(runtime: Handle) -> Remote {
        Remote {
            runtime,
            begun: Instant::now(),
            requests: AtomicU64::new(0),
            doors: Mutex::default(),
        }
    }

    /// Sends a request. It returns at once; what happens is pulled from the [`Answer`]. May be called from any thread.
    ///
    /// # Errors
    /// What can be said without the network: [`Failure::OtherEndpoint`], [`Failure::NoMessage`], [`Failure::Option`],
    /// [`Failure::RequestTooLarge`], [`Failure::CircuitOpen`].
    pub fn chat(
        &self,
        endpoint: &Endpoint,
        payload: Cleared,
        options: &ChatOptions,
        key: Option<&Secret>,
    ) -> Result<Answer, ChatError> {
        let meter = Arc::new(Meter::default());
        let refused = |failure| meter.error(failure);
        if payload.endpoint() != endpoint.id() {
            return Err(refused(Failure::OtherEndpoint));
        }
        let body = completion::request_body(endpoint, &payload, options).map_err(refused)?;
        let prepared = Prepared {
            uri: endpoint.chat_uri().clone(),
            headers: headers(endpoint, options, key),
            body: Bytes::from(body),
        };
        let door = self.door(endpoint);
        let pass = Pass::new(&door).map_err(refused)?;
        let (sender, events) = mpsc::channel(EVENTS_WAITING_MAX as usize);
        let job = Job {
            begun: Instant::now(),
            jitter_seed: options.request_id.clone(),
            prepared,
            door,
            events: sender,
            meter: Arc::clone(&meter),
        };
        let task = self.runtime.spawn(job.run(pass)).abort_handle();
        Ok(Answer::new(events, task, meter))
    }

    /// How an endpoint has done; `None` if nothing was asked of it yet.
    #[must_use]
    pub fn health(&self, endpoint_id: &str) -> Option<EndpointHealth> {
        let door = lock(&self.doors).get(endpoint_id).cloned()?;
        let now = door.now_ms();
        let breaker = lock(&door.breaker);
        Some(EndpointHealth {
            circuit: breaker.circuit(now),
            open_for_ms: breaker.remaining_ms(now),
            failures_in_a_row: breaker.failures(),
            first_byte_ms: *lock(&door.first_byte_ms),
            pin_misses: door.pin_misses.load(Ordering::Relaxed),
        })
    }

    /// Keeps no idle connection: call this when the device changes its network, for the old connections may lead nowhere and say
    /// nothing. Requests on their way stay on theirs.
    pub fn network_changed(&self) {
        for door in lock(&self.doors).values() {
            *lock(&door.client) = new_client(&door.endpoint, &door.pin_misses);
        }
    }

    /// The door of an endpoint; a new one when its settings changed.
    fn door(&self, endpoint: &Endpoint) -> Arc<Door> {
        let mut doors = lock(&self.doors);
        let known = doors.get(endpoint.id());
        let door = match known.filter(|door| door.endpoint.settings() == endpoint.settings()) {
            Some(door) => Arc::clone(door),
            None => {
                if known.is_none() && doors.len() >= ENDPOINTS_MAX as usize {
                    forget_oldest(&mut doors);
                }
                let door = Arc::new(Door::new(endpoint, self.begun));
                doors.insert(endpoint.id().to_owned(), Arc::clone(&door));
                door
            }
        };
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        door.used.store(number, Ordering::Relaxed);
        door
    }
}

fn forget_oldest(doors: &mut HashMap<String, Arc<Door>>) {
    let oldest = doors.iter().min_by_key(|(_, door)| door.used.load(Ordering::Relaxed));
    if let Some(id) = oldest.map(|(id, _)| id.clone()) {
        doors.remove(&id);
    }
}

/// The values behind these locks are whole at any moment, so a panic elsewhere does not spoil them.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn headers(endpoint: &Endpoint, options: &ChatOptions, key: Option<&Secret>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.extend(endpoint.headers().iter().cloned());
    let fixed = HeaderValue::from_static;
    headers.insert(header::CONTENT_TYPE, fixed("application/json"));
    headers.insert(header::ACCEPT, fixed("text/event-stream, application/json"));
    headers.insert(header::ACCEPT_ENCODING, fixed("identity"));
    headers.insert(header::USER_AGENT, fixed(USER_AGENT));
    let id = HeaderValue::from_str(&options.request_id).expect("a checked id is visible ASCII");
    headers.insert("idempotency-key", id);
    if let Some(key) = key {
        match endpoint.key_header() {
            Some(name) => headers.insert(name, key.header("")),
            None => headers.insert(header::AUTHORIZATION, key.header("Bearer ")),
        };
    }
    headers
}

fn new_client(endpoint: &Endpoint, pin_misses: &Arc<AtomicU64>) -> HttpClient {
    let tls = (!endpoint.is_cleartext()).then(|| {
        tls::client_config(endpoint, Arc::clone(pin_misses)).expect("the endpoint's authorities were checked")
    });
    let limit = milliseconds(endpoint.settings().timeouts.connect_ms);
    exchange::http_client(Connector::new(tls, limit))
}

impl Door {
    fn new(endpoint: &Endpoint, begun: Instant) -> Door {
        let pin_misses = Arc::new(AtomicU64::new(0));
        Door {
            client: Mutex::new(new_client(endpoint, &pin_misses)),
            endpoint: endpoint.clone(),
            begun,
            breaker: Mutex::default(),
            first_byte_ms: Mutex::default(),
            pin_misses,
            used: AtomicU64::new(0),
        }
    }

    fn now_ms(&self) -> u64 {
        elapsed_ms(self.begun)
    }

    /// A quarter of the smoothed time is the newest.
    fn measured_first_byte(&self, newest_ms: u64) {
        let mut smoothed = lock(&self.first_byte_ms);
        *smoothed = Some(smoothed.map_or(newest_ms, |before| (3 * before + newest_ms) / 4));
    }
}

impl std::fmt::Debug for Door {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Door")
            .field("endpoint", &self.endpoint.id())
            .finish_non_exhaustive()
    }
}

fn elapsed_ms(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// An admission by the breaker that is handed back whatever happens to the request.
struct Pass {
    door: Arc<Door>,
    admission: Admission,
    settled: bool,
}

impl Pass {
    fn new(door: &Arc<Door>) -> Result<Pass, Failure> {
        let now = door.now_ms();
        let mut breaker = lock(&door.breaker);
        let admission = breaker.admit(now).ok_or_else(|| Failure::CircuitOpen {
            remaining_ms: breaker.remaining_ms(now),
        })?;
        Ok(Pass {
            door: Arc::clone(door),
            admission,
            settled: false,
        })
    }

    fn settle(&mut self, verdict: Verdict) {
        if !std::mem::replace(&mut self.settled, true) {
            let now = self.door.now_ms();
            lock(&self.door.breaker).record(&self.admission, verdict, now);
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.settle(Verdict::Unknown);
    }
}

/// What a failure says about the endpoint.
fn verdict(failure: Failure) -> Verdict {
    match failure {
        Failure::Refused {
            status: 429 | 500..,
            retry_after_ms,
            ..
        } => Verdict::Fails {
            leave_alone_ms: retry_after_ms,
        },
        Failure::Refused { .. } => Verdict::Works,
        Failure::Cancelled => Verdict::Unknown,
        _ => Verdict::Fails { leave_alone_ms: None },
    }
}

/// A request on its way.
struct Job {
    begun: Instant,
    jitter_seed: String,
    prepared: Prepared,
    door: Arc<Door>,
    events: mpsc::Sender<Result<ChatEvent, ChatError>>,
    meter: Arc<Meter>,
}

impl Job {
    async fn run(self, mut pass: Pass) {
        let deadline = self.begun + milliseconds(self.door.endpoint.settings().timeouts.total_ms);
        let result = timeout_at(deadline, self.attempts(deadline, &mut pass)).await;
        let failure = match result {
            Ok(Ok(reply)) => {
                if let Some(reply) = reply {
                    reply.drain().await;
                }
                return;
            }
            Ok(Err(failure)) => failure,
            Err(_) => Failure::TimedOut {
                limit: crate::TimeLimit::Total,
            },
        };
        let blameless = self.meter.waits_for_caller();
        pass.settle(if blameless { Verdict::Unknown } else { verdict(failure) });
        log::debug!("endpoint {}: {failure}", self.door.endpoint.id());
        // A caller who has gone does not want to hear it.
        let _ = self.events.send(Err(self.meter.error(failure))).await;
    }

    /// Sends until there is an answer, or no reason to hope for one. Gives the connection's rest after an answer that ended by its own word.
    async fn attempts(&self, deadline: Instant, pass: &mut Pass) -> Result<Option<Reply>, Failure> {
        let timeouts = self.door.endpoint.settings().timeouts;
        let client = lock(&self.door.client).clone();
        loop {
            let attempt = self.meter.begin_attempt();
            let sent = exchange::send(&client, &self.prepared, &self.meter, &timeouts).await;
            let (failure, again) = match sent {
                Ok(reply) if (200..300).contains(&reply.status()) => return self.answer(reply, pass).await,
                Ok(reply) => self.refusal(reply).await,
                Err(missed) => (missed.failure, !missed.departed && is_passing(missed.failure)),
            };
            let wait = again.then(|| self.wait_ms(attempt, failure, deadline)).flatten();
            let Some(wait) = wait else {
                return Err(failure);
            };
            log::debug!(
                "endpoint {}: attempt {attempt}: {failure}; again in {wait} ms",
                self.door.endpoint.id()
            );
            sleep(Duration::from_millis(wait)).await;
        }
    }

    /// Reads a response that is no answer, and says whether the request may be sent again: a server that is too busy did not work on it.
    async fn refusal(&self, mut reply: Reply) -> (Failure, bool) {
        let status = reply.status();
        let asked = reply.header("retry-after");
        let retry_after_ms = asked.and_then(|value| retry::retry_after_ms(value, SystemTime::now()));
        let body = reply.error_body().await;
        if (300..400).contains(&status) {
            return (Failure::Redirected { status }, false);
        }
        let code = match (completion::read_error(&body), status) {
            (ServerCode::Unstated, 401) => ServerCode::InvalidKey,
            (ServerCode::Unstated, 403) => ServerCode::Forbidden,
            (ServerCode::Unstated, 404) => ServerCode::NotFound,
            (ServerCode::Unstated, 429) => ServerCode::RateLimited,
            (ServerCode::Unstated, 503) => ServerCode::Overloaded,
            (code, _) => code,
        };
        let failure = Failure::Refused {
            status,
            code,
            retry_after_ms,
        };
        // An empty account does not fill up within seconds.
        (
            failure,
            matches!(status, 429 | 503) && code != ServerCode::QuotaExceeded,
        )
    }

    fn wait_ms(&self, attempt: u32, failure: Failure, deadline: Instant) -> Option<u64> {
        let asked = match failure {
            Failure::Refused { retry_after_ms, .. } => retry_after_ms,
            _ => None,
        };
        let left = deadline.saturating_duration_since(Instant::now());
        let left_ms = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
        retry::wait_ms(attempt, asked, left_ms, jitter(&self.jitter_seed, attempt))
    }

    async fn answer(&self, mut reply: Reply, pass: &mut Pass) -> Result<Option<Reply>, Failure> {
        self.meter.reach(Delivery::Answered);
        let started = ChatEvent::Started {
            traffic: self.meter.traffic(),
            http2: reply.is_http2(),
        };
        self.give(started).await?;
        if reply
            .header("content-encoding")
            .is_some_and(|coding| coding != "identity")
        {
            return Err(Failure::ContentType);
        }
        let media_type = reply.header("content-type").unwrap_or_default();
        let media_type = media_type.split(';').next().unwrap_or_default().trim();
        let mut text = Collected::default();
        let open = if media_type.eq_ignore_ascii_case("text/event-stream") {
            self.read_events(&mut reply, &mut text).await?
        } else if media_type.eq_ignore_ascii_case("application/json") {
            self.read_json(&mut reply, &mut text).await?;
            false
        } else {
            return Err(Failure::ContentType);
        };
        pass.settle(Verdict::Works);
        let finished = Finished {
            finish_reason: text.finish_reason.unwrap_or(FinishReason::Unstated),
            usage: text.usage,
            model: text.model,
            traffic: self.meter.traffic(),
            first_text_ms: text.first_text_ms,
            total_ms: elapsed_ms(self.begun),
        };
        self.give(ChatEvent::Finished(finished)).await?;
        Ok(open.then_some(reply))
    }

    /// Reads a stream to its last word (`true`) or, after a finish reason, to its end (`false`).
    async fn read_events(&self, reply: &mut Reply, text: &mut Collected) -> Result<bool, Failure> {
        let bytes_max = u64::from(self.door.endpoint.settings().response_bytes_max);
        let mut parser = SseParser::new();
        let mut events = Vec::new();
        loop {
            let data = match reply.next(bytes_max).await {
                Ok(Some(data)) => data,
                // The model has said that it is done; how the connection ends does not matter then.
                Ok(None) | Err(Failure::Lost | Failure::Truncated) if text.finish_reason.is_some() => return Ok(false),
                Ok(None) => return Err(Failure::Truncated),
                Err(failure) => return Err(failure),
            };
            self.first_byte(reply, text);
            let parsed = parser.push(&data, &mut events);
            for event in events.drain(..) {
                if event.data == "[DONE]" {
                    return Ok(true);
                }
                self.take_piece(read_event(&event)?, text).await?;
            }
            parsed.map_err(|error| match error {
                SseError::TooLong => Failure::ResponseTooLarge {
                    what: "one event",
                    bytes_max: u64::from(EVENT_BYTES_MAX),
                },
                SseError::NotUtf8 => Failure::Malformed { what: "UTF-8" },
            })?;
        }
    }

    /// Reads the answer of a server that does not stream.
    async fn read_json(&self, reply: &mut Reply, text: &mut Collected) -> Result<(), Failure> {
        let bytes_max = self.door.endpoint.settings().response_bytes_max.min(JSON_BYTES_MAX);
        let mut body = Vec::new();
        while let Some(data) = reply.next(u64::from(bytes_max)).await? {
            self.first_byte(reply, text);
            body.extend_from_slice(&data);
        }
        self.take_piece(completion::read_piece(&body)?, text).await
    }

    fn first_byte(&self, reply: &Reply, text: &mut Collected) {
        if !std::mem::replace(&mut text.byte_seen, true) {
            self.door.measured_first_byte(elapsed_ms(reply.departed()));
        }
    }

    async fn take_piece(&self, piece: Piece, collected: &mut Collected) -> Result<(), Failure> {
        collected.finish_reason = piece.finish_reason.or(collected.finish_reason);
        collected.usage = piece.usage.or(collected.usage);
        if collected.model.is_none() {
            collected.model = piece.model;
        }
        let Some(text) = piece.text.filter(|text| !text.is_empty()) else {
            return Ok(());
        };
        self.meter.text();
        collected.first_text_ms.get_or_insert_with(|| elapsed_ms(self.begun));
        self.give(ChatEvent::Text(text)).await
    }

    async fn give(&self, event: ChatEvent) -> Result<(), Failure> {
        self.meter.set_waits_for_caller(true);
        let given = self.events.send(Ok(event)).await;
        self.meter.set_waits_for_caller(false);
        given.map_err(|_| Failure::Cancelled)
    }
}

/// What an answer said besides its text.
#[derive(Default)]
struct Collected {
    finish_reason: Option<FinishReason>,
    usage: Option<Usage>,
    model: Option<String>,
    first_text_ms: Option<u64>,
    byte_seen: bool,
}

fn read_event(event: &SseEvent) -> Result<Piece, Failure> {
    if event.data.is_empty() {
        return Ok(Piece::default());
    }
    if event.name == "error" {
        let code = completion::read_error(event.data.as_bytes());
        return Err(Failure::Reported { code });
    }
    completion::read_piece(event.data.as_bytes())
}

/// Failures before sending that may be over in a second. Having waited for a connection until the limit is waiting enough.
fn is_passing(failure: Failure) -> bool {
    matches!(failure, Failure::Unreachable | Failure::Handshake | Failure::Lost)
}

/// A number that differs between requests and attempts, which is all that jitter needs.
fn jitter(request_id: &str, attempt: u32) -> u32 {
    let mut hash = Sha256::new();
    hash.update(request_id);
    hash.update(attempt.to_le_bytes());
    let hash: [u8; 32] = hash.finalize().into();
    u32::from_le_bytes([hash[0], hash[1], hash[2], hash[3]])
}

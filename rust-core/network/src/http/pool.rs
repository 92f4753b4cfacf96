//! The state of each endpoint between requests: its connections, its circuit breaker and its statistics.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::Failure;
use crate::http::breaker::{Admission, Breaker, Circuit, Verdict};
use crate::http::connector::Connector;
use crate::http::endpoint::Endpoint;
use crate::http::exchange::{self, HttpClient, milliseconds};
use crate::http::{tls, trust};

/// Maximum number of endpoints that are remembered. Beyond it, the least recently used one is forgotten and its connections are closed.
pub const ENDPOINTS_MAX: u32 = 64;

/// The recent health of an endpoint.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct EndpointHealth {
    /// Which requests are let through.
    pub circuit: Circuit,
    /// How long no request is let through, in milliseconds: 0 unless the circuit is open.
    pub open_for_ms: u64,
    /// Consecutive failures caused by the endpoint.
    pub failures_in_a_row: u32,
    /// Typical time from sending a request to the first byte of the answer, smoothed over the last few; `None` before the first.
    pub first_byte_ms: Option<u64>,
    /// Number of certificate chains without a pinned key, whether refused or only reported.
    pub pin_misses: u64,
}

/// The endpoints in use, by their ids.
#[derive(Debug)]
pub(crate) struct EndpointPool {
    begun: Instant,
    requests: AtomicU64,
    endpoints: Mutex<HashMap<String, Arc<EndpointState>>>,
}

impl EndpointPool {
    pub(crate) fn new() -> EndpointPool {
        EndpointPool {
            begun: Instant::now(),
            requests: AtomicU64::new(0),
            endpoints: Mutex::default(),
        }
    }

    /// The state of an endpoint for its next request; a new one when its settings changed.
    pub(crate) fn state(&self, endpoint: &Endpoint) -> Arc<EndpointState> {
        let mut endpoints = lock(&self.endpoints);
        let known = endpoints.get(endpoint.id());
        let state = match known.filter(|state| state.endpoint.settings() == endpoint.settings()) {
            Some(state) => Arc::clone(state),
            None => {
                if known.is_none() && endpoints.len() >= ENDPOINTS_MAX as usize {
                    forget_oldest(&mut endpoints);
                }
                let state = Arc::new(EndpointState::new(endpoint, self.begun));
                endpoints.insert(endpoint.id().to_owned(), Arc::clone(&state));
                state
            }
        };
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        state.last_request.store(number, Ordering::Relaxed);
        state
    }

    pub(crate) fn health(&self, endpoint_id: &str) -> Option<EndpointHealth> {
        let state = lock(&self.endpoints).get(endpoint_id).cloned()?;
        let now = state.now_ms();
        let breaker = lock(&state.breaker);
        Some(EndpointHealth {
            circuit: breaker.circuit(now),
            open_for_ms: breaker.remaining_ms(now),
            failures_in_a_row: breaker.failures(),
            first_byte_ms: *lock(&state.first_byte_ms),
            pin_misses: state.pin_misses.load(Ordering::Relaxed),
        })
    }

    /// Forgets every idle connection. Requests on their way stay on theirs.
    pub(crate) fn close_idle(&self) {
        for state in lock(&self.endpoints).values() {
            *lock(&state.client) = new_client(&state.endpoint, &state.pin_misses);
        }
    }
}

fn forget_oldest(endpoints: &mut HashMap<String, Arc<EndpointState>>) {
    let oldest = endpoints
        .iter()
        .min_by_key(|(_, state)| state.last_request.load(Ordering::Relaxed));
    if let Some(id) = oldest.map(|(id, _)| id.clone()) {
        endpoints.remove(&id);
    }
}

/// The values behind these locks are whole at any moment, so a panic elsewhere does not spoil them.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn new_client(endpoint: &Endpoint, pin_misses: &Arc<AtomicU64>) -> HttpClient {
    let tls = (!endpoint.is_cleartext()).then(|| {
        let roots = trust::of(endpoint.settings());
        let config =
            roots.and_then(|roots| tls::client_config(roots, endpoint.id(), endpoint.pins(), Arc::clone(pin_misses)));
        config.expect("the endpoint's authorities were checked")
    });
    let limit = milliseconds(endpoint.settings().timeouts.connect_ms);
    exchange::http_client(Connector::new(tls, limit))
}

/// What is remembered about one endpoint.
pub(crate) struct EndpointState {
    endpoint: Endpoint,
    client: Mutex<HttpClient>,
    begun: Instant,
    breaker: Mutex<Breaker>,
    first_byte_ms: Mutex<Option<u64>>,
    pin_misses: Arc<AtomicU64>,
    /// The number of its last request, counted over all endpoints.
    last_request: AtomicU64,
}

impl EndpointState {
    fn new(endpoint: &Endpoint, begun: Instant) -> EndpointState {
        let pin_misses = Arc::new(AtomicU64::new(0));
        EndpointState {
            client: Mutex::new(new_client(endpoint, &pin_misses)),
            endpoint: endpoint.clone(),
            begun,
            breaker: Mutex::default(),
            first_byte_ms: Mutex::default(),
            pin_misses,
            last_request: AtomicU64::new(0),
        }
    }

    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The pool of its connections.
    pub(crate) fn client(&self) -> HttpClient {
        lock(&self.client).clone()
    }

    /// Learns the time from sending to the first byte. A quarter of the smoothed time is the newest.
    pub(crate) fn record_first_byte(&self, newest_ms: u64) {
        let mut smoothed = lock(&self.first_byte_ms);
        *smoothed = Some(smoothed.map_or(newest_ms, |before| (3 * before + newest_ms) / 4));
    }

    /// Lets no other request through for so long.
    pub(crate) fn leave_alone(&self, wait_ms: u64) {
        lock(&self.breaker).leave_alone(wait_ms, self.now_ms());
    }

    fn now_ms(&self) -> u64 {
        elapsed_ms(self.begun)
    }
}

impl std::fmt::Debug for EndpointState {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("EndpointState")
            .field("endpoint", &self.endpoint.id())
            .finish_non_exhaustive()
    }
}

/// The breaker's permission for one request. It is handed back whatever happens to the request.
pub(crate) struct CircuitPermit {
    endpoint: Arc<EndpointState>,
    admission: Admission,
    settled: bool,
}

impl CircuitPermit {
    /// Asks the endpoint's breaker.
    ///
    /// # Errors
    /// [`Failure::CircuitOpen`].
    pub(crate) fn acquire(endpoint: &Arc<EndpointState>) -> Result<CircuitPermit, Failure> {
        let now = endpoint.now_ms();
        let mut breaker = lock(&endpoint.breaker);
        let admission = breaker.admit(now).ok_or_else(|| Failure::CircuitOpen {
            remaining_ms: breaker.remaining_ms(now),
        })?;
        Ok(CircuitPermit {
            endpoint: Arc::clone(endpoint),
            admission,
            settled: false,
        })
    }

    /// Tells the breaker how the request ended. Only the first call counts.
    pub(crate) fn settle(&mut self, verdict: Verdict) {
        if !std::mem::replace(&mut self.settled, true) {
            let now = self.endpoint.now_ms();
            lock(&self.endpoint.breaker).record(&self.admission, verdict, now);
        }
    }
}

impl Drop for CircuitPermit {
    fn drop(&mut self) {
        self.settle(Verdict::Unknown);
    }
}

/// Whole milliseconds since an instant.
pub(crate) fn elapsed_ms(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

//! One request in progress: its attempts, the waits between them, and what its end says about the endpoint's health.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use sha2::{Digest, Sha256};
use tokio::time::{Instant, sleep};

use crate::chat::answer::EventSender;
use crate::chat::reader::AnswerReader;
use crate::chat::server_error;
use crate::http::breaker::Verdict;
use crate::http::exchange::{self, IncomingResponse, OutgoingRequest, milliseconds};
use crate::http::pool::{CircuitPermit, EndpointState};
use crate::http::retry;
use crate::http::traffic::RequestProgress;
use crate::{Failure, ServerCode, TimeLimit};

/// A request on its way.
pub(crate) struct RequestTask {
    pub(crate) begun: Instant,
    pub(crate) jitter_seed: String,
    /// The longest wait before the request is sent again.
    pub(crate) wait_ms_max: u64,
    pub(crate) request: OutgoingRequest,
    /// The request allows calls of tools.
    pub(crate) takes_calls: bool,
    pub(crate) endpoint: Arc<EndpointState>,
    pub(crate) events: EventSender,
    pub(crate) progress: Arc<RequestProgress>,
}

impl RequestTask {
    /// Carries the request to its end within its time limit, and tells the caller and the breaker how it ended.
    pub(crate) async fn run(self, mut permit: CircuitPermit) {
        let deadline = self.begun + milliseconds(self.endpoint.endpoint().settings().timeouts.total_ms);
        let result = exchange::within(deadline, self.attempts(deadline, &mut permit)).await;
        let failure = match result {
            Some(Ok(response)) => {
                if let Some(response) = response {
                    response.drain().await;
                }
                return;
            }
            Some(Err(failure)) => failure,
            None => Failure::TimedOut {
                limit: TimeLimit::Total,
            },
        };
        let blameless = self.progress.waits_for_caller();
        permit.settle(if blameless { Verdict::Unknown } else { verdict(failure) });
        log::debug!("endpoint {}: {failure}", self.endpoint.endpoint().id());
        self.events.fail(failure).await;
    }

    /// Sends until there is an answer, or no reason to hope for one. Gives the connection's rest after an answer that ended by its own word.
    async fn attempts(
        &self,
        deadline: Instant,
        permit: &mut CircuitPermit,
    ) -> Result<Option<IncomingResponse>, Failure> {
        let timeouts = self.endpoint.endpoint().settings().timeouts;
        let client = self.endpoint.client();
        loop {
            let attempt = self.progress.begin_attempt();
            let sent = exchange::send(&client, &self.request, &self.progress, &timeouts).await;
            let (failure, again) = match sent {
                Ok(response) if (200..300).contains(&response.status()) => {
                    let mut reader =
                        AnswerReader::new(&self.endpoint, &self.progress, &self.events, self.begun, deadline);
                    if self.takes_calls {
                        reader.take_calls();
                    }
                    return reader.read(response, permit).await;
                }
                Ok(response) => refusal(response).await,
                Err(error) => (error.failure, !error.body_taken && is_passing(error.failure)),
            };
            let wait = again.then(|| self.wait_ms(attempt, failure, deadline)).flatten();
            let Some(wait) = wait else {
                return Err(failure);
            };
            // Others need not ask meanwhile.
            if let Verdict::Fails {
                leave_alone_ms: Some(asked),
            } = verdict(failure)
            {
                self.endpoint.leave_alone(asked);
            }
            log::debug!(
                "endpoint {}: attempt {attempt}: {failure}; retrying in {wait} ms",
                self.endpoint.endpoint().id()
            );
            sleep(Duration::from_millis(wait)).await;
        }
    }

    fn wait_ms(&self, attempt: u32, failure: Failure, deadline: Instant) -> Option<u64> {
        let asked = match failure {
            Failure::Refused { retry_after_ms, .. } => retry_after_ms,
            _ => None,
        };
        let left = deadline.saturating_duration_since(Instant::now());
        let left_ms = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
        let bounds = (left_ms, self.wait_ms_max);
        retry::wait_ms(attempt, asked, bounds, jitter(&self.jitter_seed, attempt))
    }
}

/// Reads a response that is no answer, and says whether the request may be sent again: a server that is too busy did not work on it.
async fn refusal(mut response: IncomingResponse) -> (Failure, bool) {
    let status = response.status();
    let asked = response.header("retry-after");
    let retry_after_ms = asked.and_then(|value| retry::retry_after_ms(value, SystemTime::now()));
    let body = response.error_body().await;
    if (300..400).contains(&status) {
        return (Failure::Redirected { status }, false);
    }
    // The body says more than the status, unless it says only whose fault it is.
    let code = match (server_error::read_error(&body), ServerCode::from_status(status)) {
        (said, ServerCode::Unstated) => said,
        (said, meant) if said.is_general() => meant,
        (said, _) => said,
    };
    let failure = Failure::Refused {
        status,
        code,
        retry_after_ms,
    };
    // An empty account does not fill up within seconds.
    let again = matches!(status, 429 | 503) && code != ServerCode::QuotaExceeded;
    (failure, again)
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
        // The endpoint works; it is the model that wrote an unusable call.
        Failure::Refused { .. } | Failure::BadCall { .. } => Verdict::Works,
        Failure::Cancelled => Verdict::Unknown,
        _ => Verdict::Fails { leave_alone_ms: None },
    }
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

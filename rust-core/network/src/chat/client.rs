//! The chat client: takes cleared text, sends it according to the endpoint's settings, and returns an answer in progress.

use std::sync::Arc;

use hyper::body::Bytes;
use hyper::header::{self, HeaderMap, HeaderValue};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::Instant;
use whimbrel_privacy::Cleared;

use crate::chat::answer::{Answer, EVENTS_WAITING_MAX, EventSender};
use crate::chat::request::{ChatOptions, request_body};
use crate::chat::task::RequestTask;
use crate::http::exchange::OutgoingRequest;
use crate::http::pool::{CircuitPermit, EndpointHealth, EndpointPool};
use crate::http::retry::RETRY_AFTER_MS_MAX;
use crate::http::traffic::RequestProgress;
use crate::{ChatError, Endpoint, Failure, Secret};

/// Sends chat completions. Use one for the whole process; it keeps connections and the health of every endpoint.
///
/// ```
/// use whimbrel_network::{ChatClient, ChatEvent, ChatOptions, Endpoint, EndpointSettings, FinishReason};
/// use whimbrel_testing::{ChatServer, Reply};
/// # use whimbrel_privacy::{
/// #     Cleared, Draft, DraftMessage, Permit, Placeholders, PrivacyClass, Release, Scanner, ScannerOptions, Speaker,
/// # };
/// # /// What the policy does in an app.
/// # fn cleared_for(endpoint: &str, text: &str) -> Cleared {
/// #     let message = DraftMessage { speaker: Speaker::User, text: text.to_owned() };
/// #     let draft = Draft { messages: vec![message], class: PrivacyClass::Public };
/// #     let examined = Scanner::new(ScannerOptions::default()).unwrap().examine(draft).unwrap();
/// #     let permit = Permit::issue(endpoint, Release::AsIs, examined.facts());
/// #     examined.clear(&permit, &mut Placeholders::new()).unwrap()
/// # }
///
/// let runtime = tokio::runtime::Runtime::new()?;
/// let client = ChatClient::new(runtime.handle().clone());
///
/// // A server on this machine stands in for the one in the policy.
/// let server = ChatServer::start(&[Reply::Whole]);
/// let endpoint = Endpoint::new(EndpointSettings::new("cloud", &server.url, "small"))?;
///
/// let payload = cleared_for("cloud", "What is a whimbrel?");
/// let mut answer = client.chat(&endpoint, payload, &ChatOptions::new("request-1"), None)?;
/// let mut text = String::new();
/// runtime.block_on(async {
///     while let Some(event) = answer.next().await {
///         match event? {
///             ChatEvent::Started { .. } | ChatEvent::Thinking(_) | ChatEvent::Call(_) => {}
///             ChatEvent::Text(piece) => text += &piece,
///             ChatEvent::Finished(end) => assert_eq!(end.finish_reason, FinishReason::Stop),
///         }
///     }
///     Ok::<(), whimbrel_network::ChatError>(())
/// })?;
/// assert_eq!(text, "An answer from the server.");
/// assert_eq!(client.health("cloud").unwrap().failures_in_a_row, 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ChatClient {
    runtime: Handle,
    endpoints: EndpointPool,
}

impl ChatClient {
    /// A client that runs its tasks on `runtime`, which needs I/O and time enabled. When the runtime is shut down, all answers end as
    /// cancelled.
    #[must_use]
    pub fn new(runtime: Handle) -> ChatClient {
        ChatClient {
            runtime,
            endpoints: EndpointPool::new(),
        }
    }

    /// Sends a request and returns at once. The [`Answer`] reports what happens. May be called from any thread.
    ///
    /// # Errors
    /// Those that need no network: [`Failure::OtherEndpoint`], [`Failure::NoMessage`], [`Failure::Option`], [`Failure::RequestTooLarge`],
    /// [`Failure::CircuitOpen`].
    pub fn chat(
        &self,
        endpoint: &Endpoint,
        payload: Cleared,
        options: &ChatOptions,
        key: Option<&Secret>,
    ) -> Result<Answer, ChatError> {
        let progress = Arc::new(RequestProgress::default());
        let refused = |failure| ChatError::new(failure, &progress);
        if payload.endpoint() != endpoint.id() {
            return Err(refused(Failure::OtherEndpoint));
        }
        let body = request_body(endpoint, &payload, options).map_err(refused)?;
        let request = OutgoingRequest {
            uri: endpoint.chat_uri().clone(),
            headers: headers(endpoint, options, key),
            body: Bytes::from(body.json),
        };
        let state = self.endpoints.state(endpoint);
        let permit = CircuitPermit::acquire(&state).map_err(refused)?;
        let (sender, events) = mpsc::channel(EVENTS_WAITING_MAX as usize);
        let task = RequestTask {
            begun: Instant::now(),
            jitter_seed: options.request_id.clone(),
            wait_ms_max: options.wait_ms_max.unwrap_or(RETRY_AFTER_MS_MAX),
            request,
            takes_calls: body.takes_calls,
            endpoint: state,
            events: EventSender::new(sender, &progress),
            progress: Arc::clone(&progress),
        };
        let task = self.runtime.spawn(task.run(permit)).abort_handle();
        Ok(Answer::new(events, task, progress))
    }

    /// The health of an endpoint; `None` if it has not been used yet.
    #[must_use]
    pub fn health(&self, endpoint_id: &str) -> Option<EndpointHealth> {
        self.endpoints.health(endpoint_id)
    }

    /// Closes all idle connections. Call this when the device changes its network, because old connections may be dead without an error.
    /// Requests in progress keep theirs.
    pub fn network_changed(&self) {
        self.endpoints.close_idle();
    }
}

fn headers(endpoint: &Endpoint, options: &ChatOptions, key: Option<&Secret>) -> HeaderMap {
    let mut headers = endpoint.common_headers(key);
    let fixed = HeaderValue::from_static;
    headers.insert(header::CONTENT_TYPE, fixed("application/json"));
    headers.insert(header::ACCEPT, fixed("text/event-stream, application/json"));
    let id = HeaderValue::from_str(&options.request_id).expect("a checked id is visible ASCII");
    headers.insert("idempotency-key", id);
    headers
}

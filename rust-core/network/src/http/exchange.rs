//! One attempt: sends the request and receives the response, with timeouts and byte counts. `chat` interprets the bytes and decides whether
//! to retry.

use std::convert::Infallible;
use std::error::Error;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::header::HeaderMap;
use hyper::{Method, Request, Response, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout, timeout_at};

use crate::http::connector::{ConnectError, Connector};
use crate::http::settings::Timeouts;
use crate::http::traffic::{Delivery, RequestProgress};
use crate::{Failure, TimeLimit};

/// Maximum size of a response's head in bytes.
pub const HEAD_BYTES_MAX: u32 = 64 * 1024;
/// How much of an error response's body is read, in bytes.
pub const ERROR_BODY_BYTES_MAX: u32 = 16 * 1024;
/// So long is a refusal's body waited for.
const ERROR_BODY_LIMIT: Duration = Duration::from_secs(5);
/// So much is read past the end of an answer, so that its connection can be used again.
const DRAIN_BYTES_MAX: u64 = 16 * 1024;
const DRAIN_LIMIT: Duration = Duration::from_secs(1);
/// An idle connection is closed after this time: many servers close theirs after a minute, and a request that meets that moment is lost.
const POOL_IDLE_LIMIT: Duration = Duration::from_secs(30);
const POOL_IDLE_MAX: usize = 4;
/// A timer that is later than this was not merely late: nothing ran meanwhile.
const FROZEN_LEAST: Duration = Duration::from_millis(250);
/// So long may it take to read what came while nothing ran.
const WAKING_LIMIT: Duration = Duration::from_secs(1);
/// A connection with HTTP/2 is asked for a sign of life this often while a request is on it, and given up when none comes in time: a
/// phone that changes its network leaves connections behind that say nothing more.
const PING_INTERVAL: Duration = Duration::from_secs(15);
const PING_LIMIT: Duration = Duration::from_secs(10);

/// Names the program and its version, and nothing about the device.
pub(crate) const USER_AGENT: &str = concat!("whimbrel/", env!("CARGO_PKG_VERSION"));

pub(crate) type HttpClient = Client<Connector, OutgoingBody>;

/// A pool of connections.
pub(crate) fn http_client(connector: Connector) -> HttpClient {
    Client::builder(TokioExecutor::new())
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(POOL_IDLE_LIMIT)
        .pool_max_idle_per_host(POOL_IDLE_MAX)
        .http1_max_buf_size(HEAD_BYTES_MAX as usize)
        .http2_max_header_list_size(HEAD_BYTES_MAX)
        .http2_keep_alive_interval(PING_INTERVAL)
        .http2_keep_alive_timeout(PING_LIMIT)
        .build(connector)
}

/// A request that can be sent several times.
pub(crate) struct OutgoingRequest {
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl OutgoingRequest {
    /// The size of request line and header fields as HTTP/1.1 writes them, with the two fields that hyper adds.
    fn head_bytes(&self) -> u64 {
        let host = self.uri.authority().map_or(0, |authority| authority.as_str().len());
        let length = self.body.len().to_string().len();
        let line = "POST  HTTP/1.1\r\n".len() + self.uri.path().len();
        let added = "host: \r\n".len() + host + "content-length: \r\n".len() + length;
        (line + added + "\r\n".len()) as u64 + field_bytes(&self.headers)
    }
}

fn field_bytes(headers: &HeaderMap) -> u64 {
    let field = |(name, value): (&hyper::header::HeaderName, &hyper::header::HeaderValue)| {
        (name.as_str().len() + ": \r\n".len() + value.len()) as u64
    };
    headers.iter().map(field).sum()
}

/// Tells when the connection took the request's body, which is when it begins to leave.
#[derive(Default)]
struct BodyTaken {
    taken: AtomicBool,
    notify: Notify,
}

/// The body of a request, which counts when it is taken.
pub(crate) struct OutgoingBody {
    bytes: Option<Bytes>,
    head_bytes: u64,
    body_taken: Arc<BodyTaken>,
    progress: Arc<RequestProgress>,
}

impl Body for OutgoingBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(bytes) = self.bytes.take() else {
            return Poll::Ready(None);
        };
        self.progress.add_sent(self.head_bytes + bytes.len() as u64);
        self.body_taken.taken.store(true, Ordering::Relaxed);
        self.body_taken.notify.notify_one();
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}

/// An attempt that brought no response.
pub(crate) struct SendError {
    pub(crate) failure: Failure,
    /// The body began to leave, so the server may have the request.
    pub(crate) body_taken: bool,
}

/// Sends the request once.
pub(crate) async fn send(
    client: &HttpClient,
    outgoing: &OutgoingRequest,
    progress: &Arc<RequestProgress>,
    timeouts: &Timeouts,
) -> Result<IncomingResponse, SendError> {
    let body_taken = Arc::new(BodyTaken::default());
    let mut request = Request::new(OutgoingBody {
        bytes: Some(outgoing.body.clone()),
        head_bytes: outgoing.head_bytes(),
        body_taken: Arc::clone(&body_taken),
        progress: Arc::clone(progress),
    });
    *request.method_mut() = Method::POST;
    *request.uri_mut() = outgoing.uri.clone();
    *request.headers_mut() = outgoing.headers.clone();

    let failed = |failure| SendError {
        failure,
        body_taken: body_taken.taken.load(Ordering::Relaxed),
    };
    let timed_out = |limit| failed(Failure::TimedOut { limit });
    let mut response = pin!(client.request(request));
    let mut left = pin!(body_taken.notify.notified());
    // Until the request leaves it is the connection that is waited for.
    let early = poll_fn(|context| {
        if let Poll::Ready(result) = response.as_mut().poll(context) {
            return Poll::Ready(Some(result));
        }
        left.as_mut().poll(context).map(|()| None)
    });
    let early = timeout(milliseconds(timeouts.connect_ms), early)
        .await
        .map_err(|_| timed_out(TimeLimit::Connect))?;
    let taken_at = Instant::now();
    let deadline = taken_at + milliseconds(timeouts.first_byte_ms);
    let result = match early {
        Some(result) => result,
        None => within(deadline, response)
            .await
            .ok_or_else(|| timed_out(TimeLimit::FirstByte))?,
    };
    let response = result.map_err(|error| failed(response_failure(&error)))?;
    Ok(IncomingResponse::new(response, taken_at, timeouts, progress))
}

/// Asks for what is at an address. A request without a body may be sent again, so it does not matter when it left.
pub(crate) async fn get(
    client: &HttpClient,
    uri: Uri,
    headers: HeaderMap,
    timeouts: &Timeouts,
) -> Result<IncomingResponse, Failure> {
    let progress = Arc::new(RequestProgress::default());
    let mut request = Request::new(OutgoingBody {
        bytes: None,
        head_bytes: 0,
        body_taken: Arc::default(),
        progress: Arc::clone(&progress),
    });
    *request.uri_mut() = uri;
    *request.headers_mut() = headers;
    let deadline = Instant::now() + milliseconds(timeouts.connect_ms) + milliseconds(timeouts.first_byte_ms);
    let limit = TimeLimit::FirstByte;
    let response = within(deadline, client.request(request)).await;
    let response = response.ok_or(Failure::TimedOut { limit })?;
    let response = response.map_err(|error| response_failure(&error))?;
    Ok(IncomingResponse::new(response, Instant::now(), timeouts, &progress))
}

/// What a future gives until a deadline. An app that was frozen wakes up behind its deadlines, and what came meanwhile lies in the socket: it
/// gets a moment to be read.
pub(crate) async fn within<F: Future>(deadline: Instant, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    if let Ok(output) = timeout_at(deadline, &mut future).await {
        return Some(output);
    }
    let late = Instant::now().saturating_duration_since(deadline);
    match late >= FROZEN_LEAST {
        true => timeout(WAKING_LIMIT, future).await.ok(),
        false => None,
    }
}

pub(crate) fn milliseconds(count: u32) -> Duration {
    Duration::from_millis(u64::from(count))
}

/// Why there is no response.
fn response_failure(error: &hyper_util::client::legacy::Error) -> Failure {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(ConnectError(failure)) = error.downcast_ref() {
            return *failure;
        }
        if let Some(error) = error.downcast_ref::<hyper::Error>()
            && error.is_parse()
        {
            return Failure::Protocol;
        }
        cause = error.source();
    }
    Failure::Lost
}

/// A response whose body is being read.
pub(crate) struct IncomingResponse {
    response: Response<Incoming>,
    taken_at: Instant,
    /// Until the first byte of the body.
    first_deadline: Option<Instant>,
    idle: Duration,
    body_bytes: u64,
    progress: Arc<RequestProgress>,
}

impl IncomingResponse {
    fn new(
        response: Response<Incoming>,
        taken_at: Instant,
        timeouts: &Timeouts,
        progress: &Arc<RequestProgress>,
    ) -> IncomingResponse {
        let reason = response.status().canonical_reason().unwrap_or_default();
        let line = "HTTP/1.1 200 \r\n".len() + reason.len() + "\r\n".len();
        progress.add_received(line as u64 + field_bytes(response.headers()));
        IncomingResponse {
            response,
            taken_at,
            first_deadline: Some(taken_at + milliseconds(timeouts.first_byte_ms)),
            idle: milliseconds(timeouts.idle_ms),
            body_bytes: 0,
            progress: Arc::clone(progress),
        }
    }

    pub(crate) fn status(&self) -> u16 {
        self.response.status().as_u16()
    }

    /// When the connection took the request.
    pub(crate) fn body_taken_at(&self) -> Instant {
        self.taken_at
    }

    pub(crate) fn is_http2(&self) -> bool {
        self.response.version() == hyper::Version::HTTP_2
    }

    /// A header field, if it is there and is text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.response.headers().get(name)?.to_str().ok()
    }

    /// The body's next bytes, `None` at its proper end.
    pub(crate) async fn next(&mut self, bytes_max: u64) -> Result<Option<Bytes>, Failure> {
        let (limit, deadline) = match self.first_deadline {
            Some(deadline) => (TimeLimit::FirstByte, deadline),
            None => (TimeLimit::Idle, Instant::now() + self.idle),
        };
        let data = within(deadline, next_data(self.response.body_mut()))
            .await
            .ok_or(Failure::TimedOut { limit })??;
        self.first_deadline = None;
        let Some(data) = data else {
            return Ok(None);
        };
        self.progress.add_received(data.len() as u64);
        self.body_bytes += data.len() as u64;
        if self.body_bytes > bytes_max {
            let what = "body";
            return Err(Failure::ResponseTooLarge { what, bytes_max });
        }
        Ok(Some(data))
    }

    /// The beginning of a refusal's body, as much as comes without trouble.
    pub(crate) async fn error_body(&mut self) -> Vec<u8> {
        self.progress.set_delivery(Delivery::Refused);
        let mut body = Vec::new();
        let bytes_max = u64::from(ERROR_BODY_BYTES_MAX);
        let read = async {
            while let Ok(Some(data)) = self.next(bytes_max).await {
                body.extend_from_slice(&data);
            }
        };
        // Whatever came in time is enough to look for a code.
        let _ = timeout(ERROR_BODY_LIMIT, read).await;
        body
    }

    /// Reads what little may follow an answer, so that the connection can serve again.
    pub(crate) async fn drain(mut self) {
        let bytes_max = self.body_bytes + DRAIN_BYTES_MAX;
        let read = async { while let Ok(Some(_)) = self.next(bytes_max).await {} };
        let _ = timeout(DRAIN_LIMIT, read).await;
    }
}

/// The next data of a body; trailers are skipped.
async fn next_data(body: &mut Incoming) -> Result<Option<Bytes>, Failure> {
    loop {
        let frame = poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await;
        match frame.transpose().map_err(|error| body_failure(&error))? {
            None => return Ok(None),
            Some(frame) => {
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
        }
    }
}

/// Why a body ended early.
fn body_failure(error: &hyper::Error) -> Failure {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
        if matches!(kind, Some(io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput)) {
            return Failure::Protocol;
        }
        let early_end = kind == Some(io::ErrorKind::UnexpectedEof);
        let incomplete = error
            .downcast_ref::<hyper::Error>()
            .is_some_and(hyper::Error::is_incomplete_message);
        if early_end || incomplete {
            return Failure::Truncated;
        }
        cause = error.source();
    }
    Failure::Lost
}

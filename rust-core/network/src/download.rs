//! The second errand of the only door: fetching files. A request says which file and from which byte, and nothing else. What an answer is worth, and
//! whether another is asked for, is decided by whoever asks: redirects are not followed here.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::SystemTime;

use hyper::Uri;
use hyper::body::Bytes;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};

use crate::Failure;
use crate::http::connector::Connector;
use crate::http::endpoint::is_loopback;
use crate::http::exchange::{self, HttpClient, IncomingResponse, USER_AGENT, milliseconds};
use crate::http::retry;
use crate::http::settings::Timeouts;
use crate::http::tls;
use crate::http::trust::{TrustError, authorities};

/// Fetches files, over HTTPS from anywhere and over HTTP from this machine. It trusts the public certificate authorities.
///
/// ```
/// use whimbrel_network::{FileClient, FileRequest};
/// use whimbrel_testing::{ChatServer, Reply};
///
/// let server = ChatServer::start(&[Reply::Raw(b"HTTP/1.1 206 \r\ncontent-range: bytes 6-9/10\r\ncontent-length: 4\r\n\r\nbird")]);
/// let runtime = tokio::runtime::Runtime::new()?;
/// let bytes = runtime.block_on(async {
///     let client = FileClient::new("")?;
///     let request = FileRequest { url: server.url.clone(), from: 6, if_range: None };
///     let mut answer = client.get(&request).await?;
///     assert_eq!((answer.status(), answer.header("content-range")), (206, Some("bytes 6-9/10")));
///     let mut bytes = Vec::new();
///     while let Some(more) = answer.next().await? {
///         bytes.extend_from_slice(&more);
///     }
///     Ok::<_, Box<dyn std::error::Error>>(bytes)
/// })?;
/// assert_eq!(bytes, b"bird");
/// assert!(server.received()[0].head.contains("range: bytes=6-"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct FileClient {
    https: HttpClient,
    /// In cleartext, to this machine only.
    loopback: HttpClient,
    timeouts: Timeouts,
}

/// A file that is wanted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FileRequest {
    /// Its address, with `https` or, on this machine, `http`.
    pub url: String,
    /// The first byte that is wanted; 0 asks for the whole file.
    pub from: u64,
    /// The value of `If-Range`: if the file is no longer this one, the server sends all of it.
    pub if_range: Option<String>,
}

impl FileClient {
    /// A client that trusts these additional authorities, concatenated in PEM. Its tasks run on the runtime in which it is used, which needs
    /// I/O and time enabled.
    ///
    /// # Errors
    /// [`TrustError`] if they are not certificates.
    pub fn new(authorities_pem: &str) -> Result<FileClient, TrustError> {
        let roots = authorities(true, authorities_pem, &[])?;
        let tls = tls::client_config(roots, "download", None, Arc::new(AtomicU64::new(0)))?;
        let timeouts = Timeouts::default();
        let client = |tls| exchange::http_client(Connector::new(tls, milliseconds(timeouts.connect_ms)));
        Ok(FileClient {
            https: client(Some(tls)),
            loopback: client(None),
            timeouts,
        })
    }

    /// Asks for a file, and returns the answer as soon as its head is there.
    ///
    /// # Errors
    /// [`Failure`]: no connection, no valid answer, or none in time. [`Failure::NotLoopback`] for `http` to another machine.
    pub async fn get(&self, request: &FileRequest) -> Result<FileAnswer, Failure> {
        let uri: Uri = request.url.parse().map_err(|_| Failure::Unreachable)?;
        let client = match (uri.scheme_str(), uri.host()) {
            (Some("https"), Some(_)) => &self.https,
            (Some("http"), Some(host)) if is_loopback(host) => &self.loopback,
            (Some("http"), Some(_)) => return Err(Failure::NotLoopback),
            _ => return Err(Failure::Unreachable),
        };
        let response = exchange::get(client, uri, headers(request), &self.timeouts).await?;
        Ok(FileAnswer(response))
    }
}

fn headers(request: &FileRequest) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    headers.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
    let mut insert = |name: HeaderName, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    if request.from > 0 {
        insert(header::RANGE, &format!("bytes={}-", request.from));
        if let Some(validator) = &request.if_range {
            insert(header::IF_RANGE, validator);
        }
    }
    headers
}

/// An answer, whose body can be read.
pub struct FileAnswer(IncomingResponse);

impl FileAnswer {
    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.0.status()
    }

    /// A header field, by its name in lower case, if it is there and is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.0.header(name)
    }

    /// How long the server asked to wait before the next request, in milliseconds.
    #[must_use]
    pub fn retry_after_ms(&self) -> Option<u64> {
        retry::retry_after_ms(self.header("retry-after")?, SystemTime::now())
    }

    /// The next bytes of the body; `None` at its proper end.
    ///
    /// # Errors
    /// [`Failure`]: the connection broke, the body ended early, or nothing came in time.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        self.0.next(u64::MAX).await
    }
}

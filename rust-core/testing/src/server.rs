//! The server: where it listens, what it has received, and the runtime that it works on.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::net::TcpSocket;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;

use crate::connection::serve;
use crate::{Authority, PIECES, Reply, Step};

/// A request as it came in.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Received {
    /// Request line and header fields, with the empty line at their end.
    pub head: String,
    /// The body as text; what is not UTF-8 is replaced.
    pub body: String,
    /// The body's bytes.
    pub bytes: Vec<u8>,
}

impl Received {
    /// The value of a header field, whatever the case of its name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let fields = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        let mut named = fields.filter(|(field, _)| field.eq_ignore_ascii_case(name));
        named.next().map(|(_, value)| value.trim())
    }

    /// The `idempotency-key`.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    pub fn idempotency_key(&self) -> String {
        self.header("idempotency-key").unwrap().to_owned()
    }

    /// The idempotency key up to its last hyphen. The client writes the request's id there, and behind it the candidate's place.
    ///
    /// # Panics
    /// If there is no key or no hyphen in it.
    #[must_use]
    pub fn request_id(&self) -> String {
        let key = self.idempotency_key();
        key.rsplit_once('-').unwrap().0.to_owned()
    }

    /// Head and body as they were sent.
    #[must_use]
    pub fn whole(&self) -> String {
        format!("{}{}", self.head, self.body)
    }
}

/// What a server does with its request of this number, from 0.
pub(crate) type ScriptOf = dyn Fn(usize, &Received) -> Vec<Step> + Send + Sync;

/// What the connections of a server write down.
#[derive(Default)]
pub(crate) struct Log {
    received: Mutex<Vec<Received>>,
    connections: Mutex<u32>,
}

impl Log {
    /// Keeps a request and gives its number.
    pub(crate) fn add(&self, request: Received) -> usize {
        let mut received = self.received.lock().unwrap();
        received.push(request);
        received.len() - 1
    }
}

/// A chat server on this machine.
///
/// ```
/// use std::io::{Read, Write};
/// use whimbrel_testing::{ChatServer, Reply};
///
/// let server = ChatServer::start(&[Reply::Status(503)]);
/// let mut stream = std::net::TcpStream::connect(server.address)?;
/// stream.write_all(b"POST /v1/chat/completions HTTP/1.1\r\ncontent-length: 2\r\n\r\n{}")?;
/// let mut status = [0; 12];
/// stream.read_exact(&mut status)?;
/// assert_eq!(&status, b"HTTP/1.1 503");
/// assert_eq!(server.received()[0].body, "{}");
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct ChatServer {
    /// Where it listens.
    pub address: SocketAddr,
    /// Where its API begins, as an endpoint's `base_url`.
    pub url: String,
    log: Arc<Log>,
    gone: tokio::sync::Mutex<mpsc::UnboundedReceiver<()>>,
    runtime: Option<Runtime>,
}

impl ChatServer {
    /// A server on a thread of its own that says [`PIECES`]. It replies in this order, and with the last reply from then on.
    #[must_use]
    pub fn start(replies: &[Reply]) -> ChatServer {
        ChatServer::saying(&PIECES, replies)
    }

    /// The same, with an answer in these pieces.
    #[must_use]
    pub fn saying(pieces: &'static [&'static str], replies: &[Reply]) -> ChatServer {
        ChatServer::in_background(pieces, replies, None)
    }

    /// The same over TLS, with a certificate for 127.0.0.1. Gives the authority that signed it, too.
    #[must_use]
    pub fn saying_over_tls(pieces: &'static [&'static str], replies: &[Reply]) -> (ChatServer, Authority) {
        let authority = Authority::new("Root");
        let acceptor = authority.leaf(&["127.0.0.1"], |_| {}).acceptor(&[], &[b"http/1.1"]);
        (ChatServer::in_background(pieces, replies, Some(acceptor)), authority)
    }

    fn in_background(pieces: &'static [&'static str], replies: &[Reply], tls: Option<TlsAcceptor>) -> ChatServer {
        let replies = replies.to_vec();
        let reply_to = move |number: usize, request: &Received| {
            let last = replies.len().saturating_sub(1);
            let reply = replies.get(number.min(last)).copied().unwrap_or(Reply::Whole);
            reply.script(pieces, request)
        };
        ChatServer::answering_in_background(reply_to, tls)
    }

    /// A server on a thread of its own that follows the script which the request's number, from 0, and its content lead to.
    ///
    /// # Panics
    /// If the thread cannot be started.
    pub fn answering_in_background(
        script_of: impl Fn(usize, &Received) -> Vec<Step> + Send + Sync + 'static,
        tls: Option<TlsAcceptor>,
    ) -> ChatServer {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let mut server = ChatServer::listen(runtime.handle(), Arc::new(script_of), tls);
        server.runtime = Some(runtime);
        server
    }

    /// A server on the current runtime that follows one script for every request, in cleartext.
    pub async fn plain(script: Vec<Step>) -> ChatServer {
        ChatServer::scripted(vec![script], None).await
    }

    /// A server on the current runtime that follows the n-th script for the n-th request, and the last one from then on.
    ///
    /// # Panics
    /// If there is no script.
    pub async fn scripted(scripts: Vec<Vec<Step>>, tls: Option<TlsAcceptor>) -> ChatServer {
        let last = scripts.len().checked_sub(1).expect("a server needs a script");
        ChatServer::answering(move |number, _| scripts[number.min(last)].clone(), tls).await
    }

    /// A server on the current runtime that follows the script which the request's number, from 0, and its content lead to.
    pub async fn answering(
        script_of: impl Fn(usize, &Received) -> Vec<Step> + Send + Sync + 'static,
        tls: Option<TlsAcceptor>,
    ) -> ChatServer {
        ChatServer::listen(&Handle::current(), Arc::new(script_of), tls)
    }

    fn listen(runtime: &Handle, script_of: Arc<ScriptOf>, tls: Option<TlsAcceptor>) -> ChatServer {
        let _entered = runtime.enter();
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let listener = socket.listen(1024).unwrap();
        let address = listener.local_addr().unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let (went, gone) = mpsc::unbounded_channel();
        let log = Arc::new(Log::default());
        let server = ChatServer {
            address,
            url: format!("{scheme}://{address}/v1"),
            log: Arc::clone(&log),
            gone: gone.into(),
            runtime: None,
        };
        runtime.spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                tcp.set_nodelay(true).unwrap();
                *log.connections.lock().unwrap() += 1;
                let (script_of, log) = (Arc::clone(&script_of), Arc::clone(&log));
                let (tls, went) = (tls.clone(), went.clone());
                tokio::spawn(async move {
                    match tls {
                        None => serve(tcp, &*script_of, &log, &went).await,
                        Some(tls) => {
                            // A client that does not believe the certificate goes here.
                            if let Ok(stream) = tls.accept(tcp).await {
                                serve(stream, &*script_of, &log, &went).await;
                            }
                        }
                    }
                });
            }
        });
        server
    }

    /// Every request so far.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        self.log.received.lock().unwrap().clone()
    }

    /// Every request so far, which the server then forgets; it counts from 0 again.
    pub fn take_received(&self) -> Vec<Received> {
        std::mem::take(&mut *self.log.received.lock().unwrap())
    }

    /// How many requests came so far.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.log.received.lock().unwrap().len()
    }

    /// How many connections were opened so far.
    #[must_use]
    pub fn connections(&self) -> u32 {
        *self.log.connections.lock().unwrap()
    }

    /// Waits until a client goes while the server stalls.
    pub async fn client_gone(&self) {
        self.gone.lock().await.recv().await.unwrap();
    }
}

impl Drop for ChatServer {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

//! What the tests share: a server on the loopback that follows a script, certificates for it, and cleared texts. Not every test uses all of it.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

pub mod authority;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use whimbrel_network::{
    Answer, ChatClient, ChatError, ChatEvent, ChatOptions, Delivery, Endpoint, EndpointSettings, Failure, Finished,
};
use whimbrel_privacy::{
    Cleared, Draft, DraftMessage, Permit, Placeholders, PrivacyClass, Release, Scanner, ScannerOptions, Speaker,
};

pub const ID: &str = "cloud";

/// What the server does after it has read a whole request.
#[derive(Clone, Debug)]
pub enum Step {
    /// Writes these bytes.
    Send(Vec<u8>),
    /// Writes these bytes one by one, each in a packet of its own.
    EachByte(Vec<u8>),
    /// Writes nothing more until the client goes.
    Stall,
    /// Writes these bytes over and over, with virtual seconds between, until the client goes.
    EverySecond(Vec<u8>),
    /// Breaks the connection without a farewell.
    Reset,
    /// Ends the connection.
    Close,
    /// Ends the connection below TLS, which does not get to say goodbye.
    Vanish,
}

/// What a server saw of one request.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Request line and header fields.
    pub head: String,
    pub body: Vec<u8>,
}

impl Seen {
    pub fn header(&self, name: &str) -> Option<&str> {
        let fields = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        let mut named = fields.filter(|(field, _)| field.eq_ignore_ascii_case(name));
        named.next().map(|(_, value)| value)
    }
}

type ScriptOf = dyn Fn(usize, &Seen) -> Vec<Step> + Send + Sync;

pub struct Server {
    pub address: SocketAddr,
    pub seen: Arc<Mutex<Vec<Seen>>>,
    pub connections: Arc<Mutex<u32>>,
    gone: tokio::sync::Mutex<mpsc::UnboundedReceiver<()>>,
}

impl Server {
    /// Answers the n-th request by the n-th script, and those beyond by the last.
    pub async fn start(scripts: Vec<Vec<Step>>, tls: Option<TlsAcceptor>) -> Server {
        let last = scripts.len() - 1;
        Server::answering(move |number, _| scripts[number.min(last)].clone(), tls).await
    }

    /// Answers each request by the script that its number and content lead to.
    pub async fn answering(
        script_of: impl Fn(usize, &Seen) -> Vec<Step> + Send + Sync + 'static,
        tls: Option<TlsAcceptor>,
    ) -> Server {
        let script_of: Arc<ScriptOf> = Arc::new(script_of);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (went, gone) = mpsc::unbounded_channel();
        let server = Server {
            address: listener.local_addr().unwrap(),
            seen: Arc::default(),
            connections: Arc::default(),
            gone: gone.into(),
        };
        let (seen, connections) = (Arc::clone(&server.seen), Arc::clone(&server.connections));
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                tcp.set_nodelay(true).unwrap();
                *connections.lock().unwrap() += 1;
                let (script_of, seen) = (Arc::clone(&script_of), Arc::clone(&seen));
                let (tls, went) = (tls.clone(), went.clone());
                tokio::spawn(async move {
                    match tls {
                        None => serve(tcp, &*script_of, &seen, &went).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(tcp).await {
                                serve(stream, &*script_of, &seen, &went).await;
                            }
                        }
                    }
                });
            }
        });
        server
    }

    pub async fn plain(script: Vec<Step>) -> Server {
        Server::start(vec![script], None).await
    }

    pub fn requests(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    pub fn connections(&self) -> u32 {
        *self.connections.lock().unwrap()
    }

    pub fn settings(&self) -> EndpointSettings {
        EndpointSettings::new(ID, &format!("http://{}/v1", self.address), "small")
    }

    pub fn endpoint(&self) -> Endpoint {
        Endpoint::new(self.settings()).unwrap()
    }

    /// Waits until a client went while the server stalled.
    pub async fn client_gone(&self) {
        self.gone.lock().await.recv().await.unwrap();
    }
}

/// A stream that can be broken.
pub trait Connection: AsyncRead + AsyncWrite + Unpin + Send {
    fn socket(&self) -> &TcpStream;
}

impl Connection for TcpStream {
    fn socket(&self) -> &TcpStream {
        self
    }
}

impl Connection for tokio_rustls::server::TlsStream<TcpStream> {
    fn socket(&self) -> &TcpStream {
        self.get_ref().0
    }
}

async fn serve(
    mut stream: impl Connection,
    script_of: &ScriptOf,
    seen: &Mutex<Vec<Seen>>,
    went: &mpsc::UnboundedSender<()>,
) {
    while let Some(request) = read_request(&mut stream).await {
        let script = {
            let mut seen = seen.lock().unwrap();
            let script = script_of(seen.len(), &request);
            seen.push(request);
            script
        };
        for step in &script {
            match step {
                Step::Send(bytes) => {
                    if stream.write_all(bytes).await.is_err() || stream.flush().await.is_err() {
                        return;
                    }
                }
                Step::EachByte(bytes) => {
                    for byte in bytes {
                        if stream.write_all(&[*byte]).await.is_err() || stream.flush().await.is_err() {
                            return;
                        }
                        tokio::task::yield_now().await;
                    }
                }
                Step::Stall => {
                    until_gone(&mut stream).await;
                    let _ = went.send(());
                    return;
                }
                Step::EverySecond(bytes) => {
                    while stream.write_all(bytes).await.is_ok() && stream.flush().await.is_ok() {
                        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
                    }
                    return;
                }
                Step::Reset => {
                    stream.socket().set_zero_linger().unwrap();
                    return;
                }
                Step::Vanish => return,
                Step::Close => {
                    let _ = stream.shutdown().await;
                    return;
                }
            }
        }
    }
}

async fn until_gone(stream: &mut impl Connection) {
    let mut bytes = [0; 256];
    while stream.read(&mut bytes).await.is_ok_and(|count| count > 0) {}
}

async fn read_request(stream: &mut impl Connection) -> Option<Seen> {
    let mut bytes = Vec::new();
    let end = loop {
        let found = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(end) = found {
            break end + 4;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let mut body = bytes.split_off(end);
    let head = String::from_utf8(bytes).unwrap();
    let mut request = Seen { head, body: Vec::new() };
    let length: usize = request
        .header("content-length")
        .map_or(0, |value| value.parse().unwrap());
    while body.len() < length {
        if stream.read_buf(&mut body).await.ok()? == 0 {
            return None;
        }
    }
    request.body = body;
    Some(request)
}

/// The head of a response with this status and these fields.
pub fn head(status: &str, fields: &[(&str, &str)]) -> Vec<u8> {
    let fields: String = fields
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    format!("HTTP/1.1 {status}\r\n{fields}\r\n").into_bytes()
}

/// A whole response with a length.
pub fn response(status: &str, fields: &[(&str, &str)], body: &str) -> Vec<u8> {
    let length = body.len().to_string();
    let mut whole = head(status, &[fields, &[("content-length", &length)]].concat());
    whole.extend_from_slice(body.as_bytes());
    whole
}

/// The head of a stream that ends with its connection.
pub fn stream_head() -> Vec<u8> {
    head("200 OK", &[("content-type", "text/event-stream")])
}

/// A chunked stream of events, whole, in chunks of `size` bytes.
pub fn chunked(events: &str, size: usize) -> Vec<u8> {
    let fields = [("content-type", "text/event-stream"), ("transfer-encoding", "chunked")];
    let mut whole = head("200 OK", &fields);
    for part in events.as_bytes().chunks(size) {
        whole.extend_from_slice(format!("{:x}\r\n", part.len()).as_bytes());
        whole.extend_from_slice(part);
        whole.extend_from_slice(b"\r\n");
    }
    whole.extend_from_slice(b"0\r\n\r\n");
    whole
}

/// One event with text.
pub fn delta(text: &str) -> String {
    let choice = serde_json::json!({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": null}]});
    format!("data: {choice}\n\n")
}

/// The event that ends an answer.
pub fn stop() -> String {
    "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],\"model\":\"m-1\"}\n\n".to_owned()
}

pub const DONE: &str = "data: [DONE]\n\n";
pub const TEXT: &str = "Grüße, 世界 🐦!";

/// A whole, proper stream that says [`TEXT`].
pub fn good_events() -> String {
    let usage = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":3}}\n\n";
    [
        &delta("Grüße, "),
        ": ping\n\n",
        &delta("世界 🐦"),
        &delta("!"),
        &stop(),
        usage,
        DONE,
    ]
    .concat()
}

pub fn good() -> Vec<Step> {
    vec![Step::Send(chunked(&good_events(), 1000))]
}

/// A text that was cleared for an endpoint as it is.
pub fn cleared_for(endpoint: &str, text: &str) -> Cleared {
    let message = DraftMessage {
        speaker: Speaker::User,
        text: text.to_owned(),
    };
    let draft = Draft {
        messages: vec![message],
        class: PrivacyClass::Public,
    };
    let examined = Scanner::new(ScannerOptions::default()).unwrap().examine(draft).unwrap();
    let permit = Permit::issue(endpoint, Release::AsIs, examined.facts());
    examined.clear(&permit, &mut Placeholders::new()).unwrap()
}

pub fn client() -> ChatClient {
    ChatClient::new(tokio::runtime::Handle::current())
}

pub fn options() -> ChatOptions {
    ChatOptions::new("request-1")
}

pub fn ask(client: &ChatClient, endpoint: &Endpoint) -> Result<Answer, ChatError> {
    client.chat(endpoint, cleared_for(endpoint.id(), "What is this?"), &options(), None)
}

/// An answer to its end: all text, and the end.
pub async fn read(mut answer: Answer) -> (String, Result<Finished, ChatError>) {
    let mut text = String::new();
    loop {
        match answer.next().await.unwrap() {
            Ok(ChatEvent::Started { .. }) => assert_eq!(text, ""),
            Ok(ChatEvent::Text(piece)) => text.push_str(&piece),
            Ok(ChatEvent::Finished(finished)) => {
                assert_eq!(answer.next().await, None);
                return (text, Ok(finished));
            }
            Err(error) => {
                assert_eq!(answer.next().await, None);
                assert_eq!(error.partial_text, !text.is_empty());
                return (text, Err(error));
            }
        }
    }
}

/// Asks once on an engine of its own.
pub async fn ask_once(endpoint: &Endpoint) -> (String, Result<Finished, ChatError>) {
    match ask(&client(), endpoint) {
        Ok(answer) => read(answer).await,
        Err(error) => (String::new(), Err(error)),
    }
}

/// The request failed in this way, having got this far.
#[track_caller]
pub fn failed(result: &Result<Finished, ChatError>, failure: Failure, delivery: Delivery) {
    let error = result.as_ref().unwrap_err();
    assert_eq!((error.failure, error.delivery), (failure, delivery));
}

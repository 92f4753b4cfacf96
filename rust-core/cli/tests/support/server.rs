//! A server on the loopback that answers chat completions as it is told, and keeps what it was sent.
#![allow(clippy::unwrap_used, unreachable_pub)]
#![allow(clippy::disallowed_types, reason = "this is the other side of the network")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::json;

/// What a server does with a request.
#[derive(Clone, Copy)]
pub enum Reply {
    /// Answers with these pieces of text.
    Whole(&'static [&'static str]),
    /// Sends these pieces and breaks off.
    Midway(&'static [&'static str]),
    /// Sends these pieces, and then nothing until the other side goes.
    Stalls(&'static [&'static str]),
}

/// A server that runs until the test ends.
pub struct Server {
    /// Where its API begins.
    pub url: String,
    received: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub fn start(reply: Reply) -> Server {
        Server::serve("http", reply, |stream| stream)
    }

    /// One that speaks TLS, and the certificate, in PEM, that signed its own.
    pub fn start_tls(reply: Reply) -> (Server, String) {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &authority).unwrap().der().clone();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        let config = Arc::new(config);
        let server = Server::serve("https", reply, move |stream| {
            StreamOwned::new(ServerConnection::new(config.clone()).unwrap(), stream)
        });
        (server, authority.pem())
    }

    fn serve<S: Read + Write>(
        scheme: &str,
        reply: Reply,
        wrap: impl Fn(TcpStream) -> S + Clone + Send + 'static,
    ) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("{scheme}://{}/v1", listener.local_addr().unwrap());
        let received = Arc::new(Mutex::new(Vec::new()));
        let keeps = received.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, wrap, keeps) = (stream.unwrap(), wrap.clone(), keeps.clone());
                thread::spawn(move || answer(wrap(stream), reply, &keeps));
            }
        });
        Server { url, received }
    }

    /// Every request so far, head and body.
    pub fn received(&self) -> Vec<String> {
        self.received.lock().unwrap().clone()
    }
}

fn answer(stream: impl Read + Write, reply: Reply, received: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(stream);
    let mut request = String::new();
    let mut body = 0;
    loop {
        let mut line = String::new();
        // The other side may go without a word, for example when it does not believe the certificate.
        if !matches!(reader.read_line(&mut line), Ok(1..)) {
            return;
        }
        if let Some(length) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            body = length.trim().parse().unwrap();
        }
        request.push_str(&line);
        if line == "\r\n" {
            break;
        }
    }
    let mut bytes = vec![0; body];
    reader.read_exact(&mut bytes).unwrap();
    request.push_str(&String::from_utf8(bytes).unwrap());
    received.lock().unwrap().push(request);

    let mut send = |text: String| {
        let stream = reader.get_mut();
        stream.write_all(text.as_bytes()).and_then(|()| stream.flush()).unwrap();
    };
    send("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n".to_owned());
    let (Reply::Whole(pieces) | Reply::Midway(pieces) | Reply::Stalls(pieces)) = reply;
    for piece in pieces {
        send(format!(
            "data: {}\n\n",
            json!({"choices": [{"index": 0, "delta": {"content": piece}}]})
        ));
    }
    match reply {
        Reply::Whole(_) => {
            let end = json!({
                "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 20, "completion_tokens": 5},
            });
            send(format!("data: {end}\n\ndata: [DONE]\n\n"));
        }
        Reply::Midway(_) => {}
        // Waits for the other side to close the connection.
        Reply::Stalls(_) => drop(reader.read(&mut [0; 1])),
    }
}

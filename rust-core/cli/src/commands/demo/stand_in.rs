//! A stand-in for a cloud service on this machine: it takes one chat request, keeps what it was sent, and answers with sentences written
//! beforehand around the placeholders that it got. It is no model.
#![allow(
    clippy::disallowed_types,
    reason = "the other end of a connection on loopback; what leaves goes through the network crate as always"
)]

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::{self, JoinHandle};

use serde_json::{Value, json};

use crate::error::CliError;

/// The longest request that is read, in bytes.
const REQUEST_BYTES_MAX: u64 = 1 << 20;

/// A server for one request.
pub(crate) struct StandIn {
    port: u16,
    thread: JoinHandle<io::Result<String>>,
}

impl StandIn {
    /// Listens on a free port of loopback.
    ///
    /// # Errors
    /// [`CliError::Loopback`].
    pub(crate) fn start() -> Result<StandIn, CliError> {
        let listener = TcpListener::bind("127.0.0.1:0").map_err(CliError::Loopback)?;
        let port = listener.local_addr().map_err(CliError::Loopback)?.port();
        let thread = thread::spawn(move || serve(&listener));
        Ok(StandIn { port, thread })
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The text that it was sent, once it has answered.
    ///
    /// # Errors
    /// [`CliError::Loopback`].
    pub(crate) fn received(self) -> Result<String, CliError> {
        let served = self.thread.join().unwrap_or_else(|_| Err(io::ErrorKind::Other.into()));
        served.map_err(CliError::Loopback)
    }
}

/// Answers one request. Returns the last message's text.
fn serve(listener: &TcpListener) -> io::Result<String> {
    let (mut stream, _) = listener.accept()?;
    let text = read(&stream)?;
    let body = stream_of(&answer(&text));
    write!(
        stream,
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )?;
    Ok(text)
}

fn read(stream: &TcpStream) -> io::Result<String> {
    let mut reader = BufReader::new(stream.take(REQUEST_BYTES_MAX));
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        if line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    let mut body = Vec::new();
    reader.take(length).read_to_end(&mut body)?;
    let request: Value = serde_json::from_slice(&body)?;
    let last = request["messages"].as_array().and_then(|messages| messages.last());
    Ok(last
        .and_then(|message| message["content"].as_str())
        .unwrap_or_default()
        .to_owned())
}

/// A reply that names what it was sent in place of names and numbers.
fn answer(text: &str) -> String {
    let mut marks: Vec<&str> = Vec::new();
    let mut rest = text;
    while let Some((_, behind)) = rest.split_once('⟨') {
        let Some((mark, behind)) = behind.split_once('⟩') else {
            break;
        };
        if !marks.contains(&mark) {
            marks.push(mark);
        }
        rest = behind;
    }
    let marks: Vec<String> = marks.iter().map(|mark| format!("⟨{mark}⟩")).collect();
    match marks.split_last() {
        None => "Thank you for your letter. It names nobody.".to_owned(),
        Some((only, [])) => format!("Thank you for your letter. I have noted {only}."),
        Some((last, others)) => format!(
            "Thank you for your letter. I have noted {} and {last}.",
            others.join(", ")
        ),
    }
}

/// The events of a stream, in pieces as a model would write them.
fn stream_of(answer: &str) -> String {
    let event = |choice: Value| format!("data: {}\n\n", json!({ "choices": [choice] }));
    let pieces = answer.split_inclusive(' ');
    let text: String = pieces
        .map(|piece| event(json!({"index": 0, "delta": {"content": piece}})))
        .collect();
    text + &event(json!({"index": 0, "delta": {}, "finish_reason": "stop"})) + "data: [DONE]\n\n"
}

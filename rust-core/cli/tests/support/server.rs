//! A server on the loopback that answers chat completions as it is told, and keeps what it was sent.
#![allow(clippy::unwrap_used, unreachable_pub)]
#![allow(clippy::disallowed_types, reason = "this is the other side of the network")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

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
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let received = Arc::new(Mutex::new(Vec::new()));
        let keeps = received.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, keeps) = (stream.unwrap(), keeps.clone());
                thread::spawn(move || answer(stream, reply, &keeps));
            }
        });
        Server { url, received }
    }

    /// Every request so far, head and body.
    pub fn received(&self) -> Vec<String> {
        self.received.lock().unwrap().clone()
    }
}

fn answer(mut stream: TcpStream, reply: Reply, received: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut request = String::new();
    let mut body = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap() == 0 {
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

    let mut send = |text: String| stream.write_all(text.as_bytes()).unwrap();
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

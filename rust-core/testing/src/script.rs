//! What a server does with one request, step by step, and the bytes of responses to send.

use serde_json::json;

/// A step of the server after it has read a whole request. After the last step it waits for the next request on the connection.
#[derive(Clone, Debug)]
pub enum Step {
    /// Writes these bytes.
    Send(Vec<u8>),
    /// Writes these bytes one by one, each in a packet of its own.
    EachByte(Vec<u8>),
    /// Writes nothing more until the client closes the connection.
    Stall,
    /// Writes these bytes over and over, a second apart on tokio's clock, until the client closes the connection.
    EverySecond(Vec<u8>),
    /// Breaks the connection with a TCP reset.
    Reset,
    /// Ends the connection properly, TLS included.
    Close,
    /// Ends the connection below TLS, without TLS's own goodbye.
    Vanish,
}

/// The data line that ends a stream of chat completions.
pub const DONE: &str = "data: [DONE]\n\n";

/// The head of a response with this status, such as `200 OK`, and these fields.
///
/// ```
/// let head = whimbrel_testing::head("204 No Content", &[("x-team", "birds")]);
/// assert_eq!(head, b"HTTP/1.1 204 No Content\r\nx-team: birds\r\n\r\n");
/// ```
#[must_use]
pub fn head(status: &str, fields: &[(&str, &str)]) -> Vec<u8> {
    let fields: String = fields
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    format!("HTTP/1.1 {status}\r\n{fields}\r\n").into_bytes()
}

/// A whole response with a `content-length`.
#[must_use]
pub fn response(status: &str, fields: &[(&str, &str)], body: &str) -> Vec<u8> {
    let length = body.len().to_string();
    let mut whole = head(status, &[fields, &[("content-length", &length)]].concat());
    whole.extend_from_slice(body.as_bytes());
    whole
}

/// The head of an event stream that ends with its connection.
#[must_use]
pub fn stream_head() -> Vec<u8> {
    head("200 OK", &[("content-type", "text/event-stream")])
}

/// The head of an event stream in chunks.
pub(crate) fn chunked_head() -> Vec<u8> {
    let fields = [("content-type", "text/event-stream"), ("transfer-encoding", "chunked")];
    head("200 OK", &fields)
}

/// One chunk of a chunked body; an empty one is the last.
#[must_use]
pub fn chunk(data: &[u8]) -> Vec<u8> {
    let mut whole = format!("{:x}\r\n", data.len()).into_bytes();
    whole.extend_from_slice(data);
    whole.extend_from_slice(b"\r\n");
    whole
}

/// A whole event stream, in chunks of `size` bytes.
#[must_use]
pub fn chunked(events: &str, size: usize) -> Vec<u8> {
    let chunks = events.as_bytes().chunks(size).map(chunk);
    [chunked_head()]
        .into_iter()
        .chain(chunks)
        .chain([chunk(b"")])
        .flatten()
        .collect()
}

/// An event with a piece of an answer's text.
#[must_use]
pub fn delta(text: &str) -> String {
    let event = json!({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": null}]});
    format!("data: {event}\n\n")
}

/// The event that ends an answer for this reason, such as `stop` or `length`, and names the model `m-1`.
#[must_use]
pub fn finish(reason: &str) -> String {
    let event = json!({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}], "model": "m-1"});
    format!("data: {event}\n\n")
}

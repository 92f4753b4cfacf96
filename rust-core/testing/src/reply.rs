//! Whole replies, for suites that care about what a server does and not about its bytes.

use serde_json::{Value, json};

use crate::script::{DONE, Step, chunk, chunked_head, delta, response};
use crate::server::Received;

/// What a server says when a test does not choose: "An answer from the server."
pub const PIECES: [&str; 3] = ["An answer ", "from the ", "server."];

/// What the server does with one request. The text comes in the pieces that the server was started with, each in an event of its own.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reply {
    /// Streams every piece and ends properly, with a count of tokens: 30 of the request, 7 of the answer.
    Whole,
    /// Streams every piece and ends for this reason, such as `length` or `content_filter`.
    Ends(&'static str),
    /// Ends properly without any text.
    Empty,
    /// Repeats the last message of the request, a character an event.
    Echo,
    /// Thinks the last message of the request, a character an event, and then repeats it as [`Reply::Echo`] does.
    Ponder,
    /// Streams the first piece and drops the connection.
    DiesMidway,
    /// Streams the first piece and then nothing more; the connection stays open.
    Stalls,
    /// Refuses with this status and an empty JSON object.
    Status(u16),
    /// A page of HTML where an answer should be.
    Garbage,
    /// Writes these bytes, head included.
    Raw(&'static [u8]),
}

impl Reply {
    /// The steps of this reply to `request`, by a server that says `pieces`.
    ///
    /// # Panics
    /// If an [`Reply::Echo`] is asked for by something that is not a chat completion.
    #[must_use]
    pub fn script(self, pieces: &[&str], request: &Received) -> Vec<Step> {
        match self {
            Reply::Whole => stream(pieces.iter().copied(), "stop"),
            Reply::Ends(reason) => stream(pieces.iter().copied(), reason),
            Reply::Empty => stream([], "stop"),
            Reply::Echo => {
                let last = last_message(&request.body);
                let characters: Vec<String> = last.chars().map(String::from).collect();
                stream(characters.iter().map(String::as_str), "stop")
            }
            Reply::Ponder => {
                let mut steps = Reply::Echo.script(pieces, request);
                let last = last_message(&request.body);
                let thoughts = last.chars().map(|character| {
                    let said = json!({"choices": [{"index": 0, "delta": {"reasoning": character}}]});
                    Step::Send(chunk(format!("data: {said}\n\n").as_bytes()))
                });
                steps.splice(1..1, thoughts.collect::<Vec<_>>());
                steps
            }
            Reply::DiesMidway => begun(pieces, Step::Vanish),
            Reply::Stalls => begun(pieces, Step::Stall),
            Reply::Status(status) => {
                let json = [("content-type", "application/json")];
                vec![Step::Send(response(&format!("{status} No"), &json, "{}"))]
            }
            Reply::Garbage => vec![Step::Send(response(
                "200 OK",
                &[("content-type", "text/html")],
                "hello",
            ))],
            Reply::Raw(bytes) => vec![Step::Send(bytes.to_vec())],
        }
    }
}

fn stream<'a>(pieces: impl IntoIterator<Item = &'a str>, reason: &str) -> Vec<Step> {
    let end = json!({
        "choices": [{"index": 0, "delta": {}, "finish_reason": reason}],
        "usage": {"prompt_tokens": 30, "completion_tokens": 7},
    });
    let mut steps = vec![Step::Send(chunked_head())];
    let pieces = pieces
        .into_iter()
        .map(|piece| Step::Send(chunk(delta(piece).as_bytes())));
    steps.extend(pieces);
    let end = chunk(format!("data: {end}\n\n{DONE}").as_bytes());
    steps.push(Step::Send([end, chunk(b"")].concat()));
    steps
}

/// The first piece, and then something else.
fn begun(pieces: &[&str], then: Step) -> Vec<Step> {
    let first = pieces.first().copied().unwrap_or_default();
    vec![
        Step::Send(chunked_head()),
        Step::Send(chunk(delta(first).as_bytes())),
        then,
    ]
}

fn last_message(body: &str) -> String {
    let request: Value = serde_json::from_str(body).unwrap();
    let messages = request["messages"].as_array().unwrap();
    messages.last().unwrap()["content"].as_str().unwrap().to_owned()
}

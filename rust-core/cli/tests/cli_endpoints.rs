//! What `run` says about endpoints that refuse or think, and an answer that came while the program was frozen.
#![allow(clippy::unwrap_used)]
#![allow(
    clippy::disallowed_types,
    reason = "a server that answers only once the program is frozen is a socket in the hand of its test"
)]

mod support;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use support::{Desk, Ran, Started};
use whimbrel_testing::{ChatServer, DONE, Reply, delta, finish, response};

const STREAM: &[(&str, &str)] = &[("content-type", "text/event-stream")];

/// A policy whose only place is the server at this address.
fn policy(url: &str, limits: &str) -> String {
    format!(
        "version = 1\nname = \"endpoints\"\notherwise = [\"remote:cloud\"]\n{limits}\n[[endpoints]]\nid = \"cloud\"\n\
         base_url = \"{url}\"\nmodel = \"large\"\ntrust = \"public_cloud\"\ncost_per_1k_tokens = 0\n"
    )
}

fn run(reply: Reply, more: &[&str]) -> Ran {
    let server = ChatServer::start(&[reply]);
    let desk = Desk::new();
    let file = desk.write("policy.toml", policy(&server.url, ""));
    let base = ["run", "--prompt", "Hello", "--policy", file.to_str().unwrap()];
    desk.run(base.iter().chain(more))
}

#[test]
fn hints_say_what_to_do() {
    for (status, code, hint) in [
        (401, "key_missing", "whimbrel keys set"),
        (402, "payment", "payment"),
        (404, "not_found", "base_url"),
        (413, "request_too_large", "shorten it"),
    ] {
        let ran = run(Reply::Status(status), &[]);
        assert_eq!(ran.status, Some(10), "{ran:?}");
        let tried = format!("  tried cloud: failed ({code})");
        let lines: Vec<_> = ran.stderr.lines().collect();
        let at = lines
            .iter()
            .position(|line| *line == tried)
            .unwrap_or_else(|| panic!("{ran:?}"));
        assert!(
            lines[at + 1].starts_with("    hint: ") && lines[at + 1].contains(hint),
            "{ran:?}"
        );
        let object = run(Reply::Status(status), &["--json"]).json();
        assert_eq!(object["route"]["code"], code);
        assert_eq!(object["route"]["attempts"][0]["code"], code);
    }
}

#[test]
fn thoughts_are_a_field_and_not_printed() {
    let thought = "data: {\"choices\":[{\"delta\":{\"reasoning\":\"Hidden.\"}}]}\n\n";
    let events = [thought, &delta("Seen."), &finish("stop"), DONE].concat();
    let reply = Reply::Raw(Box::leak(response("200 OK", STREAM, &events).into_boxed_slice()));
    let ran = run(reply, &[]).succeeded();
    assert_eq!(ran.stdout, "Seen.\n");
    assert!(!ran.stderr.contains("Hidden"), "{ran:?}");
    let ran = run(reply, &["--json", "--temperature", "9", "--thinking", "off"]).succeeded();
    let object = ran.json();
    assert_eq!(object["text"], "Seen.");
    assert_eq!(object["thinking"], "Hidden.");
    assert_eq!(object["route"]["thinking_bytes"], 7);
    assert_eq!(
        object["route"]["unsupported"],
        serde_json::json!(["temperature", "thinking"])
    );
    assert!(!ran.stderr.contains("Hidden"), "{ran:?}");
}

#[test]
fn a_question_without_an_answer_is_kept() {
    let server = ChatServer::start(&[Reply::Empty, Reply::Whole]);
    let desk = Desk::new();
    let file = desk.write("policy.toml", policy(&server.url, ""));
    let mut started = Started::new(&mut desk.command(["chat", "--policy", file.to_str().unwrap()]));
    started.say("Where do waders winter?\n/redo\n");
    let ran = started.finish().succeeded();
    assert_eq!(ran.stdout, "An answer from the server.\n", "{ran:?}");
    assert!(ran.stderr.contains("failed (empty_answer)"), "{ran:?}");
    assert!(
        ran.stderr.contains("[the question is kept: /redo asks it again]"),
        "{ran:?}"
    );
    for request in server.received() {
        assert!(request.body.contains("Where do waders winter?"), "{request:?}");
    }
    assert_eq!(server.requests(), 2);
}

#[test]
fn the_next_question_may_refer_to_one_that_nobody_answered() {
    let server = ChatServer::start(&[Reply::Empty, Reply::Whole]);
    let desk = Desk::new();
    let file = desk.write("policy.toml", policy(&server.url, ""));
    let mut started = Started::new(&mut desk.command(["chat", "--policy", file.to_str().unwrap()]));
    started.say("The ferry leaves at noon.\nWhen is that?\n");
    started.finish().succeeded();
    let body = &server.received()[1].body;
    assert!(body.contains("The ferry leaves at noon.\\n\\nWhen is that?"), "{body}");
}

/// The next request, and the connection to answer it on.
fn accept(listener: &TcpListener) -> TcpStream {
    let (mut stream, _) = listener.accept().unwrap();
    let mut request = Vec::new();
    // The body is one JSON object, which ends the request.
    while !request.ends_with(b"}") {
        let mut part = [0; 4096];
        let count = stream.read(&mut part).unwrap();
        assert!(count > 0, "the program went");
        request.extend_from_slice(&part[..count]);
    }
    stream
}

/// The program is frozen from before the answer until long after the request's time.
#[test]
fn an_answer_that_came_while_frozen_counts() {
    let events = [&delta("In "), &delta("time."), &finish("stop"), DONE].concat();
    for (events, status, text) in [(events.as_str(), 0, "In time."), (&delta("Half"), 10, "Half")] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let desk = Desk::new();
        let file = desk.write("policy.toml", policy(&url, "[limits]\ndeadline_ms = 1500"));
        let arguments = ["run", "--json", "--prompt", "Hello", "--policy", file.to_str().unwrap()];
        let started = Started::new(&mut desk.command(arguments));
        let mut stream = accept(&listener);
        started.signal("-STOP");
        stream.write_all(&response("200 OK", STREAM, events)).unwrap();
        // No wait for something to happen: the time of the request has to pass.
        std::thread::sleep(Duration::from_millis(2_000));
        started.signal("-CONT");
        let ran = started.finish();
        assert_eq!(ran.status, Some(status), "{ran:?}");
        let object = ran.json();
        assert_eq!(object["text"], text, "{ran:?}");
        assert_eq!(object["route"]["partial"], status != 0, "{ran:?}");
    }
}

//! A model that thinks before it answers, from its file to the terminal: its marks are seen nowhere, and its thoughts only where they belong.
#![allow(clippy::unwrap_used)]

mod support;

use support::terminal::Terminal;
use support::{Desk, Started, tiny};
use whimbrel_forge::synthetic::{ANSWER, THOUGHT};

const QUESTION: &str = "Where does <think>it</think> go?";

#[test]
fn the_answer_is_the_output_and_the_thoughts_are_a_field() {
    let (desk, bundle) = Desk::with_thinking_model();
    let bundle = bundle.to_str().unwrap();
    let run = |more: &[&str]| desk.run(["run", bundle, QUESTION].iter().chain(more)).succeeded();
    for more in [&[][..], &["--thinking", "default"], &["--thinking", "on"]] {
        let ran = run(more);
        assert_eq!(ran.stdout, format!("{}\n", ANSWER.trim()));
        assert_eq!(ran.stderr, "");
        let object = run(&[more, &["--json"]].concat()).json();
        assert_eq!(
            (&object["text"], &object["thinking"]),
            (&ANSWER.trim().into(), &THOUGHT.into())
        );
        assert_eq!(object["finish_reason"], "stop");
    }
    let object = run(&["--thinking", "off", "--json"]).json();
    assert_eq!(object["text"].as_str().unwrap().trim(), ANSWER.trim());
    assert!(object["thinking"].is_null(), "{object}");
    // Without a template nothing is known of thoughts.
    let raw = run(&["--raw", "--max-tokens", "8"]);
    assert!(!raw.stdout.is_empty());
    let refused = desk.run(["run", bundle, QUESTION, "--raw", "--thinking", "off", "--json"]);
    refused.failed(2, "usage");
}

#[test]
fn an_answer_that_ends_in_its_thoughts_is_none() {
    let (desk, bundle) = Desk::with_thinking_model();
    let bundle = bundle.to_str().unwrap();
    let ran = desk.run(["run", bundle, QUESTION, "--max-tokens", "3"]);
    assert_eq!((ran.status, ran.stdout.trim()), (Some(10), ""), "{ran:?}");
    assert!(ran.stderr.contains("--max-tokens, or add --thinking off"), "{ran:?}");
    let object = desk
        .run(["run", bundle, QUESTION, "--max-tokens", "3", "--json"])
        .json();
    assert_eq!(
        (&object["text"], &object["finish_reason"]),
        (&"".into(), &"length".into())
    );
    assert!(THOUGHT.starts_with(object["thinking"].as_str().unwrap()));
}

#[test]
fn a_model_that_cannot_think_refuses_to_be_told_to() {
    let desk = Desk::new();
    let tiny = tiny();
    let run = |thinking: &str| desk.run(["run", tiny.to_str().unwrap(), "Hello", "--json", "--thinking", thinking]);
    run("on").failed(2, "no_thinking");
    assert!(run("off").succeeded().json()["thinking"].is_null());
    run("maybe").failed(2, "usage");
}

#[test]
fn a_long_chat_keeps_no_thoughts() {
    let (desk, bundle) = Desk::with_thinking_model();
    let (file, state) = (desk.path("talk.json"), desk.path("talk.state"));
    let arguments = ["chat", bundle.to_str().unwrap(), "--state", state.to_str().unwrap()];
    let mut chat = Started::new(&mut desk.command(arguments));
    for turn in 0..12 {
        if turn % 4 == 2 {
            chat.say("/set thinking off\n");
        } else if turn % 4 == 0 {
            chat.say("/set thinking default\n");
        }
        chat.say(&format!("{QUESTION}\n"));
    }
    chat.say(&format!("/save {}\n", file.display()));
    let ran = chat.finish().succeeded();
    let answers: Vec<_> = ran.stdout.lines().map(str::trim).collect();
    assert_eq!(answers, [ANSWER.trim(); 12], "{ran:?}");
    assert!(!ran.stderr.contains(THOUGHT), "{ran:?}");
    let saved: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!(saved["options"]["thinking"], false);
    let messages = saved["messages"].as_array().unwrap();
    assert_eq!(messages.len(), 24);
    for message in messages {
        let expected = if message["role"] == "user" {
            QUESTION
        } else {
            ANSWER.trim()
        };
        assert_eq!(message["content"].as_str().unwrap().trim(), expected);
    }
    // It goes on where it was.
    let mut chat = Started::new(&mut desk.command(arguments));
    chat.say(&format!("{QUESTION}\n"));
    let ran = chat.finish().succeeded();
    assert_eq!(ran.stdout.trim(), ANSWER.trim(), "{ran:?}");
    assert!(ran.stderr.contains("24 messages so far"), "{ran:?}");
}

#[test]
fn a_person_sees_the_thoughts_above_the_answer() {
    let (desk, bundle) = Desk::with_thinking_model();
    let mut command = desk.command(["run", bundle.to_str().unwrap(), QUESTION]);
    let (status, shown) = Terminal::new(command.env("CLICOLOR_FORCE", "1"), 80).finish();
    assert_eq!(status, Some(0), "{shown}");
    assert!(shown.contains("\u{1b}[2m"), "dimmed: {shown:?}");
    let plain = console::strip_ansi_codes(&shown).replace('\r', "");
    let expected = format!("{THOUGHT}\n\n{}\n", ANSWER.trim());
    assert!(plain.contains(&expected), "{plain:?}");
    assert!(!plain.contains("think"), "{plain:?}");
    // Without colour they stand apart all the same; an object has them in its field.
    let mut command = desk.command(["run", bundle.to_str().unwrap(), QUESTION, "--json"]);
    let (_, shown) = Terminal::new(command.env("NO_COLOR", "1"), 80).finish();
    assert_eq!(shown.matches(THOUGHT).count(), 1, "{shown:?}");
}

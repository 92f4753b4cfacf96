//! `whimbrel task`: the list, the ready tasks and an own one, what is refused, and that the guide shows what the real model says.
#![allow(clippy::unwrap_used)]

mod support;

use std::path::Path;

use serde_json::Value;
use support::{Desk, Ran, smollm2, tiny};

const NAMES: [&str; 8] = [
    "title", "points", "replies", "tone", "category", "tidy", "fill", "shorten",
];

fn task(desk: &Desk, more: &[&str]) -> Ran {
    let tiny = tiny();
    let base = ["task", "--model", tiny.to_str().unwrap()];
    desk.run(base.iter().chain(more))
}

fn guide() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/tasks.md");
    std::fs::read_to_string(path).unwrap()
}

/// The blocks of the guide in a language.
fn blocks<'a>(guide: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    let after: Vec<&str> = guide.split(fence.as_str()).skip(1).collect();
    after
        .into_iter()
        .map(|block| block.split("```").next().unwrap())
        .collect()
}

#[test]
fn tasks_are_listed() {
    let desk = Desk::new();
    let listed = desk.run(["task"]).succeeded().stdout;
    let names: Vec<&str> = listed
        .lines()
        .map(|line| line.split_whitespace().next().unwrap())
        .collect();
    assert_eq!(names, NAMES);
    assert!(listed.contains("Needs --choice"), "{listed}");
    let object = desk.run(["task", "--json"]).succeeded().json();
    assert_eq!(object["tasks"][3]["name"], "tone");
    assert_eq!(object["tasks"][3]["needs"], Value::Null);
    assert_eq!(object["tasks"][6]["needs"], "--json-schema FILE");
    // The guide's table has each of them.
    let guide = guide();
    for name in NAMES {
        assert!(guide.contains(&format!("| `{name}` |")), "{name}");
    }
}

#[test]
fn answers_have_the_form_of_the_task() {
    let desk = Desk::new();
    let schema = desk.write("form.json", r#"{"type": "object", "properties": {"day": {"enum": ["today", "later"]}}, "required": ["day"], "additionalProperties": false}"#);
    let text = desk.write("text.txt", "The soup was cold.\n");
    let (schema, text) = (schema.to_str().unwrap(), text.to_str().unwrap());
    let shown = |flags: &[&str]| task(&desk, flags).succeeded().stdout.trim_end().to_owned();
    for flags in [
        &["tone", "Nice!"][..],
        &["tone", "--text", "Nice!"],
        &["tone", "--text-file", text],
    ] {
        let answer = shown(flags);
        assert!(["positive", "negative"].contains(&answer.as_str()), "{answer}");
    }
    let answer = shown(&["category", "--choice", "a b,c", "Hello"]);
    assert!(["a b", "c"].contains(&answer.as_str()), "{answer}");
    let answer: Value = serde_json::from_str(&shown(&["fill", "--json-schema", schema, "Come today"])).unwrap();
    assert!(answer["day"].is_string());
    let object = task(&desk, &["tone", "Nice!", "--json"]).succeeded().json();
    assert_eq!(object["finish_reason"], "stop");
    assert!(
        object["model"].is_string() && object["prompt_tokens"].as_u64().unwrap() > 50,
        "{object}"
    );
}

#[test]
fn policies_and_receipts_know_the_task_by_its_name() {
    let desk = Desk::new();
    let object = task(&desk, &["tone", "Nice!", "--policy", "private", "--json"])
        .succeeded()
        .json();
    assert_eq!(object["route"]["place"]["kind"], "on_device", "{object}");
    let receipts = desk.run(["ledger", "list", "--json"]).succeeded().stdout;
    assert!(receipts.contains("\"tone\""), "{receipts}");
}

#[test]
fn what_cannot_be_done_is_said() {
    let desk = Desk::new();
    let broken = desk.write("broken.json", "{\n  \"version\": 1,\n  \"nmae\": \"x\"\n}");
    let [wrong] = [desk.write("wrong.json", blocks(&guide(), "json")[0].replace("{text}", "text"))];
    let (broken, wrong) = (broken.to_str().unwrap(), wrong.to_str().unwrap());
    let long = "a ".repeat(3000);
    for (flags, status, code, parts) in [
        (&["tine", "Hello"][..], 2, "usage", &["no task tine", "tone"][..]),
        (&["category", "Hello"], 2, "usage", &["category needs --choice A,B,…"]),
        (
            &["category", "Hello", "--regex", "a"],
            2,
            "usage",
            &["category needs --choice A,B,…"],
        ),
        (
            &["fill", "Hello", "--choice", "a,b"],
            2,
            "usage",
            &["fill needs --json-schema FILE"],
        ),
        (
            &["tone", "Hello", "--choice", "a,b"],
            2,
            "usage",
            &["tone has a form of its own"],
        ),
        (&["tone", &long], 2, "limit", &["6000 bytes of text", "4000"]),
        (
            &["tone", "--text-file", "none.txt"],
            5,
            "input_unreadable",
            &["none.txt"],
        ),
        (
            &["--document", "none.json", "Hello"],
            5,
            "input_unreadable",
            &["none.json"],
        ),
        (
            &["--document", broken, "Hello"],
            5,
            "input_invalid",
            &["broken.json", "line 3, column 8", "nmae"],
        ),
        (
            &["--document", wrong, "Hello"],
            5,
            "input_invalid",
            &["wrong.json", "prompt", "{text} once"],
        ),
        (
            &["--document", wrong, "tone", "Hello"],
            2,
            "usage",
            &["beside its document"],
        ),
        (&["tone", "Hello", "--text", "Hello"], 2, "usage", &["--text"]),
    ] {
        let ran = task(&desk, &[flags, &["--json"]].concat()).failed(status, code);
        let error = &ran.json()["error"];
        let message = format!("{} {}", error["message"], error["hint"]);
        assert!(parts.iter().all(|part| message.contains(part)), "{flags:?}: {message}");
    }
}

/// What the guide shows is what the real model says.
#[test]
fn the_guide_holds() {
    let (desk, model, guide) = (Desk::new(), smollm2(), guide());
    let [shown] = blocks(&guide, "console")[..] else {
        panic!("one block with answers")
    };
    let mut lines = shown.lines();
    let mut count = 0;
    while let Some(line) = lines.next() {
        let words = shell_words(line.strip_prefix("$ whimbrel ").unwrap());
        let ran = desk.run(
            words
                .iter()
                .map(String::as_str)
                .chain(["--model", model.to_str().unwrap()]),
        );
        assert_eq!(ran.succeeded().stdout.trim_end(), lines.next().unwrap(), "{line}");
        count += 1;
    }
    assert!(count >= 4);
    // The document that it shows is one.
    let mood = desk.write("mood.json", blocks(&guide, "json")[0]);
    let answer = desk
        .run([
            "task",
            "--document",
            mood.to_str().unwrap(),
            "I won!",
            "--model",
            model.to_str().unwrap(),
        ])
        .succeeded();
    assert!(["happy", "sad"].contains(&answer.stdout.trim_end()));
}

/// The words of a line, of which those in quotes are one.
fn shell_words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (index, part) in line.split('"').enumerate() {
        match index % 2 {
            0 => words.extend(part.split_whitespace().map(str::to_owned)),
            _ => words.push(part.to_owned()),
        }
    }
    words
}

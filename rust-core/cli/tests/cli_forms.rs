//! `run` with a form: the answer has it, or the command says that it does not; a form that cannot be used is refused with its file and place.
#![allow(clippy::unwrap_used)]

mod support;

use std::path::Path;

use serde_json::Value;
use support::{Desk, Ran, Started, tiny};
use whimbrel_forge::synthetic::THOUGHT;
use whimbrel_testing::{ChatServer, Reply};

const SCHEMA: &str = r#"{
    "type": "object",
    "properties": {"bird": {"enum": ["whimbrel", "curlew"]}, "count": {"type": "integer", "minimum": 0, "maximum": 999}},
    "required": ["bird", "count"],
    "additionalProperties": false
}"#;
const GRAMMAR: &str = "start: BIRD \" and \" BIRD\nBIRD: \"whimbrel\" | \"curlew\"\n";

fn run(desk: &Desk, more: &[&str]) -> Ran {
    let tiny = tiny();
    let base = ["run", "--model", tiny.to_str().unwrap(), "--prompt", "Which bird?"];
    desk.run(base.iter().chain(more))
}

fn is_bird(text: &str) -> bool {
    ["whimbrel", "curlew"].contains(&text)
}

/// Whether an answer has its form.
type Check = fn(&str) -> bool;

#[test]
fn answers_have_their_form() {
    let desk = Desk::new();
    let [schema, grammar] = [desk.write("schema.json", SCHEMA), desk.write("birds.lark", GRAMMAR)];
    let json = |text: &str| {
        let value: Value = serde_json::from_str(text).unwrap();
        is_bird(value["bird"].as_str().unwrap()) && value["count"].as_u64().unwrap() < 1000
    };
    let birds = |text: &str| {
        text.split_once(" and ")
            .is_some_and(|(one, other)| is_bird(one) && is_bird(other))
    };
    let date = |text: &str| text.len() == 10 && text.chars().filter(|&c| c == '-').count() == 2;
    let cases: [(&[&str], Check); 4] = [
        (&["--json-schema", schema.to_str().unwrap()], json),
        (&["--choice", "whimbrel,curlew"], is_bird),
        (&["--regex", "[0-9]{4}-[0-9]{2}-[0-9]{2}"], date),
        (&["--grammar", grammar.to_str().unwrap()], birds),
    ];
    for (flags, is_valid) in cases {
        for more in [&[][..], &["--raw"], &["--temperature", "1", "--seed", "3"]] {
            let flags = [flags, more].concat();
            let plain = run(&desk, &flags).succeeded();
            assert!(is_valid(plain.stdout.trim_end()), "{flags:?} {plain:?}");
            let object = run(&desk, &[&flags[..], &["--json"]].concat()).succeeded().json();
            assert_eq!(object["text"], plain.stdout.trim_end());
            assert_eq!(object["finish_reason"], "stop");
            assert!(object["forced_tokens"].as_u64().unwrap() > 0, "{object}");
        }
    }
}

#[test]
fn an_answer_that_is_cut_is_no_answer() {
    let desk = Desk::new();
    let schema = desk.write("schema.json", SCHEMA);
    let flags = ["--json-schema", schema.to_str().unwrap(), "--max-tokens", "6"];
    let ran = run(&desk, &flags);
    assert_eq!(ran.status, Some(10), "{ran:?}");
    assert!(
        ran.stderr.contains("before it had its form: raise --max-tokens"),
        "{ran:?}"
    );
    let ran = run(&desk, &[&flags[..], &["--json"]].concat());
    assert_eq!(ran.status, Some(10));
    assert_eq!(ran.json()["finish_reason"], "incomplete");
    assert!(serde_json::from_str::<Value>(ran.json()["text"].as_str().unwrap()).is_err());
}

#[test]
fn a_form_that_cannot_be_used_is_refused() {
    let desk = Desk::new();
    let unique = desk.write(
        "unique.json",
        r#"{"type": "array", "items": {"type": "array", "uniqueItems": true}}"#,
    );
    let broken = desk.write("broken.json", "{\n  \"type\": \"object\",\n}");
    let grammar = desk.write("bad.lark", "start: nothing\n");
    let [unique, broken, grammar] = [&unique, &broken, &grammar].map(|path| path.to_str().unwrap());
    for (flags, status, code, parts) in [
        (
            &["--json-schema", unique][..],
            5,
            "input_invalid",
            &["unique.json", "/items/uniqueItems", "uniqueItems cannot be enforced"][..],
        ),
        (
            &["--json-schema", broken],
            5,
            "input_invalid",
            &["broken.json", "line 3, column 1", "not JSON"],
        ),
        (&["--grammar", grammar], 5, "input_invalid", &["bad.lark", "nothing"]),
        (&["--json-schema", "none.json"], 5, "input_unreadable", &["none.json"]),
        (&["--regex", "a("], 2, "form", &["regular expression"]),
        (
            &["--choice", "yes,"],
            2,
            "form",
            &["list of choices", "must not be empty"],
        ),
        (
            &["--choice", "yes,no", "--regex", "a"],
            2,
            "usage",
            &["--choice", "--regex"],
        ),
        (
            &["--choice", "yes and no and perhaps", "--max-tokens", "1"],
            2,
            "usage",
            &["--max-tokens must be at least"],
        ),
    ] {
        let ran = run(&desk, &[flags, &["--json"]].concat()).failed(status, code);
        let message = ran.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(parts.iter().all(|part| message.contains(part)), "{flags:?}: {message}");
    }
}

#[test]
fn thoughts_before_the_answer_are_free() {
    let (desk, bundle) = Desk::with_thinking_model();
    let bundle = bundle.to_str().unwrap();
    for (thinking, thought) in [("default", Value::from(THOUGHT)), ("off", Value::Null)] {
        let flags = ["--choice", "whimbrel,curlew", "--thinking", thinking, "--json"];
        let object = desk
            .run(["run", bundle, "Which bird?"].iter().chain(&flags))
            .succeeded()
            .json();
        assert_eq!(object["thinking"], thought, "{object}");
        assert!(is_bird(object["text"].as_str().unwrap()), "{object}");
        assert_eq!(object["finish_reason"], "stop");
    }
}

/// A place that cannot hold a form is not asked.
#[test]
fn a_form_is_never_lost_on_the_way() {
    for (supports, form) in [
        ("", ["--choice", "whimbrel,curlew"]),
        ("supports = [\"json\"]\n", ["--regex", "whimbrel|curlew"]),
    ] {
        let server = ChatServer::start(&[]);
        let desk = Desk::new();
        let policy = desk.write(
            "policy.toml",
            format!(
                "version = 1\nname = \"forms\"\notherwise = [\"remote:cloud\", \"on_device\"]\n[[endpoints]]\nid = \"cloud\"\n\
                 base_url = \"{}\"\nmodel = \"large\"\ntrust = \"public_cloud\"\ncost_per_1k_tokens = 0\nclass_max = \"sensitive\"\n{supports}",
                server.url
            ),
        );
        let (policy, tiny) = (policy.to_str().unwrap(), tiny());
        let flags = ["--policy", policy, form[0], form[1], "--json"];
        let base = ["run", "--prompt", "Which bird?", "--model", tiny.to_str().unwrap()];
        let object = desk.run(base.iter().chain(&flags)).succeeded().json();
        assert!(is_bird(object["text"].as_str().unwrap()), "{object}");
        assert_eq!(object["route"]["place"]["kind"], "on_device");
        // Without a model here there is no answer.
        let mut command = desk.command(["run", "--prompt", "Which bird?"].iter().chain(&flags));
        let ran = Started::new(&mut command).finish();
        assert_eq!(ran.status, Some(10), "{ran:?}");
        assert!(server.received().is_empty());
    }
}

#[test]
fn an_endpoint_answers_in_the_form_or_not_at_all() {
    let desk = Desk::new();
    let ask = |pieces: &'static [&'static str]| {
        let server = ChatServer::saying(pieces, &[Reply::Whole]);
        let policy = format!(
            "version = 1\nname = \"cloud\"\notherwise = [\"remote:cloud\", \"on_device\"]\n[[endpoints]]\nid = \"cloud\"\nbase_url = \"{}\"\n\
             model = \"large\"\ntrust = \"public_cloud\"\ncost_per_1k_tokens = 0\nsupports = [\"json\"]\n",
            server.url
        );
        let policy = desk.write("policy.toml", policy);
        let flags = [
            "--policy",
            policy.to_str().unwrap(),
            "--choice",
            "whimbrel,curlew",
            "--json",
        ];
        let ran = run(&desk, &flags);
        (ran, server.take_received().remove(0).body)
    };
    let (ran, body) = ask(&["{\"choice\":", "\"curlew\"}"]);
    let object = ran.succeeded().json();
    assert_eq!(
        (&object["text"], &object["route"]["place"]["kind"]),
        (&"curlew".into(), &"remote".into()),
        "{object}"
    );
    assert!(body.contains(r#""response_format":{"type":"json_schema""#), "{body}");
    // What is no answer is not shown, and this machine answers.
    let (ran, _) = ask(&["A curlew, ", "I think."]);
    let object = ran.succeeded().json();
    assert!(is_bird(object["text"].as_str().unwrap()), "{object}");
    assert_eq!(object["route"]["attempts"][0]["code"], "not_in_form");
}

/// The commands of `docs/forms.md` run, with the files that it shows, and their answers have the forms that it names.
#[test]
fn the_guide_holds() {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/forms.md");
    let guide = std::fs::read_to_string(guide).unwrap();
    let desk = Desk::new();
    let blocks = |language: &str| {
        let fence = format!("```{language}\n");
        let blocks = guide.split(&fence).skip(1);
        blocks
            .map(|block| block.split("```").next().unwrap())
            .collect::<Vec<_>>()
    };
    let (schemas, grammars, commands) = (blocks("json"), blocks("lark"), blocks("sh"));
    let ([schema], [grammar], [commands]) = (&schemas[..], &grammars[..], &commands[..]) else {
        panic!("a schema, a grammar and a list of commands");
    };
    desk.write("ticket.json", schema);
    desk.write("light.lark", grammar);
    let answers: Vec<String> = commands.lines().map(|line| answer_of(&desk, line)).collect();
    let [review, time, ticket, light] = &answers[..] else {
        panic!("{answers:?}");
    };
    assert!(["positive", "negative"].contains(&review.as_str()), "{review}");
    assert!(time.len() == 5 && time.as_bytes()[2] == b':', "{time}");
    let ticket: Value = serde_json::from_str(ticket).unwrap();
    assert!(ticket["urgent"].is_boolean() && ticket["summary"].as_str().unwrap().chars().count() <= 60);
    assert!(light.starts_with("turn o") || light.starts_with("set "), "{light}");
}

/// What a line of a shell prints with the tiny model.
fn answer_of(desk: &Desk, line: &str) -> String {
    let command = line.strip_prefix("whimbrel run ").unwrap();
    let script = format!("cd \"$1\" && exec \"$2\" run --model \"$3\" {command}");
    let shell = desk.command(["unused"]);
    let program = shell.get_program().to_owned();
    let mut started = std::process::Command::new("sh");
    started
        .args(["-c", &script, "sh"])
        .arg(desk.path(""))
        .arg(program)
        .arg(tiny());
    for (name, value) in shell.get_envs() {
        if let Some(value) = value {
            started.env(name, value);
        }
    }
    let ran = Started::new(&mut started).finish().succeeded();
    ran.stdout.trim_end().to_owned()
}

//! `run` and `chat` with the tools of MCP servers: what the model calls is carried out after a yes, and its result becomes the answer.
#![allow(clippy::unwrap_used)]

mod support;

use std::path::{Path, PathBuf};

use serde_json::Value;
use support::{Desk, Ran, smollm2, tiny};
use whimbrel_testing::{ChatServer, Reply};

/// The command of the server, and the file that says what it was asked.
fn server(desk: &Desk) -> (String, PathBuf) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mcp/assistant.py");
    let log = desk.write("calls.log", "");
    (format!("python3 '{}' '{}'", script.display(), log.display()), log)
}

fn called(log: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(log).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn run(desk: &Desk, model: &Path, question: &str, more: &[&str]) -> Ran {
    let model = model.to_str().unwrap();
    desk.run(["run", "--model", model, "--prompt", question].iter().chain(more))
}

/// The example of docs/tools.md: a real model of 135 million parameters, held to calls.
#[test]
fn a_real_model_calls_the_tool_that_the_question_is_about() {
    let desk = Desk::new();
    let (server, log) = server(&desk);
    let flags = ["--mcp", &server, "--allow-tools", "--require-tool"];
    let ran = run(&desk, &smollm2(), "What is the weather in Lyon?", &flags).succeeded();
    assert!(ran.stderr.contains("[weather {\"place\": \"Lyon\"}]"), "{ran:?}");
    assert!(
        ran.stderr.contains("[not offered: the tool \"unheld\" cannot be used"),
        "{ran:?}"
    );
    assert!(ran.stdout.to_lowercase().contains("sunny"), "{ran:?}");
    let ran = run(
        &desk,
        &smollm2(),
        "Start a timer for 5 minutes.",
        &[&flags[..], &["--json"]].concat(),
    )
    .succeeded();
    assert_eq!(
        called(&log),
        [
            serde_json::json!(["weather", {"place": "Lyon"}]),
            serde_json::json!(["timer", {"minutes": 5}])
        ]
    );
    let object = ran.json();
    assert!(object["text"].as_str().unwrap().contains('5'), "{ran:?}");
    assert_eq!(object["calls"], serde_json::json!([{"name": "timer", "end": "done"}]));
}

#[test]
fn nothing_is_carried_out_without_a_yes() {
    let desk = Desk::new();
    let (server, log) = server(&desk);
    // Nobody can be asked: the question comes through a pipe.
    let flags = [
        "--mcp",
        &server,
        "--require-tool",
        "--tool-calls",
        "1",
        "--max-tokens",
        "80",
        "--context",
        "1024",
    ];
    let ran = run(&desk, &tiny(), "Is it warm?", &flags);
    assert!(
        ran.stderr
            .contains("not allowed; --allow-tools allows calls without asking]")
            || ran.status != Some(0),
        "{ran:?}"
    );
    assert_eq!(called(&log), Vec::<Value>::new());
}

#[test]
fn flags_that_do_not_fit_are_refused() {
    let desk = Desk::new();
    let (server, _) = server(&desk);
    let failed = |flags: &[&str], status: i32, code: &str| {
        run(&desk, &tiny(), "x", &[flags, &["--json"]].concat()).failed(status, code);
    };
    failed(&["--allow-tools"], 2, "usage");
    failed(&["--mcp", &server, "--tool-calls", "65"], 2, "usage");
    failed(&["--mcp", "no-such-program-here"], 11, "mcp_not_found");
    failed(&["--mcp", &server, "--choice", "a,b"], 2, "usage");
}

#[test]
fn a_policy_may_forbid_what_a_flag_allows() {
    let desk = Desk::new();
    let (server, log) = server(&desk);
    let cloud = ChatServer::start(&[Reply::Whole]);
    let policy = |more: &str| {
        desk.write(
            "policy.toml",
            format!(
                "version = 1\nname = \"t\"\notherwise = [\"remote:cloud\"]\n[[endpoints]]\nid = \"cloud\"\nbase_url = \"{}\"\nmodel = \"m\"\n\
                 trust = \"organisation\"\ncost_per_1k_tokens = 0\n{more}",
                cloud.url
            ),
        )
    };
    // An endpoint that takes no tools is not asked.
    let without = policy("");
    let flags = ["--mcp", &server, "--allow-tools", "--policy", without.to_str().unwrap()];
    let ran = run(&desk, &tiny(), "Is it warm?", &flags);
    assert_ne!(ran.status, Some(0), "{ran:?}");
    assert_eq!(cloud.requests(), 0);
    let with = policy("supports = [\"tools\"]\n");
    let flags = ["--mcp", &server, "--allow-tools", "--policy", with.to_str().unwrap()];
    let ran = run(&desk, &tiny(), "Is it warm?", &flags).succeeded();
    assert_eq!(ran.stdout.trim_end(), "An answer from the server.");
    let body: Value = serde_json::from_str(&cloud.take_received().remove(0).body).unwrap();
    let names: Vec<&str> = body["tools"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tool| tool["function"]["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["weather", "timer"]);
    assert_eq!(called(&log), Vec::<Value>::new());
}

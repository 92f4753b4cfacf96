//! Ctrl-C: an answer stops where it is, an import leaves nothing, a chat goes on.
#![allow(clippy::unwrap_used)]

mod support;

use support::{Desk, Started, tiny};
use whimbrel_forge::synthetic::Synthetic;

/// An answer long enough to be interrupted, although it repeats itself.
const LONG: [&str; 9] = [
    "run",
    "--raw",
    "--no-repetition-guard",
    "--max-tokens",
    "4000",
    "--context",
    "4096",
    "--prompt",
    "Light is the cause of",
];

#[test]
fn an_answer_stops_and_is_shown() {
    let desk = Desk::new();
    let mut started = Started::new(desk.command(LONG).arg("--stats").arg("--model").arg(tiny()));
    let first = started.first_output();
    started.signal("-INT");
    let ran = started.finish();
    assert_eq!(ran.status, Some(130), "{ran:?}");
    assert!(!first.is_empty());
    assert!(ran.stderr.contains("[cancelled: "), "{ran:?}");
    assert!(!ran.stderr.contains("error"), "{ran:?}");
}

#[test]
fn an_interrupted_object_says_so() {
    let desk = Desk::new();
    let mut command = desk.command(LONG);
    let mut started = Started::new(command.arg("--json").arg("--model").arg(tiny()).env("RUST_LOG", "info"));
    // The first line of the log comes when the model is open.
    started.first_complaint();
    started.signal("-INT");
    let ran = started.finish();
    assert_eq!(ran.status, Some(130), "{ran:?}");
    let object = ran.json();
    assert_eq!(object["finish_reason"], "cancelled");
    assert!(object["completion_tokens"].as_u64().unwrap() < 4000);
}

#[test]
fn a_measurement_ends_without_a_result() {
    let desk = Desk::new();
    for command in ["bench", "perplexity"] {
        let file = desk.write("text", "Light is the cause of colour. ".repeat(20_000));
        let mut arguments = vec![command, "--json"];
        match command {
            "bench" => arguments.extend(["--repetitions", "1000"]),
            _ => arguments.extend(["--file", file.to_str().unwrap()]),
        }
        let mut started = Started::new(desk.command(arguments).arg("--model").arg(tiny()));
        // `measuring …` comes first.
        started.first_complaint();
        started.signal("-INT");
        started.finish().failed(130, "interrupted");
    }
}

#[test]
fn an_import_leaves_nothing() {
    let desk = Desk::new();
    let file = desk.write(
        "tiny.gguf",
        Synthetic {
            layers: 200,
            ..Synthetic::tiny()
        }
        .to_gguf(),
    );
    let mut command = desk.command(["import", "--json", "--quantization", "q8_0", "--threads", "1"]);
    let mut started = Started::new(command.arg(&file).arg("--output").arg(desk.path("bundle")));
    started.first_complaint();
    started.signal("-INT");
    started.finish().failed(130, "interrupted");
    let left: Vec<_> = std::fs::read_dir(desk.path(""))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, ["tiny.gguf"]);
}

#[test]
fn a_chat_goes_on_after_a_stopped_answer() {
    let desk = Desk::new();
    let mut command = desk.command([
        "chat",
        "--no-repetition-guard",
        "--max-tokens",
        "4000",
        "--context",
        "4096",
        "--temperature",
        "0",
    ]);
    let mut started = Started::new(command.arg("--model").arg(tiny()));
    started.say("Light is the cause of\n");
    started.first_output();
    started.signal("-INT");
    started.say("/stats\n/quit\n");
    let ran = started.finish();
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert!(ran.stderr.starts_with("[stopped]\n[cancelled: "), "{ran:?}");
}

#[test]
fn a_chat_that_waits_for_a_question_ends() {
    let desk = Desk::new();
    let mut started = Started::new(desk.command(["chat"]).arg("--model").arg(tiny()));
    started.say("/stats\n");
    assert_eq!(started.first_complaint(), "[no answer yet]\n");
    started.signal("-INT");
    assert_eq!(started.wait().status, Some(130));
}

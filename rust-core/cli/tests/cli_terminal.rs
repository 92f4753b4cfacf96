//! `chat` and `run` at a terminal.
#![allow(clippy::unwrap_used)]

mod support;

use support::terminal::Terminal;
use support::{Desk, tiny};

fn chat(desk: &Desk, more: &[&str], columns: u16) -> Terminal {
    let mut command = desk.command(["chat", "--max-tokens", "24", "--temperature", "0"].iter().chain(more));
    let mut chat = Terminal::new(command.env("NO_COLOR", "1").arg("--model").arg(tiny()), columns);
    chat.wait_for_prompt();
    chat
}

/// What is shown without what moves the cursor.
fn lines(text: &str) -> Vec<String> {
    let plain = console::strip_ansi_codes(text).replace('\r', "");
    plain.lines().map(str::to_owned).collect()
}

#[test]
fn an_answer_is_wrapped_at_the_terminals_width() {
    let desk = Desk::new();
    let mut chat = chat(&desk, &[], 40);
    chat.type_keys("What is light?\r");
    chat.wait_for("\n");
    let shown = chat.wait_for_prompt();
    let answer = lines(&shown);
    assert!(answer.len() > 2, "{answer:?}");
    assert!(answer.iter().all(|line| line.chars().count() <= 40), "{answer:?}");
    chat.type_keys("/quit\r");
    assert_eq!(chat.finish().0, Some(0));
    // A program gets the text as it is.
    let piped = desk.run([
        "run",
        "--max-tokens",
        "24",
        "--prompt",
        "What is light?",
        "--model",
        tiny().to_str().unwrap(),
    ]);
    assert_eq!(piped.succeeded().stdout.lines().count(), 1);
}

#[test]
fn colour_is_for_terminals_that_have_it() {
    let desk = Desk::new();
    let shown = |variable: &str, value: &str| {
        let mut command = desk.command(["run", "--model", "./nowhere", "x"]);
        Terminal::new(command.env(variable, value), 80).finish().1
    };
    assert!(shown("TERM", "xterm").contains("\u{1b}[31m"));
    assert!(!shown("TERM", "dumb").contains('\u{1b}'));
    assert!(!shown("NO_COLOR", "1").contains('\u{1b}'));
}

#[test]
fn a_question_may_have_several_lines_and_tab_completes() {
    let desk = Desk::new();
    let file = desk.path("talk.json");
    let mut chat = chat(&desk, &[], 80);
    chat.type_keys("Light \\\rand colour?\r");
    chat.wait_for_prompt();
    chat.type_keys("/sav\t");
    chat.wait_for("/save ");
    chat.type_keys(&format!("{}\r", file.display()));
    chat.wait_for("[saved 2 messages]");
    let saved: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!(saved["messages"][0]["content"], "Light \nand colour?");
    // It asks before it replaces.
    for (reply, said) in [("n", "[not saved]"), ("y", "[saved 0 messages]")] {
        chat.type_keys("/reset\r");
        chat.wait_for("[forgotten]");
        chat.type_keys(&format!("/save {}\r", file.display()));
        chat.wait_for("exists. Replace it? [y/N] ");
        chat.type_keys(&format!("{reply}\r"));
        chat.wait_for(said);
    }
    chat.type_keys("/quit\r");
    assert_eq!(chat.finish().0, Some(0));
    // The next chat still has the question, with both of its lines.
    let history = std::fs::read_to_string(desk.path("state/whimbrel/chat_history")).unwrap();
    assert_eq!(history.lines().next().unwrap(), "Light \u{2028}and colour?");
}

#[test]
fn a_long_prompt_shows_how_far_it_is_read() {
    let desk = Desk::new();
    let prompt = "light and colour and motion ".repeat(120);
    let arguments = ["run", "--max-tokens", "2", "--prompt", &prompt, "--model"];
    let mut command = desk.command(arguments);
    let (status, shown) = Terminal::new(command.arg(tiny()), 80).finish();
    assert_eq!(status, Some(0), "{shown}");
    assert!(shown.contains("reading the prompt"), "{shown}");
    // Nobody watches a pipe.
    let mut command = desk.command(arguments);
    let piped = support::Started::new(command.arg(tiny())).finish().succeeded();
    assert_eq!(piped.stderr, "");
}

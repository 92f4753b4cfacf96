//! `whimbrel chat` with its lines piped in.
#![allow(clippy::unwrap_used)]

mod support;

use support::{Desk, Ran, Started, tiny};

fn chat(desk: &Desk, more: &[&str], lines: &str) -> Ran {
    let mut command = desk.command(["chat", "--max-tokens", "8"].iter().chain(more));
    let mut started = Started::new(command.arg("--model").arg(tiny()));
    started.say(lines);
    started.finish()
}

#[test]
fn questions_are_answered_in_turn() {
    let desk = Desk::new();
    let ran = chat(&desk, &["--stats"], "What is light?\n\nAnd colour?\n").succeeded();
    let figures: Vec<_> = ran.stderr.lines().collect();
    assert_eq!(figures.len(), 2, "{ran:?}");
    assert!(figures[0].contains("answer 8 tokens"), "{ran:?}");
    // The second question finds the first exchange in the cache.
    assert!(!figures[0].contains("kept") && figures[1].contains(" kept)"), "{ran:?}");
    assert_eq!(
        ran.stdout,
        chat(&desk, &[], "What is light?\nAnd colour?\n").succeeded().stdout
    );
}

#[test]
fn a_saved_state_goes_on_where_it_was() {
    let desk = Desk::new();
    let state = desk.path("state");
    let state = ["--state", state.to_str().unwrap(), "--stats", "--seed", "3"];
    let first = chat(&desk, &state, "What is light?\n").succeeded();
    let second = chat(&desk, &state, "And colour?\n").succeeded();
    assert!(second.stderr.contains(" kept)"), "{second:?}");
    let whole = chat(&desk, &["--temperature", "0"], "What is light?\nAnd colour?\n").succeeded();
    std::fs::remove_file(state[1]).unwrap();
    let zero = [&state[..], &["--temperature", "0"]].concat();
    let parts = ["What is light?\n", "And colour?\n"].map(|lines| chat(&desk, &zero, lines).succeeded().stdout);
    assert_eq!(parts.concat(), whole.stdout);
    assert!(!first.stdout.is_empty());
    std::fs::write(state[1], "nonsense").unwrap();
    assert_eq!(chat(&desk, &state, "What is light?\n").status, Some(5));
    assert_eq!(std::fs::read(state[1]).unwrap(), b"nonsense", "left alone");
    let lost = ["--state", "/nowhere/state"];
    assert_eq!(chat(&desk, &lost, "What is light?\n").status, Some(7));
}

#[test]
fn a_prefix_cache_saves_reading_and_changes_nothing() {
    let desk = Desk::new();
    let (tiny, cache) = (tiny(), desk.path("prefix"));
    let text = "light and colour and motion ".repeat(20);
    let run = |question: &str, more: &[&str]| {
        let prompt = format!("{text}{question}");
        let common = [
            "run",
            "--json",
            "--max-tokens",
            "8",
            "--model",
            tiny.to_str().unwrap(),
            "--prompt",
            &prompt,
        ];
        let ran = desk.run(common.iter().chain(more)).succeeded().json();
        (ran["text"].clone(), ran["reused_tokens"].as_u64().unwrap())
    };
    let with = ["--prefix-cache", cache.to_str().unwrap()];
    assert_eq!(run("one?", &with), run("one?", &[]));
    let written = std::fs::metadata(&cache).unwrap().modified().unwrap();
    let (answer, reused) = run("two?", &with);
    assert_eq!(answer, run("two?", &[]).0);
    assert!(reused > 100, "{reused}");
    assert_eq!(
        std::fs::metadata(&cache).unwrap().modified().unwrap(),
        written,
        "nothing new to keep"
    );
    let mut damaged = std::fs::read(&cache).unwrap();
    *damaged.last_mut().unwrap() ^= 1;
    std::fs::write(&cache, damaged).unwrap();
    assert_eq!(run("two?", &with), run("two?", &[]), "a useless file is no error");
    assert!(run("two?", &with).1 > 100, "and is replaced");
}

#[test]
fn a_prefix_cache_writes_over_nothing_but_its_own() {
    let desk = Desk::new();
    let letter = desk.write("letter", "Dear bird,");
    let prompt = "light and colour and motion ".repeat(20);
    let (tiny, cache) = (tiny(), letter.to_str().unwrap());
    let model = ["--model", tiny.to_str().unwrap(), "--prefix-cache", cache];
    let ran = desk.run(["run", "--max-tokens", "8", "--prompt", &prompt].iter().chain(&model));
    assert_eq!(ran.status, Some(5), "{ran:?}");
    assert_eq!(std::fs::read(&letter).unwrap(), b"Dear bird,");
}

#[test]
fn the_first_answer_is_that_of_run() {
    let desk = Desk::new();
    let tiny = tiny();
    let run = [
        "run",
        "--json",
        "--max-tokens",
        "8",
        "--prompt",
        "What is light?",
        "--model",
        tiny.to_str().unwrap(),
    ];
    let text = desk.run(run).succeeded().json()["text"].as_str().unwrap().to_owned();
    let ran = chat(&desk, &["--temperature", "0", "--top-p", "1"], "What is light?\n").succeeded();
    assert_eq!(ran.stdout, format!("{text}\n"));
}

#[test]
fn commands_do_what_they_say() {
    let desk = Desk::new();
    let file = desk.path("talk.json");
    let lines = format!(
        "/help\n/stats\nWhat is light?\n/stats\n/system Be brief.\n/save {0}\n/reset\n/save {0}.reset\n/quit\nnever asked\n",
        file.display()
    );
    let ran = chat(&desk, &[], &lines).succeeded();
    for words in [
        "/save FILE",
        "[no answer yet]",
        "of context used]",
        "[system message set]",
        "[saved 3 messages]",
        "[forgotten]",
    ] {
        assert!(ran.stderr.contains(words), "{words}: {ran:?}");
    }
    let saved: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!(saved["model"], "Whimbrel Tiny");
    let roles: Vec<_> = saved["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|each| each["role"].as_str().unwrap())
        .collect();
    assert_eq!(roles, ["system", "user", "assistant"]);
    assert_eq!(saved["messages"][1]["content"], "What is light?");
    let forgotten: serde_json::Value =
        serde_json::from_slice(&std::fs::read(desk.path("talk.json.reset")).unwrap()).unwrap();
    assert_eq!(
        forgotten["messages"],
        serde_json::json!([{"role": "system", "content": "Be brief."}])
    );
}

#[test]
fn a_long_conversation_drops_its_beginning_and_says_so() {
    let desk = Desk::new();
    let lines = "What is the light of the sun made of?\n".repeat(12);
    let ran = chat(&desk, &["--context", "160"], &lines).succeeded();
    assert!(ran.stderr.contains("the model no longer sees the oldest "), "{ran:?}");
}

#[test]
fn a_script_learns_of_errors() {
    let desk = Desk::new();
    let question = "light ".repeat(3000);
    for (lines, status) in [("/nonsense\n", 2), (&*question, 6), ("/save /nowhere/x\n", 7)] {
        let ran = chat(&desk, &[], lines);
        assert_eq!(ran.status, Some(status), "{ran:?}");
        assert_eq!(ran.stderr.lines().count(), 1, "{ran:?}");
    }
}

#[test]
fn an_answer_is_asked_for_again_without_a_policy_too() {
    let desk = Desk::new();
    let hot = ["--temperature", "1", "--top-p", "1"];
    let ran = chat(&desk, &hot, "What is light?\n/redo\n/redo\n").succeeded();
    let answers: Vec<_> = ran.stdout.lines().collect();
    assert!(
        answers.len() >= 3 && answers[0] != answers[answers.len() - 1],
        "{ran:?}"
    );
    assert_eq!(chat(&desk, &[], "/redo\n").status, Some(2));
    let cold = chat(&desk, &["--temperature", "0"], "What is light?\n/redo\n").succeeded();
    assert!(
        cold.stderr.contains("at temperature 0 an answer stays the same"),
        "{cold:?}"
    );
}

#[test]
fn what_is_set_holds_from_the_next_answer_on() {
    let desk = Desk::new();
    let lines = "/set\n/set max-tokens 2\nWhat is light?\n/stats\n/set temperature 0.5\n/set\n";
    let ran = chat(&desk, &[], lines).succeeded();
    for words in ["max-tokens          8", "answer 2 tokens", "temperature         0.5"] {
        assert!(ran.stderr.contains(words), "{words}: {ran:?}");
    }
    for line in ["/set warmth 1\n", "/set top-p 2\n", "/set seed -1\n", "/set seed\n"] {
        let ran = chat(&desk, &[], line);
        assert_eq!(ran.status, Some(2), "{ran:?}");
    }
}

#[test]
fn a_conversation_goes_on_with_another_model() {
    let desk = Desk::new();
    support::copy_bundle(&tiny(), &desk.models().join("other"));
    let file = desk.path("talk.json");
    let lines = format!(
        "/model\nWhat is light?\n/model other\nAnd colour?\n/save {}\n",
        file.display()
    );
    let ran = chat(&desk, &["--temperature", "0"], &lines).succeeded();
    assert!(
        ran.stderr.contains("[model Whimbrel Tiny; installed: other]")
            && ran.stderr.contains("[continuing with other]"),
        "{ran:?}"
    );
    let saved: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!(
        (&saved["model"], saved["messages"].as_array().unwrap().len()),
        (&"other".into(), 4)
    );
    // The same bundle under another name answers as if nothing had happened.
    let alone = chat(&desk, &["--temperature", "0"], "What is light?\nAnd colour?\n").succeeded();
    assert_eq!(ran.stdout, alone.stdout);
    assert_eq!(chat(&desk, &[], "/model nowhere\n").status, Some(3));
    let state = desk.path("state");
    let with_state = chat(&desk, &["--state", state.to_str().unwrap()], "/model other\n");
    assert_eq!(with_state.status, Some(2), "{with_state:?}");
}

#[test]
fn what_is_resumed_is_said() {
    let desk = Desk::new();
    let state = desk.path("state");
    let state = ["--state", state.to_str().unwrap()];
    let first = chat(&desk, &state, "What is light?\n").succeeded();
    assert!(
        first.stderr.starts_with("[a new conversation; it will be saved to "),
        "{first:?}"
    );
    let second = chat(&desk, &state, "/quit\n").succeeded();
    assert!(second.stderr.ends_with(": 2 messages so far]\n"), "{second:?}");
}

#[test]
fn saving_keeps_everything_and_replaces_nothing() {
    let desk = Desk::new();
    let file = desk.write("talk.json", "mine");
    let ran = chat(&desk, &[], &format!("/save {}\n", file.display()));
    assert_eq!(ran.status, Some(2), "{ran:?}");
    assert!(ran.stderr.contains("talk.json already exists"), "{ran:?}");
    assert_eq!(std::fs::read(&file).unwrap(), b"mine");
    std::fs::remove_file(&file).unwrap();
    let more = ["--system", "Be brief.", "--seed", "7", "--top-p", "0.9"];
    chat(&desk, &more, &format!("What is light?\n/save {}\n", file.display())).succeeded();
    let saved: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!(saved["options"]["sampling"]["seed"], 7);
    assert_eq!(saved["options"]["sampling"]["top_p"], 0.9);
    assert_eq!(saved["variant"], "q4_1");
    assert_eq!(saved["messages"][0]["content"], "Be brief.");
    assert_eq!(saved["messages"][1]["class"], "public");
}

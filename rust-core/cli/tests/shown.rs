//! Every question that the README, the documentation, the picture and the app show is asked of the real model. `shown.json` holds what the
//! answers must say and the answers that a person read and accepted.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;
use support::{Desk, smollm2};

#[derive(Deserialize)]
struct Shown {
    prompt: String,
    /// What an answer must say to be one.
    says: Vec<String>,
    /// The answer that was read and accepted.
    answer: String,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

fn accepted() -> Vec<Shown> {
    serde_json::from_str(&read("rust-core/cli/tests/shown.json")).unwrap()
}

/// The texts between two others.
fn between<'a>(text: &'a str, before: &str, after: &str) -> Vec<&'a str> {
    let parts = text.split(before).skip(1);
    parts.map(|part| part.split(after).next().unwrap()).collect()
}

/// The questions in documents, scripts and the app.
fn shown() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let documents = fs::read_dir(root().join("docs"))
        .unwrap()
        .map(|entry| entry.unwrap().path());
    // What is asked with tools is asked with them in `cli_tools.rs` and in the tests of the packages.
    let is_read = |path: &PathBuf| path.extension().is_some_and(|kind| kind == "md") && !path.ends_with("tools.md");
    let documents = documents.filter(is_read);
    for path in documents.chain([root().join("README.md"), root().join("CONTRIBUTING.md")]) {
        let text = fs::read_to_string(path).unwrap();
        for line in text.lines() {
            let is_of_the_model = line.contains("smollm2-135m-instruct") || line.contains("make demo");
            if is_of_the_model {
                found.extend(between(line, "--prompt \"", "\"").into_iter().map(str::to_owned));
                found.extend(between(line, "PROMPT=\"", "\"").into_iter().map(str::to_owned));
                found.extend(between(line, "echo \"", "\"").into_iter().map(str::to_owned));
            }
            found.extend(between(line, ".ask(\"", "\"").into_iter().map(str::to_owned));
        }
    }
    let recording = read("scripts/recording.sh");
    found.extend(
        between(&recording, "\"--prompt\", \"", "\"")
            .into_iter()
            .map(str::to_owned),
    );
    let strings = read("android-app/app/src/main/res/values/strings.xml");
    for suggestion in between(&strings, "<string name=\"suggestion_", "</string>") {
        found.insert(suggestion.split_once('>').unwrap().1.to_owned());
    }
    found.remove("…");
    found
}

#[test]
fn what_is_shown_was_read_and_accepted() {
    let accepted: BTreeSet<String> = accepted().into_iter().map(|shown| shown.prompt).collect();
    assert_eq!(shown(), accepted);
}

/// With the system message and the sampling of the model's card.
#[test]
fn the_model_answers_what_is_shown() {
    let catalogue: Value = serde_json::from_str(&read("shared-models/catalogue.json")).unwrap();
    let card = &catalogue["models"][0]["card"];
    let penalty = card["sampling"]["repetition_penalty"].to_string();
    assert_eq!(
        card["sampling"].as_object().unwrap().len(),
        1,
        "the test knows no other option"
    );
    let bundle = smollm2();
    let desk = Desk::new();
    for shown in accepted() {
        let ran = desk.run([
            "run",
            "--json",
            "--model",
            bundle.to_str().unwrap(),
            "--system",
            card["system"].as_str().unwrap(),
            "--repetition-penalty",
            &penalty,
            "--max-tokens",
            "300",
            "--prompt",
            &shown.prompt,
        ]);
        let object = ran.succeeded().json();
        let answer = object["text"].as_str().unwrap();
        assert_eq!(object["finish_reason"], "stop", "{answer}");
        for text in [answer, &shown.answer] {
            let missing = shown.says.iter().find(|says| !text.contains(*says));
            assert!(missing.is_none(), "{missing:?} is missing: {text}");
        }
        // Other processors add in another order, so that another machine may find other words.
        if answer != shown.answer {
            println!("{:?} is answered differently here: {answer:?}", shown.prompt);
        }
    }
}

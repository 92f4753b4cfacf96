//! What a newcomer meets first: help, one error with one hint, the one installed model, completions.
#![allow(clippy::unwrap_used)]

mod support;

use support::{Desk, Started, copy_bundle, tiny};

/// A desk on which the tiny bundle is installed under these names.
fn desk_with(names: &[&str]) -> Desk {
    let desk = Desk::new();
    for name in names {
        copy_bundle(&tiny(), &desk.models().join(name));
    }
    desk
}

#[test]
fn without_a_command_there_is_help() {
    let desk = Desk::new();
    let ran = desk.run([""; 0]).succeeded();
    assert!(ran.stdout.contains("Usage: whimbrel <COMMAND>"), "{ran:?}");
    assert!(ran.stdout.contains("whimbrel models pull "), "{ran:?}");
    assert_eq!(ran.stderr, "");
    let ran = desk.run(["models"]).succeeded();
    assert!(ran.stdout.contains("Usage: whimbrel models <COMMAND>"), "{ran:?}");
    desk.run(["models", "--json"]).failed(2, "usage");
}

#[test]
fn a_wrong_argument_is_one_line_with_a_hint_for_its_command() {
    let ran = Desk::new().run(["models", "pull"]);
    assert_eq!(ran.status, Some(2));
    assert_eq!(
        ran.stderr,
        "error: the following required arguments were not provided: <NAME|URL> (hint: `whimbrel models pull --help` lists its arguments)\n"
    );
}

#[test]
fn the_one_installed_model_needs_no_name() {
    let desk = desk_with(&["tiny"]);
    let answer = |words: &[&str]| {
        let ran = desk.run(["run", "--json", "--max-tokens", "4"].iter().chain(words));
        ran.succeeded().json()["text"].clone()
    };
    let expected = answer(&["--model", "tiny", "--prompt", "What is light?"]);
    for words in [
        &["What is light?"][..],
        &["--prompt", "What is light?"],
        &["tiny", "What is light?"],
        &["tiny", "--prompt", "What is light?"],
        &["--model", "tiny", "What is light?"],
    ] {
        assert_eq!(answer(words), expected, "{words:?}");
    }
    let folder = desk.models().join("tiny");
    assert_eq!(answer(&[folder.to_str().unwrap(), "What is light?"]), expected);
    let mut piped = Started::new(&mut desk.command(["run", "--json", "--max-tokens", "4", "tiny"]));
    piped.say("What is light?\n");
    assert_eq!(piped.finish().succeeded().json()["text"], expected);
    for command in [&["chat"][..], &["chat", "tiny"]] {
        let mut chat = Started::new(&mut desk.command(command.iter().chain(&["--max-tokens", "4"])));
        chat.say("What is light?\n");
        assert!(!chat.finish().succeeded().stdout.is_empty());
    }
    // A policy asks it, too.
    let routed = desk.run([
        "run",
        "--json",
        "--max-tokens",
        "4",
        "--policy",
        "private",
        "What is light?",
    ]);
    assert_eq!(routed.succeeded().json()["route"]["place"]["kind"], "on_device");
}

#[test]
fn a_model_that_is_not_clear_is_asked_for() {
    let none = Desk::new().run(["run", "--json", "What is light?"]);
    let none = none.failed(3, "model_not_installed");
    assert!(none.stderr.contains("whimbrel models pull "), "{none:?}");
    let two = desk_with(&["one", "two"]);
    let ran = two.run(["run", "--json", "What is light?"]).failed(2, "usage");
    assert!(ran.stderr.contains("2 models are installed: one, two"), "{ran:?}");
}

#[test]
fn what_names_two_models_or_two_prompts_is_refused() {
    let desk = desk_with(&["one", "two"]);
    let check = |words: &[&str]| desk.run(["run", "--json"].iter().chain(words)).failed(2, "usage");
    check(&["--model", "one", "two", "What?"]);
    check(&["one", "What?", "--prompt", "What?"]);
    check(&["one", "What", "is", "light?"]);
    desk.run(["run", "--json", "three", "What?"]).failed(3, "model_unknown");
}

#[test]
fn completions_know_the_models() {
    let desk = desk_with(&["tiny-one", "tiny-two"]);
    let complete = |words: &[&str]| {
        let mut command = desk.command(["--", "whimbrel"].iter().chain(words));
        command.env("WHIMBREL_COMPLETE", "bash").env("_CLAP_IFS", "\n");
        command.env("_CLAP_COMPLETE_INDEX", words.len().to_string());
        let ran = Started::new(&mut command).finish().succeeded();
        ran.stdout.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(complete(&["run", "tiny"]), ["tiny-one", "tiny-two"]);
    assert_eq!(complete(&["chat", "--model", "tiny-t"]), ["tiny-two"]);
    assert_eq!(complete(&["models", "remove", "tiny"]), ["tiny-one", "tiny-two"]);
    assert_eq!(complete(&["models", "pull", "smol"]), ["smollm2-135m-instruct"]);
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = desk.run(["completions", shell]).succeeded().stdout;
        assert!(script.contains("WHIMBREL_COMPLETE"), "{shell}");
    }
}

#[test]
fn before_the_first_receipt_the_list_is_empty() {
    let desk = desk_with(&["tiny"]);
    let list = |more: &[&str]| desk.run(["ledger", "list"].iter().chain(more));
    assert_eq!(list(&["--json"]).succeeded().json()["receipts"], serde_json::json!([]));
    assert!(list(&[]).succeeded().stdout.starts_with("no receipts in "));
    assert!(
        desk.run(["ledger", "stats"])
            .succeeded()
            .stdout
            .starts_with("today: no requests\n")
    );
    // A folder that was named must be there, and a ledger that was taken away is missed.
    list(&["--json", "--ledger", "./nowhere"]).failed(3, "ledger_missing");
    desk.run(["run", "--policy", "private", "--max-tokens", "2", "x"])
        .succeeded();
    std::fs::remove_file(desk.path("state/whimbrel/ledger/ledger.sqlite")).unwrap();
    list(&["--json"]).failed(3, "ledger_missing");
}

#[test]
fn a_model_has_one_name_and_a_time_its_zone() {
    let desk = desk_with(&["tiny-one"]);
    let ran = desk
        .run(["run", "--policy", "private", "--max-tokens", "2", "x"])
        .succeeded();
    assert!(ran.stderr.starts_with("[on this device, tiny-one q4_1 ("), "{ran:?}");
    for (command, words) in [
        (&["ledger", "list"][..], "on this device, tiny-one q4_1, "),
        (&["ledger", "show", "1"], "on this device, tiny-one q4_1"),
        (
            &["policy", "explain", "--policy", "private", "--text", "x"],
            "on_device:tiny-one/q4_1",
        ),
        (&["ledger", "list"], " +05:30  answered"),
    ] {
        let mut command = desk.command(command);
        let ran = Started::new(command.env("TZ", "<+0530>-5:30")).finish().succeeded();
        assert!(ran.stdout.contains(words), "{words}: {ran:?}");
    }
}

#[test]
fn no_temporary_file_and_no_number_of_the_system_is_in_an_error() {
    let desk = desk_with(&["tiny"]);
    let folder = desk.path("folder");
    std::fs::create_dir(&folder).unwrap();
    let folder = folder.to_str().unwrap();
    let check = |arguments: &[&str], expected: &str| {
        let ran = desk.run(arguments);
        assert!(ran.stderr.contains(expected), "{ran:?}");
        assert!(!ran.stderr.contains("os error"), "{ran:?}");
    };
    check(&["run", "--prompt-file", folder], "it is a folder, not a file");
    check(
        &["run", "--prompt-file", "./nowhere"],
        "there is no such file or folder",
    );
    check(
        &["import", "./nowhere", "--output", "x"],
        "there is no such file or folder",
    );
    check(&["run", "--top-p", "3", "x"], "--top-p must be from 0 to 1, not 3");
    check(&["run", "--context", "99999999", "x"], "--context must be 1 to ");
    let mut chat = Started::new(&mut desk.command(["chat"]));
    chat.say("/save ./nowhere/talk.json\n");
    let ran = chat.finish();
    assert_eq!(
        ran.stderr,
        "error: cannot write ./nowhere/talk.json: there is no such file or folder\n"
    );
}

//! `--model FILE.gguf`: a model file answers at once, is imported into the cache at its first use, and never again.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use support::{Desk, Ran, Started};
use whimbrel_forge::synthetic::Synthetic;

fn imported(desk: &Desk) -> PathBuf {
    desk.path("cache/whimbrel/imported")
}

/// What is in the cache besides locks and notes.
fn bundles(desk: &Desk) -> Vec<String> {
    let entries = fs::read_dir(imported(desk)).into_iter().flatten();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name != ".pull" && name != "files").collect()
}

fn ask(desk: &Desk, model: &Path) -> Ran {
    let options = [
        "run",
        "--raw",
        "--json",
        "--max-tokens",
        "4",
        "--prompt",
        "Light is",
        "--model",
    ];
    desk.run(options.map(AsRef::as_ref).iter().copied().chain([model.as_os_str()]))
}

#[test]
fn a_model_file_is_imported_once() {
    let desk = Desk::new();
    let file = desk.write("tiny.gguf", Synthetic::tiny().to_gguf());
    // What changed just now may change again within the same tick of the clock.
    thread::sleep(Duration::from_millis(2_100));
    let first = ask(&desk, &file).succeeded();
    assert!(first.stderr.contains("importing"), "{first:?}");
    assert_eq!(bundles(&desk).len(), 1);

    let second = ask(&desk, &file).succeeded();
    assert_eq!(second.stderr, "", "{second:?}");
    assert_eq!(second.json()["text"], first.json()["text"]);

    // The same bytes under another name.
    fs::rename(&file, desk.path("other.gguf")).unwrap();
    let renamed = ask(&desk, &desk.path("other.gguf")).succeeded();
    assert!(!renamed.stderr.contains("importing"), "{renamed:?}");

    // Other bytes under the same name.
    let other = Synthetic {
        seed: 7,
        ..Synthetic::tiny()
    };
    desk.write("other.gguf", other.to_gguf());
    let changed = ask(&desk, &desk.path("other.gguf")).succeeded();
    assert!(changed.stderr.contains("importing"), "{changed:?}");
    assert_eq!(bundles(&desk).len(), 2);
}

#[test]
fn every_command_that_opens_a_model_takes_a_file() {
    let desk = Desk::new();
    let file = desk.write("tiny.gguf", Synthetic::tiny().to_gguf());
    let file = file.to_str().unwrap();
    desk.run(["inspect", file, "--json"]).succeeded();
    assert_eq!(bundles(&desk), [""; 0], "an inspected file is not imported");
    desk.run(["run", file, "Light is", "--max-tokens", "2"]).succeeded();
    let text = desk.write("text", "Light is the cause of colour. ".repeat(100));
    for arguments in [
        &["tokenize", "--text", "Light"][..],
        &["perplexity", "--context", "64", "--file", text.to_str().unwrap()],
        &[
            "bench",
            "--repetitions",
            "1",
            "--prompt-tokens",
            "4",
            "--decode-tokens",
            "2",
        ],
        &["policy", "explain", "--policy", "private", "--text", "Light"],
    ] {
        desk.run(arguments.iter().chain(&["--model", file])).succeeded();
    }
    let mut chat = Started::new(&mut desk.command(["chat", "--max-tokens", "2", "--model", file]));
    chat.say("Light is\n/quit\n");
    chat.finish().succeeded();
    assert_eq!(bundles(&desk).len(), 1);
}

#[test]
fn what_cannot_be_imported_leaves_nothing() {
    let desk = Desk::new();
    let whole = Synthetic::tiny().to_gguf();
    let part = Synthetic::tiny().to_gguf_with(&[], &[("split.no", 1), ("split.count", 3)]);
    for (content, code, says) in [
        (&whole[..whole.len() / 2], "input_invalid", "tensor"),
        (b"not a model at all", "input_invalid", "GGUF"),
        (&part, "input_unsupported", "part 2 of 3"),
    ] {
        let file = desk.write("model.gguf", content);
        let error = ask(&desk, &file).failed(5, code).json();
        let message = error["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.contains(says), "{message}");
        assert_eq!(bundles(&desk), [""; 0]);
    }
    let missing = ask(&desk, Path::new("missing.gguf"));
    assert_ne!(missing.status, Some(0), "{missing:?}");
}

#[test]
fn an_interrupted_import_leaves_nothing() {
    let desk = Desk::new();
    let large = Synthetic {
        layers: 200,
        ..Synthetic::tiny()
    };
    let file = desk.write("large.gguf", large.to_gguf());
    let mut command = desk.command(["run", "--json", "--prompt", "Light is", "--model"]);
    let mut started = Started::new(command.arg(&file));
    while !started.first_complaint().contains("importing") {}
    started.signal("-INT");
    started.finish().failed(130, "interrupted");
    assert_eq!(bundles(&desk), [""; 0]);
}

#[test]
fn programs_that_use_the_same_file_share_one_import() {
    let desk = Desk::new();
    let file = desk.write("tiny.gguf", Synthetic::tiny().to_gguf());
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| ask(&desk, &file).succeeded());
        }
    });
    assert_eq!(bundles(&desk).len(), 1);
}

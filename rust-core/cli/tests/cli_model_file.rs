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

/// What is in the cache besides notes.
fn bundles(desk: &Desk) -> Vec<String> {
    let entries = fs::read_dir(imported(desk)).into_iter().flatten();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name != "files").collect()
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

/// Everything below the cache of imported files.
fn left(desk: &Desk) -> Vec<PathBuf> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            }
            found.push(path);
        }
    }
    let mut found = Vec::new();
    walk(&desk.path("cache"), &mut found);
    found
}

#[test]
fn what_cannot_be_imported_leaves_nothing() {
    let desk = Desk::new();
    let whole = Synthetic::tiny().to_gguf();
    let part = Synthetic::tiny().to_gguf_with(&[], &[("split.no", 1), ("split.count", 3)]);
    let foreign = Synthetic::tiny().to_gguf_with(&[("general.architecture", "bert")], &[]);
    for (content, code, says) in [
        (&whole[..whole.len() / 2], "input_invalid", "tensor"),
        (b"not a model at all", "input_invalid", "GGUF"),
        (&part, "input_unsupported", "part 2 of 3"),
        (
            &foreign,
            "input_unsupported",
            "\"bert\" is not supported; supported: llama",
        ),
    ] {
        let file = desk.write("model.gguf", content);
        let error = ask(&desk, &file).failed(5, code).json();
        let message = error["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.contains(says), "{message}");
        assert!(left(&desk).is_empty());
    }
    let missing = ask(&desk, Path::new("missing.gguf"));
    assert_ne!(missing.status, Some(0), "{missing:?}");
}

#[test]
fn a_split_file_answers_and_a_missing_part_is_named() {
    let desk = Desk::new();
    let parts: Vec<_> = (1..)
        .zip(Synthetic::tiny().to_gguf_parts(3))
        .map(|(number, part)| desk.write(&format!("tiny-{number:05}-of-00003.gguf"), part))
        .collect();
    thread::sleep(Duration::from_millis(2_100));
    let first = ask(&desk, &parts[1]).succeeded();
    assert!(first.stderr.contains("importing"), "{first:?}");
    for part in &parts {
        let again = ask(&desk, part).succeeded();
        assert!(!again.stderr.contains("importing"), "{again:?}");
        assert_eq!(again.json()["text"], first.json()["text"]);
        // From the second use on the file is not even read.
        assert_eq!(ask(&desk, part).succeeded().stderr, "");
    }
    assert_eq!(bundles(&desk).len(), 1);
    let whole = desk.write("tiny.gguf", Synthetic::tiny().to_gguf());
    assert_eq!(ask(&desk, &whole).succeeded().json()["text"], first.json()["text"]);

    let inspected = desk.run(["inspect".as_ref(), parts[2].as_os_str(), "--json".as_ref()]);
    let inspected = inspected.succeeded().json();
    assert_eq!(
        (&inspected["parts"], &inspected["supported"]),
        (&3.into(), &true.into())
    );

    // A bundle that was made stays, but a file that is no longer whole is no longer that file.
    fs::remove_file(&parts[2]).unwrap();
    for part in &parts[..2] {
        let error = ask(&desk, part).failed(5, "input_unreadable").json();
        let message = error["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.contains("part 3 of 3 is missing"), "{message}");
        assert!(message.contains("tiny-00003-of-00003.gguf"), "{message}");
    }
}

#[test]
fn what_a_killed_import_left_goes_with_the_next() {
    let desk = Desk::new();
    let large = Synthetic {
        layers: 200,
        ..Synthetic::tiny()
    };
    let file = desk.write("large.gguf", large.to_gguf());
    let mut command = desk.command(["run", "--json", "--prompt", "Light is", "--model"]);
    let mut started = Started::new(command.arg(&file));
    while !started.first_complaint().contains("importing") {}
    started.signal("-KILL");
    started.finish();
    assert_eq!(bundles(&desk).len(), 1, "what was written so far, under a hidden name");
    let other = desk.write("tiny.gguf", Synthetic::tiny().to_gguf());
    ask(&desk, &other).succeeded();
    let bundles = bundles(&desk);
    assert!(bundles.len() == 1 && !bundles[0].starts_with('.'), "{bundles:?}");
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

#[test]
fn imported_files_are_listed_and_removed() {
    let desk = Desk::new();
    let file = desk.write("tiny.gguf", Synthetic::tiny().to_gguf());
    ask(&desk, &file).succeeded();
    let listed = desk.run(["models", "list", "--json"]).succeeded().json()["imported"][0].clone();
    assert_eq!(
        (&listed["file"], &listed["architecture"]),
        (&"tiny.gguf".into(), &"llama".into())
    );
    assert!(listed["bundle_bytes"].as_u64().unwrap() > 1_000_000, "{listed}");
    let hash = listed["hash"].as_str().unwrap();
    assert_eq!(bundles(&desk), [hash]);
    let shown = desk.run(["models", "list"]).succeeded().stdout;
    assert!(shown.contains(&format!("{}  tiny.gguf, ", &hash[..12])), "{shown}");
    desk.run(["models", "remove", "--json", &hash[..11]])
        .failed(3, "model_unknown");
    let removed = desk.run(["models", "remove", "--json", &hash[..12]]).succeeded().json();
    assert_eq!(removed["freed_bytes"], listed["bundle_bytes"]);
    assert_eq!(bundles(&desk), [""; 0]);
    // The file itself stays, and is imported again when it is used.
    assert!(ask(&desk, &file).succeeded().stderr.contains("importing"));
}

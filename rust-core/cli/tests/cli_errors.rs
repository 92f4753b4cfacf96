//! Wrong input: every case ends with its exit status, one line and one object, and without a panic or part of an answer.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::path::Path;

use support::{Desk, Started, bundle_files, copy_bundle, on_small_disk, tiny};
use whimbrel_forge::synthetic::Synthetic;

#[test]
fn wrong_arguments() {
    let desk = Desk::new();
    let tiny = tiny();
    let tiny = tiny.to_str().unwrap();
    let empty = desk.path("");
    let empty = empty.to_str().unwrap();
    let text = desk.write("text", "short");
    let text = text.to_str().unwrap();
    let not_text = desk.write("binary", b"ab\xff\xfe");
    let not_text = not_text.to_str().unwrap();
    let long = "light ".repeat(3000);
    let check = |status: i32, code: &str, arguments: &[&str]| {
        desk.run(arguments.iter().chain(&["--json"])).failed(status, code);
    };
    check(2, "usage", &[]);
    check(2, "usage", &["nothing"]);
    check(3, "model_not_installed", &["run", "--prompt", "x"]);
    check(
        2,
        "usage",
        &["run", "--model", tiny, "--prompt", "x", "--max-tokens", "many"],
    );
    check(
        2,
        "usage",
        &["run", "--model", tiny, "--prompt", "x", "--max-tokens", "0"],
    );
    check(2, "usage", &["run", "--model", tiny, "--prompt", "x", "--context", "0"]);
    check(
        2,
        "usage",
        &["run", "--model", tiny, "--prompt", "x", "--context", "4097"],
    );
    check(
        2,
        "usage",
        &["run", "--model", tiny, "--prompt", "x", "--temperature", "-1"],
    );
    check(2, "usage", &["run", "--model", tiny, "--prompt", "x", "--top-p", "1.5"]);
    check(
        2,
        "usage",
        &["run", "--model", tiny, "--prompt", "x", "--threads", "100000"],
    );
    check(
        2,
        "usage",
        &["run", "--model", tiny, "--prompt", "x", "--raw", "--system", "y"],
    );
    check(
        2,
        "usage",
        &["run", "--model", tiny, "--prompt", "x", "--variant", "q2_k"],
    );
    check(2, "usage", &["run", "--model", tiny, "--prompt", "", "--raw"]);
    check(2, "usage", &["tokenize", "--model", tiny]);
    check(2, "usage", &["import", text, "--output", "x", "--quantization", "q9"]);
    check(
        3,
        "model_unknown",
        &["run", "--model", "no-such-model", "--prompt", "x"],
    );
    check(
        3,
        "model_not_installed",
        &["run", "--model", "smollm2-135m-instruct", "--prompt", "x"],
    );
    check(3, "model_unknown", &["models", "pull", "no-such-model"]);
    check(3, "model_unknown", &["models", "remove", "no-such-model"]);
    check(3, "model_not_installed", &["models", "remove", "smollm2-135m-instruct"]);
    check(3, "bundle_missing", &["run", "--model", "./nowhere", "--prompt", "x"]);
    check(3, "bundle_missing", &["bench", "--model", empty]);
    check(3, "bundle_missing", &["inspect", "./nowhere"]);
    check(
        5,
        "input_unreadable",
        &["run", "--model", tiny, "--prompt-file", "./nowhere"],
    );
    check(5, "input_unreadable", &["tokenize", "--model", tiny, "--file", empty]);
    check(5, "input_invalid", &["tokenize", "--model", tiny, "--file", not_text]);
    check(5, "input_too_short", &["perplexity", "--model", tiny, "--file", text]);
    check(5, "input_unreadable", &["import", "./nowhere", "--output", "x"]);
    check(5, "input_invalid", &["import", text, "--output", "x"]);
    check(5, "input_invalid", &["inspect", text]);
    check(6, "context_full", &["run", "--model", tiny, "--prompt", &long]);
    check(
        6,
        "context_full",
        &["run", "--model", tiny, "--prompt", &long, "--raw", "--context", "100"],
    );
    check(
        6,
        "context_full",
        &["bench", "--model", tiny, "--context-depth", "4096"],
    );
}

#[test]
fn a_model_that_is_not_installed_says_how_to_get_it() {
    let ran = Desk::new().run(["run", "--model", "smollm2-135m-instruct", "--prompt", "x"]);
    assert_eq!(ran.status, Some(3));
    assert_eq!(ran.stdout, "");
    assert_eq!(
        ran.stderr,
        "error: the model smollm2-135m-instruct is not installed (hint: whimbrel models pull smollm2-135m-instruct)\n"
    );
}

type Damage = fn(&Path);

#[test]
fn a_damaged_bundle_is_refused_by_every_command() {
    let desk = Desk::new();
    let text = desk.write("text", "Light is the cause of colour. ".repeat(200));
    let damages: [(&str, Damage); 4] = [
        ("missing", |path| fs::remove_file(path).unwrap()),
        ("cut in half", |path| {
            let bytes = fs::read(path).unwrap();
            fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
        }),
        ("one byte flipped", |path| {
            let mut bytes = fs::read(path).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            fs::write(path, bytes).unwrap();
        }),
        ("a folder", |path| {
            fs::remove_file(path).unwrap();
            fs::create_dir(path).unwrap();
        }),
    ];
    for file in bundle_files(&tiny()) {
        for (name, damage) in damages {
            let bundle = desk.path("bundle");
            copy_bundle(&tiny(), &bundle);
            damage(&bundle.join(&file));
            let folder = bundle.to_str().unwrap();
            for command in [
                &["run", "--prompt", "x", "--model", folder][..],
                &["tokenize", "--text", "x", "--model", folder],
                &[
                    "perplexity",
                    "--file",
                    text.to_str().unwrap(),
                    "--context",
                    "16",
                    "--model",
                    folder,
                ],
                &["bench", "--model", folder],
                &["inspect", folder],
            ] {
                let ran = desk.run(command.iter().chain(&["--json"]));
                let place = format!("{} {name}: {ran:?}", file.display());
                assert!(matches!(ran.status, Some(3 | 4 | 7)), "{place}");
                let code = ran.json()["error"]["code"].as_str().unwrap().to_owned();
                assert!(
                    ["bundle_missing", "bundle_damaged", "bundle_unreadable"].contains(&&*code),
                    "{place}"
                );
                assert_eq!(ran.stderr.lines().count(), 1, "{place}");
            }
            fs::remove_dir_all(&bundle).unwrap();
        }
    }
}

#[test]
fn a_manifest_without_one_of_its_fields_is_refused() {
    let desk = Desk::new();
    let bundle = desk.path("bundle");
    copy_bundle(&tiny(), &bundle);
    let path = bundle.join("manifest.json");
    let whole: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    for field in whole.as_object().unwrap().keys() {
        let mut manifest = whole.clone();
        manifest.as_object_mut().unwrap().shift_remove(field);
        fs::write(&path, serde_json::to_string_pretty(&manifest).unwrap() + "\n").unwrap();
        let ran = desk.run(["run", "--json", "--prompt", "x", "--model", bundle.to_str().unwrap()]);
        let message = ran.failed(4, "bundle_damaged").json()["error"]["message"]
            .as_str()
            .unwrap()
            .to_owned();
        // A field that may be null counts as null when it is missing; then the manifest's own hash does not fit.
        assert!(
            message.contains(&format!("`{field}`")) || field == "chat_template",
            "{field}: {message}"
        );
    }
}

#[test]
fn a_cut_model_file_is_refused_and_leaves_nothing() {
    let desk = Desk::new();
    let whole = Synthetic::tiny().to_gguf();
    for length in [0, 3, 4, 24, 1000, whole.len() / 2, whole.len() - 1] {
        let file = desk.write("cut.gguf", &whole[..length]);
        let output = desk.path("bundle");
        let ran = desk.run([
            "import",
            "--json",
            file.to_str().unwrap(),
            "--output",
            output.to_str().unwrap(),
        ]);
        ran.failed(5, "input_invalid");
        let left: Vec<_> = fs::read_dir(desk.path(""))
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(left, ["cut.gguf"], "cut to {length}");
    }
}

/// A file system of 300 kB, smaller than any bundle here.
#[test]
fn a_full_disk_leaves_nothing() {
    let desk = Desk::new();
    let file = desk.write("tiny.gguf", Synthetic::tiny().to_gguf());
    let disk = desk.path("disk");
    fs::create_dir(&disk).unwrap();
    let mut command = desk.command(["import", "--json"]);
    command.arg(&file).arg("--output").arg(disk.join("bundle"));
    let Some((ran, left)) = on_small_disk(&command, &disk, "300k") else {
        return;
    };
    ran.failed(7, "disk_full");
    assert_eq!(left, Vec::<String>::new());
}

#[test]
fn a_reader_that_goes_away_ends_the_program_quietly() {
    let desk = Desk::new();
    let mut command = desk.command([
        "run",
        "--max-tokens",
        "3000",
        "--context",
        "4096",
        "--prompt",
        "What is light?",
    ]);
    let mut child = command
        .arg("--model")
        .arg(tiny())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .stdin(std::process::Stdio::null())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(141));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

/// No word of a prompt in an error or a log line.
#[test]
fn nothing_that_was_said_is_logged() {
    let desk = Desk::new();
    let secret = "xylophone ".repeat(2000);
    let tiny = tiny();
    for context in ["100", "4096"] {
        let mut command = desk.command([
            "run",
            "--json",
            "--max-tokens",
            "2",
            "--context",
            context,
            "--prompt",
            &secret,
        ]);
        command.arg("--model").arg(&tiny).env("RUST_LOG", "trace");
        let ran = Started::new(&mut command).finish();
        assert!(!ran.stderr.contains("xylophone"), "{}", ran.stderr);
        assert!(!ran.stderr.is_empty());
    }
}

/// Runs the command with this much address space, in KiB.
fn with_address_space(desk: &Desk, kib: u32, arguments: &[&str]) -> support::Ran {
    let command = desk.command(arguments);
    let mut limited = std::process::Command::new("sh");
    limited
        .args(["-c", "ulimit -v \"$0\" && exec \"$@\""])
        .arg(kib.to_string())
        .arg(command.get_program())
        .args(command.get_args());
    for (variable, value) in command.get_envs() {
        match value {
            Some(value) => limited.env(variable, value),
            None => limited.env_remove(variable),
        };
    }
    Started::new(&mut limited).finish()
}

#[test]
fn too_little_memory_is_said_with_figures() {
    if !cfg!(target_os = "linux") {
        println!("not tested: a limit of the address space, which only Linux keeps");
        return;
    }
    let desk = Desk::new();
    let tiny = tiny();
    let tiny = tiny.to_str().unwrap();
    let model = desk.write("model.gguf", Synthetic::tiny().to_gguf());
    let output = desk.path("bundle");
    let run = ["run", "--model", tiny, "--prompt", "hi", "--max-tokens", "2", "--json"];
    let import = [
        "import",
        model.to_str().unwrap(),
        "--output",
        output.to_str().unwrap(),
        "--quantization",
        "q8_0",
        "--force",
        "--json",
    ];
    for arguments in [&run[..], &import[..]] {
        let mut refused = 0;
        // From where the program itself just fits to where all of it does.
        for kib in (80_000..=480_000).step_by(20_000) {
            let ran = with_address_space(&desk, kib, arguments);
            match ran.status {
                Some(0) => {}
                Some(127) if ran.stdout.is_empty() => {}
                _ => {
                    let ran = ran.failed(7, "memory");
                    let message = ran.json()["error"]["message"].as_str().unwrap().to_owned();
                    assert!(
                        message.starts_with("not enough memory for ") && message.contains(" bytes)"),
                        "{kib}: {message}"
                    );
                    refused += 1;
                }
            }
        }
        assert!(refused > 0, "{arguments:?}");
    }
}

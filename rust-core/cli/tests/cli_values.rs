//! Values are taken as they are given, or refused with the flag's name and what it takes.
#![allow(clippy::unwrap_used)]

mod support;

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;

use support::{Desk, Ran, Started, copy_bundle, tiny};
use whimbrel_forge::synthetic::Synthetic;

fn run(desk: &Desk, more: &[&str]) -> Ran {
    let tiny = tiny();
    let tiny = tiny.to_str().unwrap();
    desk.run(
        ["run", "--model", tiny, "--max-tokens", "4", "--json"]
            .iter()
            .chain(more),
    )
}

#[test]
fn texts_may_begin_with_a_hyphen() {
    let desk = Desk::new();
    for flag in ["--stop", "--system", "--prompt"] {
        for text in ["---", "- be nice", "-1", "--json"] {
            let mut arguments = vec![flag, text];
            if flag != "--prompt" {
                arguments.extend(["--prompt", "hi"]);
            }
            run(&desk, &arguments).succeeded();
        }
    }
}

#[test]
fn numbers_outside_their_range_are_refused_by_name() {
    let desk = Desk::new();
    let cases = [
        ("--seed", "-1", "--seed", "from 0 to 18446744073709551615"),
        ("--top-k", "-1", "--top-k", "from 0 to 4294967295"),
        ("--top-k", "4294967296", "--top-k", "from 0 to 4294967295"),
        ("--context", "-5", "--context", "from 1 to 4294967295"),
        (
            "--repetition-window",
            "x",
            "--repetition-window",
            "from 0 to 4294967295",
        ),
        ("--threads", "-2", "--threads", "from 0 to"),
        ("--temperature", "-1", "--temperature", "from 0 to"),
        ("--top-p", "-0.5", "--top-p", "from 0 to 1"),
        ("--min-p", "-1", "--min-p", "from 0 to 1"),
    ];
    for (flag, value, name, range) in cases {
        let ran = run(&desk, &["--prompt", "hi", flag, value]).failed(2, "usage");
        let message = ran.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(
            message.contains(name) && message.contains(range) && message.contains(value),
            "{message}"
        );
    }
}

#[test]
fn a_byte_order_mark_is_no_part_of_a_text() {
    let desk = Desk::new();
    let tokens = |ran: Ran| ran.succeeded().json()["prompt_tokens"].clone();
    let plain = tokens(run(&desk, &["--prompt", "Hello"]));
    let marked = desk.write("prompt", "\u{feff}Hello");
    assert_eq!(tokens(run(&desk, &["--prompt-file", marked.to_str().unwrap()])), plain);
    let tiny = tiny();
    let mut piped =
        Started::new(&mut desk.command(["run", "--json", "--max-tokens", "4", "--model", tiny.to_str().unwrap()]));
    piped.say("\u{feff}Hello");
    assert_eq!(tokens(piped.finish()), plain);

    let policy = desk.run(["policy", "show", "private"]).succeeded().stdout;
    for (name, text) in [
        ("p.toml", policy),
        ("p.json", r#"{"version": 1, "name": "mine"}"#.to_owned()),
    ] {
        let file = desk.write(name, format!("\u{feff}{text}"));
        desk.run(["policy", "check", file.to_str().unwrap()]).succeeded();
    }
}

#[test]
fn a_system_message_beside_a_state_holds() {
    let desk = Desk::new();
    let (state, saved) = (desk.path("state"), desk.path("saved.json"));
    let chat = |more: &[&str], lines: &str| {
        let mut command = desk.command(["chat", "--max-tokens", "4", "--no-history", "--state"]);
        command.arg(&state).args(more).arg("--model").arg(tiny());
        let mut started = Started::new(&mut command);
        started.say(lines);
        started.finish().succeeded()
    };
    chat(&["--system", "Be brief."], "hi\n");
    chat(
        &["--system", "You are a pirate."],
        &format!("/save {}\n", saved.display()),
    );
    let text = fs::read_to_string(&saved).unwrap();
    assert!(
        text.contains("You are a pirate.") && !text.contains("Be brief."),
        "{text}"
    );
}

#[test]
fn a_state_that_another_program_wrote_meanwhile_stays() {
    let desk = Desk::new();
    let state = desk.path("state");
    let mut command = desk.command(["chat", "--max-tokens", "4", "--no-history", "--state"]);
    let mut chat = Started::new(command.arg(&state).arg("--model").arg(tiny()));
    chat.say("hi\n");
    chat.first_output();
    fs::write(&state, "mine").unwrap();
    let ran = chat.finish().succeeded();
    assert_eq!(fs::read(&state).unwrap(), b"mine");
    assert!(
        desk.path("state.2").exists() && ran.stderr.contains("state.2"),
        "{ran:?}"
    );
}

/// A name that is not UTF-8.
fn odd(name: &str) -> OsString {
    OsStr::from_bytes(&[name.as_bytes(), b"\xff"].concat()).to_owned()
}

#[test]
fn paths_need_not_be_utf_8() {
    let desk = Desk::new();
    let path = |name: &str| desk.path("").join(odd(name));
    let command = |arguments: &[&OsStr]| Started::new(&mut desk.command(arguments)).finish().succeeded();
    let os = OsStr::new;
    copy_bundle(&tiny(), &path("bundle"));
    command(&[
        os("run"),
        os("--model"),
        path("bundle").as_os_str(),
        os("--prompt"),
        os("hi"),
        os("--max-tokens"),
        os("2"),
    ]);
    command(&[os("inspect"), path("bundle").as_os_str(), os("--json")]);
    command(&[os("seal"), path("bundle").as_os_str(), os("--json")]);
    fs::write(
        path("policy"),
        desk.run(["policy", "show", "private"]).succeeded().stdout,
    )
    .unwrap();
    command(&[os("policy"), os("check"), path("policy").as_os_str()]);
    fs::write(
        path("model"),
        Synthetic {
            layers: 1,
            ..Synthetic::tiny()
        }
        .to_gguf(),
    )
    .unwrap();
    let output = path("output");
    command(&[
        os("import"),
        path("model").as_os_str(),
        os("--output"),
        output.as_os_str(),
        os("--json"),
    ]);
    assert!(output.join("manifest.json").is_file());
}

//! `run` and `chat` with a policy, against a server on the loopback: what leaves, what is shown, and what the ledger says of it.
#![allow(clippy::unwrap_used)]

mod support;

use std::path::PathBuf;

use serde_json::{Value, json};
use support::terminal::Terminal;
use support::{Desk, Ran, Started, check_shape, tiny};
use whimbrel_testing::{ChatServer, Received, Reply};

/// What must not leave.
const PLANTED: [&str; 2] = ["quentin.planted@mail.example", "Zugvogel"];
const QUESTION: &str = "Write to quentin.planted@mail.example about Zugvogel.";
/// Cut in the middle of a placeholder.
const ANSWER: [&str; 3] = ["Dear ⟨EM", "AIL_1⟩, about ⟨WORD", "_1⟩: yes."];
const SHOWN: &str = "Dear quentin.planted@mail.example, about Zugvogel: yes.";

/// Every request so far, head and body.
fn received(server: &ChatServer) -> Vec<String> {
    server.received().iter().map(Received::whole).collect()
}

/// A desk with a policy that has one endpoint, and what to say to use it.
struct Scene {
    desk: Desk,
    policy: PathBuf,
}

impl Scene {
    fn new(server: &ChatServer, rest: &str) -> Scene {
        let desk = Desk::new();
        let text = format!(
            "version = 1\nname = \"scene\"\n{rest}\n[[endpoints]]\nid = \"cloud\"\nbase_url = \"{}\"\nmodel = \"large\"\n\
             trust = \"public_cloud\"\ncost_per_1k_tokens = 0\nclass_max_redacted = \"sensitive\"\n",
            server.url
        );
        let policy = desk.write("policy.toml", text);
        Scene { desk, policy }
    }

    fn command(&self, command: &str, more: &[&str]) -> std::process::Command {
        let base = [command, "--policy", self.policy.to_str().unwrap(), "--word", "zugvogel"];
        self.desk.command(base.iter().chain(more))
    }

    fn run(&self, more: &[&str]) -> Ran {
        Started::new(&mut self.command("run", &[&["--prompt", QUESTION], more].concat())).finish()
    }

    fn chat(&self, more: &[&str], lines: &str) -> Ran {
        let mut started = Started::new(&mut self.command("chat", more));
        started.say(lines);
        started.finish()
    }

    fn ledger(&self, arguments: &[&str]) -> Ran {
        self.desk.run(["ledger"].iter().chain(arguments))
    }

    fn receipts(&self) -> Vec<Value> {
        let listed = self.ledger(&["list", "--json"]).succeeded().json();
        listed["receipts"].as_array().unwrap().clone()
    }

    /// The ledger's files, with what SQLite left beside the database.
    fn database(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let folder = self.desk.path("state/whimbrel/ledger");
        let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let files = paths.filter(|path| path.is_file());
        files.map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
    }
}

const REDACT: &str = "otherwise = [\"redact_then_remote:cloud\"]";

fn assert_nothing_planted(text: &str) {
    for planted in PLANTED {
        assert!(!text.contains(planted), "{planted}: {text}");
    }
}

#[test]
fn what_leaves_is_redacted_and_what_is_shown_is_not() {
    let server = ChatServer::saying(&ANSWER, &[Reply::Whole]);
    let scene = Scene::new(&server, REDACT);
    let mut set = Started::new(&mut scene.desk.command(["keys", "set", "cloud"]));
    set.say("the-cloud-key\n");
    set.finish().succeeded();

    let ran = scene.run(&["--json"]).succeeded();
    let found = ran.json();
    check_shape("run-policy", &found);
    assert_eq!(found["text"], SHOWN);
    assert_eq!(found["route"]["outcome"], "answered");
    assert_eq!(found["route"]["release"], "redacted");
    assert_eq!(found["route"]["redacted"], 2);
    assert_eq!(found["route"]["finish"], "stop");
    assert_eq!(found["route"]["unsupported"], json!([]));
    assert_eq!(found["route"]["tokens"], json!({"input": 30, "output": 7}));
    assert_nothing_planted(&found["route"].to_string());
    assert_nothing_planted(&ran.stderr);

    let received = received(&server);
    assert_eq!(received.len(), 1);
    assert!(received[0].starts_with("POST /v1/chat/completions "), "{received:?}");
    assert!(received[0].contains("Bearer the-cloud-key"), "{received:?}");
    assert!(
        received[0].contains("Write to ⟨EMAIL_1⟩ about ⟨WORD_1⟩."),
        "{received:?}"
    );
    assert_nothing_planted(&received[0]);

    let receipt = &scene.receipts()[0];
    assert_eq!(receipt["outcome"], "answered");
    assert_eq!(receipt["bytes_out"], found["route"]["bytes_out"]);
    assert_eq!(receipt["bytes_in"], found["route"]["bytes_in"]);
    assert!(receipt["bytes_out"].as_u64().unwrap() > 100);
    assert_eq!(receipt["closing"]["redacted"], json!({"email": 1, "user_word": 1}));
    assert_nothing_planted(&receipt.to_string());
    for (_, bytes) in scene.database() {
        assert_nothing_planted(&String::from_utf8_lossy(&bytes));
    }
}

#[test]
fn an_answer_says_where_it_ran_and_why() {
    let server = ChatServer::saying(&ANSWER, &[Reply::Whole]);
    let scene = Scene::new(&server, REDACT);
    let ran = scene.run(&[]).succeeded();
    assert_eq!(ran.stdout, format!("{SHOWN}\n"));
    let one = [
        "--policy",
        scene.policy.to_str().unwrap(),
        "--prompt",
        "Write to quentin.planted@mail.example.",
    ];
    let one = scene.desk.run(["run"].iter().chain(&one)).succeeded();
    assert!(one.stderr.starts_with("[at cloud, 1 finding replaced ("), "{one:?}");
    let figures = scene.run(&["--stats"]).succeeded().stderr;
    assert!(
        figures
            .lines()
            .last()
            .unwrap()
            .starts_with("[prompt 30 tokens, first text after "),
        "{figures}"
    );
    assert!(
        ran.stderr
            .starts_with("[at cloud, 2 findings replaced (`otherwise` of the app's policy"),
        "{ran:?}"
    );
    assert!(ran.stderr.ends_with("receipt 1]\n"), "{ran:?}");
    assert_eq!(ran.stderr.lines().count(), 1, "{ran:?}");
}

#[test]
fn a_question_without_an_answer_says_so() {
    let server = ChatServer::saying(&ANSWER, &[Reply::Whole]);
    let check = |rest: &str, outcome: &str, code: Value, line: &str| {
        let scene = Scene::new(&server, rest);
        let ran = scene.run(&["--json"]);
        assert_eq!(ran.status, Some(10), "{ran:?}");
        let found = ran.json();
        assert_eq!(found["text"], "");
        assert_eq!(found["route"]["outcome"], outcome);
        assert_eq!(found["route"]["code"], code);
        assert!(ran.stderr.starts_with("error: "), "{ran:?}");
        assert!(ran.stderr.contains(line), "{ran:?}");
        let receipt = &scene.receipts()[0];
        assert_eq!(receipt["bytes_out"], 0, "{outcome}");
        let people = scene.run(&[]);
        assert_eq!((people.status, &*people.stdout), (Some(10), ""), "{people:?}");
    };
    let rule = |then: &str| format!("{REDACT}\n[[rules]]\nid = \"closed\"\n{then}");
    check(
        &rule("deny = [\"everything\"]"),
        "denied",
        Value::Null,
        "  cloud (redacted) not asked: the app's rule closed denies it\n",
    );
    check(
        "otherwise = [\"on_device\"]",
        "failed",
        json!("unavailable"),
        "  a model on this device not asked: there is no such model on this device\n",
    );
    // A rule that had nothing to do with it is not named.
    let scene = Scene::new(
        &server,
        "otherwise = [\"on_device\"]\n[[rules]]\nid = \"elsewhere\"\ndeny = [\"off_device\"]",
    );
    let people = scene.run(&[]);
    assert!(
        people.stderr.contains("no place that the policy allows") && !people.stderr.contains("elsewhere"),
        "{people:?}"
    );
    check(
        &rule("when = { class = { min = \"personal\" } }\ntry = [\"on_device\", \"queue\"]"),
        "deferred",
        Value::Null,
        "deferred",
    );
    assert_eq!(server.requests(), 0);
}

#[test]
fn an_answer_says_why_a_place_before_it_was_not_asked() {
    let server = ChatServer::saying(&ANSWER, &[Reply::Whole]);
    let rule = "[[rules]]\nid = \"not-while-roaming\"\nwhen = { network = [\"roaming\", \"metered\"] }\ndeny = [\"off_device\"]";
    let tiny = tiny();
    let model = ["--max-tokens", "8", "--model", tiny.to_str().unwrap()];
    let lines = |otherwise: &str, more: &[&str]| {
        let scene = Scene::new(&server, &format!("otherwise = {otherwise}\n{rule}\n"));
        scene.desk.write_device(&[("sys/class/net/eth0/operstate", "up")]);
        let ran = scene.run(&[&model[..], more].concat()).succeeded();
        ran.stderr.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let cloud_first = "[\"redact_then_remote:cloud\", \"on_device\"]";
    let unknown = lines(cloud_first, &[]);
    assert!(unknown[0].starts_with("[on this device, "), "{unknown:?}");
    assert_eq!(
        unknown[1..],
        [
            "  cloud (redacted) not asked: the app's rule not-while-roaming denies it, network unknown (set it with --device)"
        ]
    );
    let metered = lines(cloud_first, &["--device", r#"{"network": "metered"}"#]);
    assert_eq!(
        metered[1..],
        ["  cloud (redacted) not asked: the app's rule not-while-roaming denies it"]
    );
    // What would have come later is not worth a line.
    let here_first = lines("[\"on_device\", \"redact_then_remote:cloud\"]", &[]);
    assert_eq!(here_first.len(), 1, "{here_first:?}");
}

#[test]
fn a_refused_key_says_how_to_store_another() {
    let server = ChatServer::saying(&ANSWER, &[Reply::Status(401)]);
    let scene = Scene::new(&server, REDACT);
    let without = scene.run(&[]);
    assert!(
        without
            .stderr
            .contains("hint: store the key with `whimbrel keys set cloud`\n"),
        "{without:?}"
    );
    let mut set = Started::new(&mut scene.desk.command(["keys", "set", "cloud"]));
    set.say("the-cloud-key\n");
    set.finish().succeeded();
    let wrong = scene.run(&[]);
    assert!(
        wrong
            .stderr
            .contains("store another one with `whimbrel keys set cloud`"),
        "{wrong:?}"
    );
}

#[test]
fn a_candidate_that_dies_midway_gives_way_to_the_next() {
    let server = ChatServer::saying(&["I thi"], &[Reply::DiesMidway]);
    let scene = Scene::new(&server, "otherwise = [\"redact_then_remote:cloud\", \"on_device\"]");
    let tiny = tiny();
    let model = ["--max-tokens", "8", "--model", tiny.to_str().unwrap()];
    let ran = scene.run(&model).succeeded();
    // Standard output is not a terminal: what is void is not on it.
    assert!(!ran.stdout.contains("I thi"), "{ran:?}");
    let lines: Vec<_> = ran.stderr.lines().collect();
    assert!(lines[0].starts_with("[on this device, "), "{ran:?}");
    assert!(
        lines[1].starts_with("  tried cloud (redacted): failed (truncated)"),
        "{ran:?}"
    );
    let mut seen = Terminal::new(
        &mut scene.command("run", &[&["--prompt", QUESTION], &model[..]].concat()),
        80,
    );
    seen.wait_for("I thi\r\n");
    seen.wait_for("[discarding the text above; retrying elsewhere]");
    assert_eq!(seen.finish().0, Some(0));

    let json = scene.run(&[&model[..], &["--json"]].concat()).succeeded().json();
    let alone = ["run", "--json", "--prompt", QUESTION];
    let alone = scene.desk.run(alone.iter().chain(&model)).succeeded().json();
    assert_eq!(json["text"], alone["text"], "nothing of what is void");
    let receipt = &scene.receipts()[0];
    let ends: Vec<_> = receipt["closing"]["attempts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|attempt| attempt["ended"].clone())
        .collect();
    assert_eq!(ends, [json!("failed"), json!("answered")]);
    assert_eq!(receipt["place"]["kind"], "on_device");

    // Without another candidate what was shown stays.
    let scene = Scene::new(&server, REDACT);
    let ran = scene.run(&[]);
    assert_eq!((ran.status, &*ran.stdout), (Some(10), "I thi\n"), "{ran:?}");
    assert!(ran.stderr.starts_with("error: failed midway: "), "{ran:?}");
}

#[test]
fn ctrl_c_stops_an_answer_from_elsewhere() {
    let server = ChatServer::saying(&["I think that"], &[Reply::Stalls]);
    let scene = Scene::new(&server, REDACT);
    let mut seen = Terminal::new(&mut scene.command("run", &["--prompt", QUESTION]), 80);
    seen.wait_for("I think");
    seen.signal("-INT");
    let (status, shown) = seen.finish();
    assert_eq!(status, Some(130), "{shown}");
    assert!(shown.contains("[stopped: at cloud"), "{shown}");
    assert_eq!(scene.receipts()[0]["outcome"], "cancelled");
}

#[test]
fn a_chat_goes_on_after_a_stopped_answer_and_keeps_the_ledger_to_itself() {
    let server = ChatServer::saying(&["I think that"], &[Reply::Stalls]);
    let scene = Scene::new(&server, REDACT);
    let mut chat = Terminal::new(scene.command("chat", &[]).env("NO_COLOR", "1"), 80);
    chat.wait_for_prompt();
    chat.type_keys(&format!("{QUESTION}\r"));
    chat.wait_for("I think");
    // One writes at a time; who only reads is let in.
    scene.run(&["--json"]).failed(7, "ledger_in_use");
    assert_eq!(scene.receipts()[0]["outcome"], Value::Null);
    chat.signal("-INT");
    chat.wait_for("[stopped: at cloud");
    chat.wait_for_prompt();
    chat.type_keys("/stats\r");
    chat.wait_for("\n[prompt ");
    chat.type_keys("/quit\r");
    assert_eq!(chat.finish().0, Some(0));
    assert_eq!(server.requests(), 1);
    let receipts = scene.receipts();
    assert_eq!(receipts[0]["outcome"], "cancelled");
    assert_eq!(receipts[0]["feedback"][0]["signal"]["kind"], "aborted");
}

#[test]
fn a_user_can_only_tighten() {
    let server = ChatServer::saying(&ANSWER, &[Reply::Whole]);
    let scene = Scene::new(&server, "otherwise = [\"remote:cloud\", \"redact_then_remote:cloud\"]");
    let user = |rest: &str| {
        let text = format!("version = 1\nname = \"mine\"\nrole = \"user\"\n{rest}");
        let path = scene.desk.write("user.toml", text);
        scene.run(&["--json", "--user-policy", path.to_str().unwrap()])
    };
    let asked = |ran: Ran| ran.json()["route"].clone();
    let denied = user("[[rules]]\nid = \"stay\"\ndeny = [\"off_device\"]\n");
    assert_eq!(denied.status, Some(10), "{denied:?}");
    assert!(denied.stderr.contains("the user's rule stay denies it"), "{denied:?}");
    assert_eq!(asked(denied)["outcome"], "denied");
    assert_eq!(server.requests(), 0);
    let redacted = asked(user("otherwise = [\"redact_then_remote:cloud\"]\n").succeeded());
    assert_eq!(redacted["release"], "redacted");
    assert_nothing_planted(&received(&server)[0]);
}

#[test]
fn a_chat_goes_where_the_policy_says() {
    let server = ChatServer::saying(&ANSWER, &[Reply::Whole]);
    let scene = Scene::new(&server, REDACT);
    let file = scene.desk.path("talk.json");
    let lines = format!(
        "/help\n/stats\n{QUESTION}\n/stats\n/good\n/why\n/why And now?\n/redo\n/bad\n/save {}\n/system Be brief.\nAgain.\n\
         /reset\n/elsewhere\n",
        file.display()
    );
    let ran = scene.chat(&[], &lines);
    // The last line asks for what `/reset` took away.
    assert_eq!(ran.status, Some(2), "{ran:?}");
    for words in [
        "/elsewhere    ",
        "[no answer yet]",
        "[at cloud, 2 findings replaced",
        "[prompt 30 tokens, first text after ",
        "[noted for receipt 1]",
        "decision: try these, in this order:",
        "[noted for receipt 2]",
        "[saved 2 messages]",
        "[system message set]",
        "[forgotten]",
        "error: there is no question to ask again",
    ] {
        assert!(ran.stderr.contains(words), "{words}: {ran:?}");
    }
    assert_eq!(ran.stdout, format!("{SHOWN}\n").repeat(3));
    let received = received(&server);
    assert_eq!(received.len(), 3);
    received.iter().for_each(|request| assert_nothing_planted(request));
    assert!(received[2].contains("Be brief."), "{received:?}");
    let saved: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    assert_eq!(
        (&saved["messages"][1]["role"], &saved["messages"][1]["content"]),
        (&json!("assistant"), &json!(SHOWN))
    );
    assert_eq!(
        (&saved["policy"], &saved["receipts"]),
        (&json!("scene"), &json!([1, 2]))
    );
    let signals: Vec<_> = scene.receipts()[2]["feedback"]
        .as_array()
        .unwrap()
        .iter()
        .map(|each| each["signal"]["kind"].clone())
        .collect();
    assert_eq!(signals, [json!("thumbs_up"), json!("regenerated")]);
}

#[test]
fn elsewhere_is_where_the_last_answer_was_not_made() {
    let server = ChatServer::saying(&ANSWER, &[Reply::Whole]);
    let scene = Scene::new(&server, "otherwise = [\"on_device\", \"redact_then_remote:cloud\"]");
    let tiny = tiny();
    let model = ["--max-tokens", "8", "--model", tiny.to_str().unwrap()];
    let ran = scene.chat(&model, &format!("{QUESTION}\n/elsewhere\n")).succeeded();
    let lines: Vec<_> = ran.stderr.lines().filter(|line| line.contains("receipt")).collect();
    assert!(lines[0].starts_with("[on this device, "), "{ran:?}");
    assert!(lines[1].starts_with("[at cloud"), "{ran:?}");
    assert!(ran.stdout.ends_with(&format!("{SHOWN}\n")), "{ran:?}");
}

#[test]
fn the_private_policy_answers_here_as_without_one() {
    let desk = Desk::new();
    let tiny = tiny();
    let base = [
        "run",
        "--json",
        "--max-tokens",
        "8",
        "--prompt",
        "What is light?",
        "--model",
    ];
    let run = |more: &[&str]| {
        let mut command = desk.command(base);
        Started::new(command.arg(&tiny).args(more)).finish().succeeded().json()
    };
    let routed = run(&["--policy", "private"]);
    assert_eq!(routed["text"], run(&[])["text"]);
    assert_eq!(routed["route"]["place"]["kind"], "on_device");
    assert_eq!(routed["route"]["bytes_out"], 0);
    let sentence = desk.run(["ledger", "stats"]).succeeded().stdout;
    assert!(
        sentence.starts_with("today: 1 answer on this computer, nothing sent"),
        "{sentence}"
    );
}

#[test]
fn the_ledger_is_shown_verified_exported_and_pruned() {
    let server = ChatServer::saying(&ANSWER, &[Reply::Whole]);
    let scene = Scene::new(&server, REDACT);
    scene.run(&[]).succeeded();
    scene.run(&[]).succeeded();

    let list = scene.ledger(&["list", "--json"]).succeeded().json();
    // What was measured depends on the machine; what is 0 or not known is left out.
    let mut without = list.clone();
    for receipt in without["receipts"].as_array_mut().unwrap() {
        let measured = receipt["closing"].as_object_mut().unwrap().remove("measured");
        assert!(measured.is_some_and(|measured| measured["memory_bytes"].as_u64() > Some(0)));
    }
    check_shape("ledger-list", &without);
    let numbers = |arguments: &[&str]| -> Vec<u64> {
        let listed = scene
            .ledger(&[&["list", "--json"], arguments].concat())
            .succeeded()
            .json();
        let receipts = listed["receipts"].as_array().unwrap().clone();
        receipts.iter().map(|receipt| receipt["id"].as_u64().unwrap()).collect()
    };
    assert_eq!(numbers(&[]), [2, 1]);
    assert_eq!(numbers(&["--limit", "1"]), [2]);
    assert_eq!(numbers(&["--before", "2"]), [1]);
    assert_eq!(numbers(&["--outcome", "denied"]), [0; 0]);
    assert_eq!(numbers(&["--place", "public_cloud", "--outcome", "answered"]), [2, 1]);
    let shown = scene.ledger(&["show", "2", "--json"]).succeeded().json();
    assert_eq!(shown, list["receipts"][0]);
    let people = scene.ledger(&["show", "2"]).succeeded().stdout;
    assert!(people.contains("replaced  email 1, user_word 1"), "{people}");
    assert!(people.contains("finish    stop\n"), "{people}");
    assert_eq!(scene.ledger(&["list"]).succeeded().stdout.lines().count(), 2);
    scene.ledger(&["show", "3", "--json"]).failed(3, "receipt_unknown");

    let verified = scene.ledger(&["verify", "--json"]).succeeded().json();
    check_shape("ledger-verify", &verified);
    assert_eq!((&verified["intact"], &verified["entries"]), (&json!(true), &json!(4)));
    let stats = scene.ledger(&["stats", "--json"]).succeeded().json();
    check_shape("ledger-stats", &stats);
    assert_eq!(stats["total"]["answers"]["public_cloud"], 2);
    assert!(
        stats["total"]["summary"]
            .as_str()
            .unwrap()
            .starts_with("2 answers in the cloud, "),
        "{stats}"
    );
    assert!(scene.ledger(&["stats"]).succeeded().stdout.contains("\nday "));

    let file = scene.desk.path("export");
    let file = file.to_str().unwrap();
    let exported = scene.ledger(&["export", "--output", file, "--json"]).succeeded().json();
    assert_eq!(exported["bytes"], std::fs::metadata(file).unwrap().len());
    scene
        .ledger(&["export", "--output", file, "--json"])
        .failed(2, "output_exists");
    scene.ledger(&["export", "--output", file, "--force"]).succeeded();
    let export = scene.ledger(&["verify", "--file", file, "--json"]).succeeded().json();
    assert_eq!(export["export"]["seals_checked"], true);
    let text = std::fs::read_to_string(file).unwrap();
    assert_eq!(
        scene.ledger(&["export"]).succeeded().stdout.lines().count(),
        text.lines().count()
    );
    let elsewhere = ["verify", "--ledger", "/nowhere", "--file", file, "--json"];
    assert_eq!(
        scene.ledger(&elsewhere).succeeded().json()["export"]["seals_checked"],
        false
    );

    assert_eq!(
        scene
            .ledger(&["prune", "--keep-days", "1", "--json"])
            .succeeded()
            .json()["checkpoint"],
        Value::Null
    );
    let pruned = scene
        .ledger(&["prune", "--keep-days", "0", "--json"])
        .succeeded()
        .json();
    check_shape("ledger-prune", &pruned);
    assert_eq!(pruned["checkpoint"]["receipts"], 2);
    assert_eq!(numbers(&[]), [0; 0]);
    scene.ledger(&["verify"]).succeeded();
    let total = scene.ledger(&["stats", "--json"]).succeeded().json()["total"].clone();
    assert_eq!(total["answers"]["public_cloud"], 2, "what went still counts");
}

#[test]
fn a_ledger_that_was_changed_is_found_out() {
    let server = ChatServer::saying(&ANSWER, &[Reply::Whole]);
    let scene = Scene::new(&server, REDACT);
    scene.run(&[]).succeeded();
    let older = scene.database();
    scene.run(&[]).succeeded();
    let file = scene.desk.path("export");
    scene
        .ledger(&["export", "--output", file.to_str().unwrap()])
        .succeeded();
    let check = |arguments: &[&str], kind: &str| {
        let ran = scene.ledger(&[&["verify", "--json"], arguments].concat());
        assert_eq!(ran.status, Some(9), "{ran:?}");
        let found = ran.json();
        assert_eq!(found["intact"], false);
        assert_eq!(found["problems"][0]["kind"], kind, "{found}");
        let message = found["problems"][0]["message"].as_str().unwrap();
        assert!(
            ran.stderr.starts_with("error: ") && ran.stderr.contains(message),
            "{ran:?}"
        );
        let people = scene.ledger(&[&["verify"], arguments].concat());
        assert_eq!(people.status, Some(9));
        assert!(people.stdout.contains("NOT INTACT"), "{people:?}");
    };
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replacen("public_cloud", "organisation", 1)).unwrap();
    check(&["--file", file.to_str().unwrap()], "changed");

    for (path, _) in scene.database() {
        std::fs::remove_file(path).unwrap();
    }
    for (path, bytes) in older {
        std::fs::write(path, bytes).unwrap();
    }
    check(&[], "rolled_back");
    scene.run(&["--json"]).failed(9, "ledger_changed");
    assert_eq!(server.requests(), 2, "nothing leaves without a ledger");
    assert_eq!(scene.receipts().len(), 1, "what is there can be read");
}

#[test]
fn a_ledger_whose_vault_is_gone_begins_again_and_the_old_file_is_kept() {
    let server = ChatServer::saying(&ANSWER, &[Reply::Whole]);
    let scene = Scene::new(&server, REDACT);
    let restart = |more: &[&str]| scene.ledger(&[&["restart", "--json"], more].concat());
    restart(&["--yes"]).failed(3, "ledger_missing");
    scene.run(&[]).succeeded();
    restart(&["--yes"]).failed(2, "usage");

    std::fs::remove_dir_all(scene.desk.path("state/whimbrel/ledger/vault")).unwrap();
    let refused = scene.run(&["--json"]).failed(9, "ledger_foreign");
    assert!(refused.stderr.contains("whimbrel ledger restart"), "{refused:?}");
    let ledger = scene.desk.path("state/whimbrel/ledger/ledger.sqlite");
    let before = std::fs::read(&ledger).unwrap();
    restart(&[]).failed(2, "usage");
    assert!(
        std::fs::read(&ledger).unwrap() == before,
        "nothing happens without a confirmation"
    );

    let restarted = restart(&["--yes"]).succeeded().json();
    check_shape("ledger-restart", &restarted);
    assert_eq!(restarted["ledger"], json!(ledger));
    assert!(
        std::fs::read(restarted["old"].as_str().unwrap()).unwrap() == before,
        "kept"
    );
    assert_eq!(scene.receipts(), Vec::<Value>::new());

    scene.run(&[]).succeeded();
    scene.ledger(&["verify"]).succeeded();
    assert_eq!(scene.receipts().len(), 1);
}

#[test]
fn what_was_kept_here_stays_here_behind_another_system_message() {
    let server = ChatServer::saying(&ANSWER, &[Reply::Whole]);
    let rule = "[[rules]]\nid = \"weak-battery\"\nwhen = { battery_percent = { max = 20 } }\ndeny = [\"off_device\"]";
    let rest = format!("otherwise = [\"redact_then_remote:cloud\", \"on_device\"]\n{rule}\n");
    let scene = Scene::new(&server, &rest);
    let battery = |percent: &str| {
        scene.desk.write_device(&[
            ("sys/class/power_supply/BAT0/type", "Battery"),
            ("sys/class/power_supply/BAT0/capacity", percent),
        ]);
    };
    battery("10");
    let tiny = tiny();
    let model = ["--max-tokens", "8", "--model", tiny.to_str().unwrap()];
    let mut chat = Started::new(&mut scene.command("chat", &model));
    chat.say("What is light?\n");
    let said = chat.first_complaint();
    assert!(said.starts_with("[on this device, "), "{said}");
    battery("90");
    chat.say("/system Be brief.\nAnd colour?\n/reset\nAnd now?\n");
    let ran = chat.finish().succeeded();
    let lines: Vec<_> = ran.stderr.lines().filter(|line| line.contains("receipt")).collect();
    assert!(lines[0].starts_with("[on this device, "), "{ran:?}");
    assert!(lines[1].starts_with("[at cloud"), "{ran:?}");
    let received = received(&server);
    assert_eq!(received.len(), 1);
    assert!(
        received[0].contains("Be brief.") && received[0].contains("And now?"),
        "{received:?}"
    );
    assert!(
        !received[0].contains("light") && !received[0].contains("colour"),
        "{received:?}"
    );
}

#[test]
fn a_server_of_an_own_authority_is_believed_where_that_is_given() {
    let (server, authority) = ChatServer::saying_over_tls(&ANSWER, &[Reply::Whole]);
    let scene = Scene::new(&server, REDACT);
    let refused = scene.run(&["--json"]);
    assert_eq!(refused.status, Some(10), "{refused:?}");
    assert_eq!(refused.json()["route"]["outcome"], "failed");
    let pem = scene.desk.write("authority.pem", authority.pem());
    let authority = format!("cloud={}", pem.display());
    let believed = scene.run(&["--json", "--authority", &authority]).succeeded().json();
    assert_eq!(believed["text"], SHOWN);
    assert_eq!(server.requests(), 1);
}

#[test]
fn wrong_arguments() {
    let server = ChatServer::saying(&ANSWER, &[Reply::Whole]);
    let scene = Scene::new(&server, REDACT);
    let pem = scene.desk.write("authority.pem", "no certificate");
    let check = |status, code, more: &[&str]| {
        scene.run(&[more, &["--json"]].concat()).failed(status, code);
    };
    check(2, "usage", &["--raw"]);
    check(2, "usage", &["--prefix-cache", "x"]);
    check(2, "usage", &["--authority", "cloud"]);
    check(2, "usage", &["--authority", &format!("house={}", pem.display())]);
    check(2, "usage", &["--authority", &format!("cloud={}", pem.display())]);
    check(5, "input_unreadable", &["--authority", "cloud=./nowhere"]);
    check(2, "usage", &["--device", "{"]);
    check(2, "usage", &["--device", r#"{"battery_percent": 150}"#]);
    check(2, "usage", &["--device", r#"{"loss_percent": 101}"#]);
    let file = scene.desk.write("file", "");
    let misplaced = scene
        .run(&["--json", "--ledger", file.to_str().unwrap()])
        .failed(2, "output_exists");
    assert!(
        misplaced.stderr.contains("something with this name already exists") && !misplaced.stderr.contains("os error"),
        "{misplaced:?}"
    );
    check(5, "input_unreadable", &["--user-policy", "./nowhere.toml"]);
    check(5, "policy_invalid", &["--user-policy", scene.policy.to_str().unwrap()]);
    check(2, "usage", &["--word", "…"]);
    check(3, "bundle_missing", &["--model", "./nowhere"]);
    scene
        .desk
        .run(["run", "--json", "--model", "x", "--prompt", "x", "--ledger", "y"])
        .failed(2, "usage");
    scene.desk.run(["chat", "--json"]).failed(2, "usage");
    assert_eq!(server.requests(), 0);
}

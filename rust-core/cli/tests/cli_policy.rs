//! `whimbrel redact`, `policy` and `keys`: what they print, and what they refuse.
#![allow(clippy::unwrap_used)]

mod support;

use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};
use support::{Desk, Ran, Started, check_shape, tiny};

const APP: &str = r#"
version = 1
name = "notes"
description = "Short things here."
currency = "EUR"
otherwise = ["on_device", "redact_then_remote:house"]

[limits]
battery_percent_min = 20

[[endpoints]]
id = "house"
base_url = "http://127.0.0.1:9/v1"
model = "medium"
trust = "organisation"
cost_per_1k_tokens = 0

[[rules]]
id = "secrets-stay"
when = { class = { min = "secret" } }
deny = ["off_device"]
"#;

const USER: &str = r#"
version = 1
name = "mine"
role = "user"

[[rules]]
id = "not-there"
deny = ["endpoint:house"]
"#;

fn piped(desk: &Desk, arguments: &[&str], text: &str) -> Ran {
    let mut started = Started::new(&mut desk.command(arguments));
    started.say(text);
    started.finish()
}

#[test]
fn a_text_is_redacted() {
    let desk = Desk::new();
    let text = "Für Bluebird: a@b.example, nothing else\n";
    let file = desk.write("text", text);
    let base = ["redact", "--json", "--word", "bluebird"];
    let found = desk
        .run(base.iter().chain(&["--file", file.to_str().unwrap()]))
        .succeeded()
        .json();
    check_shape("redact", &found);
    assert_eq!(found["text"], "Für ⟨WORD_1⟩: ⟨EMAIL_1⟩, nothing else\n");
    // In characters, not in bytes.
    let expected = json!([
        {"type": "user_word", "start": 4, "end": 12, "confidence": 1.0, "placeholder": "⟨WORD_1⟩"},
        {"type": "email", "start": 14, "end": 25, "confidence": 1.0, "placeholder": "⟨EMAIL_1⟩"},
    ]);
    assert_eq!(found["findings"], expected);
    assert_eq!(found, desk.run(base.iter().chain(&["--text", text])).succeeded().json());
    assert_eq!(found, piped(&desk, &base, text).succeeded().json());

    let people = piped(&desk, &["redact", "--file", "-"], text).succeeded();
    assert_eq!(people.stdout, "Für Bluebird: ⟨EMAIL_1⟩, nothing else\n");
    assert_eq!(
        people.stderr,
        "⟨EMAIL_1⟩ for email at characters 14 to 25, 100 % sure\n"
    );
}

#[test]
fn a_special_category_is_named_and_not_replaced() {
    let desk = Desk::new();
    let text = "my HIV test results, and tell priya";
    let found = desk.run(["redact", "--json", "--text", text]).succeeded().json();
    assert_eq!(found["text"], text);
    let finding = &found["findings"][0];
    assert_eq!(
        (&finding["type"], &finding["placeholder"]),
        (&json!("health"), &Value::Null)
    );
    let people = desk.run(["redact", "--text", text]).succeeded();
    assert_eq!(
        people.stderr,
        "health, not replaced, at characters 3 to 6, 90 % sure\nmaybe person_name at characters 30 to 35: not replaced\n"
    );
    let explained = desk
        .run([
            "policy",
            "explain",
            "--policy",
            "balanced",
            "--text",
            text,
            "--device",
            "{}",
            "--candidates",
            "{}",
        ])
        .succeeded();
    assert!(
        explained.stdout.contains("task chat: sensitive\n  found 1 × health\n"),
        "{explained:?}"
    );
    let shown = desk
        .run([
            "policy",
            "explain",
            "--policy",
            "balanced",
            "--json",
            "--request",
            r#"{"findings": {"crime": 1}}"#,
        ])
        .succeeded()
        .json();
    assert_eq!(shown["request"]["class"], "sensitive");
}

#[test]
fn wrong_texts_and_words() {
    let desk = Desk::new();
    let long = desk.write("long", "a ".repeat((2 << 20) + 1));
    let fits = desk.write("fits", "a ".repeat(2 << 20));
    let check = |status, code, arguments: &[&str]| {
        desk.run(arguments.iter().chain(&["--json"])).failed(status, code);
    };
    check(2, "limit", &["redact", "--file", long.to_str().unwrap()]);
    check(2, "usage", &["redact", "--text", "x", "--word", "…"]);
    check(2, "usage", &["redact", "--text", "x", "--file", "y"]);
    check(5, "input_unreadable", &["redact", "--file", "./nowhere"]);
    desk.run(["redact", "--file", fits.to_str().unwrap()]).succeeded();
}

#[test]
fn a_valid_policy_is_summed_up() {
    let desk = Desk::new();
    let (app, user) = (desk.write("app.toml", APP), desk.write("user.toml", USER));
    let (app, user) = (app.to_str().unwrap(), user.to_str().unwrap());
    let both = desk
        .run(["policy", "check", "--json", app, "--user", user])
        .succeeded()
        .json();
    check_shape("policy-check", &both);
    assert_eq!(both["valid"], true);
    assert_eq!(both["endpoints"][0]["id"], "house");
    assert_eq!(both["rules"], json!(["secrets-stay"]));
    assert_eq!(both["user"]["rules"], json!(["not-there"]));
    for (name, role) in [
        (app, "app"),
        (user, "user"),
        ("private", "app"),
        ("quality_first", "app"),
    ] {
        let one = desk.run(["policy", "check", "--json", name]).succeeded().json();
        assert_eq!((&one["role"], &one["user"]), (&json!(role), &Value::Null), "{name}");
    }
    let people = desk.run(["policy", "check", app]).succeeded().stdout;
    assert!(people.starts_with("valid\n"), "{people}");
    let tools = "[[tools]]\nid = \"ask-me\"\nuse = \"confirm\"\n";
    let asks = desk.write("asks.toml", format!("{USER}\n{tools}"));
    let asks = asks.to_str().unwrap();
    let shown = desk.run(["policy", "check", "--json", asks]).succeeded().json();
    assert_eq!(shown["tools"], json!(["ask-me"]));
    let shown = desk.run(["policy", "check", asks]).succeeded().stdout;
    assert!(shown.contains("tools") && shown.contains("ask-me"), "{shown}");
    assert!(
        people.contains("house (organisation, medium at http://127.0.0.1:9/v1)"),
        "{people}"
    );
}

#[test]
fn an_invalid_policy_is_refused_with_its_place() {
    let desk = Desk::new();
    let app = desk.write("app.toml", APP);
    let app = app.to_str().unwrap();
    let check = |name: &str, text: String, place: [Value; 3], kind: &str| {
        let file = desk.write(name, text);
        let ran = match name.contains("user") {
            true => desk.run(["policy", "check", "--json", app, "--user", file.to_str().unwrap()]),
            false => desk.run(["policy", "check", "--json", file.to_str().unwrap()]),
        };
        let error = ran.failed(5, "policy_invalid").json()["error"].clone();
        let found = ["line", "column", "path"].map(|field| error[field].clone());
        assert_eq!(found, place, "{error}");
        assert_eq!(error["reason"]["kind"], kind, "{error}");
        assert!(error["message"].as_str().unwrap().contains(name), "{error}");
    };
    check(
        "a.toml",
        APP.replace("min = \"secret\"", "min = \"hidden\""),
        [json!(20), json!(20), json!("rules[0].when.class.min")],
        "unknown_word",
    );
    check(
        "tools.toml",
        format!("{APP}\n[[tools]]\nid = \"mail\"\nuse = \"ask\"\n"),
        [json!(APP.lines().count() + 4), json!(1), json!("tools[0].use")],
        "unknown_word",
    );
    check("b.json", "{".into(), [json!(1), json!(2), json!("")], "syntax");
    check(
        "user.toml",
        USER.replace("endpoint:house", "endpoint:hose"),
        [json!(8), json!(9), json!("rules[0].deny[0]")],
        "unknown_endpoint",
    );
    check(
        "user2.toml",
        APP.into(),
        [json!(0), json!(0), json!("role")],
        "wrong_role",
    );
}

#[test]
fn wrong_arguments_of_policy() {
    let desk = Desk::new();
    let check = |status, code, arguments: &[&str]| {
        desk.run(arguments.iter().chain(&["--json"])).failed(status, code);
    };
    check(2, "usage", &["policy", "check", "no-such-preset"]);
    check(5, "input_unreadable", &["policy", "check", "./nowhere.toml"]);
    check(2, "usage", &["policy", "show", "nothing"]);
    check(2, "usage", &["policy", "explain", "--policy", "private"]);
    check(
        2,
        "usage",
        &["policy", "explain", "--policy", "private", "--request", "{"],
    );
    let unknown = r#"{"tasks": "chat"}"#;
    check(
        2,
        "usage",
        &["policy", "explain", "--policy", "private", "--request", unknown],
    );
    let device = r#"{"battery": 5}"#;
    check(
        2,
        "usage",
        &[
            "policy", "explain", "--policy", "private", "--text", "x", "--device", device,
        ],
    );
    check(
        5,
        "input_unreadable",
        &["policy", "explain", "--policy", "private", "--request", "@./nowhere"],
    );
}

#[test]
fn presets_and_the_schema_are_printed() {
    let desk = Desk::new();
    for name in ["private", "on_device_first", "balanced", "quality_first"] {
        let text = desk.run(["policy", "show", name]).succeeded().stdout;
        assert!(text.contains(&format!("name = \"{name}\"")), "{text}");
        let shown = desk.run(["policy", "show", name, "--json"]).succeeded().json();
        assert_eq!(shown, json!({"name": name, "text": text}));
        let file = desk.write("preset.toml", text);
        desk.run(["policy", "check", file.to_str().unwrap()]).succeeded();
    }
    let schema = desk.run(["policy", "schema"]).succeeded().json();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert_eq!(schema, desk.run(["policy", "schema", "--json"]).succeeded().json());
}

#[test]
fn a_decision_is_explained() {
    let desk = Desk::new();
    let (app, user) = (desk.write("app.toml", APP), desk.write("user.toml", USER));
    let tiny = tiny();
    let base = ["policy", "explain", "--json", "--policy", app.to_str().unwrap()];
    let explain = |more: &[&str]| desk.run(base.iter().chain(more)).succeeded().json();
    let names = |found: &Value, list: &str| -> Vec<String> {
        let all = found["plan"][list].as_array().unwrap();
        all.iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect()
    };
    let device = r#"{"battery_percent": 80, "network": "unmetered"}"#;
    let asked = desk.write(
        "request.json",
        r#"{"task": "summarise", "findings": {"email": 2}, "text_bytes": 400}"#,
    );
    let asked = format!("@{}", asked.display());
    let model = ["--model", tiny.to_str().unwrap()];

    let found = explain(&[&["--request", &asked, "--device", device], &model[..]].concat());
    check_shape("policy-explain", &found);
    assert_eq!(found["request"]["class"], "personal");
    assert_eq!(found["request"]["prompt_tokens"], 100);
    assert_eq!(found["plan"]["decision"], "run");
    let here = "on_device:Whimbrel_Tiny/q4_1";
    assert_eq!(names(&found, "candidates"), [here, "redact_then_remote:house"]);
    let considered = json!({
        "document": "app", "rule": "secrets-stay", "outcome": "does_not_match", "condition": "class",
        "found": {"word": "personal"},
    });
    assert_eq!(found["plan"]["considered"], json!([considered]));

    let low = r#"{"battery_percent": 5, "charging": false}"#;
    let low = explain(&[&["--request", "{}", "--device", low], &model[..]].concat());
    assert_eq!(names(&low, "candidates"), ["redact_then_remote:house"]);
    assert_eq!(low["plan"]["refused"][0]["reason"]["kind"], "battery");

    let secret = format!("the key is {}", ["sk-proj-", "Zt8rK2mW9xQ4vB7nL1pD6sF3"].concat());
    let secret = explain(&[&["--text", &secret], &model[..]].concat());
    assert_eq!(secret["request"]["class"], "secret");
    assert_eq!(names(&secret, "candidates"), [here]);

    let user = ["--user", user.to_str().unwrap(), "--text", "x", "--task", "chat"];
    let tightened = explain(&user);
    assert_eq!(tightened["plan"]["decision"], "unavailable");
    assert_eq!(tightened["device"]["foreground"], true, "this machine's own state");

    let candidates = r#"{"local_models": [{"model": "m", "variant": "v", "ready": true}]}"#;
    let given = explain(&["--request", "{}", "--candidates", candidates]);
    assert_eq!(names(&given, "candidates")[0], "on_device:m/v");

    let people = desk
        .run([
            "policy",
            "explain",
            "--policy",
            "private",
            "--text",
            "x",
            "--candidates",
            candidates,
        ])
        .succeeded()
        .stdout;
    assert!(
        people.contains("  1. on_device:m/v (") && people.contains("foreground"),
        "{people}"
    );
}

#[test]
fn keys_are_kept_where_only_their_owner_reads_and_never_printed() {
    let desk = Desk::new();
    let folder = desk.path("ledger");
    let ledger = ["--ledger", folder.to_str().unwrap()];
    let key = "abc-123";
    let arguments = [&["keys", "set", "house", "--json"], &ledger[..]].concat();
    let set = piped(&desk, &arguments, &format!("{key}\n")).succeeded();
    check_shape("keys", &set.json());
    assert_eq!(set.json(), json!({"endpoint": "house", "stored": true}));
    let file = folder.join("vault/key.house.secret");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), key);
    for (path, mode) in [
        (file.as_path(), 0o600),
        (file.parent().unwrap(), 0o700),
        (&folder, 0o700),
    ] {
        assert_eq!(
            std::fs::metadata(path).unwrap().permissions().mode() & 0o777,
            mode,
            "{path:?}"
        );
    }
    let deleted = desk.run(["keys", "delete", "house"].iter().chain(&ledger)).succeeded();
    assert_eq!(deleted.stdout, "the key of house is forgotten\n");
    assert!(!file.exists());
    desk.run(["keys", "delete", "house"].iter().chain(&ledger)).succeeded();
    // By default it is in the state folder.
    piped(&desk, &["keys", "set", "house"], key).succeeded();
    assert!(desk.path("state/whimbrel/ledger/vault/key.house.secret").exists());

    let check = |key: &str, endpoint: &str, status, code| {
        let ran = piped(&desk, &["keys", "set", endpoint, "--json"], key).failed(status, code);
        assert!(key.is_empty() || !ran.stderr.contains(key), "{ran:?}");
    };
    check("", "house", 2, "usage");
    check("with blank", "house", 2, "usage");
    check(&"k".repeat(4097), "house", 2, "usage");
    check("t0psecret", "../house", 2, "usage");
    let vault = desk.path("state/whimbrel/ledger/vault");
    std::fs::set_permissions(&vault, std::fs::Permissions::from_mode(0o755)).unwrap();
    check("t0psecret", "house", 7, "vault");
}

#[test]
fn without_a_ledger_there_is_nothing_to_read_and_nothing_is_made() {
    let desk = Desk::new();
    for command in [&["show", "1"][..], &["verify"], &["prune", "--keep-days", "1"]] {
        let arguments = ["ledger"].iter().chain(command).chain(&["--json"]);
        desk.run(arguments).failed(3, "ledger_missing");
    }
    assert_eq!(desk.run(["ledger", "export"]).status, Some(3));
    // Before the first receipt there are none.
    let listed = desk.run(["ledger", "list", "--json"]).succeeded().json();
    assert_eq!(listed["receipts"], json!([]));
    desk.run(["ledger", "stats", "--json"]).succeeded();
    assert!(!desk.path("state").exists());
    desk.run(["ledger", "verify", "--file", "./nowhere", "--json"])
        .failed(5, "input_unreadable");
}

#[test]
fn a_mistyped_ledger_is_named_and_not_made() {
    let desk = Desk::new();
    let folder = desk.path("legder");
    for command in [
        &["ledger", "list"][..],
        &["conversations", "list"],
        &["conversations", "search", "a"],
        &["conversations", "delete", "a", "--yes"],
        &["outbox", "list"],
        &["outbox", "retry", "1"],
        &["outbox", "run", "--policy", "balanced"],
        &["cache", "stats"],
        &["cache", "clear"],
        &["wipe", "--yes"],
    ] {
        let arguments = command
            .iter()
            .chain(&["--json", "--ledger"])
            .map(|word| word.to_string());
        let ran = desk.run(arguments.chain([folder.to_str().unwrap().to_owned()]));
        let ran = ran.failed(3, "ledger_missing");
        assert!(ran.stderr.contains("legder"), "{command:?}: {ran:?}");
        assert!(!folder.exists(), "{command:?}");
    }
}

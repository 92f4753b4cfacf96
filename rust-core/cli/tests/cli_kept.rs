//! Conversations that are kept, and questions that wait for a network, as a person types them.
#![allow(clippy::unwrap_used)]

mod support;

use serde_json::Value;
use support::{Desk, Ran, Started, tiny};
use whimbrel_testing::{ChatServer, Reply};

/// The tiny bundle, asked in a conversation that is kept.
fn ask(desk: &Desk, title: &str, question: &str, more: &[&str]) -> Ran {
    let tiny = tiny();
    let base = [
        "run",
        "--model",
        tiny.to_str().unwrap(),
        "--max-tokens",
        "4",
        "--conversation",
        title,
    ];
    desk.run(base.iter().chain(&["--prompt", question]).chain(more))
}

fn conversations(desk: &Desk, more: &[&str]) -> Ran {
    desk.run(["conversations"].iter().chain(more))
}

fn listed(desk: &Desk) -> Vec<Value> {
    let list = conversations(desk, &["list", "--json"]).succeeded().json();
    list["conversations"].as_array().unwrap().clone()
}

fn outbox(desk: &Desk, more: &[&str]) -> Ran {
    desk.run(["outbox"].iter().chain(more))
}

#[test]
fn a_conversation_goes_on_in_another_process() {
    let desk = Desk::new();
    assert_eq!(listed(&desk), Vec::<Value>::new());
    let first = ask(&desk, "Birds", "What is light?", &["--json"]).succeeded().json();
    let second = ask(&desk, "Birds", "And then?", &["--json"]).succeeded();
    assert!(
        second.stderr.contains("[continuing Birds with 2 messages]"),
        "{second:?}"
    );
    let second = second.json();
    assert!(second["prompt_tokens"].as_u64() > first["prompt_tokens"].as_u64());
    // A chat goes on with it, too.
    let tiny = tiny();
    let arguments = [
        "chat",
        tiny.to_str().unwrap(),
        "--max-tokens",
        "4",
        "--conversation",
        "Birds",
    ];
    let mut started = Started::new(&mut desk.command(arguments));
    started.say("What else?\n");
    started.finish().succeeded();

    let shown = conversations(&desk, &["show", "Birds", "--json"]).succeeded().json();
    let said: Vec<&str> = shown["said"]
        .as_array()
        .unwrap()
        .iter()
        .map(|said| said["text"].as_str().unwrap())
        .collect();
    assert_eq!(
        (said.len(), said[0], said[2], said[4]),
        (6, "What is light?", "And then?", "What else?")
    );
    assert_eq!(said[1], first["text"]);
    let id = shown["id"].as_str().unwrap().to_owned();
    let by_id = conversations(&desk, &["show", &id[..8]]).succeeded();
    assert!(by_id.stdout.contains("What is light?") && by_id.stdout.contains("user ("));

    let found = conversations(&desk, &["search", "LIGHT", "--json"]).succeeded().json();
    assert!(found["hits"].as_array().unwrap().iter().any(|hit| hit["message"] == 0));
    conversations(&desk, &["rename", "Birds", "Waders"]).succeeded();
    conversations(&desk, &["pin", "Waders"]).succeeded();
    ask(&desk, "Other", "Hello", &[]).succeeded();
    let list = listed(&desk);
    assert_eq!(
        list.iter()
            .map(|found| found["title"].as_str().unwrap())
            .collect::<Vec<_>>(),
        ["Waders", "Other"]
    );

    let file = desk.path("export.json");
    let file = file.to_str().unwrap();
    conversations(&desk, &["export", file, "--only", "Waders"]).succeeded();
    conversations(&desk, &["export", file]).failed(7, "io");
    let refused = conversations(&desk, &["delete", "Waders"]);
    assert!(refused.stderr.contains("add --yes"), "{refused:?}");
    conversations(&desk, &["delete", "Waders", "--yes"]).succeeded();
    conversations(&desk, &["show", "Waders", "--json"]).failed(3, "conversation_unknown");
    let imported = conversations(&desk, &["import", file, "--json"]).succeeded().json();
    assert_eq!(
        (imported["added"][0].as_str(), imported["present"].as_u64()),
        (Some(id.as_str()), Some(0))
    );
    let again = conversations(&desk, &["import", file, "--json"]).succeeded().json();
    assert_eq!(again["present"], 1);
    let shown = conversations(&desk, &["show", "Waders", "--json"]).succeeded().json();
    assert_eq!(shown["said"].as_array().unwrap().len(), 6);

    desk.run(["wipe", "--yes"]).succeeded();
    assert_eq!(listed(&desk), Vec::<Value>::new());
    conversations(
        &desk,
        &["import", desk.write("bad.json", "{}").to_str().unwrap(), "--json"],
    )
    .failed(5, "input_invalid");
}

#[test]
fn a_question_waits_for_the_network() {
    let server = ChatServer::start(&[Reply::Echo]);
    let desk = Desk::new();
    let policy = desk.write(
        "policy.toml",
        format!(
            "version = 1\nname = \"waits\"\notherwise = [\"remote:cloud\", \"queue\"]\n\n[[endpoints]]\nid = \"cloud\"\n\
             base_url = \"{}\"\nmodel = \"large\"\ntrust = \"public_cloud\"\ncost_per_1k_tokens = 0\n",
            server.url
        ),
    );
    let policy = policy.to_str().unwrap();
    let ask = |question: &str, network: &str| {
        let device = format!("{{\"network\": \"{network}\"}}");
        let base = [
            "run",
            "--policy",
            policy,
            "--conversation",
            "Tunnel",
            "--device",
            &device,
            "--json",
        ];
        desk.run(base.iter().chain(&["--prompt", question]))
    };
    let queued = ask("Where do waders winter?", "none").failed(10, "queued").json();
    assert_eq!(
        (&queued["route"]["outcome"], &queued["route"]["queued"]),
        (&"deferred".into(), &1.into())
    );
    ask("And in spring?", "none").failed(10, "queued");
    let list = outbox(&desk, &["list", "--json"]).succeeded().json();
    let questions = list["questions"].as_array().unwrap();
    assert_eq!((questions.len(), &questions[0]["state"]), (2, &"waiting".into()));
    outbox(&desk, &["edit", "2", "And in summer?"]).succeeded();
    outbox(&desk, &["show", "3", "--json"]).failed(2, "usage");
    outbox(&desk, &["run", "--json"]).failed(2, "usage");
    let run = |network: &str| {
        let device = format!("{{\"network\": \"{network}\"}}");
        outbox(&desk, &["run", "--policy", policy, "--device", &device, "--json"])
            .succeeded()
            .json()
    };
    assert_eq!((&run("none")["answered"], server.requests()), (&0.into(), 0));
    let ran = run("unmetered");
    assert_eq!(
        (&ran["answered"], &ran["left"], &ran["next_ms"]),
        (&2.into(), &0.into(), &Value::Null)
    );
    let shown = conversations(&desk, &["show", "Tunnel", "--json"]).succeeded().json();
    let said: Vec<&str> = shown["said"]
        .as_array()
        .unwrap()
        .iter()
        .map(|said| said["text"].as_str().unwrap())
        .collect();
    let [first, second] = ["Where do waders winter?", "And in summer?"];
    assert_eq!(said, [first, first, second, second]);
    // The next question brings what is queued with it.
    ask("And in autumn?", "none").failed(10, "queued");
    let mut answered = ask("And now?", "unmetered").succeeded();
    assert!(
        answered
            .stderr
            .contains("[1 question queued; sending what can be sent]\n> And in autumn?"),
        "{answered:?}"
    );
    assert_eq!(answered.json()["text"], "And now?");
    answered = outbox(&desk, &["list"]).succeeded();
    assert_eq!(
        (answered.stdout.as_str(), server.requests()),
        ("no queued questions\n", 4)
    );
    assert_eq!(desk.run(["ledger", "verify"]).status, Some(0));
}

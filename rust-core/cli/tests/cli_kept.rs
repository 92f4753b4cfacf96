//! Conversations that are kept, and questions that wait for a network, as a person types them.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;
use support::{Desk, Ran, Started, tiny};
use whimbrel_testing::{ChatServer, Random, Reply};

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

/// What was said in a conversation.
fn said(desk: &Desk, title: &str) -> Vec<String> {
    let shown = conversations(desk, &["show", title, "--json"]).succeeded().json();
    let said = shown["said"].as_array().unwrap().iter();
    said.map(|said| said["text"].as_str().unwrap().to_owned()).collect()
}

fn waiting_policy(url: &str) -> String {
    format!(
        "version = 1\nname = \"waits\"\notherwise = [\"remote:cloud\", \"queue\"]\n\n[[endpoints]]\nid = \"cloud\"\n\
         base_url = \"{url}\"\nmodel = \"large\"\ntrust = \"public_cloud\"\ncost_per_1k_tokens = 0\n"
    )
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
    conversations(&desk, &["export", file, "--json"]).failed(7, "io");
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
fn a_damaged_database_gives_up_what_it_still_has() {
    let desk = Desk::new();
    ask(&desk, "Birds", "What is light?", &[]).succeeded();
    let folder = desk.path("ledger");
    let at = |more: &[&str]| desk.run(more.iter().chain(&["--ledger", folder.to_str().unwrap()]));
    let tiny = tiny();
    let base = [
        "run",
        "--model",
        tiny.to_str().unwrap(),
        "--max-tokens",
        "4",
        "--prompt",
        "What is light?",
    ];
    at(&[&base[..], &["--conversation", "Birds"]].concat()).succeeded();
    let mut files = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let database = files.find(|path| path.is_file() && std::fs::read(path).unwrap().starts_with(b"SQLite"));
    let database = database.unwrap();
    let mut bytes = std::fs::read(&database).unwrap();
    bytes[..100].fill(0x5a);
    std::fs::write(&database, bytes).unwrap();

    let refused = at(&["conversations", "list", "--json"]);
    assert!(refused.stderr.contains("whimbrel ledger recover"), "{refused:?}");
    let unasked = at(&["ledger", "recover"]);
    assert!(unasked.stderr.contains("add --yes"), "{unasked:?}");
    let recovered = at(&["ledger", "recover", "--yes", "--json"]).succeeded().json();
    let counts = [&recovered["kept"]["messages"], &recovered["lost"]["messages"]].map(Value::as_u64);
    assert_eq!(counts, [Some(2), Some(0)], "{recovered}");
    assert!(std::path::Path::new(recovered["old"].as_str().unwrap()).exists());
    let shown = at(&["conversations", "show", "Birds", "--json"]).succeeded().json();
    assert_eq!(shown["said"][0]["text"], "What is light?");
}

#[test]
fn remembered_answers_and_caches_are_shown_and_cleared() {
    let server = ChatServer::start(&[Reply::Echo]);
    let desk = Desk::new();
    let policy = desk.write("policy.toml", waiting_policy(&server.url));
    let base = [
        "run",
        "--policy",
        policy.to_str().unwrap(),
        "--prompt",
        "What is light?",
        "--device",
    ];
    let run = |more: &[&str]| {
        desk.run(base.iter().chain(&["{\"network\": \"unmetered\"}"]).chain(more))
            .succeeded()
    };
    run(&[]);
    let again = run(&[]);
    assert!(
        again
            .stderr
            .contains("[answered before, less than a minute ago, at cloud"),
        "{again:?}"
    );
    let again = run(&["--json"]).json();
    assert_eq!(again["route"]["answered_before"]["receipt"], 1);
    assert!(run(&["--fresh", "--json"]).json()["route"]["answered_before"].is_null());
    assert_eq!(server.received().len(), 2);
    let stats = desk.run(["cache", "stats", "--json"]).succeeded().json();
    assert_eq!(
        (stats["answers"].as_u64(), stats["saved_contexts"].as_u64()),
        (Some(1), Some(0))
    );
    let shown = desk.run(["cache", "clear"]).succeeded();
    assert!(shown.stdout.starts_with("removed 1 remembered answer, "), "{shown:?}");
    assert_eq!(desk.run(["cache", "stats", "--json"]).succeeded().json()["answers"], 0);
    assert!(run(&["--json"]).json()["route"]["answered_before"].is_null());
}

#[test]
fn a_question_waits_for_the_network() {
    let server = ChatServer::start(&[Reply::Echo]);
    let desk = Desk::new();
    let policy = desk.write("policy.toml", waiting_policy(&server.url));
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
    let queue = |question: &str| {
        let ran = ask(question, "none");
        assert_eq!(ran.status, Some(10), "{ran:?}");
        assert!(ran.stderr.contains("error: queued: "), "{ran:?}");
        ran.json()
    };
    let queued = queue("Where do waders winter?");
    assert_eq!(
        (&queued["route"]["outcome"], &queued["route"]["queued"]),
        (&"deferred".into(), &1.into())
    );
    let behind = ask("And in spring?", "none");
    assert!(behind.stderr.contains("queued as question 2"), "{behind:?}");
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
    queue("And in autumn?");
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

/// Processes are killed while they queue and while they send. `WHIMBREL_KILLS` says how many.
#[test]
fn kills_lose_no_question_and_answer_none_twice() {
    let kills: u64 = std::env::var("WHIMBREL_KILLS").map_or(16, |kills| kills.parse().unwrap());
    let server = ChatServer::answering_in_background(|_, request| Reply::Echo.script(&[], request), None);
    let desk = Desk::new();
    let policy = desk.write("policy.toml", waiting_policy(&server.url));
    let policy = policy.to_str().unwrap();
    let mut random = Random::new(kills);
    let mut acknowledged = Vec::new();
    // Starts the program, and kills it after a while or lets it end.
    let mut run = |arguments: &[&str], is_killed: bool| {
        let mut started = Started::new(&mut desk.command(arguments));
        if is_killed {
            // No wait for something to happen: any moment will do.
            std::thread::sleep(Duration::from_millis(random.below(250)));
            if !started.has_ended() {
                started.signal("-KILL");
            }
        }
        started.finish()
    };
    let [none, unmetered] = ["none", "unmetered"].map(|network| format!("{{\"network\": \"{network}\"}}"));
    for kill in 0..kills {
        let question = format!("Question {kill:04}");
        let title = ["one", "two"][kill as usize % 2];
        let ask = [
            "run",
            "--policy",
            policy,
            "--conversation",
            title,
            "--device",
            &none,
            "--json",
            "--prompt",
            &question,
        ];
        let ran = run(&ask, kill % 4 == 3);
        let is_queued =
            serde_json::from_str::<Value>(&ran.stdout).is_ok_and(|object| object["route"]["queued"].is_u64());
        if is_queued {
            acknowledged.push((title, question));
        }
        if kill % 3 > 0 {
            run(&["outbox", "run", "--policy", policy, "--device", &unmetered], true);
        }
    }
    let ran = run(
        &["outbox", "run", "--policy", policy, "--device", &unmetered, "--json"],
        false,
    )
    .succeeded()
    .json();
    assert_eq!(ran["left"], 0);
    for title in ["one", "two"] {
        let said = said(&desk, title);
        let (questions, answers): (Vec<_>, Vec<_>) = said.chunks(2).map(|pair| (&pair[0], &pair[1])).unzip();
        assert_eq!(questions, answers);
        assert!(
            questions.is_sorted() && questions.windows(2).all(|pair| pair[0] != pair[1]),
            "{questions:?}"
        );
        for (_, question) in acknowledged.iter().filter(|(of, _)| *of == title) {
            assert!(questions.contains(&question), "{question} is lost: {questions:?}");
        }
    }
    assert!(!acknowledged.is_empty());
    // Whatever was sent twice came with the same key, so that an endpoint answers it once.
    let mut keys: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for request in server.received() {
        let body: Value = serde_json::from_str(&request.body).unwrap();
        let question = body["messages"].as_array().unwrap().last().unwrap()["content"].to_string();
        let key = request.header("idempotency-key").unwrap().to_owned();
        keys.entry(question).or_default().insert(key);
    }
    assert!(keys.values().all(|keys| keys.len() == 1), "{keys:?}");
    assert_eq!(desk.run(["ledger", "verify"]).status, Some(0));
}

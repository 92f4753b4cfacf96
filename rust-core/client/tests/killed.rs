//! A process that is killed while it sends: whatever the server got has a receipt that was durable before, and the ledger is whole.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use support::{Reply, Server, ask_options, options, policies};
use whimbrel_client::record::Outcome;
use whimbrel_client::store::{FileVault, Filter};
use whimbrel_client::{AskOptions, Assistant, AssistantOptions, block_on};

/// Where the child finds its ledger and its server; unset in the parent.
const CHILD: &str = "WHIMBREL_TEST_KILLED_CHILD";
const REQUESTS: usize = 200;

fn open(folder: &Path, url: &str) -> Assistant {
    let policy = format!(
        "version = 1\nname = \"test\"\notherwise = [\"redact_then_remote:house\"]\n[[endpoints]]\nid = \"house\"\n\
         base_url = \"{url}\"\nmodel = \"m\"\ntrust = \"organisation\"\ncost_per_1k_tokens = 0\n"
    );
    Assistant::open(AssistantOptions {
        store: folder.join("ledger.sqlite"),
        vault: Arc::new(FileVault::open(&folder.join("vault")).unwrap()),
        policies: policies(&policy),
        user_words: Vec::new(),
    })
    .unwrap()
}

/// The child's whole life: it asks until it is killed.
#[test]
fn child() {
    let Ok(told) = std::env::var(CHILD) else {
        return;
    };
    let (folder, url) = told.split_once('|').unwrap();
    let assistant = open(Path::new(folder), url);
    loop {
        let conversation = assistant.conversation(options());
        let anew = AskOptions {
            fresh: true,
            ..ask_options()
        };
        let answer = conversation.ask("Hello", anew).unwrap();
        while !block_on(answer.next(64)).unwrap().is_empty() {}
    }
}

#[test]
fn every_request_that_left_has_a_receipt() {
    let server = Server::start(&[Reply::Whole]);
    let folder = tempfile::tempdir().unwrap();
    let mut rounds = 0;
    while server.received().len() < REQUESTS {
        let before = server.received().len();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child", "--nocapture"])
            .env(CHILD, format!("{}|{}", folder.path().display(), server.url))
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        // Another moment of its work each time.
        while server.received().len() < before + 9 + rounds % 5 {
            assert!(child.try_wait().unwrap().is_none(), "the child ended by itself");
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        rounds += 1;
    }
    let assistant = open(folder.path(), &server.url);
    assert!(block_on(assistant.verify_ledger()).unwrap().is_intact());
    let receipts = block_on(assistant.receipts(Filter::default(), 1000)).unwrap();
    let known: BTreeSet<_> = receipts
        .iter()
        .map(|receipt| receipt.intent.request.to_string())
        .collect();
    let mut seen = BTreeSet::new();
    for request in server.received() {
        let id = request.request_id();
        assert!(known.contains(&id), "{id} left without a receipt");
        assert!(seen.insert(request.idempotency_key()), "{id} was sent twice");
    }
    let interrupted = receipts
        .iter()
        .filter(|receipt| receipt.outcome == Some(Outcome::Interrupted))
        .count();
    assert!(
        interrupted > 0 && interrupted <= rounds,
        "{interrupted} interrupted in {rounds} rounds"
    );
    // What they took is counted once, and so is where processes were ended: each had one request.
    let overview = block_on(assistant.performance()).unwrap();
    assert_eq!(overview.outcomes.requests(), receipts.len() as u64);
    let ended: u64 = overview.endings.iter().map(|ending| ending.times).sum();
    assert!(
        ended >= interrupted as u64 && ended <= rounds as u64,
        "{ended} of {interrupted}"
    );
}

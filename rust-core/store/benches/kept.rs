//! Speed of what is kept for users: opening and searching 100,000 messages, queueing requests, and finding cached answers. Run with
//! `cargo bench -p whimbrel-store --bench kept`; the folder for the files is the system's temporary one, or the argument behind `--`.
#![allow(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

#[path = "../tests/support/mod.rs"]
mod support;
mod timing;

use std::path::PathBuf;

use support::NOW_MS;
use support::kept::{answer, complete, question, request};
use timing::{repeated, report, timed};
use whimbrel_record::ReceiptId;
use whimbrel_store::{NewAnswer, NewConversation, Store};

const CONVERSATIONS: u64 = 2_000;
const MESSAGES: u64 = 50;
const SINGLE: usize = 1_000;
const BATCHES: usize = 20;
const BATCH: usize = 500;
const ANSWERS: u64 = 2_000;

/// A text of some 140 bytes, in which one of a thousand names the bird.
fn text(number: u64) -> String {
    let bird = if number % 1000 == 999 { "WHIMBREL" } else { "sandpiper" };
    format!(
        "Message {number}: on the mud flats near the harbour I saw a {bird} with a long bill, and two terns above it. What does it eat there?"
    )
}

fn fill(store: &Store) {
    let conversations = store.conversations();
    for number in 0..CONVERSATIONS {
        let messages: Vec<_> = (0..MESSAGES)
            .map(|place| {
                let text = text(number * MESSAGES + place);
                if place % 2 == 0 { question(&text) } else { answer(&text) }
            })
            .collect();
        let new = NewConversation {
            title: &format!("Conversation {number}"),
            attributes: "{}",
            messages: &messages,
        };
        conversations.create(&new, NOW_MS + number).expect("a conversation");
    }
}

fn searches(store: &Store) {
    let conversations = store.conversations();
    repeated("search 100,000 messages, first hit", 9, || {
        assert_eq!(conversations.find("whimbrel", 1).expect("a hit").len(), 1);
    });
    repeated("search 100,000 messages, all 100 hits", 9, || {
        assert_eq!(conversations.find("whimbrel", 1_000).expect("hits").len(), 100);
    });
    repeated("search 100,000 messages, no hit", 9, || {
        assert!(conversations.find("albatross", 1).expect("no hit").is_empty());
    });
    repeated("list the first 20", 50, || {
        assert_eq!(conversations.list(None, 20).expect("a list").len(), 20);
    });
    let id = conversations.list(None, 1).expect("a list")[0].id;
    repeated("one conversation of 50 messages", 50, || {
        conversations.get(id).expect("a conversation");
    });
}

fn queueing(store: &Store) {
    let outbox = store.outbox();
    let id = store.conversations().list(None, 1).expect("a list")[0].id;
    let new = request(id, &text(0).repeat(8));
    repeated("enqueue one request of 1 KB, durable", SINGLE, || {
        outbox.enqueue(&new, NOW_MS).expect("queued");
    });
    let batch = vec![new; BATCH];
    repeated("enqueue 500 in one step", BATCHES, || {
        outbox.enqueue_many(&batch, NOW_MS).expect("queued");
    });
    let queued = outbox.list(None, 500).expect("a list");
    let seconds = queued
        .iter()
        .map(|queued| timed(|| complete(store, queued.id, &[answer("Worms.")], NOW_MS).expect("completed")).1);
    report("conclude one, durable", seconds.collect());
}

fn answers(store: &Store) {
    let answers = store.answers();
    for number in 0..ANSWERS {
        let (key, value) = (text(number), text(number).repeat(4));
        let new = NewAnswer {
            key: key.as_bytes(),
            value: value.as_bytes(),
            receipt: ReceiptId(1),
            conversation: None,
            lifetime_ms: 1,
        };
        answers.put(&new, NOW_MS).expect("cached");
    }
    let key = text(ANSWERS / 2);
    repeated("cached answer found", 2_000, || {
        assert!(answers.get(key.as_bytes(), NOW_MS).expect("a cache").is_some());
    });
    repeated("cached answer not found", 2_000, || {
        assert!(answers.get(b"other", NOW_MS).expect("a cache").is_none());
    });
}

fn files(store: &Store) {
    let files = store.files("prefix").expect("a purpose");
    let bytes = vec![0x5a; 32 << 20];
    repeated("seal a file of 32 MiB", 3, || {
        files.put("bench", &bytes).expect("written")
    });
    repeated("open a sealed file of 32 MiB", 5, || {
        assert_eq!(
            files.get("bench", 64 << 20).expect("read").map(|found| found.len()),
            Some(bytes.len())
        );
    });
}

fn main() {
    let chosen = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let parent = chosen.map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = tempfile::tempdir_in(parent).expect("a folder");
    let (path, vault) = (folder.path().join("store.db"), support::vault());
    let store = support::open(&path, &vault);
    let ((), seconds) = timed(|| fill(&store));
    let bytes = std::fs::metadata(&path).map_or(0, |metadata| metadata.len());
    println!(
        "100,000 messages written in {seconds:.1} s, {:.1} MB",
        bytes as f64 / 1e6
    );
    searches(&store);
    drop(store);
    repeated("open with 100,000 messages", 9, || drop(support::open(&path, &vault)));
    let store = support::open(&path, &vault);
    queueing(&store);
    answers(&store);
    files(&store);
    let (rotated, seconds) = timed(|| {
        loop {
            let rotation = store.rotate(1_000).expect("a rotation");
            if rotation.finished {
                return rotation;
            }
        }
    });
    println!("rotation of {} rows in {seconds:.1} s", rotated.rows_done);
}

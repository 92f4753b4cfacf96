//! A process that is killed at any moment of a workload of everything that is kept: what it was told to be on the disk is there, once, and
//! no file has a text. `WHIMBREL_KILLS` sets how often.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::Rng;
use rusqlite::Connection;
use support::kept::{answer, cached, is_anywhere, question, request};
use support::{NOW_MS, answered_here, intent, open as open_with, vault};
use whimbrel_store::{
    ConversationId, FileVault, KeyVault, MessageState, NewConversation, OutboxId, QueuedState, Store, StoreError,
};

/// Tells this program that it is the child, where it works, and which round it is.
const CHILD: &str = "WHIMBREL_KEPT_CHILD";
const ROUND: &str = "WHIMBREL_KEPT_ROUND";
const MIGRATION: &str = "WHIMBREL_MIGRATION_CHILD";
const KILLS: &str = "WHIMBREL_KILLS";
const KILLS_DEFAULT: u64 = 60;
/// Lines that the parent waits for at most before it kills.
const LINES_MAX: u64 = 40;
/// What every text begins with.
const MARKER: &str = "PLANTED-";
/// Two conversations: what is appended goes to the first, answers in progress to the second.
const MAIN: &str = "PLANTED-main";
const DRAFTS: &str = "PLANTED-drafts";

fn try_open(folder: &Path) -> Result<Store, StoreError> {
    let vault: Arc<dyn KeyVault> = Arc::new(FileVault::open(&folder.join("vault")).unwrap());
    Store::open(&folder.join("store.db"), vault, NOW_MS)
}

/// The conversation with this title, made if there is none.
fn titled(store: &Store, title: &str) -> ConversationId {
    let list = store.conversations().list(None, 100).unwrap();
    let found = list.iter().find(|summary| summary.title == title);
    found.map(|summary| summary.id).unwrap_or_else(|| {
        let new = NewConversation {
            title,
            ..NewConversation::default()
        };
        store.conversations().create(&new, NOW_MS).unwrap()
    })
}

fn text(round: u64, number: u64) -> String {
    format!(
        "{MARKER}{round}-{number} {}",
        "and so on ".repeat((number % 50) as usize)
    )
}

fn cache_key(name: &str) -> String {
    format!("{MARKER}cached {name}")
}

/// Does one thing after the other until it is killed. A line says what is on the disk; a line with `TRY` says what is about to be.
#[test]
fn child() {
    let (Ok(folder), Ok(round)) = (std::env::var(CHILD), std::env::var(ROUND)) else {
        return;
    };
    let round: u64 = round.parse().unwrap();
    let store = try_open(&PathBuf::from(folder)).unwrap();
    let (main, drafts) = (titled(&store, MAIN), titled(&store, DRAFTS));
    let mut random = Pcg64Mcg::new(u128::from(round));
    let mut out = std::io::stdout();
    for number in 0u64.. {
        let (choice, name) = (random.next_u64() % 12, format!("{round}-{number}"));
        let line = step(&store, (main, drafts), choice, &name, &text(round, number));
        // The harness writes to the same stream; a line goes out in one piece.
        writeln!(out, "{line}").unwrap();
    }
}

fn step(
    store: &Store,
    (main, drafts): (ConversationId, ConversationId),
    choice: u64,
    name: &str,
    text: &str,
) -> String {
    let conversations = store.conversations();
    match choice {
        0 | 1 => {
            conversations.append(main, &[question(text)], NOW_MS).unwrap();
            format!("KEPT {name}")
        }
        2..=4 => {
            let queued = store.outbox().enqueue(&request(main, text), NOW_MS).unwrap();
            let key: String = queued.idempotency.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("QUEUED {} {key}", queued.id)
        }
        5 | 6 => match store.outbox().list(None, 1).unwrap().first() {
            Some(oldest) => {
                let mut out = std::io::stdout();
                writeln!(out, "TRY {}", oldest.id).unwrap();
                let given = answer(&format!("{MARKER}answer-{} to it", oldest.id));
                store.outbox().complete(oldest.id, &[given], NOW_MS).unwrap();
                format!("DONE {}", oldest.id)
            }
            None => "NOTHING".into(),
        },
        7 => {
            store
                .answers()
                .put(&cached(cache_key(name).as_bytes(), text.as_bytes()), NOW_MS)
                .unwrap();
            format!("CACHED {name}")
        }
        8 => {
            let position = conversations
                .start_answer(drafts, &answer("PLANTED-begun"), NOW_MS)
                .unwrap();
            conversations
                .update_answer(drafts, position, &answer("PLANTED-more"))
                .unwrap();
            conversations.finish_answer(drafts, position, &answer(text)).unwrap();
            format!("ANSWERED {position} {name}")
        }
        9 => {
            let gone = titled(store, "PLANTED-gone");
            conversations.append(gone, &[question(text)], NOW_MS).unwrap();
            conversations.delete(gone).unwrap();
            store.files("prefix").unwrap().put("cache", text.as_bytes()).unwrap();
            "GONE x".into()
        }
        10 => {
            store.rotate(5).unwrap();
            conversations.find("so on", 5).unwrap();
            "ROTATED x".into()
        }
        _ => {
            store.ledger().record(&intent(1), &answered_here(), NOW_MS).unwrap();
            if let Some(oldest) = store.outbox().list(None, 1).unwrap().first() {
                let state = QueuedState {
                    tag: 2,
                    ..QueuedState::default()
                };
                store.outbox().update(oldest.id, &state).unwrap();
            }
            "RECORDED x".into()
        }
    }
}

/// What the children said to be on the disk.
#[derive(Default)]
struct Said {
    kept: BTreeSet<String>,
    queued: BTreeMap<u64, String>,
    tried: BTreeSet<u64>,
    done: BTreeSet<u64>,
    cached: BTreeSet<String>,
    answered: BTreeSet<(u32, String)>,
}

impl Said {
    fn take(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["KEPT", name] => drop(self.kept.insert(name.into())),
            ["QUEUED", id, key] => drop(self.queued.insert(id.parse().unwrap(), key.into())),
            ["TRY", id] => drop(self.tried.insert(id.parse().unwrap())),
            ["DONE", id] => drop(self.done.insert(id.parse().unwrap())),
            ["CACHED", name] => drop(self.cached.insert(name.into())),
            ["ANSWERED", position, name] => drop(self.answered.insert((position.parse().unwrap(), name.into()))),
            _ => {}
        }
    }
}

fn check(store: &Store, said: &Said, round: u64) {
    let conversations = store.conversations();
    let main = conversations.get(titled(store, MAIN)).unwrap().messages;
    let mut names = BTreeMap::new();
    for message in &main {
        let name = message.text.strip_prefix(MARKER).unwrap().split(' ').next().unwrap();
        *names.entry(name.to_owned()).or_insert(0) += 1;
    }
    assert!(names.values().all(|count| *count == 1), "round {round}: twice");
    for name in &said.kept {
        assert!(names.contains_key(name), "round {round}: {name} is lost");
    }
    let outbox = store.outbox().list(None, 1000).unwrap();
    let waiting: BTreeMap<u64, String> = outbox
        .iter()
        .map(|queued| {
            (
                queued.id.0,
                queued.idempotency.iter().map(|byte| format!("{byte:02x}")).collect(),
            )
        })
        .collect();
    for (id, key) in &said.queued {
        let answered = names.contains_key(&format!("answer-{id}"));
        match waiting.get(id) {
            Some(found) => assert!(
                found == key && !answered && !said.done.contains(id),
                "round {round}: request {id}"
            ),
            None => assert!(
                answered && said.tried.contains(id),
                "round {round}: request {id} is lost"
            ),
        }
    }
    for name in &said.cached {
        let (kept_round, number) = name.split_once('-').unwrap();
        let found = store
            .answers()
            .get(cache_key(name).as_bytes(), NOW_MS)
            .unwrap()
            .unwrap();
        let expected = text(kept_round.parse().unwrap(), number.parse().unwrap());
        assert!(found.value == expected.as_bytes(), "round {round}: {name}");
    }
    let drafts = conversations.get(titled(store, DRAFTS)).unwrap().messages;
    assert!(
        drafts.iter().all(|message| message.state != MessageState::Draft),
        "round {round}"
    );
    for (position, name) in &said.answered {
        let message = &drafts[*position as usize];
        let whole = message.text.starts_with(&format!("{MARKER}{name} ")) && message.state == MessageState::Complete;
        assert!(whole, "round {round}: answer {name}");
    }
    assert!(store.ledger().verify().unwrap().is_intact(), "round {round}");
}

#[test]
fn nothing_that_was_kept_is_lost_or_there_twice() {
    let folder = tempfile::tempdir().unwrap();
    let kills = std::env::var(KILLS).map_or(KILLS_DEFAULT, |kills| kills.parse().unwrap());
    let (mut random, mut said) = (Pcg64Mcg::new(0x5eed), Said::default());
    for round in 0..kills {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child", "--nocapture"])
            .env(CHILD, folder.path())
            .env(ROUND, round.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut text = String::new();
        for _ in 0..random.next_u64() % LINES_MAX {
            output.read_line(&mut text).unwrap();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        output.read_to_string(&mut text).unwrap();
        // A line without an end was cut by the kill.
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        whole.lines().for_each(|line| said.take(line));

        assert!(
            !is_anywhere(folder.path(), MARKER.as_bytes()),
            "round {round}: a text is in a file"
        );
        let store = try_open(folder.path()).unwrap();
        let raw = Connection::open(store.path()).unwrap();
        let sound: String = raw.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(sound, "ok", "round {round}");
        check(&store, &said, round);
        assert!(
            !is_anywhere(folder.path(), MARKER.as_bytes()),
            "round {round}: a text is in a file"
        );
    }
    if kills >= KILLS_DEFAULT {
        let counts = [
            said.kept.len(),
            said.queued.len(),
            said.done.len(),
            said.cached.len(),
            said.answered.len(),
        ];
        assert!(counts.iter().all(|count| *count > 10), "{counts:?}");
    }
    let store = try_open(folder.path()).unwrap();
    let ids: Vec<_> = store
        .outbox()
        .list(None, 1000)
        .unwrap()
        .iter()
        .map(|queued| queued.id)
        .collect();
    assert!(ids.is_sorted() && !ids.contains(&OutboxId(0)));
}

/// Opens the database of an older schema, and says when it begins.
#[test]
fn migrating_child() {
    let Ok(folder) = std::env::var(MIGRATION) else {
        return;
    };
    let mut out = std::io::stdout();
    writeln!(out, "READY").unwrap();
    open_with(&PathBuf::from(folder).join("store.db"), &vault());
    writeln!(out, "OPEN").unwrap();
}

#[test]
fn a_migration_is_whole_or_has_not_begun() {
    let old = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/schema-2.db");
    let mut random = Pcg64Mcg::new(0x5eed);
    for _ in 0..12 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        std::fs::copy(&old, &path).unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "migrating_child", "--nocapture"])
            .env(MIGRATION, folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        while !line.contains("READY") {
            line.clear();
            output.read_line(&mut line).unwrap();
        }
        // Turns of a loop take less time than a migration, so kills fall before, into and behind it.
        let turns = random.next_u64() % 3_000_000;
        std::hint::black_box((0..turns).fold(0u64, |sum, turn| std::hint::black_box(sum ^ turn)));
        child.kill().unwrap();
        child.wait().unwrap();
        let version: u32 = Connection::open(&path)
            .unwrap()
            .query_row("PRAGMA user_version", [], |row| row.get(0))
            .unwrap();
        assert!(version == 2 || version == whimbrel_store::SCHEMA_VERSION, "{version}");
        let store = open_with(&path, &vault());
        let report = store.ledger().verify().unwrap();
        assert!(report.is_intact() && report.receipts == 40, "{report:?}");
        titled(&store, MAIN);
    }
}

//! A process that is killed at any moment of a workload of everything that is kept: what it was told to be on the disk is there, once, and
//! no file has a text. `WHIMBREL_KILLS` sets how often.
#![allow(clippy::unwrap_used)]

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::Rng;
use rusqlite::Connection;
use support::kept::is_anywhere;
use support::workload::{DRAFTS, MAIN, MARKER, Said, check, every_queued, step, titled};
use support::{NOW_MS, once_free, open as open_with, vault};
use whimbrel_store::{FileVault, KeyVault, OutboxId, Store, StoreError};

/// Tells this program that it is the child, where it works, and which round it is.
const CHILD: &str = "WHIMBREL_KEPT_CHILD";
const ROUND: &str = "WHIMBREL_KEPT_ROUND";
const MIGRATION: &str = "WHIMBREL_MIGRATION_CHILD";
const KILLS: &str = "WHIMBREL_KILLS";
const KILLS_DEFAULT: u64 = 60;
/// Lines that the parent waits for at most before it kills.
const LINES_MAX: u64 = 40;

fn try_open(folder: &Path) -> Result<Store, StoreError> {
    let vault: Arc<dyn KeyVault> = Arc::new(FileVault::open(&folder.join("vault")).unwrap());
    once_free(|| Store::open(&folder.join("store.db"), Arc::clone(&vault), NOW_MS))
}

/// Does one thing after the other until it is killed.
#[test]
fn child() {
    let (Ok(folder), Ok(round)) = (std::env::var(CHILD), std::env::var(ROUND)) else {
        return;
    };
    let round: u64 = round.parse().unwrap();
    let store = try_open(&PathBuf::from(folder)).unwrap();
    let places = (titled(&store, MAIN).unwrap(), titled(&store, DRAFTS).unwrap());
    let mut random = Pcg64Mcg::new(u128::from(round));
    let mut out = std::io::stdout();
    // The harness writes to the same stream; a line goes out in one piece.
    let mut tell = |line: &str| writeln!(out, "{line}").unwrap();
    for number in 0u64.. {
        step(&store, places, random.next_u64() % 12, (round, number), &mut tell).unwrap();
        tell("STEP");
    }
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
    let ids: Vec<_> = every_queued(&store).iter().map(|queued| queued.id).collect();
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
        titled(&store, MAIN).unwrap();
    }
}

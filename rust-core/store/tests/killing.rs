//! A process that is killed at any moment: what it announced to send has a receipt, and nothing is half-written.
#![allow(clippy::unwrap_used)]

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::Rng;
use support::{NOW_MS, answered_in_the_cloud, intent};
use whimbrel_record::{Outcome, ReceiptId};
use whimbrel_store::{FileVault, KeyVault, Prune, Store, StoreError};

/// Tells this program that it is the child, and where it works.
const CHILD: &str = "WHIMBREL_KILLED_CHILD";
const ROUNDS: u64 = 20;
/// Lines that the parent waits for at most before it kills.
const LINES_MAX: u64 = 60;

fn open(folder: &Path) -> Store {
    let vault: Arc<dyn KeyVault> = Arc::new(FileVault::open(&folder.join("vault")).unwrap());
    Store::open(&folder.join("store.db"), vault, NOW_MS).unwrap()
}

/// Writes receipts until it is killed. `SENT` stands for the first byte that leaves.
#[test]
fn child() {
    let Ok(folder) = std::env::var(CHILD) else {
        return;
    };
    let ledger = open(&PathBuf::from(folder)).ledger();
    let mut out = std::io::stdout();
    for number in 0u64.. {
        let id = ledger.begin(&intent(number), NOW_MS).unwrap();
        writeln!(out, "SENT {id}").unwrap();
        if number % 3 != 0 {
            ledger.finish(id, &answered_in_the_cloud(), NOW_MS).unwrap();
            writeln!(out, "DONE {id}").unwrap();
        }
        if number % 10 == 9 {
            let prune = Prune {
                receipts_max: Some(1000),
                ..Prune::default()
            };
            ledger.prune(&prune, NOW_MS).unwrap();
        }
    }
}

/// While the child writes, nobody else can, and everybody can read and verify.
fn beside_a_writer(folder: &Path) {
    let (path, vault) = (folder.join("store.db"), FileVault::open(&folder.join("vault")).unwrap());
    let vault: Arc<dyn KeyVault> = Arc::new(vault);
    let refused = Store::open(&path, Arc::clone(&vault), NOW_MS);
    assert!(matches!(refused, Err(StoreError::InUse { .. })), "{refused:?}");
    let report = Store::inspect(&path, vault).unwrap().ledger().verify().unwrap();
    assert!(report.is_intact(), "{:?}", report.problems);
}

#[test]
fn a_killed_process_leaves_a_receipt_for_everything_it_sent() {
    let folder = tempfile::tempdir().unwrap();
    let mut random = Pcg64Mcg::new(0x5eed);
    let mut sent_in_all = 0;
    for round in 0..ROUNDS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child", "--nocapture"])
            .env(CHILD, folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut text = String::new();
        // The first lines are the test harness's own.
        for _ in 0..3 + random.next_u64() % LINES_MAX {
            output.read_line(&mut text).unwrap();
        }
        beside_a_writer(folder.path());
        child.kill().unwrap();
        child.wait().unwrap();
        output.read_to_string(&mut text).unwrap();
        // A line without an end was cut by the kill.
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let ids = |word: &str| -> Vec<u64> {
            let lines = whole.lines().filter_map(|line| line.strip_prefix(word));
            lines.map(|id| id.trim().parse().unwrap()).collect()
        };
        let (sent, done) = (ids("SENT "), ids("DONE "));

        let ledger = open(folder.path()).ledger();
        let report = ledger.verify().unwrap();
        assert!(report.is_intact(), "round {round}: {:?}", report.problems);
        for id in &sent {
            let receipt = ledger.show(ReceiptId(*id)).unwrap();
            let outcome = receipt.outcome.unwrap();
            match done.contains(id) {
                true => assert_eq!(outcome, Outcome::Answered, "round {round}, receipt {id}"),
                // Its end may have reached the disk before the child could say so.
                false => assert!(
                    matches!(outcome, Outcome::Interrupted | Outcome::Answered),
                    "round {round}, receipt {id}: {outcome:?}"
                ),
            }
        }
        sent_in_all += sent.len();
    }
    assert!(sent_in_all > 50, "{sent_in_all}");
}

//! Damaged databases: pages are overwritten, and what the others have is there again. What is lost is counted, the ledger names what it
//! misses, and the store goes on. `WHIMBREL_DAMAGES` sets how many databases are damaged.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::Rng;
use rusqlite::Connection;
use rusqlite::types::Value;
use support::kept::{append, cached, conversation, files, is_anywhere, question, request};
use support::{NOW_MS, answered_here, answered_in_the_cloud, intent, once_free, open, vault};
use tempfile::TempDir;
use whimbrel_record::{Problem, ReceiptId, Signal};
use whimbrel_store::{
    FileVault, KeyVault, MemoryVault, Prune, Recovered, Repaired, RowCounts, SealError, SecretBytes, Store, StoreError,
};

const DAMAGES: &str = "WHIMBREL_DAMAGES";
const DAMAGES_DEFAULT: u64 = 320;
const PAGE_BYTES: usize = 4096;
const SECRETS: [&str; 3] = ["whimbrel.ledger-key", "whimbrel.ledger-floor", "whimbrel.data-keys"];
const MARKER: &str = "PLANTED-";
/// The tables whose rows are counted, and their columns that recovery does not count again.
const TABLES: [(&str, &str); 6] = [
    ("conversation", "stable_id, title, attributes"),
    ("message", "conversation, position, state, body"),
    ("outbox", "conversation, idempotency, machine, request"),
    ("answer", "lookup, created_ms, value"),
    ("entry", "kind, receipt, time_ms, body, hash"),
    ("feedback", "receipt, time_ms, signal"),
];

fn damages() -> u64 {
    std::env::var(DAMAGES).map_or(DAMAGES_DEFAULT, |count| count.parse().unwrap())
}

fn dynamic(vault: &Arc<MemoryVault>) -> Arc<dyn KeyVault> {
    Arc::clone(vault) as Arc<dyn KeyVault>
}

/// A vault with the same secrets, because recovery changes what the vault knows of the ledger.
fn copy_of(vault: &MemoryVault) -> Arc<MemoryVault> {
    let copy = MemoryVault::new();
    for name in SECRETS {
        copy.put(name, &vault.get(name).unwrap().unwrap()).unwrap();
    }
    Arc::new(copy)
}

type Rows = BTreeMap<i64, Vec<Value>>;

fn rows(path: &Path) -> BTreeMap<&'static str, Rows> {
    let raw = Connection::open(path).unwrap();
    let read = |(table, columns): (&'static str, &str)| {
        let key = if table == "entry" { "sequence" } else { "id" };
        let mut statement = raw.prepare(&format!("SELECT {key}, {columns} FROM {table}")).unwrap();
        let width = statement.column_count();
        let rows = statement.query_map([], |row| {
            let values = (1..width).map(|at| row.get(at)).collect::<Result<_, _>>()?;
            Ok((row.get(0)?, values))
        });
        (table, rows.unwrap().collect::<Result<_, _>>().unwrap())
    };
    TABLES.into_iter().map(read).collect()
}

/// What a page is for.
#[derive(Clone, Debug)]
struct Use {
    tree: String,
    kind: String,
    cells: u32,
}

fn uses(path: &Path) -> BTreeMap<u32, Use> {
    let raw = Connection::open(path).unwrap();
    let mut statement = raw.prepare("SELECT pageno, name, pagetype, ncell FROM dbstat").unwrap();
    let found = statement.query_map([], |row| {
        Ok((
            row.get(0)?,
            Use {
                tree: row.get(1)?,
                kind: row.get(2)?,
                cells: row.get(3)?,
            },
        ))
    });
    found.unwrap().collect::<Result<_, _>>().unwrap()
}

/// A store with rows in every table, on many pages.
struct Sample {
    folder: TempDir,
    vault: Arc<MemoryVault>,
    rows: BTreeMap<&'static str, Rows>,
    uses: BTreeMap<u32, Use>,
    pages: u32,
}

impl Sample {
    fn new() -> Sample {
        let (folder, vault) = (tempfile::tempdir().unwrap(), vault());
        let path = folder.path().join("store.db");
        let store = open(&path, &vault);
        let conversations = store.conversations();
        let long = "and so on ".repeat(900);
        for number in 0..90u64 {
            let text = format!("{MARKER}{number} {}", if number % 7 == 0 { &long } else { "short" });
            let texts: Vec<&str> = (0..number % 9).map(|_| text.as_str()).collect();
            let id = conversation(&conversations, &format!("{MARKER}title-{number}"), &texts);
            if number % 3 == 0 {
                store.outbox().enqueue(&request(id, &text), NOW_MS).unwrap();
            }
            store
                .answers()
                .put(&cached(text.as_bytes(), text.as_bytes()), NOW_MS)
                .unwrap();
            store
                .ledger()
                .record(&intent(number), &answered_in_the_cloud(), NOW_MS + number)
                .unwrap();
            store
                .ledger()
                .feedback(ReceiptId(number + 1), Signal::ThumbsUp, NOW_MS)
                .unwrap();
        }
        // Pages without a use.
        for summary in conversations.list(None, 12).unwrap() {
            conversations.delete(summary.id).unwrap();
        }
        let newest = Prune {
            receipts_max: Some(70),
            ..Prune::default()
        };
        store.ledger().prune(&newest, NOW_MS + 1000).unwrap().unwrap();
        store.state_put("learned", b"two arms").unwrap();
        drop(store);
        let pages = (fs::metadata(&path).unwrap().len() / PAGE_BYTES as u64) as u32;
        Sample {
            rows: rows(&path),
            uses: uses(&path),
            folder,
            vault,
            pages,
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("store.db")
    }

    /// Pages are overwritten in a copy, which is recovered.
    fn check(&self, damaged: &BTreeSet<u32>, way: u64, seed: u64) -> Recovered {
        let mut random = Pcg64Mcg::new(u128::from(seed));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        let mut bytes = fs::read(self.path()).unwrap();
        for page in damaged {
            let other = (random.next_u64() % u64::from(self.pages)) as usize * PAGE_BYTES;
            let other = bytes[other..][..PAGE_BYTES].to_vec();
            let page = &mut bytes[(*page as usize - 1) * PAGE_BYTES..][..PAGE_BYTES];
            match way {
                0 => page.fill(0),
                1 | 2 => random.fill_bytes(page),
                3 => page.copy_from_slice(&other),
                _ => {
                    for _ in 0..1 + random.next_u64() % 40 {
                        page[(random.next_u64() % PAGE_BYTES as u64) as usize] ^= random.next_u64() as u8;
                    }
                }
            }
        }
        fs::write(&path, bytes).unwrap();
        let vault = copy_of(&self.vault);
        let (store, recovered) = match Store::recover(&path, dynamic(&vault), NOW_MS) {
            // A byte of the first page that names the owner or the version.
            Err(StoreError::Foreign { .. } | StoreError::NewerSchema { .. }) if way > 2 && damaged.contains(&1) => {
                return Recovered::default();
            }
            recovered => recovered.unwrap_or_else(|error| panic!("seed {seed}, {damaged:?}: {error:?}")),
        };
        self.check_rows(&store, &recovered, damaged, way, seed);
        let problems = store.ledger().verify().unwrap().problems;
        go_on(&store, seed);
        assert_eq!(store.ledger().verify().unwrap().problems, problems, "seed {seed}");
        drop(store);
        let store = once_free(|| Store::open(&path, dynamic(&vault), NOW_MS)).unwrap();
        assert_eq!(store.ledger().verify().unwrap().problems, problems, "seed {seed}");
        assert!(!is_anywhere(folder.path(), MARKER.as_bytes()), "seed {seed}");
        store.remove_aside().unwrap();
        drop(store);
        assert_eq!(files(folder.path()).len(), 2, "seed {seed}");
        recovered
    }

    fn check_rows(&self, store: &Store, recovered: &Recovered, damaged: &BTreeSet<u32>, way: u64, seed: u64) {
        let found = rows(store.path());
        let is_one_tree = {
            let trees: BTreeSet<_> = damaged
                .iter()
                .filter_map(|page| self.uses.get(page))
                .map(|page| &page.tree)
                .collect();
            trees.len() <= 1
        };
        // Where the checkpoint is lost, nothing tells pruned entries from missing ones.
        let pruned = match is_lost(&self.uses, damaged, "checkpoint") {
            true => self.rows["entry"].first_key_value().unwrap().0.cast_unsigned() - 1,
            false => 0,
        };
        let lost = recovered.lost;
        let lost = [
            lost.conversations,
            lost.messages,
            lost.requests,
            lost.answers,
            lost.entries.saturating_sub(pruned),
            lost.feedback,
        ];
        for ((table, _), lost) in TABLES.into_iter().zip(lost) {
            let what = format!("seed {seed}, way {way}, {table}, {recovered:?}");
            let missing = self.rows[table]
                .iter()
                .filter(|(row, values)| found[table].get(row) != Some(values))
                .count() as u64;
            if way > 2 {
                continue;
            }
            let most: u64 = damaged
                .iter()
                .filter_map(|page| self.uses.get(page))
                .filter(|page| page.tree == table)
                .map(|page| match page.kind.as_str() {
                    "leaf" => page.cells.into(),
                    "overflow" => 1,
                    _ => 0,
                })
                .sum();
            assert!(
                missing <= most,
                "{what}: {missing} rows are missing, but {most} were damaged"
            );
            assert!(lost <= missing, "{what}: {missing} are missing");
            assert!(!is_one_tree || lost == missing, "{what}: {missing} are missing");
        }
        let problems = store.ledger().verify().unwrap().problems;
        if way < 3 {
            let gaps = problems.iter().map(|problem| match problem {
                Problem::Missing { first, last } => last - first + 1,
                other => panic!("seed {seed}: {other}"),
            });
            assert_eq!(
                gaps.sum::<u64>(),
                recovered.lost.entries,
                "seed {seed}: {problems:?} {recovered:?}"
            );
        }
    }
}

fn is_lost(uses: &BTreeMap<u32, Use>, damaged: &BTreeSet<u32>, tree: &str) -> bool {
    damaged
        .iter()
        .any(|page| uses.get(page).is_some_and(|page| page.tree == tree))
}

/// The store reads all that it has, and writes.
fn go_on(store: &Store, seed: u64) {
    let raw = Connection::open(store.path()).unwrap();
    let sound: String = raw.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(sound, "ok", "seed {seed}");
    let conversations = store.conversations();
    for (place, summary) in conversations.list(None, 1000).unwrap().iter().enumerate() {
        let read = conversations.get(summary.id).unwrap();
        assert_eq!(read.messages.len(), summary.messages as usize, "seed {seed}");
        if place % 16 == 0 {
            append(&conversations, summary.id, &[question("more")], NOW_MS).unwrap();
        }
    }
    let mut search = conversations.search("so on").unwrap();
    while search.next_batch().unwrap().is_some() {}
    assert_eq!(search.unreadable(), 0, "seed {seed}");
    let queued = store.outbox().list(None, 1000).unwrap();
    let id = conversation(&conversations, "New", &["more"]);
    let new = store.outbox().enqueue(&request(id, "more"), NOW_MS).unwrap();
    assert!(
        new.id.0 > 30 && queued.iter().all(|queued| queued.id < new.id),
        "seed {seed}"
    );
    store.answers().put(&cached(b"new", b"more"), NOW_MS).unwrap();
    store.ledger().record(&intent(99), &answered_here(), NOW_MS).unwrap();
    store.rotate(50).unwrap();
    assert_eq!(store.repair().unwrap(), Repaired::default(), "seed {seed}");
}

#[test]
fn damaged_pages_cost_no_more_than_what_was_on_them() {
    let sample = Sample::new();
    let mut with_losses = 0;
    for seed in 0..damages() {
        let mut random = Pcg64Mcg::new(u128::from(seed));
        let count = if random.next_u64().is_multiple_of(2) {
            1
        } else {
            2 + random.next_u64() % 12
        };
        let damaged = (0..count)
            .map(|_| 1 + (random.next_u64() % u64::from(sample.pages)) as u32)
            .collect();
        let recovered = sample.check(&damaged, random.next_u64() % 5, seed);
        with_losses += u64::from(recovered.lost != RowCounts::default());
    }
    println!(
        "{with_losses} of {} databases of {} pages lost rows",
        damages(),
        sample.pages
    );
    if damages() >= DAMAGES_DEFAULT {
        assert!(with_losses > damages() / 4, "{with_losses}");
    }
}

/// A page of each kind of every table and index is overwritten, alone.
#[test]
fn every_kind_of_page_can_be_lost() {
    let sample = Sample::new();
    let kinds: BTreeSet<_> = sample.uses.values().map(|page| page.kind.as_str()).collect();
    assert_eq!(kinds, BTreeSet::from(["internal", "leaf", "overflow"]));
    let free = (1..=sample.pages).find(|page| !sample.uses.contains_key(page));
    let mut pages: BTreeMap<(&str, &str), u32> = BTreeMap::new();
    for (page, kept) in &sample.uses {
        pages.insert((&kept.tree, &kept.kind), *page);
    }
    pages.insert(("the first", ""), 1);
    pages.insert(("free", ""), free.unwrap());
    for ((tree, kind), page) in pages {
        let recovered = sample.check(&BTreeSet::from([page]), 1, u64::from(page));
        sample.check(&BTreeSet::from([page]), 4, u64::from(page));
        let costs = TABLES.iter().any(|(table, _)| *table == tree) && kind != "internal";
        assert_eq!(
            recovered.lost != RowCounts::default(),
            costs || tree == "checkpoint",
            "{tree}, {kind}: {recovered:?}"
        );
    }
}

/// The log is damaged at any place: the database is that of a moment before.
#[test]
fn a_damaged_log_gives_the_database_of_an_earlier_moment() {
    let (folder, vault) = (tempfile::tempdir().unwrap(), vault());
    let path = folder.path().join("store.db");
    let store = open(&path, &vault);
    let id = conversation(&store.conversations(), "Birds", &[]);
    for number in 0..40 {
        let text = format!("question {number}");
        append(&store.conversations(), id, &[question(&text)], NOW_MS).unwrap();
        store
            .ledger()
            .record(&intent(number), &answered_here(), NOW_MS)
            .unwrap();
    }
    let (bytes, log) = (
        fs::read(&path).unwrap(),
        fs::read(folder.path().join("store.db-wal")).unwrap(),
    );
    drop(store);
    let mut random = Pcg64Mcg::new(0x5eed);
    let mut lengths = BTreeSet::new();
    for round in 0..60 {
        let elsewhere = tempfile::tempdir().unwrap();
        let path = elsewhere.path().join("store.db");
        let mut log = log.clone();
        let at = (random.next_u64() % log.len() as u64) as usize;
        match round % 3 {
            0 => log[at] ^= 1,
            1 => log.truncate(at),
            _ => {
                let end = (at + 5000).min(log.len());
                random.fill_bytes(&mut log[at..end]);
            }
        }
        fs::write(&path, &bytes).unwrap();
        fs::write(elsewhere.path().join("store.db-wal"), log).unwrap();
        let (store, recovered) = Store::recover(&path, dynamic(&copy_of(&vault)), NOW_MS).unwrap();
        assert!(
            round % 3 == 1 || recovered.log_pages_lost > 0,
            "round {round}: {recovered:?}"
        );
        let read: Vec<_> = match store.conversations().get(id) {
            Ok(found) => found.messages.into_iter().map(|message| message.text).collect(),
            Err(StoreError::UnknownConversation { .. }) => Vec::new(),
            Err(error) => panic!("round {round}: {error:?}"),
        };
        let expected: Vec<_> = (0..read.len()).map(|number| format!("question {number}")).collect();
        assert_eq!(read, expected, "round {round}");
        lengths.insert(read.len());
        // The ledger misses what came later, and says so.
        let report = store.ledger().verify().unwrap();
        let missing: Vec<_> = match recovered.lost.entries {
            0 => Vec::new(),
            lost => vec![Problem::Missing {
                first: 81 - lost,
                last: 80,
            }],
        };
        assert_eq!(report.problems, missing, "round {round}: {recovered:?}");
    }
    assert!(lengths.len() > 10, "{lengths:?}");
}

/// Whatever a file has in the place of a database, recovery ends.
#[test]
fn hostile_files_end_in_a_store_or_an_error() {
    let sample = Sample::new();
    let whole = fs::read(sample.path()).unwrap();
    let mut random = Pcg64Mcg::new(0x5eed);
    for round in 0..60 {
        let mut bytes = match round % 3 {
            0 => whole[..random.next_u64() as usize % whole.len()].to_vec(),
            1 => vec![0; random.next_u64() as usize % 300_000],
            _ => whole.clone(),
        };
        // Pages that say to be of records, with pointers and sizes of any kind.
        for page in bytes.chunks_mut(PAGE_BYTES) {
            let choice = random.next_u64() % 4;
            if round > 2 && choice < 2 && page.len() == PAGE_BYTES {
                let from = if choice == 0 {
                    1
                } else {
                    8 + random.next_u64() as usize % 2000
                };
                random.fill_bytes(&mut page[from..]);
                page[0] = [2, 5, 10, 13][random.next_u64() as usize % 4];
            }
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        fs::write(&path, &bytes).unwrap();
        match Store::recover(&path, dynamic(&copy_of(&sample.vault)), NOW_MS) {
            Ok((store, _)) => go_on(&store, round),
            Err(StoreError::Foreign { .. } | StoreError::NewerSchema { .. }) => {
                assert_eq!(fs::read(&path).unwrap(), bytes);
            }
            Err(error) => panic!("round {round}: {error:?}"),
        }
    }
}

#[test]
fn what_is_no_damage_is_refused() {
    let sample = Sample::new();
    let check = |vault: Arc<MemoryVault>, is_expected: fn(&StoreError) -> bool| {
        let before = fs::read(sample.path()).unwrap();
        let error = Store::recover(&sample.path(), dynamic(&vault), NOW_MS).unwrap_err();
        assert!(is_expected(&error), "{error:?}");
        assert_eq!(fs::read(sample.path()).unwrap(), before);
        assert_eq!(files(sample.folder.path()).len(), 2);
    };
    let without = |name: &str| {
        let vault = copy_of(&sample.vault);
        vault.delete(name).unwrap();
        vault
    };
    check(without("whimbrel.data-keys"), |error| {
        matches!(error, StoreError::Sealed(SealError::KeyLost { version: 1 }))
    });
    check(without("whimbrel.ledger-key"), |error| {
        matches!(
            error,
            StoreError::Ledger {
                problem: Problem::ForeignSeal,
                ..
            }
        )
    });
    // The vault knows another entry in the place of one of these.
    let forked = copy_of(&sample.vault);
    let floor = forked.get("whimbrel.ledger-floor").unwrap().unwrap();
    let mut text = floor.expose().to_vec();
    let last = text.last_mut().unwrap();
    *last = if *last == b'0' { b'1' } else { b'0' };
    forked.put("whimbrel.ledger-floor", &SecretBytes::new(text)).unwrap();
    check(forked, |error| {
        matches!(
            error,
            StoreError::Ledger {
                problem: Problem::Forked { .. },
                ..
            }
        )
    });
    let open = Store::open(&sample.path(), dynamic(&sample.vault), NOW_MS).unwrap();
    let error = Store::recover(&sample.path(), dynamic(&sample.vault), NOW_MS).unwrap_err();
    assert!(matches!(error, StoreError::InUse { .. }));
    drop(open);
    let absent = sample.folder.path().join("absent.db");
    let error = Store::recover(&absent, dynamic(&sample.vault), NOW_MS).unwrap_err();
    assert!(matches!(error, StoreError::Absent { .. }));
}

/// Tells this program that it is the child, and where it works.
const CHILD: &str = "WHIMBREL_RECOVERING_CHILD";

#[test]
fn child() {
    let Ok(folder) = std::env::var(CHILD) else {
        return;
    };
    println!("READY");
    recover_in(Path::new(&folder)).unwrap();
}

fn file_vault(folder: &Path) -> Arc<dyn KeyVault> {
    Arc::new(FileVault::open(&folder.join("vault")).unwrap())
}

fn recover_in(folder: &Path) -> Result<(Store, Recovered), StoreError> {
    once_free(|| Store::recover(&folder.join("store.db"), file_vault(folder), NOW_MS))
}

/// A process is killed while it recovers: the next one finds the old database or the new one.
#[test]
fn a_recovery_is_whole_or_has_not_begun() {
    let sample = Sample::new();
    let mut bytes = fs::read(sample.path()).unwrap();
    bytes[..PAGE_BYTES].fill(7);
    let mut random = Pcg64Mcg::new(0x5eed);
    let (mut old, mut new) = (0, 0);
    for round in 0..30 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        fs::write(&path, &bytes).unwrap();
        let vault = file_vault(folder.path());
        for name in SECRETS {
            vault.put(name, &sample.vault.get(name).unwrap().unwrap()).unwrap();
        }
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child", "--nocapture"])
            .env(CHILD, folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        while !line.contains("READY") {
            line.clear();
            output.read_line(&mut line).unwrap();
        }
        // Turns of a loop take about as long as a recovery.
        let turns = random.next_u64() % 300_000_000;
        std::hint::black_box((0..turns).fold(0u64, |sum, turn| std::hint::black_box(sum ^ turn)));
        child.kill().unwrap();
        child.wait().unwrap();
        let store = match once_free(|| Store::open(&path, file_vault(folder.path()), NOW_MS)) {
            Ok(store) => {
                new += 1;
                store
            }
            Err(StoreError::Damaged { .. }) => {
                old += 1;
                assert_eq!(fs::read(&path).unwrap(), bytes, "round {round}");
                recover_in(folder.path()).unwrap().0
            }
            Err(error) => panic!("round {round}: {error:?}"),
        };
        assert_eq!(rows(&path), sample.rows, "round {round}");
        assert!(store.ledger().verify().unwrap().is_intact(), "round {round}");
        drop(store);
        let aside = files(folder.path())
            .iter()
            .filter(|path| path.to_str().unwrap().contains(".aside-"))
            .count();
        assert_eq!(aside, 1, "round {round}");
        Store::wipe(&path, &*file_vault(folder.path())).unwrap();
        assert_eq!(files(folder.path()).len(), 1, "round {round}");
    }
    println!("{old} found the old database, {new} the new one");
}

/// Each moment between the steps of a recovery, as the files show it.
#[test]
fn a_recovery_that_was_interrupted_is_finished() {
    let sample = Sample::new();
    let beside = |folder: &Path, suffix: &str| folder.join(format!("store.db{suffix}"));
    let whole = fs::read(sample.path()).unwrap();
    for moment in 0..3 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        match moment {
            // The new database is half written.
            0 => {
                fs::write(&path, [7; 9000]).unwrap();
                fs::write(beside(folder.path(), ".rebuilding"), &whole[..50_000]).unwrap();
                fs::write(beside(folder.path(), ".rebuilding-wal"), [7; 9000]).unwrap();
            }
            // It is written, and the old one is still in its place.
            1 => {
                fs::write(&path, [7; 9000]).unwrap();
                fs::write(beside(folder.path(), "-wal"), [7; 9000]).unwrap();
                fs::write(beside(folder.path(), ".rebuilt"), &whole).unwrap();
            }
            // The old one is put aside.
            _ => {
                fs::write(beside(folder.path(), ".aside-1"), [7; 9000]).unwrap();
                fs::write(beside(folder.path(), ".rebuilt"), &whole).unwrap();
            }
        }
        let wiped = tempfile::tempdir().unwrap();
        for file in files(folder.path()) {
            fs::copy(&file, wiped.path().join(file.file_name().unwrap())).unwrap();
        }
        Store::wipe(&wiped.path().join("store.db"), &*copy_of(&sample.vault)).unwrap();
        assert_eq!(files(wiped.path()).len(), 1, "moment {moment}");

        let opened = once_free(|| Store::open(&path, dynamic(&copy_of(&sample.vault)), NOW_MS));
        if moment == 0 {
            assert!(matches!(opened, Err(StoreError::Damaged { .. })), "{opened:?}");
            let recovered = once_free(|| Store::recover(&path, dynamic(&copy_of(&sample.vault)), NOW_MS));
            let (store, recovered) = recovered.unwrap();
            assert_eq!(recovered.kept, RowCounts::default());
            drop(store);
            assert!(!beside(folder.path(), ".rebuilding").exists());
            continue;
        }
        drop(opened.unwrap());
        assert_eq!(rows(&path), sample.rows, "moment {moment}");
        assert!(!beside(folder.path(), ".rebuilt").exists());
        assert_eq!(fs::read(beside(folder.path(), ".aside-1")).unwrap(), [7; 9000]);
    }
}

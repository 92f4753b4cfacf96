//! Whatever is done to a stored ledger shows: every changed byte, every missing, moved or added entry, a cut tail, a chain that was
//! written anew, and an older copy. What was done is named, with its place.
#![allow(clippy::unwrap_used)]

mod support;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::types::Value;
use rusqlite::{Connection, ErrorCode};
use support::{NOW_MS, answered_here, answered_in_the_cloud, intent, open, vault};
use tempfile::TempDir;
use whimbrel_record::{Closing, ENTRY_DOMAIN, LedgerReport, Outcome, Problem};
use whimbrel_store::{KeyVault, Ledger, MemoryVault, Prune, SecretBytes, Store, StoreError};

/// A ledger with a checkpoint behind two receipts: entry 5 is the mark of the pruning, 6 to 13 are four receipts.
struct Case {
    folder: TempDir,
    vault: Arc<MemoryVault>,
}

/// The first entry behind the checkpoint, and the last.
const FIRST: u64 = 5;
const LAST: u64 = 13;

impl Case {
    fn new() -> Case {
        let case = Case {
            folder: tempfile::tempdir().unwrap(),
            vault: vault(),
        };
        let ledger = open(&case.path(), &case.vault).ledger();
        ledger.record(&intent(1), &answered_here(), NOW_MS).unwrap();
        ledger.record(&intent(2), &answered_in_the_cloud(), NOW_MS).unwrap();
        let all = Prune {
            receipts_max: Some(0),
            ..Prune::default()
        };
        ledger.prune(&all, NOW_MS + 1).unwrap().unwrap();
        let closings = [
            answered_here(),
            answered_in_the_cloud(),
            Closing::new(Outcome::Denied),
            Closing::new(Outcome::Failed),
        ];
        for (number, closing) in (3..).zip(closings) {
            ledger.record(&intent(number), &closing, NOW_MS + number).unwrap();
        }
        case
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("store.db")
    }

    fn raw(&self) -> Connection {
        let connection = Connection::open(self.path()).unwrap();
        connection.pragma_update(None, "synchronous", "OFF").unwrap();
        connection
    }

    fn inspect(&self) -> Ledger {
        inspect(&self.path(), &self.vault)
    }
}

fn inspect(path: &Path, vault: &Arc<MemoryVault>) -> Ledger {
    let vault = Arc::clone(vault) as Arc<dyn KeyVault>;
    Store::inspect(path, vault).unwrap().ledger()
}

fn problems(ledger: &Ledger) -> Vec<Problem> {
    let report: LedgerReport = ledger.verify().unwrap();
    assert_eq!(report.is_intact(), report.problems.is_empty());
    report.problems
}

/// The stored value with one byte changed in some way, for every byte and a number of ways.
fn changed(value: &Value) -> Vec<Value> {
    let bytes = match value {
        Value::Integer(number) => number.to_le_bytes().to_vec(),
        Value::Text(text) => text.clone().into_bytes(),
        Value::Blob(bytes) => bytes.clone(),
        other => panic!("{other:?} is never stored"),
    };
    let masks = [1u8, 32, 255];
    let mut all = Vec::new();
    for at in 0..bytes.len() {
        for mask in masks {
            let mut bytes = bytes.clone();
            bytes[at] ^= mask;
            all.push(match value {
                Value::Integer(_) => Value::Integer(i64::from_le_bytes(bytes.try_into().unwrap())),
                // As bytes: it need not be text any more, and is cast below.
                _ => Value::Blob(bytes),
            });
        }
    }
    all
}

/// Changes every byte of one column of every row, one at a time, and looks what verification says.
fn check_column(case: &Case, table: &str, column: &str, key: &str, expect: impl Fn(i64, &[Problem]) -> bool) -> u64 {
    let (raw, ledger) = (case.raw(), case.inspect());
    let rows: Vec<(i64, Value)> = raw
        .prepare(&format!("SELECT {key}, {column} FROM {table}"))
        .unwrap()
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    assert!(!rows.is_empty(), "{table}.{column}");
    let mut checked = 0;
    for (row, original) in rows {
        let cast = match original {
            Value::Text(_) => "CAST(?1 AS TEXT)",
            _ => "?1",
        };
        for value in changed(&original) {
            let set = format!("UPDATE {table} SET {column} = {cast} WHERE {key} = ?2");
            match raw.execute(&set, (&value, row)) {
                Ok(1) => {}
                // Two entries of a kind for one receipt, two with one number: the database itself refuses.
                Err(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => continue,
                other => panic!("{table}.{column}: {other:?}"),
            }
            let found = problems(&ledger);
            assert!(expect(row, &found), "{table}.{column} of {row} as {value:?}: {found:?}");
            checked += 1;
            // The row may have another key now.
            let back = match (column == key, &value) {
                (true, Value::Integer(now)) => *now,
                _ => row,
            };
            let set = format!("UPDATE {table} SET {column} = ?1 WHERE {key} = ?2");
            assert_eq!(raw.execute(&set, (&original, back)).unwrap(), 1);
        }
    }
    assert_eq!(problems(&ledger), []);
    checked
}

#[test]
fn every_changed_byte_of_an_entry_is_found() {
    let case = Case::new();
    assert_eq!(problems(&case.inspect()), []);
    let mut checked = 0;
    for column in ["kind", "receipt", "time_ms", "outcome", "place", "format", "body"] {
        checked += check_column(&case, "entry", column, "sequence", |row, found| {
            found
                == [Problem::Changed {
                    sequence: row.cast_unsigned(),
                }]
        });
    }
    checked += check_column(&case, "entry", "hash", "sequence", |row, found| {
        found
            == [Problem::HashChanged {
                sequence: row.cast_unsigned(),
            }]
    });
    checked += check_column(&case, "entry", "sequence", "sequence", |_, found| !found.is_empty());
    assert!(checked > 7000, "{checked}");
}

#[test]
fn every_changed_byte_of_the_ends_is_found() {
    let case = Case::new();
    for column in ["sequence", "receipts", "hash", "key_id", "seal"] {
        check_column(&case, "head", column, "id", |_, found| {
            found.contains(&Problem::HeadChanged)
        });
    }
    for column in ["content", "seal"] {
        check_column(&case, "checkpoint", column, "id", |_, found| {
            found.contains(&Problem::CheckpointChanged)
        });
    }
}

#[test]
fn entries_that_are_gone_moved_or_added_are_named() {
    let check = |what: &str, sql: &str, expected: &[Problem], opens: bool| {
        let case = Case::new();
        case.raw().execute_batch(sql).unwrap();
        assert_eq!(problems(&case.inspect()), expected, "{what}");
        let vault = Arc::clone(&case.vault) as Arc<dyn KeyVault>;
        match Store::open(&case.path(), vault, NOW_MS) {
            // Opening looks at the end only.
            Ok(store) => {
                assert!(opens, "{what}");
                assert_eq!(problems(&store.ledger()), expected, "{what}, opened");
            }
            Err(StoreError::Ledger { problem, .. }) => {
                assert!(!opens && expected.contains(&problem), "{what}: {problem}")
            }
            Err(error) => panic!("{what}: {error}"),
        }
    };
    let missing = |first, last| Problem::Missing { first, last };
    let moved = |sequence, found_at| Problem::Moved { sequence, found_at };
    let cut = |found| Problem::TailCut { found, sealed: LAST };
    check(
        "the first",
        "DELETE FROM entry WHERE sequence = 5",
        &[missing(FIRST, FIRST)],
        true,
    );
    check("one", "DELETE FROM entry WHERE sequence = 8", &[missing(8, 8)], true);
    check(
        "three",
        "DELETE FROM entry WHERE sequence IN (7, 8, 10)",
        &[missing(7, 8), missing(10, 10)],
        true,
    );
    check("the last", "DELETE FROM entry WHERE sequence = 13", &[cut(12)], false);
    check("the tail", "DELETE FROM entry WHERE sequence > 9", &[cut(9)], false);
    check("all", "DELETE FROM entry", &[cut(4)], false);
    // Behind the checkpoint's back the first receipts are missing.
    check("checkpoint", "DELETE FROM checkpoint", &[missing(1, 4)], true);
    check("head", "DELETE FROM head", &[Problem::HeadChanged], false);
    let swap = |one: u64, other: u64| {
        format!(
            "DROP INDEX entry_receipt;
             UPDATE entry SET sequence = 999 WHERE sequence = {one};
             UPDATE entry SET sequence = {one} WHERE sequence = {other};
             UPDATE entry SET sequence = {other} WHERE sequence = 999;
             CREATE UNIQUE INDEX entry_receipt ON entry (receipt, kind) WHERE receipt > 0;"
        )
    };
    check("neighbours", &swap(7, 8), &[moved(7, 8), moved(8, 7)], true);
    check("a pair", &swap(6, 11), &[moved(6, 11), moved(11, 6)], true);
    check("the two last", &swap(12, 13), &[moved(12, 13), moved(13, 12)], false);
    let renumbered = "DELETE FROM entry WHERE sequence = 7;
        UPDATE entry SET sequence = -sequence WHERE sequence > 7;
        UPDATE entry SET sequence = -sequence - 1 WHERE sequence < 0;";
    let case = Case::new();
    case.raw().execute_batch(renumbered).unwrap();
    let found = problems(&case.inspect());
    assert_eq!(found.first(), Some(&Problem::Changed { sequence: 7 }), "{found:?}");
    assert_eq!(found.last(), Some(&cut(12)), "{found:?}");
    let copied = |sequence: u64| {
        format!(
            "INSERT INTO entry SELECT {sequence}, kind, 77, time_ms, outcome, place, format, body, hash FROM entry WHERE sequence = 13"
        )
    };
    let added = |sequence| Problem::Unsealed {
        first: sequence,
        last: sequence,
    };
    check("added behind", &copied(14), &[added(14)], false);
    check("added far behind", &copied(900), &[added(900)], false);
    check("added before", &copied(2), &[added(2)], true);
}

/// The chain hash as `docs/ledger.md` has it, written a second time.
fn chain_hash(raw: &Connection, sequence: u64, previous: &str) -> blake3::Hash {
    let text: String = raw
        .query_row(
            "SELECT ?1 || char(10) || sequence || char(10) || kind || char(10) || receipt || char(10) || time_ms || char(10)
                || outcome || char(10) || place || char(10) || format || char(10) || ?2 || char(10) || body
             FROM entry WHERE sequence = ?3",
            (ENTRY_DOMAIN, previous, sequence.cast_signed()),
            |row| row.get(0),
        )
        .unwrap();
    blake3::hash(text.as_bytes())
}

/// Somebody without the key writes the rest of the chain anew, so that it holds in itself.
#[test]
fn a_chain_that_is_written_anew_has_no_seal() {
    let case = Case::new();
    let raw = case.raw();
    raw.execute(
        "UPDATE entry SET body = replace(body, 'cloud-eu', 'cloud-us') WHERE sequence = 9",
        [],
    )
    .unwrap();
    let previous: Vec<u8> = raw
        .query_row("SELECT hash FROM entry WHERE sequence = 8", [], |row| row.get(0))
        .unwrap();
    let mut previous = blake3::Hash::from_slice(&previous).unwrap();
    for sequence in 9..=LAST {
        previous = chain_hash(&raw, sequence, previous.to_hex().as_str());
        raw.execute(
            "UPDATE entry SET hash = ?1 WHERE sequence = ?2",
            (previous.as_bytes(), sequence.cast_signed()),
        )
        .unwrap();
    }
    assert_eq!(problems(&case.inspect()), [Problem::Rewritten { sequence: LAST }]);
    raw.execute("UPDATE head SET hash = ?1", [previous.as_bytes()]).unwrap();
    assert_eq!(problems(&case.inspect()), [Problem::HeadChanged]);
}

fn copy_of(vault: &MemoryVault) -> Arc<MemoryVault> {
    let copy = MemoryVault::new();
    for name in ["whimbrel.ledger-key", "whimbrel.ledger-floor"] {
        copy.put(name, &vault.get(name).unwrap().unwrap()).unwrap();
    }
    Arc::new(copy)
}

/// Every earlier state of the ledger is kept as a copy and put back in the end.
#[test]
fn an_older_copy_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let (path, vault) = (folder.path().join("store.db"), vault());
    let copy = |number: u64| folder.path().join(format!("copy-{number}.db"));
    for number in 1..=5u64 {
        let ledger = open(&path, &vault).ledger();
        ledger.begin(&intent(number), NOW_MS).unwrap();
        drop(ledger);
        std::fs::copy(&path, copy(number)).unwrap();
    }
    assert_eq!(problems(&inspect(&path, &vault)), []);
    for number in 1..=4u64 {
        std::fs::copy(copy(number), &path).unwrap();
        // Each opening but the first closed the interrupted receipt before it.
        let rolled_back = Problem::RolledBack {
            found: number * 2 - 1,
            floor: 9,
        };
        assert_eq!(problems(&inspect(&path, &vault)), std::slice::from_ref(&rolled_back));
        let refused = Store::open(&path, Arc::clone(&vault) as Arc<dyn KeyVault>, NOW_MS);
        assert!(matches!(refused, Err(StoreError::Ledger { problem, .. }) if problem == rolled_back));
    }
    std::fs::remove_file(&path).unwrap();
    let refused = Store::open(&path, Arc::clone(&vault) as Arc<dyn KeyVault>, NOW_MS);
    let gone = Problem::RolledBack { found: 0, floor: 9 };
    assert!(matches!(refused, Err(StoreError::Ledger { problem, .. }) if problem == gone));
    assert!(!path.exists());
    std::fs::copy(copy(5), &path).unwrap();
    assert_eq!(problems(&open(&path, &vault).ledger()), []);
}

/// A copy that went on by itself with the same key is told from the ledger that the vault knows.
#[test]
fn a_copy_that_went_on_is_found() {
    let case = Case::new();
    let other = case.folder.path().join("other.db");
    std::fs::copy(case.path(), &other).unwrap();
    let other_vault = copy_of(&case.vault);
    open(&case.path(), &case.vault)
        .ledger()
        .begin(&intent(20), NOW_MS)
        .unwrap();
    let went_on = open(&other, &other_vault).ledger();
    for number in 30..35 {
        went_on.begin(&intent(number), NOW_MS).unwrap();
    }
    drop(went_on);
    assert_eq!(problems(&inspect(&other, &other_vault)), []);
    let forked = Problem::Forked { sequence: LAST + 1 };
    assert_eq!(problems(&inspect(&other, &case.vault)), std::slice::from_ref(&forked));
    let refused = Store::open(&other, Arc::clone(&case.vault) as Arc<dyn KeyVault>, NOW_MS);
    assert!(matches!(refused, Err(StoreError::Ledger { problem, .. }) if problem == forked));
}

#[test]
fn another_devices_ledger_is_foreign() {
    let case = Case::new();
    for secret in [None, Some(vec![8; 32])] {
        let stranger = Arc::new(MemoryVault::new());
        if let Some(secret) = secret {
            stranger.put("whimbrel.ledger-key", &SecretBytes::new(secret)).unwrap();
        }
        assert_eq!(problems(&inspect(&case.path(), &stranger)), [Problem::ForeignSeal]);
        let before = std::fs::read(case.path()).unwrap();
        let refused = Store::open(&case.path(), Arc::clone(&stranger) as Arc<dyn KeyVault>, NOW_MS);
        assert!(matches!(
            refused,
            Err(StoreError::Ledger {
                problem: Problem::ForeignSeal,
                ..
            })
        ));
        assert!(std::fs::read(case.path()).unwrap() == before);

        // A device whose vault was emptied, or that was restored from another's backup, goes on with a ledger of its own.
        let copy = case.folder.path().join("restored.db");
        std::fs::copy(case.path(), &copy).unwrap();
        let (store, aside) = Store::restart(&copy, Arc::clone(&stranger) as Arc<dyn KeyVault>, NOW_MS).unwrap();
        assert!(std::fs::read(aside.unwrap()).unwrap() == before);
        let report = store.ledger().verify().unwrap();
        assert!(report.is_intact(), "{report:?}");
        assert!(
            report
                .checkpoint
                .is_some_and(|checkpoint| checkpoint.lost && checkpoint.sequence == 0)
        );
        store.ledger().begin(&intent(1), NOW_MS).unwrap();
        drop(store);
        assert_eq!(problems(&open(&copy, &stranger).ledger()), []);
    }
}

/// An index that leaves rows out would hide receipts from lists although the chain holds.
#[test]
fn an_index_that_hides_a_receipt_is_found() {
    let hide = "DROP INDEX entry_receipt;
        CREATE UNIQUE INDEX entry_receipt ON entry (receipt, kind) WHERE receipt > 4;
        PRAGMA writable_schema = ON;
        UPDATE sqlite_schema SET sql = replace(sql, 'receipt > 4', 'receipt > 0') WHERE name = 'entry_receipt';
        PRAGMA writable_schema = RESET;";
    let case = Case::new();
    case.raw().execute_batch(hide).unwrap();
    let ledger = case.inspect();
    assert_eq!(ledger.list(&whimbrel_store::Filter::default(), 10).unwrap().len(), 2);
    assert_eq!(problems(&ledger), [Problem::Structure]);

    let case = Case::new();
    case.raw().execute_batch("DROP INDEX entry_receipt").unwrap();
    let refused = Store::inspect(&case.path(), Arc::clone(&case.vault) as Arc<dyn KeyVault>);
    assert!(matches!(refused, Err(StoreError::SchemaChanged { version: 3, .. })));
}

/// Bytes of the file itself, changed all over it: reading fails, or verification finds it, or every receipt reads as before.
#[test]
fn a_changed_byte_of_the_file_never_changes_a_receipt_silently() {
    let case = Case::new();
    let intact = std::fs::read(case.path()).unwrap();
    let expected = case.inspect().list(&whimbrel_store::Filter::default(), 100).unwrap();
    let path = case.folder.path().join("changed.db");
    let (mut found, mut harmless) = (0u32, 0u32);
    for at in (0..intact.len()).step_by(37) {
        let mut bytes = intact.clone();
        bytes[at] ^= 0x55;
        std::fs::write(&path, &bytes).unwrap();
        let opened = Store::inspect(&path, Arc::clone(&case.vault) as Arc<dyn KeyVault>);
        let same = opened.and_then(|store| {
            let ledger = store.ledger();
            let report = ledger.verify()?;
            let receipts = ledger.list(&whimbrel_store::Filter::default(), 100)?;
            Ok(report.is_intact().then_some(receipts))
        });
        match same {
            Ok(Some(receipts)) => {
                assert_eq!(receipts, expected, "byte {at}");
                harmless += 1;
            }
            Ok(None) | Err(_) => found += 1,
        }
    }
    assert!(found > 50 && harmless > 50, "{found} found, {harmless} in free space");
}

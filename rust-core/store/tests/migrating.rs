//! A database that an earlier version wrote, as it is on people's phones: migrated, its ledger is whole and every receipt is there.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::Connection;
use support::kept::{conversation, files};
use support::{NOW_MS, answered_here, answered_in_the_cloud, intent, open, vault};
use whimbrel_record::{Outcome, ReceiptId, Signal};
use whimbrel_store::{Filter, KeyVault, SCHEMA_VERSION, SecretBytes, Store, StoreError};

/// A copy of a database of schema 2: 40 receipts, of which the 10 that began at a place and never ended are open, feedback, and state.
fn shipped(folder: &Path) -> PathBuf {
    let path = folder.join("store.db");
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/schema-2.db");
    fs::copy(shipped, &path).unwrap();
    path
}

#[test]
fn a_shipped_database_keeps_its_ledger_and_every_receipt() {
    let folder = tempfile::tempdir().unwrap();
    let path = shipped(folder.path());
    let vault = vault();
    // The floor of a phone that has this ledger: the head as it was.
    let raw = Connection::open(&path).unwrap();
    let head: (i64, Vec<u8>) = raw
        .query_row("SELECT sequence, hash FROM head", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .unwrap();
    let bodies = |connection: &Connection| -> Vec<(i64, String, Vec<u8>)> {
        let mut statement = connection
            .prepare("SELECT sequence, body, hash FROM entry ORDER BY sequence LIMIT 70")
            .unwrap();
        let rows = statement
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .unwrap();
        rows.collect::<Result<_, _>>().unwrap()
    };
    let before = bodies(&raw);
    drop(raw);
    assert_eq!((head.0, before.len()), (70, 70));

    let store = open(&path, &vault);
    let ledger = store.ledger();
    let report = ledger.verify().unwrap();
    assert!(report.is_intact(), "{report:?}");
    assert_eq!((report.receipts, report.last_sequence), (40, 80));
    let receipts = ledger.list(&Filter::default(), 100).unwrap();
    assert_eq!(receipts.len(), 40);
    for receipt in &receipts {
        let number = receipt.id.0;
        assert_eq!(receipt.intent, intent(number));
        let expected = [
            Outcome::Denied,
            Outcome::Answered,
            Outcome::Answered,
            Outcome::Interrupted,
        ];
        assert_eq!(receipt.outcome, Some(expected[(number % 4) as usize]), "{number}");
        match number % 4 {
            1 => assert_eq!(receipt.closing, Some(answered_here())),
            2 => assert_eq!(receipt.closing, Some(answered_in_the_cloud())),
            _ => {}
        }
    }
    assert_eq!(receipts[38].feedback.len(), 1);
    assert_eq!(receipts[38].feedback[0].signal, Signal::ThumbsUp);
    assert_eq!(store.state_get("learned").unwrap().unwrap(), b"two arms");
    assert_eq!(bodies(&Connection::open(&path).unwrap()), before);

    // What is new can be used at once, and the ledger goes on.
    let id = conversation(&store.conversations(), "Birds", &["Which bird?"]);
    assert_eq!(
        ledger.record(&intent(41), &answered_here(), NOW_MS).unwrap(),
        ReceiptId(41)
    );
    drop((store, ledger));
    let store = open(&path, &vault);
    assert_eq!(store.conversations().get(id).unwrap().messages.len(), 1);
    assert!(store.ledger().verify().unwrap().is_intact());
}

#[test]
fn a_newer_schema_is_refused_and_nothing_is_touched() {
    let folder = tempfile::tempdir().unwrap();
    let vault = vault();
    let path = folder.path().join("store.db");
    let store = open(&path, &vault);
    conversation(&store.conversations(), "Birds", &["Which bird?"]);
    store.files("prefix").unwrap().put("cache", b"cache").unwrap();
    drop(store);
    Connection::open(&path)
        .unwrap()
        .execute_batch(&format!(
            "PRAGMA user_version = {}; CREATE TABLE newer (id INTEGER PRIMARY KEY)",
            SCHEMA_VERSION + 1
        ))
        .unwrap();
    let contents = || -> Vec<_> {
        let mut files = files(folder.path());
        files.sort();
        files
            .iter()
            .map(|path| (path.clone(), fs::read(path).unwrap()))
            .collect()
    };
    let secret = |name: &str| {
        vault
            .get(name)
            .unwrap()
            .map(|secret: SecretBytes| secret.expose().to_vec())
    };
    let before = (
        contents(),
        secret("whimbrel.data-keys"),
        secret("whimbrel.ledger-floor"),
    );
    let dynamic = || Arc::clone(&vault) as Arc<dyn KeyVault>;
    for _ in 0..2 {
        let refused = [
            Store::open(&path, dynamic(), NOW_MS).map(drop),
            Store::inspect(&path, dynamic()).map(drop),
            Store::start_empty(&path, dynamic(), NOW_MS).map(drop),
        ];
        for result in refused {
            assert!(matches!(result, Err(StoreError::NewerSchema { .. })), "{result:?}");
        }
    }
    let after = (
        contents(),
        secret("whimbrel.data-keys"),
        secret("whimbrel.ledger-floor"),
    );
    assert!(before == after);
}

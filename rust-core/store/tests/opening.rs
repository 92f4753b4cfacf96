//! Opening a store: what is refused and left as it is, what is migrated, what is kept aside, and what happens when the disk is full.
#![allow(clippy::unwrap_used)]

mod support;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::Connection;
use support::{NOW_MS, answered_here, answered_in_the_cloud, intent, open, vault};
use whimbrel_record::{Outcome, Problem, ReceiptId, RecordError, Signal};
use whimbrel_store::{
    Filter, KeyVault, MemoryVault, Prune, SCHEMA_VERSION, STATE_BYTES_MAX, SecretBytes, Store, StoreError, VaultError,
    VaultLevel,
};

fn try_open(path: &Path, vault: &Arc<MemoryVault>) -> Result<Store, StoreError> {
    Store::open(path, Arc::clone(vault) as Arc<dyn KeyVault>, NOW_MS)
}

fn written(folder: &Path) -> (PathBuf, Arc<MemoryVault>) {
    let (path, vault) = (folder.join("store.db"), vault());
    let store = open(&path, &vault);
    store
        .ledger()
        .record(&intent(1), &answered_in_the_cloud(), NOW_MS)
        .unwrap();
    store.state_put("learned", b"two arms").unwrap();
    (path, vault)
}

#[test]
fn one_process_writes_and_others_read() {
    let folder = tempfile::tempdir().unwrap();
    let (path, vault) = written(folder.path());
    let store = open(&path, &vault);
    assert!(matches!(try_open(&path, &vault), Err(StoreError::InUse { .. })));
    assert!(matches!(
        Store::restart(&path, Arc::clone(&vault) as Arc<dyn KeyVault>, NOW_MS),
        Err(StoreError::InUse { .. })
    ));
    let reader = Store::inspect(&path, Arc::clone(&vault) as Arc<dyn KeyVault>).unwrap();
    let id = store.ledger().begin(&intent(2), NOW_MS).unwrap();
    assert_eq!(reader.ledger().show(id).unwrap().outcome, None);
    assert!(reader.ledger().verify().unwrap().is_intact());
    assert_eq!(reader.state_get("learned").unwrap().unwrap(), b"two arms");
    let refused = [
        reader.ledger().begin(&intent(3), NOW_MS).map(|_| ()),
        reader.ledger().finish(id, &answered_here(), NOW_MS),
        reader.ledger().prune(&Prune::default(), NOW_MS).map(|_| ()),
        reader.ledger().feedback(id, Signal::ThumbsUp, NOW_MS),
        reader.state_put("learned", b"else"),
    ];
    for result in refused {
        assert!(matches!(result, Err(StoreError::ReadOnly)), "{result:?}");
    }
    // A handle of the ledger keeps the store open.
    let ledger = store.ledger();
    drop(store);
    assert!(matches!(try_open(&path, &vault), Err(StoreError::InUse { .. })));
    drop(ledger);
    try_open(&path, &vault).unwrap();
}

#[test]
fn what_is_no_store_is_refused_and_left_alone() {
    let check = |what: &str, spoil: &dyn Fn(&Path), expected: &dyn Fn(&StoreError) -> bool| {
        let folder = tempfile::tempdir().unwrap();
        let (path, vault) = written(folder.path());
        spoil(&path);
        let before = std::fs::read(&path).unwrap();
        let error = try_open(&path, &vault).unwrap_err();
        assert!(expected(&error), "{what}: {error:?}");
        assert!(error.to_string().contains("store.db"), "{what}: {error}");
        assert!(std::fs::read(&path).unwrap() == before, "{what}");
        // Only on demand does another ledger begin, and the old file is kept.
        let vault = vault as Arc<dyn KeyVault>;
        let (store, aside) = Store::restart(&path, Arc::clone(&vault), NOW_MS + 9).unwrap();
        assert!(std::fs::read(aside.unwrap()).unwrap() == before, "{what}");
        let report = store.ledger().verify().unwrap();
        assert!(report.is_intact(), "{what}: {report:?}");
        let checkpoint = report.checkpoint.unwrap();
        assert!(checkpoint.lost, "{what}");
        assert_eq!((checkpoint.sequence, checkpoint.receipts), (2, 1), "{what}");
        // The numbers go on where the lost ledger ended.
        assert_eq!(store.ledger().begin(&intent(2), NOW_MS).unwrap(), ReceiptId(2));
        drop(store);
        let store = Store::open(&path, vault, NOW_MS).unwrap();
        assert_eq!(store.state_get("learned").unwrap(), None);
    };
    let sql = |text: &'static str| move |path: &Path| Connection::open(path).unwrap().execute_batch(text).unwrap();
    let bytes = |bytes: Vec<u8>| move |path: &Path| std::fs::write(path, &bytes).unwrap();
    let damaged = |error: &StoreError| matches!(error, StoreError::Damaged { .. });
    check("garbage", &bytes(b"no database at all".repeat(500)), &damaged);
    check("cut", &|path| cut(path, 3 * 4096 + 100), &damaged);
    check("zeroed pages", &|path| overwrite(path, 4096, 0), &damaged);
    check("foreign", &sql("PRAGMA application_id = 1"), &|error| {
        matches!(error, StoreError::Foreign { .. })
    });
    check("newer", &sql("PRAGMA user_version = 4"), &|error| {
        matches!(
            error,
            StoreError::NewerSchema {
                found: 4,
                supported: 3,
                ..
            }
        )
    });
    let changed = |error: &StoreError| matches!(error, StoreError::SchemaChanged { version: 3, .. });
    check(
        "trigger",
        &sql("CREATE TRIGGER t AFTER INSERT ON entry BEGIN DELETE FROM entry; END"),
        &changed,
    );
    check("column", &sql("ALTER TABLE feedback ADD COLUMN note TEXT"), &changed);
    check("index", &sql("DROP INDEX entry_opened"), &changed);
    check("empty", &bytes(Vec::new()), &|error| {
        matches!(
            error,
            StoreError::Ledger {
                problem: Problem::RolledBack { found: 0, floor: 2 },
                ..
            }
        )
    });
}

fn cut(path: &Path, bytes: usize) {
    let content = std::fs::read(path).unwrap();
    std::fs::write(path, &content[..bytes]).unwrap();
}

fn overwrite(path: &Path, from: usize, byte: u8) {
    let mut content = std::fs::read(path).unwrap();
    content[from..].fill(byte);
    std::fs::write(path, content).unwrap();
}

#[test]
fn nothing_is_no_store_to_inspect() {
    let folder = tempfile::tempdir().unwrap();
    let absent = Store::inspect(&folder.path().join("none.db"), vault());
    assert!(matches!(absent, Err(StoreError::Absent { .. })));
    assert!(!folder.path().join("none.db").exists());
    let nowhere = try_open(&folder.path().join("no/folder.db"), &vault());
    assert!(matches!(nowhere, Err(StoreError::Io { .. })));
}

/// A new vault gets a key, and every store another one.
#[test]
fn a_new_store_makes_its_own_key() {
    let folder = tempfile::tempdir().unwrap();
    let key = |name: &str| {
        let vault = Arc::new(MemoryVault::new());
        try_open(&folder.path().join(name), &vault).unwrap();
        let key = vault.get("whimbrel.ledger-key").unwrap().unwrap();
        key.expose().to_vec()
    };
    let keys = (key("one.db"), key("two.db"));
    assert_eq!(keys.0.len(), 32);
    assert_ne!(keys.0, keys.1);
}

#[cfg(unix)]
#[test]
fn only_the_owner_can_read_the_files() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let (path, vault) = written(folder.path());
    let store = open(&path, &vault);
    store.ledger().begin(&intent(2), NOW_MS).unwrap();
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{:?}", entry.file_name());
    }
}

#[test]
fn state_is_kept_by_name_with_limits() {
    let folder = tempfile::tempdir().unwrap();
    let (path, vault) = written(folder.path());
    let store = open(&path, &vault);
    assert_eq!(store.state_get("learned").unwrap().unwrap(), b"two arms");
    assert_eq!(store.state_get("absent").unwrap(), None);
    let largest = vec![3; STATE_BYTES_MAX as usize];
    store.state_put("learned", &largest).unwrap();
    assert_eq!(store.state_get("learned").unwrap().unwrap(), largest);
    let past = store.state_put("learned", &vec![3; STATE_BYTES_MAX as usize + 1]);
    assert!(matches!(past, Err(StoreError::Record(RecordError::TooMuch { .. }))));
    store.state_put(&"n".repeat(64), b"").unwrap();
    for name in ["", "two words", &"n".repeat(65)] {
        assert!(matches!(
            store.state_put(name, b"x"),
            Err(StoreError::Vault(VaultError::Name))
        ));
    }
    store.state_put("spent", b"5").unwrap();
    let raw = Connection::open(&path).unwrap();
    raw.execute("UPDATE state SET value = x'36' WHERE name = 'spent'", [])
        .unwrap();
    assert!(matches!(store.state_get("spent"), Err(StoreError::Unreadable { .. })));
    raw.execute("UPDATE state SET value = (SELECT value FROM state WHERE name = 'learned'), seal = (SELECT seal FROM state WHERE name = 'learned') WHERE name = 'spent'", []).unwrap();
    assert!(matches!(store.state_get("spent"), Err(StoreError::Unreadable { .. })));
    store.state_delete("spent").unwrap();
    assert_eq!(store.state_get("spent").unwrap(), None);
}

/// Receipts are written until the disk is full: the error says so, what was there stays, and it goes on when there is space again.
#[test]
fn a_full_disk_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (path, vault) = written(folder.path());
    let store = open(&path, &vault);
    let ledger = store.ledger();
    store.limit_pages(40).unwrap();
    let mut open_ids = Vec::new();
    let error = loop {
        match ledger.begin(&intent(9), NOW_MS) {
            Ok(id) => open_ids.push(id),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, StoreError::Full { .. }), "{error:?}");
    assert!(open_ids.len() > 5);
    let closing = answered_in_the_cloud();
    let unfinished = open_ids
        .iter()
        .find(|id| ledger.finish(**id, &closing, NOW_MS).is_err());
    assert!(unfinished.is_some());
    assert!(matches!(
        store.state_put("learned", &[1; 9000]),
        Err(StoreError::Full { .. })
    ));
    let report = ledger.verify().unwrap();
    assert!(report.is_intact(), "{report:?}");
    assert_eq!(report.receipts, 1 + open_ids.len() as u64);
    store.limit_pages(10_000).unwrap();
    ledger.finish(*unfinished.unwrap(), &closing, NOW_MS).unwrap();
    let id = ledger.begin(&intent(10), NOW_MS).unwrap();
    assert_eq!(id.0, open_ids.last().unwrap().0 + 1);
    drop((store, ledger));
    assert!(open(&path, &vault).ledger().verify().unwrap().is_intact());
}

/// A vault that works or fails as it is told.
struct Moody {
    vault: MemoryVault,
    locked: AtomicBool,
}

impl KeyVault for Moody {
    fn get(&self, name: &str) -> Result<Option<SecretBytes>, VaultError> {
        match self.locked.load(Ordering::Relaxed) {
            true => Err(VaultError::Locked),
            false => self.vault.get(name),
        }
    }

    fn put(&self, name: &str, secret: &SecretBytes) -> Result<(), VaultError> {
        match self.locked.load(Ordering::Relaxed) {
            true => Err(VaultError::Locked),
            false => self.vault.put(name, secret),
        }
    }

    fn delete(&self, name: &str) -> Result<(), VaultError> {
        self.vault.delete(name)
    }

    fn level(&self) -> VaultLevel {
        VaultLevel::Memory
    }
}

/// A vault that is locked for a while does not keep receipts from being written; its floor follows later.
#[test]
fn a_locked_vault_is_told_later() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let vault = Arc::new(Moody {
        vault: MemoryVault::new(),
        locked: AtomicBool::new(true),
    });
    let opened = Store::open(&path, Arc::clone(&vault) as Arc<dyn KeyVault>, NOW_MS);
    assert!(matches!(opened, Err(StoreError::Vault(VaultError::Locked))));
    vault.locked.store(false, Ordering::Relaxed);
    let ledger = Store::open(&path, Arc::clone(&vault) as Arc<dyn KeyVault>, NOW_MS)
        .unwrap()
        .ledger();
    vault.locked.store(true, Ordering::Relaxed);
    let id = ledger.begin(&intent(1), NOW_MS).unwrap();
    assert!(ledger.is_floor_behind().unwrap());
    assert!(matches!(ledger.verify(), Err(StoreError::Vault(VaultError::Locked))));
    vault.locked.store(false, Ordering::Relaxed);
    assert!(ledger.verify().unwrap().is_intact());
    ledger.finish(id, &answered_here(), NOW_MS).unwrap();
    assert!(!ledger.is_floor_behind().unwrap());
    assert!(ledger.verify().unwrap().is_intact());
}

/// The tables with all they hold, as statements that make them again.
fn dump(connection: &Connection) -> String {
    let mut text = String::new();
    for pragma in ["application_id", "user_version"] {
        let value: i64 = connection
            .query_row(&format!("PRAGMA {pragma}"), [], |row| row.get(0))
            .unwrap();
        text.push_str(&format!("PRAGMA {pragma} = {value};\n"));
    }
    let objects: Vec<(String, String, String)> = connection
        .prepare("SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY type DESC, name")
        .unwrap()
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    for (_, _, sql) in &objects {
        text.push_str(&format!("{sql};\n"));
    }
    for (_, table, _) in objects.iter().filter(|(kind, _, _)| kind == "table") {
        let columns: Vec<String> = connection
            .prepare(&format!(
                "SELECT 'quote(' || name || ')' FROM pragma_table_info('{table}')"
            ))
            .unwrap()
            .query_map([], |row| row.get(0))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        let rows: Vec<String> = connection
            .prepare(&format!("SELECT concat_ws(', ', {}) FROM {table}", columns.join(", ")))
            .unwrap()
            .query_map([], |row| row.get(0))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        for row in rows {
            text.push_str(&format!("INSERT INTO {table} VALUES ({row});\n"));
        }
    }
    text
}

fn schema_file(version: u32) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/schemas/{version}.sql"))
}

/// The same receipts, always: one answered in the cloud, one denied, one answered here, and a pruning before them.
fn fill(store: &Store) {
    let ledger = store.ledger();
    ledger.record(&intent(1), &answered_here(), NOW_MS).unwrap();
    let all = Prune {
        receipts_max: Some(0),
        ..Prune::default()
    };
    ledger.prune(&all, NOW_MS + 1).unwrap().unwrap();
    ledger.record(&intent(2), &answered_in_the_cloud(), NOW_MS + 2).unwrap();
    let denied = whimbrel_record::Closing::new(Outcome::Denied);
    ledger.record(&intent(3), &denied, NOW_MS + 3).unwrap();
    ledger.record(&intent(4), &answered_here(), NOW_MS + 4).unwrap();
}

/// What this program writes is, byte for byte, the snapshot of its schema: a change of format shows. `WHIMBREL_SNAPSHOTS=write` writes it.
#[test]
fn the_newest_schema_is_as_in_its_snapshot() {
    let folder = tempfile::tempdir().unwrap();
    let (path, vault) = (folder.path().join("store.db"), vault());
    let store = open(&path, &vault);
    fill(&store);
    store
        .ledger()
        .feedback(ReceiptId(2), Signal::ThumbsUp, NOW_MS + 5)
        .unwrap();
    store.state_put("learned", b"two arms").unwrap();
    drop(store);
    let text = dump(&Connection::open(&path).unwrap());
    let file = schema_file(SCHEMA_VERSION);
    if std::env::var("WHIMBREL_SNAPSHOTS").is_ok_and(|word| word == "write") {
        std::fs::write(&file, &text).unwrap();
    }
    assert_eq!(text, std::fs::read_to_string(&file).unwrap());
}

/// A database of every schema that there ever was is opened, migrated, and reads as it was written.
#[test]
fn every_older_schema_is_migrated() {
    for version in 1..=SCHEMA_VERSION {
        let folder = tempfile::tempdir().unwrap();
        let (path, vault) = (folder.path().join("store.db"), vault());
        let old = Connection::open(&path).unwrap();
        old.execute_batch(&std::fs::read_to_string(schema_file(version)).unwrap())
            .unwrap();
        drop(old);
        let inspected = Store::inspect(&path, Arc::clone(&vault) as Arc<dyn KeyVault>);
        assert_eq!(inspected.is_ok(), version == SCHEMA_VERSION, "{version}");
        drop(inspected);
        let store = open(&path, &vault);
        let report = store.ledger().verify().unwrap();
        assert!(report.is_intact(), "{version}: {report:?}");
        assert_eq!((report.receipts, report.last_sequence), (3, 9), "{version}");
        let receipts = store.ledger().list(&Filter::default(), 10).unwrap();
        let outcomes: Vec<_> = receipts
            .iter()
            .map(|receipt| (receipt.id.0, receipt.outcome.unwrap()))
            .collect();
        let expected = [(4, Outcome::Answered), (3, Outcome::Denied), (2, Outcome::Answered)];
        assert_eq!(outcomes, expected, "{version}");
        assert_eq!(receipts[2].closing, Some(answered_in_the_cloud()), "{version}");
        assert_eq!(store.ledger().stats(None, None).unwrap().receipts, 4, "{version}");
        store.state_put("learned", b"more").unwrap();
        store.ledger().feedback(ReceiptId(2), Signal::ThumbsUp, NOW_MS).unwrap();
        drop(store);
        let migrated = Connection::open(&path).unwrap();
        let found: u32 = migrated.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
        let listed: u32 = migrated
            .query_row("SELECT max(number) FROM migration", [], |row| row.get(0))
            .unwrap();
        assert_eq!((found, listed), (SCHEMA_VERSION, SCHEMA_VERSION), "{version}");
    }
}

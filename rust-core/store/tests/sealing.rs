//! Sealed values: every flipped byte is noticed, no text is in any file, and lost or foreign keys are told apart.
#![allow(clippy::unwrap_used)]

mod support;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use rusqlite::Connection;
use support::kept::{answer, conversation, is_anywhere, question, request};
use support::{NOW_MS, answered_here, intent, open, vault};
use whimbrel_store::{
    ConversationId, KeyVault, MemoryVault, NewConversation, NewRequest, OutboxId, Retention, SealError, SecretBytes,
    Store, StoreError, VaultError, VaultLevel,
};

const KEYS: &str = "whimbrel.data-keys";
const MARKER: &str = "PLANTED-";

fn dynamic(vault: &Arc<MemoryVault>) -> Arc<dyn KeyVault> {
    Arc::clone(vault) as Arc<dyn KeyVault>
}

/// One row of every kind.
fn filled(folder: &Path) -> (Store, Arc<MemoryVault>, ConversationId) {
    let vault = vault();
    let store = open(&folder.join("store.db"), &vault);
    let id = conversation(&store.conversations(), "Birds", &["Which bird?", "A whimbrel."]);
    store.outbox().enqueue(&request(id, "ask"), NOW_MS).unwrap();
    store.answers().put(b"question", b"answer", NOW_MS).unwrap();
    (store, vault, id)
}

/// Reads everything that is sealed, and says what the first failure is.
fn read_all(store: &Store, id: ConversationId) -> Result<(), StoreError> {
    let conversations = store.conversations();
    conversations.list(None, 100)?;
    conversations.get(id)?;
    store.outbox().list(None, 100)?;
    store.answers().get(b"question", NOW_MS)?;
    Ok(())
}

#[test]
fn every_flipped_byte_of_a_sealed_value_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _, id) = filled(folder.path());
    let raw = Connection::open(store.path()).unwrap();
    raw.execute_batch("PRAGMA synchronous = OFF").unwrap();
    let columns = [
        ("conversation", "title"),
        ("conversation", "attributes"),
        ("message", "body"),
        ("outbox", "machine"),
        ("outbox", "request"),
        ("answer", "value"),
    ];
    for (table, column) in columns {
        let query = format!("SELECT id, {column} FROM {table} ORDER BY id LIMIT 1");
        let (row, sealed): (i64, Vec<u8>) = raw.query_row(&query, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        let update = format!("UPDATE {table} SET {column} = ?2 WHERE id = ?1");
        let check = |changed: &[u8], what: &str| {
            raw.execute(&update, (row, changed)).unwrap();
            match read_all(&store, id) {
                Err(StoreError::Sealed(SealError::Value {
                    table: in_table,
                    row: in_row,
                    column: in_column,
                })) => {
                    assert_eq!((in_table, in_row, in_column), (table, row, column), "{what}");
                }
                other => panic!("{table}.{column}, {what}: {other:?}"),
            }
        };
        for place in 0..sealed.len() {
            for bit in [1, 0x80] {
                let mut changed = sealed.clone();
                changed[place] ^= bit;
                check(&changed, &format!("byte {place} of {}", sealed.len()));
            }
        }
        for length in [0, 1, 28, 44, sealed.len() - 1] {
            check(&sealed[..length], &format!("cut to {length}"));
        }
        raw.execute(&update, (row, &sealed)).unwrap();
        read_all(&store, id).unwrap();
    }
}

#[test]
fn a_value_in_another_place_is_noticed() {
    let check = |sql: &str, expected: &'static str| {
        let folder = tempfile::tempdir().unwrap();
        let (store, _, id) = filled(folder.path());
        conversation(&store.conversations(), "Other", &["Other?", "Else."]);
        Connection::open(store.path()).unwrap().execute_batch(sql).unwrap();
        match read_all(&store, id) {
            Err(StoreError::Sealed(SealError::Value { column, .. })) => assert_eq!(column, expected, "{sql}"),
            other => panic!("{sql}: {other:?}"),
        }
    };
    let other = |table: &str, column: &str| {
        format!("UPDATE {table} SET {column} = (SELECT {column} FROM {table} WHERE id = 3) WHERE id = 1")
    };
    check(&other("message", "body"), "body");
    check("UPDATE message SET conversation = 1, position = 5 WHERE id = 3", "body");
    check("UPDATE message SET position = 9 WHERE id = 1", "body");
    check("UPDATE conversation SET title = attributes WHERE id = 1", "title");
    check("UPDATE outbox SET conversation = 2", "machine");
    let store_an_other = "UPDATE answer SET lookup = zeroblob(32)";
    let folder = tempfile::tempdir().unwrap();
    let (store, ..) = filled(folder.path());
    store.answers().put(b"other", b"wrong", NOW_MS).unwrap();
    let raw = Connection::open(store.path()).unwrap();
    raw.execute_batch("UPDATE answer SET value = (SELECT value FROM answer WHERE id = 2) WHERE id = 1")
        .unwrap();
    let swapped = store.answers().get(b"question", NOW_MS);
    assert!(
        matches!(swapped, Err(StoreError::Sealed(SealError::Value { row: 1, .. }))),
        "{swapped:?}"
    );
    raw.execute_batch(&format!("{store_an_other} WHERE id = 2")).unwrap();
    assert_eq!(store.answers().get(b"other", NOW_MS).unwrap(), None);
}

/// A thousand texts go through every kind of operation. Whatever their numbers, all of them begin alike.
#[test]
fn no_text_is_in_any_file() {
    let folder = tempfile::tempdir().unwrap();
    let vault = vault();
    let store = open(&folder.path().join("store.db"), &vault);
    let conversations = store.conversations();
    let mut planted = 0..;
    let mut text = || format!("{MARKER}{} Which bird is this?", planted.next().unwrap());
    let nowhere = |what: &str| {
        for marker in [MARKER, &MARKER.to_lowercase(), "Which bird", "which bird"] {
            assert!(!is_anywhere(folder.path(), marker.as_bytes()), "{what}: {marker}");
        }
    };
    let mut ids = Vec::new();
    for round in 0..40u64 {
        let messages: Vec<_> = (0..12).map(|_| question(&text())).collect();
        let (title, attributes) = (text(), text());
        let new = NewConversation {
            title: &title,
            attributes: &attributes,
            messages: &messages,
        };
        let id = conversations.create(&new, NOW_MS + round).unwrap();
        ids.push(id);
        conversations.append(id, &[answer(&text())], NOW_MS).unwrap();
        conversations
            .replace_from(id, 11, &[question(&text())], NOW_MS)
            .unwrap();
        conversations.set_title(id, &text()).unwrap();
        conversations.set_attributes(id, &text()).unwrap();
        let position = conversations.start_answer(id, &answer(&text()), NOW_MS).unwrap();
        conversations.update_answer(id, position, &answer(&text())).unwrap();
        conversations.finish_answer(id, position, &answer(&text())).unwrap();
        let mut new = request(id, &text());
        new.state.machine = text().into_bytes();
        new.messages = vec![question(&text())];
        let queued = store.outbox().enqueue(&new, NOW_MS).unwrap();
        store
            .outbox()
            .replace(queued.id, &new.state, text().as_bytes())
            .unwrap();
        if round % 2 == 0 {
            store.outbox().complete(queued.id, &[answer(&text())], NOW_MS).unwrap();
        }
        store
            .answers()
            .put(text().as_bytes(), text().as_bytes(), NOW_MS)
            .unwrap();
        store.files("prefix").unwrap().put("file", text().as_bytes()).unwrap();
        store.ledger().record(&intent(round), &answered_here(), NOW_MS).unwrap();
    }
    assert!(planted.next().unwrap() >= 1_000);
    nowhere("written");
    assert!(!conversations.find(MARKER, 2_000).unwrap().is_empty());
    store.answers().evict(500).unwrap();
    let mut document = Vec::new();
    conversations.export(&mut document, None, NOW_MS).unwrap();
    conversations.delete(ids[0]).unwrap();
    conversations.import(&mut &document[..]).unwrap();
    let half = Retention {
        conversations_max: Some(20),
        ..Retention::default()
    };
    conversations.retain(&half).unwrap();
    nowhere("changed");
    while !store.rotate(7).unwrap().finished {
        nowhere("rotating");
    }
    store.empty_log().unwrap();
    nowhere("emptied log");
    drop((store, conversations));
    nowhere("closed");
}

#[test]
fn lost_and_foreign_keys_are_told_apart_and_the_ledger_goes_on() {
    let check = |what: &str, spoil: &dyn Fn(&MemoryVault), expected: SealError| {
        let folder = tempfile::tempdir().unwrap();
        let (store, vault, id) = filled(folder.path());
        store.ledger().record(&intent(1), &answered_here(), NOW_MS).unwrap();
        let path = store.path().to_owned();
        store.files("prefix").unwrap().put("file", b"cache").unwrap();
        drop(store);
        spoil(&vault);
        let store = open(&path, &vault);
        let refused = [
            read_all(&store, id),
            store
                .conversations()
                .create(&NewConversation::default(), NOW_MS)
                .map(drop),
            store.answers().put(b"q", b"a", NOW_MS),
            store.rotate(9).map(drop),
        ];
        for result in refused {
            match result {
                Err(StoreError::Sealed(error)) => assert_eq!(error, expected, "{what}"),
                other => panic!("{what}: {other:?}"),
            }
        }
        assert!(store.ledger().verify().unwrap().is_intact(), "{what}");
        drop(store);
        for _ in 0..2 {
            let (store, aside) = Store::start_empty(&path, dynamic(&vault), NOW_MS).unwrap();
            assert_eq!(aside, None, "{what}");
            let report = store.ledger().verify().unwrap();
            assert!(report.is_intact() && report.receipts == 1, "{what}");
            assert!(store.conversations().list(None, 9).unwrap().is_empty(), "{what}");
            assert!(store.files("prefix").unwrap().list().unwrap().is_empty(), "{what}");
        }
        let store = open(&path, &vault);
        let id = conversation(&store.conversations(), "New", &["Again?"]);
        drop(store);
        // Nothing that can be read is touched.
        let (store, _) = Store::start_empty(&path, dynamic(&vault), NOW_MS).unwrap();
        assert_eq!(store.conversations().get(id).unwrap().messages.len(), 1, "{what}");
    };
    let put = |bytes: Vec<u8>| move |vault: &MemoryVault| vault.put(KEYS, &SecretBytes::new(bytes.clone())).unwrap();
    check(
        "lost",
        &|vault| vault.delete(KEYS).unwrap(),
        SealError::KeyLost { version: 1 },
    );
    let mut other = b"whimbrel-data-keys-1\x01\0\0\0".to_vec();
    other.extend([9; 32]);
    check(
        "another store's",
        &put(other.clone()),
        SealError::WrongKey { version: 1 },
    );
    other[20] = 2;
    check("another version", &put(other), SealError::KeyLost { version: 1 });
    check(
        "damaged",
        &put(b"whimbrel-data-keys-1\x01\0\0\0short".to_vec()),
        SealError::Keyring,
    );
    check("foreign", &put(b"something else".to_vec()), SealError::Keyring);
}

/// On another phone, the vault has nothing at all: the ledger is put aside, and nothing sealed is kept.
#[test]
fn a_store_that_was_restored_on_another_phone_starts_empty() {
    let folder = tempfile::tempdir().unwrap();
    let (store, ..) = filled(folder.path());
    let path = store.path().to_owned();
    drop(store);
    let other = Arc::new(MemoryVault::new());
    assert!(matches!(
        Store::open(&path, dynamic(&other), NOW_MS),
        Err(StoreError::Ledger { .. })
    ));
    let (store, aside) = Store::start_empty(&path, dynamic(&other), NOW_MS).unwrap();
    assert!(store.conversations().list(None, 9).unwrap().is_empty());
    let aside = Connection::open(aside.unwrap()).unwrap();
    let rows: i64 = aside
        .query_row(
            "SELECT (SELECT count(*) FROM message) + (SELECT count(*) FROM outbox)",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(rows, 0);
    drop(store);
    let (_, aside) = Store::start_empty(&path, dynamic(&other), NOW_MS).unwrap();
    assert_eq!(aside, None);
}

/// A vault whose platform fails in one way.
struct Platform {
    vault: MemoryVault,
    /// 0 works, 1 is locked, 2 has lost its key.
    mood: AtomicU8,
}

impl Platform {
    fn check(&self) -> Result<(), VaultError> {
        match self.mood.load(Ordering::Relaxed) {
            0 => Ok(()),
            1 => Err(VaultError::Locked),
            _ => Err(VaultError::Invalidated),
        }
    }
}

impl KeyVault for Platform {
    fn get(&self, name: &str) -> Result<Option<SecretBytes>, VaultError> {
        let found = self.vault.get(name)?;
        // A key store that lost its key still knows which secrets it had, and makes a new key for new ones.
        if found.is_some() || self.mood.load(Ordering::Relaxed) == 1 {
            self.check()?;
        }
        Ok(found)
    }

    fn put(&self, name: &str, secret: &SecretBytes) -> Result<(), VaultError> {
        self.check()?;
        self.vault.put(name, secret)
    }

    fn delete(&self, name: &str) -> Result<(), VaultError> {
        self.vault.delete(name)
    }

    fn level(&self) -> VaultLevel {
        VaultLevel::Hardware
    }
}

#[test]
fn a_locked_vault_passes_through_and_an_invalidated_one_starts_empty() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let vault = Arc::new(Platform {
        vault: MemoryVault::new(),
        mood: AtomicU8::new(0),
    });
    let vault_of = || Arc::clone(&vault) as Arc<dyn KeyVault>;
    let store = Store::open(&path, vault_of(), NOW_MS).unwrap();
    conversation(&store.conversations(), "Birds", &["Which bird?"]);
    drop(store);
    vault.mood.store(1, Ordering::Relaxed);
    let locked = |result: Result<Store, StoreError>| matches!(result, Err(StoreError::Vault(VaultError::Locked)));
    assert!(locked(Store::open(&path, vault_of(), NOW_MS)));
    assert!(locked(
        Store::start_empty(&path, vault_of(), NOW_MS).map(|(store, _)| store)
    ));
    assert!(matches!(
        Store::wipe(&path, &*vault),
        Err(StoreError::Vault(VaultError::Locked))
    ));
    vault.mood.store(0, Ordering::Relaxed);
    let store = Store::open(&path, vault_of(), NOW_MS).unwrap();
    assert_eq!(store.conversations().list(None, 9).unwrap().len(), 1);
    drop(store);
    vault.mood.store(2, Ordering::Relaxed);
    let opened = Store::open(&path, vault_of(), NOW_MS);
    assert!(
        matches!(opened, Err(StoreError::Vault(VaultError::Invalidated))),
        "{opened:?}"
    );
    // The app makes a new key in the key store: what is there can still not be read, and what is new can.
    let (aside, empty) = {
        let failed = Store::start_empty(&path, vault_of(), NOW_MS);
        assert!(
            matches!(failed, Err(StoreError::Vault(VaultError::Invalidated))),
            "{failed:?}"
        );
        vault.mood.store(0, Ordering::Relaxed);
        let (store, aside) = Store::start_empty(&path, vault_of(), NOW_MS).unwrap();
        (aside, store.conversations().list(None, 9).unwrap().is_empty())
    };
    assert!(empty);
    assert!(aside.is_none_or(|aside: PathBuf| aside.exists()));
}

#[test]
fn a_full_disk_loses_nothing_that_was_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (store, vault, id) = filled(folder.path());
    store.limit_pages(60).unwrap();
    let mut kept = 2;
    let error = loop {
        match store
            .conversations()
            .append(id, &[question(&"bird ".repeat(200))], NOW_MS)
        {
            Ok(_) => kept += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, StoreError::Full { .. }), "{error:?}");
    let large = NewRequest {
        request: vec![7; 50_000],
        ..request(id, "")
    };
    let refused = [
        store.outbox().enqueue(&large, NOW_MS).map(drop),
        store.answers().put(b"large", &[7; 50_000], NOW_MS),
        store
            .outbox()
            .complete(OutboxId(1), &[answer(&"long ".repeat(9_000))], NOW_MS)
            .map(drop),
    ];
    for result in refused {
        assert!(matches!(result, Err(StoreError::Full { .. })), "{result:?}");
    }
    assert_eq!(store.outbox().size().unwrap().requests, 1);
    let path = store.path().to_owned();
    drop(store);
    let store = open(&path, &vault);
    assert_eq!(store.conversations().get(id).unwrap().messages.len(), kept);
    read_all(&store, id).unwrap();
    store
        .outbox()
        .complete(OutboxId(1), &[answer("short")], NOW_MS)
        .unwrap();
}

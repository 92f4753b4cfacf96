//! Keys of sealed values: lost, foreign, locked and invalidated ones are told apart, and a store can start without what they sealed.
#![allow(clippy::unwrap_used)]

mod support;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use rusqlite::Connection;
use support::kept::{cached, conversation, filled, read_all};
use support::{NOW_MS, answered_here, intent, open};
use whimbrel_store::{
    KeyVault, MemoryVault, NewConversation, SealError, SecretBytes, Store, StoreError, VaultError, VaultLevel,
};

const KEYS: &str = "whimbrel.data-keys";

fn dynamic(vault: &Arc<MemoryVault>) -> Arc<dyn KeyVault> {
    Arc::clone(vault) as Arc<dyn KeyVault>
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
            store.answers().put(&cached(b"q", b"a"), NOW_MS),
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

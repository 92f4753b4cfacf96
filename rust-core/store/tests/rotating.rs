//! Rotation and wipe: interrupted at every step, they are finished later, and nothing is lost that should stay.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI32, Ordering};

use rusqlite::Connection;
use support::kept::{answer, append, cached, conversation, files, question, request, start_answer};
use support::{NOW_MS, answered_here, intent, open, vault};
use whimbrel_store::{
    KeyVault, MemoryVault, Rotation, SealError, SecretBytes, Store, StoreError, VaultError, VaultLevel,
};

const KEYS: &str = "whimbrel.data-keys";
const SECRETS: [&str; 4] = ["whimbrel.ledger-key", "whimbrel.ledger-floor", KEYS, "endpoint.cloud"];

fn dynamic<V: KeyVault + 'static>(vault: &Arc<V>) -> Arc<dyn KeyVault> {
    Arc::clone(vault) as Arc<dyn KeyVault>
}

fn copy_of(vault: &dyn KeyVault) -> Arc<MemoryVault> {
    let copy = MemoryVault::new();
    for name in SECRETS {
        if let Some(secret) = vault.get(name).unwrap() {
            copy.put(name, &secret).unwrap();
        }
    }
    Arc::new(copy)
}

/// The files as a kill would leave them now.
fn image(from: &Path, to: &Path) {
    for path in files(from) {
        let place = to.join(path.strip_prefix(from).unwrap());
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::copy(&path, &place).unwrap();
    }
}

fn fill(store: &Store) {
    let id = conversation(
        &store.conversations(),
        "Birds",
        &["Which bird?", "A whimbrel.", "Why?", "Its bill."],
    );
    conversation(&store.conversations(), "More birds", &["And this?"]);
    store.outbox().enqueue(&request(id, "ask"), NOW_MS).unwrap();
    for number in 0..3u8 {
        store.answers().put(&cached(&[number], &[number; 9]), NOW_MS).unwrap();
    }
    store.ledger().record(&intent(1), &answered_here(), NOW_MS).unwrap();
}

/// Everything reads as it was filled, and can be written.
fn check(store: &Store, what: &str) {
    let conversations = store.conversations();
    let list = conversations.list(None, 9).unwrap();
    assert_eq!(list.len(), 2, "{what}");
    let messages: usize = list
        .iter()
        .map(|summary| conversations.get(summary.id).unwrap().messages.len())
        .sum();
    assert_eq!(messages, 5, "{what}");
    assert_eq!(conversations.find("whimbrel", 9).unwrap().len(), 1, "{what}");
    assert_eq!(store.outbox().list(None, 9).unwrap()[0].request, b"ask", "{what}");
    for number in 0..3u8 {
        let found = store.answers().get(&[number], NOW_MS).unwrap();
        assert_eq!(found.unwrap().value, [number; 9], "{what}");
    }
    assert_eq!(store.answers().size().unwrap().answers, 3, "{what}");
    assert!(store.ledger().verify().unwrap().is_intact(), "{what}");
    conversations.set_title(list[1].id, &list[1].title).unwrap();
}

fn finish(store: &Store) -> Rotation {
    loop {
        let rotation = store.rotate(2).unwrap();
        if rotation.finished {
            return rotation;
        }
    }
}

#[test]
fn a_rotation_goes_on_wherever_it_was_killed() {
    let folder = tempfile::tempdir().unwrap();
    let vault = vault();
    let store = open(&folder.path().join("store.db"), &vault);
    fill(&store);
    let before = vault.get(KEYS).unwrap().unwrap().expose().to_vec();
    let mut steps = 0;
    loop {
        let finished = store.rotate(1).unwrap().finished;
        check(&store, &format!("step {steps}"));
        let elsewhere = tempfile::tempdir().unwrap();
        image(folder.path(), elsewhere.path());
        let killed = copy_of(&*vault);
        let again = open(&elsewhere.path().join("store.db"), &killed);
        assert_eq!(again.is_rotating().unwrap(), !finished, "step {steps}");
        check(&again, &format!("step {steps}, after a kill"));
        finish(&again);
        check(&again, &format!("step {steps}, finished after a kill"));
        assert!(!again.is_rotating().unwrap());
        steps += 1;
        if finished {
            break;
        }
    }
    assert!(steps > 10, "{steps}");
    let after = vault.get(KEYS).unwrap().unwrap().expose().to_vec();
    assert_eq!(after.len(), before.len());
    assert!(!after.windows(32).any(|window| window == &before[before.len() - 32..]));
    let raw = Connection::open(store.path()).unwrap();
    let old: i64 = raw
        .query_row(
            "SELECT count(*) FROM message WHERE substr(body, 2, 4) != x'02000000'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(old, 0);
    assert_eq!(finish(&store).rows_done, 11);
    check(&store, "a second rotation");
}

/// A vault that dies at one of its writes, before or after it.
struct Dying {
    vault: MemoryVault,
    left: AtomicI32,
    after: bool,
    order: Mutex<Vec<String>>,
}

impl Dying {
    fn new(vault: &dyn KeyVault, writes: i32, after: bool) -> Arc<Dying> {
        let copy = MemoryVault::new();
        for name in SECRETS {
            if let Some(secret) = vault.get(name).unwrap() {
                copy.put(name, &secret).unwrap();
            }
        }
        Arc::new(Dying {
            vault: copy,
            left: AtomicI32::new(writes),
            after,
            order: Mutex::default(),
        })
    }

    fn write(&self, name: &str, write: impl FnOnce() -> Result<(), VaultError>) -> Result<(), VaultError> {
        // The ledger tells its end after every entry; only writes of keys count.
        let counts = name != "whimbrel.ledger-floor" || self.order.lock().unwrap().iter().any(|name| name == KEYS);
        let left = if counts {
            self.left.fetch_sub(1, Ordering::Relaxed)
        } else {
            9
        };
        let dead = || VaultError::Platform { code: "dead".into() };
        if left < 1 || (left == 1 && !self.after) {
            return Err(dead());
        }
        self.order.lock().unwrap().push(name.to_owned());
        write()?;
        if left == 1 { Err(dead()) } else { Ok(()) }
    }
}

impl KeyVault for Dying {
    fn get(&self, name: &str) -> Result<Option<SecretBytes>, VaultError> {
        self.vault.get(name)
    }

    fn put(&self, name: &str, secret: &SecretBytes) -> Result<(), VaultError> {
        self.write(name, || self.vault.put(name, secret))
    }

    fn delete(&self, name: &str) -> Result<(), VaultError> {
        self.write(name, || self.vault.delete(name))
    }

    fn level(&self) -> VaultLevel {
        VaultLevel::Memory
    }
}

#[test]
fn a_rotation_survives_a_vault_that_dies_at_any_write() {
    let folder = tempfile::tempdir().unwrap();
    let first = vault();
    fill(&open(&folder.path().join("store.db"), &first));
    for (writes, after) in [(1, false), (1, true), (2, false), (2, true)] {
        let what = format!("write {writes}, after: {after}");
        let elsewhere = tempfile::tempdir().unwrap();
        image(folder.path(), elsewhere.path());
        let path = elsewhere.path().join("store.db");
        let dying = Dying::new(&*first, writes, after);
        let store = Store::open(&path, dynamic(&dying), NOW_MS).unwrap();
        let died = loop {
            match store.rotate(3) {
                Ok(rotation) => assert!(!rotation.finished, "{what}"),
                Err(error) => break error,
            }
        };
        assert!(
            matches!(died, StoreError::Vault(VaultError::Platform { .. })),
            "{what}: {died:?}"
        );
        drop(store);
        let store = open(&path, &copy_of(&dying.vault));
        check(&store, &what);
        finish(&store);
        check(&store, &what);
    }
}

/// What cannot be opened holds up no rotation, and is still told afterwards.
#[test]
fn a_damaged_row_is_counted_and_left() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("store.db"), &vault());
    fill(&store);
    let raw = Connection::open(store.path()).unwrap();
    raw.execute_batch("UPDATE message SET body = zeroblob(80) WHERE id = 2")
        .unwrap();
    assert_eq!(finish(&store).rows_unreadable, 1);
    let list = store.conversations().list(None, 9).unwrap();
    let read: Vec<_> = list
        .iter()
        .map(|summary| store.conversations().get(summary.id))
        .collect();
    assert_eq!(read.iter().filter(|result| result.is_ok()).count(), 1);
    let search = store.conversations().find("why", 9).unwrap();
    assert_eq!(search.len(), 1);
}

#[test]
fn a_wipe_destroys_the_key_first_and_is_finished_later() {
    let folder = tempfile::tempdir().unwrap();
    let first = vault();
    let path = folder.path().join("store.db");
    let store = open(&path, &first);
    fill(&store);
    store.files("prefix").unwrap().put("cache", &[5; 5000]).unwrap();
    first
        .put("endpoint.cloud", &SecretBytes::new(b"sk-app".to_vec()))
        .unwrap();
    assert!(matches!(Store::wipe(&path, &*first), Err(StoreError::InUse { .. })));
    drop(store);
    Store::restart(&path, dynamic(&first), NOW_MS).unwrap();
    fill(&open(&path, &first));
    fs::write(folder.path().join("store.db.notes"), b"the app's").unwrap();

    for writes in 1..=5 {
        for after in [false, true] {
            let what = format!("write {writes}, after: {after}");
            let elsewhere = tempfile::tempdir().unwrap();
            image(folder.path(), elsewhere.path());
            let path = elsewhere.path().join("store.db");
            let dying = Dying::new(&*first, writes, after);
            let result = Store::wipe(&path, &*dying);
            assert_eq!(result.is_ok(), writes == 5, "{what}: {result:?}");
            if writes == 1 && !after {
                // Nothing has happened.
                check(&open(&path, &copy_of(&dying.vault)), &what);
                continue;
            }
            assert_eq!(dying.order.lock().unwrap()[0], KEYS, "{what}");
            let vault = copy_of(&dying.vault);
            let inspected = Store::inspect(&path, dynamic(&vault));
            assert!(inspected.is_err(), "{what}");
            let store = open(&path, &vault);
            assert!(store.conversations().list(None, 9).unwrap().is_empty(), "{what}");
            assert_eq!(store.ledger().verify().unwrap().receipts, 0, "{what}");
            conversation(&store.conversations(), "New", &["life"]);
            drop(store);
            let mut left: Vec<_> = files(elsewhere.path())
                .iter()
                .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
                .collect();
            left.sort();
            assert_eq!(left, ["store.db", "store.db.lock", "store.db.notes"], "{what}");
            assert_eq!(
                vault.get("endpoint.cloud").unwrap().unwrap().expose(),
                b"sk-app",
                "{what}"
            );
            Store::wipe(&path, &*vault).unwrap();
            Store::wipe(&path, &*vault).unwrap();
            assert_eq!(files(elsewhere.path()).len(), 2, "{what}");
            assert!(vault.get(KEYS).unwrap().is_none() && vault.get("whimbrel.ledger-key").unwrap().is_none());
        }
    }
}

/// The key is gone, the files are not: nothing of them can be read.
#[test]
fn what_a_killed_wipe_leaves_cannot_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let vault = vault();
    let path = folder.path().join("store.db");
    fill(&open(&path, &vault));
    let before = copy_of(&*vault);
    let dying = Dying::new(&*vault, 1, true);
    Store::wipe(&path, &*dying).unwrap_err();
    assert!(path.exists());
    // Even if somebody takes the mark of the wipe away.
    let left = copy_of(&dying.vault);
    left.delete(KEYS).unwrap();
    let store = open(&path, &left);
    let read = store.conversations().list(None, 9);
    assert!(
        matches!(read, Err(StoreError::Sealed(SealError::KeyLost { version: 1 }))),
        "{read:?}"
    );
    drop(store);
    check(&open(&path, &before), "the key is all that was missing");
}

/// A reader in another thread never takes a row under a new key for a damaged one.
#[test]
fn threads_read_while_keys_change() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("store.db"), &vault());
    fill(&store);
    let done = AtomicI32::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let conversations = store.conversations();
                for _ in 0..100_000 {
                    if done.load(Ordering::Relaxed) != 0 {
                        break;
                    }
                    for summary in conversations.list(None, 9).unwrap() {
                        conversations.get(summary.id).unwrap();
                    }
                    let mut search = conversations.search("whimbrel").unwrap();
                    let mut hits = 0;
                    while let Some(batch) = search.next_batch().unwrap() {
                        hits += batch.len();
                    }
                    assert_eq!((hits, search.unreadable()), (1, 0));
                    assert!(store.answers().get(&[1], NOW_MS).unwrap().is_some());
                    store.outbox().list(None, 9).unwrap();
                }
            });
        }
        for _ in 0..12 {
            finish(&store);
        }
        done.store(1, Ordering::Relaxed);
    });
}

#[test]
fn answers_in_progress_and_new_rows_go_on_during_a_rotation() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("store.db"), &vault());
    fill(&store);
    let conversations = store.conversations();
    let id = conversations.list(None, 9).unwrap()[0].id;
    let position = start_answer(&conversations, id, &answer("A"), NOW_MS).unwrap();
    let mut number = 0;
    while !store.rotate(2).unwrap().finished {
        number += 1;
        conversations
            .update_answer(id, position, &answer(&format!("A {number}")))
            .unwrap();
        let other = conversation(&conversations, "During", &["more"]);
        append(&conversations, other, &[question("still?")], NOW_MS).unwrap();
        store.answers().put(&cached(&[0], &[number; 3]), NOW_MS).unwrap();
        assert_eq!(store.answers().get(&[0], NOW_MS).unwrap().unwrap().value, [number; 3]);
        assert!(number < 20, "the rotation does not end");
    }
    assert_eq!(
        conversations.get(id).unwrap().messages[position as usize].text,
        format!("A {number}")
    );
}

//! A disk that fails at any moment of a workload of everything that is kept, and power that goes at any moment: the store is always exactly
//! what its calls said, every error says what happened, and the store goes on. `WHIMBREL_FAULTS` sets how many workloads run.
#![allow(clippy::unwrap_used)]

#[path = "support/disk.rs"]
mod disk;
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use disk::{Disk, Failure, Fault};
use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::Rng;
use rusqlite::{Connection, ErrorCode};
use support::kept::{answer, cached, conversation, is_anywhere, question, request};
use support::{NOW_MS, answered_here, intent, vault};
use tempfile::TempDir;
use whimbrel_record::{Outcome, ReceiptId};
use whimbrel_store::{
    Change, ConversationId, KeyVault, MemoryVault, MessageState, NewAnswer, NewConversation, OutboxId, QueuedState,
    Store, StoreError, StoredMessage,
};

const WORKLOADS: &str = "WHIMBREL_FAULTS";
const WORKLOADS_DEFAULT: u64 = 400;
/// Steps between two openings.
const STEPS: u64 = 40;
/// What every text begins with.
const MARKER: &str = "PLANTED-";

fn workloads() -> u64 {
    std::env::var(WORKLOADS).map_or(WORKLOADS_DEFAULT, |count| count.parse().unwrap())
}

/// What a store holds, as its calls show it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct Kept {
    /// By title.
    conversations: BTreeMap<String, Talk>,
    outbox: BTreeMap<u64, Queued>,
    answers: BTreeMap<u64, String>,
    /// How each receipt ended.
    receipts: Vec<Option<Outcome>>,
    state: Option<Vec<u8>>,
}

#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct Talk {
    attributes: String,
    is_pinned: bool,
    messages: Vec<(String, MessageState)>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
struct Queued {
    conversation: String,
    idempotency: [u8; 16],
    tag: u8,
    request: Vec<u8>,
}

impl Kept {
    fn read(store: &Store, answers: u64) -> Result<Kept, StoreError> {
        let mut kept = Kept {
            state: store.state_get("learned")?,
            ..Kept::default()
        };
        let mut titles = BTreeMap::new();
        for summary in store.conversations().list(None, 1000)? {
            let read = store.conversations().get(summary.id)?;
            let talk = Talk {
                attributes: read.attributes,
                is_pinned: summary.pinned,
                messages: read.messages.into_iter().map(|one| (one.text, one.state)).collect(),
            };
            assert_eq!(summary.messages as usize, talk.messages.len());
            titles.insert(summary.id, summary.title.clone());
            assert!(
                kept.conversations.insert(summary.title, talk).is_none(),
                "a title is there twice"
            );
        }
        for queued in store.outbox().list(None, 1000)? {
            let row = Queued {
                conversation: titles[&queued.conversation].clone(),
                idempotency: queued.idempotency,
                tag: queued.state.tag,
                request: queued.request,
            };
            kept.outbox.insert(queued.id.0, row);
        }
        for key in 0..answers {
            if let Some(found) = store.answers().get(&cache_key(key), NOW_MS)? {
                kept.answers.insert(key, String::from_utf8(found.value).unwrap());
            }
        }
        for id in 1.. {
            match store.ledger().show(ReceiptId(id)) {
                Ok(receipt) => kept.receipts.push(receipt.outcome),
                Err(StoreError::UnknownReceipt { .. }) => break,
                Err(error) => return Err(error),
            }
        }
        Ok(kept)
    }

    /// What opening makes of it: what was in progress is interrupted.
    fn opened(mut self) -> Kept {
        for talk in self.conversations.values_mut() {
            for message in &mut talk.messages {
                if message.1 == MessageState::Draft {
                    message.1 = MessageState::Interrupted;
                }
            }
        }
        for receipt in &mut self.receipts {
            receipt.get_or_insert(Outcome::Interrupted);
        }
        self
    }
}

/// Every cached answer came with a receipt of its own.
fn receipt_of(key: u64) -> ReceiptId {
    ReceiptId(key + 1)
}

fn cache_key(key: u64) -> Vec<u8> {
    format!("{MARKER}cached-{key}").into_bytes()
}

/// Whether this is what the store may say when the disk fails so.
fn says(error: &StoreError, failure: Failure) -> bool {
    match (failure, error) {
        (Failure::Full, StoreError::Full { .. }) => true,
        (Failure::Full, _) => false,
        (_, StoreError::Database { source, .. }) => source.sqlite_error_code() == Some(ErrorCode::SystemIoFailure),
        _ => false,
    }
}

/// A store, and what it must hold.
struct Workload {
    random: Pcg64Mcg,
    vault: Arc<MemoryVault>,
    folder: TempDir,
    disk: Arc<Disk>,
    kept: Kept,
    /// What the store may also hold after the power went: calls that failed may have reached the disk.
    perhaps: Vec<Kept>,
    ids: BTreeMap<String, ConversationId>,
    number: u64,
    answers: u64,
    numbers_given: BTreeSet<u64>,
    failed: BTreeMap<Failure, u64>,
    cuts: u64,
}

impl Workload {
    fn new(seed: u64) -> Workload {
        let folder = tempfile::tempdir().unwrap();
        Workload {
            random: Pcg64Mcg::new(u128::from(seed)),
            vault: vault(),
            disk: Disk::new(folder.path(), seed),
            folder,
            kept: Kept::default(),
            perhaps: Vec::new(),
            ids: BTreeMap::new(),
            number: 0,
            answers: 0,
            numbers_given: BTreeSet::new(),
            failed: BTreeMap::new(),
            cuts: 0,
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("store.db")
    }

    fn open(&self) -> Result<Store, StoreError> {
        Store::open(&self.path(), Arc::clone(&self.vault) as Arc<dyn KeyVault>, NOW_MS)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.random.next_u64() % end
    }

    fn text(&mut self) -> String {
        self.number += 1;
        // Some take more than one page.
        let words = if self.below(6) == 0 { 900 } else { 5 };
        format!("{MARKER}{} {}", self.number, "and so on ".repeat(words))
    }

    /// Any conversation.
    fn any(&mut self) -> Option<(String, ConversationId)> {
        let titles: Vec<_> = self.kept.conversations.keys().cloned().collect();
        let at = self.below(titles.len().max(1) as u64) as usize;
        let title = titles.get(at)?;
        Some((title.clone(), self.ids[title]))
    }

    fn fault(&mut self) -> Fault {
        Fault {
            failure: Failure::ALL[self.below(5) as usize],
            after: self.below(8) as u32,
            stays: self.below(4) == 0,
        }
    }

    /// Opens the store on a disk that may fail meanwhile, and looks at what is there.
    fn start(&mut self, seed: u64) -> Store {
        loop {
            let fault = self.fault();
            let is_armed = self.below(3) == 0;
            self.disk.fail(is_armed.then_some(fault));
            let opened = self.open();
            self.disk.fail(None);
            match opened {
                Ok(store) => {
                    self.look_again(&store, seed);
                    return store;
                }
                Err(error) => {
                    assert!(says(&error, fault.failure), "seed {seed}, {fault:?}: {error:?}");
                    // What the system shows after a failed sync is not what the disk has; only a restart tells.
                    if fault.failure == Failure::Sync {
                        self.restart();
                    }
                }
            }
        }
    }

    /// After an opening the store is what it was, or that with a call that failed.
    fn look_again(&mut self, store: &Store, seed: u64) {
        let sound: String = Connection::open(self.path())
            .unwrap()
            .query_row("PRAGMA integrity_check", [], |row| row.get(0))
            .unwrap();
        assert_eq!(sound, "ok", "seed {seed}");
        assert!(store.ledger().verify().unwrap().is_intact(), "seed {seed}");
        let found = Kept::read(store, self.answers).unwrap();
        let mut possible = std::mem::take(&mut self.perhaps);
        possible.insert(0, self.kept.clone());
        let fits = possible.into_iter().any(|kept| kept.opened() == found);
        assert!(
            fits,
            "seed {seed}: the store has\n{found:?}\nand should have\n{:?}",
            self.kept
        );
        self.kept = found;
        for summary in store.conversations().list(None, 1000).unwrap() {
            let id = *self.ids.entry(summary.title).or_insert(summary.id);
            assert_eq!(id, summary.id, "seed {seed}");
        }
    }

    /// The power is back, and another process begins with what the disk has.
    fn restart(&mut self) {
        let folder = tempfile::tempdir().unwrap();
        self.disk.leave(folder.path());
        self.disk.remove();
        self.note();
        self.cuts += 1;
        let seed = self.random.next_u64();
        self.folder = folder;
        self.disk = Disk::new(self.folder.path(), seed);
    }

    fn note(&mut self) {
        for (failure, count) in self.disk.failed() {
            *self.failed.entry(failure).or_default() += count;
        }
    }

    /// One call, on a disk that fails meanwhile.
    fn step(&mut self, store: &Store, seed: u64) {
        let fault = self.fault();
        let is_armed = self.below(2) == 0;
        let choice = self.below(16);
        let before = self.disk.failed();
        self.disk.fail(is_armed.then_some(fault));
        let (result, after) = self.call(store, choice);
        self.disk.fail(None);
        match result {
            Ok(()) => {
                if after != self.kept {
                    self.perhaps.clear();
                }
                self.kept = after;
            }
            Err(_) if self.disk.is_off() => self.perhaps.push(after),
            Err(StoreError::LogLeft { .. }) => {
                self.perhaps.clear();
                self.kept = after;
            }
            Err(error) => {
                assert!(before != self.disk.failed(), "seed {seed}, call {choice}: {error:?}");
                assert!(
                    says(&error, fault.failure),
                    "seed {seed}, call {choice}, {fault:?}: {error:?}"
                );
                self.perhaps.push(after);
            }
        }
        if !self.disk.is_off() {
            let found = Kept::read(store, self.answers).unwrap();
            assert_eq!(found, self.kept, "seed {seed}, call {choice}, {fault:?}");
        }
    }

    /// Makes one call. Returns its result, and what the store holds if it succeeds.
    fn call(&mut self, store: &Store, choice: u64) -> (Result<(), StoreError>, Kept) {
        let mut after = self.kept.clone();
        let text = self.text();
        let Some((title, id)) = self.any().filter(|_| choice > 1) else {
            let title = format!("{MARKER}title-{}", self.number);
            let new = NewConversation {
                title: &title,
                attributes: "PLANTED-attributes",
                messages: &[question(&text)],
            };
            let made = store.conversations().create(&new, NOW_MS);
            let talk = Talk {
                attributes: new.attributes.to_owned(),
                is_pinned: false,
                messages: vec![(text.clone(), MessageState::Complete)],
            };
            after.conversations.insert(title.clone(), talk);
            let result = made.map(|id| {
                self.ids.insert(title, id);
            });
            return (result, after);
        };
        let conversations = store.conversations();
        let talk = after.conversations.get_mut(&title).unwrap();
        let result = match choice {
            2..=4 => {
                let position = self.below(talk.messages.len() as u64 + 1) as usize;
                let state = [MessageState::Draft, MessageState::Complete][self.below(2) as usize];
                let messages = [
                    question(&text),
                    StoredMessage {
                        state,
                        ..answer("PLANTED-begun")
                    },
                ];
                talk.attributes = format!("PLANTED-attributes-{}", self.number);
                talk.messages.truncate(position);
                talk.messages
                    .extend(messages.iter().map(|one| (one.text.clone(), one.state)));
                let change = Change {
                    position: position as u32,
                    messages: &messages,
                    attributes: &talk.attributes,
                };
                conversations.change(id, &change, NOW_MS)
            }
            5 => match talk.messages.last_mut() {
                Some((begun, MessageState::Draft)) => {
                    begun.clone_from(&text);
                    let position = talk.messages.len() as u32 - 1;
                    conversations.update_answer(id, position, &answer(&text))
                }
                _ => {
                    talk.is_pinned = !talk.is_pinned;
                    conversations.set_pinned(id, talk.is_pinned)
                }
            },
            6 | 7 => {
                let new = request(id, &text);
                let reserved = match store.outbox().reserve() {
                    Ok(reserved) => reserved,
                    Err(error) => return (Err(error), self.kept.clone()),
                };
                let row = Queued {
                    conversation: title,
                    idempotency: reserved.idempotency,
                    tag: 1,
                    request: text.into_bytes(),
                };
                after.outbox.insert(reserved.id.0, row);
                let queued = store.outbox().enqueue_reserved(reserved, &new, NOW_MS);
                if queued.is_ok() {
                    assert!(self.numbers_given.insert(reserved.id.0), "a number was given twice");
                }
                queued
            }
            8 => self.settle(store, &mut after, &text),
            9 => {
                let key = self.below(self.answers + 1);
                self.answers = self.answers.max(key + 1);
                after.answers.insert(key, text.clone());
                let found_by = cache_key(key);
                let new = NewAnswer {
                    receipt: receipt_of(key),
                    ..cached(&found_by, text.as_bytes())
                };
                store.answers().put(&new, NOW_MS)
            }
            10 => {
                let key = self.below(self.answers + 1);
                after.answers.remove(&key);
                store.answers().forget(receipt_of(key)).map(drop)
            }
            11 => store.rotate(3).map(drop),
            12 => conversations.find("so on", 5).map(drop),
            13 => {
                after.conversations.remove(&title);
                after.outbox.retain(|_, queued| queued.conversation != title);
                conversations.delete(id)
            }
            14 => {
                // State has no texts, and is not sealed.
                let learned = self.number.to_le_bytes();
                after.state = Some(learned.to_vec());
                store.state_put("learned", &learned)
            }
            _ => match after.receipts.iter().position(Option::is_none) {
                Some(open) if self.below(2) == 0 => {
                    after.receipts[open] = Some(Outcome::Answered);
                    let id = ReceiptId(open as u64 + 1);
                    store.ledger().finish(id, &answered_here(), NOW_MS)
                }
                _ => {
                    after.receipts.push(None);
                    store.ledger().begin(&intent(self.number), NOW_MS).map(drop)
                }
            },
        };
        (result, after)
    }

    /// Moves the oldest queued request on: it waits, is answered, or is removed.
    fn settle(&mut self, store: &Store, after: &mut Kept, text: &str) -> Result<(), StoreError> {
        let Some((&id, _)) = after.outbox.first_key_value() else {
            return store.empty_log();
        };
        let queued = after.outbox.get_mut(&id).unwrap();
        let outbox = store.outbox();
        match self.below(3) {
            0 => {
                let state = QueuedState {
                    tag: queued.tag % 7 + 1,
                    ..QueuedState::default()
                };
                queued.tag = state.tag;
                outbox.update(OutboxId(id), &state)
            }
            1 => {
                after.outbox.remove(&id);
                outbox.remove(OutboxId(id))
            }
            _ => {
                let queued = after.outbox.remove(&id).unwrap();
                let talk = after.conversations.get_mut(&queued.conversation).unwrap();
                let change = Change {
                    position: talk.messages.len() as u32,
                    messages: &[answer(text)],
                    attributes: &talk.attributes,
                };
                talk.messages.push((text.to_owned(), MessageState::Complete));
                outbox.conclude(OutboxId(id), &change, NOW_MS)
            }
        }
    }

    fn check_sealed(&self, folder: &Path, seed: u64) {
        assert!(
            !is_anywhere(folder, MARKER.as_bytes()),
            "seed {seed}: a text is in a file"
        );
    }
}

/// SQLite says that a database has a log before that has reached the disk. Without a log, a commit may be undone when the power goes.
#[test]
fn a_store_that_opens_has_a_log() {
    let mut opened = 0;
    for failure in Failure::ALL {
        for after in 0..20 {
            let workload = Workload::new(u64::from(after));
            workload.disk.fail(Some(Fault {
                failure,
                after,
                stays: false,
            }));
            let result = workload.open();
            workload.disk.fail(None);
            if let Ok(store) = result {
                opened += 1;
                store.state_put("learned", b"{}").unwrap();
                let raw = Connection::open(workload.path()).unwrap();
                let mode: String = raw.query_row("PRAGMA journal_mode", [], |row| row.get(0)).unwrap();
                assert_eq!(mode, "wal", "{failure:?} after {after}");
            }
            workload.disk.remove();
        }
    }
    assert!((10..90).contains(&opened), "{opened}");
}

/// A recovery writes a whole database, so a disk that fails or fills up is likely then. The damaged database stays as it is.
#[test]
fn a_recovery_that_fails_leaves_the_damaged_database() {
    let sample = Workload::new(1);
    let store = sample.open().unwrap();
    for number in 0..20 {
        conversation(&store.conversations(), &format!("{MARKER}{number}"), &["Why?", "So."]);
        store
            .ledger()
            .record(&intent(number), &answered_here(), NOW_MS)
            .unwrap();
    }
    drop(store);
    sample.disk.remove();
    let mut bytes = std::fs::read(sample.path()).unwrap();
    bytes[..4096].fill(7);
    let mut failed = 0;
    for failure in Failure::ALL {
        for after in 0..40 {
            let workload = Workload {
                vault: Arc::clone(&sample.vault),
                ..Workload::new(u64::from(after))
            };
            std::fs::write(workload.path(), &bytes).unwrap();
            let recover = || {
                Store::recover(
                    &workload.path(),
                    Arc::clone(&workload.vault) as Arc<dyn KeyVault>,
                    NOW_MS,
                )
            };
            workload.disk.fail(Some(Fault {
                failure,
                after,
                stays: after % 2 == 0,
            }));
            let result = recover();
            workload.disk.fail(None);
            let store = match result {
                Ok((store, _)) => store,
                Err(error) => {
                    assert!(says(&error, failure), "{failure:?} after {after}: {error:?}");
                    failed += 1;
                    // The new database was whole and the disk failed when it was opened, or the old one is untouched.
                    match workload.open() {
                        Ok(store) => store,
                        Err(error) => {
                            assert!(matches!(error, StoreError::Damaged { .. }), "{error:?}");
                            assert_eq!(std::fs::read(workload.path()).unwrap(), bytes);
                            recover().unwrap().0
                        }
                    }
                }
            };
            assert_eq!(store.conversations().list(None, 100).unwrap().len(), 20);
            assert!(store.ledger().verify().unwrap().is_intact());
            workload.disk.remove();
        }
    }
    assert!(failed > 50, "{failed}");
}

#[test]
fn a_store_on_a_disk_that_fails_is_what_its_calls_said() {
    let (mut failed, mut cuts) = (BTreeMap::new(), 0);
    for seed in 0..workloads() {
        let mut workload = Workload::new(seed);
        for _ in 0..3 {
            let changes = workload.below(250) as u32;
            let store = workload.start(seed);
            workload.disk.cut_power(changes);
            for _ in 0..STEPS {
                workload.step(&store, seed);
                if workload.disk.is_off() {
                    break;
                }
            }
            drop(store);
            workload.check_sealed(workload.folder.path(), seed);
            workload.restart();
            workload.check_sealed(workload.folder.path(), seed);
        }
        let store = workload.start(seed);
        drop(store);
        workload.note();
        workload.disk.remove();
        for (failure, count) in workload.failed {
            *failed.entry(failure).or_insert(0) += count;
        }
        cuts += workload.cuts;
    }
    println!("{failed:?}, power cut {cuts} times");
    if workloads() >= WORKLOADS_DEFAULT {
        assert!(
            failed.len() == Failure::ALL.len() && failed.values().all(|count| *count > 50),
            "{failed:?}"
        );
    }
}

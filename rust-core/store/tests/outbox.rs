//! Queued requests: durable, in order, and answered exactly once.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeSet;

use support::kept::{answer, complete, conversation, question, request};
use support::{NOW_MS, open, vault};
use whimbrel_record::RecordError;
use whimbrel_store::{
    ConversationId, OutboxId, OutboxSize, QUEUED_MACHINE_BYTES_MAX, QUEUED_REQUEST_BYTES_MAX, QueuedState, StoreError,
};

#[test]
fn what_is_queued_is_read_back_after_opening_again() {
    let folder = tempfile::tempdir().unwrap();
    let (path, vault) = (folder.path().join("store.db"), vault());
    let store = open(&path, &vault);
    let id = conversation(&store.conversations(), "Birds", &["Which bird?"]);
    let new = request(id, "ask this");
    let queued = store.outbox().enqueue(&new, NOW_MS).unwrap();
    assert_eq!((queued.id, queued.bytes, &queued.state), (OutboxId(1), 8, &new.state));
    drop(store);
    let store = open(&path, &vault);
    let outbox = store.outbox();
    assert_eq!(outbox.list(None, 10).unwrap(), std::slice::from_ref(&queued));
    assert_eq!(outbox.get(queued.id).unwrap(), queued);

    let state = QueuedState {
        tag: 3,
        next_attempt_ms: None,
        priority: -2,
        machine: b"{\"attempts\":1}".to_vec(),
    };
    outbox.update(queued.id, &state).unwrap();
    outbox.replace(queued.id, &state, b"ask that instead").unwrap();
    let edited = outbox.get(queued.id).unwrap();
    assert_eq!(
        (&edited.state, edited.request.as_slice()),
        (&state, &b"ask that instead"[..])
    );
    assert_eq!(edited.idempotency, queued.idempotency);
    assert_eq!(outbox.size().unwrap(), OutboxSize { requests: 1, bytes: 16 });

    let position = complete(&store, queued.id, &[answer("A whimbrel.")], NOW_MS + 9).unwrap();
    assert_eq!(position, 1);
    let again = complete(&store, queued.id, &[answer("A whimbrel.")], NOW_MS + 9);
    assert!(matches!(again, Err(StoreError::UnknownRequest { id: 1 })));
    let messages = store.conversations().get(id).unwrap().messages;
    assert_eq!(messages, [question("Which bird?"), answer("A whimbrel.")]);
    assert_eq!(outbox.size().unwrap(), OutboxSize::default());
    // A number is never used again.
    assert_eq!(outbox.enqueue(&new, NOW_MS).unwrap().id, OutboxId(2));
}

#[test]
fn requests_stay_in_order_with_keys_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("store.db"), &vault());
    let one = conversation(&store.conversations(), "one", &[]);
    let two = conversation(&store.conversations(), "two", &[]);
    let outbox = store.outbox();
    let new: Vec<_> = (0..40)
        .map(|number| request(if number % 3 == 0 { one } else { two }, &format!("request {number}")))
        .collect();
    let queued = outbox.enqueue_many(&new, NOW_MS).unwrap();
    let keys: BTreeSet<_> = queued.iter().map(|queued| queued.idempotency).collect();
    assert_eq!(keys.len(), 40);
    outbox.remove(queued[5].id).unwrap();
    let mut listed = outbox.list(None, 20).unwrap();
    listed.extend(outbox.list(Some(listed[19].id), 1000).unwrap());
    let expected: Vec<_> = queued.iter().filter(|one| one.id != queued[5].id).cloned().collect();
    assert_eq!(listed, expected);
    store.conversations().delete(one).unwrap();
    assert!(
        outbox
            .list(None, 100)
            .unwrap()
            .iter()
            .all(|queued| queued.conversation == two)
    );
}

#[test]
fn what_cannot_be_queued_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("store.db"), &vault());
    let id = conversation(&store.conversations(), "Birds", &[]);
    let outbox = store.outbox();
    let fine = request(id, "fine");
    let nowhere = request(ConversationId([1; 16]), "lost");
    let refused = outbox.enqueue_many(&[fine.clone(), nowhere], NOW_MS);
    assert!(matches!(refused, Err(StoreError::UnknownConversation { .. })));
    let mut large = fine.clone();
    large.request = vec![0; QUEUED_REQUEST_BYTES_MAX as usize + 1];
    let mut wordy = fine;
    wordy.state.machine = vec![0; QUEUED_MACHINE_BYTES_MAX as usize + 1];
    for new in [large, wordy] {
        let refused = outbox.enqueue(&new, NOW_MS);
        assert!(matches!(refused, Err(StoreError::Record(RecordError::TooMuch { .. }))));
    }
    assert_eq!(outbox.size().unwrap(), OutboxSize::default());
    let unknown = [
        outbox.get(OutboxId(9)).map(drop),
        outbox.remove(OutboxId(9)),
        outbox.update(OutboxId(u64::MAX), &QueuedState::default()),
        complete(&store, OutboxId(9), &[], NOW_MS).map(drop),
    ];
    for result in unknown {
        assert!(matches!(result, Err(StoreError::UnknownRequest { .. })), "{result:?}");
    }
}

/// Somebody sets the readable counter to the last number that there is.
#[test]
fn a_counter_at_its_end_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("store.db"), &vault());
    let id = conversation(&store.conversations(), "Birds", &[]);
    store.outbox().enqueue(&request(id, "fine"), NOW_MS).unwrap();
    let raw = rusqlite::Connection::open(store.path()).unwrap();
    raw.execute("UPDATE counter SET value = ?1", [i64::MAX]).unwrap();
    let refused = store.outbox().reserve();
    assert!(matches!(refused, Err(StoreError::Unreadable { .. })), "{refused:?}");
}

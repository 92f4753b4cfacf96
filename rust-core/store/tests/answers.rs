//! Cached answers: found by their key alone, and forgotten for good: by receipt, by age, with their conversation.
#![allow(clippy::unwrap_used)]

mod support;

use rusqlite::Connection;
use support::kept::{cached, conversation, is_anywhere};
use support::{NOW_MS, open, vault};
use whimbrel_record::{ReceiptId, RecordError};
use whimbrel_store::{ANSWER_VALUE_BYTES_MAX, AnswersSize, Change, NewAnswer, StoreError};

#[test]
fn an_answer_is_found_by_its_key_with_its_age() {
    let folder = tempfile::tempdir().unwrap();
    let (path, vault) = (folder.path().join("store.db"), vault());
    let store = open(&path, &vault);
    let answers = store.answers();
    assert_eq!(answers.get(b"question", NOW_MS).unwrap(), None);
    answers.put(&cached(b"question", b"answer"), NOW_MS).unwrap();
    answers.put(&cached(b"question", b"better answer"), NOW_MS + 5).unwrap();
    answers.put(&cached(b"other", b""), NOW_MS).unwrap();
    drop((store, answers));
    let answers = open(&path, &vault).answers();
    let found = answers.get(b"question", NOW_MS + 65).unwrap().unwrap();
    assert_eq!(
        (found.value.as_slice(), found.created_ms, found.age_ms),
        (&b"better answer"[..], NOW_MS + 5, 60)
    );
    // A clock that was set back makes no negative age.
    assert_eq!(answers.get(b"question", NOW_MS - 9).unwrap().unwrap().age_ms, 0);
    assert_eq!(answers.get(b"other", NOW_MS).unwrap().unwrap().value, b"");
    assert_eq!(answers.size().unwrap().answers, 2);
    let past = answers.put(&cached(b"large", &vec![0; ANSWER_VALUE_BYTES_MAX as usize + 1]), NOW_MS);
    assert!(matches!(past, Err(StoreError::Record(RecordError::TooMuch { .. }))));
}

#[test]
fn what_is_forgotten_is_in_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("store.db"), &vault());
    let answers = store.answers();
    answers.put(&cached(b"one", &[1; 100]), NOW_MS).unwrap();
    let other = NewAnswer {
        receipt: ReceiptId(2),
        ..cached(b"two", &[2; 100])
    };
    answers.put(&other, NOW_MS).unwrap();
    let raw = Connection::open(store.path()).unwrap();
    let sealed = |id: i64| -> Vec<u8> {
        raw.query_row("SELECT value FROM answer WHERE id = ?1", [id], |row| row.get(0))
            .unwrap()
    };
    let (one, two) = (sealed(1), sealed(2));
    assert!(is_anywhere(folder.path(), &one) && is_anywhere(folder.path(), &two));
    assert!(answers.forget(ReceiptId(1)).unwrap());
    assert!(!answers.forget(ReceiptId(1)).unwrap());
    assert_eq!(answers.get(b"one", NOW_MS).unwrap(), None);
    assert!(!is_anywhere(folder.path(), &one) && is_anywhere(folder.path(), &two));
    answers.forget_all().unwrap();
    assert!(!is_anywhere(folder.path(), &two));
    assert_eq!(answers.size().unwrap(), AnswersSize::default());
}

#[test]
fn answers_go_by_their_numbers_and_their_age() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("store.db"), &vault());
    let answers = store.answers();
    for number in 0..10u8 {
        let time_ms = NOW_MS + u64::from(number);
        answers.put(&cached(&[number], &[number; 1000]), time_ms).unwrap();
    }
    answers.get(&[0], NOW_MS + 100).unwrap().unwrap();
    answers.get(&[4], NOW_MS + 101).unwrap().unwrap();
    let entries = answers.entries().unwrap();
    let used: Vec<u64> = entries.iter().map(|entry| entry.used_ms - NOW_MS).collect();
    assert_eq!(used, [100, 1, 2, 3, 101, 5, 6, 7, 8, 9]);
    let bytes: u64 = entries.iter().map(|entry| entry.bytes).sum();
    assert_eq!(answers.size().unwrap(), AnswersSize { answers: 10, bytes });
    let id = |number: usize| entries[number].id;
    assert_eq!(answers.evict(&[id(5), id(9), 77]).unwrap(), 2);
    let left = |now_ms| {
        let is_left = |number: &u8| answers.get(&[*number], now_ms).unwrap().is_some();
        (0..10).filter(is_left).collect::<Vec<u8>>()
    };
    assert_eq!(left(NOW_MS), [0, 1, 2, 3, 4, 6, 7, 8]);
    // Each for as long as it was to be cached; the next one that comes removes them.
    let lifetime_ms = cached(b"", b"").lifetime_ms;
    assert_eq!(left(NOW_MS + lifetime_ms + 3), [3, 4, 6, 7, 8]);
    answers.put(&cached(b"late", b""), NOW_MS + lifetime_ms + 3).unwrap();
    assert_eq!(answers.size().unwrap().answers, 6);
}

#[test]
fn an_answer_goes_with_its_message_and_its_conversation() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("store.db"), &vault());
    let (answers, conversations) = (store.answers(), store.conversations());
    let said = ["which?", "that"];
    let one = conversation(&conversations, "one", &said);
    let other = conversation(&conversations, "other", &said);
    let of = |key, id| NewAnswer {
        receipt: ReceiptId(7),
        conversation: Some(id),
        ..cached(key, b"that")
    };
    let is_there = |key| answers.get(key, NOW_MS).unwrap().is_some();
    answers.put(&of(b"one", one), NOW_MS).unwrap();
    answers.put(&of(b"other", other), NOW_MS).unwrap();
    let change = |position| Change {
        position,
        messages: &[],
        attributes: "",
    };
    // The answer in the conversation came with the receipt 7.
    let earlier = NewAnswer {
        receipt: ReceiptId(6),
        ..of(b"earlier", other)
    };
    answers.put(&earlier, NOW_MS).unwrap();
    conversations.change(other, &change(2), NOW_MS).unwrap();
    assert!(is_there(b"other"));
    conversations.change(other, &change(1), NOW_MS).unwrap();
    assert!(!is_there(b"other") && is_there(b"earlier") && is_there(b"one"));
    conversations.delete(one).unwrap();
    assert!(!is_there(b"one"));
    // Its conversation was deleted while it was made.
    answers.put(&of(b"late", one), NOW_MS).unwrap();
    assert!(!is_there(b"late"));
}

//! Cached answers: found by their key alone, forgotten for good, and removed from the one that was used longest ago.
#![allow(clippy::unwrap_used)]

mod support;

use rusqlite::Connection;
use support::kept::is_anywhere;
use support::{NOW_MS, open, vault};
use whimbrel_record::RecordError;
use whimbrel_store::{ANSWER_VALUE_BYTES_MAX, AnswersSize, StoreError};

#[test]
fn an_answer_is_found_by_its_key_with_its_age() {
    let folder = tempfile::tempdir().unwrap();
    let (path, vault) = (folder.path().join("store.db"), vault());
    let store = open(&path, &vault);
    let answers = store.answers();
    assert_eq!(answers.get(b"question", NOW_MS).unwrap(), None);
    answers.put(b"question", b"answer", NOW_MS).unwrap();
    answers.put(b"question", b"better answer", NOW_MS + 5).unwrap();
    answers.put(b"other", b"", NOW_MS).unwrap();
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
    let past = answers.put(b"large", &vec![0; ANSWER_VALUE_BYTES_MAX as usize + 1], NOW_MS);
    assert!(matches!(past, Err(StoreError::Record(RecordError::TooMuch { .. }))));
}

#[test]
fn what_is_forgotten_is_in_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("store.db"), &vault());
    let answers = store.answers();
    answers.put(b"one", &[1; 100], NOW_MS).unwrap();
    answers.put(b"two", &[2; 100], NOW_MS).unwrap();
    let raw = Connection::open(store.path()).unwrap();
    let sealed = |id: i64| -> Vec<u8> {
        raw.query_row("SELECT value FROM answer WHERE id = ?1", [id], |row| row.get(0))
            .unwrap()
    };
    let (one, two) = (sealed(1), sealed(2));
    assert!(is_anywhere(folder.path(), &one) && is_anywhere(folder.path(), &two));
    assert!(answers.forget(b"one").unwrap());
    assert!(!answers.forget(b"one").unwrap());
    assert!(!is_anywhere(folder.path(), &one) && is_anywhere(folder.path(), &two));
    answers.forget_all().unwrap();
    assert!(!is_anywhere(folder.path(), &two));
    assert_eq!(answers.size().unwrap(), AnswersSize::default());
}

#[test]
fn the_answer_that_was_used_longest_ago_goes_first() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("store.db"), &vault());
    let answers = store.answers();
    for number in 0..10u8 {
        answers
            .put(&[number], &[number; 1000], NOW_MS + u64::from(number))
            .unwrap();
    }
    answers.get(&[0], NOW_MS + 100).unwrap().unwrap();
    answers.get(&[4], NOW_MS + 101).unwrap().unwrap();
    let bytes = answers.size().unwrap().bytes;
    assert!(bytes > 10_000 && bytes < 12_000, "{bytes}");
    assert_eq!(answers.evict(bytes).unwrap(), 0);
    assert_eq!(answers.evict(bytes / 2).unwrap(), 5);
    let left: Vec<u8> = (0..10)
        .filter(|number| answers.get(&[*number], NOW_MS).unwrap().is_some())
        .collect();
    assert_eq!(left, [0, 4, 7, 8, 9]);
    assert_eq!(answers.evict(0).unwrap(), 5);
}

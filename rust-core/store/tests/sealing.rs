//! Sealed values: every flipped byte is noticed, no text is in any file, and damaged values are given up one by one.
#![allow(clippy::unwrap_used)]

mod support;

use rusqlite::Connection;
use support::kept::{
    answer, append, cached, complete, conversation, filled, is_anywhere, question, read_all, replace_from, request,
    start_answer,
};
use support::{NOW_MS, answered_here, intent, open, vault};
use whimbrel_store::{
    Change, MessageState, NewConversation, NewRequest, OutboxId, Repaired, Retention, SealError, StoreError,
};

const MARKER: &str = "PLANTED-";

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
    store.answers().put(&cached(b"other", b"wrong"), NOW_MS).unwrap();
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

#[test]
fn a_repair_gives_up_what_is_damaged_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _, id) = filled(folder.path());
    store.outbox().enqueue(&request(id, "other"), NOW_MS).unwrap();
    store.answers().put(&cached(b"other", b"fine"), NOW_MS).unwrap();
    assert_eq!(store.repair().unwrap(), Repaired::default());
    let raw = Connection::open(store.path()).unwrap();
    raw.execute_batch(
        "UPDATE conversation SET title = x'00', attributes = zeroblob(70);
         UPDATE message SET body = zeroblob(90) WHERE id = 2;
         UPDATE outbox SET request = machine WHERE id = 1;
         UPDATE answer SET value = x'' WHERE id = 1",
    )
    .unwrap();
    read_all(&store, id).unwrap_err();
    assert_eq!(
        store
            .conversations()
            .search("bird")
            .unwrap()
            .next_batch()
            .unwrap()
            .unwrap(),
        []
    );
    let lost = Repaired {
        titles: 1,
        attributes: 1,
        messages: 1,
        requests: 1,
        answers: 1,
    };
    assert_eq!(store.repair().unwrap(), lost);
    read_all(&store, id).unwrap();
    let kept = store.conversations().get(id).unwrap();
    assert_eq!(kept.messages[0], question("Which bird?"));
    assert_eq!(
        (kept.messages[1].text.as_str(), kept.messages[1].state),
        ("", MessageState::Lost)
    );
    assert_eq!(store.outbox().list(None, 9).unwrap()[0].request, b"other");
    assert_eq!(store.answers().get(b"other", NOW_MS).unwrap().unwrap().value, b"fine");
    assert_eq!(store.repair().unwrap(), Repaired::default());
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
        append(&conversations, id, &[answer(&text())], NOW_MS).unwrap();
        replace_from(&conversations, id, 11, &[question(&text())], NOW_MS).unwrap();
        conversations.set_title(id, &text()).unwrap();
        let change = Change {
            position: 12,
            messages: &[],
            attributes: &text(),
        };
        conversations.change(id, &change, NOW_MS).unwrap();
        let position = start_answer(&conversations, id, &answer(&text()), NOW_MS).unwrap();
        conversations.update_answer(id, position, &answer(&text())).unwrap();
        replace_from(&conversations, id, position, &[answer(&text())], NOW_MS).unwrap();
        let mut new = request(id, &text());
        new.state.machine = text().into_bytes();
        let queued = store.outbox().enqueue(&new, NOW_MS).unwrap();
        store
            .outbox()
            .replace(queued.id, &new.state, text().as_bytes())
            .unwrap();
        if round % 2 == 0 {
            complete(&store, queued.id, &[answer(&text())], NOW_MS).unwrap();
        }
        store
            .answers()
            .put(&cached(text().as_bytes(), text().as_bytes()), NOW_MS)
            .unwrap();
        store.files("prefix").unwrap().put("file", text().as_bytes()).unwrap();
        store.ledger().record(&intent(round), &answered_here(), NOW_MS).unwrap();
    }
    assert!(planted.next().unwrap() >= 1_000);
    nowhere("written");
    assert!(!conversations.find(MARKER, 2_000).unwrap().is_empty());
    store.answers().evict(&[1, 2]).unwrap();
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
fn a_full_disk_loses_nothing_that_was_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (store, vault, id) = filled(folder.path());
    store.limit_pages(60).unwrap();
    let mut kept = 2;
    let error = loop {
        match append(&store.conversations(), id, &[question(&"bird ".repeat(200))], NOW_MS) {
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
        store.answers().put(&cached(b"large", &[7; 50_000]), NOW_MS),
        complete(&store, OutboxId(1), &[answer(&"long ".repeat(9_000))], NOW_MS).map(drop),
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
    complete(&store, OutboxId(1), &[answer("short")], NOW_MS).unwrap();
}

//! Conversations: order, pages, changes, answers in progress, search, retention, export and import, and deletion that leaves nothing.
#![allow(clippy::unwrap_used)]

mod support;

use std::path::Path;
use std::sync::Arc;

use rusqlite::Connection;
use support::kept::{
    answer, append, contains, conversation, is_anywhere, question, replace_from, request, start_answer,
};
use support::{NOW_MS, open, vault};
use whimbrel_record::RecordError;
use whimbrel_store::{
    CONVERSATION_MESSAGES_MAX, Change, ConversationId, HitPlace, ImportError, KeyVault, LIST_MAX, MemoryVault,
    MessageState, NewConversation, Retention, SEARCH_TEXT_BYTES_MAX, Store, StoreError, TITLE_BYTES_MAX,
};

fn store(folder: &Path) -> (Store, Arc<MemoryVault>) {
    let vault = vault();
    (open(&folder.join("store.db"), &vault), vault)
}

#[test]
fn what_is_kept_is_read_back_after_opening_again() {
    let folder = tempfile::tempdir().unwrap();
    let (first, vault) = store(folder.path());
    let id = conversation(&first.conversations(), "Birds", &["Which bird?", "A whimbrel."]);
    drop(first);
    let conversations = open(&folder.path().join("store.db"), &vault).conversations();
    let kept = conversations.get(id).unwrap();
    assert_eq!(kept.messages, [question("Which bird?"), answer("A whimbrel.")]);
    assert_eq!(kept.attributes, "{\"system\":\"Be brief.\"}");
    assert_eq!((kept.summary.title.as_str(), kept.summary.messages), ("Birds", 2));
    assert_eq!((kept.summary.created_ms, kept.summary.updated_ms), (NOW_MS, NOW_MS));
    assert!(kept.summary.bytes > 30);
    let position = append(&conversations, id, &[question("And this?")], NOW_MS + 5).unwrap();
    assert_eq!(position, 2);
    assert_eq!(conversations.messages(id, 1, 1).unwrap(), [answer("A whimbrel.")]);
    replace_from(&conversations, id, 1, &[answer("A curlew.")], NOW_MS + 6).unwrap();
    let kept = conversations.get(id).unwrap();
    assert_eq!(kept.messages, [question("Which bird?"), answer("A curlew.")]);
    assert_eq!(kept.summary.updated_ms, NOW_MS + 6);
    conversations.set_title(id, "Waders").unwrap();
    let change = Change {
        position: 2,
        messages: &[],
        attributes: "",
    };
    conversations.change(id, &change, NOW_MS).unwrap();
    let kept = conversations.get(id).unwrap();
    assert_eq!((kept.summary.title.as_str(), kept.attributes.as_str()), ("Waders", ""));
    assert_eq!(kept.messages.len(), 2);
    let past = replace_from(&conversations, id, 3, &[], NOW_MS);
    assert!(matches!(past, Err(StoreError::UnknownMessage { position: 3 })));
}

#[test]
fn pinned_ones_stand_first_and_pages_follow_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = store(folder.path());
    let conversations = store.conversations();
    let ids: Vec<_> = (0..7u64)
        .map(|number| {
            let title = format!("number {number}");
            let new = NewConversation {
                title: &title,
                ..NewConversation::default()
            };
            conversations.create(&new, NOW_MS + number / 2).unwrap()
        })
        .collect();
    conversations.set_pinned(ids[1], true).unwrap();
    append(&conversations, ids[2], &[question("new")], NOW_MS + 100).unwrap();
    let mut pages = Vec::new();
    let mut last = None;
    loop {
        let page = conversations.list(last.as_ref(), 3).unwrap();
        let Some(end) = page.last() else { break };
        last = Some(end.clone());
        pages.extend(page.iter().map(|summary| summary.id));
    }
    let expected = [ids[1], ids[2], ids[6], ids[5], ids[4], ids[3], ids[0]];
    assert_eq!(pages, expected);
    conversations.set_pinned(ids[1], false).unwrap();
    assert_eq!(conversations.list(None, 1).unwrap()[0].id, ids[2]);
    let past = conversations.list(None, LIST_MAX + 1);
    assert!(matches!(past, Err(StoreError::Record(RecordError::TooMuch { .. }))));
}

#[test]
fn an_answer_in_progress_reads_as_interrupted_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (first, vault) = store(folder.path());
    let conversations = first.conversations();
    let id = conversation(&conversations, "Birds", &["Which bird?"]);
    let position = start_answer(&conversations, id, &answer(""), NOW_MS).unwrap();
    conversations.update_answer(id, position, &answer("A whim")).unwrap();
    assert_eq!(conversations.get(id).unwrap().messages[1].state, MessageState::Draft);
    let other = conversation(&conversations, "Other", &["Why?"]);
    let done = start_answer(&conversations, other, &answer(""), NOW_MS).unwrap();
    replace_from(&conversations, other, done, &[answer("Because.")], NOW_MS).unwrap();
    let again = conversations.update_answer(other, done, &answer("No."));
    assert!(matches!(again, Err(StoreError::UnknownMessage { .. })));
    drop((first, conversations));
    let conversations = open(&folder.path().join("store.db"), &vault).conversations();
    let interrupted = &conversations.get(id).unwrap().messages[1];
    assert_eq!(
        (interrupted.text.as_str(), interrupted.state),
        ("A whim", MessageState::Interrupted)
    );
    assert_eq!(conversations.get(other).unwrap().messages[1], answer("Because."));
    let late = conversations.update_answer(id, position, &answer("A whimbrel"));
    assert!(matches!(late, Err(StoreError::UnknownMessage { .. })));
}

#[test]
fn limits_are_checked_and_leave_everything_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = store(folder.path());
    let conversations = store.conversations();
    let id = conversation(&conversations, "Birds", &["Which bird?"]);
    let long = "t".repeat(TITLE_BYTES_MAX as usize + 1);
    let empty = vec![question(""); CONVERSATION_MESSAGES_MAX as usize];
    let past = [
        conversations.set_title(id, &long),
        append(&conversations, id, &empty, NOW_MS).map(drop),
        conversations
            .find(&"s".repeat(SEARCH_TEXT_BYTES_MAX as usize + 1), 1)
            .map(drop),
    ];
    for result in past {
        assert!(
            matches!(result, Err(StoreError::Record(RecordError::TooMuch { .. }))),
            "{result:?}"
        );
    }
    let nobody = ConversationId([0; 16]);
    let unknown = [
        conversations.get(nobody).map(drop),
        append(&conversations, nobody, &[], NOW_MS).map(drop),
        conversations.delete(nobody),
        conversations.set_pinned(nobody, true),
    ];
    for result in unknown {
        assert!(
            matches!(result, Err(StoreError::UnknownConversation { .. })),
            "{result:?}"
        );
    }
    assert_eq!(conversations.get(id).unwrap().messages, [question("Which bird?")]);
    assert_eq!(conversations.summary(id).unwrap().title, "Birds");
}

#[test]
fn a_search_finds_titles_and_texts_newest_first() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = store(folder.path());
    let conversations = store.conversations();
    let old = conversation(&conversations, "Wading birds", &["Is the WHIMBREL a curlew?", "Yes."]);
    let new = conversation(
        &conversations,
        "Größe",
        &["How large is a whimbrel?", "A Whimbrel has 40 cm."],
    );
    for number in 0..2000 {
        append(&conversations, old, &[question(&format!("filler {number}"))], NOW_MS).unwrap();
        if number == 700 {
            append(&conversations, new, &[question("whimbrel again")], NOW_MS).unwrap();
        }
    }
    let places = |text: &str, hits_max: u32| -> Vec<_> {
        let hits = conversations.find(text, hits_max).unwrap();
        hits.iter()
            .map(|hit| {
                (
                    hit.conversation,
                    hit.place,
                    hit.text[hit.start as usize..hit.end as usize].to_owned(),
                )
            })
            .collect()
    };
    let message = |id, position, text: &str| (id, HitPlace::Message(position), text.to_owned());
    assert_eq!(
        places("whimbrel", 10),
        [
            message(new, 2, "whimbrel"),
            message(new, 1, "Whimbrel"),
            message(new, 0, "whimbrel"),
            message(old, 0, "WHIMBREL"),
        ]
    );
    assert_eq!(places("whimbrel", 1).len(), 1);
    assert_eq!(places("grösse", 10), []);
    assert_eq!(places("GRÖß", 10), [(new, HitPlace::Title, "Größ".to_owned())]);
    assert_eq!(places("", 10), []);
    // A search that is going on sees what is deleted meanwhile no more.
    let mut search = conversations.search("filler").unwrap();
    assert_eq!(search.next_batch().unwrap().unwrap(), []);
    assert!(!search.next_batch().unwrap().unwrap().is_empty());
    conversations.delete(old).unwrap();
    while let Some(hits) = search.next_batch().unwrap() {
        assert!(hits.is_empty());
    }
    assert_eq!(search.unreadable(), 0);
}

#[test]
fn old_conversations_go_and_pinned_ones_stay() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = store(folder.path());
    let conversations = store.conversations();
    let ids: Vec<_> = (0..6u64)
        .map(|number| {
            conversations
                .create(&NewConversation::default(), NOW_MS + number)
                .unwrap()
        })
        .collect();
    conversations.set_pinned(ids[0], true).unwrap();
    let left = || -> Vec<_> {
        conversations
            .list(None, 10)
            .unwrap()
            .iter()
            .map(|summary| summary.id)
            .collect()
    };
    assert_eq!(conversations.retain(&Retention::default()).unwrap(), []);
    let by_age = Retention {
        updated_before_ms: Some(NOW_MS + 2),
        ..Retention::default()
    };
    assert_eq!(conversations.retain(&by_age).unwrap(), [ids[1]]);
    let by_count = Retention {
        conversations_max: Some(2),
        ..Retention::default()
    };
    assert_eq!(conversations.retain(&by_count).unwrap(), [ids[3], ids[2]]);
    assert_eq!(left(), [ids[0], ids[5], ids[4]]);
}

/// The bytes that a table keeps of a conversation, sealed.
fn sealed(path: &Path, query: &str) -> Vec<Vec<u8>> {
    let connection = Connection::open(path).unwrap();
    let mut statement = connection.prepare(query).unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

#[test]
fn no_page_keeps_what_was_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = store(folder.path());
    let conversations = store.conversations();
    let kept = conversation(&conversations, "Stays", &["stays"]);
    let long = "long ".repeat(4000);
    let gone = conversation(&conversations, "Goes", &["one", "two", &long, "four"]);
    store.outbox().enqueue(&request(gone, "waiting"), NOW_MS).unwrap();
    let path = store.path().to_owned();
    let mut all = sealed(&path, "SELECT body FROM message WHERE conversation = 2");
    all.extend(sealed(&path, "SELECT title FROM conversation WHERE id = 2"));
    all.extend(sealed(&path, "SELECT request FROM outbox"));
    assert_eq!(all.len(), 6);
    // Pages keep a long value in pieces.
    let pieces = |value: &[u8]| value.chunks(24).step_by(40).map(<[u8]>::to_vec).collect::<Vec<_>>();
    let found = |value: &Vec<u8>| pieces(value).iter().any(|piece| is_anywhere(folder.path(), piece));
    assert!(all.iter().all(found));
    let replaced = sealed(
        &path,
        "SELECT body FROM message WHERE conversation = 2 AND position = 3",
    );
    replace_from(&conversations, gone, 3, &[answer("five")], NOW_MS).unwrap();
    store.empty_log().unwrap();
    assert!(!replaced.iter().any(found));
    conversations.delete(gone).unwrap();
    assert!(!all.iter().any(found));
    assert_eq!(store.outbox().size().unwrap().requests, 0);
    assert_eq!(conversations.get(kept).unwrap().messages.len(), 1);
}

#[test]
fn an_import_adds_every_conversation_once() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = store(folder.path());
    let conversations = store.conversations();
    let one = conversation(&conversations, "Birds", &["Which \"bird\"?\n", "A whimbrel \u{1F426}."]);
    let two = conversation(&conversations, "", &[]);
    conversations.set_pinned(two, true).unwrap();
    start_answer(&conversations, one, &answer("A cur"), NOW_MS + 3).unwrap();
    let mut document = Vec::new();
    conversations.export(&mut document, None, NOW_MS + 9).unwrap();
    let again = conversations.import(&mut &document[..]).unwrap();
    assert_eq!((again.added.len(), again.present), (0, 2));

    let elsewhere = tempfile::tempdir().unwrap();
    let (other, _) = self::store(elsewhere.path());
    let there = other.conversations();
    let imported = there.import(&mut &document[..]).unwrap();
    assert_eq!((imported.added, imported.present), (vec![two, one], 0));
    let imported = there.import(&mut &document[..]).unwrap();
    assert_eq!((imported.added.len(), imported.present), (0, 2));
    let copy = there.get(one).unwrap();
    let mut expected = conversations.get(one).unwrap().messages;
    expected.iter_mut().for_each(|message| message.receipt = None);
    expected[2].state = MessageState::Interrupted;
    assert_eq!(copy.messages, expected);
    assert!(there.summary(two).unwrap().pinned);
    let mut second = Vec::new();
    there.export(&mut second, Some(&[one]), NOW_MS).unwrap();
    assert!(contains(&second, "A whimbrel \u{1F426}.".as_bytes()));
}

/// A change of the format shows here.
#[test]
fn the_document_is_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = store(folder.path());
    let document = r#"{"format":"whimbrel-conversations","version":1,"exported_ms":1795420800009,"conversations":[
{"id":"000102030405060708090a0b0c0d0e0f","title":"Birds","created_ms":1,"updated_ms":2,"pinned":true,"attributes":"{}","messages":[{"role":"user","text":"Which bird?","time_ms":1,"state":"complete"},{"role":"assistant","text":"A whim","time_ms":2,"state":"interrupted","attributes":"[]"}]}
]}
"#;
    store.conversations().import(&mut document.as_bytes()).unwrap();
    let mut written = Vec::new();
    store.conversations().export(&mut written, None, NOW_MS + 9).unwrap();
    assert_eq!(String::from_utf8(written).unwrap(), document);
}

#[test]
fn hostile_documents_add_nothing_and_their_errors_say_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = store(folder.path());
    let conversations = store.conversations();
    let conversation = |id: char, title: &str| {
        let id = id.to_string().repeat(32);
        format!(r#"{{"id":"{id}","title":"{title}","created_ms":1,"updated_ms":2,"messages":[]}}"#)
    };
    let whole = |version: u32, list: &str| {
        format!(r#"{{"format":"whimbrel-conversations","version":{version},"exported_ms":1,"conversations":[{list}]}}"#)
    };
    let check = |what: &str, document: &str, expected: &dyn Fn(&StoreError) -> bool| {
        let error = conversations.import(&mut document.as_bytes()).unwrap_err();
        assert!(expected(&error), "{what}: {error:?}");
        assert!(!format!("{error} {error:?}").contains("secret"), "{what}: {error:?}");
        assert!(conversations.list(None, 10).unwrap().is_empty(), "{what}");
    };
    let malformed = |error: &StoreError| matches!(error, StoreError::Import(ImportError::Malformed { .. }));
    let too_much = |error: &StoreError| matches!(error, StoreError::Record(RecordError::TooMuch { .. }));
    check("nothing", "", &malformed);
    check("a text", "\"secret\"", &malformed);
    check("nesting", &"[".repeat(100_000), &malformed);
    check("cut", &whole(1, &conversation('a', "x"))[..90], &malformed);
    let field = whole(
        1,
        &conversation('a', "x").replace("\"title\"", "\"secret\":1,\"title\""),
    );
    check("a field more", &field, &malformed);
    check("an id", &whole(1, &conversation('g', "x")), &malformed);
    check(
        "another format",
        &whole(1, "").replace("whimbrel-", "secret-"),
        &|error| matches!(error, StoreError::Import(ImportError::Format)),
    );
    check("newer", &whole(2, "{\"new\":1}"), &|error| {
        matches!(error, StoreError::Import(ImportError::Version { found: 2 }))
    });
    // The second one is too much: the first one is not added either.
    let long = "t".repeat(TITLE_BYTES_MAX as usize + 1);
    let list = [conversation('a', "fine"), conversation('b', &long)].join(",");
    check("a title", &whole(1, &list), &too_much);
    // The same id twice in one document is one conversation.
    let list = [conversation('a', "fine"), conversation('a', "other")].join(",");
    let imported = conversations.import(&mut whole(1, &list).as_bytes()).unwrap();
    assert_eq!((imported.added.len(), imported.present), (1, 1));
}

#[test]
fn a_reader_beside_the_writer_sees_everything_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (store, vault) = store(folder.path());
    let reader = Store::inspect(store.path(), Arc::clone(&vault) as Arc<dyn KeyVault>).unwrap();
    // The key is made after the reader was opened.
    let id = conversation(&store.conversations(), "Birds", &["Which bird?"]);
    assert_eq!(reader.conversations().get(id).unwrap().messages.len(), 1);
    assert_eq!(reader.conversations().find("bird", 9).unwrap().len(), 2);
    let refused = reader.conversations().delete(id);
    assert!(matches!(refused, Err(StoreError::ReadOnly)));
}

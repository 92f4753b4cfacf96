//! Contexts that are saved: of system messages, and of conversations that are not open. They save reading, change no answer, and go with what they
//! were made from.
#![allow(clippy::unwrap_used)]

#[path = "support/mod.rs"]
mod support;

use std::fs;
use std::path::{Path, PathBuf};

use support::phone::Phone;
use support::{Heard, ask, ask_options, has_text, open_tiny, read, tiny};
use whimbrel_client::policy::Network;
use whimbrel_client::policy::budget::{CacheBudget, MemoryPressure};
use whimbrel_client::store::ConversationId;
use whimbrel_client::{
    AskOptions, Assistant, CACHE_BUDGET_DEFAULT, Client, Conversation, ConversationOptions, KvPrecision, Message,
    Model, OpenOptions, Request, Role, block_on,
};

const POLICY: &str = "version = 1\nname = \"test\"\n[limits]\nremembered_days = 0\n";

/// A system message of some 200 tokens.
fn system() -> String {
    "You know all about waders, their calls and their ways. ".repeat(12)
}

fn options() -> ConversationOptions {
    ConversationOptions {
        system: Some(system()),
        context_length: 512,
        ..ConversationOptions::default()
    }
}

fn start(phone: &Phone, model: &Model) -> Assistant {
    let assistant = phone.start(Network::None);
    assistant.set_model(Some(model.clone()));
    assistant
}

fn begin(assistant: &Assistant) -> (Conversation, ConversationId) {
    let conversation = block_on(assistant.conversations().create("", options())).unwrap();
    let id = conversation.id().unwrap();
    (conversation, id)
}

fn resume(assistant: &Assistant, id: ConversationId) -> Conversation {
    block_on(assistant.conversations().open(id, options())).unwrap()
}

fn reused(heard: &Heard) -> u32 {
    heard.report.statistics.as_ref().unwrap().reused_tokens
}

fn prompt(heard: &Heard) -> u32 {
    heard.report.statistics.as_ref().unwrap().prompt_tokens
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder.join("ledger.sqlite.sealed")) else {
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn a_system_message_is_read_once_and_not_again_after_a_restart() {
    let phone = Phone::new(POLICY);
    let (_client, model) = open_tiny();
    let assistant = start(&phone, &model);
    let first = ask(&assistant.conversation(options()), "Which bird?");
    assert_eq!(reused(&first), 0);
    block_on(assistant.shutdown());
    assert_eq!(files(phone.folder.path()).len(), 1);
    drop((_client, model));

    let (_client, model) = open_tiny();
    let assistant = start(&phone, &model);
    let again = ask(&assistant.conversation(options()), "Which bird?");
    assert!(reused(&again) >= 128, "{} of {}", reused(&again), prompt(&again));
    assert_eq!(again.text, first.text);
    // Another system message is another file.
    let other = ConversationOptions {
        system: Some(system().replace("waders", "gulls")),
        ..options()
    };
    assert!(reused(&ask(&assistant.conversation(other), "Which bird?")) < 128);
    block_on(assistant.shutdown());
    assert_eq!(files(phone.folder.path()).len(), 2);
    assert!(!has_text(phone.folder.path(), b"waders"));
}

#[test]
fn examples_are_read_once_and_nothing_of_the_question_is_saved_with_them() {
    let example = |role, text: &str| Message::new(role, text.repeat(12));
    let request = |question: &str| {
        let messages = vec![
            Message::new(Role::System, "You name birds."),
            example(Role::User, "It runs along the water on thin legs. "),
            example(Role::Assistant, "Sanderling. "),
            Message::new(Role::User, question),
        ];
        Request {
            context_length: 512,
            shared_messages: 3,
            ..Request::new(messages, ask_options())
        }
    };
    let phone = Phone::new(POLICY);
    let (_client, model) = open_tiny();
    let assistant = start(&phone, &model);
    let first = read(&assistant.answer(request("It has a nightingale in its nest.")).unwrap());
    assert_eq!(reused(&first), 0);
    block_on(assistant.shutdown());
    assert_eq!(files(phone.folder.path()).len(), 1);
    let saved = fs::metadata(&files(phone.folder.path())[0]).unwrap().len();
    drop((_client, model));

    let (_client, model) = open_tiny();
    let assistant = start(&phone, &model);
    let second = read(
        &assistant
            .answer(request("It sings at night, and for a long time. "))
            .unwrap(),
    );
    assert!(reused(&second) >= 128, "{} of {}", reused(&second), prompt(&second));
    block_on(assistant.shutdown());
    // Whatever the question, it is the same file.
    let files = files(phone.folder.path());
    assert_eq!((files.len(), fs::metadata(&files[0]).unwrap().len()), (1, saved));
}

#[test]
fn a_kept_conversation_goes_on_where_it_was_left() {
    let phone = Phone::new(POLICY);
    let (_client, model) = open_tiny();
    let assistant = start(&phone, &model);
    let (talk, id) = begin(&assistant);
    ask(&talk, "Which bird is this?");
    let second = ask(&talk, "And that one?");
    block_on(assistant.shutdown());
    assert_eq!(
        files(phone.folder.path()).len(),
        2,
        "the system message and the conversation"
    );

    let assistant = start(&phone, &model);
    let third = ask(&resume(&assistant, id), "And those?");
    assert!(
        reused(&third) > prompt(&second),
        "{} of {}",
        reused(&third),
        prompt(&third)
    );
    block_on(assistant.shutdown());

    // The same from the text alone.
    let assistant = start(&phone, &model);
    block_on(assistant.caches().clear()).unwrap();
    assert!(files(phone.folder.path()).is_empty());
    let talk = resume(&assistant, id);
    let kept = talk.messages();
    talk.set_messages(kept[..4].to_vec()).unwrap();
    let anew = ask(&talk, "And those?");
    assert_eq!((reused(&anew), anew.text.as_str()), (0, third.text.as_str()));
}

#[test]
fn what_is_deleted_or_reset_leaves_no_context() {
    let phone = Phone::new(POLICY);
    let (_client, model) = open_tiny();
    let assistant = start(&phone, &model);
    let (talk, id) = begin(&assistant);
    ask(&talk, "Which bird is this?");
    talk.close();
    drop(talk);
    block_on(assistant.shutdown());
    let name = format!("context.{id}");
    let is_saved = || files(phone.folder.path()).iter().any(|file| file.ends_with(&name));
    assert!(is_saved());

    let assistant = start(&phone, &model);
    let talk = resume(&assistant, id);
    talk.reset().unwrap();
    block_on(assistant.shutdown());
    assert!(!is_saved(), "a context is left of a conversation that was reset");

    let assistant = start(&phone, &model);
    let talk = resume(&assistant, id);
    ask(&talk, "Which bird is this?");
    block_on(assistant.shutdown());
    assert!(is_saved());
    let file = files(phone.folder.path())
        .into_iter()
        .find(|file| file.ends_with(&name))
        .unwrap();
    let bytes = fs::read(&file).unwrap();
    let assistant = start(&phone, &model);
    block_on(assistant.conversations().delete(id)).unwrap();
    assert!(!is_saved());
    block_on(assistant.shutdown());
    // As if the process had ended in between.
    fs::write(&file, bytes).unwrap();
    block_on(start(&phone, &model).shutdown());
    assert!(!is_saved());
}

#[test]
fn a_context_that_is_damaged_cut_or_foreign_is_not_used() {
    let phone = Phone::new(POLICY);
    let (_client, model) = open_tiny();
    let assistant = start(&phone, &model);
    let (talk, id) = begin(&assistant);
    ask(&talk, "Which bird is this?");
    block_on(assistant.shutdown());
    let saved: Vec<(PathBuf, Vec<u8>)> = files(phone.folder.path())
        .into_iter()
        .map(|file| (file.clone(), fs::read(&file).unwrap()))
        .collect();
    let expected = {
        let assistant = start(&phone, &model);
        let heard = ask(&resume(&assistant, id), "And that one?");
        assert!(reused(&heard) > 128);
        block_on(assistant.shutdown());
        heard.text
    };
    let keep = |changed: &dyn Fn(&mut Vec<u8>)| {
        for (file, bytes) in &saved {
            let mut bytes = bytes.clone();
            changed(&mut bytes);
            fs::write(file, bytes).unwrap();
        }
    };
    let check = |what: &str, model: &Model| {
        let assistant = start(&phone, model);
        let talk = resume(&assistant, id);
        let kept = talk.messages();
        talk.set_messages(kept[..2].to_vec()).unwrap();
        let heard = ask(&talk, "And that one?");
        assert_eq!(reused(&heard), 0, "{what}");
        block_on(assistant.shutdown());
        heard.text
    };
    let length = saved[0].1.len().min(saved[1].1.len());
    for step in 0..12 {
        let at = step * (length - 1) / 11;
        keep(&|bytes| bytes[at] ^= 1);
        assert_eq!(check(&format!("flipped at {at}"), &model), expected);
        keep(&|bytes| bytes.truncate(at));
        assert_eq!(check(&format!("cut at {at}"), &model), expected);
    }
    // Keys and values of another precision.
    let client = Client::new().unwrap();
    let other = OpenOptions {
        threads: 1,
        kv_precision: KvPrecision::Int8,
        ..OpenOptions::default()
    };
    let other = block_on(client.open_model(tiny(), other)).unwrap();
    keep(&|_| {});
    check("another precision", &other);
}

/// Files that were changed in one chunk, cut where a chunk ends, lengthened or exchanged: what they would have given is read again.
#[test]
fn a_context_with_a_changed_chunk_is_read_again() {
    const HEADER: usize = 52;
    const CHUNK: usize = 64 * 1024 + 16;
    let chunk = |number: usize| HEADER + number * CHUNK;
    let flip = |at: usize| move |bytes: &mut Vec<u8>| bytes[at] ^= 1;
    let cut = |at: usize| move |bytes: &mut Vec<u8>| bytes.truncate(at);
    type Change<'a> = (&'a str, &'a dyn Fn(&mut Vec<u8>));
    let changes: [Change<'_>; 7] = [
        ("the first chunk", &flip(chunk(0) + 100)),
        ("a middle chunk", &flip(chunk(1) + 100)),
        ("another one", &flip(chunk(2) + 100)),
        ("the last chunk", &|bytes| *bytes.last_mut().unwrap() ^= 1),
        ("cut behind a chunk", &cut(chunk(1))),
        ("cut behind two chunks", &cut(chunk(2))),
        ("longer", &|bytes| bytes.extend([0; 16])),
    ];
    let phone = Phone::new(POLICY);
    for threads in [1, 2] {
        let client = Client::new().unwrap();
        let threads = OpenOptions {
            threads,
            ..OpenOptions::default()
        };
        let model = block_on(client.open_model(tiny(), threads)).unwrap();
        // Asks twice, with a change of the files in between. Returns the second answer.
        let check = |change: &dyn Fn(&Path, &Path)| {
            let assistant = start(&phone, &model);
            let (talk, id) = begin(&assistant);
            ask(&talk, "Which bird is this?");
            block_on(assistant.shutdown());
            let all = files(phone.folder.path());
            let own = format!("context.{id}");
            let own = all.iter().find(|file| file.ends_with(&own)).unwrap();
            let shared = |file: &&PathBuf| file.to_string_lossy().contains("context.system-");
            let shared = all.iter().find(shared).unwrap();
            assert!(fs::metadata(shared).unwrap().len() > chunk(3) as u64, "four chunks");
            change(own, shared);
            let assistant = start(&phone, &model);
            let heard = ask(&resume(&assistant, id), "And that one?");
            block_on(assistant.shutdown());
            heard
        };
        let whole = check(&|_, _| {});
        assert!(reused(&whole) > 200, "{}", reused(&whole));
        let changed = |what: &str, is_shared_good: bool, change: &dyn Fn(&Path, &Path)| {
            let heard = check(change);
            assert_eq!(heard.text, whole.text, "{what}");
            let expected = if is_shared_good { 128..reused(&whole) } else { 0..1 };
            let found = reused(&heard);
            assert!(expected.contains(&found), "{what}: {found} of {}", prompt(&heard));
        };
        let rewrite = |file: &Path, change: &dyn Fn(&mut Vec<u8>)| {
            let mut bytes = fs::read(file).unwrap();
            change(&mut bytes);
            fs::write(file, bytes).unwrap();
        };
        for (what, change) in changes {
            changed(what, true, &|own, _| rewrite(own, change));
            changed(what, false, &|own, shared| {
                [own, shared].into_iter().for_each(|file| rewrite(file, change));
            });
        }
        changed("exchanged", false, &|own, shared| {
            let bytes = [own, shared].map(|file| fs::read(file).unwrap());
            fs::write(own, &bytes[1]).unwrap();
            fs::write(shared, &bytes[0]).unwrap();
        });
    }
}

#[test]
fn memory_is_given_back_and_the_disk_has_its_budget() {
    let phone = Phone::new(POLICY);
    let (_client, model) = open_tiny();
    let assistant = start(&phone, &model);
    let caches = assistant.caches();
    let (talk, _) = begin(&assistant);
    let plain = assistant.conversation(options());
    ask(&talk, "Which bird is this?");
    ask(&plain, "Which bird is this?");
    let used = block_on(caches.usage()).unwrap();
    assert_eq!(used.contexts, 2);
    assert!(used.context_bytes > 100_000, "{used:?}");

    block_on(caches.trim(MemoryPressure::None)).unwrap();
    assert_eq!(block_on(caches.usage()).unwrap().contexts, 2, "the budget allows it");
    block_on(caches.trim(MemoryPressure::Critical)).unwrap();
    let used = block_on(caches.usage()).unwrap();
    assert_eq!((used.contexts, used.context_bytes), (0, 0));
    // What was released goes on: with its system message from the disk, and the rest read again.
    let again = ask(&talk, "And that one?");
    assert!(
        reused(&again) >= 128 && reused(&again) < prompt(&again),
        "{}",
        reused(&again)
    );

    // With less memory it is saved first, and goes on from the disk.
    let little = CacheBudget {
        memory_bytes: 1,
        ..CACHE_BUDGET_DEFAULT
    };
    block_on(caches.set_budget(little)).unwrap();
    let used = block_on(caches.usage()).unwrap();
    assert_eq!((used.contexts, used.saved_contexts), (0, 2), "{used:?}");
    let third = ask(&talk, "And those?");
    assert!(reused(&third) > prompt(&again));

    let nothing = CacheBudget {
        disk_bytes: 0,
        memory_bytes: 0,
    };
    block_on(caches.set_budget(nothing)).unwrap();
    let used = block_on(caches.usage()).unwrap();
    assert_eq!(
        (used.contexts, used.saved_contexts, used.answers),
        (0, 0, 0),
        "{used:?}"
    );
    assert!(files(phone.folder.path()).is_empty());
    assert!(ask(&talk, "And now?").report.is_answered());
}

#[test]
fn an_answer_in_progress_keeps_its_context() {
    let phone = Phone::new(POLICY);
    let (_client, model) = open_tiny();
    let assistant = start(&phone, &model);
    let (talk, _) = begin(&assistant);
    let long = AskOptions {
        generation: whimbrel_client::GenerationOptions {
            max_tokens: 100,
            ..ask_options().generation
        },
        ..ask_options()
    };
    let answer = talk.ask("Which bird is this?", long.clone()).unwrap();
    block_on(answer.next(1)).unwrap();
    block_on(assistant.caches().trim(MemoryPressure::Critical)).unwrap();
    let heard = read(&answer);
    assert!(heard.report.is_answered());
    let other = assistant.conversation(options());
    assert_eq!(
        read(&other.ask("Which bird is this?", long).unwrap()).text.len(),
        heard.text.len()
    );
}

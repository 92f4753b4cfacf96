//! Conversations that are kept, and questions that wait in the outbox: over restarts, lost networks and answers that are cut short.
#![allow(clippy::unwrap_used)]

#[path = "support/mod.rs"]
mod support;

use std::sync::Arc;

use support::phone::{Phone, begin, policy, resume, run, said, set_network, texts};
use support::{Heard, Reply, Server, ask, ask_options, has_text, open_tiny, options, policies, read};
use whimbrel_client::policy::outbox::{Notice, Stuck};
use whimbrel_client::policy::{Network, Recipients};
use whimbrel_client::privacy::PrivacyClass;
use whimbrel_client::record::Outcome;
use whimbrel_client::store::{Filter, MemoryVault, Repaired, StoreError};
use whimbrel_client::{
    AskOptions, ClientError, ConversationOptions, MESSAGES_MAX, Message, Role, block_on, start_empty, wipe,
};

#[test]
fn a_conversation_is_there_again_with_everything_that_holds_for_it() {
    let server = Server::start(&[Reply::Echo]);
    let phone = Phone::new(&policy(&server, "[\"remote:house\"]"));
    let assistant = phone.start(Network::Unmetered);
    let conversation = begin(&assistant, "");
    let id = conversation.id().unwrap();
    let first = ask(&conversation, "Where do waders winter?");
    assert_eq!(first.report.is_kept, Some(true));
    let options = AskOptions {
        class: PrivacyClass::Personal,
        ..ask_options()
    };
    let second = read(&conversation.ask("And my own birds?", options).unwrap());
    let before = conversation.messages();
    assert_eq!(before.len(), 4);
    assert_eq!(
        (before[3].receipt, before[3].interrupted),
        (second.report.receipt, false)
    );
    block_on(assistant.shutdown());

    let assistant = phone.start(Network::Unmetered);
    let conversation = resume(&assistant, id);
    assert_eq!(conversation.messages(), before);
    assert_eq!(conversation.system().as_deref(), Some("Answer."));
    assert!(resume(&assistant, id).messages() == before, "the open one");
    // The history goes along, and can be asked again.
    let again = ask(&conversation, "And then?");
    assert!(again.report.is_answered());
    let sent = server.received().pop().unwrap().body;
    assert!(sent.contains("waders") && sent.contains("my own birds"), "{sent}");
    let regenerated = read(&conversation.regenerate(ask_options().generation).unwrap());
    assert!(regenerated.report.is_answered());
    assert_eq!(conversation.messages().len(), 6);

    let listed = block_on(assistant.conversations().list(None, 10)).unwrap();
    assert_eq!(
        (listed.len(), listed[0].messages, listed[0].title.as_str()),
        (1, 6, "Where do waders winter?")
    );
    let hits = block_on(assistant.conversations().search("WADERS", 10)).unwrap();
    assert!(hits.len() >= 2 && hits.iter().all(|hit| hit.conversation == id));
    assert!(!phone.has_text("waders") && !phone.has_text("own birds"));
    block_on(assistant.conversations().delete(id)).unwrap();
    assert!(matches!(
        conversation.ask("More?", ask_options()),
        Err(ClientError::Closed { .. })
    ));
    assert!(block_on(assistant.conversations().list(None, 10)).unwrap().is_empty());
}

#[test]
fn what_was_kept_here_does_not_leave_after_a_restart() {
    let server = Server::start(&[Reply::Echo]);
    let rules = "[\"remote:house\", \"on_device\"]\n[[rules]]\nid = \"health-stays\"\nwhen = { task = [\"health\"] }\ndeny = [\"off_device\"]";
    let phone = Phone::new(&policy(&server, rules));
    let (_client, model) = open_tiny();
    let assistant = phone.start(Network::Unmetered);
    assistant.set_model(Some(model.clone()));
    let conversation = begin(&assistant, "Health");
    let id = conversation.id().unwrap();
    let health = AskOptions {
        task: "health".to_owned(),
        ..ask_options()
    };
    let heard = read(&conversation.ask("My knee hurts.", health).unwrap());
    assert!(heard.report.is_answered(), "{:?}", heard.report);
    assert_eq!(conversation.messages()[0].recipients, Some(Recipients::nobody()));
    let document = phone.folder.path().join("export.json");
    block_on(assistant.conversations().export(document.clone(), None)).unwrap();
    block_on(assistant.shutdown());

    // On this phone, and on another one that imported it.
    let other = Phone::new(&policy(&server, rules));
    for (phone, is_imported) in [(&phone, false), (&other, true)] {
        let assistant = phone.start(Network::Unmetered);
        assistant.set_model(Some(model.clone()));
        if is_imported {
            let imported = block_on(assistant.conversations().import(document.clone())).unwrap();
            assert_eq!(imported.added, [id]);
            assert_eq!(
                block_on(assistant.conversations().import(document.clone()))
                    .unwrap()
                    .present,
                1
            );
        }
        let conversation = resume(&assistant, id);
        let heard = ask(&conversation, "What is the capital of France?");
        assert!(!matches!(heard.report.bytes_out, 1..), "{:?}", heard.report);
        block_on(assistant.shutdown());
    }
    assert!(server.received().is_empty());
}

#[test]
fn texts_that_a_conversation_begins_with_do_not_leave_unless_they_say_so() {
    let server = Server::start(&[Reply::Echo]);
    let phone = Phone::new(&policy(&server, "[\"remote:house\", \"on_device\"]"));
    let (_client, model) = open_tiny();
    let assistant = phone.start(Network::Unmetered);
    assistant.set_model(Some(model));
    let conversations = assistant.conversations();
    let beginning = |messages: Vec<Message>| ConversationOptions {
        initial_messages: messages,
        ..options()
    };
    let given = vec![
        Message::new(Role::User, "My knee hurts."),
        Message::new(Role::Assistant, "Rest."),
    ];
    let kept = block_on(conversations.create("", beginning(given.clone()))).unwrap();
    for conversation in [assistant.conversation(beginning(given.clone())), kept.clone()] {
        assert_eq!(texts(&conversation), said("My knee hurts.", "Rest."));
        let held = conversation.messages();
        assert!(held.iter().all(|held| held.recipients == Some(Recipients::nobody())));
        let heard = ask(&conversation, "What is the capital of France?");
        assert_eq!((heard.report.is_answered(), heard.report.bytes_out), (true, 0));
    }
    assert!(server.received().is_empty());
    let shown = block_on(conversations.show(kept.id().unwrap())).unwrap();
    assert_eq!(
        (shown.summary.title.as_str(), shown.messages.len()),
        ("My knee hurts.", 4)
    );

    // Those that say who may read them keep that.
    let mut public = given.clone();
    for message in &mut public {
        (message.class, message.recipients) = (Some(PrivacyClass::Public), Some(Recipients::Any));
    }
    let open = assistant.conversation(beginning(public));
    assert!(ask(&open, "And then?").report.bytes_out > 0);
    assert!(server.received()[0].body.contains("knee"));

    // Beyond the limit a kept conversation is not made, and another one begins with the newest.
    let long = beginning(given.iter().cycle().take(MESSAGES_MAX as usize + 2).cloned().collect());
    assert!(matches!(long.check(), Err(ClientError::Limit { .. })));
    let error = block_on(conversations.create("long", long.clone()));
    assert!(matches!(error, Err(ClientError::Limit { .. })));
    assert_eq!(block_on(conversations.find_title("long")).unwrap(), None);
    assert_eq!(assistant.conversation(long).messages().len() as u64, MESSAGES_MAX);
    let most = beginning(given.iter().cycle().take(MESSAGES_MAX as usize).cloned().collect());
    assert!(most.check().is_ok());
}

/// What the app changes without waiting for the disk is there after a shutdown, and whoever listens hears of it.
#[test]
fn changes_are_heard_of_and_written_before_the_end() {
    let phone = Phone::new(&policy(&Server::start(&[Reply::Echo]), "[\"remote:house\"]"));
    let assistant = phone.start(Network::None);
    let conversations = assistant.conversations();
    let changes = conversations.changes().unwrap();
    assert!(block_on(changes.next()), "the first comes at once");
    let conversation = begin(&assistant, "");
    assert!(block_on(changes.next()));
    conversation
        .set_messages(vec![
            Message::new(Role::User, "Hello"),
            Message::new(Role::Assistant, "Hi"),
        ])
        .unwrap();
    conversation.raise_class(PrivacyClass::Secret);
    let reader = assistant.outbox().reader().unwrap();
    let first = block_on(reader.next(1));
    assert_eq!(first, [whimbrel_client::Heard::Missed(0)], "it comes at once");
    block_on(assistant.shutdown());
    while block_on(changes.next()) {}
    assert!(block_on(reader.next(1)).is_empty());
    assert!(matches!(conversations.changes(), Err(ClientError::Closed { .. })));

    let assistant = phone.start(Network::None);
    let again = resume(&assistant, conversation.id().unwrap());
    assert_eq!(texts(&again), said("Hello", "Hi"));
    let changes = assistant.conversations().changes().unwrap();
    changes.cancel();
    assert!(!block_on(changes.next()));
    let reader = assistant.outbox().reader().unwrap();
    reader.cancel();
    assert!(block_on(reader.next(1)).is_empty());
}

/// The whole way: asked offline, the process ends, the network comes, the answer is in the conversation, once.
#[test]
fn a_question_waits_for_the_network_over_a_restart() {
    let server = Server::start(&[Reply::Echo]);
    let phone = Phone::new(&policy(&server, "[\"remote:house\", \"queue\"]"));
    let assistant = phone.start(Network::None);
    let conversation = begin(&assistant, "Tunnel");
    let id = conversation.id().unwrap();
    let Heard { report, .. } = ask(&conversation, "Where do waders winter?");
    assert_eq!((report.outcome, report.is_kept), (Outcome::Deferred, Some(true)));
    let queued = report.queued.unwrap();
    // A later question does not overtake it, though the network is there.
    set_network(&assistant, Network::Unmetered);
    let behind = ask(&conversation, "And in summer?").report;
    assert_eq!(behind.outcome, Outcome::Deferred);
    assert!(behind.queued.unwrap() > queued && conversation.messages().is_empty());
    let listed = block_on(assistant.outbox().list()).unwrap();
    assert_eq!(
        listed
            .iter()
            .map(|queued| queued.question.text.as_str())
            .collect::<Vec<_>>(),
        ["Where do waders winter?", "And in summer?"]
    );
    assert!(server.received().is_empty() && !phone.has_text("waders"));
    block_on(assistant.shutdown());

    let assistant = phone.start(Network::None);
    assert_eq!((run(&assistant).answered, server.requests()), (0, 0));
    set_network(&assistant, Network::Unmetered);
    let ran = run(&assistant);
    assert_eq!((ran.answered, ran.left, ran.next_ms), (2, 0, None));
    let conversation = resume(&assistant, id);
    let expected = [
        said("Where do waders winter?", "Where do waders winter?"),
        said("And in summer?", "And in summer?"),
    ];
    assert_eq!(texts(&conversation), expected.concat());
    assert!(server.received()[1].body.contains("waders"), "its history goes along");
    let receipts = block_on(assistant.receipts(Filter::default(), 10)).unwrap();
    let answered = receipts
        .iter()
        .filter(|receipt| receipt.outcome == Some(Outcome::Answered));
    let answered: Vec<_> = answered.map(|receipt| Some(receipt.id)).collect();
    let messages = conversation.messages();
    assert_eq!(answered, [messages[3].receipt, messages[1].receipt]);
    assert_eq!(run(&assistant).answered, 0);
    assert_eq!(server.requests(), 2);
    block_on(assistant.shutdown());
    let assistant = phone.start(Network::Unmetered);
    assert_eq!(resume(&assistant, id).messages(), messages);
}

#[test]
fn the_policy_in_force_then_decides() {
    let server = Server::start(&[Reply::Echo]);
    let phone = Phone::new(&policy(&server, "[\"remote:house\", \"queue\"]"));
    let assistant = phone.start(Network::None);
    let conversation = begin(&assistant, "");
    let queued = ask(&conversation, "Write to anna.berg@example.org")
        .report
        .queued
        .unwrap();
    let stricter = policies(&policy(&server, "[\"redact_then_remote:house\", \"queue\"]"));
    assistant.set_policies(stricter.app().clone(), None).unwrap();
    set_network(&assistant, Network::Unmetered);
    assert_eq!(run(&assistant).answered, 1);
    assert!(!server.received()[0].body.contains("anna.berg"));
    assert_eq!(texts(&conversation)[1].1, "Write to anna.berg@example.org");

    // What the first decision kept it from, another policy does not allow.
    let strict = "[\"remote:house\", \"queue\"]\n[[rules]]\nid = \"health-stays\"\nwhen = { task = [\"health\"] }\ntry = [\"queue\"]\n[[rules]]\nid = \"health-never-leaves\"\nwhen = { task = [\"health\"] }\ndeny = [\"off_device\"]";
    assistant
        .set_policies(policies(&policy(&server, strict)).app().clone(), None)
        .unwrap();
    let health = AskOptions {
        task: "health".to_owned(),
        ..ask_options()
    };
    let kept_here = read(&conversation.ask("My knee hurts.", health).unwrap())
        .report
        .queued
        .unwrap();
    let looser = policies(&policy(&server, "[\"remote:house\", \"queue\"]"));
    assistant.set_policies(looser.app().clone(), None).unwrap();
    assert_eq!((run(&assistant).answered, server.requests()), (0, 1));
    block_on(assistant.outbox().cancel(kept_here)).unwrap();

    // One that is denied is stuck, blocks what is behind it, and can be cancelled.
    set_network(&assistant, Network::None);
    let stuck = ask(&conversation, "And this?").report.queued.unwrap();
    assert!(stuck > queued);
    let nothing = policies(&policy(
        &server,
        "[\"remote:house\"]\n[[rules]]\nid = \"none\"\ndeny = [\"everything\"]",
    ));
    assistant.set_policies(nothing.app().clone(), None).unwrap();
    set_network(&assistant, Network::Unmetered);
    // An attempt may have been decided by the policy before.
    run(&assistant);
    block_on(assistant.outbox().retry(stuck)).unwrap();
    let ran = run(&assistant);
    assert_eq!((ran.answered, ran.left), (0, 1));
    let listed = block_on(assistant.outbox().list()).unwrap();
    assert_eq!(listed[0].notice, Notice::Stuck(Stuck::Denied));
    block_on(assistant.outbox().cancel(stuck)).unwrap();
    assert!(block_on(assistant.outbox().list()).unwrap().is_empty());
    assert!(matches!(
        block_on(assistant.outbox().cancel(stuck)),
        Err(ClientError::Outbox(_))
    ));
    assert_eq!(conversation.messages().len(), 2);
}

#[test]
fn a_queued_question_can_be_edited_and_failures_are_retried() {
    let server = Server::start(&[Reply::Status(503), Reply::Echo]);
    let phone = Phone::new(&policy(&server, "[\"remote:house\", \"queue\"]"));
    let assistant = phone.start(Network::None);
    let conversation = begin(&assistant, "");
    let queued = ask(&conversation, "Were do waders winter?").report.queued.unwrap();
    block_on(assistant.outbox().edit(queued, "Where do waders winter?")).unwrap();
    set_network(&assistant, Network::Unmetered);
    let mut ran = run(&assistant);
    // The network client repeats a request by itself; whatever it gave up is retried later, or at once on request.
    if ran.answered == 0 {
        assert!(ran.next_ms.is_some() && ran.left == 1, "{ran:?}");
        block_on(assistant.outbox().retry(queued)).unwrap();
        ran = run(&assistant);
    }
    assert_eq!((ran.left, texts(&conversation).len()), (0, 2));
    assert_eq!(texts(&conversation)[0].1, "Where do waders winter?");
    assert!(
        server
            .received()
            .iter()
            .all(|request| !request.body.contains("Were do"))
    );
}

#[test]
fn an_answer_that_is_cut_short_stays_and_says_so() {
    let server = Server::start(&[Reply::Stalls]);
    let phone = Phone::new(&policy(&server, "[\"remote:house\"]"));
    let assistant = phone.start(Network::Unmetered);
    let conversation = begin(&assistant, "");
    let id = conversation.id().unwrap();
    let answer = conversation.ask("Where do waders winter?", ask_options()).unwrap();
    while answer.text_so_far().is_empty() {
        block_on(answer.next(16)).unwrap();
    }
    let shown = answer.text_so_far();
    // What is on the disk is what a killed process would have left.
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    let kept = loop {
        let kept = block_on(assistant.conversations().show(id)).unwrap().messages;
        if kept.len() == 2 && kept[1].text == shown {
            break kept;
        }
        assert!(std::time::Instant::now() < deadline, "{kept:?}");
        std::thread::sleep(std::time::Duration::from_millis(20));
    };
    assert_eq!(kept[0].text, "Where do waders winter?");
    answer.cancel();
    assert_eq!(read_rest(&answer), Outcome::Cancelled);
    let before = conversation.messages();
    assert!(before.len() == 2 && before[1].interrupted && before[1].content.starts_with(&shown));
    block_on(assistant.shutdown());
    let assistant = phone.start(Network::Unmetered);
    assert_eq!(resume(&assistant, id).messages(), before);
}

fn read_rest(answer: &whimbrel_client::Answer) -> Outcome {
    read(answer).report.outcome
}

#[test]
fn a_model_alone_keeps_conversations_too() {
    let folder = tempfile::tempdir().unwrap();
    let vault = Arc::new(MemoryVault::default());
    let path = folder.path().join("store.db");
    let (id, before) = {
        let (client, model) = open_tiny();
        let conversations = client.conversations(&path, vault.clone()).unwrap();
        assert!(matches!(
            block_on(conversations.create("", options())),
            Err(ClientError::NoModel)
        ));
        let conversation = block_on(conversations.answered_by(&model).create("Birds", options())).unwrap();
        assert!(ask(&conversation, "Hello").report.is_answered());
        conversation
            .set_messages(vec![
                Message::new(Role::User, "Light"),
                Message::new(Role::Assistant, "waves"),
            ])
            .unwrap();
        assert!(ask(&conversation, "Hello again").report.is_answered());
        (conversation.id().unwrap(), conversation.messages())
    };
    let (client, model) = open_tiny();
    // The thread for requests lets go of it a moment later.
    let opened = loop {
        match client.conversations(&path, vault.clone()) {
            Err(ClientError::Store(StoreError::InUse { .. })) => std::thread::yield_now(),
            opened => break opened.unwrap(),
        }
    };
    let conversations = opened.answered_by(&model);
    let found = block_on(conversations.find_title("Birds")).unwrap();
    assert_eq!(found, Some(id));
    let conversation = block_on(conversations.open(id, options())).unwrap();
    assert_eq!((conversation.messages().len(), conversation.messages()), (4, before));
    assert!(ask(&conversation, "Hello").report.is_answered());
    assert!(!has_text(folder.path(), b"Hello again"));

    // Closed, the store can be opened again at once, whoever still has a handle. It can be destroyed then.
    block_on(conversations.shutdown());
    assert!(matches!(
        block_on(conversations.list(None, 1)),
        Err(ClientError::Closed { what: "store" })
    ));
    let again = client.conversations(&path, vault.clone()).unwrap();
    assert!(block_on(again.rotate_key()).unwrap().finished && !block_on(again.is_rotating_key()).unwrap());
    assert_eq!(block_on(again.repair()).unwrap(), Repaired::default());
    assert_eq!(block_on(again.list(None, 10)).unwrap().len(), 1);
    assert!(block_on(wipe(path.clone(), vault.clone())).is_err(), "it is open");
    block_on(again.shutdown());
    assert_eq!(block_on(start_empty(path.clone(), vault.clone())).unwrap(), None);
    block_on(wipe(path.clone(), vault)).unwrap();
    assert!(!path.exists());
}

#[test]
fn a_class_that_is_raised_while_an_answer_comes_is_written_beside_it() {
    let server = Server::start(&[Reply::Stalls]);
    let phone = Phone::new(&policy(&server, "[\"remote:house\"]"));
    let assistant = phone.start(Network::Unmetered);
    let conversation = begin(&assistant, "");
    let id = conversation.id().unwrap();
    let answer = conversation.ask("Which bird?", ask_options()).unwrap();
    while answer.text_so_far().is_empty() {
        block_on(answer.next(1)).unwrap();
    }
    conversation.raise_class(PrivacyClass::Sensitive);
    let kept = || block_on(assistant.conversations().show(id)).unwrap();
    let is_raised = || kept().attributes.contains("sensitive");
    for _ in 0..500 {
        if is_raised() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    assert!(is_raised());
    assert_eq!(kept().messages.len(), 2, "question and answer are still there");
    answer.cancel();
    assert_eq!(read(&answer).report.outcome, Outcome::Cancelled);
    assert_eq!(kept().messages.len(), 2);
    assert!(is_raised());
}

#[test]
fn what_is_replaced_stays_in_no_log() {
    let server = Server::start(&[Reply::Echo]);
    let phone = Phone::new(&policy(&server, "[\"remote:house\"]"));
    let assistant = phone.start(Network::Unmetered);
    let conversation = begin(&assistant, "");
    ask(&conversation, "Which bird?");
    let log = phone.folder.path().join("ledger.sqlite-wal");
    let log_bytes = || std::fs::metadata(&log).unwrap().len();
    assert!(log_bytes() > 0);
    conversation.reset().unwrap();
    for _ in 0..500 {
        if log_bytes() == 0 {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    assert_eq!(log_bytes(), 0);
    assert!(
        block_on(assistant.conversations().show(conversation.id().unwrap()))
            .unwrap()
            .messages
            .is_empty()
    );
}

#[test]
fn an_old_question_waits_for_confirmation_and_expires() {
    let server = Server::start(&[Reply::Echo]);
    let phone = Phone::new(&policy(&server, "[\"remote:house\", \"queue\"]"));
    let assistant = phone.start(Network::None);
    let outbox = assistant.outbox();
    block_on(outbox.set_confirm_after_ms(Some(0))).unwrap();
    let (one, other) = (begin(&assistant, "one"), begin(&assistant, "other"));
    let id = ask(&one, "Which bird?").report.queued.unwrap();
    let short = AskOptions {
        expires_in_ms: Some(1),
        ..ask_options()
    };
    assert!(read(&other.ask("And that?", short).unwrap()).report.queued.is_some());
    std::thread::sleep(std::time::Duration::from_millis(5));
    set_network(&assistant, Network::Unmetered);
    assert_eq!(run(&assistant).answered, 0);
    let queued = block_on(outbox.list()).unwrap();
    // The other one has expired, and stays in its conversation without an answer.
    assert_eq!(
        (queued.len(), queued[0].id, queued[0].notice),
        (1, id, Notice::NeedsConfirmation)
    );
    assert_eq!(other.messages().len(), 1);
    block_on(outbox.confirm(id)).unwrap();
    assert_eq!(run(&assistant).answered, 1);
    assert_eq!((server.received().len(), one.messages().len()), (1, 2));
}

#[test]
fn a_question_that_needs_another_network_does_not_hide_one_that_is_retried() {
    let server = Server::start(&[Reply::Status(503)]);
    let rule = "[tasks.large]\nlimits = { metered_bytes_a_day = 0 }\n";
    let phone = Phone::new(&format!("{}{rule}", policy(&server, "[\"remote:house\", \"queue\"]")));
    let assistant = phone.start(Network::Metered);
    let large = AskOptions {
        task: "large".to_owned(),
        ..ask_options()
    };
    let waits = begin(&assistant, "waits").ask("A large one?", large).unwrap();
    assert!(read(&waits).report.queued.is_some());
    let run_before = run(&assistant);
    assert!(run_before.next_needs.unmetered, "{run_before:?}");
    assert!(
        ask(&begin(&assistant, "retried"), "A small one?")
            .report
            .queued
            .is_some()
    );
    let ran = run(&assistant);
    assert_eq!((ran.answered, ran.left), (0, 2));
    assert!(!ran.next_needs.unmetered && ran.next_ms > run_before.next_ms, "{ran:?}");
}

#[test]
fn a_question_that_waits_and_is_asked_again_waits_again_in_its_order() {
    let server = Server::start(&[Reply::Echo]);
    let phone = Phone::new(&policy(&server, "[\"remote:house\", \"queue\"]"));
    let assistant = phone.start(Network::None);
    let conversation = begin(&assistant, "");
    let id = conversation.id().unwrap();
    assert!(ask(&conversation, "One?").report.queued.is_some());
    assert!(ask(&conversation, "Two?").report.queued.is_some());
    block_on(assistant.shutdown());

    let assistant = phone.start(Network::Unmetered);
    let conversation = resume(&assistant, id);
    assert!(
        ask(&conversation, "One?").report.queued.is_some(),
        "it does not overtake the others"
    );
    assert_eq!(run(&assistant).answered, 3);
    let asked: Vec<String> = texts(&conversation)
        .into_iter()
        .step_by(2)
        .map(|(_, text)| text)
        .collect();
    assert_eq!(asked, ["One?", "Two?", "One?"]);
}

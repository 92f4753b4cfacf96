//! Conversations of several turns: in other places, asked again, cancelled, in confidence.

use super::{receipt, receipts, said, with_server};
use crate::support::{FakeSystem, Fixture, Mood, Reply, Server, ask, ask_options, policies, read};
use whimbrel_client::policy::Preset;
use whimbrel_client::privacy::PrivacyClass;
use whimbrel_client::record::{Outcome, Place, Signal};
use whimbrel_client::{AskOptions, ClientError, Conversation, Event, GenerationOptions, Role, block_on};

#[test]
fn a_conversation_goes_on_in_another_place() {
    let server = Server::start(&[Reply::Whole]);
    let fixture = Fixture::new(&with_server(&server, "otherwise = [\"on_device\", \"remote:house\"]"));
    let conversation = fixture.conversation();
    let first = ask(&conversation, "Hello").text;
    let set = |list: &str| {
        let policies = policies(&with_server(&server, &format!("otherwise = [{list}]")));
        fixture.assistant.set_policies(policies.app().clone(), None).unwrap();
    };
    set("\"remote:house\", \"on_device\"");
    assert_eq!(ask(&conversation, "There?").text, "An answer from the server.");
    let body: serde_json::Value = serde_json::from_str(&server.received()[0].body).unwrap();
    let contents: Vec<_> = body["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|message| message["content"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(contents, ["Answer.", "Hello", &first, "There?"]);
    set("\"on_device\", \"remote:house\"");
    let here = ask(&conversation, "Here?").text;
    let other = fixture.conversation();
    let history = [
        said(Role::User, "Hello"),
        said(Role::Assistant, &first),
        said(Role::User, "There?"),
        said(Role::Assistant, "An answer from the server."),
    ];
    other.set_messages(history.to_vec()).unwrap();
    assert_eq!(ask(&other, "Here?").text, here);
}

#[test]
fn an_answer_is_asked_for_again_and_elsewhere() {
    let server = Server::start(&[Reply::Whole]);
    let fixture = Fixture::new(&with_server(&server, "otherwise = [\"on_device\", \"remote:house\"]"));
    let conversation = fixture.conversation();
    assert!(matches!(conversation.escalate(), Err(ClientError::NothingToRepeat)));
    let first = ask(&conversation, "Hello");
    // A random model is sure of nothing.
    let offer = first.report.escalation.expect("the answer looks weak");
    assert_eq!(offer.candidates, [1]);
    let again = read(&conversation.regenerate(ask_options().generation).unwrap());
    assert_eq!(again.text, first.text);
    let elsewhere = read(&conversation.escalate().unwrap());
    assert_eq!(elsewhere.text, "An answer from the server.");
    assert_eq!(elsewhere.report.escalation, None);
    let messages = conversation.messages();
    assert_eq!(messages.len(), 2);
    assert_eq!(messages[1].content, "An answer from the server.");
    assert_eq!(receipts(&fixture).len(), 3);
}

#[test]
fn what_was_said_in_confidence_stays_so_in_later_turns() {
    let server = Server::start(&[Reply::Whole]);
    let rules = "otherwise = [\"remote:house\"]\n[[rules]]\nid = \"secrets-stay\"\nwhen = { class = { min = \"secret\" } }\ntry = [\"on_device\"]";
    let fixture = Fixture::new(&with_server(&server, rules));
    let conversation = fixture.conversation();
    let secret = AskOptions {
        class: PrivacyClass::Secret,
        ..ask_options()
    };
    read(&conversation.ask("My diagnosis is quartz", secret).unwrap());
    let heard = ask(&conversation, "Thanks");
    assert!(matches!(heard.report.place, Some(Place::OnDevice { .. })));
    assert!(server.received().is_empty());
    // Another conversation, in which nothing was said, goes out; until the app says more about it.
    let other = fixture.conversation();
    ask(&other, "Hello");
    assert_eq!(server.received().len(), 1);
    other.raise_class(PrivacyClass::Secret);
    ask(&other, "Hello");
    assert_eq!(server.received().len(), 1);
}

#[test]
fn a_question_that_failed_is_asked_again_and_takes_nothing_away() {
    let server = Server::start(&[Reply::Whole, Reply::Status(400), Reply::Whole, Reply::Status(400)]);
    let fixture = Fixture::new(&with_server(&server, "otherwise = [\"remote:house\"]"));
    let conversation = fixture.conversation();
    ask(&conversation, "First");
    assert_eq!(ask(&conversation, "Second").report.outcome, Outcome::Failed);
    assert_eq!(conversation.messages().len(), 2);
    let again = read(&conversation.regenerate(ask_options().generation).unwrap());
    assert!(again.report.is_answered());
    let contents: Vec<_> = conversation
        .messages()
        .into_iter()
        .map(|message| message.content)
        .collect();
    assert_eq!(contents.len(), 4);
    assert_eq!((&*contents[0], &*contents[2]), ("First", "Second"));
    // An answer that fails leaves the one before where it is.
    let failed = read(&conversation.regenerate(ask_options().generation).unwrap());
    assert_eq!(failed.report.outcome, Outcome::Failed);
    assert_eq!(conversation.messages().len(), 4);
}

/// The contents of a conversation's messages.
fn contents(conversation: &Conversation) -> Vec<String> {
    let messages = conversation.messages().into_iter();
    messages.map(|message| message.content).collect()
}

/// What the server was sent last, without the system message.
fn sent_last(server: &Server) -> Vec<String> {
    let body: serde_json::Value = serde_json::from_str(&server.received().last().unwrap().body).unwrap();
    let messages = body["messages"].as_array().unwrap().iter().skip(1);
    messages
        .map(|message| message["content"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_question_that_nobody_answered_goes_along_with_the_next() {
    let server = Server::start(&[Reply::Empty, Reply::Whole, Reply::Whole]);
    let fixture = Fixture::new(&with_server(&server, "otherwise = [\"remote:house\"]"));
    let conversation = fixture.conversation();
    assert_eq!(ask(&conversation, "My cat is Tom.").report.outcome, Outcome::Failed);
    assert_eq!(contents(&conversation), ["My cat is Tom."]);
    assert!(ask(&conversation, "What is my cat's name?").report.is_answered());
    assert_eq!(sent_last(&server), ["My cat is Tom.\n\nWhat is my cat's name?"]);
    assert_eq!(conversation.messages().len(), 3);
    // Asked again, only what was answered is replaced.
    assert!(
        read(&conversation.regenerate(ask_options().generation).unwrap())
            .report
            .is_answered()
    );
    assert_eq!(sent_last(&server), ["My cat is Tom.\n\nWhat is my cat's name?"]);
    assert_eq!(conversation.messages().len(), 3);
}

#[test]
fn a_question_that_nobody_answered_is_there_once_however_it_is_asked_again() {
    let server = Server::start(&[
        Reply::Whole,
        Reply::Empty,
        Reply::Empty,
        Reply::Status(400),
        Reply::Whole,
    ]);
    let fixture = Fixture::new(&with_server(&server, "otherwise = [\"remote:house\"]"));
    let conversation = fixture.conversation();
    let first = ask(&conversation, "First").text;
    ask(&conversation, "Second");
    read(&conversation.regenerate(ask_options().generation).unwrap());
    assert_eq!(contents(&conversation), ["First", &first, "Second"]);
    // A retry that the server refuses leaves it where it is.
    ask(&conversation, "Second");
    assert_eq!(contents(&conversation), ["First", &first, "Second"]);
    let last = ask(&conversation, "Second").text;
    assert_eq!(sent_last(&server), ["First", &first, "Second"]);
    assert_eq!(contents(&conversation), ["First", &first, "Second", &last]);
    // An answered question is another one, in the same words.
    ask(&conversation, "Second");
    assert_eq!(conversation.messages().len(), 6);
}

#[test]
fn a_question_that_was_kept_here_does_not_go_along_with_the_next() {
    let server = Server::start(&[Reply::Whole]);
    let rules = "otherwise = [\"remote:house\"]\n[tasks.diary]\notherwise = [\"system_model\"]";
    let fixture = Fixture::new(&with_server(&server, rules));
    fixture
        .assistant
        .set_system_model(Some(FakeSystem::new(Mood::DiesMidway)));
    let conversation = fixture.conversation();
    let diary = AskOptions {
        task: "diary".into(),
        ..ask_options()
    };
    let kept = read(&conversation.ask("The word is quokka.", diary).unwrap());
    assert_eq!(
        (kept.report.outcome, conversation.messages().len()),
        (Outcome::Failed, 1)
    );
    ask(&conversation, "Go on.");
    assert!(!server.received().iter().any(|request| request.body.contains("quokka")));
}

#[test]
fn a_question_that_is_asked_again_is_as_private_as_it_was() {
    let server = Server::start(&[Reply::Whole]);
    let rules = "otherwise = [\"remote:house\"]\n[[rules]]\nid = \"secrets-stay\"\nwhen = { class = { min = \"secret\" } }\n\
                 try = [\"system_model\"]\n[tasks.diary]\notherwise = [\"system_model\"]";
    let secret = AskOptions {
        class: PrivacyClass::Secret,
        ..ask_options()
    };
    let diary = AskOptions {
        task: "diary".into(),
        ..ask_options()
    };
    for options in [secret, diary] {
        let fixture = Fixture::new(&with_server(&server, rules));
        fixture
            .assistant
            .set_system_model(Some(FakeSystem::new(Mood::DiesMidway)));
        let conversation = fixture.conversation();
        read(&conversation.ask("The word is quokka.", options).unwrap());
        assert_eq!(conversation.messages().len(), 1);
        // The same words, as a public chat.
        ask(&conversation, "The word is quokka.");
        ask(&conversation, "Go on.");
        read(&conversation.regenerate(ask_options().generation).unwrap());
        let left = server.take_received();
        let leaks = left.iter().filter(|request| request.body.contains("quokka"));
        assert_eq!(leaks.count(), 0, "{:?}", conversation.messages());
    }
}

#[test]
fn a_question_that_nobody_answered_is_in_the_saved_conversation() {
    let fixture = Fixture::new("version = 1\nname = \"test\"\notherwise = [\"system_model\"]");
    fixture
        .assistant
        .set_system_model(Some(FakeSystem::new(Mood::DiesMidway)));
    let conversation = fixture.conversation();
    ask(&conversation, "My cat is Tom.");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("conversation");
    block_on(conversation.save(&path)).unwrap();
    let other = fixture.conversation();
    block_on(other.restore(&path)).unwrap();
    assert_eq!(contents(&other), ["My cat is Tom."]);
}

#[test]
fn cancelling_keeps_what_was_said_and_is_learned_from() {
    let fixture = Fixture::new(Preset::Private.text());
    let conversation = fixture.conversation();
    let long = AskOptions {
        generation: GenerationOptions {
            max_tokens: 400,
            speculation: false,
            repetition_guard: false,
            ..GenerationOptions::default()
        },
        ..AskOptions::default()
    };
    let answer = conversation.ask("Hello", long).unwrap();
    assert!(matches!(
        conversation.ask("Hello", ask_options()),
        Err(ClientError::Busy)
    ));
    // The first text, then no more.
    while !block_on(answer.next(1))
        .unwrap()
        .iter()
        .any(|event| matches!(event, Event::Text(_)))
    {}
    answer.cancel();
    answer.cancel();
    let heard = read(&answer);
    assert!(heard.report.is_partial);
    assert_eq!(heard.report.outcome, Outcome::Cancelled);
    assert_eq!(conversation.messages().len(), 2);
    let receipt = receipt(&fixture);
    assert_eq!(receipt.outcome, Some(Outcome::Cancelled));
    assert_eq!(receipt.feedback[0].signal, Signal::Aborted);
    assert!(block_on(answer.next(1)).unwrap().is_empty());
    // A conversation goes on after it, with the same answer as if all of it had been said before.
    let after = ask(&conversation, "And?");
    let other = fixture.conversation();
    let messages = conversation.messages();
    other.set_messages(messages[..2].to_vec()).unwrap();
    assert_eq!(ask(&other, "And?").text, after.text);
}

#[test]
fn dropping_an_answer_ends_it() {
    let server = Server::start(&[Reply::Stalls]);
    let fixture = Fixture::new(&with_server(&server, "otherwise = [\"remote:house\"]"));
    let conversation = fixture.conversation();
    drop(conversation.ask("Hello", ask_options()).unwrap());
    // Until the end is written down.
    while receipts(&fixture).iter().all(|receipt| receipt.outcome.is_none()) {
        std::thread::yield_now();
    }
    assert_eq!(receipt(&fixture).outcome, Some(Outcome::Cancelled));
}

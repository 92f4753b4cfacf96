//! What a conversation's history may do: a text that was kept here stays here when later questions take the history along.
#![allow(clippy::unwrap_used)]

mod support;

use support::{Fixture, Reply, Server, ask_options, read};
use whimbrel_client::AskOptions;
use whimbrel_client::policy::{DeviceUpdate, Network, Reported};
use whimbrel_client::privacy::PrivacyClass;

const KEPT: &str = "the word is quokka";

/// A policy whose endpoint takes public text of the task `chat`, and that keeps the task `diary` on the phone.
fn policy(server: &Server, lines: &str) -> String {
    format!(
        "version = 1\nname = \"test\"\notherwise = [\"remote:house\", \"on_device\"]\n{lines}\n\
         [tasks.diary]\notherwise = [\"on_device\"]\n\
         [[endpoints]]\nid = \"house\"\nbase_url = \"{}\"\nmodel = \"m\"\ntrust = \"organisation\"\ncost_per_1k_tokens = 0\n\
         class_max = \"personal\"\nclass_max_redacted = \"personal\"\n",
        server.url
    )
}

fn asked_as(task: &str, class: PrivacyClass) -> AskOptions {
    AskOptions {
        task: task.into(),
        class,
        ..ask_options()
    }
}

fn left(server: &Server) -> bool {
    server.received().iter().any(|request| request.body.contains("quokka"))
}

#[test]
fn a_declared_class_survives_setting_the_messages() {
    let server = Server::start(&[Reply::Whole]);
    let fixture = Fixture::new(&policy(&server, ""));
    let conversation = fixture.conversation();
    let first = read(&conversation.ask(KEPT, asked_as("chat", PrivacyClass::Secret)).unwrap());
    assert_eq!(first.report.bytes_out, 0);
    // The app keeps the conversation as text and brings it back.
    let messages = conversation.messages();
    assert_eq!(messages.len(), 2);
    conversation.set_messages(messages).unwrap();
    let next = read(
        &conversation
            .ask("Go on.", asked_as("chat", PrivacyClass::Public))
            .unwrap(),
    );
    assert!(!left(&server), "{}", next.report.summary());
}

#[test]
fn a_text_that_its_task_kept_here_stays_when_the_task_changes() {
    let server = Server::start(&[Reply::Whole]);
    let fixture = Fixture::new(&policy(&server, ""));
    let conversation = fixture.conversation();
    read(&conversation.ask(KEPT, asked_as("diary", PrivacyClass::Public)).unwrap());
    let next = read(
        &conversation
            .ask("Go on.", asked_as("chat", PrivacyClass::Public))
            .unwrap(),
    );
    assert!(!left(&server), "{}", next.report.summary());
}

#[test]
fn a_text_that_a_state_kept_here_stays_when_the_state_changes() {
    let server = Server::start(&[Reply::Whole]);
    let rule = "[[rules]]\nid = \"roaming\"\nwhen = { network = [\"roaming\"] }\ndeny = [\"off_device\"]\n";
    let fixture = Fixture::new(&policy(&server, rule));
    let on = |network| {
        fixture.assistant.update_device(&DeviceUpdate {
            network: Reported::Is(network),
            ..DeviceUpdate::default()
        });
    };
    let conversation = fixture.conversation();
    on(Network::Roaming);
    read(&conversation.ask(KEPT, asked_as("chat", PrivacyClass::Public)).unwrap());
    on(Network::Unmetered);
    let next = read(
        &conversation
            .ask("Go on.", asked_as("chat", PrivacyClass::Public))
            .unwrap(),
    );
    assert!(!left(&server), "{}", next.report.summary());
}

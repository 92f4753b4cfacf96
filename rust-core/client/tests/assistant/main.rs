//! The assistant on the tiny bundle, a server on this machine and a fake system model: who answers, what leaves, and what the receipt says.
#![allow(clippy::unwrap_used)]

mod fallback;
mod findings;
mod rules;
#[path = "../support/mod.rs"]
mod support;
mod turns;

use support::{Fixture, Reply, Server, ask, ask_options, options, read};
use whimbrel_client::policy::{Decision, Preset};
use whimbrel_client::privacy::{FindingKind, PrivacyClass, Release};
use whimbrel_client::record::{Outcome, Place, Receipt};
use whimbrel_client::store::Filter;
use whimbrel_client::{AskOptions, ClientError, Conversation, Event, GenerationOptions, Message, Role, block_on};

/// A policy with one endpoint and these lines.
pub(crate) fn with_server(server: &Server, lines: &str) -> String {
    format!(
        "version = 1\nname = \"test\"\n{lines}\n[[endpoints]]\nid = \"house\"\nbase_url = \"{}\"\nmodel = \"m\"\n\
         trust = \"organisation\"\ncost_per_1k_tokens = 0\nclass_max = \"personal\"\nclass_max_redacted = \"secret\"\n",
        server.url
    )
}

pub(crate) fn receipts(fixture: &Fixture) -> Vec<Receipt> {
    block_on(fixture.assistant.receipts(Filter::default(), 100)).unwrap()
}

/// The one receipt there is.
pub(crate) fn receipt(fixture: &Fixture) -> Receipt {
    let mut all = receipts(fixture);
    assert_eq!(all.len(), 1);
    assert!(block_on(fixture.assistant.verify_ledger()).unwrap().is_intact());
    all.remove(0)
}

pub(crate) fn said(role: Role, content: &str) -> Message {
    Message::new(role, content)
}

pub(crate) fn decision(conversation: &Conversation) -> Decision {
    block_on(conversation.explain("Hello", &ask_options()))
        .unwrap()
        .plan
        .decision
}

#[test]
fn the_phone_answers_as_it_would_by_itself() {
    let fixture = Fixture::new(Preset::Private.text());
    let conversation = fixture.conversation();
    let heard = ask(&conversation, "Hello");
    let alone = fixture.model.conversation(options()).unwrap();
    let answer = alone.ask("Hello", ask_options()).unwrap();
    let text = read(&answer).text;
    assert_eq!(heard.text, text);
    assert_eq!(conversation.messages().len(), 2);
    let receipt = receipt(&fixture);
    assert_eq!(Some(receipt.id), heard.report.receipt);
    assert_eq!(receipt.outcome, Some(Outcome::Answered));
    assert!(matches!(receipt.place, Some(Place::OnDevice { .. })));
    assert_eq!((receipt.bytes_out, receipt.bytes_in), (0, 0));
    let closing = receipt.closing.unwrap();
    assert!(closing.tokens.input > 0 && closing.tokens.output > 0 && closing.energy.is_some());
}

#[test]
fn what_is_denied_leaves_nothing_but_a_receipt() {
    let server = Server::start(&[Reply::Whole]);
    let rules = "otherwise = [\"remote:house\"]\n[[rules]]\nid = \"secrets-stay\"\nwhen = { class = { min = \"secret\" } }\ndeny = [\"everything\"]";
    let fixture = Fixture::new(&with_server(&server, rules));
    let conversation = fixture.conversation();
    let key = "the key is sk-proj-Zm9vYmFyYmF6cXV4MTIzNDU2Nzg5MGFiY2RlZg";
    let heard = ask(&conversation, key);
    assert_eq!(heard.report.outcome, Outcome::Denied);
    assert_eq!(heard.report.rules, ["secrets-stay"]);
    assert!(server.received().is_empty() && conversation.messages().is_empty());
    let receipt = receipt(&fixture);
    assert_eq!(receipt.outcome, Some(Outcome::Denied));
    assert_eq!(receipt.intent.class, PrivacyClass::Secret);
    assert_eq!(
        receipt.intent.findings.keys().collect::<Vec<_>>(),
        [&FindingKind::ApiKey]
    );
    // The app's word counts as well.
    let options = AskOptions {
        class: PrivacyClass::Secret,
        ..ask_options()
    };
    assert_eq!(
        read(&conversation.ask("Hello", options).unwrap()).report.outcome,
        Outcome::Denied
    );
    assert!(ask(&conversation, "Hello").report.is_answered());
}

#[test]
fn redacted_text_goes_out_and_its_answer_comes_back_whole() {
    let server = Server::start(&[Reply::Echo]);
    let fixture = Fixture::with_words(
        &with_server(&server, "otherwise = [\"redact_then_remote:house\"]"),
        vec!["Bluebird".into()],
    );
    block_on(fixture.assistant.set_key("house", Some("sk-test-0001".into()))).unwrap();
    let conversation = fixture.conversation();
    let question = "Write to anna.berg@example.org about Bluebird, card 4111 1111 1111 1111. She wrote ⟨EMAIL_1⟩.";
    let heard = ask(&conversation, question);
    assert_eq!(heard.text, question);
    let again = ask(&conversation, "Is anna.berg@example.org still right?");
    assert_eq!(again.text, "Is anna.berg@example.org still right?");
    let received = server.received();
    assert_eq!(received.len(), 2);
    for request in &received {
        for planted in ["anna.berg", "Bluebird", "4111 1111"] {
            assert!(
                !request.body.contains(planted) && !request.head.contains(planted),
                "{planted}"
            );
        }
        assert!(
            request
                .head
                .to_ascii_lowercase()
                .contains("authorization: bearer sk-test-0001")
        );
    }
    let report = &heard.report;
    assert_eq!((report.release, report.redacted), (Some(Release::Redacted), 3));
    assert!(report.bytes_out >= received[0].body.len() as u64);
    let shown = serde_json::to_string(&receipts(&fixture)).unwrap();
    // Fewer digits may be part of a time.
    for planted in ["anna", "Bluebird", "4111 1111", "sk-test"] {
        assert!(!shown.contains(planted), "{planted} in the ledger");
    }
    let stats = block_on(fixture.assistant.stats(None, None)).unwrap();
    assert_eq!((stats.answers.organisation, stats.personal_as_is), (2, 0));
}

#[test]
fn redacted_values_come_back_in_thoughts_which_are_kept_nowhere() {
    let server = Server::start(&[Reply::Ponder]);
    let fixture = Fixture::new(&with_server(&server, "otherwise = [\"redact_then_remote:house\"]"));
    let conversation = fixture.conversation();
    let question = "Write to anna.berg@example.org, then to bo@example.org";
    let heard = ask(&conversation, question);
    assert_eq!((&*heard.thinking, &*heard.text), (question, question));
    assert_eq!(heard.report.thinking_bytes, question.len() as u64);
    let messages = conversation.messages();
    let said: Vec<_> = messages.iter().map(|message| &*message.content).collect();
    assert_eq!(said, [question, question]);
    ask(&conversation, "And then?");
    // The question and the answer, and no thoughts.
    let body = &server.received()[1].body;
    assert_eq!(body.matches("Write to").count(), 2, "{body}");
    assert!(!body.contains("anna.berg"), "{body}");
}

#[test]
fn nothing_is_sent_when_no_receipt_can_be_written() {
    let server = Server::start(&[Reply::Whole]);
    let fixture = Fixture::new(&with_server(&server, "otherwise = [\"remote:house\"]"));
    fixture.assistant.limit_store_pages(1).unwrap();
    let conversation = fixture.conversation();
    let mut refused = None;
    for _ in 0..400 {
        let answer = conversation.ask("Hello", ask_options()).unwrap();
        let sent_before = server.received().len();
        let last = loop {
            match block_on(answer.next(16)) {
                Ok(events) if events.iter().any(|event| matches!(event, Event::Finished(_))) => break Ok(()),
                Ok(events) => assert!(!events.is_empty()),
                Err(error) => break Err(error),
            }
        };
        if let Err(error) = last {
            refused = Some((error, server.received().len() - sent_before));
            break;
        }
        conversation.set_messages(Vec::new()).unwrap();
    }
    let (error, sent) = refused.expect("the disk is full at some point");
    assert!(matches!(error, ClientError::Store(_)), "{error}");
    assert!(sent <= 1, "at most what had a receipt");
    let sent = server.received();
    let known: Vec<_> = receipts(&fixture)
        .into_iter()
        .map(|receipt| receipt.intent.request.to_string())
        .collect();
    for request in sent.iter().rev().take(known.len().min(100)) {
        assert!(
            known.contains(&request.request_id()),
            "something left without a receipt"
        );
    }
}

#[test]
fn stop_strings_end_an_answer_and_do_not_leave() {
    let server = Server::start(&[Reply::Whole]);
    let fixture = Fixture::new(&with_server(&server, "otherwise = [\"remote:house\"]"));
    let options = AskOptions {
        generation: GenerationOptions {
            stop: vec!["the ser".into()],
            ..ask_options().generation
        },
        ..ask_options()
    };
    let heard = read(&fixture.conversation().ask("Hello", options).unwrap());
    assert_eq!(heard.text, "An answer from ");
    assert!(!server.received()[0].body.contains("the ser"));
    assert_eq!(receipt(&fixture).outcome, Some(Outcome::Answered));
}

#[test]
fn a_text_that_fits_nowhere_leaves_a_receipt() {
    let fixture = Fixture::new(Preset::Private.text());
    let conversation = fixture.conversation();
    let most = whimbrel_client::PROMPT_BYTES_MAX as usize;
    let long = "word ".repeat(most / 5);
    let answer = conversation.ask(&long, ask_options()).unwrap();
    let heard = read(&answer);
    assert!(!heard.report.is_answered(), "it does not fit the context");
    assert_eq!(receipts(&fixture).len(), 1);
}

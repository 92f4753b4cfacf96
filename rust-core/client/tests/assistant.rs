//! The assistant on the tiny bundle, a server on this machine and a fake system model: who answers, what leaves, and what the receipt says.
#![allow(clippy::unwrap_used)]

mod support;

use support::{FakeSystem, Fixture, Heard, Mood, Reply, Server, ask, ask_options, options, policies, read};
use whimbrel_client::policy::{
    Decision, DeviceUpdate, Format, LearningMode, Network, Policy, Preset, Reported, Thermal,
};
use whimbrel_client::privacy::{FindingKind, PrivacyClass, Release};
use whimbrel_client::record::{Outcome, Place, Receipt, Signal};
use whimbrel_client::store::Filter;
use whimbrel_client::{AskOptions, ClientError, Conversation, Event, GenerationOptions, Message, Role, block_on};

/// A policy with one endpoint and these lines.
fn with_server(server: &Server, lines: &str) -> String {
    format!(
        "version = 1\nname = \"test\"\n{lines}\n[[endpoints]]\nid = \"house\"\nbase_url = \"{}\"\nmodel = \"m\"\n\
         trust = \"organisation\"\ncost_per_1k_tokens = 0\nclass_max = \"personal\"\nclass_max_redacted = \"secret\"\n",
        server.url
    )
}

fn receipts(fixture: &Fixture) -> Vec<Receipt> {
    block_on(fixture.assistant.receipts(Filter::default(), 100)).unwrap()
}

/// The one receipt there is.
fn receipt(fixture: &Fixture) -> Receipt {
    let mut all = receipts(fixture);
    assert_eq!(all.len(), 1);
    assert!(block_on(fixture.assistant.verify_ledger()).unwrap().is_intact());
    all.remove(0)
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
        for planted in ["anna.berg", "Bluebird", "4111"] {
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
    for planted in ["anna", "Bluebird", "4111", "sk-test"] {
        assert!(!shown.contains(planted), "{planted} in the ledger");
    }
    let stats = block_on(fixture.assistant.stats(None, None)).unwrap();
    assert_eq!((stats.answers.organisation, stats.personal_as_is), (2, 0));
}

/// The candidates in order, what each does, and who answers after how many restarts.
struct Fall<'t> {
    list: &'t str,
    system: Mood,
    server: Reply,
    end: Outcome,
    candidate: Option<u32>,
    restarts: u32,
    codes: &'t [Option<&'t str>],
}

#[test]
fn the_next_candidate_answers_when_one_fails() {
    use whimbrel_client::SystemModelError as Error;
    let table = [
        Fall {
            list: "[\"system_model\", \"on_device\"]",
            system: Mood::Answers,
            server: Reply::Whole,
            end: Outcome::Answered,
            candidate: Some(0),
            restarts: 0,
            codes: &[None],
        },
        Fall {
            list: "[\"system_model\", \"on_device\"]",
            system: Mood::Refuses(Error::Busy),
            server: Reply::Whole,
            end: Outcome::Answered,
            candidate: Some(1),
            restarts: 0,
            codes: &[Some("busy"), None],
        },
        Fall {
            list: "[\"system_model\", \"on_device\"]",
            system: Mood::DiesMidway,
            server: Reply::Whole,
            end: Outcome::Answered,
            candidate: Some(1),
            restarts: 1,
            codes: &[Some("adapter"), None],
        },
        Fall {
            list: "[\"system_model\", \"on_device\"]",
            system: Mood::Forgets,
            server: Reply::Whole,
            end: Outcome::Answered,
            candidate: Some(1),
            restarts: 0,
            codes: &[Some("adapter"), None],
        },
        Fall {
            list: "[\"system_model\", \"on_device\"]",
            system: Mood::Hangs,
            server: Reply::Whole,
            end: Outcome::Answered,
            candidate: Some(1),
            restarts: 0,
            codes: &[Some("no_first_token"), None],
        },
        Fall {
            list: "[\"system_model\", \"on_device\"]",
            system: Mood::Unavailable,
            server: Reply::Whole,
            end: Outcome::Answered,
            candidate: Some(0),
            restarts: 0,
            codes: &[None],
        },
        Fall {
            list: "[\"remote:house\", \"on_device\"]",
            system: Mood::Answers,
            server: Reply::DiesMidway,
            end: Outcome::Answered,
            candidate: Some(1),
            restarts: 1,
            codes: &[Some("truncated"), None],
        },
        Fall {
            list: "[\"remote:house\", \"on_device\"]",
            system: Mood::Answers,
            server: Reply::Stalls,
            end: Outcome::Answered,
            candidate: Some(1),
            restarts: 1,
            codes: &[Some("timed_out"), None],
        },
        Fall {
            list: "[\"remote:house\", \"system_model\"]",
            system: Mood::Answers,
            server: Reply::Status(500),
            end: Outcome::Answered,
            candidate: Some(1),
            restarts: 0,
            codes: &[Some("server"), None],
        },
        Fall {
            list: "[\"system_model\", \"remote:house\"]",
            system: Mood::Refuses(Error::OutOfMemory),
            server: Reply::Whole,
            end: Outcome::Answered,
            candidate: Some(1),
            restarts: 0,
            codes: &[Some("out_of_memory"), None],
        },
        Fall {
            list: "[\"remote:house\", \"queue\"]",
            system: Mood::Answers,
            server: Reply::Garbage,
            end: Outcome::Deferred,
            candidate: None,
            restarts: 0,
            codes: &[Some("content_type")],
        },
        Fall {
            list: "[\"remote:house\"]",
            system: Mood::Answers,
            server: Reply::DiesMidway,
            end: Outcome::Failed,
            candidate: Some(0),
            restarts: 0,
            codes: &[Some("truncated")],
        },
    ];
    for fall in table {
        let server = Server::start(&[fall.server]);
        let limits = "[limits]\nfirst_token_ms = 400\ncandidate_ms = 1500\ndeadline_ms = 20000";
        let lines = format!("otherwise = {}\n{limits}", fall.list);
        let fixture = Fixture::new(&with_server(&server, &lines));
        fixture.assistant.set_system_model(Some(FakeSystem::new(fall.system)));
        let heard = ask(&fixture.conversation(), "Hello");
        let what = format!("{} with {:?} and {:?}", fall.list, fall.system, fall.server);
        let (report, last) = (&heard.report, heard.report.attempts.last());
        assert_eq!(report.outcome, fall.end, "{what}");
        let answered = last.map(|attempt| attempt.candidate).filter(|_| !heard.text.is_empty());
        assert_eq!(answered, fall.candidate, "{what}");
        assert_eq!(report.is_partial, fall.end == Outcome::Failed, "{what}");
        assert_eq!(heard.restarts, fall.restarts, "{what}");
        assert_eq!(heard.text.is_empty(), fall.end == Outcome::Deferred, "{what}");
        let closing = receipt(&fixture).closing.unwrap();
        let codes: Vec<_> = closing
            .attempts
            .iter()
            .map(|attempt| attempt.error.as_ref().map(|code| code.as_str()))
            .collect();
        assert_eq!(codes, fall.codes, "{what}");
    }
}

#[test]
fn cancelling_keeps_what_was_said_and_is_learned_from() {
    let fixture = Fixture::new(Preset::Private.text());
    let conversation = fixture.conversation();
    let long = AskOptions {
        generation: GenerationOptions {
            max_tokens: 400,
            speculation: false,
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

fn said(role: Role, content: &str) -> Message {
    Message::new(role, content)
}

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

fn decision(conversation: &Conversation) -> Decision {
    block_on(conversation.explain("Hello", &ask_options()))
        .unwrap()
        .plan
        .decision
}

#[test]
fn what_the_device_says_changes_the_decision() {
    let server = Server::start(&[Reply::Whole]);
    let rules = "otherwise = [\"remote:house\"]\n[[rules]]\nid = \"no-roaming\"\nwhen = { network = [\"roaming\"] }\ndeny = [\"off_device\"]";
    let fixture = Fixture::new(&with_server(&server, rules));
    let conversation = fixture.conversation();
    let update = |network| {
        fixture.assistant.update_device(&DeviceUpdate {
            network: Reported::Is(network),
            thermal: Reported::Is(Thermal::Nominal),
            ..DeviceUpdate::default()
        });
    };
    update(Network::Unmetered);
    assert_eq!(decision(&conversation), Decision::Run);
    update(Network::Roaming);
    assert_eq!(decision(&conversation), Decision::Denied);
    assert!(receipts(&fixture).is_empty(), "explaining leaves no receipt");
    let heard = ask(&conversation, "Hello");
    assert_eq!(heard.report.outcome, Outcome::Denied);
}

#[test]
fn a_user_can_only_tighten() {
    let server = Server::start(&[Reply::Whole]);
    let fixture = Fixture::new(&with_server(&server, "otherwise = [\"remote:house\", \"on_device\"]"));
    let user = "version = 1\nname = \"mine\"\nrole = \"user\"\n[[rules]]\nid = \"never\"\ndeny = [\"off_device\"]";
    let user = Policy::parse(user, Format::Toml).unwrap();
    fixture.assistant.set_user_policy(Some(user)).unwrap();
    let heard = ask(&fixture.conversation(), "Hello");
    assert!(matches!(heard.report.place, Some(Place::OnDevice { .. })));
    assert!(server.received().is_empty());
    // One that the app's rules do not fit is refused, and the old one holds.
    let stranger =
        "version = 1\nname = \"mine\"\nrole = \"user\"\n[[rules]]\nid = \"never\"\ndeny = [\"endpoint:elsewhere\"]";
    let stranger = Policy::parse(stranger, Format::Toml).unwrap();
    assert!(matches!(
        fixture.assistant.set_user_policy(Some(stranger)),
        Err(ClientError::Policy(_))
    ));
    assert_eq!(fixture.assistant.policies().user().unwrap().name(), "mine");
}

#[test]
fn feedback_is_learned_and_survives() {
    let server = Server::start(&[Reply::Whole]);
    let lines = "order = \"quality\"\notherwise = [\"on_device\", \"remote:house\"]";
    let policy = with_server(&server, lines);
    let fixture = Fixture::new(&policy);
    let conversation = fixture.conversation();
    block_on(fixture.assistant.set_learning(LearningMode::On)).unwrap();
    let Heard { report, .. } = ask(&conversation, "Hello");
    for _ in 0..40 {
        let signal = match report.place {
            Some(Place::OnDevice { .. }) => Signal::ThumbsDown,
            _ => Signal::ThumbsUp,
        };
        block_on(fixture.assistant.feedback(report.receipt.unwrap(), signal)).unwrap();
    }
    block_on(fixture.assistant.set_learning(LearningMode::Frozen)).unwrap();
    let first = |fixture: &Fixture| {
        let explanation = block_on(fixture.conversation().explain("Hello", &ask_options())).unwrap();
        explanation.plan.candidates[0].name()
    };
    assert_eq!(first(&fixture), "remote:house");
    let unknown = whimbrel_client::record::ReceiptId(99);
    let refused = block_on(fixture.assistant.feedback(unknown, Signal::ThumbsUp));
    assert!(matches!(refused, Err(ClientError::Store(_))));
    let Fixture {
        assistant,
        model,
        vault,
        folder,
        ..
    } = fixture;
    drop((conversation, assistant));
    // The last handle may go a moment later, on the assistant's own thread.
    let open = || {
        whimbrel_client::Assistant::open(whimbrel_client::AssistantOptions {
            store: folder.path().join("ledger.sqlite"),
            vault: vault.clone(),
            policies: policies(&policy),
            user_words: Vec::new(),
        })
    };
    let assistant = loop {
        match open() {
            Ok(assistant) => break assistant,
            Err(ClientError::Store(whimbrel_client::store::StoreError::InUse { .. })) => std::thread::yield_now(),
            Err(error) => panic!("{error}"),
        }
    };
    assistant.set_model(Some(model));
    assert_eq!(assistant.learning(), LearningMode::Frozen);
    let explanation = block_on(assistant.conversation(options()).explain("Hello", &ask_options())).unwrap();
    assert_eq!(explanation.plan.candidates[0].name(), "remote:house");
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
fn the_users_rules_outlive_the_apps() {
    let server = Server::start(&[Reply::Whole]);
    let policy = with_server(&server, "otherwise = [\"remote:house\", \"on_device\"]");
    let fixture = Fixture::new(&policy);
    let user = "version = 1\nname = \"mine\"\nrole = \"user\"\n[[rules]]\nid = \"never\"\ndeny = [\"off_device\"]";
    fixture
        .assistant
        .set_user_policy(Some(Policy::parse(user, Format::Toml).unwrap()))
        .unwrap();
    fixture
        .assistant
        .set_app_policy(Policy::parse(&policy, Format::Toml).unwrap())
        .unwrap();
    let heard = ask(&fixture.conversation(), "Hello");
    assert!(matches!(heard.report.place, Some(Place::OnDevice { .. })));
    let typo = fixture.assistant.set_endpoint("hause", Default::default());
    assert!(matches!(typo, Err(ClientError::UnknownEndpoint { .. })));
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

//! What is found in a conversation, over several questions: counted once, and the special categories where a policy and a receipt show them.

use whimbrel_client::block_on;
use whimbrel_client::policy::Decision;
use whimbrel_client::privacy::{FindingKind, PrivacyClass};
use whimbrel_client::record::Outcome;

use super::support::{Fixture, Reply, Server, ask, ask_options};
use super::{receipt, receipts, with_server};

#[test]
fn values_of_a_history_are_counted_once() {
    let server = Server::start(&[Reply::Echo]);
    let fixture = Fixture::new(&with_server(&server, "otherwise = [\"redact_then_remote:house\"]"));
    let conversation = fixture.conversation();
    // The server says it again, so the history holds it twice; the second spelling of the card is the same card.
    let questions = [
        "My card is 4111 1111 1111 1111, my mail ada.berg@example.org.",
        "Is ADA.BERG@example.org right, and 4111-1111-1111-1111?",
        "Add lena@example.org.",
        "Now what?",
    ];
    let asked: Vec<_> = questions.iter().map(|question| ask(&conversation, question)).collect();
    assert_eq!(server.received().len(), 4);
    // Each request is sent with all of the history.
    let replaced: Vec<u32> = asked.iter().map(|heard| heard.report.redacted).collect();
    assert_eq!(replaced, [2, 2, 3, 3]);
    let mut written = receipts(&fixture);
    written.sort_by_key(|receipt| receipt.id);
    let mails = |receipt: &whimbrel_client::record::Receipt| {
        let closing = receipt.closing.as_ref().unwrap();
        let of = |counts: &std::collections::BTreeMap<_, u32>| counts.get(&FindingKind::Email).copied();
        (
            of(&receipt.intent.findings),
            of(&closing.redacted),
            of(&closing.repeated),
        )
    };
    assert_eq!(
        written.iter().map(mails).collect::<Vec<_>>(),
        [
            (Some(1), Some(1), None),
            (Some(1), Some(1), Some(1)),
            (Some(2), Some(2), Some(1)),
            (Some(2), Some(2), Some(2)),
        ]
    );
    let stats = block_on(fixture.assistant.stats(None, None)).unwrap();
    let expected = [(FindingKind::Email, 2), (FindingKind::PaymentCard, 1)];
    assert_eq!(stats.redacted.into_iter().collect::<Vec<_>>(), expected);
}

#[test]
fn values_that_did_not_leave_before_are_new_when_they_do() {
    let server = Server::start(&[Reply::Echo]);
    let rules = "otherwise = [\"on_device\"]\n[[rules]]\nid = \"ask-outside\"\nwhen = { task = [\"outside\"] }\n\
                 try = [\"redact_then_remote:house\"]";
    let fixture = Fixture::new(&with_server(&server, rules));
    let conversation = fixture.conversation();
    let outside = whimbrel_client::AskOptions {
        task: "outside".into(),
        ..ask_options()
    };
    let heard = super::read(
        &conversation
            .ask("My mail is ada.berg@example.org.", outside.clone())
            .unwrap(),
    );
    assert_eq!(heard.report.redacted, 1);
    let other = fixture.conversation();
    let heard = super::read(&other.ask("My mail is ada.berg@example.org.", outside).unwrap());
    assert_eq!(heard.report.redacted, 1);
    // Another conversation has placeholders of its own: nobody can tell that it is the same value.
    let stats = block_on(fixture.assistant.stats(None, None)).unwrap();
    assert_eq!(stats.redacted[&FindingKind::Email], 2);
}

#[test]
fn a_special_category_keeps_a_text_here_and_is_in_its_receipt() {
    let server = Server::start(&[Reply::Whole]);
    let rules = "otherwise = [\"remote:house\"]\n[[rules]]\nid = \"health-stays\"\nwhen = { findings = [\"health\"] }\ndeny = [\"off_device\"]";
    let fixture = Fixture::new(&with_server(&server, rules));
    let conversation = fixture.conversation();
    let heard = ask(&conversation, "my HIV test results, and tell priya");
    assert_eq!(heard.report.outcome, Outcome::Denied);
    assert_eq!(heard.report.rules, ["health-stays"]);
    assert!(server.received().is_empty());
    let receipt = receipt(&fixture);
    assert_eq!(receipt.intent.class, PrivacyClass::Sensitive);
    assert_eq!(receipt.intent.findings[&FindingKind::Health], 1);
    // It is more private than the endpoint may get, also where no rule names it.
    let explanation = block_on(conversation.explain("I am gay.", &ask_options())).unwrap();
    assert_eq!(explanation.request.findings[&FindingKind::Sexuality], 1);
    assert_eq!(explanation.plan.decision, Decision::Denied);
    assert!(explanation.to_string().contains("found 1 × sexuality"), "{explanation}");
}

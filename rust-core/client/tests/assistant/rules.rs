//! What changes a decision: the device, the user's rules, feedback.

use super::{decision, receipts, with_server};
use crate::support::{Fixture, Heard, Reply, Server, ask, ask_options, options, policies};
use whimbrel_client::policy::{Decision, DeviceUpdate, Format, LearningMode, Network, Policy, Reported, Thermal};
use whimbrel_client::record::{Outcome, Place, Signal};
use whimbrel_client::{ClientError, block_on};

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
fn a_key_is_kept_only_for_an_endpoint_that_there_is() {
    let server = Server::start(&[Reply::Echo]);
    let fixture = Fixture::new(&with_server(&server, "otherwise = [\"on_device\"]"));
    let set = |id: &str, key: Option<&str>| block_on(fixture.assistant.set_key(id, key.map(str::to_owned)));
    set("house", Some("sk-test-0001")).unwrap();
    let error = set("nope", Some("sk-test-0001")).unwrap_err();
    assert!(matches!(error, ClientError::UnknownEndpoint { id } if id == "nope"));
    // One that the policy no longer has can still be forgotten.
    set("nope", None).unwrap();
}

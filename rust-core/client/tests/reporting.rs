//! Telemetry: nothing before consent and nothing after it, no text of anybody, every message with a receipt, each request once.
#![allow(clippy::unwrap_used)]

#[path = "support/mod.rs"]
mod support;

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use flate2::read::GzDecoder;
use support::clock::Moved;
use support::phone::Phone;
use support::{Reply, Server, ask, open_tiny, options};
use whimbrel_client::policy::telemetry::{Signals, Why};
use whimbrel_client::policy::{Network, Policy};
use whimbrel_client::ports::Ports;
use whimbrel_client::record::{Outcome, TELEMETRY_TASK};
use whimbrel_client::store::{Filter, Prune};
use whimbrel_client::{Assistant, ClientError, TelemetryNames, block_on};

const ACCEPTED: Reply = Reply::Raw(b"HTTP/1.1 200 \r\ncontent-length: 0\r\n\r\n");
const BUSY: Reply = Reply::Raw(b"HTTP/1.1 503 \r\ncontent-length: 0\r\n\r\n");
const BOTH: Signals = Signals {
    metrics: true,
    traces: true,
};
const SIX_HOURS_MS: u64 = 6 * 3_600_000;
/// Planted wherever a text or a name can be.
const PLANTED: &str = "Quetzalcoatl";

/// An app on a phone, and its collector.
struct World {
    phone: Phone,
    server: Server,
    clock: Arc<Moved>,
}

impl World {
    fn new(replies: &[Reply]) -> World {
        let server = Server::start(replies);
        let policy = format!(
            "version = 1\nname = \"test\"\n[telemetry]\nurl = \"http://{}\"\nservice = \"field-notes\"\n\
             trust = \"organisation\"\n",
            server.address
        );
        World {
            phone: Phone::new(&policy),
            server,
            clock: Arc::default(),
        }
    }

    fn start(&self) -> Assistant {
        let ports = Ports {
            clock: self.clock.clone(),
            ..Ports::default()
        };
        self.phone.start_with(Network::Unmetered, ports)
    }

    /// The next time that something may be sent.
    fn go_on(&self, assistant: &Assistant) {
        self.clock.ahead_ms.fetch_add(SIX_HOURS_MS, Ordering::Relaxed);
        support::phone::set_network(assistant, Network::Unmetered);
    }

    /// What came in, decompressed: the address and the message.
    fn received(&self) -> Vec<(String, Vec<u8>)> {
        let received = self.server.received();
        let unpacked = received.iter().map(|request| {
            let mut message = Vec::new();
            GzDecoder::new(&request.bytes[..]).read_to_end(&mut message).unwrap();
            (request.head.split(' ').nth(1).unwrap().to_owned(), message)
        });
        unpacked.collect()
    }
}

fn has(message: &[u8], text: &str) -> bool {
    message.windows(text.len()).any(|window| window == text.as_bytes())
}

fn say(assistant: &Assistant, question: &str) {
    let heard = ask(&assistant.conversation(options()), question);
    assert!(heard.report.is_answered());
}

/// Waits until what runs by itself has had its turn, and runs.
fn run(assistant: &Assistant) -> whimbrel_client::TelemetryRun {
    block_on(assistant.telemetry().run(None)).unwrap()
}

#[test]
fn nothing_leaves_before_consent_and_nothing_after_it() {
    let (_client, model) = open_tiny();
    let world = World::new(&[ACCEPTED]);
    let assistant = world.start();
    assistant.set_model(Some(model));
    say(&assistant, PLANTED);
    assert_eq!(run(&assistant).because, Some(Why::NoConsent));
    world.go_on(&assistant);
    assert_eq!(run(&assistant).because, Some(Why::NoConsent));
    assert!(world.server.received().is_empty());

    block_on(assistant.telemetry().allow(BOTH)).unwrap();
    // What was before the consent stays.
    assert_eq!(run(&assistant).because, Some(Why::NothingNew));
    say(&assistant, &format!("{PLANTED}, again?"));
    say(&assistant, "And a third one?");
    world.go_on(&assistant);
    let status = block_on(assistant.telemetry().status()).unwrap();
    assert_eq!((status.waiting, status.signals), (2, BOTH));
    let sent = run(&assistant);
    assert!(sent.metrics && sent.spans == 2 && sent.because.is_none(), "{sent:?}");
    let received = world.received();
    assert_eq!(
        received.iter().map(|(path, _)| path.as_str()).collect::<Vec<_>>(),
        ["/v1/metrics", "/v1/traces"]
    );
    for (_, message) in &received {
        assert!(has(message, "field-notes") && !has(message, PLANTED) && !has(message, "Whimbrel_Tiny"));
    }

    say(&assistant, "This waits when the consent is withdrawn.");
    block_on(assistant.telemetry().withdraw()).unwrap();
    world.go_on(&assistant);
    assert_eq!(run(&assistant).because, Some(Why::NoConsent));
    block_on(assistant.shutdown());
    let assistant = world.start();
    world.go_on(&assistant);
    assert_eq!(run(&assistant).because, Some(Why::NoConsent));
    assert_eq!(world.server.received().len(), 2);
    // A new consent begins anew, under another id.
    block_on(assistant.telemetry().allow(BOTH)).unwrap();
    assert_eq!(block_on(assistant.telemetry().status()).unwrap().waiting, 0);
}

#[test]
fn every_message_has_a_receipt_that_is_no_answer() {
    let (_client, model) = open_tiny();
    let world = World::new(&[ACCEPTED]);
    let assistant = world.start();
    assistant.set_model(Some(model));
    block_on(assistant.telemetry().allow(BOTH)).unwrap();
    say(&assistant, "One?");
    world.go_on(&assistant);
    let sent = run(&assistant);
    let receipts = block_on(assistant.receipts(Filter::default(), 10)).unwrap();
    let reports: Vec<_> = receipts.iter().filter(|receipt| receipt.intent.is_report()).collect();
    assert_eq!(reports.len(), 1);
    assert_eq!(
        (reports[0].outcome, reports[0].bytes_out),
        (Some(Outcome::Answered), sent.bytes_out)
    );
    let stats = block_on(assistant.stats(None, None)).unwrap();
    assert_eq!(
        (stats.reports, stats.bytes_out, stats.answers.organisation),
        (1, sent.bytes_out, 0)
    );
    assert_eq!(block_on(assistant.performance()).unwrap().outcomes.requests(), 1);
    assert!(block_on(assistant.verify_ledger()).unwrap().is_intact());
    // A report is nothing new to report, and apps cannot pass for it.
    world.go_on(&assistant);
    let again = run(&assistant);
    assert_eq!((again.bytes_out, again.because), (0, Some(Why::NothingNew)));
    let refused = assistant.conversation(options()).ask(
        "Hello",
        whimbrel_client::AskOptions {
            task: TELEMETRY_TASK.to_owned(),
            ..support::ask_options()
        },
    );
    assert!(matches!(refused, Err(ClientError::Task(_))));
}

#[test]
fn a_collector_that_fails_gets_everything_later_once() {
    let (_client, model) = open_tiny();
    let world = World::new(&[BUSY, BUSY, ACCEPTED]);
    let mut assistant = world.start();
    assistant.set_model(Some(model.clone()));
    block_on(assistant.telemetry().allow(BOTH)).unwrap();
    let (mut spans, mut asked, mut rounds) = (0, 0, 0);
    while spans < 6 {
        if asked < 6 {
            say(&assistant, "Well?");
            asked += 1;
        }
        world.go_on(&assistant);
        spans += run(&assistant).spans;
        rounds += 1;
        assert!(rounds < 60, "{spans} of {asked}");
        // The app is started again in between.
        if rounds % 2 == 0 {
            block_on(assistant.shutdown());
            assistant = world.start();
            assistant.set_model(Some(model.clone()));
        }
    }
    assert_eq!(spans, 6);
    let status = block_on(assistant.telemetry().status()).unwrap();
    assert_eq!((status.waiting, status.dropped, status.rejected), (0, 0, 0));
}

#[test]
fn names_are_sent_only_where_the_app_gives_them() {
    let (_client, model) = open_tiny();
    let world = World::new(&[ACCEPTED]);
    let assistant = world.start();
    assistant.set_model(Some(model));
    block_on(assistant.telemetry().allow(BOTH)).unwrap();
    assistant.telemetry().set_names(TelemetryNames {
        models: ["Whimbrel_Tiny".to_owned()].into(),
        ..TelemetryNames::default()
    });
    say(&assistant, "One?");
    world.go_on(&assistant);
    run(&assistant);
    assert!(
        world
            .received()
            .iter()
            .all(|(_, message)| has(message, "Whimbrel_Tiny"))
    );
}

#[test]
fn a_policy_without_a_place_for_it_sends_nothing() {
    let world = World::new(&[ACCEPTED]);
    let assistant = world.start();
    block_on(assistant.telemetry().allow(BOTH)).unwrap();
    let without = "version = 1\nname = \"test\"\n";
    let without = Policy::parse(without, whimbrel_client::policy::Format::Toml).unwrap();
    assistant.set_app_policy(without).unwrap();
    assert!(matches!(
        block_on(assistant.telemetry().allow(BOTH)),
        Err(ClientError::NoTelemetry)
    ));
    world.go_on(&assistant);
    assert_eq!(run(&assistant).because, Some(Why::NotConfigured));
    assert!(world.server.received().is_empty());
}

/// Replaces the user's policy: whether telemetry may be sent.
fn switch(assistant: &Assistant, on: bool) {
    let off = "version = 1\nname = \"mine\"\nrole = \"user\"\n[telemetry]\nmetrics = false\ntraces = false\n";
    let off = Policy::parse(off, whimbrel_client::policy::Format::Toml).unwrap();
    assistant.set_user_policy((!on).then_some(off)).unwrap();
    // It hears of it aside, and then knows which requests began before.
    assert_eq!(block_on(assistant.telemetry().status()).unwrap().signals.traces, on);
}

/// Whether a message has a histogram with so many values (field 4 of its data point, eight bytes).
fn counts(message: &[u8], values: u8) -> bool {
    message
        .windows(9)
        .any(|window| window == [0x21, values, 0, 0, 0, 0, 0, 0, 0])
}

#[test]
fn what_was_asked_while_a_policy_forbade_it_is_never_sent() {
    let (_client, model) = open_tiny();
    let mut world = World::new(&[ACCEPTED]);
    let mut assistant = world.start();
    assistant.set_model(Some(model.clone()));
    block_on(assistant.telemetry().allow(BOTH)).unwrap();
    say(&assistant, "This waits when it is switched off.");
    switch(&assistant, false);
    say(&assistant, "This is asked meanwhile.");
    switch(&assistant, true);
    say(&assistant, "This may be sent.");
    assert_eq!(block_on(assistant.telemetry().status()).unwrap().waiting, 1);
    // A process whose app's policy does not speak of it, and that does nothing about it.
    block_on(assistant.shutdown());
    let with = std::mem::replace(&mut world.phone.policy, "version = 1\nname = \"test\"\n".to_owned());
    assistant = world.start();
    assistant.set_model(Some(model.clone()));
    say(&assistant, "This is asked without a place to send it to.");
    block_on(assistant.shutdown());
    world.phone.policy = with;
    assistant = world.start();
    assistant.set_model(Some(model));
    assert_eq!(block_on(assistant.telemetry().status()).unwrap().waiting, 0);
    say(&assistant, "This may be sent again.");
    world.go_on(&assistant);
    let sent = run(&assistant);
    assert!(sent.metrics && sent.spans == 1, "{sent:?}");
    let received = world.received();
    assert!(counts(&received[0].1, 1) && (2..9).all(|more| !counts(&received[0].1, more)));
}

#[test]
fn a_consent_is_for_one_receiver() {
    let world = World::new(&[ACCEPTED]);
    let other = World::new(&[ACCEPTED]);
    let assistant = world.start();
    let (_client, model) = open_tiny();
    assistant.set_model(Some(model));
    block_on(assistant.telemetry().allow(BOTH)).unwrap();
    let policy = Policy::parse(&other.phone.policy, whimbrel_client::policy::Format::Toml).unwrap();
    assistant.set_app_policy(policy).unwrap();
    say(&assistant, "For whom?");
    world.go_on(&assistant);
    assert_eq!(run(&assistant).because, Some(Why::NoConsent));
    // A new consent is for the new one at once.
    block_on(assistant.telemetry().allow(BOTH)).unwrap();
    say(&assistant, "For them?");
    let status = block_on(assistant.telemetry().status()).unwrap();
    assert_eq!((status.waiting, status.signals), (1, BOTH));
    assert_eq!(run(&assistant).spans, 1);
    assert!(world.server.received().is_empty());
    assert_eq!(other.server.received().len(), 2);
}

#[test]
fn a_collector_that_asks_to_wait_gets_nothing_more() {
    let (_client, model) = open_tiny();
    let world = World::new(&[BUSY]);
    let assistant = world.start();
    assistant.set_model(Some(model));
    block_on(assistant.telemetry().allow(BOTH)).unwrap();
    say(&assistant, "One?");
    world.go_on(&assistant);
    let tried = run(&assistant);
    assert!(!tried.metrics && tried.bytes_out > 0);
    assert_eq!(world.server.received().len(), 1);
}

#[test]
fn what_is_pruned_stays_in_the_sums() {
    let (_client, model) = open_tiny();
    let world = World::new(&[ACCEPTED]);
    let assistant = world.start();
    assistant.set_model(Some(model));
    block_on(assistant.telemetry().allow(BOTH)).unwrap();
    for question in ["One?", "Two?", "Three?"] {
        say(&assistant, question);
    }
    let all = Prune {
        opened_before_ms: None,
        receipts_max: Some(0),
    };
    assert!(block_on(assistant.prune_ledger(all)).unwrap().is_some());
    say(&assistant, "Four?");
    world.go_on(&assistant);
    let sent = run(&assistant);
    assert!(sent.metrics && sent.spans == 1, "{sent:?}");
    assert!(counts(&world.received()[0].1, 4));
}

#[test]
fn a_request_that_began_before_the_consent_stays() {
    let (_client, model) = open_tiny();
    let world = World::new(&[ACCEPTED]);
    let assistant = world.start();
    assistant.set_model(Some(model));
    let answer = assistant
        .conversation(options())
        .ask("Before?", support::ask_options())
        .unwrap();
    // It has begun when it says something.
    assert!(!block_on(answer.next(1)).unwrap().is_empty());
    block_on(assistant.telemetry().allow(BOTH)).unwrap();
    assert!(support::read(&answer).report.is_answered());
    say(&assistant, "Afterwards?");
    assert_eq!(block_on(assistant.telemetry().status()).unwrap().waiting, 1);
    world.go_on(&assistant);
    assert_eq!(run(&assistant).spans, 1);
    assert!(counts(&world.received()[0].1, 1));
}

#[test]
fn a_receiver_never_gets_the_id_that_another_had() {
    let (_client, model) = open_tiny();
    let world = World::new(&[ACCEPTED]);
    let assistant = world.start();
    assistant.set_model(Some(model));
    let id = |message: &[u8]| {
        let name = b"service.instance.id";
        let at = message.windows(name.len()).position(|window| window == name).unwrap();
        message[at + name.len()..at + name.len() + 40].to_vec()
    };
    for _ in 0..2 {
        block_on(assistant.telemetry().allow(BOTH)).unwrap();
        say(&assistant, "One?");
        world.go_on(&assistant);
        assert!(run(&assistant).metrics);
        block_on(assistant.telemetry().withdraw()).unwrap();
    }
    let received = world.received();
    assert_eq!(id(&received[0].1), id(&received[1].1));
    assert_ne!(id(&received[0].1), id(&received[2].1));
}

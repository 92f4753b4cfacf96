//! Telemetry: nothing before consent and nothing after it, no text of anybody, every message with a receipt, each request once.
#![allow(clippy::unwrap_used)]

#[path = "support/mod.rs"]
mod support;

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::read::GzDecoder;
use support::phone::Phone;
use support::{Reply, Server, ask, open_tiny, options};
use whimbrel_client::policy::telemetry::{Signals, Why};
use whimbrel_client::policy::{Network, Policy};
use whimbrel_client::ports::{Clock, Ports, SystemClock};
use whimbrel_client::record::{Outcome, TELEMETRY_TASK};
use whimbrel_client::store::Filter;
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

/// The system's clock, put forward.
struct Moved {
    system: SystemClock,
    ahead_ms: AtomicU64,
}

impl Clock for Moved {
    fn now_ms(&self) -> u64 {
        self.system.now_ms() + self.ahead_ms.load(Ordering::Relaxed)
    }

    fn utc_offset_s(&self, _: u64) -> i32 {
        0
    }

    fn elapsed_ms(&self) -> u64 {
        self.system.elapsed_ms()
    }
}

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
            clock: Arc::new(Moved {
                system: SystemClock::default(),
                ahead_ms: AtomicU64::new(0),
            }),
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
    assert_eq!(run(&assistant).bytes_out, 0);
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

//! What requests took: measured parts in receipts, and their sums over restarts.
#![allow(clippy::unwrap_used)]

#[path = "support/mod.rs"]
mod support;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use support::{Fixture, ask, ask_options, open_tiny, options, policies};
use whimbrel_client::policy::{DeviceUpdate, Thermal};
use whimbrel_client::ports::{Gauges, Ports, Reading, SystemClock};
use whimbrel_client::privacy::PrivacyClass;
use whimbrel_client::record::{Closing, DeviceClass, Host, Intent, Label, Measured, Outcome, Receipt, Signal};
use whimbrel_client::store::{MemoryVault, Prune, Store};
use whimbrel_client::telemetry::{Mark, Measure, Overview, RegressionKind, Stage, heartbeat};
use whimbrel_client::{Assistant, AssistantOptions, Performance, block_on, page_options};

const POLICY: &str = "version = 1\nname = \"test\"\n";

/// Counts on at every reading.
#[derive(Default)]
struct Counting {
    readings: AtomicU64,
    package: Option<u64>,
}

impl Gauges for Counting {
    fn read(&self) -> Reading {
        let reading = self.readings.fetch_add(1, Ordering::Relaxed);
        Reading {
            cpu_us: reading * 500_000,
            memory_bytes: 1_000_000 + reading,
            package_microjoules: self.package.map(|each| reading * each),
        }
    }
}

fn open(folder: &Path, vault: &Arc<MemoryVault>, gauges: Counting) -> Assistant {
    let options = AssistantOptions {
        store: folder.join("ledger.sqlite"),
        vault: vault.clone(),
        policies: policies(POLICY),
        user_words: Vec::new(),
    };
    let ports = Ports {
        gauges: Arc::new(gauges),
        ..Ports::default()
    };
    Assistant::open_with(options, ports).unwrap()
}

fn receipt_of(assistant: &Assistant, question: &str) -> Receipt {
    let report = ask(&assistant.conversation(options()), question).report;
    block_on(assistant.receipt(report.receipt.unwrap())).unwrap()
}

fn overview(assistant: &Assistant) -> Overview {
    block_on(assistant.performance()).unwrap()
}

#[test]
fn a_receipt_says_what_its_request_took() {
    let fixture = Fixture::new(POLICY);
    fixture.assistant.update_device(&DeviceUpdate {
        battery_percent: 71.into(),
        charging: false.into(),
        thermal: Thermal::Fair.into(),
        memory_total_bytes: 6_000_000_000.into(),
        ..DeviceUpdate::default()
    });
    let receipt = receipt_of(&fixture.assistant, "How far is the moon?");
    assert!(receipt.closing.as_ref().is_some_and(|closing| closing.energy.is_some()));
    let closing = receipt.closing.unwrap();
    let Measured {
        examine_us,
        decide_us,
        load_us,
        prefill_us,
        decode_us,
        network_us,
        prefill_tokens,
        decode_tokens,
        cpu_us,
        memory_bytes,
        battery_percent,
        thermal,
        device,
    } = closing.measured;
    for (name, value) in [
        ("examine", examine_us),
        ("decide", decide_us),
        ("load", load_us),
        ("prefill", prefill_us),
        ("decode", decode_us),
        ("processor", cpu_us),
        ("memory", memory_bytes),
    ] {
        assert!(value > 0, "{name}");
    }
    // The parts are parts of the whole, which is counted in whole milliseconds.
    let parts_us = examine_us + decide_us + load_us + prefill_us + decode_us;
    assert!(parts_us / 1_000 <= closing.latency.total_ms + examine_us / 1_000 + decide_us / 1_000 + 2);
    assert_eq!((prefill_tokens, network_us), (closing.tokens.input, 0));
    assert_eq!(decode_tokens, closing.tokens.output - 1);
    assert_eq!((battery_percent, thermal), (Some(71), Some(Thermal::Fair)));
    assert_eq!(device, Some(DeviceClass::Medium));
    assert!(block_on(fixture.assistant.verify_ledger()).unwrap().is_intact());
}

#[test]
fn energy_is_estimated_by_the_best_method() {
    let (_client, model) = open_tiny();
    let check = |package: Option<u64>, milliwatts: Option<u32>, method: &str, expected: Option<u64>| {
        let folder = tempfile::tempdir().unwrap();
        let gauges = Counting {
            package,
            ..Counting::default()
        };
        let assistant = open(folder.path(), &Arc::default(), gauges);
        assistant.set_model(Some(model.clone()));
        assistant.update_device(&DeviceUpdate {
            battery_milliwatts: milliwatts.into(),
            ..DeviceUpdate::default()
        });
        let energy = receipt_of(&assistant, "Yes?").closing.unwrap().energy.unwrap();
        assert_eq!(energy.method.as_str(), method);
        if let Some(expected) = expected {
            assert_eq!(energy.millijoules, expected);
        }
        let total: u64 = overview(&assistant)
            .energy
            .iter()
            .map(|energy| energy.millijoules)
            .sum();
        assert_eq!(total, energy.millijoules);
    };
    check(None, None, "processor-time-2-watts", Some(1_000));
    check(None, Some(3_000_000), "battery-power", None);
    check(Some(77_000), Some(3_000), "rapl-package", Some(77));
}

#[test]
fn everything_is_counted_once_over_restarts() {
    let (_client, model) = open_tiny();
    let folder = tempfile::tempdir().unwrap();
    let vault = Arc::new(MemoryVault::default());
    let mut asked = 0;
    for round in 0..4 {
        let assistant = open(folder.path(), &vault, Counting::default());
        assert!(assistant.endings().is_empty(), "after an orderly end");
        assistant.set_model(Some(model.clone()));
        for question in ["One?", "Two?", "Three?"] {
            let report = ask(&assistant.conversation(options()), &format!("{question} {round}")).report;
            assert!(report.is_answered());
            asked += 1;
        }
        // Looked at twice, and in some rounds never.
        if round % 2 == 0 {
            assert_eq!(overview(&assistant), overview(&assistant));
            assert_eq!(overview(&assistant).outcomes.answered, asked);
        }
        block_on(assistant.shutdown());
    }
    // A process that is killed leaves a receipt without an end, which the next one closes.
    let store = Store::open(&folder.path().join("ledger.sqlite"), vault.clone(), 1).unwrap();
    let intent = Intent::new(Label::squeezed("killed"), Label::squeezed("chat"), PrivacyClass::Public);
    store.ledger().begin(&intent, 1).unwrap();
    drop(store);
    let assistant = open(folder.path(), &vault, Counting::default());
    let found = overview(&assistant);
    assert_eq!((found.outcomes.answered, found.outcomes.interrupted), (asked, 1));
    let totals = block_on(assistant.stats(None, None)).unwrap();
    let measures = &found.series[0].measures;
    let sum = |measure| {
        measures
            .iter()
            .find(|view| view.measure == measure)
            .map_or(0, |view| view.sum)
    };
    assert_eq!(sum(Measure::InputTokens), totals.tokens_in);
    assert_eq!(sum(Measure::OutputTokens), totals.tokens_out);
    assert_eq!(found.days.iter().map(|day| day.outcomes.answered).sum::<u64>(), asked);
}

#[test]
fn what_is_pruned_stays_counted_and_what_is_reset_does_not() {
    let fixture = Fixture::new(POLICY);
    for question in ["One?", "Two?"] {
        ask(&fixture.conversation(), question);
    }
    let all = Prune {
        opened_before_ms: None,
        receipts_max: Some(0),
    };
    assert!(block_on(fixture.assistant.prune_ledger(all)).unwrap().is_some());
    ask(&fixture.conversation(), "Three?");
    assert_eq!(overview(&fixture.assistant).outcomes.answered, 3);
    // Another process that only reads.
    let path = fixture.folder.path().join("ledger.sqlite");
    let reader = Store::inspect(&path, fixture.vault.clone()).unwrap();
    let read = Performance::default()
        .overview(&reader, &SystemClock::default())
        .unwrap();
    assert_eq!(read, overview(&fixture.assistant));
    block_on(fixture.assistant.reset_performance()).unwrap();
    assert_eq!(overview(&fixture.assistant).outcomes.requests(), 0);
    ask(&fixture.conversation(), "Four?");
    assert_eq!(overview(&fixture.assistant).outcomes.answered, 1);
    assert_eq!(block_on(fixture.assistant.stats(None, None)).unwrap().receipts, 4);
}

#[test]
fn answers_that_are_rejected_more_often_are_told() {
    let (_client, model) = open_tiny();
    let fixture = Fixture::new(POLICY);
    fixture.assistant.set_model(Some(model));
    let judge = |number: u32, signal| {
        // An answer that was given before says nothing about a model.
        let heard = ask(&fixture.conversation(), &format!("Is it {number}?"));
        block_on(fixture.assistant.feedback(heard.report.receipt.unwrap(), signal)).unwrap();
    };
    (0..160).for_each(|number| judge(number, Signal::ThumbsUp));
    assert!(overview(&fixture.assistant).regressions.is_empty());
    // What was said of receipts that are removed is counted once.
    let all = Prune {
        opened_before_ms: None,
        receipts_max: Some(0),
    };
    block_on(fixture.assistant.prune_ledger(all)).unwrap().unwrap();
    (160..190).for_each(|number| judge(number, Signal::ThumbsDown));
    let found = overview(&fixture.assistant).regressions;
    let rejected = found
        .iter()
        .find(|found| found.kind == RegressionKind::Rejected)
        .unwrap();
    assert!(rejected.before < 0.05 && rejected.after > 0.3, "{rejected:?}");
}

#[test]
fn how_fast_a_model_was_is_known_in_the_next_process() {
    let (_client, model) = open_tiny();
    let folder = tempfile::tempdir().unwrap();
    let vault = Arc::new(MemoryVault::default());
    let first_token = |assistant: &Assistant| {
        let explained = block_on(assistant.conversation(options()).explain("Well?", &ask_options())).unwrap();
        explained.plan.candidates[0].expected().first_token_ms.is_some()
    };
    let assistant = open(folder.path(), &vault, Counting::default());
    assistant.set_model(Some(model.clone()));
    assert!(!first_token(&assistant));
    ask(&assistant.conversation(options()), "One?");
    assert!(first_token(&assistant));
    block_on(assistant.shutdown());
    let assistant = open(folder.path(), &vault, Counting::default());
    assistant.set_model(Some(model));
    // It is looked up aside.
    while !first_token(&assistant) {
        std::thread::yield_now();
    }
}

#[test]
fn the_next_process_says_where_the_last_one_was_ended() {
    let folder = tempfile::tempdir().unwrap();
    let vault = Arc::new(MemoryVault::default());
    let store = Store::open(&folder.path().join("ledger.sqlite"), vault.clone(), 1).unwrap();
    let mark = |stage, progress_ms| Mark {
        stage,
        since_ms: 1,
        progress_ms,
    };
    let left = [
        heartbeat(50_000),
        mark(Stage::Decode, 49_500).to_bytes(),
        mark(Stage::Prefill, 20_000).to_bytes(),
    ];
    store.write_marks(0, &left.concat()).unwrap();
    drop(store);
    let assistant = open(folder.path(), &vault, Counting::default());
    let found: Vec<_> = assistant
        .endings()
        .iter()
        .map(|ended| (ended.stage, ended.is_stuck))
        .collect();
    assert_eq!(found, [(Stage::Decode, false), (Stage::Prefill, true)]);
    block_on(assistant.shutdown());
    let assistant = open(folder.path(), &vault, Counting::default());
    assert!(assistant.endings().is_empty(), "they are said once");
    let counted: Vec<_> = overview(&assistant)
        .endings
        .iter()
        .map(|ended| (ended.times, ended.stuck))
        .collect();
    assert_eq!(counted, [(1, 1), (1, 0)]);
}

#[test]
fn a_sum_that_cannot_be_read_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let vault = Arc::new(MemoryVault::default());
    let path = folder.path().join("ledger.sqlite");
    let check = |sum: &[u8]| {
        let store = Store::open(&path, vault.clone(), 1).unwrap();
        store.state_put("meter", sum).unwrap();
        drop(store);
        let assistant = open(folder.path(), &vault, Counting::default());
        let found = overview(&assistant);
        assert_eq!((found.outcomes.failed, found.outcomes.requests()), (2, 2));
        block_on(assistant.shutdown());
    };
    let store = Store::open(&path, vault.clone(), 1).unwrap();
    let intent = Intent::new(Label::squeezed("one"), Label::squeezed("chat"), PrivacyClass::Public);
    let receipt = (intent, Closing::new(Outcome::Failed), 5);
    store.ledger().record_all([receipt.clone(), receipt]).unwrap();
    drop(store);
    check(b"");
    check(b"{\"format\":1}");
    check(b"{\"format\":99}");
    // Of a ledger that had more entries.
    let other = whimbrel_client::telemetry::Meter::new(1, 1_000).to_bytes();
    check(&other);
}

#[test]
fn the_page_needs_nothing_from_elsewhere() {
    let fixture = Fixture::new(POLICY);
    ask(&fixture.conversation(), "One secret question?");
    let page = block_on(fixture.assistant.performance_page(Host::Phone)).unwrap();
    assert!(page.contains("<svg") && page.contains("this phone"));
    for word in ["http:", "https:", "<script", "secret"] {
        assert!(!page.contains(word), "{word}");
    }
    let lines = overview(&fixture.assistant).lines(80, &page_options(&SystemClock::default(), Host::Computer));
    assert!(lines.iter().any(|line| line.contains("Whimbrel_Tiny")));
}

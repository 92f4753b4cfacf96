//! What measuring a request takes, against what its answer takes: the readings before and after, the marks, and counting its receipt. Run with
//! `cargo bench -p whimbrel-client --bench metering -- BUNDLE`.
#![allow(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

mod support;

use std::time::{Duration, Instant};

use support::Desk;
use whimbrel_client::ports::{Gauges, SystemGauges};
use whimbrel_client::store::{Filter, Store};
use whimbrel_client::telemetry::{Mark, Meter, Stage};
use whimbrel_client::{AskOptions, ConversationOptions, Event, GenerationOptions, block_on};

const QUESTIONS: u32 = 40;
const TOKENS: u32 = 32;
/// Requests after which the sum is written again.
const KEPT: u32 = 128;

/// The time of one of many.
fn each(times: u32, mut work: impl FnMut()) -> Duration {
    let began = Instant::now();
    (0..times).for_each(|_| work());
    began.elapsed() / times
}

fn main() {
    let Some(desk) = Desk::open() else { return };
    let assistant = &desk.assistant;
    for number in 0..QUESTIONS {
        let options = AskOptions {
            generation: GenerationOptions {
                max_tokens: TOKENS,
                ..GenerationOptions::default()
            },
            ..AskOptions::default()
        };
        let conversation = assistant.conversation(ConversationOptions::default());
        let answer = conversation.ask(&format!("Tell me about bird number {number}."), options);
        let answer = answer.expect("a question");
        while !block_on(answer.next(64))
            .expect("an answer")
            .iter()
            .any(|event| matches!(event, Event::Finished(_)))
        {}
    }
    let receipts = block_on(assistant.receipts(Filter::default(), QUESTIONS)).expect("receipts");
    let measured = receipts.iter().filter_map(|receipt| receipt.closing.as_ref());
    let (decode_us, tokens) = measured.fold((0, 0), |(us, tokens), closing| {
        (us + closing.measured.decode_us, tokens + closing.measured.decode_tokens)
    });
    let decode = Duration::from_micros(decode_us) / QUESTIONS;
    block_on(assistant.shutdown());

    let store = Store::open(&desk.store, desk.vault.clone(), 0).expect("the store");
    let gauges = SystemGauges::default();
    let reading = each(10_000, || {
        std::hint::black_box(gauges.read());
    }) * 2;
    let mark = Mark {
        stage: Stage::Decode,
        since_ms: 1,
        progress_ms: 1,
    };
    // Each stage, one in every second, and the end.
    let marks = each(10_000, || store.write_marks(1, &mark.to_bytes()).expect("a mark")) * 6;
    let ledger = store.ledger();
    let last = ledger.last_sequence().expect("an entry");
    let page = ledger.closed_after(0, QUESTIONS).expect("receipts");
    let looking = each(2_000, || drop(ledger.closed_after(last - 1, 256).expect("a receipt")));
    let mut meter = Meter::new(0, 0);
    let mut sequence = 0;
    let counting = each(100_000, || {
        let closed = &page.receipts[sequence as usize % page.receipts.len()];
        sequence += 1;
        meter.count(sequence, closed.closed_ms, 0, &closed.intent, &closed.closing);
    });
    let keeping = each(200, || store.state_put("meter", &meter.to_bytes()).expect("a sum")) / KEPT;
    let all = reading + marks + looking + counting + keeping;
    println!(
        "an answer of {} tokens takes {decode:.1?} to decode; measuring the request takes {all:.1?} ({:.2} %): readings {reading:.1?}, marks {marks:.1?}, \
         reading its receipt {looking:.1?}, counting it {counting:.1?}, keeping the sum {keeping:.1?}",
        tokens / u64::from(QUESTIONS),
        all.as_secs_f64() / decode.as_secs_f64() * 100.0
    );
}

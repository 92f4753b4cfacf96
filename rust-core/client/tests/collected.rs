//! What a collector is left with after many requests, when one message in five fails and processes are restarted and killed: exactly what was counted
//! on the device. `WHIMBREL_COLLECTED=10000` asks for so many requests, and `WHIMBREL_COLLECTED_INTO=FOLDER` keeps the messages that were taken,
//! for another receiver.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeSet;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use flate2::read::GzDecoder;
use support::clock::Moved;
use support::{Server, ask, open_tiny, options, policies};
use whimbrel_client::policy::Network;
use whimbrel_client::policy::telemetry::{SPANS_PER_SEND_MAX, Signals, Why};
use whimbrel_client::ports::Ports;
use whimbrel_client::store::{FileVault, Filter};
use whimbrel_client::telemetry::Measure;
use whimbrel_client::{Assistant, AssistantOptions, block_on};
use whimbrel_testing::Step;

/// What the child is told: its folder and the collector's address, with a bar between them; unset in the parent.
const CHILD: &str = "WHIMBREL_TEST_COLLECTED_CHILD";
/// Requests between two attempts to send.
const BATCH: usize = 60;
const HOUR_MS: u64 = 3_600_000;

/// The clock of the process before, put forward as far. How far is in a file.
fn clock_of(folder: &Path) -> Arc<Moved> {
    let clock = Moved::default();
    if let Ok(ahead_ms) = std::fs::read_to_string(folder.join("ahead")) {
        clock.ahead_ms.store(ahead_ms.parse().unwrap(), Ordering::Relaxed);
    }
    Arc::new(clock)
}

fn go_on(folder: &Path, clock: &Moved, ms: u64) {
    let ahead_ms = clock.ahead_ms.fetch_add(ms, Ordering::Relaxed) + ms;
    let next = folder.join("ahead.next");
    std::fs::write(&next, ahead_ms.to_string()).unwrap();
    std::fs::rename(next, folder.join("ahead")).unwrap();
}

fn open(folder: &Path, address: &str, clock: &Arc<Moved>) -> Assistant {
    let policy = format!(
        "version = 1\nname = \"test\"\n[telemetry]\nurl = \"http://{address}\"\nservice = \"field-notes\"\n\
         trust = \"organisation\"\nbytes_a_day = 10000000\nconnections_a_day = 24\n"
    );
    let options = AssistantOptions {
        store: folder.join("ledger.sqlite"),
        vault: Arc::new(FileVault::open(&folder.join("vault")).unwrap()),
        policies: policies(&policy),
        user_words: Vec::new(),
    };
    let ports = Ports {
        clock: clock.clone(),
        ..Ports::default()
    };
    Assistant::open_with(options, ports).unwrap()
}

/// Sends what is due an hour later; a day later if the last attempt failed.
fn send(assistant: &Assistant, folder: &Path, clock: &Moved) -> Option<Why> {
    go_on(folder, clock, HOUR_MS + 1);
    support::phone::set_network(assistant, Network::Unmetered);
    let because = block_on(assistant.telemetry().run(None)).unwrap().because;
    if because == Some(Why::Backoff) {
        go_on(folder, clock, 24 * HOUR_MS);
    }
    because
}

/// The child's whole life: it asks and sends until it is killed.
#[test]
fn child() {
    let Ok(told) = std::env::var(CHILD) else {
        return;
    };
    let (folder, address) = told.split_once('|').unwrap();
    let folder = Path::new(folder);
    let clock = clock_of(folder);
    let assistant = open(folder, address, &clock);
    let (_client, model) = open_tiny();
    assistant.set_model(Some(model));
    let both = Signals {
        metrics: true,
        traces: true,
    };
    block_on(assistant.telemetry().allow(both)).unwrap();
    for number in 0.. {
        for part in 0..BATCH {
            ask(&assistant.conversation(options()), &format!("{number}, {part}?"));
        }
        send(&assistant, folder, &clock);
    }
}

fn start(folder: &Path, server: &Server) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture"])
        .env(CHILD, format!("{}|{}", folder.display(), server.address))
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// How the collector replies to the message of this number: one in ten is refused, one in ten is taken and never confirmed.
fn script(number: usize) -> Vec<Step> {
    let reply = |status: &str| Step::Send(format!("HTTP/1.1 {status} \r\ncontent-length: 0\r\n\r\n").into_bytes());
    match number % 10 {
        3 => vec![reply("503")],
        8 => vec![Step::Vanish],
        _ => vec![reply("200")],
    }
}

#[test]
fn a_collector_has_exactly_what_was_counted() {
    let wanted: usize = std::env::var("WHIMBREL_COLLECTED").map_or(600, |count| count.parse().unwrap());
    let server = Server::answering_in_background(|number, _| script(number), None);
    let folder = tempfile::tempdir().unwrap();
    // Killed twice, wherever it is.
    for part in 1..=2 {
        let mut child = start(folder.path(), &server);
        while received(&server).spans.len() < wanted * part / 3 {
            assert!(child.try_wait().unwrap().is_none(), "the child ended by itself");
            std::thread::sleep(Duration::from_millis(100));
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let clock = clock_of(folder.path());
    let mut assistant = open(folder.path(), &server.address.to_string(), &clock);
    let (_client, model) = open_tiny();
    assistant.set_model(Some(model.clone()));
    let count = |assistant: &Assistant| block_on(assistant.performance()).unwrap().outcomes.requests() as usize;
    while count(&assistant) < wanted {
        for part in 0..BATCH {
            ask(&assistant.conversation(options()), &format!("And {part}?"));
        }
        send(&assistant, folder.path(), &clock);
        // Started again in an orderly way, too.
        block_on(assistant.shutdown());
        assistant = open(folder.path(), &server.address.to_string(), &clock);
        assistant.set_model(Some(model.clone()));
    }
    let mut rounds = 0;
    while send(&assistant, folder.path(), &clock) != Some(Why::NothingNew) {
        rounds += 1;
        assert!(rounds < 1_000);
    }
    // As many as are sent at a time, as when an app goes to the background.
    for part in 0..SPANS_PER_SEND_MAX {
        ask(&assistant.conversation(options()), &format!("At last {part}?"));
    }
    let began = Instant::now();
    while send(&assistant, folder.path(), &clock) != Some(Why::NothingNew) {}
    let flush = began.elapsed();
    let status = block_on(assistant.telemetry().status()).unwrap();
    assert_eq!((status.waiting, status.dropped, status.rejected), (0, 0, 0));

    let found = received(&server);
    let overview = block_on(assistant.performance()).unwrap();
    let requests = overview.outcomes.requests();
    assert_eq!(found.spans.len() as u64, requests, "a trace for each request");
    assert_eq!(found.requests, requests);
    let of = |measure: Measure| {
        let views = overview.series.iter().flat_map(|series| &series.measures);
        let views = views.filter(|view| view.measure == measure);
        views.fold((0, 0), |(count, sum), view| (count + view.count, sum + view.sum))
    };
    let (count, tokens) = of(Measure::OutputTokens);
    assert_eq!(found.output_tokens, (count, tokens as f64));
    // The store itself says how many there were.
    let stats = block_on(assistant.stats(None, None)).unwrap();
    assert_eq!(stats.receipts - stats.reports, requests);
    assert!(block_on(assistant.verify_ledger()).unwrap().is_intact());
    assert!(!block_on(assistant.receipts(Filter::default(), 1)).unwrap().is_empty());
    println!(
        "{requests} requests, {} messages, {} of them taken: {} traces, {tokens} tokens; {SPANS_PER_SEND_MAX} requests were sent in {flush:?}",
        server.received().len(),
        found.taken,
        found.spans.len()
    );
    if let Ok(into) = std::env::var("WHIMBREL_COLLECTED_INTO") {
        keep(&server, Path::new(&into), requests, tokens);
    }
}

/// What the collector has taken.
#[derive(Default)]
struct Collected {
    taken: usize,
    /// The ids of traces.
    spans: BTreeSet<Vec<u8>>,
    /// By the last message with sums: all requests, and how many answers had how many tokens.
    requests: u64,
    output_tokens: (u64, f64),
}

fn taken(server: &Server) -> Vec<(String, Vec<u8>)> {
    let all = server.received().into_iter().enumerate();
    let taken = all.filter(|(number, _)| number % 10 != 3).map(|(_, request)| {
        let mut message = Vec::new();
        GzDecoder::new(&request.bytes[..]).read_to_end(&mut message).unwrap();
        (request.head.split(' ').nth(1).unwrap().to_owned(), message)
    });
    taken.collect()
}

fn received(server: &Server) -> Collected {
    let mut found = Collected::default();
    for (path, message) in taken(server) {
        found.taken += 1;
        let parts = inner(&message, &[1, 2, 2]);
        if path.ends_with("/v1/traces") {
            found
                .spans
                .extend(parts.iter().flat_map(|span| inner(span, &[1])).map(<[u8]>::to_vec));
            continue;
        }
        (found.requests, found.output_tokens) = (0, (0, 0.0));
        for metric in parts {
            let name = inner(metric, &[1])[0];
            if name == b"whimbrel.requests" {
                let points = inner(metric, &[7, 1]);
                found.requests += points.iter().map(|point| number(point, 6)).sum::<u64>();
            } else if name == b"gen_ai.client.inference.operation.output_tokens" {
                for point in inner(metric, &[9, 1]) {
                    found.output_tokens.0 += number(point, 4);
                    found.output_tokens.1 += f64::from_bits(number(point, 5));
                }
            }
        }
    }
    found
}

/// Everything in a protobuf message that is reached through fields of these numbers.
fn inner<'m>(message: &'m [u8], path: &[u64]) -> Vec<&'m [u8]> {
    let Some((first, rest)) = path.split_first() else {
        return vec![message];
    };
    let fields = fields(message).into_iter().filter(|(number, _)| number == first);
    fields.flat_map(|(_, value)| inner(value, rest)).collect()
}

/// A field of eight bytes.
fn number(message: &[u8], wanted: u64) -> u64 {
    let field = fields(message).into_iter().find(|(number, _)| *number == wanted);
    field.map_or(0, |(_, value)| u64::from_le_bytes(value.try_into().unwrap()))
}

/// The fields of a protobuf message, with the bytes of their values.
fn fields(message: &[u8]) -> Vec<(u64, &[u8])> {
    let mut rest = message;
    let mut found = Vec::new();
    while !rest.is_empty() {
        let tag = varint(&mut rest);
        let length = match tag % 8 {
            0 => {
                let before = rest;
                varint(&mut rest);
                let length = before.len() - rest.len();
                rest = before;
                length
            }
            1 => 8,
            5 => 4,
            2 => varint(&mut rest) as usize,
            kind => panic!("a field of kind {kind}"),
        };
        let (value, after) = rest.split_at(length);
        found.push((tag / 8, value));
        rest = after;
    }
    found
}

fn varint(rest: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first().unwrap();
        *rest = after;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    value
}

/// Writes the messages that were taken, in their order, and what there must be in them.
fn keep(server: &Server, into: &Path, requests: u64, tokens: u64) {
    for (number, (path, message)) in taken(server).into_iter().enumerate() {
        let signal = path.rsplit('/').next().unwrap();
        std::fs::write(into.join(format!("{number:06}-{signal}.pb")), message).unwrap();
    }
    let expected = format!("{{\"requests\": {requests}, \"output_tokens\": {tokens}}}\n");
    std::fs::write(into.join("expected.json"), expected).unwrap();
}

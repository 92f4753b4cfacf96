//! The laws of an export, over random receipts whose labels hold planted words: what is counted is what is exported, nothing is outside of the
//! schema, and no word of a receipt leaves that the developer has not named.

mod collector;
mod receipts;

use std::collections::{BTreeMap, BTreeSet};

use prost::Message;
use whimbrel_privacy::PrivacyClass;
use whimbrel_record::{Closing, DeviceClass, Intent, Label, Outcome, Place, ReceiptId};
use whimbrel_testing::Random;

use crate::export::attributes::Key;
use crate::export::instruments::Metric;
use crate::export::messages::{
    Data, ExportMetrics, ExportTraces, HistogramPoint, KeyValue, Number, Resource as ResourceMessage, Scope, Span,
    SpanKind, StatusCode,
};
use crate::export::spans::SpanName;
use crate::export::tests::collector::{Points, check_attributes, decode_metrics, decode_spans, points};
use crate::export::tests::receipts::{Planted, planted, tiny};
use crate::export::{
    BODY_BYTES_MAX, Body, InstallId, Os, Reply, Resource, Signal, SpanSource, Vocabulary, metrics, reply, schema, spans,
};
use crate::{Measure, Meter};

const BEGINS_MS: u64 = 1_800_000_000_000;
const NOW_MS: u64 = BEGINS_MS + 3_600_000;

fn label(name: &str) -> Label {
    Label::new(name).unwrap()
}

fn resource() -> Resource {
    Resource {
        service: label("field-notes"),
        install: InstallId(*b"0123456789abcdef"),
        os: Os::Android,
        device: Some(DeviceClass::Medium),
    }
}

fn vocabulary() -> Vocabulary {
    let set = |names: &[&str]| names.iter().map(|name| label(name)).collect();
    Vocabulary {
        models: set(&["smollm2", "gemini-nano"]),
        variants: set(&["q4_1"]),
        tasks: set(&["chat", "classify"]),
        energy_methods: set(&["assumed-2-watts-a-thread"]),
    }
}

fn metered(receipts: &[(Intent, Closing)]) -> Meter {
    let mut meter = Meter::new(BEGINS_MS, 0);
    for (number, (intent, closing)) in (1..).zip(receipts) {
        meter.count(number, BEGINS_MS + number * 1_000, 0, intent, closing);
    }
    meter
}

fn sources(receipts: &[(Intent, Closing)]) -> Vec<SpanSource<'_>> {
    let mut sources = Vec::new();
    for (number, (intent, closing)) in (1..).zip(receipts) {
        sources.push(SpanSource {
            id: ReceiptId(number),
            opened_ms: BEGINS_MS + number * 1_000,
            intent,
            closing,
        });
    }
    sources
}

#[test]
fn no_planted_word_leaves() {
    // `WHIMBREL_PLANTED=10` takes ten times as many.
    let rounds = std::env::var("WHIMBREL_PLANTED").map_or(1, |rounds| rounds.parse().unwrap());
    (1..=rounds).for_each(none_of_10_000_receipts_words_leaves);
}

fn none_of_10_000_receipts_words_leaves(seed: u64) {
    let (receipts, words) = planted(seed, 10_000);
    let words: BTreeSet<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
    assert!(words.len() > 50_000, "{}", words.len());
    let bodies = [
        metrics(&metered(&receipts), &resource(), &vocabulary(), NOW_MS),
        // A meter has few series; further ones are counted together. So there are many meters.
        receipts
            .chunks(100)
            .flat_map(|some| metrics(&metered(some), &resource(), &vocabulary(), NOW_MS))
            .collect(),
        spans(&sources(&receipts), &resource(), &vocabulary()),
    ];
    let mut seen = 0;
    for body in bodies.iter().flatten() {
        for window in body.bytes().windows(11) {
            assert!(!words.contains(window), "{}", String::from_utf8_lossy(window));
        }
        seen += body.bytes().len();
    }
    assert!(seen > 10_000_000, "{seen}");
    // The search finds a word that is in the vocabulary.
    let mut talkative = vocabulary();
    talkative
        .tasks
        .extend(receipts.iter().map(|(intent, _)| intent.task.clone()));
    let bodies = spans(&sources(&receipts[..100]), &resource(), &talkative);
    assert!(
        bodies
            .iter()
            .any(|body| body.bytes().windows(11).any(|window| words.contains(window)))
    );
}

#[test]
fn metrics_add_up() {
    for seed in 0..40 {
        let (receipts, _) = planted(seed, 200);
        let meter = metered(&receipts);
        let mut counted = BTreeMap::new();
        let mut identities = BTreeSet::new();
        for (metric, points) in points(&metrics(&meter, &resource(), &vocabulary(), NOW_MS)) {
            let mut once = |attributes: &[KeyValue]| {
                check_attributes(&metric.keys(), attributes);
                let mut attributes: Vec<_> = attributes.iter().map(Message::encode_to_vec).collect();
                attributes.sort();
                assert!(
                    identities.insert((metric.name(), attributes)),
                    "two points are one to a collector"
                );
            };
            let total: &mut u64 = counted.entry(metric.name()).or_default();
            match points {
                Points::Numbers(points) => {
                    for point in points {
                        once(&point.attributes);
                        check_times(point.start_time_unix_nano, point.time_unix_nano);
                        match point.value.unwrap() {
                            Number::AsInt(count) => *total += u64::try_from(count).unwrap(),
                            Number::AsDouble(joules) => *total += (joules * 1e3).round() as u64,
                        }
                    }
                }
                Points::Histograms(points) => {
                    for point in points {
                        once(&point.attributes);
                        check_times(point.start_time_unix_nano, point.time_unix_nano);
                        check_histogram(&point);
                        *total += point.count;
                    }
                }
            }
        }
        let answers = |measure: Measure| {
            let values = receipts.iter().filter_map(|(_, closing)| measure.of(closing));
            values.count() as u64
        };
        for measure in Measure::ALL {
            let name = Metric::Of(measure).name();
            assert_eq!(counted.get(name).copied().unwrap_or(0), answers(measure), "{name}");
        }
        assert_eq!(counted[Metric::Requests.name()], 200);
        let attempts = receipts.iter().flat_map(|(_, closing)| &closing.attempts);
        let bytes: u64 = attempts.map(|attempt| attempt.bytes_out + attempt.bytes_in).sum();
        assert_eq!(counted[Metric::NetworkBytes.name()], bytes);
        assert_eq!(counted[Metric::EnergyUsed.name()], meter.energy().values().sum::<u64>());
        assert_eq!(counted[Metric::Errors.name()], meter.codes().values().sum::<u64>());
    }
}

fn check_times(start: u64, time: u64) {
    assert_eq!((start, time), (BEGINS_MS * 1_000_000, NOW_MS * 1_000_000));
}

fn check_histogram(point: &HistogramPoint) {
    assert_eq!(point.bucket_counts.iter().sum::<u64>(), point.count);
    assert_eq!(point.bucket_counts.len(), point.explicit_bounds.len() + 1);
    assert!(point.explicit_bounds.is_sorted_by(|one, next| one < next));
    let (sum, min, max) = (point.sum.unwrap(), point.min.unwrap(), point.max.unwrap());
    let mean = sum / point.count as f64;
    let nearly = 1e-9 * (1.0 + max);
    assert!(min <= mean + nearly && mean <= max + nearly, "{min} {mean} {max}");
}

/// What was exported of each histogram bucket and sum, by the encoded attributes.
fn totals(bodies: &[Body]) -> BTreeMap<(&'static str, Vec<Vec<u8>>), Vec<u64>> {
    let mut totals = BTreeMap::new();
    for (metric, points) in points(bodies) {
        let mut keep = |attributes: &[KeyValue], values: Vec<u64>| {
            let attributes = attributes.iter().map(Message::encode_to_vec).collect();
            totals.insert((metric.name(), attributes), values);
        };
        match points {
            Points::Histograms(points) => points
                .iter()
                .for_each(|point| keep(&point.attributes, point.bucket_counts.clone())),
            Points::Numbers(points) => {
                for point in points {
                    let value = match point.value.unwrap() {
                        Number::AsInt(count) => u64::try_from(count).unwrap(),
                        Number::AsDouble(joules) => (joules * 1e3).round() as u64,
                    };
                    keep(&point.attributes, vec![value]);
                }
            }
        }
    }
    totals
}

#[test]
fn no_total_becomes_smaller() {
    let (receipts, _) = planted(3, 600);
    let mut before = BTreeMap::new();
    for counted in (50..=600).step_by(50) {
        let now = totals(&metrics(
            &metered(&receipts[..counted]),
            &resource(),
            &vocabulary(),
            NOW_MS,
        ));
        for (identity, values) in &before {
            let values: &Vec<u64> = values;
            let grown = now.get(identity).unwrap_or_else(|| panic!("{identity:?} is gone"));
            assert!(
                values.iter().zip(grown).all(|(before, now)| before <= now),
                "{identity:?}"
            );
        }
        before = now;
    }
}

#[test]
fn a_large_meter_is_split() {
    let mut names = vocabulary();
    let mut meter = Meter::new(BEGINS_MS, 0);
    let (mut planted, mut number) = (
        Planted {
            random: Random::new(9),
            words: Vec::new(),
        },
        0,
    );
    for index in 0..39 {
        let long = |name: char| label(&format!("{name}{}{index}", "x".repeat(120)));
        let (model, variant) = (long('m'), long('v'));
        names.models.insert(model.clone());
        names.variants.insert(variant.clone());
        names.tasks.insert(long('t'));
        for _ in 0..20 {
            let (_, mut closing) = planted.receipt();
            let mut attempt = planted.attempt();
            attempt.place = Place::OnDevice {
                model: model.clone(),
                variant: variant.clone(),
                hash: label("ab"),
            };
            closing.outcome = Outcome::Answered;
            closing.answered_before = None;
            closing.attempts = vec![attempt];
            closing.measured.device = None;
            let intent = Intent::new(label("r"), long('t'), PrivacyClass::Public);
            number += 1;
            meter.count(number, BEGINS_MS, 0, &intent, &closing);
        }
    }
    let bodies = metrics(&meter, &resource(), &names, NOW_MS);
    assert!(bodies.len() > 1, "{}", bodies.len());
    let messages = decode_metrics(&bodies);
    assert!(
        messages
            .iter()
            .all(|message| message.resource_metrics[0].resource.is_some())
    );
    // All but the last are nearly full.
    let most = BODY_BYTES_MAX as usize;
    assert!(
        bodies[..bodies.len() - 1]
            .iter()
            .all(|body| body.bytes().len() > most * 9 / 10)
    );
    let histograms = messages
        .iter()
        .flat_map(|message| &message.resource_metrics[0].scope_metrics[0].metrics);
    let points = histograms.map(|metric| match metric.data.as_ref().unwrap() {
        Data::Histogram(histogram) => histogram.data_points.len(),
        _ => 0,
    });
    assert!(points.sum::<usize>() >= meter.series().len() * 11);
}

#[test]
fn spans_are_trees_in_time() {
    for seed in 0..40 {
        let (receipts, _) = planted(seed, 200);
        let sources = sources(&receipts);
        let all = decode_spans(&spans(&sources, &resource(), &vocabulary()));
        let mut traces: BTreeMap<&[u8], Vec<&Span>> = BTreeMap::new();
        for span in &all {
            traces.entry(&span.trace_id).or_default().push(span);
        }
        assert_eq!(traces.len(), receipts.len());
        let ids: BTreeSet<_> = all.iter().map(|span| &span.span_id).collect();
        assert_eq!(ids.len(), all.len());
        let by_root: BTreeMap<u64, &SpanSource> = sources
            .iter()
            .map(|source| (source.opened_ms * 1_000_000, source))
            .collect();
        for (trace_id, trace) in traces {
            assert_eq!(trace_id.len(), 16);
            let root = trace[0];
            check_trace(root, &trace, by_root[&root.start_time_unix_nano]);
        }
        // Sent again, they are the same; of another install, they are others.
        assert_eq!(all, decode_spans(&spans(&sources, &resource(), &vocabulary())));
    }
}

fn check_trace(root: &Span, trace: &[&Span], source: &SpanSource) {
    let parents: BTreeMap<_, _> = trace.iter().map(|span| (&span.span_id, *span)).collect();
    assert!(root.parent_span_id.is_empty());
    let length = root.end_time_unix_nano - root.start_time_unix_nano;
    assert_eq!(length, source.closing.latency.total_ms * 1_000_000);
    let named = |span: &Span| SpanName::all().find(|name| name.name() == span.name).unwrap();
    for span in trace {
        assert_eq!(span.span_id.len(), 8);
        check_attributes(&named(span).keys(), &span.attributes);
        assert!(span.start_time_unix_nano <= span.end_time_unix_nano);
    }
    for span in &trace[1..] {
        let parent = parents[&span.parent_span_id];
        assert!(
            parent.start_time_unix_nano <= span.start_time_unix_nano,
            "{} {}",
            parent.name,
            span.name
        );
        assert!(
            span.end_time_unix_nano <= parent.end_time_unix_nano,
            "{} {}",
            parent.name,
            span.name
        );
    }
    let attempts: Vec<_> = trace
        .iter()
        .filter(|span| matches!(named(span), SpanName::Attempt(_)))
        .collect();
    assert_eq!(attempts.len(), source.closing.attempts.len());
    assert!(attempts.is_sorted_by(|one, next| one.end_time_unix_nano <= next.start_time_unix_nano));
    assert!(
        attempts
            .last()
            .is_none_or(|last| last.end_time_unix_nano == root.end_time_unix_nano)
    );
    let error: i32 = StatusCode::Error.into();
    let has_error = root.status.as_ref().is_some_and(|status| status.code == error);
    assert_eq!(
        has_error,
        matches!(source.closing.outcome, Outcome::Failed | Outcome::Interrupted)
    );
    let client: i32 = SpanKind::Client.into();
    let place = source
        .closing
        .place()
        .filter(|_| source.closing.answered_before.is_none());
    assert_eq!(root.kind == client, place.is_some_and(Place::is_remote));
}

#[test]
fn another_install_has_other_ids() {
    let (receipts, _) = planted(5, 3);
    let mut elsewhere = resource();
    elsewhere.install = InstallId([9; 16]);
    let ids = |resource: &Resource| -> BTreeSet<Vec<u8>> {
        let bodies = spans(&sources(&receipts), resource, &vocabulary());
        let messages = bodies.iter().map(|body| ExportTraces::decode(body.bytes()).unwrap());
        let scopes = messages.flat_map(|mut message| message.resource_spans.remove(0).scope_spans);
        scopes.flat_map(|scope| scope.spans).map(|span| span.trace_id).collect()
    };
    assert!(ids(&resource()).is_disjoint(&ids(&elsewhere)));
}

#[test]
fn the_clock_can_be_anything() {
    let (receipts, _) = planted(6, 50);
    for now_ms in [0, BEGINS_MS - 1, u64::MAX] {
        for (_, points) in points(&metrics(&metered(&receipts), &resource(), &vocabulary(), now_ms)) {
            if let Points::Numbers(points) = points {
                assert!(
                    points
                        .iter()
                        .all(|point| point.start_time_unix_nano <= point.time_unix_nano)
                );
            }
        }
    }
    let mut sources = sources(&receipts);
    for source in &mut sources {
        source.opened_ms = u64::MAX - 1;
    }
    let spans = decode_spans(&spans(&sources, &resource(), &vocabulary()));
    assert!(
        spans
            .iter()
            .all(|span| span.start_time_unix_nano <= span.end_time_unix_nano)
    );
}

#[test]
fn the_schema_names_everything_once() {
    let rows = schema();
    let of = |signal: &str| rows.iter().filter(|row| row.signal == signal).count();
    assert_eq!((of("resource"), of("metric"), of("span")), (1, 17, 17));
    assert_eq!(of("attribute"), Key::ALL.len());
    let names: BTreeSet<_> = rows.iter().map(|row| (row.signal, row.name)).collect();
    assert_eq!(names.len(), rows.len());
    let attributes: BTreeSet<_> = rows
        .iter()
        .filter(|row| row.signal == "attribute")
        .map(|row| row.name)
        .collect();
    let used: BTreeSet<_> = rows.iter().flat_map(|row| row.attributes.iter().copied()).collect();
    assert_eq!(attributes, used);
}

/// A reply with this status and body means this.
fn check_reply(status: u16, body: &[u8], expected: Reply) {
    assert_eq!(reply(status, body), expected, "{status} {body:?}");
}

#[test]
fn replies() {
    let accepted = |rejected| Reply::Accepted { rejected };
    check_reply(200, b"", accepted(0));
    check_reply(202, b"", accepted(0));
    check_reply(200, b"\x0a\x00", accepted(0));
    check_reply(200, b"\x0a\x02\x08\x05", accepted(5));
    // A warning of a collector that rejects nothing.
    check_reply(200, b"\x0a\x05\x12\x03hot", accepted(0));
    // -1, which no collector can mean.
    check_reply(
        200,
        b"\x0a\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        accepted(0),
    );
    // JSON, a page, a length beyond the end.
    for unreadable in [&b"{\"partialSuccess\":{}}"[..], b"<html>", b"\x0a\x7f\x08\x05"] {
        check_reply(200, unreadable, accepted(0));
    }
    for busy in [429, 502, 503, 504] {
        check_reply(busy, b"\x0a\x02\x08\x05", Reply::Busy);
    }
    for refused in [
        0,
        100,
        199,
        300,
        301,
        400,
        401,
        403,
        404,
        408,
        413,
        415,
        500,
        501,
        505,
        599,
        u16::MAX,
    ] {
        check_reply(refused, b"", Reply::Refused);
    }
}

#[test]
fn hostile_replies() {
    let mut random = Random::new(11);
    for _ in 0..20_000 {
        let length = random.below(64);
        let mut bytes: Vec<u8> = (0..length).map(|_| random.below(256) as u8).collect();
        if random.chance(50) {
            bytes.insert(0, 0x0a);
        }
        assert!(matches!(reply(200, &bytes), Reply::Accepted { .. }));
    }
    // Groups within groups.
    assert_eq!(reply(200, &[0x1b; 60_000]), Reply::Accepted { rejected: 0 });
}

/// The bytes of a golden file: hexadecimal digits, with a comment behind `#` on each line.
fn golden(text: &str) -> Vec<u8> {
    let digits: String = text
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default())
        .collect();
    let digits: Vec<char> = digits.chars().filter(|digit| !digit.is_whitespace()).collect();
    let byte = |pair: &[char]| u8::from_str_radix(&pair.iter().collect::<String>(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

/// The message without the version of this program, which is another one in the next release.
fn without_version(body: &Body) -> Vec<u8> {
    let scrub = |resource: &mut Option<ResourceMessage>, scope: &mut Option<Scope>| {
        let attributes = &mut resource.as_mut().unwrap().attributes;
        attributes.retain(|attribute| attribute.key != Key::SdkVersion.name());
        scope.as_mut().unwrap().version.clear();
    };
    match body.signal() {
        Signal::Metrics => {
            let mut message = ExportMetrics::decode(body.bytes()).unwrap();
            let of_resource = &mut message.resource_metrics[0];
            scrub(&mut of_resource.resource, &mut of_resource.scope_metrics[0].scope);
            message.encode_to_vec()
        }
        Signal::Traces => {
            let mut message = ExportTraces::decode(body.bytes()).unwrap();
            let of_resource = &mut message.resource_spans[0];
            scrub(&mut of_resource.resource, &mut of_resource.scope_spans[0].scope);
            message.encode_to_vec()
        }
    }
}

#[test]
fn golden_messages() {
    let receipts = [tiny()];
    let figures = metrics(&metered(&receipts), &resource(), &vocabulary(), NOW_MS);
    let traces = spans(&sources(&receipts), &resource(), &vocabulary());
    assert_eq!((figures.len(), traces.len()), (1, 1));
    for (body, file, text) in [
        (&figures[0], "metrics", include_str!("tests/metrics.hex")),
        (&traces[0], "traces", include_str!("tests/traces.hex")),
    ] {
        let bytes = without_version(body);
        let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(bytes, golden(text), "{file}: {digits}");
    }
}

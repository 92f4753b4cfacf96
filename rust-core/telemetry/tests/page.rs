//! The page and the report: well-formed, complete in themselves, of bounded size, whatever the figures are.

mod example;

use example::{BEGINS_MS, Chance, DAY_MS, HOUR_MS, OPTIONS, attempt, intent, label, meter, on_device};
use whimbrel_record::{Closing, Energy, Host, Measured, Outcome};
use whimbrel_telemetry::{
    DAYS_MAX, EndingView, Meter, Overview, PageOptions, Regression, RegressionKind, SERIES_MAX, Stage,
};

/// The page of a meter that is full has to fit into a message.
const PAGE_BYTES_MAX: usize = 256_000;

/// Elements end in the order in which they can, values are in quotation marks, and everything else is escaped.
fn assert_well_formed(page: &str) {
    let mut rest = page.strip_prefix("<!DOCTYPE html>").expect("a document type");
    let mut open = Vec::new();
    while let Some(start) = rest.find('<') {
        assert_escaped(&rest[..start]);
        let end = start + rest[start..].find('>').expect("a tag ends");
        let tag = &rest[start + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "before {:.80}", rest);
            continue;
        }
        let (tag, is_empty) = match tag.strip_suffix('/') {
            Some(tag) => (tag, true),
            None => (tag, false),
        };
        let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        assert!(
            name.bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()),
            "{name}"
        );
        assert_attributes(attributes);
        if !is_empty {
            open.push(name);
        }
    }
    assert_eq!((rest.trim(), open.len()), ("", 0));
}

fn assert_attributes(mut attributes: &str) {
    while let Some((name, rest)) = attributes.split_once("=\"") {
        let is_name = |byte: u8| byte.is_ascii_alphabetic() || byte == b'-';
        assert!(name.trim_start().bytes().all(is_name), "{name}");
        let (value, rest) = rest.split_once('"').expect("a value ends");
        assert_escaped(value);
        if ["d", "x", "y", "viewBox"].contains(&name.trim()) {
            assert_coordinates(value);
        }
        attributes = rest;
    }
    assert_eq!(attributes, "");
}

fn assert_escaped(text: &str) {
    for reference in text.split('&').skip(1) {
        let known = ["amp;", "lt;", "gt;", "quot;", "#39;"];
        assert!(known.iter().any(|name| reference.starts_with(name)), "&{reference:.20}");
    }
    assert!(!text.contains('>'), "{text:.80}");
}

fn assert_coordinates(value: &str) {
    for number in value.split(|character: char| character.is_ascii_alphabetic() || character == ' ') {
        let is_number = number.is_empty() || number.parse::<f64>().is_ok_and(f64::is_finite);
        assert!(is_number, "{number} in {value}");
    }
    for word in ["NaN", "inf", "e+"] {
        assert!(!value.contains(word), "{value}");
    }
}

/// Nothing that a browser would load, run or follow.
fn assert_complete(page: &str) {
    for word in [
        "<script", "<link", "<a ", "<img", "src=", "href=", "url(", "@import", "onload", "style=",
    ] {
        assert!(!page.contains(word), "{word}");
    }
    assert!(page.contains("default-src &#39;none&#39;; style-src &#39;unsafe-inline&#39;"));
    assert!(page.contains("<html lang=\"en\">"));
    let pictures = page.split("<svg").skip(1);
    for picture in pictures {
        let (tag, rest) = picture.split_once('>').expect("a tag ends");
        assert!(tag.contains("role=\"img\"") && rest.starts_with("<title>"), "{tag}");
    }
    assert_eq!(page.matches("<table").count(), page.matches("<caption>").count());
}

fn check(overview: &Overview, options: &PageOptions) -> String {
    let page = overview.page(options);
    assert_well_formed(&page);
    assert_complete(&page);
    for word in ["NaN", "inf ", "null", "None", "Some("] {
        assert!(!page.contains(word), "{word}");
    }
    assert!(page.len() < PAGE_BYTES_MAX, "{} bytes", page.len());
    for width in [0, 24, 40, 60, 80, 132, u16::MAX] {
        let lines = overview.lines(width, options);
        let widest = lines.iter().map(|line| line.chars().count()).max().unwrap_or(0);
        assert!(widest <= usize::from(width).max(24), "{widest} characters in {width}");
        let has_bad = |line: &String| line.contains(['\u{1b}', '\n']) || line.contains("NaN") || line.ends_with(' ');
        assert_eq!(lines.iter().find(|line| has_bad(line)), None);
    }
    page
}

#[test]
fn pages_are_complete_whatever_there_is() {
    for days in [1, 2, 5, 9, 60] {
        for seed in 0..3 {
            let page = check(&meter(seed, days).overview(), &OPTIONS);
            assert!(!page.contains("http:") && !page.contains("https:"));
        }
    }
}

#[test]
fn without_requests_there_is_little_to_say() {
    let overview = Meter::new(BEGINS_MS + HOUR_MS, 0).overview();
    let page = check(&overview, &OPTIONS);
    assert!(
        page.contains("No requests have been counted since 3 October."),
        "{page}"
    );
    assert!(!page.contains("<svg") && !page.contains("<table"));
    assert_eq!(overview.lines(80, &OPTIONS).len(), 1);
}

#[test]
fn the_summary_says_what_happened() {
    let mut overview = meter(7, 60).overview();
    let check = |overview: &Overview, host: Host, expected: &str| {
        let options = PageOptions { host, ..OPTIONS };
        assert_eq!(overview.summary(&options), expected);
    };
    check(
        &overview,
        Host::Computer,
        "328 requests since 3 October: 301 answered on this computer, 13 elsewhere, 14 not answered. 61 kB left this computer.",
    );
    overview.outcomes.interrupted += 1;
    overview.series.retain(|series| series.bytes_out == 0);
    check(
        &overview,
        Host::Tablet,
        "329 requests since 3 October: 301 answered on this tablet, 15 not answered. Nothing is known to have left this tablet. \
         What 1 interrupted request may have sent is not counted.",
    );
}

#[test]
fn what_has_changed_is_said_in_words() {
    let mut overview = meter(7, 9).overview();
    assert_eq!(overview.changes(&OPTIONS), Vec::<String>::new());
    let regression = |kind, before, after| Regression {
        model: label("smollm2"),
        variant: label("q4_1"),
        bundle: label("01234567"),
        kind,
        since_ms: BEGINS_MS + DAY_MS,
        found_ms: BEGINS_MS + 2 * DAY_MS,
        before,
        after,
    };
    overview.regressions = vec![
        regression(RegressionKind::Slower, 12_000.0, 15_000.0),
        regression(RegressionKind::Worse, 0.05, 0.2),
        regression(RegressionKind::Rejected, 0.0, 0.5),
    ];
    let ending = |stage, times, stuck| EndingView { stage, times, stuck };
    overview.endings = vec![ending(Stage::Prefill, 1, 1), ending(Stage::Decode, 3, 1)];
    let changes = overview.changes(&OPTIONS);
    assert_eq!(
        changes,
        [
            "smollm2 q4_1 has been slower since 3 October: 15 ms for each token of an answer, 12 ms before.",
            "smollm2 q4_1 has failed more often since 3 October: 20 % of its answers, 5 % before.",
            "Answers of smollm2 q4_1 have been rejected more often since 3 October: 50 % of those that somebody judged, 0 % before.",
            "Once the app was ended while the model was reading a long text, and nothing had gone on for some time.",
            "3 times the app was ended while the model was writing the answer, 1 of them after nothing had gone on for some time.",
        ]
    );
    let page = check(&overview, &OPTIONS);
    let lines: Vec<_> = overview
        .lines(200, &OPTIONS)
        .iter()
        .map(|line| line.trim().to_owned())
        .collect();
    let lines = lines.join(" ");
    for words in &changes {
        assert!(
            page.contains(words.as_str()) && lines.contains(words.as_str()),
            "{words}"
        );
    }
}

#[test]
fn days_that_are_far_apart_stand_next_to_each_other() {
    let mut overview = meter(1, 3).overview();
    overview.days[0].begins_ms = 0;
    let page = check(&overview, &OPTIONS);
    assert!(
        page.contains("1 January 1970 to 5 October. Days without requests are left out."),
        "{page}"
    );
    for utc_offset_s in [i32::MIN, -43_200, 0, 50_400, i32::MAX] {
        let options = PageOptions {
            utc_offset_s,
            ..OPTIONS
        };
        check(&overview, &options);
    }
}

#[test]
fn names_cannot_break_out() {
    // What a label can have at worst. Characters beyond these are tried where text is escaped.
    let hostile = [
        "javascript:alert.1",
        "https://example.com/collect",
        "//example.com/a.js",
        "-->",
        "a@b+c",
    ];
    let long = "x".repeat(128);
    for name in hostile.into_iter().chain([long.as_str()]) {
        let mut overview = meter(7, 9).overview();
        for series in &mut overview.series {
            series.model = Some(label(name));
            series.variant = Some(label(name));
            series.task = label(name);
        }
        for energy in &mut overview.energy {
            energy.method = label(name);
        }
        let page = check(&overview, &OPTIONS);
        let tags = page.split('<').map(|part| part.split('>').next().unwrap_or_default());
        assert_eq!(tags.filter(|tag| tag.contains(label(name).as_str())).count(), 0);
    }
}

#[test]
fn methods_stand_for_themselves_when_they_are_not_known() {
    let mut overview = meter(7, 9).overview();
    let methods = ["rapl-package", "battery-power", "Solar-panel"];
    let known = overview.energy[0].clone();
    for method in methods {
        let mut energy = known.clone();
        energy.method = label(method);
        overview.energy.push(energy);
    }
    let page = check(&overview, &OPTIONS);
    for words in [
        "An estimate from processor time, at 2 watts a core<small>processor-time-2-watts</small>",
        "<small>rapl-package</small>",
        "<th scope=\"row\">Solar-panel</th>",
    ] {
        assert!(page.contains(words), "{words}");
    }
}

#[test]
fn the_largest_numbers_have_places() {
    let mut overview = meter(7, 20).overview();
    for outcomes in [&mut overview.outcomes]
        .into_iter()
        .chain(overview.series.iter_mut().map(|series| &mut series.outcomes))
    {
        (outcomes.answered, outcomes.failed, outcomes.given_again) = (u64::MAX, u64::MAX, u64::MAX);
    }
    for (at, series) in overview.series.iter_mut().enumerate() {
        (series.bytes_out, series.bytes_in, series.memory_bytes_max) = (u64::MAX, u64::MAX, u64::MAX);
        for view in &mut series.measures {
            let odd = [u64::MAX as f64, f64::NAN, f64::INFINITY, 0.0, f64::MAX][at % 5];
            (view.count, view.sum, view.max, view.median, view.p95) = (u64::MAX, u64::MAX, u64::MAX, odd, odd);
            view.counts.fill(u32::MAX);
        }
    }
    for (at, day) in overview.days.iter_mut().enumerate() {
        (day.answered_here, day.answered_elsewhere) = (u64::MAX, u64::MAX);
        (day.bytes_out, day.output_tokens, day.millijoules) = (u64::MAX, u64::MAX, u64::MAX);
        (day.outcomes.failed, day.outcomes.cancelled) = (u64::MAX, u64::MAX);
        let odd = [f64::NAN, f64::INFINITY, f64::MAX, 0.0, -1.0][at % 5];
        (day.first_token_ms, day.decode_tokens_per_second) = (Some(odd), Some(odd));
        day.battery_percent_per_hour = Some(odd);
    }
    for energy in &mut overview.energy {
        energy.millijoules = u64::MAX;
    }
    overview.begins_ms = u64::MAX;
    let options = PageOptions {
        now_ms: u64::MAX,
        ..OPTIONS
    };
    check(&overview, &options);
}

#[test]
fn a_full_meter_fits() {
    let mut chance = Chance::new(3);
    let mut full = Meter::new(BEGINS_MS, 0);
    for sequence in 1..8_000 {
        let mut closing = Closing::new(Outcome::Answered);
        let us = |chance: &mut Chance| 1 << chance.below(36);
        closing.latency.first_token_ms = Some(us(&mut chance) / 1_000);
        closing.latency.total_ms = us(&mut chance) / 1_000;
        closing.tokens.input = chance.below(1 << 17);
        closing.tokens.output = chance.below(1 << 17);
        closing.measured = Measured {
            examine_us: us(&mut chance),
            decide_us: us(&mut chance),
            load_us: us(&mut chance),
            prefill_us: us(&mut chance),
            decode_us: us(&mut chance),
            network_us: us(&mut chance),
            prefill_tokens: 100,
            decode_tokens: 100,
            cpu_us: us(&mut chance),
            memory_bytes: 1 << 30,
            battery_percent: Some(50),
            ..Measured::default()
        };
        closing.energy = Some(Energy {
            millijoules: 1 << chance.below(20),
            method: label("rapl-package"),
        });
        let kind = chance.below(50);
        let name = format!("{kind}-{}", "m".repeat(125));
        closing.attempts.push(attempt(on_device(&name, &name), 10));
        full.count(
            sequence,
            BEGINS_MS + sequence * DAY_MS / 120,
            0,
            &intent(&name),
            &closing,
        );
    }
    let overview = full.overview();
    assert_eq!(overview.series.len(), SERIES_MAX as usize - 5);
    assert_eq!(overview.days.len(), DAYS_MAX as usize);
    check(&overview, &OPTIONS);
}

#[test]
fn the_report_reads_like_this() {
    let lines = meter(7, 60).overview().lines(80, &OPTIONS).join("\n");
    assert_eq!(lines, include_str!("example/report.txt").trim_end(), "\n{lines}\n");
}

//! A download, whatever servers say: every header field is read or refused, redirects never lead from https to http, the state machine never asks
//! for bytes behind those that are kept, and it ends. A line of the input is one event. The note beside a part file is read, too.

#![no_main]

use libfuzzer_sys::fuzz_target;
use whimbrel_models::download::PartHeader;
use whimbrel_policy::download::{
    Answer, Begun, Command, Download, Event, FILE_BYTES_MAX, FileKind, Kept, Location, MeteredRule, Order, Validator,
};

fn event(line: &str) -> Option<Event> {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    let number = rest.parse().ok();
    Some(match word {
        "answer" => {
            let mut answer = Answer::default();
            for field in rest.split('|') {
                match field.split_once('=') {
                    Some(("location", value)) => answer.location = Some(value.to_owned()),
                    Some(("range", value)) => answer.content_range = Some(value.to_owned()),
                    Some(("length", value)) => answer.content_length = value.parse().ok(),
                    Some(("tag", value)) => answer.validator = Validator::of(Some(value), None),
                    Some(("date", value)) => answer.validator = Validator::of(None, Some(value)),
                    Some(("after", value)) => answer.retry_after_ms = value.parse().ok(),
                    Some(("encoded", _)) => answer.is_encoded = true,
                    Some(("page", _)) => answer.is_page = true,
                    _ => answer.status = field.parse().ok()?,
                }
            }
            Event::Answered(answer)
        }
        "first" => Event::Recognised(FileKind::of(rest.as_bytes())),
        "bytes" => Event::Received { bytes: number? },
        "differs" => Event::Differs { at: number? },
        "end" => Event::Ended,
        "lost" => Event::Failed {
            reason: rest.to_owned(),
            is_passing: !rest.is_empty(),
        },
        "space" => Event::Space { bytes_free: number },
        "checked" => Event::Checked {
            is_right: rest == "yes",
        },
        "timer" => Event::Timer,
        "cancel" => Event::Cancelled,
        _ => return None,
    })
}

fuzz_target!(|data: &[u8]| {
    let _ = PartHeader::parse(data);
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut lines = text.lines();
    let locations: Vec<Location> = lines.next().unwrap_or_default().split(' ').filter_map(|url| url.parse().ok()).collect();
    let Some(first) = locations.first().cloned() else { return };
    for line in text.lines() {
        if let Ok(led) = first.redirected(line) {
            assert!(led.as_str().starts_with("https://") || !first.as_str().starts_with("https://"));
            assert_eq!(led.as_str().parse::<Location>().as_ref(), Ok(&led));
        }
    }
    let bytes = data.len() as u64 * 4_000;
    let kept = Kept {
        begun: Some(Begun {
            location: first.to_string(),
            validator: None,
            bytes_total: None,
        }),
        bytes,
        bytes_intact: bytes / 2,
    };
    let order = Order {
        locations,
        has_checksum: data.len() % 2 == 0,
        copies: 1,
        network: None,
        metered: MeteredRule::Allow,
        seed: 7,
    };
    let (mut download, mut commands) = Download::start(order, kept, 0);
    let (mut now_ms, mut has_ended) = (0, false);
    loop {
        for command in &commands {
            match command {
                Command::Ask { from, if_range, .. } => {
                    assert!(*from <= download.bytes_kept());
                    assert!(if_range.is_none() || *from > 0);
                }
                Command::CutTo { bytes } => assert!(*bytes <= FILE_BYTES_MAX),
                Command::WakeAt { at_ms } => now_ms = *at_ms,
                Command::Finish(_) => has_ended = true,
                _ => {}
            }
        }
        let total = download.bytes_total().unwrap_or(FILE_BYTES_MAX);
        assert!(download.bytes_kept() <= total.max(bytes));
        let Some(line) = lines.next() else { break };
        let Some(event) = event(line) else { continue };
        now_ms += 100;
        commands = download.step(now_ms, event);
        assert!(!has_ended || commands.is_empty());
    }
    if !has_ended {
        assert!(matches!(download.step(now_ms, Event::Cancelled)[..], [.., Command::Finish(Err(_))]));
    }
});

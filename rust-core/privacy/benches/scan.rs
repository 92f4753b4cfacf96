//! How fast texts are scanned and redacted: `cargo bench -p whimbrel-privacy`, which prints MB/s on one core. Ordinary texts are the
//! generated ones of the quality test; the others are made to be as bad as possible for one detector each.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use whimbrel_privacy::{Draft, DraftMessage, Permit, Placeholders, Release, Scanner, ScannerOptions, Speaker};

const TEXT_BYTES: usize = 1 << 18;
const LEAST_TIME: Duration = Duration::from_millis(300);

/// What one repetition of the work makes of `bytes`, in MB/s: the best of several.
fn measure(name: &str, bytes: usize, mut work: impl FnMut()) {
    work();
    let mut best = Duration::MAX;
    let started = Instant::now();
    while started.elapsed() < LEAST_TIME {
        let begun = Instant::now();
        work();
        best = best.min(begun.elapsed());
    }
    println!("{name:<48} {:8.1} MB/s", bytes as f64 / 1e6 / best.as_secs_f64());
}

fn repeated(piece: &str, bytes: usize) -> String {
    piece.repeat(bytes / piece.len() + 1)
}

fn main() {
    let processor = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = processor.lines().find_map(|line| line.strip_prefix("model name\t: "));
    println!("{}, one core", model.unwrap_or("unknown processor"));
    let scanner = Scanner::new(ScannerOptions::default()).unwrap();
    let golden = std::fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../shared-models/golden/privacy.jsonl"
    ));
    let generated: String = golden
        .unwrap()
        .lines()
        .map(|line| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["text"]
                .as_str()
                .unwrap()
                .to_owned()
                + "\n\n"
        })
        .collect();
    let opticks = std::fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../shared-models/text/opticks.txt"
    ));
    for (name, text) in [
        ("scan, generated texts full of findings", &generated),
        ("scan, a book without any", &opticks.unwrap()),
    ] {
        measure(name, text.len(), || {
            drop(black_box(scanner.scan(black_box(text)).unwrap()))
        });
    }
    let hostile = [
        "1 ",
        "1-",
        "1.",
        "(1) ",
        "+1 ",
        "A ",
        "Aa ",
        "Aa-",
        "Anna ",
        "a@",
        "@",
        "::",
        "1:",
        "://",
        "a://b:c@",
        "-----BEGIN ",
        "-----BEGIN PRIVATE KEY-----\n",
        "password: ",
        "key=",
        "eyJ",
        "sk-",
        "⟨",
        "⟨PERSON_",
        "DE89 ",
        "DE",
        "12 Aa ",
        "Calle A ",
        "1 rue ",
        "Apt 1\n",
        "born ",
        "\n",
        " ",
        "\u{301}",
        "é",
        "1980-01-01 ",
    ];
    for piece in hostile {
        let text = repeated(piece, TEXT_BYTES);
        measure(&format!("scan, only {piece:?}"), text.len(), || {
            drop(black_box(scanner.scan(black_box(&text)).unwrap()))
        });
    }
    let draft = Draft {
        messages: vec![DraftMessage {
            speaker: Speaker::User,
            text: generated,
        }],
        ..Draft::default()
    };
    let bytes = draft.messages[0].text.len();
    measure("examine and redact, generated texts", bytes, || {
        let examined = scanner.examine(draft.clone()).unwrap();
        let permit = Permit::issue("bench", Release::Redacted, examined.facts());
        black_box(examined.clear(&permit, &mut Placeholders::new()).unwrap());
    });
}

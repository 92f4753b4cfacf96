//! How fast texts are scanned and redacted: `cargo bench -p whimbrel-privacy`, which prints MB/s on one core. Ordinary texts are the
//! generated ones of the quality test; the others are made to be as bad as possible for one detector each.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use rand_pcg::Pcg64;
use rand_pcg::rand_core::{Rng, SeedableRng};
use whimbrel_privacy::{Draft, DraftMessage, Permit, Placeholders, Release, Scanner, ScannerOptions, Speaker};

const TEXT_BYTES: usize = 1 << 18;
const PIECE_BYTES: usize = 16 << 10;
/// The size of a text that is redacted as a whole.
const WHOLE_BYTES: usize = 2 << 20;
const LEAST_TIME: Duration = Duration::from_millis(300);

/// Prints the MB/s of `work` over `text`. Each piece of the text counts with its best time, so that other work on the machine, which
/// interrupts some of them, does not count.
fn measure(name: &str, text: &str, mut work: impl FnMut(&str)) {
    let pieces = pieces(text);
    let mut best = vec![Duration::MAX; pieces.len()];
    let started = Instant::now();
    while started.elapsed() < LEAST_TIME || best[0] == Duration::MAX {
        for (piece, best) in pieces.iter().zip(&mut best) {
            let begun = Instant::now();
            work(black_box(piece));
            *best = begun.elapsed().min(*best);
        }
    }
    println!(
        "{name:<48} {:8.1} MB/s",
        text.len() as f64 / 1e6 / best.iter().sum::<Duration>().as_secs_f64()
    );
}

fn pieces(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let mut end = PIECE_BYTES.min(rest.len());
        while !rest.is_char_boundary(end) {
            end += 1;
        }
        let (piece, behind) = rest.split_at(end);
        pieces.push(piece);
        rest = behind;
    }
    pieces
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
        measure(name, text, |text| drop(black_box(scanner.scan(text).unwrap())));
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
        "password=a",
        "--password ",
        "mysql -p ",
        "-u a:b",
        "passport ",
        "id number ",
        "id 12 34 ",
        "home 1.0000 ",
        "dapi",
        "0x",
        "bc1",
        "密码",
        "身份证1 ",
        "eyJ",
        "sk-",
        "⟨",
        "⟨PERSON_",
        "DE89 ",
        "DE",
        "12 Aa ",
        "Calle A ",
        "ผมชื่อ",
        "王先生",
        "<b>Anna",
        "calle a ",
        "name ",
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
        measure(&format!("scan, only {piece:?}"), &text, |text| {
            drop(black_box(scanner.scan(text).unwrap()))
        });
    }
    measure("examine and redact, generated texts", &generated, |text| {
        redact(&scanner, text)
    });
    for (name, text) in [
        ("random numbers", numbers as fn(usize) -> String),
        ("short distinct secrets", secrets),
        ("values in other forms", other_forms),
    ] {
        for bytes in [WHOLE_BYTES / 8, WHOLE_BYTES] {
            whole(
                &format!("examine and redact {bytes} bytes of {name}"),
                &text(bytes),
                |text| {
                    redact(&scanner, text);
                },
            );
        }
    }
}

/// Prints the MB/s of `work` over all of `text` at once, for work whose time might grow faster than its text.
fn whole(name: &str, text: &str, mut work: impl FnMut(&str)) {
    let best = (0..2).map(|_| {
        let begun = Instant::now();
        work(black_box(text));
        begun.elapsed()
    });
    let best = best.min().unwrap_or_default();
    println!("{name:<64} {:8.1} MB/s", text.len() as f64 / 1e6 / best.as_secs_f64());
}

fn redact(scanner: &Scanner, text: &str) {
    let draft = Draft {
        messages: vec![DraftMessage {
            speaker: Speaker::User,
            text: text.to_owned(),
        }],
        ..Draft::default()
    };
    let examined = scanner.examine(draft).unwrap();
    let permit = Permit::issue("bench", Release::Redacted, examined.facts());
    black_box(examined.clear(&permit, &mut Placeholders::new()).unwrap());
}

/// Lines made by `line`, about `bytes` together.
fn lines(bytes: usize, mut line: impl FnMut(&mut dyn FnMut(u64) -> u64) -> String) -> String {
    let mut random = Pcg64::seed_from_u64(13);
    let mut below = |limit: u64| random.next_u64() % limit;
    let mut text = String::with_capacity(bytes + 128);
    while text.len() < bytes {
        text.push_str(&line(&mut below));
    }
    text
}

/// A table of numbers of one to nine digits.
fn numbers(bytes: usize) -> String {
    lines(bytes, |below| {
        let row: Vec<String> = (0..10)
            .map(|_| {
                let digits = 1 + below(9) as u32;
                below(10_u64.pow(digits)).to_string()
            })
            .collect();
        row.join(" ") + "\n"
    })
}

/// One secret a line, each another one, so that many are looked for everywhere.
fn secrets(bytes: usize) -> String {
    lines(bytes, |below| {
        format!(
            "password: x{:012x}!\nhost {} is up and well\n",
            below(1 << 48),
            below(1 << 20)
        )
    })
}

/// Values that are found only in the normal form, in texts of several scripts.
fn other_forms(bytes: usize) -> String {
    lines(bytes, |below| {
        let number = 1_000_000 + below(1_000_000);
        let wide: String = number
            .to_string()
            .chars()
            .filter_map(|digit| char::from_u32(0xfee0 + digit as u32))
            .collect();
        format!(
            "電話は+49 30 {wide}です。 mail m{number}%40b.example or &#109;{number}&#64;b.example, m\u{200b}{number}@c.example\n"
        )
    })
}

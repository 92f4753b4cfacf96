//! How much of the generated texts' personal and secret values is found, kind by kind, and how much that is none. The texts are
//! made by `scripts/golden/privacy.sh`; those that are checked here were not used to tune the scanner.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;
use whimbrel_privacy::{FindingKind, Scanner, ScannerOptions, in_characters};

/// Kinds of which the generated texts hold no values; `tests/said.rs` has cases of its own, and `tests/special_categories.rs` those of
/// the special categories.
const NOT_PLANTED: [FindingKind; 7] = [
    FindingKind::BankAccount,
    FindingKind::CryptoWallet,
    FindingKind::DeviceId,
    FindingKind::MedicalRecord,
    FindingKind::LicensePlate,
    FindingKind::Location,
    FindingKind::UserWord,
];

#[derive(Default)]
struct Figures {
    planted: u32,
    found: u32,
    reported: u32,
    right: u32,
}

impl Figures {
    fn recall(&self) -> f64 {
        f64::from(self.found) / f64::from(self.planted.max(1))
    }

    fn precision(&self) -> f64 {
        f64::from(self.right) / f64::from(self.reported.max(1))
    }
}

struct Planted {
    kind: String,
    characters: (u32, u32),
    known: String,
}

fn planted(line: &Value) -> Vec<Planted> {
    let number = |value: &Value| u32::try_from(value.as_u64().unwrap()).unwrap();
    let spans = line["spans"].as_array().unwrap().iter();
    spans
        .map(|span| Planted {
            kind: span[0].as_str().unwrap().to_owned(),
            characters: (number(&span[1]), number(&span[2])),
            known: span[3].as_str().unwrap_or("").to_owned(),
        })
        .collect()
}

/// Letters and digits of `text` in a range of characters.
fn letters(text: &[char], from: u32, to: u32) -> usize {
    text[from as usize..to as usize]
        .iter()
        .filter(|character| character.is_alphanumeric())
        .count()
}

/// The share of a value that must be covered by findings of its kind: the whole of it, but of an address four fifths, for its
/// country or a second line may be left.
fn enough(kind: FindingKind, covered: usize, all: usize) -> bool {
    if kind == FindingKind::StreetAddress {
        5 * covered >= 4 * all
    } else {
        covered == all
    }
}

#[test]
fn held_out_values_are_found_and_little_else() {
    let given = std::env::var("WHIMBREL_PRIVACY_TEXTS").map(PathBuf::from);
    let path = given
        .unwrap_or_else(|_| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared-models/golden/privacy.jsonl"));
    let show = std::env::var("WHIMBREL_PRIVACY_SHOW").unwrap_or_default();
    let scanner = Scanner::new(ScannerOptions::default()).unwrap();
    let mut figures: BTreeMap<FindingKind, Figures> = BTreeMap::new();
    let mut by_known: BTreeMap<String, Figures> = BTreeMap::new();
    for line in std::fs::read_to_string(&path).unwrap().lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let text = line["text"].as_str().unwrap();
        let characters: Vec<char> = text.chars().collect();
        let planted = planted(&line);
        let findings = scanner.scan(text).unwrap();
        let places = in_characters(text, &findings);
        let overlap = |a: (u32, u32), b: (u32, u32)| (a.0.max(b.0), a.1.min(b.1));
        for value in planted.iter().filter(|value| value.kind != "neutral") {
            let kind = FindingKind::ALL
                .into_iter()
                .find(|kind| kind.name() == value.kind)
                .unwrap();
            let covered: usize = findings
                .iter()
                .zip(&places)
                .filter(|(finding, _)| finding.kind == kind)
                .map(|(_, place)| overlap(value.characters, (place.start, place.end)))
                .filter(|(from, to)| from < to)
                .map(|(from, to)| letters(&characters, from, to))
                .sum();
            let found = enough(
                kind,
                covered,
                letters(&characters, value.characters.0, value.characters.1),
            );
            if !found && show.contains(kind.name()) {
                let part: String = characters[value.characters.0 as usize..value.characters.1 as usize]
                    .iter()
                    .collect();
                println!("missed {}: {part:?} in {text:?}", kind.name());
            }
            let known = by_known.entry(value.known.clone()).or_default();
            for figures in [figures.entry(kind).or_default(), known] {
                figures.planted += 1;
                figures.found += u32::from(found);
            }
        }
        for (finding, place) in findings.iter().zip(&places) {
            let place = (place.start, place.end);
            let meets = |value: &Planted| {
                let (from, to) = overlap(value.characters, place);
                from < to
            };
            if planted.iter().any(|value| value.kind == "neutral" && meets(value)) {
                continue;
            }
            // Right is what covers some value of its kind and little besides: half of it at least.
            let inside: usize = planted
                .iter()
                .filter(|value| value.kind == finding.kind.name() && meets(value))
                .map(|value| overlap(value.characters, place))
                .map(|(from, to)| letters(&characters, from, to))
                .sum();
            let right = 2 * inside >= letters(&characters, place.0, place.1);
            if !right && show.contains("wrong") {
                println!("wrong {}: {:?} in {text:?}", finding.kind.name(), finding.of(text));
            }
            let figures = figures.entry(finding.kind).or_default();
            figures.reported += 1;
            figures.right += u32::from(right);
        }
    }
    println!("| kind | values | recall | findings | precision |\n|---|---:|---:|---:|---:|");
    for (kind, one) in &figures {
        let (recall, precision) = (one.recall(), one.precision());
        println!(
            "| {} | {} | {recall:.3} | {} | {precision:.3} |",
            kind.name(),
            one.planted,
            one.reported
        );
    }
    for (known, one) in by_known.iter().filter(|(known, _)| !known.is_empty()) {
        println!(
            "names of which the lists know {known}: {} values, recall {:.3}",
            one.planted,
            one.recall()
        );
    }
    let is_planted = |kind: &FindingKind| !NOT_PLANTED.contains(kind) && !kind.is_special_category();
    for kind in FindingKind::ALL.into_iter().filter(is_planted) {
        let one = &figures[&kind];
        let free = matches!(kind, FindingKind::PersonName | FindingKind::StreetAddress);
        let bar = if free { 0.85 } else { 0.98 };
        assert!(one.planted >= 20, "{}: only {} values", kind.name(), one.planted);
        assert!(one.recall() >= bar, "{}: recall {:.3}", kind.name(), one.recall());
        assert!(
            one.precision() >= 0.9,
            "{}: precision {:.3}",
            kind.name(),
            one.precision()
        );
    }
}

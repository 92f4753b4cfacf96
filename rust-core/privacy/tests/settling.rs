//! Redaction ends and replaces no more than it must, whatever the text; and what was found does not stay elsewhere.

#![allow(clippy::unwrap_used)]

mod support;

use support::Cases;
use whimbrel_privacy::{Scanner, ScannerOptions, redact};

fn scanner() -> Scanner {
    Scanner::new(ScannerOptions::default()).unwrap()
}

fn letters(text: &str) -> usize {
    text.chars().filter(|character| character.is_alphanumeric()).count()
}

/// A scanner finds no letter and no digit of a redacted text any more but in placeholders.
fn check_nothing_left(redacted: &str, scanner: &Scanner) {
    let mut is_ours = vec![false; redacted.len()];
    for (open, _) in redacted.match_indices('⟨') {
        let close = redacted[open..].find('⟩').map_or(open, |end| open + end);
        is_ours[open..close].fill(true);
    }
    let found = scanner.scan(redacted).unwrap().into_iter();
    for finding in found.filter(|finding| !finding.kind.is_special_category()) {
        let mut characters = finding.of(redacted).char_indices();
        let left =
            characters.any(|(at, character)| character.is_alphanumeric() && !is_ours[finding.start as usize + at]);
        assert!(!left, "{:?} is left in {redacted:?}", finding.of(redacted));
    }
}

#[test]
fn tables_of_numbers_settle_and_mostly_stay() {
    let mut cases = Cases::new(31);
    for (columns, digits_max, separator) in [
        (1, 9, " "),
        (10, 9, " "),
        (10, 4, " "),
        (40, 12, "-"),
        (7, 9, "  "),
        (500, 6, " "),
        (12, 9, "\t"),
    ] {
        let mut table = String::new();
        while table.len() < 20_000 {
            let row: Vec<String> = (0..columns)
                .map(|_| {
                    let digits = 1 + cases.below(digits_max) as u32;
                    cases.below(10_usize.pow(digits)).to_string()
                })
                .collect();
            table.push_str(&row.join(separator));
            table.push('\n');
        }
        let redacted = redact(&table, &scanner()).unwrap_or_else(|error| panic!("{columns} columns: {error}"));
        check_nothing_left(&redacted.text, &scanner());
        assert!(
            letters(&redacted.text) > letters(&table) / 4,
            "{columns} columns: {} of {} bytes are left",
            redacted.text.len(),
            table.len()
        );
    }
}

#[test]
fn random_texts_settle() {
    let mut cases = Cases::new(32);
    let scanner = scanner();
    for case in 0..300 {
        let text: String = (0..20).map(|_| cases.soup()).collect();
        let redacted = redact(&text, &scanner).unwrap_or_else(|error| panic!("case {case}: {error}: {text:?}"));
        check_nothing_left(&redacted.text, &scanner);
    }
}

#[test]
fn what_was_found_does_not_stay_elsewhere() {
    let check = |text: &str, gone: &[&str], stays: &[&str]| {
        let redacted = redact(text, &scanner()).unwrap().text;
        for part in gone {
            assert!(!redacted.contains(part), "{part} in {redacted}");
        }
        for part in stays {
            assert!(redacted.contains(part), "{part} is not in {redacted}");
        }
    };
    check(
        "Pay to DE89 3704 0044 0532 0130 00. The account is 0532013000, or 532013000.",
        &["532013000"],
        &["The account is "],
    );
    check(
        "Write to tom.brandt@klinik.example; tom.brandt is his login.",
        &["tom.brandt"],
        &["login"],
    );
    check(
        "Write to secretary@klinik.example. The secretary knows.",
        &["klinik"],
        &["The secretary knows"],
    );
    check(
        "Card 4111 1111 1111 1111, that is 4111111111111111, 4111-1111-1111-1111 and ４１１１ 1111 1111 1111.",
        &["1111", "４１１１"],
        &["that is"],
    );
    check(
        "My name is Mark. Please mark the page; Mark will.",
        &["Mark"],
        &["mark the page"],
    );
}

/// The time for a text grows with its length: eight times as much text must not cost eight times as much again.
#[test]
fn many_values_are_looked_for_at_once() {
    let text: String = (0..20_000)
        .map(|number| format!("password: q{number:07}!x\n"))
        .collect();
    let redacted = redact(&text, &scanner()).unwrap();
    assert_eq!(redacted.findings.len(), 20_000);
    assert!(!redacted.text.contains("q0012345"));
}

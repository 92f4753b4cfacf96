//! The law of redaction, on texts put together at random: nothing that was found is left, and the way back gives the original,
//! however the answer is cut.

#![allow(clippy::unwrap_used)]
// Here the test is the policy.
#![allow(clippy::disallowed_methods)]

mod support;

use support::Cases;
use whimbrel_privacy::{
    Draft, DraftMessage, Permit, Placeholders, PrivacyClass, Release, Scanner, ScannerOptions, Speaker,
};

const CASES: usize = 4000;
/// The parts of a redacted text between what we wrote: the brackets of our placeholders part them.
fn outside(redacted: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut rest = redacted;
    while let Some(character) = rest.chars().next() {
        let placeholder = rest
            .strip_prefix('⟨')
            .and_then(|inner| inner.split_once('⟩'))
            .filter(|(word, _)| {
                let (kind, number) = word.split_once('_').unwrap_or(("", ""));
                !kind.is_empty()
                    && kind.bytes().all(|byte| byte.is_ascii_uppercase())
                    && number
                        .trim_end_matches(|last: char| last.is_ascii_lowercase())
                        .parse::<u32>()
                        .is_ok()
            });
        match placeholder {
            Some((_, behind)) => {
                parts.push(String::new());
                rest = behind;
            }
            None => {
                parts.last_mut().unwrap().push(character);
                rest = &rest[character.len_utf8()..];
            }
        }
    }
    parts
}

fn letters(text: &str) -> String {
    text.chars()
        .filter(|character| character.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

#[test]
fn nothing_found_is_left_and_the_way_back_gives_the_original() {
    let scanner = Scanner::new(ScannerOptions {
        user_words: vec![
            "bluebird".to_owned(),
            "a".to_owned(),
            "person".to_owned(),
            "2".to_owned(),
        ],
        ..ScannerOptions::default()
    })
    .unwrap();
    let mut cases = Cases::new(6);
    let mut replaced = 0;
    for case in 0..CASES {
        let mut placeholders = Placeholders::new();
        for turn in 0..2 {
            let count = 1 + cases.below(3);
            let text = |_| if case % 2 == 0 { cases.text() } else { cases.soup() };
            let texts: Vec<String> = (0..count).map(text).collect();
            let messages = texts.iter().map(|text| DraftMessage {
                speaker: Speaker::User,
                text: text.clone(),
            });
            let draft = Draft {
                messages: messages.collect(),
                class: PrivacyClass::Public,
            };
            let examined = scanner.examine(draft).unwrap();
            let permit = Permit::issue("cloud", Release::Redacted, examined.facts());
            let cleared = examined
                .clear(&permit, &mut placeholders)
                .unwrap_or_else(|error| panic!("case {case}, turn {turn}: {error}: {texts:?}"));
            replaced += cleared.redactions().values().sum::<u32>();
            let left: Vec<String> = cleared
                .messages()
                .iter()
                .flat_map(|message| outside(&message.text))
                .collect();
            for (text, message) in texts.iter().zip(examined.messages()) {
                let findings = message.findings().iter();
                for finding in findings.filter(|finding| !finding.kind.is_special_category()) {
                    let value = finding.of(text);
                    let inside = letters(value).chars().count() >= 6;
                    for part in &left {
                        assert!(
                            !inside || !part.contains(value),
                            "case {case}, turn {turn}: {value:?} in {part:?} of {texts:?}"
                        );
                        assert_ne!(
                            letters(part),
                            letters(value),
                            "case {case}, turn {turn}: {value:?} of {texts:?}"
                        );
                    }
                }
            }
            for (message, text) in cleared.messages().iter().zip(&texts) {
                assert_eq!(
                    placeholders.reidentify(&message.text),
                    *text,
                    "case {case}, turn {turn}"
                );
                let mut reidentifier = placeholders.reidentifier();
                let mut answer = String::new();
                for piece in cases.cut(&message.text) {
                    answer.push_str(&reidentifier.push(piece));
                    assert!(
                        reidentifier.held_bytes() <= 40,
                        "case {case}: {} bytes held",
                        reidentifier.held_bytes()
                    );
                }
                answer.push_str(&reidentifier.finish());
                assert_eq!(answer, *text, "case {case}, turn {turn}, in pieces");
            }
        }
        let stored = serde_json::to_string(&placeholders).unwrap();
        let restored: Placeholders = serde_json::from_str(&stored).unwrap();
        assert_eq!(serde_json::to_string(&restored).unwrap(), stored);
    }
    assert!(replaced > 10_000, "only {replaced} values were replaced");
}

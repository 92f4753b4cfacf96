//! Messages examined one by one, kept, and put together give what the whole draft gives when it is examined at once, also after the
//! word list changed.

#![allow(clippy::unwrap_used)]
// Here the test is the policy.
#![allow(clippy::disallowed_methods)]

mod support;

use std::sync::Arc;

use support::Cases;
use whimbrel_privacy::{
    Cleared, Draft, DraftMessage, Examined, ExaminedMessage, Finding, FindingKind, MESSAGES_MAX, Permit, Placeholders,
    PrivacyClass, Release, ScanError, Scanner, ScannerOptions, Speaker, TEXT_BYTES_MAX,
};

const CASES: usize = 1000;
const SPEAKERS: [Speaker; 4] = [Speaker::System, Speaker::User, Speaker::Assistant, Speaker::Tool];
const CLASSES: [PrivacyClass; 4] = [
    PrivacyClass::Public,
    PrivacyClass::Personal,
    PrivacyClass::Sensitive,
    PrivacyClass::Secret,
];

fn scanner(words: &[&str], confidence_min: f32) -> Scanner {
    Scanner::new(ScannerOptions {
        user_words: words.iter().map(|word| (*word).to_owned()).collect(),
        confidence_min,
    })
    .unwrap()
}

fn scanners() -> [Scanner; 4] {
    [
        scanner(&[], 0.5),
        scanner(&["bluebird", "a", "person", "2"], 0.5),
        scanner(&["bluebird"], 0.5),
        scanner(&[], 0.95),
    ]
}

/// What the client keeps: the text and, once it was examined, the message.
struct Kept {
    speaker: Speaker,
    text: String,
    examined: ExaminedMessage,
}

fn kept(cases: &mut Cases, scanner: &Scanner) -> Kept {
    let (speaker, text) = (SPEAKERS[cases.below(SPEAKERS.len())], cases.text());
    Kept {
        speaker,
        examined: scanner.examine_message(speaker, text.clone()).unwrap(),
        text,
    }
}

fn draft(history: &[Kept], class: PrivacyClass) -> Draft {
    let message = |kept: &Kept| DraftMessage {
        speaker: kept.speaker,
        text: kept.text.clone(),
    };
    Draft {
        messages: history.iter().map(message).collect(),
        class,
    }
}

fn together(history: &[Kept], class: PrivacyClass, scanner: &Scanner) -> Examined {
    let messages = history.iter().map(|kept| kept.examined.clone()).collect();
    Examined::of(messages, class, scanner).unwrap()
}

fn findings(examined: &Examined) -> Vec<&[Finding]> {
    examined.messages().iter().map(ExaminedMessage::findings).collect()
}

fn cleared(examined: &Examined, release: Release, placeholders: &mut Placeholders) -> Cleared {
    let permit = Permit::issue("cloud", release, examined.facts());
    examined.clear(&permit, placeholders).unwrap()
}

#[test]
fn kept_messages_give_what_the_whole_draft_gives() {
    let scanners = scanners();
    let mut cases = Cases::new(12);
    let mut stale = 0;
    for case in 0..CASES {
        let mut history: Vec<Kept> = Vec::new();
        let (mut whole_placeholders, mut kept_placeholders) = (Placeholders::new(), Placeholders::new());
        let class = CLASSES[cases.below(CLASSES.len())];
        for turn in 0..3 {
            let scanner = &scanners[cases.below(scanners.len())];
            for _ in 0..cases.below(3) {
                history.push(kept(&mut cases, scanner));
            }
            stale += history.iter().filter(|kept| !scanner.made(&kept.examined)).count();
            let whole = scanner.examine(draft(&history, class)).unwrap();
            let kept = together(&history, class, scanner);
            assert_eq!(kept.facts(), whole.facts(), "case {case}, turn {turn}");
            assert_eq!(findings(&kept), findings(&whole), "case {case}, turn {turn}");
            for (message, kept) in kept.messages().iter().zip(&history) {
                assert_eq!(
                    message.findings(),
                    scanner.scan(&kept.text).unwrap(),
                    "case {case}, turn {turn}"
                );
                assert!(scanner.made(message));
            }
            for release in [Release::AsIs, Release::Redacted] {
                let whole = cleared(&whole, release, &mut whole_placeholders);
                let kept = cleared(&kept, release, &mut kept_placeholders);
                assert_eq!(kept.messages(), whole.messages(), "case {case}, turn {turn}");
                assert_eq!(kept.redactions(), whole.redactions(), "case {case}, turn {turn}");
            }
        }
    }
    assert!(stale > CASES, "only {stale} messages were of another scanner");
}

#[test]
fn a_changed_word_list_is_noticed() {
    let before = scanner(&[], 0.5);
    let message = before.examine_message(Speaker::User, "Bluebird starts today").unwrap();
    assert_eq!(message.class(), PrivacyClass::Public);
    let after = scanner(&["bluebird"], 0.5);
    assert!(before.made(&message) && scanner(&[], 0.5).made(&message) && before.clone().made(&message));
    assert!(!after.made(&message) && !scanner(&[], 0.6).made(&message));
    // Words that only together are the same text are other words.
    let joined = scanner(&["ab", "c"], 0.5).examine_message(Speaker::User, "a").unwrap();
    assert!(!scanner(&["a", "bc"], 0.5).made(&joined));

    let examined = Examined::of(vec![message], PrivacyClass::Public, &after).unwrap();
    assert_eq!(examined.facts().class, PrivacyClass::Sensitive);
    let sent = cleared(&examined, Release::Redacted, &mut Placeholders::new());
    assert_eq!(sent.messages()[0].text, "⟨WORD_1⟩ starts today");
}

#[test]
fn a_message_tells_what_is_in_it_and_shows_no_text() {
    let text: Arc<str> = "a@b.example, c@d.example, password: hunter2!x".into();
    let message = scanner(&[], 0.5).examine_message(Speaker::Tool, text.clone()).unwrap();
    assert!(Arc::ptr_eq(message.text(), &text) && Arc::ptr_eq(message.clone().text(), &text));
    assert_eq!(message.speaker(), Speaker::Tool);
    assert_eq!(message.class(), PrivacyClass::Secret);
    let counts: Vec<_> = message.counts().iter().map(|(kind, count)| (*kind, *count)).collect();
    assert_eq!(counts, [(FindingKind::Email, 2), (FindingKind::ApiKey, 1)]);
    assert_eq!(message.findings()[0].of(&text), "a@b.example");
    let examined = Examined::of(vec![message.clone()], PrivacyClass::Public, &scanner(&[], 0.5)).unwrap();
    let shown = format!("{message:?} {examined:?}");
    assert!(
        shown.contains("Email: 2") && !shown.contains("example") && !shown.contains("hunter"),
        "{shown}"
    );
}

#[test]
fn the_limits_are_those_of_a_draft() {
    let scanner = scanner(&[], 0.5);
    let bytes = u64::from(TEXT_BYTES_MAX) + 1;
    let refused = scanner.examine_message(Speaker::User, " ".repeat(bytes as usize));
    assert_eq!(refused.unwrap_err(), ScanError::LongText { bytes });
    let half = scanner
        .examine_message(Speaker::User, " ".repeat(TEXT_BYTES_MAX as usize / 2))
        .unwrap();
    let byte = scanner.examine_message(Speaker::User, " ").unwrap();
    let check = |messages: Vec<ExaminedMessage>, expected: Option<ScanError>| {
        let examined = Examined::of(messages, PrivacyClass::Public, &scanner);
        assert_eq!(examined.err(), expected);
    };
    check(vec![half.clone(), half.clone()], None);
    check(
        vec![half.clone(), half, byte.clone()],
        Some(ScanError::LongText { bytes }),
    );
    check(vec![byte.clone(); MESSAGES_MAX as usize], None);
    let count = u64::from(MESSAGES_MAX) + 1;
    check(vec![byte; count as usize], Some(ScanError::TooManyMessages { count }));
}

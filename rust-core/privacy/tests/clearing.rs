//! From a draft to what may leave: permits, digests, placeholders, and the answer put back together.

#![allow(clippy::unwrap_used)]
// Here the test is the policy.
#![allow(clippy::disallowed_methods)]

use whimbrel_privacy::{
    ClearError, Draft, DraftMessage, FindingKind, Permit, Placeholders, PrivacyClass, Release, Scanner, ScannerOptions,
    Speaker, redact,
};

fn scanner(words: &[&str]) -> Scanner {
    let user_words = words.iter().map(|word| (*word).to_owned()).collect();
    Scanner::new(ScannerOptions {
        user_words,
        ..ScannerOptions::default()
    })
    .unwrap()
}

fn draft(texts: &[&str]) -> Draft {
    let message = |text: &&str| DraftMessage {
        speaker: Speaker::User,
        text: (*text).to_owned(),
    };
    Draft {
        messages: texts.iter().map(message).collect(),
        class: PrivacyClass::Public,
    }
}

fn redacted(scanner: &Scanner, texts: &[&str], placeholders: &mut Placeholders) -> Vec<String> {
    let examined = scanner.examine(draft(texts)).unwrap();
    let permit = Permit::issue("cloud", Release::Redacted, examined.facts());
    let cleared = examined.clear(&permit, placeholders).unwrap();
    assert_eq!(cleared.endpoint(), "cloud");
    assert_eq!(cleared.release(), Release::Redacted);
    let texts: Vec<String> = cleared.messages().iter().map(|message| message.text.clone()).collect();
    for (redacted, message) in texts.iter().zip(examined.messages()) {
        assert_eq!(placeholders.reidentify(redacted), **message.text());
    }
    texts
}

#[test]
fn a_value_has_one_placeholder_in_all_messages_and_turns() {
    let scanner = scanner(&["Bluebird"]);
    let mut placeholders = Placeholders::new();
    let first = redacted(
        &scanner,
        &["Bluebird: write to a@b.example", "a@b.example again, and c@d.example"],
        &mut placeholders,
    );
    assert_eq!(
        first,
        ["⟨WORD_1⟩: write to ⟨EMAIL_1⟩", "⟨EMAIL_1⟩ again, and ⟨EMAIL_2⟩"]
    );
    let second = redacted(&scanner, &["c@d.example and bluebird"], &mut placeholders);
    assert_eq!(second, ["⟨EMAIL_2⟩ and ⟨WORD_2⟩"]);
}

#[test]
fn spellings_of_one_number_share_it() {
    let scanner = scanner(&[]);
    let mut placeholders = Placeholders::new();
    let text = "Card 4111 1111 1111 1111, 4111111111111111, 4111-1111-1111-1111; another: 5555555555554444.";
    let first = redacted(&scanner, &[text], &mut placeholders);
    assert_eq!(first, ["Card ⟨CARD_1⟩, ⟨CARD_1b⟩, ⟨CARD_1c⟩; another: ⟨CARD_2⟩."]);
    let stored = serde_json::to_string(&placeholders).unwrap();
    let mut placeholders: Placeholders = serde_json::from_str(&stored).unwrap();
    let second = redacted(
        &scanner,
        &["4111.1111.1111.1111 or 4111-1111-1111-1111"],
        &mut placeholders,
    );
    assert_eq!(second, ["⟨CARD_1d⟩ or ⟨CARD_1c⟩"]);
    assert_eq!(
        placeholders.reidentify("use <CARD_1b>, ⟨card 1⟩"),
        "use 4111111111111111, 4111 1111 1111 1111"
    );
    // What stood there already is not taken for ours.
    let third = redacted(&scanner, &["⟨CARD_1b⟩ is 4111111111111111"], &mut placeholders);
    assert_eq!(third, ["⟨CARD_3⟩ is ⟨CARD_1b⟩"]);
}

#[test]
fn what_looks_like_a_placeholder_gets_one_of_its_own() {
    let scanner = scanner(&[]);
    let mut placeholders = Placeholders::new();
    let texts = redacted(
        &scanner,
        &["Keep ⟨EMAIL_1⟩ and PERSON_1; mine is a@b.example"],
        &mut placeholders,
    );
    assert_eq!(texts, ["Keep ⟨EMAIL_1⟩ and ⟨PERSON_1⟩; mine is ⟨EMAIL_2⟩"]);
    let texts = redacted(&scanner, &["⟨EMAIL_2⟩ is not a@b.example"], &mut placeholders);
    assert_eq!(texts, ["⟨EMAIL_3⟩ is not ⟨EMAIL_2⟩"]);
}

#[test]
fn a_permit_is_for_one_draft_and_one_scan() {
    let without = scanner(&[]).examine(draft(&["Bluebird"])).unwrap();
    let with = scanner(&["bluebird"]).examine(draft(&["Bluebird"])).unwrap();
    assert_eq!(without.facts().class, PrivacyClass::Public);
    assert_eq!(with.facts().class, PrivacyClass::Sensitive);
    assert_eq!(with.facts().findings.get(&FindingKind::UserWord), Some(&1));
    let permit = Permit::issue("cloud", Release::AsIs, without.facts());
    let refused = with.clear(&permit, &mut Placeholders::new());
    assert_eq!(refused.unwrap_err(), ClearError::OtherDraft);
    let cleared = without.clear(&permit, &mut Placeholders::new()).unwrap();
    assert_eq!(cleared.messages()[0].text, "Bluebird");
    assert!(cleared.redactions().is_empty());
}

#[test]
fn a_shown_finding_names_its_placeholder() {
    let check = |text: &str, redacted: &str, placeholders: &[&str]| {
        let found = redact(text, &scanner(&["Bluebird"])).unwrap();
        assert_eq!(found.text, redacted);
        let named: Vec<&str> = found
            .findings
            .iter()
            .filter_map(|finding| finding.placeholder.as_deref())
            .collect();
        assert_eq!(named, placeholders, "{text}");
    };
    check("nothing here", "nothing here", &[]);
    check(
        "Bluebird to a@b.example, é, c@d.example, a@b.example",
        "⟨WORD_1⟩ to ⟨EMAIL_1⟩, é, ⟨EMAIL_2⟩, ⟨EMAIL_1⟩",
        &["⟨WORD_1⟩", "⟨EMAIL_1⟩", "⟨EMAIL_2⟩", "⟨EMAIL_1⟩"],
    );
    // What only looks like a placeholder is replaced as well, and is no finding.
    check("⟨EMAIL_1⟩ and a@b.example", "⟨EMAIL_1⟩ and ⟨EMAIL_2⟩", &["⟨EMAIL_2⟩"]);
}

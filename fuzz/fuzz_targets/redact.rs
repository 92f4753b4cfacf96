//! Redaction: any text is scanned and redacted without a panic, keeps nothing that was found, and comes back as it was, whole and
//! in pieces. Lines are messages of a draft; the first one is also a supplied word.

#![no_main]

use libfuzzer_sys::fuzz_target;
use whimbrel_privacy::{
    Draft, DraftMessage, Permit, Placeholders, PrivacyClass, Release, Scanner, ScannerOptions, Speaker,
};

/// Values of at least this many letters and digits are taken out inside words too.
const INSIDE_WORDS_MIN: usize = 6;

/// The redacted text without what we wrote.
fn outside(redacted: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = redacted;
    let mut from = 0;
    while let Some(open) = rest[from..].find('⟨').map(|at| from + at) {
        let inner = &rest[open + '⟨'.len_utf8()..];
        let word = inner.find('⟩').map(|end| &inner[..end]);
        let ours = word
            .and_then(|word| word.split_once('_'))
            .is_some_and(|(kind, number)| {
                !kind.is_empty()
                    && kind.bytes().all(|byte| byte.is_ascii_uppercase())
                    && number
                        .trim_end_matches(|last: char| last.is_ascii_lowercase())
                        .parse::<u32>()
                        .is_ok()
            });
        if let (Some(word), true) = (word, ours) {
            parts.push(&rest[..open]);
            rest = &inner[word.len() + '⟩'.len_utf8()..];
            from = 0;
        } else {
            from = open + '⟨'.len_utf8();
        }
    }
    parts.push(rest);
    parts
}

fuzz_target!(|text: &str| {
    let word = text.lines().next().unwrap_or("");
    let usual = Scanner::new(ScannerOptions::default()).expect("the usual options are valid");
    let with_word = Scanner::new(ScannerOptions {
        user_words: vec![word.to_owned()],
        ..ScannerOptions::default()
    });
    let scanner = with_word.unwrap_or(usual);
    let messages = text.split('\n').take(8).map(|line| DraftMessage {
        speaker: Speaker::User,
        text: line.to_owned(),
    });
    let draft = Draft {
        messages: messages.collect(),
        class: PrivacyClass::Public,
    };
    let Ok(examined) = scanner.examine(draft) else {
        return;
    };
    let permit = Permit::issue("fuzz", Release::Redacted, examined.facts());
    let mut placeholders = Placeholders::new();
    let cleared = examined
        .clear(&permit, &mut placeholders)
        .unwrap_or_else(|error| panic!("{error}"));
    let left: Vec<&str> = cleared
        .messages()
        .iter()
        .flat_map(|message| outside(&message.text))
        .collect();
    for message in examined.messages() {
        let replaced = message
            .findings()
            .iter()
            .filter(|finding| !finding.kind.is_special_category());
        for finding in replaced {
            let value = finding.of(message.text());
            let long = value.chars().filter(|character| character.is_alphanumeric()).count() >= INSIDE_WORDS_MIN;
            assert!(!long || left.iter().all(|part| !part.contains(value)));
        }
    }
    for (message, original) in cleared.messages().iter().zip(examined.messages()) {
        let mut reidentifier = placeholders.reidentifier();
        let mut answer = String::new();
        for character in message.text.chars() {
            answer.push_str(&reidentifier.push(character.encode_utf8(&mut [0; 4])));
        }
        answer.push_str(&reidentifier.finish());
        assert_eq!(answer, **original.text());
    }
});

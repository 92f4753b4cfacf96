//! Whether a person is near a term that means something else as well: "my depression", but not "the depression in the road".

use std::ops::Range;
use std::sync::LazyLock;

use super::terms::{PERSON, TEXT};
use crate::lexicon::table::{Roles, WordTable, lines};

/// How many words before and behind a term are looked at, and how many bytes at most.
const WORDS_MAX: usize = 6;
const BYTES_MAX: usize = 96;

/// The languages that have words for a person, each with its bit.
const LANGUAGES: [(&str, Roles); 6] = [
    ("en", 1),
    ("de", 1 << 1),
    ("fr", 1 << 2),
    ("es", 1 << 3),
    ("it", 1 << 4),
    ("pt", 1 << 5),
];

static PERSONS: LazyLock<WordTable> = LazyLock::new(|| {
    let mut table = WordTable::with_capacity(0);
    for line in lines(TEXT).filter(|line| line.role == PERSON) {
        table.add(line.words, bit(line.language));
    }
    table
});

/// Whether a word for a person of this language stands near the bytes in `range`, in the same sentence.
pub(super) fn is_near(text: &str, range: Range<usize>, language: &str) -> bool {
    let bit = bit(language);
    let start = text.ceil_char_boundary(range.start.saturating_sub(BYTES_MAX));
    let end = text.floor_char_boundary(range.end + BYTES_MAX);
    let (before, behind) = (&text[start..range.start], &text[range.end..end]);
    let before = before.rsplit(ends_sentence).next().unwrap_or_default();
    let behind = behind.split(ends_sentence).next().unwrap_or_default();
    let is_person = |word: &str| PERSONS.roles(word) & bit != 0;
    before.rsplit(is_between).filter(is_word).take(WORDS_MAX).any(is_person)
        || behind.split(is_between).filter(is_word).take(WORDS_MAX).any(is_person)
}

fn bit(language: &str) -> Roles {
    let known = LANGUAGES.iter().find(|(name, _)| *name == language);
    known.map_or(0, |(_, bit)| *bit)
}

fn ends_sentence(character: char) -> bool {
    matches!(character, '.' | '!' | '?' | ';' | '\n')
}

fn is_between(character: char) -> bool {
    !character.is_alphanumeric()
}

fn is_word(word: &&str) -> bool {
    !word.is_empty()
}

#[cfg(test)]
mod tests {
    use super::super::terms::NEAR;
    use super::*;

    #[test]
    fn every_language_whose_terms_need_a_person_has_words_for_one() {
        for line in lines(TEXT).filter(|line| line.role.ends_with(NEAR)) {
            assert_ne!(bit(line.language), 0, "{}", line.language);
        }
        for line in lines(TEXT).filter(|line| line.role == PERSON) {
            for word in line.words {
                assert_ne!(PERSONS.roles(word) & bit(line.language), 0, "{word}");
            }
        }
    }

    #[test]
    fn a_person_is_near_in_the_same_sentence_only() {
        let check = |text: &str, expected| {
            let start = text.find("depression").unwrap();
            assert_eq!(is_near(text, start..start + 10, "en"), expected, "{text}");
        };
        check("my depression", true);
        check("the depression of my sister", true);
        check("my car stopped. the depression", false);
        check("my a b c d e f depression", false);
        check("meine depression", false);
    }
}

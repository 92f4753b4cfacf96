//! The phrases of `data/script_cues.txt`, and the family names of `data/script_names.txt`.

use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::MatchKind;

use crate::lexicon::phrases::PhraseTable;
use crate::lexicon::table::{Roles, WordTable, lines};

/// Where a name stands.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) enum Place {
    /// Behind "my name is".
    Naming,
    /// Behind a title.
    Title,
    /// Before an honorific.
    Behind,
}

/// What stands beside a name.
#[derive(Clone, Copy)]
pub(super) struct Phrase {
    pub(super) text: &'static str,
    pub(super) language: &'static str,
    pub(super) place: Place,
}

/// A family name of Japan, of China, of Korea.
pub(super) const JAPANESE: Roles = 1;
pub(super) const CHINESE: Roles = 1 << 1;
pub(super) const KOREAN: Roles = 1 << 2;
/// A letter of Chinese given names.
pub(super) const GIVEN: Roles = 1 << 3;
/// Stands behind a Chinese name in a sentence, and before one.
pub(super) const FOLLOWING: Roles = 1 << 4;
pub(super) const PRECEDING: Roles = 1 << 5;
/// An ordinary Chinese word that looks like a name.
pub(super) const ORDINARY: Roles = 1 << 6;
/// No part of a name.
const OTHER: Roles = 1 << 7;
/// A part of a name that is no name by itself: "ibn".
const JOINING: Roles = 1 << 8;

const CUES: &str = include_str!("../../../../data/script_cues.txt");
const NAMES: &str = include_str!("../../../../data/script_names.txt");

static TABLE: LazyLock<WordTable> = LazyLock::new(|| {
    let mut table = WordTable::with_capacity(4000);
    for text in [CUES, NAMES] {
        for line in lines(text) {
            if let Some(role) = role(line.language, line.role) {
                table.add(line.words, role);
            }
        }
    }
    table
});

fn role(language: &str, role: &str) -> Option<Roles> {
    match (role, language) {
        ("surname", "ja") => Some(JAPANESE),
        ("surname", "zh") => Some(CHINESE),
        ("surname", "ko") => Some(KOREAN),
        ("given", _) => Some(GIVEN),
        ("following", _) => Some(FOLLOWING),
        ("preceding", _) => Some(PRECEDING),
        ("common", _) => Some(ORDINARY),
        ("other", _) => Some(OTHER),
        ("joining", _) => Some(JOINING),
        _ => None,
    }
}

static PHRASES: LazyLock<PhraseTable<Phrase>> = LazyLock::new(|| {
    PhraseTable::of(CUES, MatchKind::LeftmostLongest, |language, role, text| {
        let place = match role {
            "naming" => Place::Naming,
            "title" => Place::Title,
            "honorific" => Place::Behind,
            _ => return None,
        };
        Some(Phrase { text, language, place })
    })
});

/// The phrases in `text`.
pub(super) fn phrases(text: &str) -> impl Iterator<Item = (Range<usize>, Phrase)> {
    PHRASES.find(text)
}

/// What `word` does, in just these letters.
pub(super) fn roles(word: &str) -> Roles {
    TABLE.roles_as_written(word)
}

/// Whether another word of the name follows `word`.
pub(super) fn is_joining(word: &str) -> bool {
    roles(word) & JOINING != 0
}

/// Whether `word` belongs to no name. Thai words are looked up by how they begin.
pub(super) fn is_other(word: &str, language: &str) -> bool {
    language != "th" && roles(word) & OTHER != 0 || language == "th" && thai_other(word)
}

static THAI_OTHERS: LazyLock<Vec<&str>> = LazyLock::new(|| {
    let others = lines(CUES).filter(|line| line.language == "th" && line.role == "other");
    others.flat_map(|line| line.words).collect()
});

/// Thai words are not apart: what begins with another word is no family name.
fn thai_other(word: &str) -> bool {
    THAI_OTHERS.iter().any(|other| word.starts_with(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_files_is_read() {
        for text in [CUES, NAMES] {
            for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
                let one = lines(line).next().unwrap();
                let phrase = matches!(one.role, "naming" | "title" | "honorific");
                assert!(phrase || role(one.language, one.role).is_some(), "{line}");
                assert!(one.words.count() > 0, "{line}");
            }
        }
    }
}

//! Phrases that announce a value. They are searched for in the text itself rather than in its words, because their scripts do not
//! separate words with blanks, or contain signs that are not letters.

use std::sync::LazyLock;

use aho_corasick::MatchKind;

use super::said::{self, Said};
use super::{date, secret};
use crate::Finding;
use crate::lexicon::phrases::PhraseTable;

const PHRASES: &str = include_str!("../../data/cue_phrases.txt");

/// What follows a phrase.
#[derive(Clone, Copy, Debug)]
enum Follows {
    Password,
    Birthday,
    Number(Said),
}

const ROLES: &[(&str, Follows)] = &[
    ("password", Follows::Password),
    ("birth", Follows::Birthday),
    ("identity", Follows::Number(Said::Identity)),
    ("passport", Follows::Number(Said::Passport)),
    ("licence", Follows::Number(Said::Licence)),
    ("account", Follows::Number(Said::Account)),
    ("plate", Follows::Number(Said::Plate)),
];

static ALL: LazyLock<PhraseTable<Follows>> = LazyLock::new(|| {
    PhraseTable::of(PHRASES, MatchKind::Standard, |_, role, _| {
        let named = ROLES.iter().find(|(name, _)| *name == role);
        Some(named.expect("a test reads every line").1)
    })
});

/// What stands behind the phrases in `text`.
pub(super) fn all(text: &str, found: &mut Vec<Finding>) {
    if text.is_ascii() {
        return;
    }
    for (phrase, says) in ALL.find(text) {
        match says {
            Follows::Password => secret::behind_phrase(text, phrase.end, found),
            Follows::Birthday => date::behind_phrase(text, phrase.end, found),
            Follows::Number(said) => {
                said::behind(text, phrase.end, said, 0.9, found);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lexicon::table::lines;

    #[test]
    fn every_line_has_a_role_and_no_phrase_is_twice() {
        let mut seen = std::collections::BTreeSet::new();
        for line in lines(PHRASES) {
            assert!(ROLES.iter().any(|(name, _)| *name == line.role), "{}", line.role);
            for phrase in line.words {
                assert!(!phrase.is_ascii() && seen.insert(phrase), "{phrase}");
            }
        }
        assert_eq!(ALL.len(), seen.len());
        // The phrase that ends first is the one that is found.
        for phrase in &seen {
            let ends_earlier = |other: &&&str| phrase.find(**other).is_some_and(|at| at + other.len() < phrase.len());
            assert_eq!(seen.iter().find(ends_earlier), None, "{phrase} is never found");
        }
    }
}

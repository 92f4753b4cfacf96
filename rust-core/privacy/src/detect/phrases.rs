//! Phrases that say what follows, found in the text itself and not by its words: those of scripts without blanks between words.

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

use super::said::{self, Said};
use super::{date, secret};
use crate::Finding;
use crate::lexicon::table::lines;

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

struct Phrases {
    finder: AhoCorasick,
    says: Vec<Follows>,
}

static ALL: LazyLock<Phrases> = LazyLock::new(|| {
    let (mut phrases, mut says) = (Vec::new(), Vec::new());
    for line in lines(PHRASES) {
        let named = ROLES.iter().find(|(name, _)| *name == line.role);
        let (_, role) = named.expect("a test reads every line");
        for phrase in line.words {
            phrases.push(phrase.replace('_', " "));
            says.push(*role);
        }
    }
    let finder = AhoCorasick::new(phrases).expect("the phrases are few and short");
    Phrases { finder, says }
});

/// What stands behind the phrases in `text`.
pub(super) fn all(text: &str, found: &mut Vec<Finding>) {
    if text.is_ascii() {
        return;
    }
    let phrases = &*ALL;
    for phrase in phrases.finder.find_iter(text) {
        match phrases.says[phrase.pattern().as_usize()] {
            Follows::Password => secret::behind_phrase(text, phrase.end(), found),
            Follows::Birthday => date::behind_phrase(text, phrase.end(), found),
            Follows::Number(said) => {
                said::behind(text, phrase.end(), said, 0.9, found);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_has_a_role_and_no_phrase_is_twice() {
        let mut seen = std::collections::BTreeSet::new();
        for line in lines(PHRASES) {
            assert!(ROLES.iter().any(|(name, _)| *name == line.role), "{}", line.role);
            for phrase in line.words {
                assert!(!phrase.is_ascii() && seen.insert(phrase), "{phrase}");
            }
        }
        assert_eq!(ALL.says.len(), seen.len());
    }
}

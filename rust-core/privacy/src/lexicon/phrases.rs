//! Phrases that are searched for in a text itself rather than in its words.

use std::ops::Range;

use aho_corasick::{AhoCorasick, MatchKind};

use super::table::lines;

/// The phrases of a file of the form `LANGUAGE ROLE: PHRASE …`, each with what it says. `_` stands for a blank in a phrase.
pub(crate) struct PhraseTable<T> {
    finder: AhoCorasick,
    says: Vec<T>,
}

impl<T: Copy> PhraseTable<T> {
    /// Reads `text`. `says` gives what a phrase of a language and a role says; one that says nothing is left out.
    pub(crate) fn of(
        text: &'static str,
        kind: MatchKind,
        says: impl Fn(&'static str, &'static str, &'static str) -> Option<T>,
    ) -> PhraseTable<T> {
        let (mut phrases, mut said) = (Vec::new(), Vec::new());
        for line in lines(text) {
            for phrase in line.words {
                if let Some(says) = says(line.language, line.role, phrase) {
                    phrases.push(phrase.replace('_', " "));
                    said.push(says);
                }
            }
        }
        let finder = AhoCorasick::builder().match_kind(kind).build(phrases);
        PhraseTable {
            finder: finder.expect("the phrases are few and short"),
            says: said,
        }
    }

    /// Where phrases stand in `text`, and what they say.
    pub(crate) fn find(&self, text: &str) -> impl Iterator<Item = (Range<usize>, T)> {
        let says = |one: aho_corasick::Match| (one.range(), self.says[one.pattern()]);
        self.finder.find_iter(text).map(says)
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.says.len()
    }
}

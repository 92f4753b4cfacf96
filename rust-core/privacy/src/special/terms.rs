//! The terms of `data/special_words.txt`, and where they stand in a text.

use std::ops::Range;

use aho_corasick::{AhoCorasick, MatchKind};

use crate::FindingKind;
use crate::lexicon::table::lines;
use crate::normal::Normal;
use crate::occurrences::folded::Folded;
use crate::occurrences::inflection;

pub(super) const TEXT: &str = include_str!("../../data/special_words.txt");
/// The role of the words in `person`.
pub(super) const PERSON: &str = "person";
/// Ends the role of terms that count only beside a word for a person.
pub(super) const NEAR: &str = "_near";
/// A longer term, in bytes, has no place for the beginnings of its words.
const TERM_BYTES_MAX: usize = 64;

/// One term.
#[derive(Clone, Copy, Debug)]
pub(super) struct Term {
    pub(super) kind: FindingKind,
    pub(super) language: &'static str,
    pub(super) needs_person: bool,
    /// A bit for each byte where a word of the term begins.
    word_starts: u64,
    /// Other letters may stand right before it, as in a compound.
    is_open_before: bool,
    /// What may stand right behind it.
    ending: Ending,
}

/// The rest of the word that a term ends in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Ending {
    /// None.
    None,
    /// One of plurals and cases, or none.
    Inflected,
    /// Any.
    Open,
}

/// All terms.
pub(super) struct Terms {
    finder: AhoCorasick,
    terms: Vec<Term>,
}

impl Terms {
    pub(super) fn of(text: &'static str) -> Terms {
        let (mut spelled, mut terms) = (Vec::new(), Vec::new());
        for line in lines(text).filter(|line| line.role != PERSON) {
            let (kind, needs_person) = role(line.role).expect("a test reads every line");
            for word in line.words {
                let folded = Folded::of(Normal::of(&bare(word)).text());
                let starts = (0..folded.bytes.len().min(TERM_BYTES_MAX)).filter(|at| folded.first(*at));
                terms.push(Term {
                    kind,
                    language: line.language,
                    needs_person,
                    word_starts: starts.fold(0, |bits, at| bits | 1 << at),
                    is_open_before: word.starts_with('*'),
                    ending: match word.chars().next_back() {
                        Some('*') => Ending::Open,
                        Some('=') => Ending::None,
                        _ => Ending::Inflected,
                    },
                });
                spelled.push(folded.bytes);
            }
        }
        let finder = AhoCorasick::builder().match_kind(MatchKind::Standard).build(spelled);
        Terms {
            finder: finder.expect("the terms are few and short"),
            terms,
        }
    }

    /// Where terms stand in `folded`, in bytes of it. They may overlap.
    pub(super) fn find(&self, folded: &Folded) -> impl Iterator<Item = (Range<usize>, &Term)> {
        let found = self.finder.find_overlapping_iter(&folded.bytes);
        found.filter_map(|one| {
            let term = &self.terms[one.pattern()];
            term.fits(folded, one.range()).then(|| (one.range(), term))
        })
    }
}

impl Term {
    /// Whether it stands in `range` by words: at their edges, but where it is open, and cut only where its own words are.
    fn fits(&self, folded: &Folded, range: Range<usize>) -> bool {
        let begins = self.is_open_before || folded.first(range.start);
        begins && self.is_cut_as_spelled(folded, range.clone()) && self.ends(folded, range)
    }

    fn ends(&self, folded: &Folded, range: Range<usize>) -> bool {
        folded.last(range.end - 1)
            || match self.ending {
                Ending::None => false,
                Ending::Inflected => inflection::has_ending(folded, range),
                Ending::Open => true,
            }
    }

    /// No word begins inside a word of the term: "the rapist" is no therapist. "H.I.V." is spelled out.
    fn is_cut_as_spelled(&self, folded: &Folded, range: Range<usize>) -> bool {
        let inside = range.start + 1..range.end;
        let cuts = inside.clone().filter(|at| folded.first(*at));
        let is_expected = |at: usize| self.word_starts >> (at - range.start) & 1 == 1;
        cuts.clone().all(is_expected) || cuts.count() == inside.len()
    }
}

/// A term as it stands in a text.
fn bare(word: &str) -> String {
    word.trim_matches(['*', '=']).replace('_', " ")
}

/// What a role means: the category, and whether its terms need a word for a person near them.
fn role(name: &str) -> Option<(FindingKind, bool)> {
    let (category, needs_person) = match name.strip_suffix(NEAR) {
        Some(category) => (category, true),
        None => (name, false),
    };
    let kinds = FindingKind::ALL.into_iter().filter(|kind| kind.is_special_category());
    let kind = kinds.into_iter().find(|kind| kind.name() == category)?;
    Some((kind, needs_person))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_line_has_a_role_and_every_category_terms_in_six_languages() {
        let mut seen = BTreeSet::new();
        let mut categories = BTreeSet::new();
        for line in lines(TEXT) {
            assert!(line.role == PERSON || role(line.role).is_some(), "{}", line.role);
            let category = line.role.strip_suffix(NEAR).unwrap_or(line.role);
            categories.insert((line.language, category));
            for word in line.words {
                let folded = Folded::of(Normal::of(&bare(word)).text()).bytes;
                assert!(
                    (2..TERM_BYTES_MAX).contains(&folded.len()) || line.role == PERSON,
                    "{word}"
                );
                assert!(
                    seen.insert((line.language, category, folded)),
                    "{word} is twice in {}",
                    line.language
                );
            }
        }
        for language in ["en", "de", "fr", "es", "it", "pt"] {
            for kind in FindingKind::ALL.into_iter().filter(|kind| kind.is_special_category()) {
                assert!(
                    categories.contains(&(language, kind.name())),
                    "{language} {}",
                    kind.name()
                );
            }
        }
    }

    #[test]
    fn every_term_is_found_by_itself() {
        let terms = Terms::of(TEXT);
        for line in lines(TEXT).filter(|line| line.role != PERSON) {
            for word in line.words {
                let folded = Folded::of(Normal::of(&bare(word)).text());
                let whole = 0..folded.bytes.len();
                let is_it = |(range, term): (Range<usize>, &Term)| range == whole && term.language == line.language;
                assert!(terms.find(&folded).any(is_it), "{word}");
            }
        }
    }
}

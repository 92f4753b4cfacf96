//! Finds known values in texts, however they are spaced and whatever their case: what a scanner found once must not stay elsewhere.

use std::collections::HashMap;
use std::ops::Range;

use aho_corasick::{AhoCorasick, MatchKind};

use crate::FindingKind;

/// Values of at least this many letters and digits are found inside words too; shorter ones are whole words only, or "Ann" would
/// take "annual" apart.
const INSIDE_WORDS_MIN: usize = 6;
/// This many other characters between two letters or digits are passed over: "John Smith", "john.smith" and "John\n  Smith" are one.
const GAP_CHARACTERS_MAX: usize = 3;
/// Stands for a longer gap. No letter or digit folds to it.
const BARRIER: u8 = b' ';

/// A set of values to look for.
pub(crate) struct Occurrences {
    inside: Option<AhoCorasick>,
    inside_kinds: Vec<FindingKind>,
    /// By their first word, the longest first.
    whole: HashMap<Vec<u8>, Vec<(Vec<u8>, FindingKind)>>,
}

/// A text's letters and digits, folded, with where each came from.
struct Folded {
    bytes: Vec<u8>,
    /// For each folded byte, where its character begins in the text.
    starts: Vec<u32>,
    /// For each folded byte, where its character ends.
    ends: Vec<u32>,
    /// For each folded byte, whether it is the first of a run of letters and digits, and whether it is the last.
    first: Vec<bool>,
    last: Vec<bool>,
}

impl Occurrences {
    /// Looks for `values` as whole words, the long ones inside words too.
    pub(crate) fn anywhere<'v>(values: impl Iterator<Item = (&'v str, FindingKind)>) -> Occurrences {
        Occurrences::new(values, INSIDE_WORDS_MIN)
    }

    /// Looks for `values` as whole words only.
    pub(crate) fn whole_words<'v>(values: impl Iterator<Item = (&'v str, FindingKind)>) -> Occurrences {
        Occurrences::new(values, usize::MAX)
    }

    fn new<'v>(values: impl Iterator<Item = (&'v str, FindingKind)>, inside_min: usize) -> Occurrences {
        let mut whole: HashMap<Vec<u8>, Vec<(Vec<u8>, FindingKind)>> = HashMap::new();
        let mut inside = HashMap::new();
        for (value, kind) in values {
            let folded = fold(value);
            if folded.bytes.is_empty() {
                continue;
            }
            if folded.bytes.len() < inside_min {
                let first = folded.bytes[..folded.word_end(0)].to_vec();
                whole.entry(first).or_default().push((folded.bytes, kind));
            } else {
                inside.entry(folded.bytes).or_insert(kind);
            }
        }
        for same_start in whole.values_mut() {
            same_start.sort_by_key(|(value, _)| std::cmp::Reverse(value.len()));
            same_start.dedup_by(|later, earlier| later.0 == earlier.0);
        }
        let mut inside: Vec<_> = inside.into_iter().collect();
        inside.sort();
        let automaton = (!inside.is_empty()).then(|| {
            AhoCorasick::builder()
                .match_kind(MatchKind::LeftmostLongest)
                .build(inside.iter().map(|(value, _)| value))
                .expect("a scanner's limits keep the automaton under 2^31 states")
        });
        Occurrences {
            inside: automaton,
            inside_kinds: inside.into_iter().map(|(_, kind)| kind).collect(),
            whole,
        }
    }

    /// Where the values are. The ranges may overlap and are in no order.
    pub(crate) fn find(&self, text: &str) -> Vec<(Range<usize>, FindingKind)> {
        let mut found = Vec::new();
        if self.inside.is_none() && self.whole.is_empty() {
            return found;
        }
        let folded = fold(text);
        if let Some(automaton) = &self.inside {
            for hit in automaton.find_iter(&folded.bytes) {
                found.push((
                    folded.range(hit.start(), hit.end()),
                    self.inside_kinds[hit.pattern().as_usize()],
                ));
            }
        }
        if !self.whole.is_empty() {
            self.find_whole(&folded, &mut found);
        }
        found
    }

    /// From the start of each word, the longest run of whole words that is a value.
    fn find_whole(&self, folded: &Folded, found: &mut Vec<(Range<usize>, FindingKind)>) {
        for start in (0..folded.bytes.len()).filter(|&start| folded.first[start]) {
            let Some(same_start) = self.whole.get(&folded.bytes[start..folded.word_end(start)]) else {
                continue;
            };
            let rest = &folded.bytes[start..];
            let fits = |value: &[u8]| rest.starts_with(value) && folded.last[start + value.len() - 1];
            if let Some((value, kind)) = same_start.iter().find(|(value, _)| fits(value)) {
                found.push((folded.range(start, start + value.len()), *kind));
            }
        }
    }
}

impl Folded {
    /// Behind the last byte of the word that begins at `start`.
    fn word_end(&self, start: usize) -> usize {
        let more = self.last[start..].iter().position(|&last| last);
        start + more.expect("every word has a last byte") + 1
    }

    fn range(&self, start: usize, end: usize) -> Range<usize> {
        self.starts[start] as usize..self.ends[end - 1] as usize
    }
}

/// Keeps letters and digits, in lower case and without the accents of Latin letters.
fn fold(text: &str) -> Folded {
    let mut folded = Folded {
        bytes: Vec::with_capacity(text.len()),
        starts: Vec::with_capacity(text.len()),
        ends: Vec::with_capacity(text.len()),
        first: Vec::with_capacity(text.len()),
        last: Vec::with_capacity(text.len()),
    };
    let mut gap = 1;
    for (start, character) in text.char_indices() {
        if !character.is_alphanumeric() {
            gap += 1;
            continue;
        }
        if gap > 0 {
            if let Some(last) = folded.last.last_mut() {
                *last = true;
            }
            if gap > GAP_CHARACTERS_MAX && !folded.bytes.is_empty() {
                folded.push(BARRIER, start, start, (false, true));
            }
        }
        let mut first = gap > 0;
        let end = start + character.len_utf8();
        let mut utf8 = [0; 4];
        for lower in crate::letters::folded(character) {
            for &byte in lower.encode_utf8(&mut utf8).as_bytes() {
                folded.push(byte, start, end, (first, false));
                first = false;
            }
        }
        gap = 0;
    }
    if let Some(last) = folded.last.last_mut() {
        *last = true;
    }
    folded
}

impl Folded {
    fn push(&mut self, byte: u8, start: usize, end: usize, (first, last): (bool, bool)) {
        self.bytes.push(byte);
        self.starts.push(start as u32);
        self.ends.push(end as u32);
        self.first.push(first);
        self.last.push(last);
    }
}

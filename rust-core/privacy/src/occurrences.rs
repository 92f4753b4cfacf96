//! Finds known values in texts, whatever their spacing and case, because a value that the scanner found once must be replaced
//! everywhere. `folded` compares values, and `inflection` knows which endings a word may have.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::ops::Range;

use crate::FindingKind;
use crate::normal::Normal;
use folded::Folded;

pub(crate) mod folded;
pub(crate) mod inflection;

/// Values of at least this many bytes, folded, are found inside words too: six Latin letters, three Cyrillic, two Chinese. Shorter ones are
/// whole words only, or "Ann" would take "annual" apart.
const INSIDE_WORDS_BYTES_MIN: usize = 6;
/// Longer values are looked for in pieces of this length, so that no comparison is long.
const PIECE_BYTES: usize = 256;
/// A value's first bytes, by which candidates are chosen.
const KEY_BYTES: usize = 4;

/// What may stand right beside a value.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Edges {
    /// Anything.
    Any,
    /// No letter and no digit.
    Word,
    /// As for a word, or what inflection and composition put there.
    Inflected,
}

#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Value {
    folded: Vec<u8>,
    edges: Edges,
    kind: FindingKind,
}

/// A text as values are looked for in it.
pub(crate) struct Comparable<'n> {
    normal: &'n Normal<'n>,
    folded: OnceCell<Folded>,
}

impl<'n> Comparable<'n> {
    pub(crate) fn of(normal: &'n Normal<'n>) -> Comparable<'n> {
        Comparable {
            normal,
            folded: OnceCell::new(),
        }
    }

    pub(crate) fn normal(&self) -> &Normal<'n> {
        self.normal
    }

    pub(crate) fn folded(&self) -> &Folded {
        self.folded.get_or_init(|| Folded::of(self.normal.text()))
    }
}

/// A set of values to look for.
#[derive(Default)]
pub(crate) struct Occurrences {
    /// In order.
    values: Vec<Value>,
    /// For each value, the longest other one that it begins with.
    beginnings: Vec<Option<u32>>,
    /// By their first bytes, where the values with these are.
    by_key: HashMap<u32, Range<u32>, BuildHasherDefault<KeyHasher>>,
    /// Which keys there may be at the beginning of a word: nearly all places of a text are turned down by it.
    words: Filter,
    /// The same inside a word, by the first [`INSIDE_WORDS_BYTES_MIN`] bytes.
    inside: Filter,
    /// The values that are shorter than a key.
    short: HashMap<Vec<u8>, FindingKind>,
}

impl Occurrences {
    /// Looks for `values` as whole words, the long ones inside words too.
    pub(crate) fn anywhere<'v>(values: impl Iterator<Item = (&'v str, FindingKind)>) -> Occurrences {
        Occurrences::new(values, |folded| match folded.len() {
            0..INSIDE_WORDS_BYTES_MIN => Edges::Word,
            _ => Edges::Any,
        })
    }

    /// Looks for `values` as whole words only.
    pub(crate) fn whole_words<'v>(values: impl Iterator<Item = (&'v str, FindingKind)>) -> Occurrences {
        Occurrences::new(values, |_| Edges::Word)
    }

    /// Looks for `values` as words of their language: with endings, in compounds, behind attached prefixes, and inside texts that
    /// have no blanks.
    pub(crate) fn inflected<'v>(values: impl Iterator<Item = (&'v str, FindingKind)>) -> Occurrences {
        Occurrences::new(values, |_| Edges::Inflected)
    }

    fn new<'v>(values: impl Iterator<Item = (&'v str, FindingKind)>, edges: impl Fn(&[u8]) -> Edges) -> Occurrences {
        let mut found = Occurrences::default();
        for (value, kind) in values {
            let folded = Folded::of(Normal::of(value).text()).bytes;
            let edges = edges(&folded);
            if folded.len() < KEY_BYTES {
                if !folded.is_empty() {
                    found.short.entry(folded).or_insert(kind);
                }
                continue;
            }
            let mut rest = &folded[..];
            while rest.len() > PIECE_BYTES + INSIDE_WORDS_BYTES_MIN {
                let (piece, behind) = rest.split_at(PIECE_BYTES);
                found.push(piece, edges, kind);
                rest = behind;
            }
            found.push(rest, edges, kind);
        }
        found.index();
        found
    }

    fn push(&mut self, folded: &[u8], edges: Edges, kind: FindingKind) {
        self.values.push(Value {
            folded: folded.to_vec(),
            edges,
            kind,
        });
    }

    fn index(&mut self) {
        self.values.sort_unstable();
        self.values.dedup_by(|later, earlier| later.folded == earlier.folded);
        self.words = Filter::for_keys(self.values.len());
        self.inside = Filter::for_keys(self.values.len());
        let mut begun: Vec<u32> = Vec::new();
        for at in 0..self.values.len() {
            let folded = &self.values[at].folded;
            while begun
                .last()
                .is_some_and(|&last| !folded.starts_with(&self.values[last as usize].folded))
            {
                begun.pop();
            }
            self.beginnings.push(begun.last().copied());
            begun.push(at as u32);
            let key = key(folded);
            self.words.add(u64::from(key));
            match (self.values[at].edges, long_key(folded)) {
                (Edges::Word, _) => {}
                (_, Some(long)) => self.inside.add(long),
                (_, None) => (self.inside.is_open, self.inside.is_empty) = (true, false),
            }
            self.by_key.entry(key).or_insert(at as u32..0).end = at as u32 + 1;
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.values.is_empty() && self.short.is_empty()
    }

    /// Where the values are, as ranges of the text. They may overlap and are in no order.
    pub(crate) fn find(&self, text: &Comparable) -> Vec<(Range<usize>, FindingKind)> {
        let mut found = Vec::new();
        if self.is_empty() {
            return found;
        }
        let folded = text.folded();
        let mut at = 0;
        while at < folded.bytes.len() {
            match self.at(folded, at) {
                Some((end, kind)) => {
                    found.push((text.normal.original(folded.range(at, end)), kind));
                    at = end;
                }
                None => at += 1,
            }
        }
        found
    }

    /// The longest value at byte `at`: its end and its kind.
    fn at(&self, folded: &Folded, at: usize) -> Option<(usize, FindingKind)> {
        let rest = &folded.bytes[at..];
        if rest.len() >= KEY_BYTES {
            let key = key(rest);
            let inside = !self.inside.is_empty && self.inside.may_have(long_key(rest).unwrap_or(0));
            let may_be = inside || folded.first(at) && self.words.may_have(u64::from(key));
            if may_be && let Some(found) = self.with_key(folded, at, key) {
                return Some(found);
            }
        }
        if self.short.is_empty() || !folded.first(at) {
            return None;
        }
        let lengths = (1..KEY_BYTES.min(rest.len() + 1)).rev();
        lengths
            .filter(|length| folded.last(at + length - 1))
            .find_map(|length| Some((at + length, *self.short.get(&rest[..length])?)))
    }

    fn with_key(&self, folded: &Folded, at: usize, key: u32) -> Option<(usize, FindingKind)> {
        let range = self.by_key.get(&key)?;
        let rest = &folded.bytes[at..];
        let rest = &rest[..rest.len().min(PIECE_BYTES + INSIDE_WORDS_BYTES_MIN)];
        let candidates = &self.values[range.start as usize..range.end as usize];
        // The last value that is not behind the text in order, and what that one begins with: every value that stands here is
        // among them.
        let below = candidates.partition_point(|value| value.folded.as_slice() <= rest);
        let mut candidate = below.checked_sub(1).map(|index| index as u32 + range.start);
        while let Some(index) = candidate {
            let value = &self.values[index as usize];
            let end = at + value.folded.len();
            if rest.starts_with(&value.folded) && fits(folded, at..end, value.edges) {
                return Some((end, value.kind));
            }
            candidate = self.beginnings[index as usize];
        }
        None
    }
}

/// A set of keys that may hold more than were put in, which is asked first since it is small and fast.
struct Filter {
    bits: Vec<u64>,
    /// It holds every key.
    is_open: bool,
    is_empty: bool,
}

impl Default for Filter {
    fn default() -> Filter {
        Filter::for_keys(0)
    }
}

impl Filter {
    fn for_keys(count: usize) -> Filter {
        Filter {
            bits: vec![0; (count * 16).next_power_of_two().max(64) / 64],
            is_open: false,
            is_empty: true,
        }
    }

    fn place(&self, key: u64) -> (usize, u64) {
        let bit = (mixed(key) >> 32) as usize & (self.bits.len() * 64 - 1);
        (bit / 64, 1 << (bit % 64))
    }

    fn add(&mut self, key: u64) {
        let (word, bit) = self.place(key);
        self.bits[word] |= bit;
        self.is_empty = false;
    }

    fn may_have(&self, key: u64) -> bool {
        let (word, bit) = self.place(key);
        self.is_open || self.bits[word] & bit != 0
    }
}

/// Keys are four bytes of text: one multiplication spreads them well enough.
#[derive(Default)]
struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = mixed(self.0 ^ u64::from(byte));
        }
    }

    fn write_u32(&mut self, key: u32) {
        self.0 = mixed(u64::from(key));
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

fn mixed(key: u64) -> u64 {
    key.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

fn key(folded: &[u8]) -> u32 {
    u32::from_le_bytes([folded[0], folded[1], folded[2], folded[3]])
}

fn long_key(folded: &[u8]) -> Option<u64> {
    let short = u64::from(u16::from_le_bytes([
        *folded.get(KEY_BYTES)?,
        *folded.get(KEY_BYTES + 1)?,
    ]));
    Some(u64::from(key(folded)) | short << 32)
}

/// Whether what stands beside the value may stand there.
fn fits(folded: &Folded, range: Range<usize>, edges: Edges) -> bool {
    let whole = folded.first(range.start) && folded.last(range.end - 1);
    match edges {
        Edges::Any => true,
        Edges::Word => whole,
        Edges::Inflected => whole || inflection::is_form(folded, range),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(words: &[&str], text: &str, expected: &[&str]) {
        let words = words.iter().map(|word| (*word, FindingKind::UserWord));
        let mut found = Occurrences::inflected(words).find(&Comparable::of(&Normal::of(text)));
        found.sort_by_key(|(range, _)| range.start);
        found.dedup();
        let found: Vec<&str> = found.into_iter().map(|(range, _)| &text[range]).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn words_are_found_in_their_forms() {
        check(
            &["Kormoran"],
            "Kormorane, KORMORANS, Kormoran-Plan",
            &["Kormoran", "KORMORAN", "Kormoran"],
        );
        check(
            &["Kormoran"],
            "Kormoranprojekt und Hauskormoran",
            &["Kormoran", "kormoran"],
        );
        check(&["Kormoran"], "Kormoranqu", &[]);
        check(&["secret", "person"], "secretary, personality, personal", &[]);
        check(&["Ann"], "annual Ann's", &["Ann"]);
        check(&["すずめ"], "社内ではすずめと呼ぶ", &["すずめ"]);
        check(&["참새"], "참새는 비밀이다", &["참새"]);
        check(&["麻雀"], "关于麻雀的计划", &["麻雀"]);
        check(&["นกกระจอก"], "เรื่องนกกระจอกเป็นความลับ", &["นกกระจอก"]);
        check(&["عصفور"], "مشروع العصفور وبعصفور", &["عصفور", "عصفور"]);
        check(&["דרור"], "פרויקט הדרור ושדרור", &["דרור", "דרור"]);
        check(&["Änderung"], "Projekt A\u{308}nderung", &["A\u{308}nderung"]);
        check(&["A\u{308}nderung"], "Projekt Änderung", &["Änderung"]);
        check(
            &["bluebird"],
            "ＢＬＵＥＢＩＲＤ, blue\u{ad}bird",
            &["ＢＬＵＥＢＩＲＤ", "blue\u{ad}bird"],
        );
    }

    #[test]
    fn the_longest_value_wins_and_long_ones_are_found_whole() {
        let long = "k3v9x2m8".repeat(100);
        let values = ["k3v9x2", &long, "k3v9x2m8k3"];
        let text = format!("a {long} b k3v9x2m8k3!");
        let found = Occurrences::anywhere(values.iter().map(|value| (*value, FindingKind::ApiKey)));
        let mut covered = vec![false; text.len()];
        for (range, _) in found.find(&Comparable::of(&Normal::of(&text))) {
            covered[range].fill(true);
        }
        let left: String = text
            .chars()
            .zip(&covered)
            .filter(|(_, covered)| !**covered)
            .map(|(left, _)| left)
            .collect();
        assert_eq!(left, "a  b !");
    }
}

//! What the model sees of a word: its letters, what the lexicon knows of it and of its neighbours, and the characters between them.

use super::super::super::view::{Shape, View};
use super::super::context::is_foreign;
use super::super::words::roles;
use crate::letters::folded;
use crate::lexicon::{
    AMBIGUOUS, COMMON, FIRST, FOREIGN, FUNCTION, GERMAN, LAST, MONTH, Meaning, NAME_CUE, NO_NAME, ORGANISATION,
    PARTICLE, PERSON_VERB, STREET_END, TITLE,
};

/// How many weights there are; a power of two.
pub(crate) const WEIGHTS: usize = 1 << 17;
/// How many letters of a word are looked at.
const LETTERS_MAX: usize = 16;
/// What is kept of a word's meaning; the other bits say nothing about names.
const TELLING: Meaning = FIRST
    | LAST
    | AMBIGUOUS
    | NO_NAME
    | TITLE
    | PARTICLE
    | NAME_CUE
    | MONTH
    | STREET_END
    | PERSON_VERB
    | FUNCTION
    | ORGANISATION
    | COMMON
    | GERMAN
    | FOREIGN;
const NAMES: u64 = (FIRST | LAST) as u64;

/// Kinds of features of a word's letters; those of [`around`] are counted from 0.
const THREE_LETTERS: u64 = 32;
const FOUR_LETTERS: u64 = 33;
const BEGINNING: u64 = 34;
const ENDING: u64 = 35;
const LENGTH: u64 = 36;
const VOWELS: u64 = 37;

/// Calls `take` with the place of each feature of the word at `index` in the table of weights.
pub(crate) fn features(view: &View, index: usize, mut take: impl FnMut(usize)) {
    letters(view.word(index), |kind, parts| take(place(kind, parts)));
    around(view, index, |kind, parts| take(place(kind, parts)));
}

/// What the word is, and what stands around it.
fn around(view: &View, index: usize, mut feature: impl FnMut(u64, &[u64])) {
    let token = view.tokens[index];
    let (shape, own) = (shape_number(token.shape), u64::from(token.meaning & TELLING));
    let case = case_around(view, index);
    let language = u64::from(is_foreign(view, index)) + u64::from(view.is_german);
    let [far_before, before, behind, far_behind] = [-2, -1, 1, 2].map(|distance| Neighbour::of(view, index, distance));
    let (gap_before, gap_behind) = (sign(view.gap_before(index)), sign(view.gap(index)));
    let features: [&[u64]; 25] = [
        &[shape],
        &[own, shape],
        &[case, shape],
        &[language, own, shape],
        &[language, gap_before, shape],
        &[gap_before, gap_behind, shape],
        &[before.word, gap_before],
        &[behind.word, gap_behind],
        &[before.word, far_before.word],
        &[behind.word, far_behind.word],
        &[before.word, behind.word],
        &[far_before.word],
        &[far_behind.word],
        &[before.meaning, gap_before, before.shape],
        &[behind.meaning, gap_behind, behind.shape],
        &[before.meaning, own],
        &[behind.meaning, own],
        &[before.meaning, behind.meaning],
        &[before.meaning & NAMES, gap_before, own],
        &[behind.meaning & NAMES, gap_behind, own],
        &[before.ending, gap_before, own],
        &[behind.ending, gap_behind, own],
        &[before.roles, gap_before, own],
        &[behind.roles, gap_behind, own],
        &[before.shape, behind.shape, shape, case],
    ];
    for (kind, parts) in (0..).zip(features) {
        feature(kind, parts);
    }
}

/// The beginning, the end, the length and every three and four letters of a word.
fn letters(word: &str, mut feature: impl FnMut(u64, &[u64])) {
    let mut read = [u64::from(b'^'); LETTERS_MAX + 2];
    let mut count = 1;
    for letter in word.chars().flat_map(folded).take(LETTERS_MAX) {
        read[count] = u64::from(letter);
        count += 1;
    }
    read[count] = u64::from(b'$');
    let read = &read[..=count];
    for three in read.windows(3) {
        feature(THREE_LETTERS, three);
    }
    for four in read.windows(4) {
        feature(FOUR_LETTERS, four);
    }
    for length in [3, 4, 5] {
        let length = length.min(read.len());
        feature(BEGINNING, &read[..length]);
        feature(ENDING, &read[read.len() - length..]);
    }
    feature(LENGTH, &[count.min(12) as u64]);
    let vowels = b"aeiouy".map(u64::from);
    let vowels = read.iter().filter(|letter| vowels.contains(letter)).count();
    feature(VOWELS, &[(vowels * 4 / count) as u64]);
}

/// A number for each shape; 0 is for no word.
fn shape_number(shape: Shape) -> u64 {
    match shape {
        Shape::Digits => 1,
        Shape::Mixed => 2,
        Shape::Lower => 3,
        Shape::Capitalised => 4,
        Shape::Upper => 5,
    }
}

/// What the model sees of a word beside the one that it judges.
#[derive(Default)]
struct Neighbour {
    word: u64,
    meaning: u64,
    roles: u64,
    /// Its last three letters, when it may be a name.
    ending: u64,
    shape: u64,
}

impl Neighbour {
    /// The word `distance` tokens away, if it is in the same paragraph.
    fn of(view: &View, index: usize, distance: isize) -> Neighbour {
        let Some(near) = index
            .checked_add_signed(distance)
            .filter(|&near| near < view.tokens.len())
        else {
            return Neighbour::default();
        };
        let between = index.min(near)..index.max(near);
        if between.into_iter().any(|index| view.gap(index).contains('\n')) {
            return Neighbour::default();
        }
        let token = view.tokens[near];
        // A name beside a name says so by its meaning; its letters would be learned by heart.
        let meaning = token.meaning & TELLING;
        let known = meaning & !(FIRST | LAST) != 0;
        let word = if known { hash(view.word(near)) } else { 1 };
        Neighbour {
            word: u64::from(word),
            meaning: u64::from(meaning),
            ending: if known { 0 } else { ending(view.word(near)) },
            roles: u64::from(roles(view.word(near))),
            shape: shape_number(token.shape),
        }
    }
}

/// How the letters around are written: 1 when a small one begins a word, 2 when a capital does, 4 when a word is in capitals.
fn case_around(view: &View, index: usize) -> u64 {
    let near = index.saturating_sub(4)..(index + 5).min(view.tokens.len());
    near.filter(|&near| near != index)
        .fold(0, |case, near| match view.tokens[near].shape {
            Shape::Lower => case | 1,
            Shape::Capitalised => case | 2,
            Shape::Upper => case | 4,
            Shape::Digits | Shape::Mixed => case,
        })
}

/// The first sign of what stands between two words, and whether it is a blank alone.
fn sign(gap: &str) -> u64 {
    let trimmed = gap.trim_matches([' ', '\u{a0}', '\t']);
    match trimmed.chars().next() {
        None if gap.is_empty() => 0,
        None => 1,
        Some('\n' | '\r') => 2,
        Some('’') => u64::from('\''),
        Some('“' | '”' | '„' | '«' | '»') => u64::from('"'),
        Some('–' | '—') => u64::from('-'),
        Some(sign) => u64::from(sign),
    }
}

/// The last three letters of a word.
fn ending(word: &str) -> u64 {
    let last = word.chars().rev().take(3).flat_map(folded);
    last.fold(1, |ending, letter| ending << 21 | u64::from(letter))
}

/// FNV-1a in 32 bits.
fn hash(word: &str) -> u32 {
    let mut hash = 0x811c_9dc5_u32;
    for letter in word.chars().flat_map(folded) {
        hash = (hash ^ letter as u32).wrapping_mul(0x0100_0193);
    }
    hash
}

/// Where the weight of a feature is.
fn place(kind: u64, parts: &[u64]) -> usize {
    let mut hash = kind.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for part in parts {
        hash = (hash ^ part).wrapping_mul(0xff51_afd7_ed55_8ccd);
        hash ^= hash >> 32;
    }
    hash as usize % WEIGHTS
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The weights fit these features only. When this fails because the features or the bits of the lexicon changed, the model must be
    /// trained anew.
    #[test]
    fn features_are_those_that_the_weights_were_made_for() {
        let view =
            View::new("Well, ask anna YORULMAZ or «Dr. Müller-Łukasz» about the contract, tomorrow.\nHeute war sie da");
        let mut hasher = blake3::Hasher::new();
        for index in 0..view.tokens.len() {
            features(&view, index, |place| {
                hasher.update(&(place as u32).to_le_bytes());
            });
        }
        let hash = hasher.finalize().to_hex();
        assert_eq!(&hash[..16], "48a9bb5fdaa6bca1");
    }
}

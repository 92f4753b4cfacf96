//! A small trained model that says how much a word looks like (a part of) a person's name where it stands. It is asked about words that
//! the rules leave undecided. A run of such words that is surely a name is found as one; a run that may be one is a guess, which
//! raises the text's class only.
//!
//! The model is linear: a word has some seventy features, each of which has a weight of one byte, and the score is the sum of the weights.
//! `examples/train_tagger` makes the weights; `data/README.md` says from what.

use super::super::push;
use super::super::view::{Shape, View};
use super::context::{is_foreign, is_of_other_script};
use super::{is_camel_case, is_shouted};
use crate::lexicon::{AMBIGUOUS, COMMON, FIRST, FOREIGN, FUNCTION, LAST, MONTH, Meaning, NO_NAME, ORGANISATION, TITLE};
use crate::scanner::GUESS_CONFIDENCE_MIN;
use crate::{Finding, FindingKind};

mod features;

pub(crate) use features::{WEIGHTS, features};

static TABLE: &[u8; WEIGHTS] = include_bytes!("../../../data/tagger.bin");

/// A word with a lower score belongs to no name.
const SCORE_MIN: i32 = -200;
/// The lowest of the thresholds.
const THRESHOLD_MIN: i32 = -100;
/// How sure a finding of the model is.
const SURE_CONFIDENCE: f32 = 0.6;
/// The most words in a name.
const WORDS_MAX: usize = 6;
/// How many words to either side tell that a text is English.
const WORDS_NEAR: usize = 3;
/// Shorter words are no names.
const LETTERS_MIN: usize = 3;
/// Shorter words in capitals among others in small letters are abbreviations.
const UPPER_LETTERS_MIN: usize = 5;
/// What no word is that the model is asked about.
const NEVER: Meaning = FUNCTION | TITLE | ORGANISATION | NO_NAME | MONTH;
/// What no such word is unless it is in a list of names too.
const ORDINARY: Meaning = !(FIRST | LAST | FOREIGN);

/// From which score on a run of words is what, on average.
struct Thresholds {
    guess: i32,
    /// None where the model is never sure.
    sure: Option<i32>,
}

/// The names among the words of `view` that are in no finding yet.
pub(crate) fn all(view: &View, found: &mut Vec<Finding>) {
    let is_covered = covered(view, found);
    let mut index = 0;
    while index < view.tokens.len() {
        let first = index;
        let mut sum = 0;
        while index < (first + WORDS_MAX).min(view.tokens.len())
            && !is_covered[index]
            && (index == first || continues(view, index))
            && is_candidate(view, index)
        {
            let score = score(view, index);
            if score < SCORE_MIN {
                break;
            }
            sum += score;
            index += 1;
        }
        let words = index - first;
        if words == 0 {
            index += 1;
        } else if let Some(confidence) = confidence(view, first, words, sum / words as i32) {
            let range = view.start(first)..view.end(index - 1);
            push(found, FindingKind::PersonName, range, confidence);
        }
    }
}

/// Which words are in a finding that is sure enough to be reported.
fn covered(view: &View, found: &[Finding]) -> Vec<bool> {
    let mut covered = vec![false; view.tokens.len()];
    for finding in found
        .iter()
        .filter(|finding| finding.confidence >= GUESS_CONFIDENCE_MIN)
    {
        let first = view.tokens.partition_point(|token| token.end <= finding.start);
        let inside = view.tokens[first..]
            .iter()
            .take_while(|token| token.start < finding.end);
        let last = first + inside.count();
        covered[first..last].fill(true);
    }
    covered
}

/// Whether the word at `index` may be in one name with the word before it.
fn continues(view: &View, index: usize) -> bool {
    matches!(view.gap_before(index), " " | "-") && view.tokens[index].shape == view.tokens[index - 1].shape
}

/// How sure it is that `words` words from `first` on are a name, when their scores are `mean` on average.
fn confidence(view: &View, first: usize, words: usize, mean: i32) -> Option<f32> {
    if mean < THRESHOLD_MIN {
        return None;
    }
    let thresholds = thresholds(view, first, words);
    if thresholds.sure.is_some_and(|sure| mean >= sure) {
        Some(SURE_CONFIDENCE)
    } else {
        (mean >= thresholds.guess).then_some(GUESS_CONFIDENCE_MIN)
    }
}

/// Chosen on interface texts in seventeen languages and on English documentation: as low as ordinary texts allow.
fn thresholds(view: &View, first: usize, words: usize) -> Thresholds {
    let foreign = is_foreign(view, first);
    let english = !foreign && is_beside_english(view, first, words);
    let ordinary = (first..first + words).any(|index| view.is(index, COMMON | AMBIGUOUS));
    let guess = match (view.tokens[first].shape, words) {
        // A capital begins places and brands too. In English, of which the lexicon knows most words, little else has one.
        (Shape::Capitalised, _) if english && !ordinary => THRESHOLD_MIN,
        (Shape::Capitalised, _) => 50,
        (Shape::Lower, 1) if ordinary => 100,
        (Shape::Lower, 1) => 50,
        _ if ordinary => 50,
        _ => 0,
    };
    let may_be_sure = words > 1 && !ordinary && view.tokens[first].shape != Shape::Capitalised;
    Thresholds {
        guess,
        sure: may_be_sure.then_some(if foreign { 100 } else { 50 }),
    }
}

/// Whether an English word in small letters is near `words` words from `first` on.
fn is_beside_english(view: &View, first: usize, words: usize) -> bool {
    let near = first.saturating_sub(WORDS_NEAR)..(first + words + WORDS_NEAR).min(view.tokens.len());
    let mut near = view.tokens[near].iter();
    near.any(|token| token.shape == Shape::Lower && token.meaning & (COMMON | FUNCTION) != 0)
}

/// How much the word at `index` looks like a name.
fn score(view: &View, index: usize) -> i32 {
    let mut score = 0;
    features(view, index, |place| score += i32::from(TABLE[place].cast_signed()));
    score
}

/// Whether the model is asked about the word at `index`.
pub(crate) fn is_candidate(view: &View, index: usize) -> bool {
    let meaning = view.tokens[index].meaning;
    let listed = meaning & (FIRST | LAST) != 0;
    let letters_min = match view.tokens[index].shape {
        Shape::Lower => LETTERS_MIN,
        Shape::Capitalised if !is_camel_case(view.word(index)) => LETTERS_MIN,
        Shape::Upper if is_shouted(view, index) => LETTERS_MIN,
        Shape::Upper => UPPER_LETTERS_MIN,
        _ => return false,
    };
    meaning & NEVER == 0
        && (listed || meaning & ORDINARY == 0)
        && view.word(index).chars().nth(letters_min - 1).is_some()
        && !is_of_other_script(view, index)
        && stands_free(view, index)
}

/// Whether a word is no part of an identifier, of an address, of a path or of a placeholder.
fn stands_free(view: &View, index: usize) -> bool {
    let joins = |sign: char| {
        matches!(
            sign,
            '_' | '@' | '/' | '\\' | '$' | '#' | '=' | '{' | '%' | '~' | '^' | '+' | '⟨' | '<'
        )
    };
    let (gap_before, gap_behind) = (view.gap_before(index), view.gap(index));
    let is_last = index + 1 == view.tokens.len();
    let joined_before = gap_before.ends_with(|sign| joins(sign) || matches!(sign, '.' | ':'));
    let joined_behind = gap_behind.starts_with(|sign| joins(sign) || matches!(sign, '(' | '[' | '}' | '>'));
    !joined_before && !joined_behind && (is_last || !matches!(gap_behind, "." | ":"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_names_the_weights() {
        let bytes: Vec<u8> = TABLE.to_vec();
        let hash = blake3::hash(&bytes).to_hex();
        let readme = include_str!("../../../data/README.md");
        assert!(
            readme.contains(hash.as_str()),
            "data/README.md does not say that the weights are {hash}"
        );
    }
}

//! What may be directly before and after a supplied word: endings, the other half of a compound, attached prefixes, and the
//! surrounding words in a script without blanks.

use std::ops::Range;

use super::folded::Folded;
use crate::lexicon::{self, COMMON};
use crate::normal::is_unspaced;

/// The longest part of a word beside a supplied one, in bytes.
const BESIDE_BYTES_MAX: usize = 48;
/// The fewest letters of a word that is found with endings, and of one that is found in compounds.
const INFLECTED_LETTERS_MIN: usize = 4;
const COMPOUND_LETTERS_MIN: usize = 5;
/// The shortest other half of a compound, in bytes.
const COMPOUND_BYTES_MIN: usize = 4;

/// Endings of plurals and cases in English, the Romance and Germanic languages, and Slavic ones in both alphabets, folded.
const ENDINGS: &[&str] = &[
    "s", "es", "e", "n", "en", "er", "ern", "ens", "et", "ene", "erne", "ar", "or", "arna", "orna", "i", "a", "y", "x",
    "u", "ow", "ie", "em", "om", "ami", "ach", "а", "у", "ом", "ем", "е", "ы", "и", "ов", "ам", "ами", "ах", "ой",
];
/// What Arabic and Hebrew write together with the word behind it: and, then, in, like, to, from, that, will, the.
const ARABIC_PREFIXES: &[char] = &['و', 'ف', 'ب', 'ك', 'ل', 'س', 'ا'];
const HEBREW_PREFIXES: &[char] = &['ו', 'ה', 'ב', 'כ', 'ל', 'מ', 'ש'];
const PREFIX_LETTERS_MAX: usize = 4;
/// Pronouns and plurals behind a word.
const ARABIC_SUFFIXES: &[&str] = &["ه", "ها", "هم", "ي", "نا", "ك", "كم", "ات", "ون", "ين", "ان", "ا"];
const HEBREW_SUFFIXES: &[&str] = &["ים", "ות", "י", "ו", "ה", "נו"];

/// Whether the word that holds the bytes in `range` is a form of what these spell.
pub(super) fn is_form(folded: &Folded, range: Range<usize>) -> bool {
    let Ok(word) = std::str::from_utf8(&folded.bytes[range.clone()]) else {
        return false;
    };
    let (Some(first), Some(last)) = (word.chars().next(), word.chars().next_back()) else {
        return false;
    };
    if is_unspaced(first) && is_unspaced(last) {
        return word.chars().count() > 1;
    }
    let Some((before, behind)) = folded.beside(range, BESIDE_BYTES_MAX) else {
        return false;
    };
    let (Ok(before), Ok(behind)) = (std::str::from_utf8(before), std::str::from_utf8(behind)) else {
        return false;
    };
    let letters = word.chars().count();
    if letters < INFLECTED_LETTERS_MIN - usize::from(is_semitic(first)) {
        return false;
    }
    match first {
        'ء'..='ي' => is_prefix(before, ARABIC_PREFIXES) && is_ending(behind, ARABIC_SUFFIXES),
        'א'..='ת' => is_prefix(before, HEBREW_PREFIXES) && is_ending(behind, HEBREW_SUFFIXES),
        _ if !last.is_alphabetic() => false,
        _ if before.is_empty() && is_ending(behind, ENDINGS) => !is_other_word(word, behind),
        _ => {
            let compound = before.len() >= COMPOUND_BYTES_MIN && is_ending(behind, ENDINGS)
                || before.is_empty() && behind.len() >= COMPOUND_BYTES_MIN;
            letters >= COMPOUND_LETTERS_MIN && compound && !is_common(&[before, word, behind].concat())
        }
    }
}

/// Whether the word that begins with the bytes in `range` is what these spell with an ending: "abortions".
pub(crate) fn has_ending(folded: &Folded, range: Range<usize>) -> bool {
    let Some((_, behind)) = folded.beside(range.clone(), BESIDE_BYTES_MAX) else {
        return false;
    };
    let spelled = (std::str::from_utf8(&folded.bytes[range]), std::str::from_utf8(behind));
    let (Ok(word), Ok(behind)) = spelled else {
        return false;
    };
    word.chars().count() >= INFLECTED_LETTERS_MIN && is_ending(behind, ENDINGS) && !is_other_word(word, behind)
}

fn is_semitic(first: char) -> bool {
    matches!(first, 'א'..='ת' | 'ء'..='ي')
}

fn is_prefix(before: &str, letters: &[char]) -> bool {
    before.chars().count() <= PREFIX_LETTERS_MAX && before.chars().all(|letter| letters.contains(&letter))
}

fn is_ending(behind: &str, endings: &[&str]) -> bool {
    behind.is_empty() || endings.contains(&behind)
}

/// Whether the word with the ending is an ordinary word of another meaning: "planet" is no form of "plan".
fn is_other_word(word: &str, ending: &str) -> bool {
    !matches!(ending, "s" | "es") && is_common(&[word, ending].concat())
}

fn is_common(word: &str) -> bool {
    lexicon::meaning(word) & COMMON != 0
}

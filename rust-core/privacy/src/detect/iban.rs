//! International bank account numbers: ISO 13616, with the lengths of the SWIFT registry and the check of ISO 7064, MOD 97-10.

use super::number::is_blank;
use super::view::View;
use crate::{Finding, FindingKind};

/// Countries with the length of their numbers.
const LENGTHS: &[(&str, usize)] = &[
    ("AD", 24),
    ("AE", 23),
    ("AL", 28),
    ("AT", 20),
    ("AZ", 28),
    ("BA", 20),
    ("BE", 16),
    ("BG", 22),
    ("BH", 22),
    ("BI", 27),
    ("BR", 29),
    ("BY", 28),
    ("CH", 21),
    ("CR", 22),
    ("CY", 28),
    ("CZ", 24),
    ("DE", 22),
    ("DJ", 27),
    ("DK", 18),
    ("DO", 28),
    ("EE", 20),
    ("EG", 29),
    ("ES", 24),
    ("FI", 18),
    ("FK", 18),
    ("FO", 18),
    ("FR", 27),
    ("GB", 22),
    ("GE", 22),
    ("GI", 23),
    ("GL", 18),
    ("GR", 27),
    ("GT", 28),
    ("HR", 21),
    ("HU", 28),
    ("IE", 22),
    ("IL", 23),
    ("IQ", 23),
    ("IS", 26),
    ("IT", 27),
    ("JO", 30),
    ("KW", 30),
    ("KZ", 20),
    ("LB", 28),
    ("LC", 32),
    ("LI", 21),
    ("LT", 20),
    ("LU", 20),
    ("LV", 21),
    ("LY", 25),
    ("MC", 27),
    ("MD", 24),
    ("ME", 22),
    ("MK", 19),
    ("MN", 20),
    ("MR", 27),
    ("MT", 31),
    ("MU", 30),
    ("NI", 28),
    ("NL", 18),
    ("NO", 15),
    ("OM", 23),
    ("PK", 24),
    ("PL", 28),
    ("PS", 29),
    ("PT", 25),
    ("QA", 29),
    ("RO", 24),
    ("RS", 22),
    ("RU", 33),
    ("SA", 24),
    ("SC", 31),
    ("SD", 18),
    ("SE", 24),
    ("SI", 19),
    ("SK", 24),
    ("SM", 27),
    ("SO", 23),
    ("ST", 25),
    ("SV", 28),
    ("TL", 23),
    ("TN", 24),
    ("TR", 26),
    ("UA", 29),
    ("VA", 22),
    ("VG", 24),
    ("XK", 20),
    ("YE", 30),
];

/// Reads a number that begins with token `first`.
pub(super) fn at(view: &View, first: usize, found: &mut Vec<Finding>) {
    let start = view.start(first);
    let bytes = view.text.as_bytes();
    let [country @ .., check_1, check_2] = &bytes[start..(start + 4).min(bytes.len())] else {
        return;
    };
    if country.len() != 2 || !check_1.is_ascii_digit() || !check_2.is_ascii_digit() {
        return;
    }
    let country = [country[0].to_ascii_uppercase(), country[1].to_ascii_uppercase()];
    let Some(&(_, length)) = LENGTHS.iter().find(|(code, _)| code.as_bytes() == country) else {
        return;
    };
    let mut characters = Vec::with_capacity(length);
    let mut end = start;
    let mut blanks = 0;
    for (at, character) in view.text[start..].char_indices() {
        if character.is_ascii_alphanumeric() {
            blanks = 0;
            characters.push(character.to_ascii_uppercase());
            end = start + at + 1;
            if characters.len() == length {
                break;
            }
        } else {
            blanks += 1;
            if blanks > 1 || !(is_blank(character) || character == '-' || character == '.') {
                return;
            }
        }
    }
    let goes_on = view.text[end..].chars().next().is_some_and(char::is_alphanumeric);
    if characters.len() == length && !goes_on && remainder(&characters) == 1 {
        super::push(found, FindingKind::Iban, start..end, 1.0);
    }
}

/// The number modulo 97, the first four characters behind the others, letters as 10 to 35.
fn remainder(characters: &[char]) -> u32 {
    let moved = characters[4..].iter().chain(&characters[..4]);
    moved.fold(0, |remainder, character| {
        let value = character.to_digit(36).expect("letters and digits only");
        (if value > 9 { remainder * 100 } else { remainder * 10 } + value) % 97
    })
}

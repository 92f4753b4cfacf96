//! National identification and tax numbers that contain letters.

use super::checks::{is_date, value};
use super::number::is_blank;
use super::view::View;
use crate::lexicon::ID;
use crate::{Finding, FindingKind};

/// The longest of them, with separators.
const BYTES_MAX: usize = 26;
/// The longest of them, without.
const CHARACTERS_MAX: usize = 18;

mod world;

type Check = fn(&[u8]) -> bool;

/// A form: how many characters, its check, and how sure it makes us.
const FORMS: &[(usize, Check, f32)] = &[
    (16, italy, 1.0),
    (15, corsica, 1.0),
    (11, finland, 1.0),
    (9, spain, 1.0),
    (9, singapore, 1.0),
    (9, united_kingdom, 0.9),
    (9, ireland, 0.8),
    (8, ireland, 0.8),
];

/// Forms without blanks in them.
const SOLID_FORMS: &[(usize, Check, f32)] = &[
    (18, world::mexico, 1.0),
    (18, world::china, 1.0),
    (16, world::driver_britain, 0.9),
    (15, world::india_business, 0.95),
    (13, world::mexico_tax, 0.9),
    (12, world::germany_insurance, 0.9),
    (11, world::medicare, 0.85),
    (11, world::kenya, 0.8),
    (10, world::india, 0.75),
    (10, world::venezuela, 0.7),
    (9, world::chile, 0.7),
];

/// Reads a number that begins with token `first`.
pub(super) fn at(view: &View, first: usize, found: &mut Vec<Finding>) {
    let start = view.start(first);
    if first > 0 && matches!(view.gap_before(first), "-" | "." | "_" | "/") {
        return;
    }
    // Characters with the byte behind each.
    let mut characters = [(0, 0); CHARACTERS_MAX];
    let mut count = 0;
    let mut blanks = 0;
    for (at, character) in view.text[start..].char_indices().take_while(|(at, _)| *at < BYTES_MAX) {
        if count == CHARACTERS_MAX || !character.is_ascii() && !is_blank(character) {
            break;
        }
        // The century of a Finnish number may be written "+" or "-".
        let century = count == 6 && matches!(character, '-' | '+');
        if character.is_ascii_alphanumeric() || century {
            characters[count] = (character.to_ascii_uppercase() as u8, start + at + 1);
            count += 1;
            blanks = 0;
            continue;
        }
        blanks += 1;
        if blanks > 1 || !(is_blank(character) || matches!(character, '-' | '.')) {
            break;
        }
    }
    // One word, or words with hyphens between them.
    let is_solid = view.end(first) - start >= 9 || view.gap(first) == "-";
    let solid = SOLID_FORMS.iter().filter(|_| is_solid).map(|form| (form, true));
    for (&(length, check, confidence), solid) in solid.chain(FORMS.iter().map(|form| (form, false))) {
        if length > count {
            continue;
        }
        let end = characters[length - 1].1;
        let bytes = characters.map(|(character, _)| character);
        let word = &bytes[..length];
        let goes_on = view.text[end..].chars().next().is_some_and(char::is_alphanumeric);
        let parted = solid && view.text[start..end].contains(is_blank);
        if !goes_on && !parted && check(word) {
            let said = (view.meanings_before(first, 6) | view.meanings_behind(first, 5)) & ID != 0;
            super::push(
                found,
                FindingKind::NationalId,
                start..end,
                if said { 1.0 } else { confidence },
            );
            return;
        }
    }
    spain_with_hyphen(view, start, &characters[..count], found);
}

/// "12345678-Z": the hyphen stands where a Finnish century might.
fn spain_with_hyphen(view: &View, start: usize, characters: &[(u8, usize)], found: &mut Vec<Finding>) {
    let word: Vec<(u8, usize)> = characters
        .iter()
        .filter(|(character, _)| character.is_ascii_alphanumeric())
        .copied()
        .take(9)
        .collect();
    if word.len() < 9 || word.len() == characters.len() {
        return;
    }
    let bytes: Vec<u8> = word.iter().map(|(character, _)| *character).collect();
    let end = word[8].1;
    if spain(&bytes) && !view.text[end..].chars().next().is_some_and(char::is_alphanumeric) {
        super::push(found, FindingKind::NationalId, start..end, 1.0);
    }
}

fn digits(word: &[u8]) -> Option<Vec<u8>> {
    word.iter()
        .map(|byte| byte.is_ascii_digit().then(|| byte - b'0'))
        .collect()
}

/// DNI and NIE: the number modulo 23 chooses the letter; X, Y and Z stand for 0, 1 and 2 (Ministerio del Interior).
fn spain(word: &[u8]) -> bool {
    let first = match word[0] {
        letter @ b'X'..=b'Z' => letter - b'X',
        digit @ b'0'..=b'9' => digit - b'0',
        _ => return false,
    };
    let Some(rest) = digits(&word[1..8]) else {
        return false;
    };
    let number = u64::from(first) * 10_000_000 + value(&rest);
    word[8] == b"TRWAGMYFPDXBNJZSQVHLCKE"[(number % 23) as usize]
}

/// NRIC and FIN: weights 2, 7, 6, 5, 4, 3, 2 and a table a series (Immigration & Checkpoints Authority).
fn singapore(word: &[u8]) -> bool {
    let (offset, letters) = match word[0] {
        b'S' => (0, b"JZIHGFEDCBA"),
        b'T' => (4, b"JZIHGFEDCBA"),
        b'F' => (0, b"XWUTRQPNMLK"),
        b'G' => (4, b"XWUTRQPNMLK"),
        b'M' => (3, b"XWUTRQPNJLK"),
        _ => return false,
    };
    let Some(digits) = digits(&word[1..8]) else {
        return false;
    };
    let index = (super::checks::weighted(&digits, &[2, 7, 6, 5, 4, 3, 2]) + offset) % 11;
    let index = if word[0] == b'M' { 10 - index } else { index };
    word[8] == letters[index as usize]
}

/// National insurance numbers: two letters with exceptions, six digits, A to D (HMRC, NIM39110). There is no check.
fn united_kingdom(word: &[u8]) -> bool {
    let first = matches!(word[0], b'A'..=b'C' | b'E' | b'G' | b'H' | b'J'..=b'P' | b'R'..=b'T' | b'W'..=b'Z');
    let second = matches!(word[1], b'A'..=b'C' | b'E' | b'G' | b'H' | b'J'..=b'N' | b'P' | b'R'..=b'T' | b'W'..=b'Z');
    let unused = matches!(&word[..2], b"BG" | b"GB" | b"KN" | b"NK" | b"NT" | b"TN" | b"ZZ");
    first && second && !unused && digits(&word[2..8]).is_some() && matches!(word[8], b'A'..=b'D')
}

/// PPS numbers: weights 8 to 2, a second letter with weight 9, modulo 23 (Department of Social Protection).
fn ireland(word: &[u8]) -> bool {
    let Some(digits) = digits(&word[..7]) else {
        return false;
    };
    let second = match word.get(8) {
        None | Some(b'W') => 0,
        Some(letter @ b'A'..=b'I') => u32::from(letter - b'A' + 1),
        Some(_) => return false,
    };
    let sum = super::checks::weighted(&digits, &[8, 7, 6, 5, 4, 3, 2]) + 9 * second;
    word[7] == b"WABCDEFGHIJKLMNOPQRSTUV"[(sum % 23) as usize]
}

/// Henkilötunnus: a date, a sign for the century, and the number modulo 31 chooses the check (Väestörekisterikeskus; signs of 2023).
fn finland(word: &[u8]) -> bool {
    let century = match word[6] {
        b'+' => 1800,
        b'-' | b'U'..=b'Y' => 1900,
        b'A'..=b'F' => 2000,
        _ => return false,
    };
    let (Some(date), Some(serial)) = (digits(&word[..6]), digits(&word[7..10])) else {
        return false;
    };
    let day = is_date(
        century + value(&date[4..]) as u32,
        value(&date[2..4]) as u32,
        value(&date[..2]) as u32,
    );
    let number = value(&date) * 1000 + value(&serial);
    day && word[10] == b"0123456789ABCDEFHJKLMNPRSTUVWXY"[(number % 31) as usize]
}

/// NIR of a birth in Corsica: 2A counts as 19 and 2B as 18 (INSEE).
fn corsica(word: &[u8]) -> bool {
    let mut numeric = word.to_vec();
    match &word[5..7] {
        b"2A" => numeric[5..7].copy_from_slice(b"19"),
        b"2B" => numeric[5..7].copy_from_slice(b"18"),
        _ => return false,
    }
    digits(&numeric)
        .is_some_and(|digits| matches!(digits[0], 1..=4) && 97 - value(&digits[..13]) % 97 == value(&digits[13..]))
}

/// Codice fiscale: six letters, a date and a place, and a check letter from two tables (D.M. 23 dicembre 1976). Digits may be
/// replaced by letters where two people would have the same (omocodia).
fn italy(word: &[u8]) -> bool {
    const ODD: [u32; 26] = [
        1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23,
    ];
    let letter = |place: usize| word[place].is_ascii_uppercase();
    let digit = |place: usize| word[place].is_ascii_digit() || b"LMNPQRSTUV".contains(&word[place]);
    let form = (0..6).all(letter)
        && [6, 7, 9, 10, 12, 13, 14].into_iter().all(digit)
        && b"ABCDEHLMPRST".contains(&word[8])
        && letter(11)
        && letter(15);
    let sum: u32 = word[..15]
        .iter()
        .enumerate()
        .map(|(index, &byte)| {
            let value = u32::from(if byte.is_ascii_digit() {
                byte - b'0'
            } else {
                byte.wrapping_sub(b'A')
            });
            if index % 2 == 0 {
                ODD.get(value as usize).copied().unwrap_or(0)
            } else {
                value
            }
        })
        .sum();
    form && u32::from(word[15] - b'A') == sum % 26
}

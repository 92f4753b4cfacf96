//! National identification and tax numbers that consist of digits only. Those with letters are in `national_letters`.
//!
//! A number whose check succeeds by chance one time in ten or eleven needs more evidence: the usual grouping, or a word that
//! names the kind of number.

use super::checks::{is_date, luhn, mod_11_10, value, verhoeff, weighted};
use super::number::{Number, is_date_shaped};
use crate::lexicon;

pub(super) mod world;

/// How sure the form alone makes us.
const CERTAIN: f32 = 1.0;
const LIKELY: f32 = 0.8;
const POSSIBLE: f32 = 0.6;
/// Below the usual threshold: reported only when a word says what it is.
const UNSAID: f32 = 0.3;

type Check = fn(&Number) -> Option<f32>;

pub(super) fn confidence(number: &Number) -> Option<f32> {
    if number.plus || number.bracket || is_date_shaped(number) {
        return None;
    }
    let other = number.close & lexicon::PHONE != 0 && number.close & lexicon::ID == 0;
    let said = number.near(lexicon::ID) && !other && !number.counted;
    let checks: &[Check] = match number.digits.len() {
        9 => &[united_states, canada, netherlands, australia],
        10 => &[united_kingdom, sweden],
        11 => &[germany, poland, brazil, belgium, norway],
        12 => &[india, sweden],
        13 => &[switzerland],
        15 => &[france],
        _ => &[],
    };
    let more = world::checks(number.digits.len());
    let best = checks
        .iter()
        .chain(more)
        .filter_map(|check| check(number))
        .reduce(f32::max)?;
    // Numbers in a table and numbers of programs pass one check in ten by chance.
    let blanks = number.groups.len() > 1 && number.is_separated_by(' ');
    let unlikely = number.in_row && blanks || number.counted || number.close & lexicon::OTHER_NUMBER != 0;
    Some(match () {
        () if said => best.max(0.97),
        () if unlikely && best < CERTAIN => best.min(UNSAID),
        () => best,
    })
}

fn single(number: &Number) -> bool {
    number.groups.len() == 1
}

/// Social security numbers: no area 000, 666 or 900 to 999, no group 00, no serial 0000 (SSA, "Social Security Number
/// Randomization"). Individual taxpayer numbers: 9xx with the groups of IRS Publication 1915. There is no check digit.
fn united_states(number: &Number) -> Option<f32> {
    let digits = &number.digits;
    let (area, group, serial) = (value(&digits[..3]), value(&digits[3..5]), value(&digits[5..]));
    let security = area != 0 && area != 666 && area < 900 && group != 0 && serial != 0;
    let taxpayer = area >= 900 && matches!(group, 50..=65 | 70..=88 | 90..=92 | 94..=99);
    if !security && !taxpayer {
        return None;
    }
    match number.groups[..] {
        [3, 2, 4] if number.is_separated_by('-') => Some(0.95),
        [3, 2, 4] if number.is_separated_by(' ') => Some(LIKELY),
        [9] | [3, 2, 4] => Some(UNSAID),
        _ => None,
    }
}

/// Social insurance numbers: Luhn's check, first digit 1 to 7 or 9 (Government of Canada, SIN Code of Practice).
fn canada(number: &Number) -> Option<f32> {
    if !matches!(number.digits[0], 1..=7 | 9) || !luhn(&number.digits) {
        return None;
    }
    match number.groups[..] {
        [3, 3, 3] if number.is_separated_by('-') || number.is_separated_by(' ') => Some(0.7),
        [9] => Some(UNSAID),
        _ => None,
    }
}

/// Burgerservicenummer: the weights 9 to 2 and −1 give a multiple of 11 (Logisch ontwerp BSN, "elfproef").
fn netherlands(number: &Number) -> Option<f32> {
    let digits = &number.digits;
    let sum = weighted(digits, &[9, 8, 7, 6, 5, 4, 3, 2, 10]);
    if !sum.is_multiple_of(11) || value(digits) == 0 {
        return None;
    }
    match number.groups[..] {
        [4, 2, 3] if number.is_separated_by('.') => Some(LIKELY),
        [9] | [3, 3, 3] | [4, 2, 3] => Some(UNSAID),
        _ => None,
    }
}

/// Tax file numbers: the weights 1, 4, 3, 7, 5, 8, 6, 9, 10 give a multiple of 11 (Australian Taxation Office).
fn australia(number: &Number) -> Option<f32> {
    let sum = weighted(&number.digits, &[1, 4, 3, 7, 5, 8, 6, 9, 10]);
    (sum.is_multiple_of(11) && value(&number.digits) != 0 && (single(number) || number.is_grouped(&[3, 3, 3])))
        .then_some(UNSAID)
}

/// NHS numbers: weights 10 to 2, 11 minus the remainder modulo 11 is the check (NHS Data Dictionary, "NHS NUMBER").
fn united_kingdom(number: &Number) -> Option<f32> {
    let digits = &number.digits;
    let check = 11 - weighted(&digits[..9], &[10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11;
    if check == 10 || check % 11 != u32::from(digits[9]) || value(digits) == 0 {
        return None;
    }
    match number.groups[..] {
        [3, 3, 4] => Some(0.7),
        [10] => Some(UNSAID),
        _ => None,
    }
}

/// Personnummer: a date (day + 60 for coordination numbers) and Luhn's check over the last ten digits (Skatteverket, SKV 704).
fn sweden(number: &Number) -> Option<f32> {
    let digits = &number.digits[number.digits.len() - 10..];
    let (year, month, day) = (
        value(&digits[..2]) as u32,
        value(&digits[2..4]) as u32,
        value(&digits[4..6]) as u32,
    );
    let century = if number.digits.len() == 12 {
        value(&number.digits[..2]) as u32
    } else {
        20
    };
    let day = if day > 60 { day - 60 } else { day };
    if !matches!(century, 18..=20)
        || !is_date(century * 100 + year, month, day) && !is_date(1900 + year, month, day)
        || !luhn(digits)
    {
        return None;
    }
    match number.groups[..] {
        [6 | 8, 4] if number.is_separated_by('-') => Some(0.95),
        [12] => Some(LIKELY),
        [10] => Some(POSSIBLE),
        _ => None,
    }
}

/// Steuerliche Identifikationsnummer: MOD 11,10; of the first ten digits one occurs twice or thrice, at least one never, and the
/// first is not 0 (§ 139b AO; Bundeszentralamt für Steuern).
fn germany(number: &Number) -> Option<f32> {
    let digits = &number.digits;
    let mut counts = [0; 10];
    for &digit in &digits[..10] {
        counts[usize::from(digit)] += 1;
    }
    let repeated = counts.iter().filter(|&&count| count > 1).count();
    let most = counts.iter().max().copied().unwrap_or(0);
    if digits[0] == 0 || repeated != 1 || most > 3 || !mod_11_10(digits) {
        return None;
    }
    match number.groups[..] {
        [2, 3, 3, 3] => Some(0.95),
        [11] => Some(POSSIBLE),
        _ => None,
    }
}

/// PESEL: a date whose month tells the century, and weights 1, 3, 7, 9 (Ustawa o ewidencji ludności).
fn poland(number: &Number) -> Option<f32> {
    let digits = &number.digits;
    let sum = weighted(&digits[..10], &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3]);
    let (year, month, day) = (
        value(&digits[..2]) as u32,
        value(&digits[2..4]) as u32,
        value(&digits[4..6]) as u32,
    );
    let century = [1900, 2000, 2100, 2200, 1800][(month / 20) as usize];
    let valid = is_date(century + year, month % 20, day) && (10 - sum % 10) % 10 == u32::from(digits[10]);
    (valid && single(number)).then_some(LIKELY)
}

/// CPF: two check digits with weights that begin with 10 and with 11 (Receita Federal).
fn brazil(number: &Number) -> Option<f32> {
    let digits = &number.digits;
    let check = |count: usize, weights: &[u32]| match weighted(&digits[..count], weights) % 11 {
        0 | 1 => 0,
        remainder => 11 - remainder,
    };
    let valid = check(9, &[10, 9, 8, 7, 6, 5, 4, 3, 2]) == u32::from(digits[9])
        && check(10, &[11, 10, 9, 8, 7, 6, 5, 4, 3, 2]) == u32::from(digits[10])
        && digits.iter().any(|digit| *digit != digits[0]);
    match number.groups[..] {
        _ if !valid => None,
        [3, 3, 3, 2] => Some(CERTAIN),
        [9, 2] | [11] => Some(0.75),
        _ => None,
    }
}

/// Rijksregisternummer: 97 minus the first nine digits modulo 97, with a 2 before them for births from 2000.
fn belgium(number: &Number) -> Option<f32> {
    let digits = &number.digits;
    let (body, check) = (value(&digits[..9]), value(&digits[9..]));
    let (month, day) = (value(&digits[2..4]), value(&digits[4..6]));
    let valid = month <= 12 && day <= 31 && (97 - body % 97 == check || 97 - (2_000_000_000 + body) % 97 == check);
    match number.groups[..] {
        _ if !valid => None,
        [2, 2, 2, 3, 2] => Some(CERTAIN),
        [6, 3, 2] | [11] => Some(POSSIBLE),
        _ => None,
    }
}

/// Fødselsnummer: a date (day + 40 for D-numbers) and two checks modulo 11 (Skatteetaten).
fn norway(number: &Number) -> Option<f32> {
    let digits = &number.digits;
    let (day, month) = (value(&digits[..2]) as u32, value(&digits[2..4]) as u32);
    let valid = is_date(2000, month, if day > 40 { day - 40 } else { day })
        && weighted(&digits[..10], &[3, 7, 6, 1, 8, 9, 4, 5, 2, 1]).is_multiple_of(11)
        && weighted(digits, &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1]).is_multiple_of(11);
    (valid && (single(number) || number.is_grouped(&[6, 5]))).then_some(LIKELY)
}

/// Aadhaar: Verhoeff's check, first digit 2 to 9 (UIDAI, "UID numbering scheme").
fn india(number: &Number) -> Option<f32> {
    if number.digits[0] < 2 || !verhoeff(&number.digits) {
        return None;
    }
    match number.groups[..] {
        [4, 4, 4] => Some(0.85),
        [12] => Some(UNSAID),
        _ => None,
    }
}

/// AHV number: 756 and the check of EAN-13 (Zentrale Ausgleichsstelle).
fn switzerland(number: &Number) -> Option<f32> {
    let sum = weighted(&number.digits, &[1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1]);
    let valid = number.digits[..3] == [7, 5, 6] && sum.is_multiple_of(10);
    (valid && (single(number) || number.is_grouped(&[3, 4, 4, 2]))).then_some(CERTAIN)
}

/// NIR: sex, year, month, place, serial and 97 minus the rest modulo 97 (INSEE). Births in Corsica have a letter in it.
fn france(number: &Number) -> Option<f32> {
    let digits = &number.digits;
    let month = value(&digits[3..5]);
    let valid = matches!(digits[0], 1..=4 | 7 | 8)
        && matches!(month, 1..=12 | 20..=42 | 50..=99)
        && 97 - value(&digits[..13]) % 97 == value(&digits[13..]);
    let grouped = number.is_grouped(&[1, 2, 2, 2, 3, 3, 2]) || number.is_grouped(&[13, 2]);
    (valid && (single(number) || grouped)).then_some(CERTAIN)
}

//! Telephone numbers: international ones according to ITU-T E.164, and the notations of national ones.

use super::number::{Number, is_blank, is_date_shaped};
use crate::lexicon;

pub(super) fn confidence(number: &Number) -> Option<f32> {
    let digits = &number.digits;
    let total = digits.len();
    if !(5..=17).contains(&total) {
        return None;
    }
    let a_number =
        number.before & lexicon::NUMBER != 0 && !number.near(lexicon::ID | lexicon::CARD | lexicon::OTHER_NUMBER);
    let said = number.near(lexicon::PHONE) || a_number;
    if total < 7 {
        let named = number.close & lexicon::NUMBER != 0 && number.before & lexicon::PHONE != 0;
        return (named && number.close & lexicon::OTHER_NUMBER == 0 && last_group(number) >= 2).then_some(0.7);
    }
    if number.plus {
        return ((7..=15).contains(&total) && digits[0] != 0 && last_group(number) >= 2).then_some(0.95);
    }
    // Columns of a table, or decimals.
    let blank = number.separators.iter().any(|&separator| is_blank(separator));
    if !said && (number.counted || blank && (number.in_row || number.separators.contains(&'.'))) {
        return None;
    }
    if is_date_shaped(number) || number.close & lexicon::OTHER_NUMBER != 0 && !said {
        return None;
    }
    if digits[..2] == [0, 0] && digits[2] != 0 && (10..=17).contains(&total) && last_group(number) >= 2 {
        return match number.groups.len() {
            1 if !said => (total <= 15 && is_country(&digits[2..])).then_some(0.55),
            _ => Some(0.85),
        };
    }
    [
        north_american(number, said),
        with_trunk_prefix(number, said),
        other(number, said),
    ]
    .into_iter()
    .flatten()
    .reduce(f32::max)
}

/// Whether a country's code of two or three digits begins the number: those of one digit look like numbers with zeros before them
/// (ITU-T E.164, list of assigned codes).
fn is_country(digits: &[u8]) -> bool {
    let [a, b, c, ..] = digits[..] else { return false };
    match (a, b) {
        (2, 0 | 7)
        | (3, 0..=4 | 6 | 9)
        | (4, 0 | 1 | 3..=9)
        | (5, 1..=8)
        | (6, 0..=6)
        | (8, 1 | 2 | 4 | 6)
        | (9, 0..=5 | 8) => true,
        (2, 1..=6 | 9) | (3, 5 | 7 | 8) | (4, 2) | (5, 0 | 9) | (6, 7..=9) => true,
        (8, 5) => matches!(c, 0 | 2 | 3 | 5 | 6),
        (8, 8) => matches!(c, 0 | 6),
        (9, 6) => c != 9,
        (9, 7) => c != 8,
        (9, 9) => matches!(c, 2..=6 | 8),
        _ => false,
    }
}

fn last_group(number: &Number) -> u8 {
    number.groups.last().copied().unwrap_or(0)
}

/// The North American Numbering Plan: area and exchange begin with 2 to 9 (ATIS-0300051).
fn north_american(number: &Number, said: bool) -> Option<f32> {
    let (groups, digits) = match (&number.groups[..], &number.digits[..]) {
        ([1, rest @ ..], [1, digits @ ..]) => (rest, digits),
        ([3, rest @ ..], [0, 0, 1, digits @ ..]) if !rest.is_empty() => (rest, digits),
        ([11], [1, digits @ ..]) => (&[10][..], digits),
        (groups, digits) => (groups, digits),
    };
    if digits.len() != 10 || digits[0] < 2 || digits[3] < 2 {
        return None;
    }
    let blanks = number.separators.iter().all(|&separator| is_blank(separator));
    match groups {
        [3, 3, 4] | [3, 7] if number.bracket => Some(0.95),
        [3, 3, 4] if said => Some(0.95),
        [3, 3, 4] if blanks => Some(0.65),
        [3, 3, 4] => Some(0.85),
        [10] if said => Some(0.85),
        _ => None,
    }
}

/// Most other countries: a national number written with its leading 0.
fn with_trunk_prefix(number: &Number, said: bool) -> Option<f32> {
    let digits = &number.digits;
    let short = digits.len() == 8 && number.groups.len() > 2 && number.separators[0] == '-';
    if digits[0] != 0 || digits[1] == 0 || !short && !(9..=13).contains(&digits.len()) || last_group(number) < 2 {
        return None;
    }
    match number.groups.len() {
        1 if said => Some(0.85),
        1 => (10..=11).contains(&digits.len()).then_some(0.5),
        _ if said || number.bracket => Some(0.9),
        2..=5 => Some(0.75),
        _ => None,
    }
}

/// Countries without a trunk prefix: Spain, Poland, Portugal, Norway, Denmark, India, Brazil, China; and whatever is called a number.
fn other(number: &Number, said: bool) -> Option<f32> {
    let first = number.digits[0];
    let total = number.digits.len();
    let dotted = number.is_separated_by('.');
    match number.groups[..] {
        [2, 4 | 5, 4] if number.bracket => Some(0.85),
        [3, 3, 3] | [3, 2, 2, 2] if said => Some(0.9),
        [3, 3, 3] | [3, 2, 2, 2] if (6..=9).contains(&first) && !dotted => Some(0.6),
        [5, 5] if first >= 6 => Some(0.65),
        [3, 4, 4] if first == 1 && number.digits[1] >= 3 => Some(0.75),
        _ if said && number.close & lexicon::OTHER_NUMBER == 0 && total <= 13 && last_group(number) >= 2 => Some(0.7),
        _ => None,
    }
}

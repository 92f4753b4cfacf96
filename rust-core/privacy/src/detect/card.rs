//! Payment cards: the issuer's range and length (ISO/IEC 7812, the issuers' published ranges) and the Luhn check.

use super::checks;
use super::number::Number;
use crate::lexicon;

pub(super) fn confidence(number: &Number) -> Option<f32> {
    let digits = &number.digits;
    if number.plus || !is_issued(digits) || !checks::luhn(digits) {
        return None;
    }
    let one = number.groups.len() == 1;
    let fours = number
        .groups
        .split_last()
        .is_some_and(|(last, rest)| rest.iter().all(|&group| group == 4) && *last <= 4);
    let amex = number.is_grouped(&[4, 6, 5]) || number.is_grouped(&[4, 6, 4]);
    let evenly = number
        .separators
        .iter()
        .all(|&separator| separator == number.separators[0]);
    if number.near(lexicon::CARD) && evenly {
        return Some(1.0);
    }
    match () {
        () if one && number.counted => Some(0.4),
        () if one && digits.len() >= 14 => Some(0.9),
        () if one => Some(0.7),
        () if (fours || amex) && evenly => Some(1.0),
        () => None,
    }
}

/// Whether an issuer has numbers with these first digits, of this length.
fn is_issued(digits: &[u8]) -> bool {
    let length = digits.len();
    if !(12..=19).contains(&length) {
        return false;
    }
    let first = |count: usize| checks::value(&digits[..count]);
    match first(4) {
        // Visa
        4000..=4999 => matches!(length, 13 | 16 | 19),
        // American Express
        3400..=3499 | 3700..=3799 => length == 15,
        // Diners Club
        3000..=3059 | 3095..=3099 | 3800..=3999 => matches!(length, 14 | 16),
        3600..=3699 => (14..=19).contains(&length),
        // JCB
        3528..=3589 => (16..=19).contains(&length),
        1800 | 2131 => length == 15,
        // Mir
        2200..=2204 => (16..=19).contains(&length),
        // Mastercard
        2221..=2720 | 5100..=5599 => length == 16,
        // Maestro
        5018 | 5020 | 5038 | 5612 | 5893 | 6304 | 6390 | 6759 | 6761..=6763 => true,
        // Discover, RuPay
        6011 | 6440..=6599 | 8100..=8299 | 5080..=5089 => (16..=19).contains(&length),
        // UnionPay
        6200..=6299 => (16..=19).contains(&length),
        _ => false,
    }
}

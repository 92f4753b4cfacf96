//! Bank account numbers that are recognised by their form and check digits. Those that only a word identifies are in `said`;
//! IBANs have a module of their own.

use super::checks::weighted;
use super::number::Number;
use crate::lexicon::OTHER_NUMBER;

pub(super) fn confidence(number: &Number) -> Option<f32> {
    if number.plus || number.bracket || number.in_row || number.counted || number.close & OTHER_NUMBER != 0 {
        return None;
    }
    let (all, own): (_, fn(&Number) -> Option<f32>) = match number.digits.len() {
        20 => (true, spain),
        22 => (false, argentina),
        15 | 16 => (true, new_zealand),
        11..=20 => (true, |_| None),
        _ => return None,
    };
    own(number).or_else(|| czechia(number).filter(|_| all))
}

/// Código cuenta cliente: bank and office, two checks, account (Banco de España).
fn spain(number: &Number) -> Option<f32> {
    let digits = &number.digits;
    let check = |sum: u32| match 11 - sum % 11 {
        11 => 0,
        10 => 1,
        check => check,
    };
    let valid = check(weighted(&digits[..8], &[4, 8, 5, 10, 9, 7, 3, 6])) == u32::from(digits[8])
        && check(weighted(&digits[10..], &[1, 2, 4, 8, 5, 10, 9, 7, 3, 6])) == u32::from(digits[9]);
    (valid && matches!(number.groups[..], [20] | [4, 4, 2, 10] | [4, 4, 4, 4, 4])).then_some(0.9)
}

/// CBU: two blocks, each with a check (Banco Central de la República Argentina).
fn argentina(number: &Number) -> Option<f32> {
    let digits = &number.digits;
    let check = |digits: &[u8]| {
        let sum: u32 = digits
            .iter()
            .rev()
            .zip([3, 1, 7, 9].into_iter().cycle())
            .map(|(&digit, weight)| weight * u32::from(digit))
            .sum();
        (10 - sum % 10) % 10
    };
    let valid = check(&digits[..7]) == u32::from(digits[7]) && check(&digits[8..21]) == u32::from(digits[21]);
    (valid && matches!(number.groups[..], [22] | [8, 14])).then_some(0.85)
}

/// A bank, a branch, an account and a suffix (Payments NZ).
fn new_zealand(number: &Number) -> Option<f32> {
    let grouped = matches!(number.groups[..], [2, 4, 7, 2 | 3]);
    let even = number.is_separated_by('-') || number.is_separated_by(' ');
    (grouped && even && (1..=38).contains(&(number.digits[0] * 10 + number.digits[1]))).then_some(0.8)
}

/// A prefix, an account and the bank behind a slash, each part with a check (ČNB).
fn czechia(number: &Number) -> Option<f32> {
    const WEIGHTS: [u32; 10] = [6, 3, 7, 9, 10, 5, 8, 4, 2, 1];
    let (prefix, account) = match number.groups[..] {
        [prefix @ 2..=6, account @ 2..=10, 4] if number.separators == ['-', '/'] => {
            (usize::from(prefix), usize::from(account))
        }
        [account @ 7..=10, 4] if number.separators == ['/'] => (0, usize::from(account)),
        _ => return None,
    };
    let part = |digits: &[u8]| weighted(digits, &WEIGHTS[10 - digits.len()..]).is_multiple_of(11);
    let bank = &number.digits[prefix + account..];
    let valid = part(&number.digits[..prefix])
        && part(&number.digits[prefix..prefix + account])
        && bank[3] == 0
        && bank[0] <= 8;
    valid.then_some(if prefix > 0 { 0.9 } else { 0.7 })
}

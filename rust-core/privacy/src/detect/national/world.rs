//! National numbers of more countries that consist of digits only, by their number of digits. The rules are the issuers', as
//! documented in python-stdnum.

use super::{CERTAIN, Check, POSSIBLE, UNSAID, single};
use crate::detect::checks::{is_date, luhn, mod_11_10, value, weighted};
use crate::detect::number::Number;

/// The checks for numbers of so many digits.
pub(super) fn checks(digits: usize) -> &'static [Check] {
    match digits {
        8 | 9 => &[chile, colombia, czechia_before_1954],
        10 => &[
            colombia,
            bulgaria,
            ukraine,
            russia,
            korea_business,
            czechia,
            denmark,
            taxpayer_reference,
        ],
        11 => &[
            turkey,
            argentina,
            croatia,
            baltic,
            latvia,
            greece,
            peru,
            dominican_republic,
        ],
        12 => &[russia, malaysia],
        13 => &[south_africa, thailand, romania, yugoslavia, korea, pakistan],
        14 => &[egypt],
        15 => &[indonesia_tax],
        16 => &[indonesia],
        18 => &[china],
        _ => &[],
    }
}

/// A date in digits at these places; a year of two digits is of this century.
fn date(year: &[u8], month: &[u8], day: &[u8]) -> bool {
    let (year, month, day) = (value(year) as u32, value(month) as u32, value(day) as u32);
    is_date(if year < 100 { 2000 + year } else { year }, month, day) || year < 100 && is_date(1900 + year, month, day)
}

/// What the last digit is when it is the weighted sum of the others modulo 11, and 10 counts as 0.
fn check_11(digits: &[u8], weights: &[u32]) -> bool {
    digits
        .split_last()
        .is_some_and(|(check, rest)| weighted(rest, weights) % 11 % 10 == u32::from(*check))
}

/// What the last digit is when the weighted sum with it is a multiple of 11.
fn complement_11(digits: &[u8], weights: &[u32]) -> u32 {
    (11 - weighted(digits, weights) % 11) % 11
}

/// RUT: weights 2 to 7 from the right; a `K` for 10 is among the numbers with letters (Servicio de Impuestos Internos).
fn chile(number: &Number) -> Option<f32> {
    let (check, rest) = number.digits.split_last()?;
    let sum: u32 = rest
        .iter()
        .rev()
        .zip([2, 3, 4, 5, 6, 7].into_iter().cycle())
        .map(|(&digit, weight)| u32::from(digit) * weight)
        .sum();
    if (11 - sum % 11) % 11 != u32::from(*check) {
        return None;
    }
    match number.groups[..] {
        [1 | 2, 3, 3, 1] => Some(0.9),
        [8, 1] => Some(POSSIBLE),
        [.., 1] if number.groups.len() > 1 => Some(UNSAID),
        _ => None,
    }
}

/// NIT: primes from 3 on as weights from the right (DIAN).
fn colombia(number: &Number) -> Option<f32> {
    let (check, rest) = number.digits.split_last()?;
    let sum: u32 = rest
        .iter()
        .rev()
        .zip([3, 7, 13, 17, 19, 23, 29, 37, 41])
        .map(|(&digit, weight)| u32::from(digit) * weight)
        .sum();
    let right = match sum % 11 {
        remainder @ 0..=1 => remainder,
        remainder => 11 - remainder,
    };
    match number.groups[..] {
        _ if right != u32::from(*check) => None,
        [3, 3, 3, 1] => Some(0.85),
        [9, 1] => Some(POSSIBLE),
        [.., 1] if number.groups.len() > 1 => Some(UNSAID),
        _ => None,
    }
}

/// EGN: a date whose month tells the century, and weights that are powers of 2 modulo 11.
fn bulgaria(number: &Number) -> Option<f32> {
    let digits = &number.digits;
    let month = value(&digits[2..4]) as u32 % 20;
    (single(number) && is_date(2000 + value(&digits[..2]) as u32, month, value(&digits[4..6]) as u32))
        .then_some(UNSAID)
        .filter(|_| check_11(digits, &[2, 4, 8, 5, 10, 9, 7, 3, 6]))
}

/// РНОКПП: the first weight is −1, which modulo 11 is 10.
fn ukraine(number: &Number) -> Option<f32> {
    (single(number) && check_11(&number.digits, &[10, 5, 7, 9, 4, 6, 10, 5, 7])).then_some(UNSAID)
}

/// ИНН: one check for organisations, two for people (ФНС).
fn russia(number: &Number) -> Option<f32> {
    let digits = &number.digits;
    let valid = if digits.len() == 10 {
        check_11(digits, &[2, 4, 10, 3, 5, 9, 4, 6, 8])
    } else {
        check_11(&digits[..11], &[7, 2, 4, 10, 3, 5, 9, 4, 6, 8])
            && check_11(digits, &[3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8])
    };
    (single(number) && valid).then_some(UNSAID)
}

/// Business registration numbers: ten digits in three groups.
fn korea_business(number: &Number) -> Option<f32> {
    let digits = &number.digits;
    let sum = weighted(&digits[..9], &[1, 3, 7, 1, 3, 7, 1, 3, 5]) + u32::from(digits[8]) * 5 / 10;
    match number.groups[..] {
        _ if (10 - sum % 10) % 10 != u32::from(digits[9]) => None,
        [3, 2, 5] if number.is_separated_by('-') => Some(0.7),
        _ => Some(UNSAID),
    }
}

/// Rodné číslo: a date, 50 more for a woman's month, and a multiple of 11.
fn czechia(number: &Number) -> Option<f32> {
    let digits = &number.digits;
    let month = value(&digits[2..4]) as u32 % 50;
    let month = if month > 20 { month - 20 } else { month };
    let remainder = value(&digits[..9]) % 11 % 10;
    if !is_date(2000 + value(&digits[..2]) as u32, month, value(&digits[4..6]) as u32)
        || remainder != u64::from(digits[9])
    {
        return None;
    }
    match number.groups[..] {
        [6, 4] if number.separators == ['/'] => Some(0.9),
        _ => Some(UNSAID),
    }
}

/// Rodné číslo of births before 1954: a date and three digits, no check.
fn czechia_before_1954(number: &Number) -> Option<f32> {
    let digits = &number.digits;
    let slash = number.is_grouped(&[6, 3]) && number.separators == ['/'];
    (slash
        && is_date(
            1900 + value(&digits[..2]) as u32,
            value(&digits[2..4]) as u32 % 50,
            value(&digits[4..6]) as u32,
        ))
    .then_some(0.7)
}

/// CPR: a date and four digits; since 2007 without a check (CPR-kontoret).
fn denmark(number: &Number) -> Option<f32> {
    let digits = &number.digits;
    let valid = date(&digits[4..6], &digits[2..4], &digits[..2]);
    (valid && number.is_grouped(&[6, 4]) && number.is_separated_by('-')).then_some(0.7)
}

/// Unique Taxpayer Reference of the United Kingdom: the first digit checks the others.
fn taxpayer_reference(number: &Number) -> Option<f32> {
    let digits = &number.digits;
    let sum = weighted(&digits[1..], &[6, 7, 8, 9, 10, 5, 4, 3, 2]) % 11;
    let right = b"21987654321"[sum as usize] - b'0';
    (right == digits[0]).then_some(UNSAID)
}

/// T.C. kimlik numarası: two checks (Nüfus ve Vatandaşlık İşleri).
fn turkey(number: &Number) -> Option<f32> {
    let digits = &number.digits;
    let sum = |places: &[usize]| places.iter().map(|&place| u32::from(digits[place])).sum::<u32>();
    let (odd, even) = (sum(&[0, 2, 4, 6, 8]), sum(&[1, 3, 5, 7]));
    let valid = digits[0] != 0
        && (7 * odd + 10 * 9 - even) % 10 == u32::from(digits[9])
        && (odd + even + u32::from(digits[9])) % 10 == u32::from(digits[10]);
    (valid && single(number)).then_some(0.75)
}

/// CUIT and CUIL: a type, the number and a check (AFIP).
fn argentina(number: &Number) -> Option<f32> {
    let digits = &number.digits;
    let valid = matches!(value(&digits[..2]), 20 | 23 | 24 | 25 | 26 | 27 | 30 | 33 | 34)
        && complement_11(&digits[..10], &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) == u32::from(digits[10]);
    match number.groups[..] {
        _ if !valid => None,
        [2, 8, 1] => Some(0.95),
        [11] => Some(POSSIBLE),
        _ => None,
    }
}

/// OIB: MOD 11,10.
fn croatia(number: &Number) -> Option<f32> {
    (single(number) && mod_11_10(&number.digits)).then_some(UNSAID)
}

/// Asmens kodas and isikukood: sex and century, a date, a serial number, and a check in one or two turns.
fn baltic(number: &Number) -> Option<f32> {
    let digits = &number.digits;
    let sum = match weighted(&digits[..10], &[1, 2, 3, 4, 5, 6, 7, 8, 9, 1]) % 11 {
        10 => weighted(&digits[..10], &[3, 4, 5, 6, 7, 8, 9, 1, 2, 3]) % 11 % 10,
        sum => sum,
    };
    let valid =
        matches!(digits[0], 1..=6) && date(&digits[1..3], &digits[3..5], &digits[5..7]) && sum == u32::from(digits[10]);
    (valid && single(number)).then_some(POSSIBLE)
}

/// Personas kods: a date and five digits.
fn latvia(number: &Number) -> Option<f32> {
    let digits = &number.digits;
    let valid = date(&digits[4..6], &digits[2..4], &digits[..2]) && digits[6] <= 2;
    (valid && number.is_grouped(&[6, 5]) && number.is_separated_by('-')).then_some(0.7)
}

/// AMKA: a date, a serial number, and Luhn's check.
fn greece(number: &Number) -> Option<f32> {
    let digits = &number.digits;
    (single(number) && date(&digits[4..6], &digits[2..4], &digits[..2]) && luhn(digits)).then_some(POSSIBLE)
}

/// RUC: the kind of taxpayer, the number and a check (SUNAT).
fn peru(number: &Number) -> Option<f32> {
    let digits = &number.digits;
    let valid = matches!(value(&digits[..2]), 10 | 15 | 17 | 20)
        && complement_11(&digits[..10], &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 10 == u32::from(digits[10]);
    (valid && single(number)).then_some(UNSAID)
}

/// Cédula: Luhn's check.
fn dominican_republic(number: &Number) -> Option<f32> {
    match number.groups[..] {
        _ if !luhn(&number.digits) => None,
        [3, 7, 1] if number.is_separated_by('-') => Some(0.9),
        _ => Some(UNSAID),
    }
}

/// NRIC: a date, a place and a serial number.
fn malaysia(number: &Number) -> Option<f32> {
    let digits = &number.digits;
    let valid = date(&digits[..2], &digits[2..4], &digits[4..6]);
    (valid && number.is_grouped(&[6, 2, 4]) && number.is_separated_by('-')).then_some(0.9)
}

/// Identity numbers: a date, a serial number, citizenship, and Luhn's check (Department of Home Affairs).
fn south_africa(number: &Number) -> Option<f32> {
    let digits = &number.digits;
    let valid = date(&digits[..2], &digits[2..4], &digits[4..6]) && digits[10] <= 2 && luhn(digits);
    let grouped = single(number) || number.is_grouped(&[6, 4, 3]) || number.is_grouped(&[6, 4, 2, 1]);
    (valid && grouped).then_some(0.75)
}

/// Identification numbers: weights 13 to 2 (Department of Provincial Administration).
fn thailand(number: &Number) -> Option<f32> {
    let digits = &number.digits;
    let check = (11 - weighted(&digits[..12], &[13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11) % 10;
    if !matches!(digits[0], 1..=8) || check != u32::from(digits[12]) {
        return None;
    }
    match number.groups[..] {
        [1, 4, 5, 2, 1] => Some(0.95),
        _ => Some(UNSAID),
    }
}

/// CNP: sex and century, a date, a county, a serial number and a check.
fn romania(number: &Number) -> Option<f32> {
    let digits = &number.digits;
    let valid = digits[0] != 0
        && date(&digits[1..3], &digits[3..5], &digits[5..7])
        && matches!(value(&digits[7..9]), 1..=52 | 70)
        && weighted(&digits[..12], &[2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9]) % 11 == u32::from(digits[12]);
    (valid && single(number)).then_some(0.75)
}

/// JMBG and EMŠO of the countries of former Yugoslavia: a date with three digits of the year, a region, a serial number, a check.
fn yugoslavia(number: &Number) -> Option<f32> {
    let digits = &number.digits;
    let year = match value(&digits[4..7]) as u32 {
        year @ 880.. => 1000 + year,
        year @ ..=99 => 2000 + year,
        _ => return None,
    };
    let check = complement_11(&digits[..12], &[7, 6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2]);
    let valid =
        is_date(year, value(&digits[2..4]) as u32, value(&digits[..2]) as u32) && check % 10 == u32::from(digits[12]);
    (valid && single(number)).then_some(0.8)
}

/// Resident registration numbers: a date, sex and century; a check only for those given before October 2020.
fn korea(number: &Number) -> Option<f32> {
    let digits = &number.digits;
    if !date(&digits[..2], &digits[2..4], &digits[4..6]) || !matches!(digits[6], 1..=8) {
        return None;
    }
    match number.groups[..] {
        [6, 7] if number.is_separated_by('-') => Some(0.9),
        _ => Some(UNSAID),
    }
}

/// CNIC: a place, a serial number and a digit for the sex, without a check (NADRA).
fn pakistan(number: &Number) -> Option<f32> {
    let grouped = number.is_grouped(&[5, 7, 1]) && number.is_separated_by('-');
    (matches!(number.digits[0], 1..=7) && grouped).then_some(0.9)
}

/// National numbers: century, a date, a governorate.
fn egypt(number: &Number) -> Option<f32> {
    let digits = &number.digits;
    let valid = matches!(digits[0], 2 | 3)
        && date(&digits[1..3], &digits[3..5], &digits[5..7])
        && matches!(value(&digits[7..9]), 1..=4 | 11..=35 | 88);
    (valid && single(number)).then_some(POSSIBLE)
}

/// NPWP: Luhn's check over the first nine digits.
fn indonesia_tax(number: &Number) -> Option<f32> {
    let grouped = number.is_grouped(&[2, 3, 3, 1, 3, 3]);
    luhn(&number.digits[..9]).then_some(if grouped { 0.9 } else { UNSAID })
}

/// NIK: a district, a date with 40 more for a woman's day, and a serial number.
fn indonesia(number: &Number) -> Option<f32> {
    let digits = &number.digits;
    let day = value(&digits[6..8]) as u32;
    let day = if day > 40 { day - 40 } else { day };
    let valid = matches!(value(&digits[..2]), 11..=94)
        && is_date(2000 + value(&digits[10..12]) as u32, value(&digits[8..10]) as u32, day);
    (valid && single(number)).then_some(UNSAID)
}

/// Resident identity numbers: a district, a date, a serial number, ISO 7064 MOD 11-2 (GB 11643).
fn china(number: &Number) -> Option<f32> {
    let digits = &number.digits;
    let valid = is_chinese(&digits[..17], u32::from(digits[17]));
    (valid && single(number)).then_some(CERTAIN)
}

/// Whether 17 digits and the value of a check make a resident identity number.
pub(in crate::detect) fn is_chinese(digits: &[u8], check: u32) -> bool {
    let sum = weighted(digits, &[7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]);
    let year = value(&digits[6..10]) as u32;
    (1880..=2099).contains(&year)
        && is_date(year, value(&digits[10..12]) as u32, value(&digits[12..14]) as u32)
        && (12 - sum % 11) % 11 == check
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::number::GROUPS_MAX;

    /// Every check looks only at digits that a number of its length has.
    #[test]
    fn checks_take_any_digits_of_their_length() {
        for length in 0..=22 {
            for digit in 0..=9 {
                let number = Number {
                    digits: vec![digit; length],
                    groups: vec![length as u8],
                    separators: Vec::new(),
                    ends: [0; GROUPS_MAX],
                    plus: false,
                    bracket: false,
                    start: 0,
                    end: length,
                    before: 0,
                    behind: 0,
                    close: 0,
                    in_row: false,
                    counted: false,
                };
                for check in checks(length) {
                    check(&number);
                }
            }
        }
    }
}

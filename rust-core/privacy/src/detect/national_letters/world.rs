//! National numbers of more countries that contain letters. The letters are upper case here, however they are written.

use super::digits;
use crate::detect::checks::{is_date, value};
use crate::detect::national::world::is_chinese;

/// Letters for `A`, digits for `9`, either for `*`.
fn is_form(word: &[u8], form: &[u8]) -> bool {
    word.len() == form.len()
        && word.iter().zip(form).all(|(byte, kind)| match kind {
            b'A' => byte.is_ascii_uppercase(),
            b'9' => byte.is_ascii_digit(),
            _ => byte.is_ascii_alphanumeric(),
        })
}

/// A date in six digits, year first.
fn is_day(word: &[u8]) -> bool {
    let parts = [&word[..2], &word[2..4], &word[4..6]].map(|part| digits(part).map(|digits| value(&digits) as u32));
    let [Some(year), Some(month), Some(day)] = parts else {
        return false;
    };
    is_date(2000 + year, month, day) || is_date(1900 + year, month, day)
}

/// CURP: letters of the names, a date, sex, a state, letters, and a check over the 36 letters and digits and Ñ (RENAPO).
pub(super) fn mexico(word: &[u8]) -> bool {
    if !is_form(word, b"AAAA999999AAAAAA*9") || !is_day(&word[4..10]) || !matches!(word[10], b'H' | b'M' | b'X') {
        return false;
    }
    // Ñ stands between N and O.
    let of = |byte: u8| match byte {
        b'0'..=b'9' => u32::from(byte - b'0'),
        b'A'..=b'N' => u32::from(byte - b'A') + 10,
        _ => u32::from(byte - b'A') + 11,
    };
    let sum: u32 = word[..17]
        .iter()
        .zip((2..=18).rev())
        .map(|(&byte, weight)| of(byte) * weight)
        .sum();
    (10 - sum % 10) % 10 == u32::from(word[17] - b'0')
}

/// RFC of a person: letters of the names, a date, three letters or digits (SAT).
pub(super) fn mexico_tax(word: &[u8]) -> bool {
    is_form(word, b"AAAA999999***") && is_day(&word[4..10]) && (word[12].is_ascii_digit() || word[12] == b'A')
}

/// Resident identity numbers whose check is 10, which an X writes.
pub(super) fn china(word: &[u8]) -> bool {
    word[17] == b'X' && digits(&word[..17]).is_some_and(|digits| is_chinese(&digits, 10))
}

/// Driving licences of Great Britain: five letters of the surname, a date with the year's digits around it, initials, a check (DVLA).
pub(super) fn driver_britain(word: &[u8]) -> bool {
    let surname =
        word[..5].iter().all(|byte| byte.is_ascii_uppercase() || *byte == b'9') && word[0].is_ascii_uppercase();
    let initials = word[11..13]
        .iter()
        .all(|byte| byte.is_ascii_uppercase() || *byte == b'9');
    let Some(date) = digits(&word[5..11]) else { return false };
    let month = date[1] % 5 * 10 + date[2];
    let day = date[3] * 10 + date[4];
    let women = matches!(date[1], 0 | 1 | 5 | 6);
    surname && initials && women && is_form(&word[13..], b"*AA") && (1..=12).contains(&month) && (1..=31).contains(&day)
}

/// GSTIN: a state, a PAN, an entity, Z, a check.
pub(super) fn india_business(word: &[u8]) -> bool {
    is_form(word, b"99AAAAA9999A***")
        && word[13] == b'Z'
        && matches!((word[0] - b'0') * 10 + word[1] - b'0', 1..=38 | 97 | 99)
}

/// PAN: three letters, the kind of holder, a letter of the name, four digits, a letter (Income Tax Department).
pub(super) fn india(word: &[u8]) -> bool {
    is_form(word, b"AAAAA9999A") && b"ABCFGHJLPT".contains(&word[3])
}

/// Numbers of the German pension insurance: a region, a date, a letter, a serial number and a check (§ 2 VKVV).
pub(super) fn germany_insurance(word: &[u8]) -> bool {
    if !is_form(word, b"99999999A999") || !is_day(&[word[6], word[7], word[4], word[5], word[2], word[3]]) {
        return false;
    }
    let letter = word[8] - b'A' + 1;
    let mut all: Vec<u32> = word[..8].iter().map(|byte| u32::from(byte - b'0')).collect();
    all.extend([
        u32::from(letter / 10),
        u32::from(letter % 10),
        u32::from(word[9] - b'0'),
        u32::from(word[10] - b'0'),
    ]);
    let sum: u32 = all
        .iter()
        .zip([2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1])
        .map(|(digit, weight)| digit * weight)
        .map(|product| product / 10 + product % 10)
        .sum();
    sum % 10 == u32::from(word[11] - b'0')
}

/// Medicare beneficiary identifiers: eleven places for letters and digits, without S, L, O, I, B and Z (CMS).
pub(super) fn medicare(word: &[u8]) -> bool {
    is_form(word, b"9A*9A*9AA99") && word[0] != b'0' && !word.iter().any(|byte| b"SLOIBZ".contains(byte))
}

/// PIN of the revenue authority of Kenya: A or P, nine digits, a letter.
pub(super) fn kenya(word: &[u8]) -> bool {
    is_form(word, b"A999999999A") && matches!(word[0], b'A' | b'P')
}

/// RIF: the kind of taxpayer, eight digits and a check (SENIAT).
pub(super) fn venezuela(word: &[u8]) -> bool {
    let kind = match word[0] {
        b'V' => 4,
        b'E' => 8,
        b'J' => 12,
        b'P' => 16,
        b'G' => 20,
        _ => return false,
    };
    let Some(digits) = digits(&word[1..]) else { return false };
    let sum = kind + crate::detect::checks::weighted(&digits[..8], &[3, 2, 7, 6, 5, 4, 3, 2]);
    b"00987654321"[(sum % 11) as usize] - b'0' == digits[8]
}

/// RUT whose check is K.
pub(super) fn chile(word: &[u8]) -> bool {
    let Some(digits) = digits(&word[..8]).filter(|_| word[8] == b'K') else {
        return false;
    };
    crate::detect::checks::weighted(&digits, &[3, 2, 7, 6, 5, 4, 3, 2]) % 11 == 1
}

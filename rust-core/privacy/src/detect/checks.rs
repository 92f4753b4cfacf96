//! Check digits, each with its source. Digits are values from 0 to 9, most significant first.

/// Luhn's check (ISO/IEC 7812-1, annex B).
pub(super) fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(index, &digit)| match (index % 2, u32::from(digit)) {
            (0, digit) => digit,
            (_, digit) if digit > 4 => 2 * digit - 9,
            (_, digit) => 2 * digit,
        })
        .sum();
    sum.is_multiple_of(10) && digits.iter().any(|&digit| digit != 0)
}

/// The sum of digits times weights.
pub(super) fn weighted(digits: &[u8], weights: &[u32]) -> u32 {
    digits
        .iter()
        .zip(weights)
        .map(|(&digit, weight)| u32::from(digit) * weight)
        .sum()
}

/// The number that the digits write.
pub(super) fn value(digits: &[u8]) -> u64 {
    digits.iter().fold(0, |value, &digit| value * 10 + u64::from(digit))
}

/// Verhoeff's check (J. Verhoeff, Error Detecting Decimal Codes, 1969): products in the dihedral group of order 10.
pub(super) fn verhoeff(digits: &[u8]) -> bool {
    const PERMUTATION: [u8; 10] = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];
    fn product(a: u8, b: u8) -> u8 {
        match (a < 5, b < 5) {
            (true, true) => (a + b) % 5,
            (true, false) => 5 + (a + b - 5) % 5,
            (false, true) => 5 + (a + 5 - b) % 5,
            (false, false) => (a + 5 - b) % 5,
        }
    }
    let mut check = 0;
    for (index, &digit) in digits.iter().rev().enumerate() {
        let permuted = (0..index % 8).fold(digit, |digit, _| PERMUTATION[usize::from(digit)]);
        check = product(check, permuted);
    }
    check == 0
}

/// ISO 7064, MOD 11,10: a product that carries on from digit to digit; the last digit is the check.
pub(super) fn mod_11_10(digits: &[u8]) -> bool {
    let Some((&check, rest)) = digits.split_last() else {
        return false;
    };
    let product = rest.iter().fold(10, |product, &digit| {
        let sum = (u32::from(digit) + product) % 10;
        (if sum == 0 { 10 } else { sum }) * 2 % 11
    });
    (11 - product) % 10 == u32::from(check)
}

/// Whether there may be such a day; a year of two digits may be in any century.
pub(super) fn is_date(year: u32, month: u32, day: u32) -> bool {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        4 | 6 | 9 | 11 => 30,
        2 if leap || year == 0 => 29,
        2 => 28,
        1..=12 => 31,
        _ => return false,
    };
    (1..=days).contains(&day)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Check = fn(&[u8]) -> bool;

    fn digits(text: &str) -> Vec<u8> {
        text.bytes().map(|byte| byte - b'0').collect()
    }

    #[test]
    fn every_check_refuses_each_single_wrong_digit() {
        let cases: [(Check, &str); 3] = [
            (luhn, "4111111111111111"),
            (verhoeff, "234123412346"),
            (mod_11_10, "86095742719"),
        ];
        for (check, text) in cases {
            let right = digits(text);
            assert!(check(&right), "{text}");
            for place in 0..right.len() {
                for other in (0..10).filter(|&other| other != right[place]) {
                    let mut wrong = right.clone();
                    wrong[place] = other;
                    assert!(!check(&wrong), "{text} with {other} at {place}");
                }
            }
        }
    }

    #[test]
    fn days_exist() {
        for (date, exists) in [
            ((2024, 2, 29), true),
            ((2023, 2, 29), false),
            ((1900, 2, 29), false),
            ((2023, 4, 31), false),
            ((2023, 12, 31), true),
            ((2023, 13, 1), false),
            ((2023, 1, 0), false),
        ] {
            assert_eq!(is_date(date.0, date.1, date.2), exists, "{date:?}");
        }
    }
}

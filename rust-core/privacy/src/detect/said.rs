//! Numbers that a word identifies: "passport number X1234567", "CURP: …", "IMEI …". The word is enough if it names the kind of
//! number; the value after it must look like one. Numbers that are recognised by their form and check digits are in `national`.

use std::sync::LazyLock;

use super::view::View;
use crate::lexicon::table::{Roles, WordTable};
use crate::lexicon::{NUMBER_CUE, NUMBER_WORDS};
use crate::{Finding, FindingKind};

mod code;

/// Which number a word says that follows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Said {
    Identity,
    Passport,
    Licence,
    Plate,
    Account,
    Device,
    Medical,
}

const HOME: Roles = 1 << 19;

/// The roles in the file of words. A head counts only with a tail behind it.
const ROLES: &[(&str, Roles)] = &[
    ("identity", 1),
    ("identity_head", 1 << 1),
    ("identity_tail", 1 << 2),
    ("passport", 1 << 3),
    ("licence", 1 << 4),
    ("licence_head", 1 << 5),
    ("licence_tail", 1 << 6),
    ("plate", 1 << 7),
    ("plate_head", 1 << 8),
    ("plate_tail", 1 << 9),
    ("account", 1 << 10),
    ("account_head", 1 << 11),
    ("account_tail", 1 << 12),
    ("device", 1 << 13),
    ("device_head", 1 << 14),
    ("device_tail", 1 << 15),
    ("medical", 1 << 16),
    ("medical_head", 1 << 17),
    ("medical_tail", 1 << 18),
    ("home", HOME),
];

/// What each number's word alone is, its head and its tail.
const SAYS: &[(Said, Roles, Roles, Roles)] = &[
    (Said::Passport, 1 << 3, 0, 0),
    (Said::Device, 1 << 13, 1 << 14, 1 << 15),
    (Said::Medical, 1 << 16, 1 << 17, 1 << 18),
    (Said::Licence, 1 << 4, 1 << 5, 1 << 6),
    (Said::Plate, 1 << 7, 1 << 8, 1 << 9),
    (Said::Identity, 1, 1 << 1, 1 << 2),
    (Said::Account, 1 << 10, 1 << 11, 1 << 12),
];

/// How many words before its tail a head is looked for.
const HEAD_TOKENS: usize = 3;

static WORDS: LazyLock<WordTable> = LazyLock::new(|| WordTable::of(NUMBER_WORDS, ROLES));

impl Said {
    fn kind(self) -> FindingKind {
        match self {
            Said::Identity | Said::Passport | Said::Licence => FindingKind::NationalId,
            Said::Plate => FindingKind::LicensePlate,
            Said::Account => FindingKind::BankAccount,
            Said::Device => FindingKind::DeviceId,
            Said::Medical => FindingKind::MedicalRecord,
        }
    }
}

/// Reads the number that token `index` names.
pub(super) fn at(view: &View, index: usize, found: &mut Vec<Finding>) {
    if !view.is(index, NUMBER_CUE) {
        return;
    }
    let roles = WORDS.roles(view.word(index));
    if roles & HOME != 0 {
        home(view, index, found);
    }
    let Some((said, confidence)) = said(view, index, roles) else {
        return;
    };
    // A longer phrase names the number better: "social security number".
    let goes_on = view.is(index + 1, NUMBER_CUE)
        && view.gap(index).len() <= 2
        && self::said(view, index + 1, WORDS.roles(view.word(index + 1))).is_some_and(|(next, _)| next == said);
    if goes_on {
        return;
    }
    if !behind(view.text, view.end(index), said, confidence, found) {
        before(view, index, said, confidence, found);
    }
}

fn said(view: &View, index: usize, roles: Roles) -> Option<(Said, f32)> {
    let heads = (index.saturating_sub(HEAD_TOKENS)..index)
        .filter(|&before| {
            view.is(before, NUMBER_CUE)
                && !view.text[view.end(before)..view.start(index)].contains(['\n', ',', ';', ':'])
        })
        .fold(0, |heads, before| heads | WORDS.roles(view.word(before)));
    let own = index > 0 && view.word(index).eq_ignore_ascii_case("id") && {
        let owner = view.word(index - 1);
        ["my", "his", "her", "your", "their", "national"]
            .iter()
            .any(|word| owner.eq_ignore_ascii_case(word))
    };
    let mut all = SAYS.iter();
    let named = all.find_map(|(said, alone, head, tail)| {
        let pair = roles & tail != 0 && heads & head != 0;
        (roles & alone != 0)
            .then_some((*said, 0.9))
            .or(pair.then_some((*said, 0.85)))
    });
    named.or(own.then_some((Said::Identity, 0.8)))
}

/// Reads the number behind a word that ends at byte `at`.
pub(super) fn behind(text: &str, at: usize, said: Said, confidence: f32, found: &mut Vec<Finding>) -> bool {
    let Some(range) = code::behind(text, at, said == Said::Plate)
        .filter(|range| is_one(said, &text[range.clone()]) && !code::is_quantity(text, at, range))
    else {
        return false;
    };
    super::push(found, said.kind(), range, confidence);
    true
}

/// "X1234567 is my passport number": the number stands before the word, with a word for "is" between them.
fn before(view: &View, index: usize, said: Said, confidence: f32, found: &mut Vec<Finding>) {
    let mut is = false;
    for other in (index.saturating_sub(6)..index).rev() {
        if view.gap(other).contains(['\n', '.', ';']) {
            return;
        }
        let word = view.word(other);
        is |= ["is", "ist", "est", "es", "é", "è", "är", "er", "jest", "to"]
            .iter()
            .any(|copula| word.eq_ignore_ascii_case(copula));
        if word.bytes().any(|byte| byte.is_ascii_digit()) {
            if is && is_one(said, word) {
                super::push(found, said.kind(), view.start(other)..view.end(other), confidence - 0.1);
            }
            return;
        }
    }
}

/// Whether `code` may be such a number.
fn is_one(said: Said, code: &str) -> bool {
    let count = |is: fn(&u8) -> bool| code.bytes().filter(is).count();
    let (all, digits, capitals) = (
        count(u8::is_ascii_alphanumeric),
        count(u8::is_ascii_digit),
        count(u8::is_ascii_uppercase),
    );
    // A sort code may look like a day.
    let day = code::is_date(code) && !(said == Said::Account && code.len() == 8 && code.contains('-'));
    let year = matches!(code.as_bytes(), [b'1', b'9', _, _] | [b'2', b'0', _, _]) && digits == 4;
    if day || year {
        return false;
    }
    match said {
        Said::Identity => (5..=22).contains(&all) && digits >= 4 && 3 * digits >= all,
        Said::Passport => (6..=10).contains(&all) && digits >= 4,
        Said::Licence => (5..=18).contains(&all) && digits >= 4,
        Said::Plate => (3..=9).contains(&all) && digits >= 1 && capitals >= 1,
        Said::Account => (5..=28).contains(&all) && digits >= 5 && 2 * digits >= all,
        Said::Device => (14..=40).contains(&all) && digits >= 6,
        Said::Medical => (4..=14).contains(&all) && digits >= 4,
    }
}

/// Coordinates near a word for a home: two numbers with four decimals or more, or degrees.
fn home(view: &View, index: usize, found: &mut Vec<Finding>) {
    if let Some(range) = code::coordinates(view.text, view.end(index)) {
        super::push(found, FindingKind::Location, range, 0.8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_of_the_file_is_found() {
        crate::lexicon::table::test::check(NUMBER_WORDS, &WORDS, ROLES, 0);
    }
}

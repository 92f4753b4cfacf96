//! Groups of digits: joins digits that are written as one number and determines which kind of number it may be.

use super::view::{Shape, View};
use super::{bank, card, national, phone};
use crate::lexicon::{self, Meaning};
use crate::{Finding, FindingKind};

pub(super) const GROUPS_MAX: usize = 8;
/// No card, id or telephone number has fewer.
const DIGITS_MIN: usize = 7;
/// Nor has a number that is said to be a telephone's.
const SAID_DIGITS_MIN: usize = 5;
/// Units behind numbers that only count.
const UNITS: &[&str] = &[
    "ns", "ms", "us", "s", "sec", "seconds", "bytes", "byte", "kb", "mb", "gb", "rows", "lines", "items", "records",
    "times", "km", "people",
];
const DIGITS_MAX: usize = 22;

/// A number in groups of digits.
pub(super) struct Number {
    pub(super) digits: Vec<u8>,
    /// How many digits each group has.
    pub(super) groups: Vec<u8>,
    /// The first character between each two groups.
    pub(super) separators: Vec<char>,
    /// The last byte of each group, or of its extension: `555-123-4567x89`.
    pub(super) ends: [usize; GROUPS_MAX],
    pub(super) plus: bool,
    pub(super) bracket: bool,
    pub(super) start: usize,
    pub(super) end: usize,
    /// The tokens' meanings before it, and behind it in its line.
    pub(super) before: Meaning,
    pub(super) behind: Meaning,
    /// The meaning of the two tokens right before it.
    pub(super) close: Meaning,
    /// More numbers stand beside it in its line, with blanks between them, as in a table.
    pub(super) in_row: bool,
    /// It is a quantity or what a program counts: a unit stands behind it, or `id=` before it.
    pub(super) counted: bool,
}

impl Number {
    pub(super) fn is_grouped(&self, groups: &[u8]) -> bool {
        self.groups == groups
    }

    /// All separators are this one.
    pub(super) fn is_separated_by(&self, separator: char) -> bool {
        self.separators
            .iter()
            .all(|&other| other == separator || separator == ' ' && is_blank(other))
    }

    pub(super) fn near(&self, meaning: Meaning) -> bool {
        (self.before | self.behind) & meaning != 0
    }
}

pub(super) fn is_blank(character: char) -> bool {
    matches!(character, ' ' | '\u{a0}' | '\u{202f}' | '\u{2009}')
}

/// Reads the number that begins with token `first`, and says with which token to go on.
pub(super) fn at(view: &View, first: usize, found: &mut Vec<Finding>) -> usize {
    let next = first + 1;
    // A year, a quantity: nothing is joined to it that could make it longer.
    if view.word(first).len() < SAID_DIGITS_MIN && !joins(view.gap(first)) {
        return next;
    }
    let close = view.tokens[first.saturating_sub(2)..first]
        .iter()
        .fold(0, |close, token| close | token.meaning);
    let least = if close & (lexicon::NUMBER | lexicon::PHONE) != 0 {
        SAID_DIGITS_MIN
    } else {
        DIGITS_MIN
    };
    if view.word(first).len() < least && !joins(view.gap(first)) {
        return next;
    }
    let before = view.text[..view.start(first)].chars().next_back();
    if before.is_some_and(|character| "$€£¥_".contains(character)) {
        return next;
    }
    if first > 0
        && joins_tightly(view.gap_before(first))
        && matches!(view.tokens[first - 1].shape, Shape::Digits | Shape::Mixed)
    {
        return next;
    }
    let Some(mut number) = Number::from(view, first, least) else {
        return next;
    };
    number.close = close;
    number.before = view.meanings_before(first, 7);
    let beside = first > 0 && is_beside_number(view, first - 1);
    while number.digits.len() >= least {
        let last = first + number.groups.len() - 1;
        let joined = last + 1 < view.tokens.len()
            && joins_tightly(view.gap(last))
            && (matches!(view.tokens[last + 1].shape, Shape::Digits | Shape::Mixed)
                || view.gap(last) == "-" && view.word(last + 1).len() == 1);
        if !joined {
            number.end = extension(view, last, number.ends[number.groups.len() - 1]);
            number.behind = view.meanings_behind(last, 4);
            number.in_row = beside || is_beside_number(view, last);
            number.counted = is_counted(view, first, last);
            if let Some((kind, confidence)) = kind_of(&number) {
                super::push(found, kind, number.start..number.end, confidence);
                return last + 1;
            }
        }
        number.shorten();
    }
    next
}

fn kind_of(number: &Number) -> Option<(FindingKind, f32)> {
    let candidates = [
        (FindingKind::PaymentCard, card::confidence(number)),
        (FindingKind::NationalId, national::confidence(number)),
        (FindingKind::BankAccount, bank::confidence(number)),
        (FindingKind::Phone, phone::confidence(number)),
    ];
    let mut best: Option<(FindingKind, f32)> = None;
    for (kind, confidence) in candidates {
        if let Some(confidence) = confidence
            && best.is_none_or(|(_, other)| confidence > other)
        {
            best = Some((kind, confidence));
        }
    }
    best
}

/// A separator that makes one thing of what stands on both sides.
fn joins_tightly(gap: &str) -> bool {
    matches!(gap, "-" | "." | "/" | "_" | ":" | ",")
}

fn joins(gap: &str) -> bool {
    let mut length = 0;
    gap.chars().all(|character| {
        length += 1;
        length <= 3
            && (is_blank(character) || matches!(character, '-' | '.' | '/' | '(' | ')' | '\u{2010}' | '\u{2011}' | '–'))
    }) && !matches!(gap, ". " | ".. " | "...")
}

impl Number {
    /// As many groups as may belong together, which are then tried from the longest.
    fn from(view: &View, first: usize, least: usize) -> Option<Number> {
        let mut number = Number {
            digits: Vec::with_capacity(DIGITS_MAX),
            groups: Vec::with_capacity(GROUPS_MAX),
            separators: Vec::with_capacity(GROUPS_MAX),
            ends: [0; GROUPS_MAX],
            plus: false,
            bracket: false,
            start: view.start(first),
            end: 0,
            before: 0,
            behind: 0,
            close: 0,
            in_row: false,
            counted: false,
        };
        for (group, index) in (first..(first + GROUPS_MAX).min(view.tokens.len())).enumerate() {
            let word = view.word(index).as_bytes();
            let digits = match view.tokens[index].shape {
                Shape::Digits => word,
                Shape::Mixed => with_extension(word).filter(|_| index > first).unwrap_or(&[]),
                _ => &[],
            };
            if digits.is_empty() || number.digits.len() + digits.len() > DIGITS_MAX {
                break;
            }
            if index > first {
                number.separators.push(separator(view.gap_before(index)));
            }
            number.digits.extend(digits.iter().map(|digit| digit - b'0'));
            number.groups.push(digits.len() as u8);
            number.ends[group] = view.end(index);
            if digits.len() < word.len() || !joins(view.gap(index)) {
                break;
            }
        }
        if number.digits.len() < least {
            return None;
        }
        number.begin(view, first);
        Some(number)
    }

    /// Takes the signs before the first group: `(`, `+`.
    fn begin(&mut self, view: &View, first: usize) {
        let before = &view.text[..self.start];
        if before.ends_with('(')
            && view.text[self.start..]
                .chars()
                .take(8)
                .any(|character| character == ')')
        {
            self.start -= 1;
            self.bracket = true;
        }
        let before = &view.text[..self.start];
        self.plus = before.ends_with('+') || before.ends_with("+ ");
        if self.plus {
            self.start -= if before.ends_with('+') { 1 } else { 2 };
            if view.text[..self.start].ends_with('(') && view.gap(first).contains(')') {
                self.start -= 1;
            }
        }
    }

    fn shorten(&mut self) {
        if let Some(digits) = self.groups.pop() {
            self.digits.truncate(self.digits.len() - usize::from(digits));
            self.separators.pop();
        }
    }
}

/// Whether numbers stand on both sides of the gap behind token `index`, and only blanks in it. Two hexadecimal digits are one too.
fn is_beside_number(view: &View, index: usize) -> bool {
    if index >= view.tokens.len() || index + 1 >= view.tokens.len() {
        return false;
    }
    let is_number = |index: usize| {
        let word = view.word(index);
        view.tokens[index].shape == Shape::Digits
            || word.len() == 2 && word.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    let blanks = view
        .gap(index)
        .chars()
        .all(|character| is_blank(character) || character == '\t');
    blanks && is_number(index) && is_number(index + 1)
}

fn is_counted(view: &View, first: usize, last: usize) -> bool {
    let unit = last + 1 < view.tokens.len() && view.gap(last) == " " && UNITS.contains(&view.word(last + 1));
    let field = first > 0 && view.word(first - 1) == "id" && matches!(view.gap(first - 1), "=" | "\":" | "\": " | ":");
    unit || field
}

fn separator(gap: &str) -> char {
    gap.chars()
        .find(|character| !is_blank(*character))
        .or(gap.chars().next())
        .unwrap_or(' ')
}

/// The digits before the `x` of `4567x89`.
fn with_extension(word: &[u8]) -> Option<&[u8]> {
    let at = word.iter().position(|byte| !byte.is_ascii_digit())?;
    let rest = word[at..].strip_prefix(b"x")?;
    ((3..=4).contains(&at) && (1..=6).contains(&rest.len()) && rest.iter().all(u8::is_ascii_digit)).then(|| &word[..at])
}

/// Where a number ends with its extension: " x89", " ext. 89", " Durchwahl 89".
fn extension(view: &View, last: usize, end: usize) -> usize {
    if last + 1 >= view.tokens.len()
        || !view
            .gap(last)
            .chars()
            .all(|character| is_blank(character) || ",;".contains(character))
    {
        return end;
    }
    let word = view.word(last + 1);
    if word
        .strip_prefix('x')
        .is_some_and(|rest| (1..=6).contains(&rest.len()) && rest.bytes().all(|byte| byte.is_ascii_digit()))
    {
        return view.end(last + 1);
    }
    let names_extension = ["x", "ext", "extension", "durchwahl", "poste", "interno"]
        .iter()
        .any(|name| word.eq_ignore_ascii_case(name));
    let follows =
        last + 2 < view.tokens.len() && view.tokens[last + 2].shape == Shape::Digits && view.word(last + 2).len() <= 6;
    if names_extension && follows && view.gap(last + 1).len() <= 2 {
        view.end(last + 2)
    } else {
        end
    }
}

/// Whether the groups look like a date: day, month and year in some order.
pub(super) fn is_date_shaped(number: &Number) -> bool {
    matches!(
        number.groups[..],
        [1 | 2, 1 | 2, 4] | [4, 1 | 2, 1 | 2] | [1 | 2, 1 | 2, 2]
    )
}

//! Dates of birth: dates near a word for birth.

use super::checks::is_date;
use super::view::{Shape, View};
use crate::lexicon::{BIRTH, MONTH, month};
use crate::{Finding, FindingKind};

/// A birth word counts this many tokens before the date, and this many behind it in its line.
const TOKENS_BEFORE: usize = 9;
const TOKENS_BEHIND: usize = 6;

/// Reads a date that begins with token `first`.
pub(super) fn at(view: &View, first: usize, found: &mut Vec<Finding>) {
    let Some(last) = date_end(view, first) else {
        return;
    };
    let before = view.meanings_before(first, TOKENS_BEFORE) & BIRTH != 0;
    if before || view.meanings_behind(last, TOKENS_BEHIND) & BIRTH != 0 {
        let confidence = if before { 0.95 } else { 0.8 };
        super::push(
            found,
            FindingKind::DateOfBirth,
            view.start(first)..view.end(last),
            confidence,
        );
    }
}

/// Signs that part a date's numbers where a phrase for birth stands before it, with those of Chinese, Japanese and Korean.
const SIGNS: &[char] = &['年', '月', '日', '년', '월', '일', '.', '-', '/', ' '];
/// How far behind a phrase its date may begin.
const REACH_BYTES: usize = 24;
/// The longest such date.
const DATE_BYTES_MAX: usize = 40;

/// Reads the date behind a phrase for birth that ends at byte `at`: 1986年9月5日.
pub(super) fn behind_phrase(text: &str, at: usize, found: &mut Vec<Finding>) {
    let digit = |character: char| character.is_ascii_digit();
    let Some(start) = text[at..].find(digit).filter(|start| *start <= REACH_BYTES) else {
        return;
    };
    let rest = &text[at + start..];
    let part =
        |&(at, character): &(usize, char)| at < DATE_BYTES_MAX && (digit(character) || SIGNS.contains(&character));
    let length = rest
        .char_indices()
        .take_while(part)
        .map(|(at, character)| at + character.len_utf8())
        .last()
        .unwrap_or(0);
    let date = rest[..length].trim_end_matches(['.', '-', '/', ' ']);
    let numbers: Vec<u32> = date
        .split(SIGNS)
        .filter_map(|number| number.parse().ok())
        .take(4)
        .collect();
    let valid = match numbers[..] {
        [year, month, day] if year >= 1880 => is_date(year, month, day),
        [day, month, year] if year >= 1880 => is_date(year, month, day) || is_date(year, day, month),
        _ => false,
    };
    if valid {
        super::push(
            found,
            FindingKind::DateOfBirth,
            at + start..at + start + date.len(),
            0.95,
        );
    }
}

/// The last token of the date that begins with `first`.
fn date_end(view: &View, first: usize) -> Option<usize> {
    if first > 0 && matches!(view.gap_before(first), "-" | "." | "/") && view.tokens[first - 1].shape == Shape::Digits {
        return None;
    }
    if !matches!(view.tokens[first].shape, Shape::Digits | Shape::Mixed) {
        return month_first(view, first);
    }
    numeric(view, first)
        .or_else(|| day_first(view, first))
        .or_else(|| year_first(view, first))
        .or_else(|| unparted(view, first))
}

/// "04061976", "19760604", "040676", right behind the word for birth.
fn unparted(view: &View, first: usize) -> Option<usize> {
    let word = view.word(first);
    if view.tokens[first].shape == Shape::Mixed && (7..=9).contains(&word.len()) && word.is_ascii() {
        // "05SEP1986"
        let letters = word.trim_start_matches(|character: char| character.is_ascii_digit());
        let name = letters.trim_end_matches(|character: char| character.is_ascii_digit());
        let year = &letters[name.len()..];
        let day = word[..word.len() - letters.len()]
            .parse()
            .ok()
            .filter(|day| (1..=31).contains(day))?;
        let month = month(name)?;
        let valid = matches!(year.len(), 2 | 4) && is_date(2000 + year.parse::<u32>().ok()? % 100, month, day);
        return (valid && view.meanings_before(first, 3) & BIRTH != 0).then_some(first);
    }
    if view.tokens[first].shape != Shape::Digits
        || !matches!(word.len(), 6 | 8)
        || view.meanings_before(first, 3) & BIRTH == 0
    {
        return None;
    }
    let part = |from: usize, to: usize| word.get(from..to).and_then(|part| part.parse().ok()).unwrap_or(0);
    let (a, b) = (part(0, 2), part(2, 4));
    let valid = if word.len() == 8 {
        let (first_year, last_year) = (part(0, 4), part(4, 8));
        is_year(last_year) && (is_date(last_year, b, a) || is_date(last_year, a, b))
            || is_year(first_year) && is_date(first_year, part(4, 6), part(6, 8))
    } else {
        let c = part(4, 6);
        is_date(2000 + c, b, a) || is_date(2000 + c, a, b) || is_date(2000 + a, b, c)
    };
    valid.then_some(first)
}

/// "1980 March 12", "1980. március 12."
fn year_first(view: &View, first: usize) -> Option<usize> {
    let year = number(view, first);
    if view.tokens[first].shape != Shape::Digits || view.word(first).len() != 4 || !is_year(year) {
        return None;
    }
    let month = month_at(view, first + 1)?;
    let day = day(view, first + 2)?;
    (view.gap(first + 1).chars().count() <= 2 && is_date(year, month, day)).then_some(first + 2)
}

fn numeric(view: &View, first: usize) -> Option<usize> {
    if first + 2 >= view.tokens.len() {
        return None;
    }
    let (gap, other) = (view.gap(first).trim(), view.gap(first + 1).trim());
    let separated = gap == other && matches!(gap, "-" | "." | "/" | "") || gap == "." && other.is_empty();
    let digits = (first..first + 3).all(|index| view.tokens[index].shape == Shape::Digits);
    if !separated || !digits || view.gap(first).len() > 3 || view.gap(first + 1).len() > 3 {
        return None;
    }
    let [a, b, c] = [first, first + 1, first + 2].map(|index| (view.word(index).len(), number(view, index)));
    let valid = match (a, b, c) {
        ((4, year), (1 | 2, month), (1 | 2, day)) => is_year(year) && is_date(year, month, day),
        ((1 | 2, one), (1 | 2, two), (4, year)) => {
            is_year(year) && (is_date(year, one, two) || is_date(year, two, one))
        }
        ((1 | 2, one), (1 | 2, two), (2, year)) if !gap.is_empty() => {
            is_date(2000 + year, one, two) || is_date(2000 + year, two, one) || is_date(2000 + one, two, year)
        }
        _ => false,
    };
    valid.then_some(first + 2)
}

/// "12 March 1980", "12. März 1980", "1er mars 1980", "12 de marzo de 1980", "the 12th of March, 1980".
fn day_first(view: &View, first: usize) -> Option<usize> {
    let day = day(view, first)?;
    let mut index = skip_of(view, first + 1);
    let month = month_at(view, index)?;
    index = skip_of(view, index + 1);
    year_behind(view, index, month, day)
}

/// "March 12, 1980", "March 12th 1980".
fn month_first(view: &View, first: usize) -> Option<usize> {
    let month = month_at(view, first)?;
    let day = day(view, first + 1)?;
    year_behind(view, first + 2, month, day)
}

fn year_behind(view: &View, index: usize, month: u32, day: u32) -> Option<usize> {
    let token = view.tokens.get(index)?;
    let year = number(view, index);
    let near = view.gap_before(index).chars().count() <= 2;
    let valid = match view.word(index).len() {
        4 => is_year(year) && is_date(year, month, day),
        2 => is_date(1900 + year, month, day) || is_date(2000 + year, month, day),
        _ => false,
    };
    (token.shape == Shape::Digits && near && valid).then_some(index)
}

fn skip_of(view: &View, index: usize) -> usize {
    let of = index < view.tokens.len()
        && ["of", "de", "del", "di", "do", "den", "der"]
            .iter()
            .any(|word| view.word(index).eq_ignore_ascii_case(word));
    index + usize::from(of)
}

fn month_at(view: &View, index: usize) -> Option<u32> {
    let near = index < view.tokens.len() && view.gap_before(index).chars().count() <= 2 || index == 0;
    if near && view.is(index, MONTH) {
        month(view.word(index))
    } else if near
        && index > 0
        && view.word(index).starts_with(['I', 'V', 'X'])
        && view.gap_before(index).starts_with(['.', ' '])
    {
        ROMAN
            .iter()
            .zip(1..)
            .find(|(roman, _)| **roman == view.word(index))
            .map(|(_, month)| month)
    } else {
        None
    }
}

/// Months as some write them between day and year: 5.IX.1986.
const ROMAN: [&str; 12] = ["I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII"];

fn day(view: &View, index: usize) -> Option<u32> {
    if index >= view.tokens.len() || !matches!(view.tokens[index].shape, Shape::Digits | Shape::Mixed) {
        return None;
    }
    let word = view.word(index);
    let digits = word.trim_end_matches(|character: char| !character.is_ascii_digit());
    let ordinal = matches!(
        &word[digits.len()..],
        "" | "st" | "nd" | "rd" | "th" | "er" | "º" | "ª" | "e" | "re" | "eme"
    );
    let day = digits.parse().ok().filter(|_| digits.len() <= 2)?;
    (ordinal && (1..=31).contains(&day)).then_some(day)
}

fn number(view: &View, index: usize) -> u32 {
    view.word(index).parse().unwrap_or(0)
}

fn is_year(year: u32) -> bool {
    (1880..=2099).contains(&year)
}

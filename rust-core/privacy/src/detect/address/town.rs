//! What follows a street: a unit, a town and its postal code; and codes that are addresses by themselves.

use super::super::number::is_blank;
use super::super::push;
use super::super::view::{Shape, View};
use super::words::{MILITARY_TOWN, NUMBER_SIGN, TOWN_JOINING, roles, roles_as_written};
use super::{STREET_WORDS_MAX, TOWN_WORDS_MAX, inside_name, is_house_number, one_blank, report};
use crate::lexicon::{COMMON, FUNCTION, PARTICLE, PERSON_VERB, STATE, STREET_BEGIN, UNIT};
use crate::{Finding, FindingKind};

/// What may follow a street: a unit, a postal code and a town, a state. Gives the last token of the whole.
pub(super) fn tail(view: &View, mut last: usize) -> usize {
    for _ in 0..2 {
        last = unit(view, last).unwrap_or(last);
    }
    if let Some(end) = code_and_town(view, last) {
        return end;
    }
    if let Some(end) = district(view, last).and_then(|district| code_and_town(view, district)) {
        return end;
    }
    town_and_code(view, last).unwrap_or(last)
}

/// The last token of a district between a street and a postal code: "Rua Augusta, 10, **Bela Vista**, 01305-000 São Paulo".
fn district(view: &View, last: usize) -> Option<usize> {
    let small = is_small(view, last);
    let mut end = None;
    for index in last + 1..(last + 1 + STREET_WORDS_MAX).min(view.tokens.len()) {
        let gap = view.gap_before(index);
        let fits = if end.is_none() {
            comma_or_line(gap) && gap.contains([',', '\n'])
        } else {
            inside_name(gap)
        };
        if !fits || !is_town_word(view, index, small) && !view.is(index, PARTICLE) {
            break;
        }
        end = Some(index);
    }
    end
}

/// Whether the address that ends with token `last` is in small letters: its last word is.
fn is_small(view: &View, last: usize) -> bool {
    let words = (last.saturating_sub(4)..=last).rev();
    let mut words = words.filter(|&index| {
        let token = view.tokens[index];
        !matches!(token.shape, Shape::Digits | Shape::Mixed)
            && token.meaning & (UNIT | PARTICLE) == 0
            && roles(view.word(index)) & NUMBER_SIGN == 0
            && view.word(index).chars().count() > 1
    });
    words
        .next()
        .is_some_and(|index| view.tokens[index].shape == Shape::Lower)
}

/// A word of a town's name.
fn is_town_word(view: &View, index: usize, small: bool) -> bool {
    let token = view.tokens[index];
    match token.shape {
        Shape::Capitalised | Shape::Upper => true,
        Shape::Lower => small && token.meaning & (FUNCTION | PERSON_VERB) == 0,
        _ => false,
    }
}

pub(super) fn unit(view: &View, last: usize) -> Option<usize> {
    let word = last + 1;
    let number = last + 2;
    let gap = view.gap(last);
    if word < view.tokens.len() && gap.trim_end().ends_with('#') && gap.len() <= 4 && is_house_number(view, word) {
        return Some(word);
    }
    let short = |gap: &str| gap.len() <= 3;
    let fits = number < view.tokens.len()
        && view.is(word, UNIT)
        && comma_or_line(gap)
        && short(view.gap(word))
        && (is_house_number(view, number)
            || matches!(view.tokens[number].shape, Shape::Upper | Shape::Mixed) && view.word(number).len() <= 4
            || view.word(number).len() == 1);
    fits.then_some(number)
}

/// A comma, or a line's end with what stands before a quoted line.
pub(super) fn comma_or_line(gap: &str) -> bool {
    let signs = |character: char| is_blank(character) || matches!(character, ',' | '\n' | '\r' | '.' | '-' | '–' | '#');
    let lined = gap.contains('\n');
    gap.len() <= 16
        && gap
            .chars()
            .all(|character| signs(character) || lined && matches!(character, '>' | '?' | '|' | '*' | '\t'))
        && (!gap.contains('.') || gap.contains(',') || lined)
}

/// ", 12345 Berlin", "\n75011 Paris", ", 1012 AB Amsterdam", ", 00-950 Warszawa", ", 123 45 Stockholm".
pub(super) fn code_and_town(view: &View, last: usize) -> Option<usize> {
    let code = last + 1;
    let small = is_small(view, last);
    if code >= view.tokens.len() || !comma_or_line(view.gap(last)) {
        return None;
    }
    let mut town = code;
    // "D-12345"
    if view.word(code).len() <= 2 && view.gap(code) == "-" && view.tokens[code].shape != Shape::Digits {
        town += 1;
    }
    let digits = |index: usize, length: usize| {
        view.tokens.get(index).is_some_and(|token| token.shape == Shape::Digits) && view.word(index).len() == length
    };
    let capitals = |index: usize| {
        let shape = view.tokens.get(index).map(|token| token.shape);
        (shape == Some(Shape::Upper) || small && shape == Some(Shape::Lower)) && view.word(index).len() == 2
    };
    town = match () {
        () if digits(town, 2) && digits(town + 1, 3) && view.gap(town) == "-" => town + 2,
        () if digits(town, 3) && digits(town + 1, 2) && one_blank(view.gap(town)) => town + 2,
        () if digits(town, 4) && digits(town + 1, 3) && view.gap(town) == "-" => town + 2,
        () if digits(town, 5) && digits(town + 1, 3) && view.gap(town) == "-" => town + 2,
        () if digits(town, 4) && capitals(town + 1) => town + 2,
        () if is_dutch_code(view.word(town)) => town + 1,
        () if digits(town, 4) || digits(town, 5) || digits(town, 6) || digits(town, 8) => town + 1,
        () => return None,
    };
    let code_end = town - 1;
    // Behind a line's end or a comma a code may stand without a town, when the line ends with it.
    let ends = view.gap(code_end).contains('\n') || code_end + 1 == view.tokens.len();
    match town_words(view, code_end, small) {
        Some(end) => Some(end),
        None if ends && view.gap(last).contains([',', '\n']) => Some(code_end),
        None => None,
    }
}

/// The last token of the town behind token `before`.
fn town_words(view: &View, before: usize, small_town: bool) -> Option<usize> {
    let mut last = None;
    // In small letters the town's end does not show.
    let words = if small_town { 2 } else { TOWN_WORDS_MAX };
    for index in before + 1..(before + 1 + words).min(view.tokens.len()) {
        let gap = view.gap_before(index);
        let near = if last.is_none() {
            one_blank(gap) || matches!(gap, ", " | " - " | "\n" | ",\n")
        } else {
            one_blank(gap) || matches!(gap, "-" | "/" | "'" | ". ") && view.word(index - 1).len() <= 2 || gap == "-"
        };
        let token = view.tokens[index];
        let small = token.shape == Shape::Lower && token.meaning & PARTICLE != 0
            || token.shape == Shape::Lower
                && view.word(index).chars().count() <= 4
                && token.meaning & (FUNCTION | PERSON_VERB) == 0
            || roles_as_written(view.word(index)) & TOWN_JOINING != 0;
        let named = matches!(token.shape, Shape::Capitalised | Shape::Upper)
            && (token.meaning & FUNCTION == 0 || last.is_none() || gap == "-");
        let named = named
            || small_town
                && token.shape == Shape::Lower
                && token.meaning & (FUNCTION | PERSON_VERB) == 0
                && (last.is_none() || gap == "-" || token.meaning & COMMON == 0);
        let leading = last.is_none() && index == before + 1 && token.meaning & PARTICLE != 0;
        if !near || !(named || leading || small && last.is_some()) {
            break;
        }
        if named {
            last = Some(index);
        }
    }
    // "Trieste (TS)"
    let province = last.map(|last| last + 1).filter(|&province| {
        province < view.tokens.len()
            && matches!(view.gap_before(province), " (" | " / " | "/" | " - ")
            && view.word(province).len() == 2
            && (view.tokens[province].shape == Shape::Upper || small_town && view.gap_before(province) != " - ")
    });
    province.or(last)
}

/// ", Springfield, IL 62704", "\nNew York NY 10001-1234", ", London SW1A 1AA", ", Sydney NSW 2000".
fn town_and_code(view: &View, last: usize) -> Option<usize> {
    if last + 1 >= view.tokens.len() || !comma_or_line(view.gap(last)) || !view.gap(last).contains([',', '\n']) {
        return None;
    }
    // The town and what follows it, up to the code, in at most eight words.
    let mut town = None;
    let small = is_small(view, last);
    for index in last + 1..(last + 9).min(view.tokens.len()) {
        let gap = view.gap_before(index);
        if index > last + 1
            && !(one_blank(gap)
                || comma_or_line(gap)
                || matches!(gap, "." | ". " | "'" | " (" | ") ")
                || gap.chars().all(is_blank))
        {
            break;
        }
        let token = view.tokens[index];
        if is_british_code(view, index, small) {
            return Some(index + 1);
        }
        if let Some(end) = code_end(view, index) {
            return town.map(|_| end);
        }
        match token.shape {
            _ if is_town_word(view, index, small) => town = Some(index),
            Shape::Lower if token.meaning & PARTICLE != 0 => {}
            _ => break,
        }
    }
    town_alone(view, last)
}

/// The last token of a postal code that begins at `index`, in the forms that stand behind a town.
fn code_end(view: &View, index: usize) -> Option<usize> {
    let next = index + 1;
    let next_length = view.word(next).len();
    let next_is_number = view.tokens.get(next).is_some_and(|token| token.shape == Shape::Digits);
    match (view.tokens[index].shape, view.word(index).len()) {
        (Shape::Digits, 2) if view.gap(index) == "-" && next_length == 3 => Some(next),
        (Shape::Digits, 3) if one_blank(view.gap(index)) && matches!(next_length, 2 | 3) && next_is_number => {
            Some(next)
        }
        (Shape::Digits, 4..=6) => {
            let plus_four = view.gap(index) == "-" && matches!(next_length, 3 | 4) && next_is_number;
            Some(index + usize::from(plus_four))
        }
        (Shape::Mixed, _) if is_dutch_code(view.word(index)) => Some(index),
        _ => None,
    }
}

/// A town without a code: only what stands between the street's comma and the next sign.
fn town_alone(view: &View, last: usize) -> Option<usize> {
    let first = last + 1;
    let named = matches!(view.tokens[first].shape, Shape::Capitalised) && view.tokens[first].meaning & FUNCTION == 0;
    if !named || !view.gap(last).starts_with(',') {
        return None;
    }
    let mut end = first;
    while end + 1 < view.tokens.len()
        && end - first < 2
        && one_blank(view.gap(end))
        && view.tokens[end + 1].shape == Shape::Capitalised
        && view.tokens[end + 1].meaning & FUNCTION == 0
    {
        end += 1;
    }
    Some(end)
}

pub(super) fn tailed_by_code(view: &View, last: usize) -> bool {
    code_and_town(view, last).is_some()
        || district(view, last).is_some_and(|district| code_and_town(view, district).is_some())
        || town_and_code(view, last).is_some_and(|end| matches!(view.tokens[end].shape, Shape::Digits | Shape::Mixed))
}

/// "U Nového Dvora 6\n626 52 Trmice": capitalised words, a house number, and a postal code with its town.
pub(super) fn coded(view: &View, number: usize, found: &mut Vec<Finding>) {
    if number == 0 || !is_house_number(view, number) || !matches!(view.gap_before(number), " " | ", " | ". ") {
        return;
    }
    let mut last = number;
    let next = number + 1;
    if next < view.tokens.len() && matches!(view.gap(number), "/" | "-") && is_house_number(view, next) {
        last = next;
    }
    if code_and_town(view, last).is_none() && code_and_town(view, unit(view, last).unwrap_or(last)).is_none() {
        return;
    }
    let mut first = number;
    while first > 0 && number - first < STREET_WORDS_MAX {
        let before = first - 1;
        let token = view.tokens[before];
        let capital = matches!(token.shape, Shape::Capitalised | Shape::Upper) && token.meaning & FUNCTION == 0;
        let begins = token.meaning & STREET_BEGIN != 0;
        let small = token.shape == Shape::Lower && token.meaning & PARTICLE != 0 && first < number;
        if first < number && !inside_name(view.gap(before)) || !(capital || begins || small) {
            break;
        }
        first = before;
    }
    while first < number && view.tokens[first].shape == Shape::Lower && view.tokens[first].meaning & STREET_BEGIN == 0 {
        first += 1;
    }
    if first < number {
        report(view, first, last, 0.75, found);
    }
}

/// A British postcode by itself: "SW1A 1AA" (Royal Mail, Programmers' Guide to PAF).
pub(super) fn postcode(view: &View, first: usize, found: &mut Vec<Finding>) {
    if !is_british_code(view, first, false) {
        return;
    }
    push(
        found,
        FindingKind::StreetAddress,
        view.start(first)..view.end(first + 1),
        0.8,
    );
}

/// "Springfield, IL 62704", read from its ZIP code back; "FPO AP 96000" too.
pub(super) fn us_line(view: &View, zip: usize, found: &mut Vec<Finding>) {
    if view.word(zip).len() != 5
        || view.tokens[zip].shape != Shape::Digits
        || zip < 2
        || !one_blank(view.gap_before(zip))
    {
        return;
    }
    let state = zip - 1;
    if view.tokens[state].shape != Shape::Upper || !view.is(state, STATE) {
        return;
    }
    let town = state - 1;
    if !matches!(view.gap_before(state), " " | ", ")
        || !matches!(view.tokens[town].shape, Shape::Capitalised | Shape::Upper)
    {
        return;
    }
    let mut first = town;
    while first > 0
        && town - first + 1 < TOWN_WORDS_MAX
        && one_blank(view.gap_before(first))
        && view.tokens[first - 1].shape == Shape::Capitalised
        && view.tokens[first - 1].meaning & FUNCTION == 0
    {
        first -= 1;
    }
    // "USNS Smith" before "FPO AP 96000"
    if roles_as_written(view.word(town)) & MILITARY_TOWN != 0 && town >= 2 && view.gap_before(town) == "\n" {
        first = town - 2;
    }
    let last = zip + usize::from(zip + 1 < view.tokens.len() && view.gap(zip) == "-" && view.word(zip + 1).len() == 4);
    push(
        found,
        FindingKind::StreetAddress,
        view.start(first)..view.end(last),
        0.8,
    );
}

fn is_british_code(view: &View, first: usize, small: bool) -> bool {
    if first + 1 >= view.tokens.len() || !one_blank(view.gap(first)) {
        return false;
    }
    let shape = |word: &str| {
        word.bytes()
            .map(|byte| {
                if byte.is_ascii_digit() {
                    b'9'
                } else if byte.is_ascii_uppercase() || small && byte.is_ascii_lowercase() {
                    b'A'
                } else {
                    b'?'
                }
            })
            .collect::<Vec<_>>()
    };
    let (outward, inward) = (shape(view.word(first)), shape(view.word(first + 1)));
    let outward: &[u8] = &outward;
    matches!(outward, b"A9" | b"A99" | b"AA9" | b"AA99" | b"A9A" | b"AA9A") && inward == b"9AA"
}

/// "1012AB"
fn is_dutch_code(word: &str) -> bool {
    word.len() == 6
        && word.bytes().enumerate().all(|(index, byte)| {
            if index < 4 {
                byte.is_ascii_digit()
            } else {
                byte.is_ascii_alphabetic()
            }
        })
}

//! Streets: a name that its words or its ending give away, and a house number before or behind it.

use super::super::view::{Shape, View};
use super::town::{code_and_town, comma_or_line, tail, tailed_by_code, unit};
use super::words::{
    DIRECTION, NUMBER_ADDITION, PLAIN_STREET_END, STREET_JOINING, STREET_PREPOSITION, SURE_STREET_BEGINNING,
    WEAK_STREET_BEGINNING, WEAK_STREET_ENDING, is_ordinal, roles, roles_as_written, street_ending,
};
use super::{STREET_WORDS_MAX, inside_name, is_house_number, one_blank, report};
use crate::Finding;
use crate::lexicon::{ADDRESS, FIRST, FUNCTION, LAST, MONTH, PARTICLE, STREET_BEGIN, STREET_END, UNIT};

/// "12 Main Street", "221B Baker St", "350 5th Ave", "12, rue de la Paix".
///
/// The finding begins with token `from`; the number is `first`.
pub(super) fn number_first(view: &View, from: usize, first: usize, found: &mut Vec<Finding>) {
    let starts = is_house_number(view, first)
        && (first == 0 || !matches!(view.gap_before(first), "." | "/" | ":" | "$" | "€" | "£"));
    if !starts {
        return;
    }
    // "39/28"
    let double = first + 1 < view.tokens.len() && view.gap(first) == "/" && is_house_number(view, first + 1);
    let mut name = first + 1 + usize::from(double);
    let addition = view.word(name).is_ascii() && roles(view.word(name)) & NUMBER_ADDITION != 0;
    name += usize::from(addition);
    if name < view.tokens.len()
        && view.is(name, STREET_BEGIN)
        && matches!(view.gap_before(name), " " | ", " | ",")
        && let Some(last) = romance_name(view, name)
    {
        let strong = roles(view.word(name)) & SURE_STREET_BEGINNING != 0;
        let next_is_name = view.tokens[name + 1].shape != Shape::Lower || view.is(name + 1, PARTICLE);
        if next_is_name {
            report(view, from, last, if strong { 0.9 } else { 0.6 }, found);
            return;
        }
    }
    english_name(view, from, name, found);
}

/// The name of an English street from token `name`; the finding begins with token `from`.
fn english_name(view: &View, from: usize, name: usize, found: &mut Vec<Finding>) -> bool {
    let (mut last, mut small, mut capitals) = (None, false, None);
    for index in name..(name + STREET_WORDS_MAX).min(view.tokens.len()) {
        let token = view.tokens[index];
        let gap = view.gap_before(index);
        let abbreviated = view.word(index - 1).len() <= 2 || view.is(index - 1, STREET_END);
        if index > name && !(inside_name(gap) || gap == "\u{a0}") || gap == ". " && !abbreviated {
            break;
        }
        let word = view.word(index);
        let capital = matches!(token.shape, Shape::Capitalised | Shape::Upper);
        let named = capital || token.shape == Shape::Mixed && is_ordinal(word) || gap == "'" || gap == "’";
        let ends = token.meaning & STREET_END != 0 && index > name;
        let plain = ends && roles(word) & PLAIN_STREET_END != 0;
        if ends && (named || plain) {
            (last, small) = (Some(index), !named);
        }
        if capital && token.meaning & FUNCTION == 0 && !view.is(index, UNIT) {
            capitals = Some(index);
        }
        if view.is(index, UNIT) && !ends
            || !named && (token.shape != Shape::Lower || token.meaning & FUNCTION != 0 || ends)
        {
            break;
        }
    }
    // Small letters between are for small streets only: "123 main street", but no "5 people at the Park".
    let all_named =
        |last: usize| (name..last).all(|index| view.tokens[index].shape != Shape::Lower || view.is(index, PARTICLE));
    match (last, capitals) {
        (Some(last), _) if all_named(last) || small => {
            let directed = last + 1 < view.tokens.len()
                && one_blank(view.gap(last))
                && roles_as_written(view.word(last + 1)) & DIRECTION != 0;
            let confidence = if all_named(last) && !small { 0.85 } else { 0.65 };
            report(view, from, last + usize::from(directed), confidence, found);
            true
        }
        // No word for a street, but a flat or a town with its code behind it.
        (_, Some(last)) if all_named(last) && (unit(view, last).is_some() || tailed_by_code(view, last)) => {
            report(view, from, last, 0.7, found);
            true
        }
        _ => false,
    }
}

/// "Flat 3, Smith Common", "Studio 14j\nSmith Common".
pub(super) fn unit_first(view: &View, first: usize, found: &mut Vec<Finding>) {
    let number = first + 1;
    if !view.is(first, UNIT)
        || !is_house_number(view, number)
        || view.gap(first).len() > 2
        || number + 1 >= view.tokens.len()
    {
        return;
    }
    let gap = view.gap(number);
    if !(comma_or_line(gap) || gap == " ") {
        return;
    }
    let mut name = number + 1;
    // "Flat 3, 12 Smith Common"
    if is_house_number(view, name) && name + 1 < view.tokens.len() && one_blank(view.gap(name)) {
        name += 1;
    }
    english_name(view, first, name, found);
}

/// "Calle Mayor, 5", "Via Roma 12", "ul. Długa 5/7", "Rua das Flores, 10".
pub(super) fn street_word_first(view: &View, first: usize, found: &mut Vec<Finding>) {
    let Some(last) = romance_name(view, first) else {
        return;
    };
    let number = last + 1;
    let gap_ok = number < view.tokens.len() && matches!(view.gap(last), " " | ", " | ",");
    if gap_ok && is_house_number(view, number) {
        let capital = view.tokens[first + 1..=last]
            .iter()
            .any(|token| token.shape != Shape::Lower);
        if capital {
            let mut end = number;
            if number + 1 < view.tokens.len() && view.gap(number) == "/" && is_house_number(view, number + 1) {
                end += 1;
            }
            report(view, first, end, 0.85, found);
        }
        return;
    }
    let said = view.meanings_before(first, 6) & ADDRESS != 0;
    let tailed = tail(view, last) != last;
    if roles(view.word(first)) & WEAK_STREET_BEGINNING == 0
        && (said || tailed)
        && (!view.is(first, STREET_END) || code_and_town(view, last).is_some())
    {
        report(view, first, last, 0.65, found);
    }
}

/// The last token of a name that begins with a street word at `first`, without a house number behind it.
fn romance_name(view: &View, first: usize) -> Option<usize> {
    let mut last = None;
    for index in first + 1..(first + 1 + STREET_WORDS_MAX).min(view.tokens.len()) {
        let token = view.tokens[index];
        let gap = view.gap_before(index);
        if !(inside_name(gap) || gap == "/" && index == first + 1)
            || gap == ". " && index > first + 1 && view.word(index - 1).chars().count() > 2
        {
            break;
        }
        match token.shape {
            Shape::Capitalised | Shape::Upper => last = Some(index),
            Shape::Lower
                if token.meaning & PARTICLE != 0 || roles_as_written(view.word(index)) & STREET_JOINING != 0 => {}
            Shape::Digits
                if view.word(index).len() <= 2
                    && index + 1 < view.tokens.len()
                    && view.tokens[index + 1].shape == Shape::Capitalised
                    && view.is(index + 1, MONTH) => {}
            // "rue Lemaire" and names in small letters directly behind the word
            Shape::Lower if index == first + 1 && token.meaning & FUNCTION == 0 => last = Some(index),
            _ => break,
        }
    }
    last
}

/// "Hauptstraße 5", "Kurt-Schumacher-Str. 12a", "Kerkstraat 10", "Storgatan 3".
pub(super) fn suffixed(view: &View, index: usize, found: &mut Vec<Finding>) {
    let number = index + 1;
    if !is_house_number(view, number) || !matches!(view.gap(index), " " | ". " | "." | "\u{a0}") {
        return;
    }
    let word = view.word(index).to_lowercase();
    let Some(suffix) = street_ending(&word) else {
        return;
    };
    let alone = word.len() == suffix.len();
    let hyphened = index > 0 && view.gap_before(index) == "-";
    let adjective = index > 0
        && one_blank(view.gap_before(index))
        && view.tokens[index - 1].shape == Shape::Capitalised
        && view.tokens[index - 1].meaning & FUNCTION == 0;
    let weak = roles_as_written(suffix) & WEAK_STREET_ENDING != 0 && !hyphened;
    if weak
        && (word.len() < suffix.len() + 4
            || view.is(index, FIRST | LAST)
            || suffix != "str" && !tailed_by_code(view, number))
        || alone && !hyphened && !adjective
    {
        return;
    }
    let mut first = index;
    while first > 0
        && index - first < STREET_WORDS_MAX
        && (view.gap_before(first) == "-"
            || alone
                && index - first < 2
                && one_blank(view.gap_before(first))
                && adjective
                && view.tokens[first - 1].shape == Shape::Capitalised
                && view.tokens[first - 1].meaning & FUNCTION == 0)
    {
        first -= 1;
    }
    let mut last = number;
    // "5-7", "5 a"
    let next = last + 1;
    let range = next < view.tokens.len() && matches!(view.gap(last), "-" | "/") && is_house_number(view, next);
    let letter = next < view.tokens.len()
        && one_blank(view.gap(last))
        && view.word(next).len() == 1
        && view.tokens[next].shape != Shape::Digits;
    last += usize::from(range || letter);
    report(view, first, last, 0.85, found);
}

/// "Am Markt 5, 12345 Berlin": a house number behind a short prepositional name, and a postal code behind that.
pub(super) fn preposition_first(view: &View, first: usize, found: &mut Vec<Finding>) {
    if roles_as_written(view.word(first)) & STREET_PREPOSITION == 0 {
        return;
    }
    for index in first + 1..(first + 4).min(view.tokens.len()) {
        if !inside_name(view.gap_before(index)) {
            return;
        }
        if is_house_number(view, index) {
            let said = view.meanings_before(first, 6) & ADDRESS != 0;
            if index > first + 1
                && view.tokens[index - 1].shape == Shape::Capitalised
                && (said || tailed_by_code(view, index))
            {
                report(view, first, index, 0.75, found);
            }
            return;
        }
    }
}

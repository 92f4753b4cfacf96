//! Streets: a name that is recognised by its words or its ending, and a house number before or after it.

use super::super::view::{Shape, View};
use super::town::{code_and_town, comma_or_line, tail, tailed_by_code, unit};
use super::words::{
    DIRECTION, NUMBER_ADDITION, NUMBER_SIGN, PLAIN_STREET_END, STREET_JOINING, STREET_PREPOSITION,
    SURE_STREET_BEGINNING, WEAK_STREET_BEGINNING, WEAK_STREET_ENDING, is_ordinal, roles, roles_as_written,
    street_ending,
};
use super::{STREET_WORDS_MAX, inside_name, is_house_number, one_blank, report};
use crate::Finding;
use crate::lexicon::{
    ADDRESS, COMMON, FIRST, FOREIGN, FUNCTION, LAST, MONTH, PARTICLE, PERSON_VERB, STREET_BEGIN, STREET_END, UNIT,
};

/// "12 Main Street", "221B Baker St", "350 5th Ave", "12, rue de la Paix".
/// The number is token `first`.
pub(super) fn number_first(view: &View, first: usize, found: &mut Vec<Finding>) {
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
        && let Some(last) = romance_name(view, name).or_else(|| small_street(view, name))
    {
        let small = view.tokens[last].shape == Shape::Lower;
        let strong = roles(view.word(name)) & SURE_STREET_BEGINNING != 0;
        let next_is_name = view.tokens[name + 1].shape != Shape::Lower || view.is(name + 1, PARTICLE);
        let last = small_street(view, name).unwrap_or(last);
        if next_is_name && !small || strong && tailed_by_code(view, last) {
            report(view, first, last, if strong { 0.9 } else { 0.6 }, found);
            return;
        }
    }
    english_name(view, first, name, found);
}

/// The last word of a street's name in small letters that begins with the street word `name` and goes on to a comma or a line's end.
fn small_street(view: &View, name: usize) -> Option<usize> {
    let words = name..(name + STREET_WORDS_MAX).min(view.tokens.len());
    let mut words = words.take_while(|&index| {
        view.tokens[index].shape == Shape::Lower && (index == name || inside_name(view.gap_before(index)))
    });
    words.find(|&index| index > name && view.gap(index).starts_with([',', '\n']))
}

/// The name of an English street from token `name`; the finding begins with token `from`.
fn english_name(view: &View, from: usize, name: usize, found: &mut Vec<Finding>) {
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
        // "29 frank park, godfreyshire, ub40 6fw"
        (None, _) if let Some(last) = small_end(view, name) => {
            report(view, from, last, 0.7, found);
        }
        (Some(last), _) if all_named(last) || small => {
            let directed = last + 1 < view.tokens.len()
                && one_blank(view.gap(last))
                && roles_as_written(view.word(last + 1)) & DIRECTION != 0;
            let confidence = if all_named(last) && !small { 0.85 } else { 0.65 };
            report(view, from, last + usize::from(directed), confidence, found);
        }
        // No word for a street, but a flat or a town with its code behind it.
        (_, Some(last)) if all_named(last) && (unit(view, last).is_some() || tailed_by_code(view, last)) => {
            report(view, from, last, 0.7, found);
        }
        _ => {}
    }
}

/// The last token of an English street's name in small letters, with a unit or a postal code behind it.
fn small_end(view: &View, name: usize) -> Option<usize> {
    (name..(name + 4).min(view.tokens.len()))
        .take_while(|&index| {
            view.tokens[index].shape == Shape::Lower
                && (index == name || inside_name(view.gap_before(index)))
                && view.tokens[index].meaning & FUNCTION == 0
        })
        .find(|&index| {
            let ends = index > name && view.is(index, STREET_END);
            ends && (unit(view, index).is_some() || tailed_by_code(view, index))
        })
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

/// "Calle Mayor, 5", "Via Roma n. 12", "ul. Długa 5/7", "Rua das Flores, 10", "calle mayor 5".
pub(super) fn street_word_first(view: &View, first: usize, found: &mut Vec<Finding>) {
    let small = view.tokens[first].shape == Shape::Lower;
    // "OS X 10" is no osiedle, "Al Green" no aleja.
    let abbreviated = view.word(first).chars().count() <= 2;
    if abbreviated && !small && !view.gap(first).starts_with(['.', '/']) {
        return;
    }
    let weak = roles(view.word(first)) & WEAK_STREET_BEGINNING != 0;
    let said = view.meanings_before(first, 6) & ADDRESS != 0;
    let named = romance_name(view, first);
    if let Some(last) = named
        && let Some(number) = number_behind(view, last)
    {
        let capital = view.tokens[first + 1..=last]
            .iter()
            .any(|token| token.shape != Shape::Lower);
        if capital {
            report(view, first, number_tail(view, number), 0.85, found);
            return;
        }
    }
    if small && let Some(number) = small_name(view, first) {
        let number = number_tail(view, number);
        let dotted = view.gap(first).starts_with(['.', '/']);
        if !weak || dotted || said || unit(view, number).is_some() || tailed_by_code(view, number) {
            report(view, first, number, 0.7, found);
        }
        return;
    }
    let Some(last) = named.filter(|&last| number_behind(view, last).is_none()) else {
        return;
    };
    let tailed = tail(view, last) != last;
    if !weak && (said || tailed) && (!view.is(first, STREET_END) || code_and_town(view, last).is_some()) {
        report(view, first, last, 0.65, found);
    }
}

/// The house number behind a street's name: "5", ", 5", "nº 5", "n. 5", "# 5".
fn number_behind(view: &View, last: usize) -> Option<usize> {
    let next = last + 1;
    if next >= view.tokens.len() || view.gap(last).contains('\n') {
        return None;
    }
    let gap = view.gap(last);
    if is_house_number(view, next) {
        return matches!(gap, " " | ", " | "," | " #" | " # " | ", #" | "\u{a0}").then_some(next);
    }
    let near = is_house_number(view, next + 1)
        && matches!(gap, " " | ", " | ",")
        && view.gap(next).chars().count() <= 3
        && !view.gap(next).contains(['\n', ':']);
    (near && roles(view.word(next)) & NUMBER_SIGN != 0).then_some(next + 1)
}

/// The last token of a house number that begins with token `number`: "5/7", "62-14", "12 a", "143 174".
fn number_tail(view: &View, number: usize) -> usize {
    let next = number + 1;
    if next >= view.tokens.len() {
        return number;
    }
    let gap = view.gap(number);
    let ends = next + 1 >= view.tokens.len() || view.gap(next).starts_with([',', '\n', ' ', '.']);
    let letter = one_blank(gap) && view.word(next).len() == 1 && view.tokens[next].shape == Shape::Capitalised;
    let second = one_blank(gap) && view.tokens[next].shape == Shape::Digits && view.word(next).len() <= 4 && ends;
    let range = matches!(gap, "/" | "-" | "–") && is_house_number(view, next);
    number + usize::from(letter || second || range)
}

/// The house number behind a street's name in small letters, which begins with a street word at `first`: "via perini, 40".
fn small_name(view: &View, first: usize) -> Option<usize> {
    for index in first + 1..(first + 1 + STREET_WORDS_MAX).min(view.tokens.len()) {
        let token = view.tokens[index];
        // English words that only join others end a name; foreign ones are parts of it.
        let ends = token.meaning & FUNCTION != 0 && token.meaning & (COMMON | PARTICLE) == COMMON
            || token.meaning & PERSON_VERB != 0 && token.meaning & PARTICLE == 0;
        let gap = view.gap_before(index);
        let joined = inside_name(gap) || gap == "/" && index == first + 1;
        if token.shape != Shape::Lower || ends || !joined || gap == ". " && index > first + 1 {
            return None;
        }
        if let Some(number) = number_behind(view, index) {
            return Some(number);
        }
    }
    None
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
    let directly = is_house_number(view, number) && matches!(view.gap(index), " " | ". " | "." | "\u{a0}");
    let Some(number) = (if directly {
        Some(number)
    } else {
        number_behind(view, index)
    }) else {
        return;
    };
    let word = view.word(index).to_lowercase();
    let Some(suffix) = street_ending(&word) else {
        return;
    };
    let alone = word.len() == suffix.len();
    let small = view.tokens[index].shape == Shape::Lower;
    if small
        && (alone && view.gap_before(index) != "-"
            || view.tokens[index].meaning & (COMMON | FOREIGN | FUNCTION) != 0 && !alone)
    {
        return;
    }
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
    report(view, first, number_tail(view, number), 0.85, found);
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

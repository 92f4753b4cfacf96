//! Addresses of people's homes and offices: a street with a house number, a post box, a postal code with its town.
//!
//! The words that end English streets' names are those of USPS Publication 28, appendix C, and a few British ones.

use super::number::is_blank;
use super::view::{Shape, View};
use crate::lexicon::{
    ADDRESS, FIRST, FUNCTION, LAST, PARTICLE, PERSON_VERB, STATE, STREET_BEGIN, STREET_END, UNIT, meaning,
};
use crate::{Finding, FindingKind};

/// The most words in a street's name, and in a town's.
const STREET_WORDS_MAX: usize = 6;
const TOWN_WORDS_MAX: usize = 4;

/// Endings of one-word street names: German, Dutch, Scandinavian, Finnish.
const SUFFIXES: &[&str] = &[
    "straße", "strasse", "str", "weg", "platz", "allee", "gasse", "damm", "ring", "ufer", "steig", "chaussee", "stieg",
    "straat", "laan", "plein", "gracht", "kade", "singel", "dijk", "steeg", "dreef", "baan", "gatan", "vägen", "gränd",
    "torget", "stigen", "vej", "gade", "veien", "vegen", "gata", "katu", "kuja", "polku", "tie", "markt", "graben",
    "gate", "väg", "hof", "pad",
];
/// Endings that other words have too, so that the name must be long and no person's.
const WEAK_SUFFIXES: &[&str] = &["ring", "tie", "str", "gate", "hof", "pad", "baan"];
/// Words that may begin a street's name in lower case or that are other words too: they need a house number right behind the name.
const WEAK_BEGINNINGS: &[&str] = &[
    "c", "pl", "os", "via", "place", "route", "square", "av", "la", "passage", "acceso", "parque", "cours", "vial",
    "largo", "bd", "quai", "canada", "canale", "camino",
];
/// English endings that are hardly ever other words behind a number, so that small letters will do.
const PLAIN_ENDINGS: &[&str] = &[
    "street",
    "st",
    "avenue",
    "ave",
    "road",
    "rd",
    "lane",
    "drive",
    "boulevard",
    "bulevardi",
    "puistotie",
    "blvd",
    "court",
    "crescent",
    "terrace",
    "close",
];

/// Reads an address at token `first`; what it finds begins there or a few words before.
pub(super) fn at(view: &View, first: usize, found: &mut Vec<Finding>) {
    let token = view.tokens[first];
    match token.shape {
        Shape::Digits | Shape::Mixed => {
            number_first(view, first, first, found);
            coded(view, first, found);
            postcode(view, first, found);
            us_line(view, first, found);
        }
        Shape::Lower | Shape::Capitalised | Shape::Upper => {
            if token.meaning & STREET_BEGIN != 0 {
                street_word_first(view, first, found);
            }
            if token.shape != Shape::Lower {
                suffixed(view, first, found);
                preposition_first(view, first, found);
            }
            box_number(view, first, found);
            unit_first(view, first, found);
        }
    }
}

fn report(view: &View, first: usize, last: usize, confidence: f32, found: &mut Vec<Finding>) {
    let last = tail(view, last);
    super::push(
        found,
        FindingKind::StreetAddress,
        view.start(first)..view.end(last),
        confidence,
    );
}

fn one_blank(gap: &str) -> bool {
    let mut characters = gap.chars();
    characters.next().is_some_and(is_blank) && characters.next().is_none()
}

/// A gap inside a street's name.
fn inside_name(gap: &str) -> bool {
    one_blank(gap) || matches!(gap, ". " | "-" | "'" | "’" | ".")
}

fn is_house_number(view: &View, index: usize) -> bool {
    let Some(token) = view.tokens.get(index) else {
        return false;
    };
    let word = view.word(index);
    match token.shape {
        Shape::Digits => word.len() <= 6,
        Shape::Mixed => {
            word.len() <= 6
                && word.as_bytes()[0].is_ascii_digit()
                && word.bytes().filter(u8::is_ascii_alphabetic).count() <= 2
                && !is_ordinal(word)
        }
        _ => false,
    }
}

fn is_ordinal(word: &str) -> bool {
    let word = word.to_ascii_lowercase();
    ["st", "nd", "rd", "th"].iter().any(|suffix| {
        word.strip_suffix(suffix)
            .is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
    })
}

/// "12 Main Street", "221B Baker St", "350 5th Ave", "12, rue de la Paix".
///
/// The finding begins with token `from`; the number is `first`.
fn number_first(view: &View, from: usize, first: usize, found: &mut Vec<Finding>) {
    let starts = is_house_number(view, first)
        && (first == 0 || !matches!(view.gap_before(first), "." | "/" | ":" | "$" | "€" | "£"));
    if !starts {
        return;
    }
    // "39/28"
    let double = first + 1 < view.tokens.len() && view.gap(first) == "/" && is_house_number(view, first + 1);
    let mut name = first + 1 + usize::from(double);
    let french = ["bis", "ter", "quater"]
        .iter()
        .any(|word| name < view.tokens.len() && view.word(name).eq_ignore_ascii_case(word));
    name += usize::from(french);
    if name < view.tokens.len()
        && view.is(name, STREET_BEGIN)
        && matches!(view.gap_before(name), " " | ", " | ",")
        && let Some(last) = romance_name(view, name)
    {
        let strong = ["rue", "avenue", "boulevard", "chemin", "allee", "impasse", "quai"]
            .contains(&fold(view.word(name)).as_str());
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
        let plain = ends && PLAIN_ENDINGS.contains(&fold(word).as_str());
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
                && matches!(
                    view.word(last + 1),
                    "N" | "S" | "E" | "W" | "NW" | "NE" | "SW" | "SE" | "North" | "South" | "East" | "West"
                );
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
fn unit_first(view: &View, first: usize, found: &mut Vec<Finding>) {
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

/// "U Nového Dvora 6\n626 52 Trmice": capitalised words, a house number, and a postal code with its town.
fn coded(view: &View, number: usize, found: &mut Vec<Finding>) {
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

fn fold(word: &str) -> String {
    word.chars().flat_map(crate::letters::folded).collect()
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
                if token.meaning & PARTICLE != 0
                    || matches!(
                        view.word(index),
                        "d" | "l" | "dell" | "dei" | "degli" | "delle" | "della" | "sur" | "aux" | "à" | "i"
                    ) => {}
            Shape::Digits
                if view.word(index).len() <= 2
                    && index + 1 < view.tokens.len()
                    && view.tokens[index + 1].shape == Shape::Capitalised
                    && view.is(index + 1, crate::lexicon::MONTH) => {}
            // "rue Lemaire" and names in small letters directly behind the word
            Shape::Lower if index == first + 1 && token.meaning & FUNCTION == 0 => last = Some(index),
            _ => break,
        }
    }
    last
}

/// "Calle Mayor, 5", "Via Roma 12", "ul. Długa 5/7", "Rua das Flores, 10".
fn street_word_first(view: &View, first: usize, found: &mut Vec<Finding>) {
    let Some(last) = romance_name(view, first) else {
        return;
    };
    let word = fold(view.word(first));
    let number = last + 1;
    let gap_ok = number < view.tokens.len()
        && matches!(
            view.gap(last),
            " " | ", " | " nº " | ", nº " | ", n. " | " n. " | " nr " | ","
        );
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
    if !WEAK_BEGINNINGS.contains(&word.as_str())
        && (said || tailed)
        && (!view.is(first, STREET_END) || code_and_town(view, last).is_some())
    {
        report(view, first, last, 0.65, found);
    }
}

/// "Hauptstraße 5", "Kurt-Schumacher-Str. 12a", "Kerkstraat 10", "Storgatan 3".
fn suffixed(view: &View, index: usize, found: &mut Vec<Finding>) {
    let number = index + 1;
    if !is_house_number(view, number) || !matches!(view.gap(index), " " | ". " | "." | "\u{a0}") {
        return;
    }
    let word = view.word(index).to_lowercase();
    let Some(suffix) = SUFFIXES.iter().find(|suffix| word.ends_with(**suffix)) else {
        return;
    };
    let alone = word.len() == suffix.len();
    let hyphened = index > 0 && view.gap_before(index) == "-";
    let adjective = index > 0
        && one_blank(view.gap_before(index))
        && view.tokens[index - 1].shape == Shape::Capitalised
        && view.tokens[index - 1].meaning & FUNCTION == 0;
    let weak = WEAK_SUFFIXES.contains(suffix) && !hyphened;
    if weak
        && (word.len() < suffix.len() + 4
            || view.is(index, FIRST | LAST)
            || *suffix != "str" && !tailed_by_code(view, number))
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
fn preposition_first(view: &View, first: usize, found: &mut Vec<Finding>) {
    if !matches!(
        view.word(first),
        "Am" | "An" | "Auf" | "Im" | "In" | "Zum" | "Zur" | "Unter" | "Hinter" | "Vor" | "Bei"
    ) {
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

fn tailed_by_code(view: &View, last: usize) -> bool {
    code_and_town(view, last).is_some()
        || town_and_code(view, last).is_some_and(|end| view.tokens[end].shape != Shape::Capitalised)
}

/// "P.O. Box 12", "Postfach 12 34", "BP 12", "Box 1234", "PSC 1234, Box 12".
fn box_number(view: &View, first: usize, found: &mut Vec<Finding>) {
    if !(first + 1..=first + 3).any(|index| is_house_number(view, index)) {
        return;
    }
    let word = fold(view.word(first));
    let number = match word.as_str() {
        "po" | "psc" | "unit" | "box" | "postfach" | "postbus" | "bp" | "postboks" | "pl" | "postilokero" => first + 1,
        "p" if first + 1 < view.tokens.len()
            && matches!(view.gap(first), "." | ". " | "/")
            && view.word(first + 1).eq_ignore_ascii_case("o") =>
        {
            first + 2
        }
        "apartado" | "casella" | "caixa" | "skrytka" | "boite" => first + 1,
        _ => return,
    };
    let mut number = number;
    let mut named = matches!(word.as_str(), "postfach" | "postbus" | "postboks" | "postilokero")
        || word == "bp" && view.tokens[first].shape == Shape::Upper;
    for _ in 0..2 {
        if number >= view.tokens.len() || is_house_number(view, number) {
            break;
        }
        let next = fold(view.word(number));
        named |= matches!(next.as_str(), "box" | "postal" | "postale" | "pocztowa" | "correos");
        if !matches!(
            next.as_str(),
            "box" | "postal" | "postale" | "pocztowa" | "de" | "correos"
        ) {
            return;
        }
        number += 1;
    }
    let military = matches!(word.as_str(), "psc" | "unit")
        && is_house_number(view, number)
        && number + 2 < view.tokens.len()
        && fold(view.word(number + 1)) == "box"
        && is_house_number(view, number + 2);
    if military {
        report(view, first, number + 2, 0.9, found);
    } else if named && is_house_number(view, number) && view.gap_before(number).chars().count() <= 2 {
        report(view, first, number, 0.85, found);
    }
}

/// A British postcode by itself: "SW1A 1AA" (Royal Mail, Programmers' Guide to PAF).
fn postcode(view: &View, first: usize, found: &mut Vec<Finding>) {
    if !is_british_code(view, first) {
        return;
    }
    super::push(
        found,
        FindingKind::StreetAddress,
        view.start(first)..view.end(first + 1),
        0.8,
    );
}

fn is_british_code(view: &View, first: usize) -> bool {
    if first + 1 >= view.tokens.len() || !one_blank(view.gap(first)) {
        return false;
    }
    let shape = |word: &str| {
        word.bytes()
            .map(|byte| {
                if byte.is_ascii_digit() {
                    b'9'
                } else if byte.is_ascii_uppercase() {
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

/// "Springfield, IL 62704", read from its ZIP code back; "FPO AP 96000" too.
fn us_line(view: &View, zip: usize, found: &mut Vec<Finding>) {
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
    if matches!(view.word(town), "FPO" | "APO" | "DPO") && town >= 2 && view.gap_before(town) == "\n" {
        first = town - 2;
    }
    let last = zip + usize::from(zip + 1 < view.tokens.len() && view.gap(zip) == "-" && view.word(zip + 1).len() == 4);
    super::push(
        found,
        FindingKind::StreetAddress,
        view.start(first)..view.end(last),
        0.8,
    );
}

/// What may follow a street: a unit, a postal code and a town, a state. Gives the last token of the whole.
fn tail(view: &View, mut last: usize) -> usize {
    for _ in 0..2 {
        last = unit(view, last).unwrap_or(last);
    }
    if let Some(end) = code_and_town(view, last) {
        return end;
    }
    town_and_code(view, last).unwrap_or(last)
}

/// A comma, or a line's end with what stands before a quoted line.
fn comma_or_line(gap: &str) -> bool {
    let signs = |character: char| is_blank(character) || matches!(character, ',' | '\n' | '\r' | '.' | '-' | '–' | '#');
    let lined = gap.contains('\n');
    gap.len() <= 16
        && gap
            .chars()
            .all(|character| signs(character) || lined && matches!(character, '>' | '?' | '|' | '*' | '\t'))
        && (!gap.contains('.') || gap.contains(',') || lined)
}

fn unit(view: &View, last: usize) -> Option<usize> {
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

/// ", 12345 Berlin", "\n75011 Paris", ", 1012 AB Amsterdam", ", 00-950 Warszawa", ", 123 45 Stockholm".
fn code_and_town(view: &View, last: usize) -> Option<usize> {
    let code = last + 1;
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
        index < view.tokens.len() && view.tokens[index].shape == Shape::Upper && view.word(index).len() == 2
    };
    town = match () {
        () if digits(town, 2) && digits(town + 1, 3) && view.gap(town) == "-" => town + 2,
        () if digits(town, 3) && digits(town + 1, 2) && one_blank(view.gap(town)) => town + 2,
        () if digits(town, 4) && digits(town + 1, 3) && view.gap(town) == "-" => town + 2,
        () if digits(town, 5) && digits(town + 1, 3) && view.gap(town) == "-" => town + 2,
        () if digits(town, 4) && capitals(town + 1) => town + 2,
        () if is_dutch_code(view.word(town)) => town + 1,
        () if digits(town, 4) || digits(town, 5) => town + 1,
        () => return None,
    };
    let code_end = town - 1;
    // Behind a line's end or a comma a code may stand without a town, when the line ends with it.
    let ends = view.gap(code_end).contains('\n') || code_end + 1 == view.tokens.len();
    match town_words(view, code_end) {
        Some(end) => Some(end),
        None if ends && view.gap(last).contains([',', '\n']) => Some(code_end),
        None => None,
    }
}

/// "1012AB"
fn is_dutch_code(word: &str) -> bool {
    word.len() == 6
        && word.bytes().enumerate().all(|(index, byte)| {
            if index < 4 {
                byte.is_ascii_digit()
            } else {
                byte.is_ascii_uppercase()
            }
        })
}

/// The last token of the town behind token `before`.
fn town_words(view: &View, before: usize) -> Option<usize> {
    let mut last = None;
    for index in before + 1..(before + 1 + TOWN_WORDS_MAX).min(view.tokens.len()) {
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
            || matches!(view.word(index), "am" | "an" | "sur" | "les" | "aan" | "upon");
        let named = matches!(token.shape, Shape::Capitalised | Shape::Upper)
            && (token.meaning & FUNCTION == 0 || last.is_none());
        if !near || !(named || small && last.is_some()) {
            break;
        }
        if named {
            last = Some(index);
        }
    }
    // "Trieste (TS)"
    let province = last.map(|last| last + 1).filter(|&province| {
        province < view.tokens.len()
            && view.gap_before(province) == " ("
            && view.word(province).len() == 2
            && view.tokens[province].shape == Shape::Upper
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
        if is_british_code(view, index) {
            return Some(index + 1);
        }
        match token.shape {
            Shape::Digits
                if view.word(index).len() == 3
                    && index + 1 < view.tokens.len()
                    && one_blank(view.gap(index))
                    && matches!(view.word(index + 1).len(), 2 | 3)
                    && view.tokens[index + 1].shape == Shape::Digits =>
            {
                return town.map(|_| index + 1);
            }
            Shape::Digits if matches!(view.word(index).len(), 4..=6) && town.is_some() => {
                let plus_four = index + 1 < view.tokens.len()
                    && view.gap(index) == "-"
                    && matches!(view.word(index + 1).len(), 3 | 4)
                    && view.tokens[index + 1].shape == Shape::Digits;
                return Some(index + usize::from(plus_four));
            }
            Shape::Mixed if is_dutch_code(view.word(index)) && town.is_some() => return Some(index),
            Shape::Digits
                if view.word(index).len() == 2
                    && index + 1 < view.tokens.len()
                    && view.gap(index) == "-"
                    && view.word(index + 1).len() == 3 =>
            {
                return town.map(|_| index + 1);
            }
            Shape::Capitalised | Shape::Upper => town = Some(index),
            Shape::Lower if meaning(view.word(index)) & PARTICLE != 0 => {}
            _ => break,
        }
    }
    // A town without a code: only what stands between the street's comma and the next sign.
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

//! The confidence that a run of capitalised words is a name.

use super::super::push;
use super::super::view::{Shape, View};
use super::context::{is_beside_other_script, is_foreign, is_german, is_ordinary_here};
use super::cue::{Cue, cue};
use super::words::{AND, APPEAL, PLACE_BEGINNING, roles, roles_as_written};
use super::{behind_article, is_capital, is_given, is_last, is_unknown, starts_sentence};
use crate::lexicon::{
    AMBIGUOUS, COMMON, FIRST, FOREIGN, FUNCTION, LAST, MONTH, NO_NAME, ORGANISATION, PERSON_VERB, STREET_END,
};
use crate::{Finding, FindingKind};

/// How sure it is that the run is a name.
pub(super) fn judge(view: &View, first: usize, last: usize, found: &mut Vec<Finding>) {
    let cue = cue(view, first);
    let words: Vec<usize> = (first..=last)
        .filter(|&index| view.tokens[index].shape != Shape::Lower)
        .collect();
    let behind = &view.text[view.end(last)..];
    let verb = behind.starts_with("'s ")
        || behind.starts_with("’s ")
        || last + 1 < view.tokens.len()
            && view.gap(last) == " "
            && view.is(last + 1, PERSON_VERB)
            && view.tokens[last + 1].shape == Shape::Lower;
    let start = words.iter().copied().find(|&index| is_given(view, index));
    let (from, confidence) = match (words.len(), start) {
        (1, _) => (first, single(view, first, cue, verb)),
        (_, Some(start)) => with_given(view, &words, start, cue, verb),
        (_, None) => (first, without_given(view, &words, cue, verb)),
    };
    let organisation = names_firm(view, &words, cue)
        || last + 1 < view.tokens.len()
            && matches!(view.gap(last), " " | ", " | " & " | "-")
            && is_capital(view, last + 1)
            && view.is(last + 1, ORGANISATION | STREET_END)
            && !view.is(last + 1, FIRST);
    // "Lake Robert", "New Steven"
    let named_place = from > 0
        && view.gap_before(from) == " "
        && is_capital(view, from - 1)
        && roles(view.word(from - 1)) & PLACE_BEGINNING != 0;
    let place = roles(view.word(from)) & PLACE_BEGINNING != 0
        || named_place
        || words.len() > 1 && view.is(last, STREET_END) && !view.is(last, LAST);
    // "the Moon", "the Princess Royal"; "the Maria Smith who …" is a person all the same.
    let article = cue < Cue::Speech && behind_article(view, first);
    let confidence =
        if article && (words.len() == 1 || start.is_none() && !words.iter().all(|&index| is_unknown(view, index))) {
            confidence - 0.3
        } else {
            confidence
        };
    let supported = if cue >= Cue::Strong && confidence > 0.4 {
        confidence.max(0.8)
    } else {
        confidence
    };
    let confidence = if organisation || place && cue < Cue::Strong {
        supported - 0.45
    } else {
        supported
    };
    if confidence > 0.0 && view.word(from).chars().any(char::is_alphabetic) {
        push(
            found,
            FindingKind::PersonName,
            view.start(from)..view.end(last),
            confidence,
        );
    }
}

/// Several words, one of which is a given name for sure: where the name begins, and how sure it is.
fn with_given(view: &View, words: &[usize], start: usize, cue: Cue, verb: bool) -> (usize, f32) {
    let first = words[0];
    // The given name first, or an unknown one before it.
    let joined = is_unknown(view, first)
        || view.is(first, FIRST)
        || view.is(first, LAST) && !starts_sentence(view, first)
        || cue >= Cue::Strong;
    let from = if joined { first } else { start };
    let confidence = match words.iter().copied().find(|&index| index > start) {
        Some(second)
            if view.is(second, LAST | FIRST) || is_unknown(view, second) || view.word(second).chars().count() == 1 =>
        {
            0.92
        }
        Some(second) if view.is(second, NO_NAME | MONTH) => 0.5,
        Some(_) => 0.75,
        None if from < start => 0.7,
        None => single(view, start, Cue::None, verb),
    };
    (from, confidence)
}

/// Several words, none of which is a given name for sure.
fn without_given(view: &View, words: &[usize], cue: Cue, verb: bool) -> f32 {
    let first = words[0];
    let maybe_given = view.is(first, FIRST);
    let initial = |index: usize| view.word(index).chars().count() == 1;
    let unknown = words
        .iter()
        .filter(|&&index| is_unknown(view, index) || is_last(view, index))
        .count();
    let initials = words.iter().filter(|&&index| initial(index)).count();
    let known_last = words[1..].iter().any(|&index| is_last(view, index));
    let maybe_last = words[1..].iter().any(|&index| view.is(index, LAST));
    match cue {
        _ if unknown == 0 && !maybe_given && cue < Cue::Title => 0.2,
        Cue::Strong | Cue::Named | Cue::Title => 0.85,
        _ if maybe_given && known_last => 0.75,
        // German writes every noun with a capital, and every language the first word of a sentence.
        Cue::None if is_german(view, first) => 0.4,
        // Among the letters of another script, Latin ones are mostly brands.
        Cue::None if is_beside_other_script(view, first) || is_beside_other_script(view, words[words.len() - 1]) => 0.4,
        Cue::None if is_foreign(view, first) && (starts_sentence(view, first) || is_heading(view, words)) => 0.4,
        _ if unknown + initials == words.len() && unknown > 0 => 0.62,
        _ if maybe_given && unknown > 0 => 0.6,
        _ if is_unknown(view, first) && maybe_last => 0.6,
        Cue::Speech | Cue::Weak if maybe_given && maybe_last => 0.6,
        _ if maybe_given && maybe_last && (verb || !starts_sentence(view, first)) => 0.55,
        _ if maybe_given && maybe_last && is_alone(view, words) => 0.55,
        Cue::Speech => 0.5,
        _ => 0.3,
    }
}

/// Family names that stand together as in the name of a firm: "Castro, Mahoney and Larson", "Boyd-Larson", "Mahoney and Sons".
fn names_firm(view: &View, words: &[usize], cue: Cue) -> bool {
    let family = |index: usize| index < view.tokens.len() && is_capital(view, index) && view.is(index, LAST);
    let only_family = |index: usize| !view.is(index, FIRST);
    let (first, last) = (words[0], words[words.len() - 1]);
    if cue >= Cue::Speech {
        return false;
    }
    if let [one, two] = *words {
        return view.gap(one) == "-" && family(one) && family(two) && only_family(two);
    }
    if words.len() > 1 {
        return false;
    }
    let and = |index: usize| index < view.tokens.len() && roles_as_written(view.word(index)) & AND != 0;
    let sons = and(last + 1) && last + 2 < view.tokens.len() && view.is(last + 2, ORGANISATION);
    // The list's first name, when this one is its first, second or third.
    let listed = [first, first.wrapping_sub(1), first.wrapping_sub(3)]
        .into_iter()
        .any(|one| {
            let joined = one < first + 1 && one + 3 < view.tokens.len() && view.gap(one) == ", " && and(one + 2);
            let names = [one, one.wrapping_add(1), one.wrapping_add(3)];
            joined
                && names.iter().all(|&name| family(name))
                && names.iter().filter(|&&name| only_family(name)).count() >= 1
        });
    sons && family(first) || listed
}

/// Another word beside the run has a capital, as in a heading.
fn is_heading(view: &View, words: &[usize]) -> bool {
    let (first, last) = (words[0], words[words.len() - 1]);
    let behind = last + 1 < view.tokens.len() && view.gap(last) == " " && is_capital(view, last + 1);
    behind || first > 0 && view.gap_before(first) == " " && is_capital(view, first - 1)
}

/// Nothing else is on the line or in the sentence.
fn is_alone(view: &View, words: &[usize]) -> bool {
    let (first, last) = (words[0], words[words.len() - 1]);
    let behind = view.text[view.end(last)..].chars().next();
    starts_sentence(view, first) && behind.is_none_or(|character| matches!(character, '\n' | '\r' | '.'))
}

/// One word by itself.
fn single(view: &View, index: usize, cue: Cue, verb: bool) -> f32 {
    let token = view.tokens[index];
    let letters = view.word(index).chars().count();
    if letters < 2 || token.shape == Shape::Upper && (cue < Cue::Strong || letters < 3) {
        return 0.0;
    }
    let ambiguous = token.meaning & AMBIGUOUS != 0 || is_ordinary_here(view, index);
    let place = token.meaning & (NO_NAME | MONTH) != 0;
    let unknown = is_unknown(view, index) || is_last(view, index);
    // "is" and "has" stand behind everything; people alone say and write.
    let says = verb
        && view
            .tokens
            .get(index + 1)
            .is_some_and(|next| next.meaning & FUNCTION == 0 && next.meaning & PERSON_VERB != 0);
    match (token.meaning & FIRST != 0, cue) {
        _ if place && cue < Cue::Strong => 0.2,
        (true, Cue::Strong | Cue::Named | Cue::Title) => 0.9,
        (true, _) if !ambiguous => 0.7,
        (true, Cue::Speech) => 0.6,
        (true, Cue::Weak) => 0.45,
        (true, Cue::None) if says => 0.55,
        (_, Cue::Title) => 0.85,
        (_, Cue::Strong | Cue::Named) if (unknown || token.meaning & LAST != 0) && !is_ordinary_here(view, index) => {
            0.75
        }
        (_, Cue::Speech) if unknown && !is_german(view, index) => 0.6,
        _ if is_family_alone(view, index) => 0.55,
        _ if unknown
            && !is_foreign(view, index)
            && (says || is_appealed_to(view, index) || stands_with_names(view, index)) =>
        {
            0.55
        }
        (true, _) if stands_with_names(view, index) => 0.55,
        _ => 0.2,
    }
}

/// A listed family name inside an English sentence, with no other name beside it.
fn is_family_alone(view: &View, index: usize) -> bool {
    let capital = |near: usize| near < view.tokens.len() && is_capital(view, near);
    let beside = index > 0 && capital(index - 1) || capital(index + 1);
    view.is(index, LAST)
        && is_last(view, index)
        && view.tokens[index].meaning & FOREIGN == 0
        && index > 0
        && !starts_sentence(view, index)
        && view.tokens[index - 1].shape == Shape::Lower
        && !beside
        && !is_foreign(view, index)
}

/// "Somebody, can you …" at the beginning of a sentence.
fn is_appealed_to(view: &View, index: usize) -> bool {
    let behind = index + 1;
    let appeal = behind < view.tokens.len()
        && view.gap(index) == ", "
        && view.tokens[behind].shape != Shape::Upper
        && roles(view.word(behind)) & APPEAL != 0;
    appeal && starts_sentence(view, index)
}

/// A comma or an "and" away from a given name: "Anna, Oluwaseyi and Ben".
fn stands_with_names(view: &View, index: usize) -> bool {
    let given = |index: usize| {
        is_capital(view, index) && view.is(index, FIRST) && !view.is(index, AMBIGUOUS | NO_NAME | MONTH | COMMON)
    };
    let and = |index: usize| roles_as_written(view.word(index)) & AND != 0;
    let before = match index {
        0 => false,
        _ if view.gap_before(index) == ", " => given(index - 1),
        1 => false,
        _ => {
            view.gap_before(index) == " "
                && and(index - 1)
                && matches!(view.gap_before(index - 1), " " | ", ")
                && given(index - 2)
        }
    };
    let count = view.tokens.len();
    let behind = match view.gap(index) {
        ", " => index + 1 < count && given(index + 1),
        " " => index + 2 < count && and(index + 1) && view.gap(index + 1) == " " && given(index + 2),
        _ => false,
    };
    before || behind
}

//! Names of people: runs of capitalised words, judged by the lexicon and by what stands beside them.

use super::number::is_blank;
use super::view::{Shape, View};
use crate::lexicon::{
    AMBIGUOUS, COMMON, FIRST, FUNCTION, LAST, MONTH, NO_NAME, ORGANISATION, PARTICLE, PERSON_VERB, STATE, TITLE,
    meaning,
};
use crate::{Finding, FindingKind};

mod confidence;
mod cue;
mod words;

use confidence::judge;
use cue::{Cue, cue};
use words::has_surname_ending;

/// The most words in a name.
const NAME_WORDS_MAX: usize = 6;

/// Reads a name that begins with token `first`, and says with which token to go on.
pub(super) fn at(view: &View, first: usize, found: &mut Vec<Finding>) -> usize {
    let token = view.tokens[first];
    if !matches!(token.shape, Shape::Capitalised | Shape::Upper) {
        small_letters(view, first, found);
        return first + 1;
    }
    if is_no_name(view, first) {
        // "Mr Darling"
        if token.meaning & COMMON != 0
            && token.meaning & (FUNCTION | TITLE | ORGANISATION) == 0
            && cue(view, first) == Cue::Title
        {
            super::push(found, FindingKind::PersonName, view.start(first)..view.end(first), 0.7);
        }
        return first + 1;
    }
    let last = run_end(view, first);
    judge(view, first, last, found);
    last + 1
}

/// "my name is john smith", as people write in chats.
fn small_letters(view: &View, first: usize, found: &mut Vec<Finding>) {
    let token = view.tokens[first];
    if token.shape != Shape::Lower || token.meaning & FIRST == 0 || token.meaning & (FUNCTION | AMBIGUOUS) != 0 {
        return;
    }
    let said = cue(view, first) >= Cue::Strong;
    let next_is_last = first + 1 < view.tokens.len()
        && view.gap(first) == " "
        && view.is(first + 1, LAST)
        && !view.is(first + 1, FUNCTION)
        && (said || !view.is(first + 1, AMBIGUOUS | COMMON));
    if said || next_is_last {
        let last = first + usize::from(next_is_last);
        super::push(
            found,
            FindingKind::PersonName,
            view.start(first)..view.end(last),
            if next_is_last { 0.75 } else { 0.6 },
        );
    }
}

/// A word that no name holds. A given name that is a place too ("Florence") is still one.
fn is_no_name(view: &View, index: usize) -> bool {
    let meaning = view.tokens[index].meaning;
    let listed = meaning & (FIRST | LAST) != 0;
    let given = meaning & FIRST != 0 && meaning & AMBIGUOUS == 0;
    let initial = view.word(index).chars().count() == 1;
    let before_surname = meaning & FIRST != 0
        && is_last_behind(view, index)
        && (!starts_sentence(view, index) || cue(view, index) >= Cue::Speech);
    let never = meaning & (FUNCTION | TITLE | ORGANISATION) != 0 && !initial && !given && !before_surname;
    // A word that means anything else is a name only where a list says so.
    never || meaning & !(PARTICLE | STATE | PERSON_VERB) != 0 && !listed && !initial
}

fn is_last_behind(view: &View, index: usize) -> bool {
    index + 1 < view.tokens.len() && view.gap(index) == " " && is_capital(view, index + 1) && is_last(view, index + 1)
}

fn is_capital(view: &View, index: usize) -> bool {
    matches!(view.tokens[index].shape, Shape::Capitalised | Shape::Upper)
}

/// The last token of the run of name words that begins with `first`.
fn run_end(view: &View, first: usize) -> usize {
    let mut last = first;
    let mut index = first + 1;
    while index < view.tokens.len() && index - first < NAME_WORDS_MAX {
        let gap = view.gap_before(index);
        let initial = view.word(index - 1).chars().count() == 1;
        let blank = gap.chars().count() == 1 && gap.chars().all(is_blank);
        if !(blank || matches!(gap, "-" | "'" | "’") || initial && matches!(gap, ". " | ".")) {
            break;
        }
        if view.tokens[index].shape == Shape::Lower && view.is(index, PARTICLE) && blank {
            index += 1;
            continue;
        }
        // "Anna's" ends before the s; a capital behind an apostrophe ("O'Brien") goes on.
        let shouted = view.tokens[first].shape == Shape::Upper && view.word(first).chars().count() > 3;
        let other = shouted && view.tokens[index].shape != Shape::Upper && !view.is(index, FIRST | LAST);
        // Behind a sure given name an ordinary word with a capital is a family name: "Henri Bonnet".
        let given = view.is(index - 1, FIRST) && !view.is(index - 1, AMBIGUOUS | NO_NAME | MONTH) && index - 1 == first;
        let surname = given
            && !view.is(first, LAST)
            && !behind_article(view, first)
            && blank
            && view.tokens[index].meaning & !LAST == COMMON
            && view.tokens[index].shape == Shape::Capitalised;
        if !is_capital(view, index) || is_no_name(view, index) && !surname || other {
            break;
        }
        last = index;
        index += 1;
    }
    last
}

fn behind_article(view: &View, first: usize) -> bool {
    first > 0 && view.gap_before(first) == " " && words::roles(view.word(first - 1)) & words::ARTICLE != 0
}

fn starts_sentence(view: &View, index: usize) -> bool {
    index == 0
        || view
            .gap_before(index)
            .contains(['.', '!', '?', '\n', ':', '•', '"', '“', '*', '>', '|', '#'])
}

/// Whether a family name, by the list or by its ending.
fn is_last(view: &View, index: usize) -> bool {
    let meaning = view.tokens[index].meaning;
    meaning & LAST != 0 && meaning & (AMBIGUOUS | COMMON) == 0 || meaning == 0 && has_surname_ending(view.word(index))
}

/// No word that is known for anything but as a name.
fn is_unknown(view: &View, index: usize) -> bool {
    let meaning = view.tokens[index].meaning;
    meaning & !(FIRST | LAST | PARTICLE | STATE) == 0
        && view.tokens[index].shape == Shape::Capitalised
        && (meaning != 0 || !is_camel_case(view.word(index)))
}

/// "GitHub", but not "McDonald" or "DeWitt".
fn is_camel_case(word: &str) -> bool {
    let inner = word
        .char_indices()
        .skip(1)
        .find(|(_, character)| character.is_uppercase());
    inner.is_some_and(|(at, _)| {
        !matches!(
            &word[..at],
            "Mc" | "Mac" | "De" | "Di" | "La" | "Le" | "Van" | "Fitz" | "Del" | "O"
        )
    })
}

/// The parts of a found name that give it away by themselves.
pub(crate) fn parts(name: &str) -> impl Iterator<Item = &str> {
    let parts = name.split(|character: char| !character.is_alphanumeric() && character != '\u{301}');
    parts.filter(|part| part.chars().count() >= 3 && meaning(part) & (PARTICLE | TITLE | FUNCTION) == 0)
}

/// Whether `word`, which is a part of a found name, is meant as a name where it stands: ordinary words count with a capital only.
pub(crate) fn is_part(text: &str, range: std::ops::Range<usize>) -> bool {
    let word = &text[range];
    meaning(word) & (AMBIGUOUS | NO_NAME | MONTH) == 0 || word.chars().next().is_some_and(char::is_uppercase)
}

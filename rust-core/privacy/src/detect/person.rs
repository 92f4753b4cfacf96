//! Names of people: runs of capitalised words, judged by the lexicon and the words next to them.

use super::number::is_blank;
use super::view::{Shape, View};
use crate::lexicon::{
    AMBIGUOUS, COMMON, FIRST, FOREIGN, FUNCTION, LAST, MONTH, NAME_CUE, NO_NAME, ORGANISATION, PARTICLE, PERSON_VERB,
    STATE, TITLE, meaning,
};
use crate::{Finding, FindingKind};

mod confidence;
mod context;
mod cue;
mod separated;
mod small;
pub(crate) mod tagger;
mod uncased;
mod words;

use confidence::judge;
use context::{is_ordinary_here, meaning_here};
use cue::{Cue, cue};
use words::has_surname_ending;

pub(super) use uncased::all as in_other_scripts;

/// The most words in a name.
const NAME_WORDS_MAX: usize = 6;

/// Reads a name that begins with token `first`, and says with which token to go on.
pub(super) fn at(view: &View, first: usize, found: &mut Vec<Finding>) -> usize {
    let token = view.tokens[first];
    if !matches!(token.shape, Shape::Capitalised | Shape::Upper) {
        return if token.shape == Shape::Lower && uncased::is_at(view.text, view.start(first)) {
            uncased::at(view, first, found)
        } else {
            small::at(view, first, found)
        };
    }
    if is_no_name(view, first) {
        return ordinary_words(view, first, found);
    }
    let last = run_end(view, first);
    judge(view, first, last, found);
    if first == last {
        separated::at(view, first, found);
    }
    last + 1
}

/// "Mr Darling", "my name is Will May": ordinary words with capitals behind a cue that nothing but a name follows.
fn ordinary_words(view: &View, first: usize, found: &mut Vec<Finding>) -> usize {
    let cue = cue(view, first);
    if cue < Cue::Named {
        return first + 1;
    }
    let mut known = false;
    let mut last = None;
    for index in first..(first + NAME_WORDS_MAX / 2).min(view.tokens.len()) {
        let meaning = view.tokens[index].meaning;
        let listed = meaning & (FIRST | LAST) != 0;
        let joined = index == first || matches!(view.gap_before(index), " " | "-" | "'" | "’");
        let other = meaning & (TITLE | ORGANISATION | NAME_CUE) != 0 || meaning & FUNCTION != 0 && !listed;
        if !joined || !is_capital(view, index) || other {
            break;
        }
        known |= listed;
        last = Some(index);
    }
    // What stands behind "Name:" in a form may be anything with a capital.
    let labelled = first > 0 && view.gap_before(first).contains(':');
    match last {
        Some(last) if known || !labelled => {
            let range = view.start(first)..view.end(last);
            super::push(found, FindingKind::PersonName, range, 0.7);
            last + 1
        }
        _ => first + 1,
    }
}

/// A word that no name holds. A given name that is a place too ("Florence") is still one.
fn is_no_name(view: &View, index: usize) -> bool {
    let meaning = meaning_here(view, index);
    let listed = meaning & (FIRST | LAST) != 0;
    let given = meaning & FIRST != 0 && meaning & (AMBIGUOUS | FUNCTION) == 0;
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

/// A given name that is no other word where it stands.
fn is_given(view: &View, index: usize) -> bool {
    view.is(index, FIRST) && !view.is(index, AMBIGUOUS | FUNCTION) && !is_ordinary_here(view, index)
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
        let shouting = view.tokens[first].shape == Shape::Upper && view.tokens[index].shape == Shape::Upper;
        if (view.tokens[index].shape == Shape::Lower || shouting) && is_particle(view, index) && blank {
            index += 1;
            continue;
        }
        // "Anna's" ends before the s; a capital behind an apostrophe ("O'Brien") goes on.
        let shouted = view.tokens[first].shape == Shape::Upper && view.word(first).chars().count() > 3;
        let other = shouted && view.tokens[index].shape != Shape::Upper && !view.is(index, FIRST | LAST);
        // Behind a sure given name an ordinary word with a capital is a family name: "Henri Bonnet".
        let given = index - 1 == first && is_given(view, first) && !view.is(first, NO_NAME | MONTH);
        let surname = given
            && !view.is(first, LAST)
            && !behind_article(view, first)
            && blank
            && matches!(view.tokens[index].meaning & !LAST, COMMON | FOREIGN)
            && view.tokens[index].shape == Shape::Capitalised;
        if !is_capital(view, index) || is_no_name(view, index) && !surname || other {
            break;
        }
        last = index;
        index += 1;
    }
    last
}

/// A word between the names of a person. "DE" in capitals may also end what comes before it.
fn is_particle(view: &View, index: usize) -> bool {
    let upper = view.tokens[index].shape == Shape::Upper;
    view.is(index, PARTICLE) && (!upper || view.word(index).len() <= 3 && !view.is(index, FIRST | LAST))
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
    meaning & LAST != 0 && meaning & (AMBIGUOUS | COMMON) == 0 && !is_ordinary_here(view, index)
        || meaning == 0 && has_surname_ending(view.word(index))
}

/// No word that is known for anything but as a name.
fn is_unknown(view: &View, index: usize) -> bool {
    let meaning = meaning_here(view, index);
    let word = view.word(index);
    let shaped = match view.tokens[index].shape {
        Shape::Capitalised => meaning != 0 || !is_camel_case(word),
        // Short words in capitals are abbreviations.
        Shape::Upper => word.chars().count() >= 5 && !is_shouted(view, index),
        _ => false,
    };
    meaning & !(FIRST | LAST | PARTICLE | STATE) == 0 && shaped
}

/// Whether the text around is in capitals.
fn is_shouted(view: &View, index: usize) -> bool {
    let near = index.saturating_sub(4)..(index + 5).min(view.tokens.len());
    !near.into_iter().any(|near| view.tokens[near].shape == Shape::Lower)
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

/// The parts of a found name that give it away by themselves. A name of one word is its own part, whatever the word.
pub(crate) fn parts(name: &str) -> impl Iterator<Item = &str> {
    let words = || name.split(|character: char| !character.is_alphanumeric() && character != '\u{301}');
    let one = words().filter(|word| !word.is_empty()).count() == 1;
    words().filter(move |part| part.chars().count() >= 3 && (one || meaning(part) & (PARTICLE | TITLE | FUNCTION) == 0))
}

/// Whether `word`, which is a part of a found name, is meant as a name where it stands: ordinary words count with a capital only.
pub(crate) fn is_part(text: &str, range: std::ops::Range<usize>) -> bool {
    let word = &text[range];
    !is_ordinary(word) || word.chars().next().is_some_and(char::is_uppercase)
}

/// A word that is not only a name.
fn is_ordinary(word: &str) -> bool {
    let meaning = meaning(word);
    let foreign = meaning & FOREIGN != 0 && meaning & (FIRST | LAST) == 0;
    foreign || meaning & (AMBIGUOUS | COMMON | FUNCTION | NO_NAME | MONTH) != 0
}

//! Names in lower case, as people write in chats: recognised by a list and a cue, or by a given and a family name side by side.

use super::super::push;
use super::super::view::{Shape, View};
use super::behind_article;
use super::context::{is_foreign, is_ordinary_here};
use super::cue::{Cue, cue};
use crate::Finding;
use crate::FindingKind;
use crate::lexicon::{AMBIGUOUS, COMMON, FIRST, FOREIGN, FUNCTION, LAST, MONTH, NAME_CUE, NO_NAME, PARTICLE, TITLE};

/// The most words in a name.
const WORDS_MAX: usize = 5;
/// What a word may not be to be a name without a cue.
const OTHER: u32 = AMBIGUOUS | COMMON | FUNCTION | NO_NAME | MONTH | TITLE;

/// Reads a name in small letters that begins with token `first`, and says with which token to go on.
pub(super) fn at(view: &View, first: usize, found: &mut Vec<Finding>) -> usize {
    let token = view.tokens[first];
    let next = first + 1;
    if token.shape != Shape::Lower || token.meaning & FIRST == 0 || token.meaning & (TITLE | MONTH) != 0 {
        return next;
    }
    let cue = cue(view, first);
    let said = cue >= Cue::Strong;
    let function = token.meaning & FUNCTION != 0;
    if function && (cue != Cue::Named || view.is(first - 1, NAME_CUE)) || is_ordinary_here(view, first) {
        return next;
    }
    let named = matches!(cue, Cue::Named | Cue::Title);
    let sure = (token.meaning & OTHER == 0 || named) && !behind_article(view, first);
    let last = name_end(view, first, sure, cue);
    let confidence = match last {
        Some(_) if said || sure => 0.75,
        Some(_) => 0.6,
        None if said && !function && token.meaning & AMBIGUOUS == 0 => 0.6,
        None => return next,
    };
    let last = last.unwrap_or(first);
    push(
        found,
        FindingKind::PersonName,
        view.start(first)..view.end(last),
        confidence,
    );
    last + 1
}

/// The last token of the name, when more than its first word belongs to it.
fn name_end(view: &View, first: usize, sure: bool, cue: Cue) -> Option<usize> {
    let mut last = None;
    for index in first + 1..(first + WORDS_MAX).min(view.tokens.len()) {
        let token = view.tokens[index];
        let gap = view.gap_before(index);
        if token.shape != Shape::Lower || !matches!(gap, " " | "-" | "'" | "’") {
            break;
        }
        let fits = is_family(view, index)
            || sure && gap != "-" && is_maybe_family(view, index) && (cue >= Cue::Speech || !is_foreign(view, first))
            || cue >= Cue::Strong && token.meaning & LAST != 0 && token.meaning & FUNCTION == 0;
        match fits {
            true => last = Some(index),
            false if token.meaning & (PARTICLE | FIRST) != 0 && gap == " " && (sure || cue >= Cue::Strong) => continue,
            false => break,
        }
        // Behind the family name the sentence goes on.
        if token.meaning & FIRST == 0 && view.gap(index) != "-" {
            break;
        }
    }
    last
}

/// A name by the lists, and nothing else.
fn is_family(view: &View, index: usize) -> bool {
    let meaning = view.tokens[index].meaning;
    meaning & LAST != 0 && meaning & OTHER == 0 && !is_ordinary_here(view, index)
}

/// A second given name, or a word that no list knows as anything else; words of other languages count where the text is English.
fn is_maybe_family(view: &View, index: usize) -> bool {
    let meaning = view.tokens[index].meaning;
    let letters = view
        .word(index)
        .chars()
        .filter(|character| character.is_alphabetic())
        .count();
    match meaning & FOREIGN {
        0 => meaning & (OTHER | PARTICLE) == 0 && (meaning & (FIRST | LAST) != 0 || meaning == 0 && letters >= 3),
        _ => meaning & !(FOREIGN | FIRST | LAST) == 0 && letters >= 4 && !is_foreign(view, index),
    }
}

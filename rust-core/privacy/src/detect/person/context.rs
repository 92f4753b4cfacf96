//! The language around a word, as far as it affects the meaning of a capital.

use super::super::view::{Shape, View};
use super::{is_capital, starts_sentence};
use crate::lexicon::{COMMON, FIRST, FOREIGN, FREQUENT_NAME, FUNCTION, GERMAN, LAST, Meaning, PARTICLE};

/// How many words to either side are looked at.
const WORDS: usize = 10;

/// Whether the words around `index` are of another language than English.
pub(super) fn is_foreign(view: &View, index: usize) -> bool {
    let (mut foreign, mut english) = (0, 0);
    let end = (index + 1 + WORDS).min(view.tokens.len());
    for near in (index.saturating_sub(WORDS)..end).filter(|&near| near != index) {
        let token = view.tokens[near];
        let word = token.meaning & FOREIGN != 0 && token.meaning & (FIRST | LAST | PARTICLE) == 0;
        if word || token.meaning & GERMAN != 0 || is_of_other_script(view, near) {
            foreign += 1;
        } else if token.shape == Shape::Lower && token.meaning & (COMMON | FUNCTION) != 0 {
            english += 1;
        }
    }
    foreign > 0 && 2 * foreign >= english
}

/// Whether a word is of a script without capitals.
pub(super) fn is_of_other_script(view: &View, index: usize) -> bool {
    view.tokens[index].shape == Shape::Lower && view.text.as_bytes()[view.start(index)] >= 0xD6
}

/// Whether the word before `index` or the one behind it is of a script without capitals.
pub(super) fn is_beside_other_script(view: &View, index: usize) -> bool {
    index > 0 && is_of_other_script(view, index - 1)
        || index + 1 < view.tokens.len() && is_of_other_script(view, index + 1)
}

/// Whether the words around `index` are German, whose nouns have capitals.
pub(super) fn is_german(view: &View, index: usize) -> bool {
    view.is_german && is_foreign(view, index)
}

/// What the word at `index` means where it stands: in an English text it is no ordinary word of another language.
pub(super) fn meaning_here(view: &View, index: usize) -> Meaning {
    let meaning = view.tokens[index].meaning;
    if meaning & FOREIGN != 0 && !is_foreign(view, index) {
        meaning & !FOREIGN
    } else {
        meaning
    }
}

/// Whether the word at `index` is an ordinary one where it stands, though it is a name elsewhere. Inside a sentence a capital speaks
/// for the name, but in German for the most frequent ones only.
pub(super) fn is_ordinary_here(view: &View, index: usize) -> bool {
    if !view.is(index, FOREIGN) || !is_foreign(view, index) {
        return false;
    }
    let capital = is_capital(view, index) && index > 0 && !starts_sentence(view, index);
    !(capital && (view.is(index, FREQUENT_NAME) || !view.is_german))
}

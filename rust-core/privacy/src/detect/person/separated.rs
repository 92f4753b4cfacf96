//! Names whose two words are separated by more than a blank: "Smith, John", "Anna;Schmidt", "<b>Anna</b> Schmidt".

use super::super::push;
use super::super::view::View;
use super::{is_capital, is_given, is_last, is_unknown};
use crate::lexicon::{MONTH, NO_NAME};
use crate::{Finding, FindingKind};

/// The longest stretch between the two words, in characters.
const GAP_MAX: usize = 48;
/// The longest tag.
const TAG_MAX: usize = 32;

/// Reports the word at `index` and the next one where they are a given and a family name, in either order.
pub(super) fn at(view: &View, index: usize, found: &mut Vec<Finding>) {
    if !is_capital(view, index) {
        return;
    }
    let given = |index: usize| is_given(view, index) && !view.is(index, NO_NAME | MONTH);
    let starts = given(index);
    if !starts && !is_last(view, index) {
        return;
    }
    let Some((next, is_marked)) = next_word(view, index) else {
        return;
    };
    let fits = match starts {
        true => is_last(view, next) || is_marked && is_unknown(view, next),
        false => given(next),
    };
    if fits && is_capital(view, next) {
        for index in [index, next] {
            push(found, FindingKind::PersonName, view.start(index)..view.end(index), 0.7);
        }
    }
}

/// The next word in the line behind one separator or some markup, and whether only markup is between.
fn next_word(view: &View, index: usize) -> Option<(usize, bool)> {
    let text = view.text;
    let mut at = view.end(index);
    let (mut separators, mut marks) = (0, 0);
    for _ in 0..GAP_MAX {
        let character = text[at..].chars().next()?;
        match character {
            ' ' | '\u{a0}' | '"' | '\'' => {}
            ',' | ';' | '|' | '\t' => separators += 1,
            '*' | '_' | '~' | '`' => marks += 1,
            '<' => {
                let tag = text[at..].char_indices().take(TAG_MAX);
                let mut tag = tag
                    .skip(1)
                    .skip_while(|(_, character)| !matches!(character, '>' | '<' | '\n'));
                let (end, _) = tag.next().filter(|(_, character)| *character == '>')?;
                marks += 1;
                at += end;
            }
            _ if character.is_alphabetic() => break,
            _ => return None,
        }
        at += if character == '<' { 1 } else { character.len_utf8() };
    }
    if separators > 1 || separators + marks == 0 {
        return None;
    }
    let behind = view.tokens[index + 1..].iter().take(GAP_MAX);
    let next = behind.into_iter().position(|token| token.start as usize >= at)?;
    (view.start(index + 1 + next) == at).then_some((index + 1 + next, separators == 0))
}

//! Names in scripts without capitals, recognised by a cue before or after them and, in Chinese, Japanese and Korean, by a list of
//! family names.

use super::super::push;
use super::super::view::View;
use super::cue::{Cue, cue};
use crate::{Finding, FindingKind};

mod east_asian;
mod phrases;

use phrases::{Phrase, Place, is_joining, is_other, phrases};

/// The most letters in a word of a name.
const LETTERS_MAX: usize = 24;

/// The names in `text` that stand beside a cue of their own script.
pub(in super::super) fn all(text: &str, found: &mut Vec<Finding>) {
    // The scripts without capitals begin with Hebrew.
    if text.bytes().all(|byte| byte < 0xD6) {
        return;
    }
    for (range, phrase) in phrases(text) {
        match (phrase.language, phrase.place) {
            ("zh" | "ja" | "ko", _) => east_asian::beside(text, range, phrase, found),
            (_, Place::Behind) => {}
            _ => behind_phrase(text, range, phrase, found),
        }
    }
    east_asian::in_sentences(text, found);
}

/// Reads a name of such a script at token `first` in a text of another one, and says with which token to go on.
pub(super) fn at(view: &View, first: usize, found: &mut Vec<Finding>) -> usize {
    let start = view.start(first);
    let said = cue(view, first) >= Cue::Strong;
    if said && let Some(end) = words_end(view.text, start, "", 2) {
        push(found, FindingKind::PersonName, start..end, 0.75);
    } else if east_asian::is_quoted(view.text, start..view.end(first)) {
        push(found, FindingKind::PersonName, start..view.end(first), 0.6);
    }
    first + 1
}

/// Whether the letter at `start` is of a script without capitals.
pub(super) fn is_at(text: &str, start: usize) -> bool {
    text.as_bytes()[start] >= 0xD6 && text[start..].chars().next().is_some_and(is_uncased)
}

/// Whether a letter is of a script without capitals.
pub(super) fn is_uncased(character: char) -> bool {
    // Georgian letters have capitals, which only headings use.
    matches!(character, '\u{10d0}'..='\u{10ff}')
        || character >= '\u{590}' && character.is_alphabetic() && !character.is_lowercase() && !character.is_uppercase()
}

/// "اسمي …", "श्री …": the name behind a phrase.
fn behind_phrase(text: &str, range: std::ops::Range<usize>, phrase: Phrase, found: &mut Vec<Finding>) {
    if is_inside_word(text, &range, phrase) {
        return;
    }
    let Some(start) = name_start(text, range.end) else {
        return;
    };
    let bare_title = phrase.language == "th" && phrase.place == Place::Title && !phrase.text.ends_with('.');
    let Some(end) = words_end(text, start, phrase.language, 2) else {
        return;
    };
    // In Thai, which has no blanks between words, a title is a part of many words; behind it must stand two names.
    if bare_title && !text[start..end].contains(' ') {
        return;
    }
    push(found, FindingKind::PersonName, start..end, 0.75);
}

/// Whether the phrase is only a part of a word. Thai has no blanks between words.
fn is_inside_word(text: &str, range: &std::ops::Range<usize>, phrase: Phrase) -> bool {
    let before = text[..range.start].chars().next_back();
    let behind = text[range.end..].chars().next();
    let open = phrase.text.ends_with(|last: char| !is_name_letter(last));
    phrase.language != "th" && (before.is_some_and(is_name_letter) || !open && behind.is_some_and(is_name_letter))
}

/// Where a name begins at or shortly behind `at`.
fn name_start(text: &str, at: usize) -> Option<usize> {
    let signs = |character: char| {
        matches!(
            character,
            ' ' | '\u{a0}' | ':' | '：' | '،' | ',' | '"' | '«' | '“' | '「' | '-' | '–' | '\u{3000}' | '*'
        )
    };
    let skipped = text[at..]
        .char_indices()
        .take(4)
        .find(|(_, character)| !signs(*character));
    let (offset, character) = skipped?;
    is_uncased(character).then_some(at + offset)
}

/// The end of a name of at most `words` words that begins at `start`. One more word belongs to it when nothing follows that one.
fn words_end(text: &str, start: usize, language: &str, words: usize) -> Option<usize> {
    let (mut end, mut at, mut count) = (None, start, 0);
    while count <= words {
        let letters = text[at..].char_indices().take(LETTERS_MAX + 1);
        let last = letters.take_while(|(_, character)| is_name_letter(*character)).last();
        let word_end = last.map_or(at, |(offset, character)| at + offset + character.len_utf8());
        let word = &text[at..word_end];
        if word.is_empty() || word.chars().count() > LETTERS_MAX || is_other(word, language) {
            break;
        }
        let ends = text[word_end..]
            .chars()
            .next()
            .is_none_or(|next| !matches!(next, ' ' | '-'));
        let joined = count > 0 && word.starts_with(['و', 'ו']);
        if count == words && !ends || joined && word.chars().count() > 2 && !ends {
            break;
        }
        end = Some(word_end);
        if ends {
            break;
        }
        at = word_end + 1;
        count += usize::from(!is_joining(word));
    }
    end
}

/// A letter, or a vowel sign or another mark that stands on one.
fn is_name_letter(character: char) -> bool {
    character.is_alphabetic()
        || matches!(character,
            '\u{591}'..='\u{5bd}' | '\u{610}'..='\u{61a}' | '\u{64b}'..='\u{65f}' | '\u{900}'..='\u{963}'
            | '\u{970}'..='\u{9e5}' | '\u{a01}'..='\u{a65}' | '\u{a70}'..='\u{ae5}' | '\u{b01}'..='\u{b65}'
            | '\u{b82}'..='\u{be5}' | '\u{c00}'..='\u{c65}' | '\u{c80}'..='\u{ce5}' | '\u{d00}'..='\u{d65}'
            | '\u{e31}'..='\u{e3a}' | '\u{e40}'..='\u{e4e}' | '\u{200c}' | '\u{200d}')
}

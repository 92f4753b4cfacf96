//! Chinese, Japanese and Korean names. They start with the family name, which is from a short list, and are not separated from
//! the surrounding words.

use std::ops::Range;

use super::super::super::push;
use super::phrases::{
    CHINESE, FOLLOWING, GIVEN, JAPANESE, KOREAN, ORDINARY, PRECEDING, Phrase, Place, is_other, roles,
};
use super::{is_uncased, name_start};
use crate::{Finding, FindingKind};

/// The most letters in a name.
const LETTERS_MAX: usize = 6;
/// How many letters around a name show whether the text is of another script.
const NEAR: usize = 24;

/// The name beside a phrase.
pub(super) fn beside(text: &str, range: Range<usize>, phrase: Phrase, found: &mut Vec<Finding>) {
    let name = match phrase.place {
        Place::Behind => before(text, range.start, phrase.language),
        _ => name_start(text, range.end).and_then(|start| {
            let labelled = phrase.text.ends_with([':', '：']);
            behind(text, start, phrase.language, labelled)
        }),
    };
    if let Some(name) = name {
        push(found, FindingKind::PersonName, name, 0.75);
    }
}

/// Whether the word in `range` is a name by itself in a text of another script: "ask 田中太郎".
pub(super) fn is_quoted(text: &str, range: Range<usize>) -> bool {
    let word = &text[range.clone()];
    let sides = [nearest(text, range.start, true), nearest(text, range.end, false)];
    let latin = |side: &&str| side.chars().filter(char::is_ascii_alphabetic).count() >= 2;
    let foreign = sides.iter().any(latin) && !sides.iter().any(|side| side.chars().any(is_uncased));
    let letters = word.chars().count();
    if foreign && letters == 3 && word.chars().all(|letter| is_letter_of(letter, "ko")) {
        return is_name(word, letters, "ko");
    }
    let known = roles(word) & ORDINARY == 0;
    foreign && known && (2..=5).contains(&letters) && word.chars().all(is_han) && {
        let Some((family, surname)) = surname(word) else {
            return false;
        };
        let given = letters - surname.chars().count();
        match family & CHINESE != 0 {
            true => (1..=3).contains(&given),
            false => (1..=3).contains(&given) && letters >= 3,
        }
    }
}

/// A few bytes of text before or behind a place.
fn nearest(text: &str, at: usize, before: bool) -> &str {
    if before {
        let start = text[..at].char_indices().rev().nth(NEAR).map_or(0, |(start, _)| start);
        &text[start..at]
    } else {
        let end = text[at..]
            .char_indices()
            .nth(NEAR)
            .map_or(text.len(), |(end, _)| at + end);
        &text[at..end]
    }
}

/// Names in Chinese sentences: "昨天王伟给花浇了水".
pub(super) fn in_sentences(text: &str, found: &mut Vec<Finding>) {
    let mut next = 0;
    for (at, character) in text.char_indices() {
        if at < next || !is_han(character) || roles(&text[at..at + character.len_utf8()]) & CHINESE == 0 {
            continue;
        }
        let Some(surname) = chinese_surname(&text[at..]) else {
            continue;
        };
        if !starts_name(text, at) {
            continue;
        }
        let given: Vec<usize> = text[at + surname..]
            .char_indices()
            .take(3)
            .take_while(|(_, letter)| is_han(*letter))
            .map(|(offset, letter)| at + surname + offset + letter.len_utf8())
            .collect();
        let names = [given.get(1), given.first()];
        let end = names.into_iter().flatten().copied().find(|&end| {
            let letters = &text[at + surname..end];
            letters
                .chars()
                .all(|letter| roles(letter.encode_utf8(&mut [0; 4])) & GIVEN != 0)
                && ends_name(text, end)
        });
        if let Some(end) = end
            && !is_ordinary(&text[at..end])
        {
            push(found, FindingKind::PersonName, at..end, 0.55);
            next = end;
        }
    }
}

/// Whether a name may begin at `at`: another word ends there, or none is before it.
fn starts_name(text: &str, at: usize) -> bool {
    let mut before = text[..at].char_indices().rev();
    match before.next() {
        None => false,
        Some((_, letter)) if !is_han(letter) => false,
        Some((one, _)) => {
            let two = before
                .next()
                .filter(|(_, letter)| is_han(*letter))
                .map_or(one, |(two, _)| two);
            roles(&text[one..at]) & PRECEDING != 0 || roles(&text[two..at]) & PRECEDING != 0
        }
    }
}

/// Whether a name may end at `at`.
fn ends_name(text: &str, at: usize) -> bool {
    let behind = text[at..].chars().next();
    behind.is_none_or(|letter| !is_han(letter) || roles(letter.encode_utf8(&mut [0; 4])) & FOLLOWING != 0)
}

/// "高兴", "时间": two letters of an ordinary word.
fn is_ordinary(word: &str) -> bool {
    let two = word.char_indices().nth(2).map_or(word.len(), |(end, _)| end);
    roles(&word[..two]) & ORDINARY != 0
}

/// The name right before `end`.
fn before(text: &str, end: usize, language: &str) -> Option<Range<usize>> {
    let end = end - usize::from(language == "ko" && text[..end].ends_with(' '));
    let letters: Vec<(usize, char)> = text[..end]
        .char_indices()
        .rev()
        .take(LETTERS_MAX)
        .take_while(|(_, letter)| is_letter_of(*letter, language))
        .collect();
    if language != "ko" && letters.len() >= 2 && letters.iter().all(|(_, letter)| is_katakana(*letter)) {
        return letters.last().map(|(start, _)| *start..end);
    }
    let starts = letters.iter().enumerate().rev();
    let mut fitting = starts.filter(|(count, (start, _))| is_name(&text[*start..end], count + 1, language));
    fitting.next().map(|(_, (start, _))| *start..end)
}

/// Whether `word` with so many letters is a name.
fn is_name(word: &str, letters: usize, language: &str) -> bool {
    let Some((family, surname)) = surname(word) else {
        return false;
    };
    let given = letters - surname.chars().count();
    !is_other(word, language)
        && !is_ordinary(word)
        && match language {
            "ko" => family & KOREAN != 0 && letters == 3,
            // Some honorifics are of both languages.
            _ => {
                (family & JAPANESE != 0 && given <= 3 || family & CHINESE != 0 && given <= 2)
                    && word.chars().all(is_han)
            }
        }
}

/// The name that begins at `start`, behind "my name is" or a label.
fn behind(text: &str, start: usize, language: &str, labelled: bool) -> Option<Range<usize>> {
    let letters: Vec<usize> = text[start..]
        .char_indices()
        .take(LETTERS_MAX)
        .take_while(|(_, letter)| is_letter_of(*letter, language))
        .map(|(offset, letter)| start + offset + letter.len_utf8())
        .collect();
    let &last = letters.last()?;
    let alone = !text[last..].chars().next().is_some_and(char::is_alphanumeric);
    let (family, surname) = match surname(&text[start..last]) {
        Some(known) => known,
        None => return (labelled && alone && letters.len() >= 2).then_some(start..last),
    };
    let wanted = match language {
        "zh" => CHINESE,
        "ja" => JAPANESE,
        _ => KOREAN,
    };
    if family & wanted == 0 {
        return None;
    }
    let taken = surname.chars().count();
    let end = match language {
        "zh" => {
            let long = letters.get(taken + 1).copied().filter(|&end| ends_name(text, end));
            let short = letters.get(taken).copied();
            long.or(short.filter(|&end| ends_name(text, end)))
                .or(letters.get(taken + 1).copied())
                .or(short)?
        }
        "ja" => *letters
            .iter()
            .rfind(|&&end| text[start..end].chars().all(is_han) && end - start <= 15)?,
        _ => *letters.get(2)?,
    };
    let name = &text[start..end];
    (!is_other(name, language) && !is_ordinary(name) && name.len() > surname.len()).then_some(start..end)
}

/// The family name that `word` begins with, the longest, and whose it is.
fn surname(word: &str) -> Option<(u32, &str)> {
    let ends: Vec<usize> = word
        .char_indices()
        .skip(1)
        .map(|(end, _)| end)
        .take(3)
        .chain([word.len()])
        .collect();
    ends.into_iter().rev().find_map(|end| {
        let family = roles(&word[..end]) & (CHINESE | JAPANESE | KOREAN);
        (family != 0).then_some((family, &word[..end]))
    })
}

/// The length of the Chinese family name that `text` begins with: two letters before one.
fn chinese_surname(text: &str) -> Option<usize> {
    let mut ends = text.char_indices().skip(1).map(|(end, _)| end);
    let one = ends.next().unwrap_or(text.len());
    let two = ends.next().unwrap_or(text.len());
    [two, one].into_iter().find(|&end| roles(&text[..end]) & CHINESE != 0)
}

fn is_letter_of(letter: char, language: &str) -> bool {
    match language {
        "ko" => ('\u{ac00}'..='\u{d7a3}').contains(&letter),
        _ => is_han(letter) || is_katakana(letter),
    }
}

fn is_han(letter: char) -> bool {
    matches!(letter, '\u{4e00}'..='\u{9fff}' | '\u{3400}'..='\u{4dbf}' | '々')
}

fn is_katakana(letter: char) -> bool {
    matches!(letter, '\u{30a1}'..='\u{30fa}' | 'ー')
}

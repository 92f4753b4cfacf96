//! The notation of placeholders, and how they are recognised if a model has changed them slightly.
//!
//! We write `⟨PERSON_1⟩`, and `⟨CARD_1b⟩` for the second spelling of the value of `⟨CARD_1⟩`. These forms are recognised too:
//! - with these brackets, or with `〈 〉` (two similar-looking code points): any case; `_`, `\_`, a hyphen, a blank or nothing
//!   before the number; and a missing closing bracket;
//! - `<PERSON_1>` and `[PERSON_1]`: upper case only, `_` or `\_`, both brackets;
//! - without brackets `PERSON_1`, `BIRTHDAY_1` and `IBAN_1`, as separate words. The words of the other kinds (`ID_1`, `KEY_1`,
//!   `ADDRESS_1`) are names that programs and tables use, and would be replaced wrongly.
//!
//! If a text already contains any of these forms, they are replaced with placeholders of their own before the text leaves, so
//! that no form in an answer can be confused with one that we wrote.

use crate::FindingKind;

/// More digits than that are no placeholder.
const DIGITS_MAX: usize = 6;
/// What placeholders begin with; the first one is what we write.
pub(crate) const OPENING: [char; 3] = ['⟨', '〈', '\u{2329}'];
const CLOSING: [char; 3] = ['⟩', '〉', '\u{232a}'];
const BARE: [FindingKind; 3] = [FindingKind::PersonName, FindingKind::DateOfBirth, FindingKind::Iban];

/// What stands at the beginning of a text.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Form {
    /// No placeholder.
    None,
    /// Perhaps one: it depends on what follows.
    Open,
    /// One of this many bytes.
    Placeholder {
        bytes: usize,
        kind: FindingKind,
        number: u32,
    },
}

/// How strictly a form is read.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Style {
    Angle,
    Ascii(char),
    Bare,
}

/// The most spellings of one value that share a number.
pub(crate) const SPELLINGS_MAX: u32 = 26;
/// A placeholder's number is that of its value, and so many times more for each spelling behind the first.
pub(crate) const SPELLING: u32 = 10_u32.pow(DIGITS_MAX as u32);

/// As we write it.
pub(crate) fn write(kind: FindingKind, number: u32) -> String {
    let word = kind.placeholder().expect("special categories are not replaced");
    let (spelling, value) = (number / SPELLING, number % SPELLING);
    match char::from_u32('a' as u32 + spelling).filter(|_| spelling > 0) {
        Some(letter) => format!("⟨{word}_{value}{letter}⟩"),
        None => format!("⟨{word}_{value}⟩"),
    }
}

/// Whether a placeholder may begin with `character`, standing behind `previous`.
pub(crate) fn may_begin(previous: Option<char>, character: char) -> bool {
    match character {
        '⟨' | '〈' | '\u{2329}' | '<' | '[' => true,
        'P' | 'B' | 'I' => !previous.is_some_and(joins_words),
        _ => false,
    }
}

/// Reads what stands at the beginning of `text`, which [`may_begin`] a placeholder. `ended` says that nothing follows `text`.
pub(crate) fn read(text: &str, ended: bool) -> Form {
    let Some(first) = text.chars().next() else {
        return if ended { Form::None } else { Form::Open };
    };
    match first {
        _ if OPENING.contains(&first) => read_inside(text, first.len_utf8(), Style::Angle, ended),
        '<' => read_inside(text, 1, Style::Ascii('>'), ended),
        '[' => read_inside(text, 1, Style::Ascii(']'), ended),
        _ => read_inside(text, 0, Style::Bare, ended),
    }
}

fn read_inside(text: &str, start: usize, style: Style, ended: bool) -> Form {
    let open = if ended { Form::None } else { Form::Open };
    let bytes = text.as_bytes();
    let Some((kind, mut at)) = read_kind(bytes, start, style) else {
        // The text may end in the middle of the word.
        return if is_start_of_kind(&bytes[start..], style) {
            open
        } else {
            Form::None
        };
    };
    if bytes.get(at) == Some(&b'\\') {
        at += 1;
        match bytes.get(at) {
            None => return open,
            Some(b'_') => at += 1,
            Some(_) => return Form::None,
        }
    } else {
        match bytes.get(at) {
            None => return open,
            Some(b'_') => at += 1,
            Some(b' ' | b'-') if style == Style::Angle => at += 1,
            Some(b'0'..=b'9') if style == Style::Angle => {}
            Some(_) => return Form::None,
        }
    }
    let digits = bytes[at..]
        .iter()
        .take(DIGITS_MAX + 1)
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    if digits > DIGITS_MAX || bytes.get(at) == Some(&b'0') {
        return Form::None;
    }
    let number_end = at + digits;
    if digits == 0 {
        return if number_end == bytes.len() { open } else { Form::None };
    }
    if number_end == bytes.len() && !ended {
        return Form::Open;
    }
    let number: u32 = text[at..number_end].parse().expect("at most six digits");
    let (spelling, number_end) = match bytes.get(number_end) {
        Some(letter @ b'b'..=b'z') if style != Style::Bare => (u32::from(letter - b'a'), number_end + 1),
        _ => (0, number_end),
    };
    if spelling > 0 && number_end == bytes.len() && !ended {
        return Form::Open;
    }
    let number = number + spelling * SPELLING;
    let placeholder = |bytes| Form::Placeholder { bytes, kind, number };
    match (style, text[number_end..].chars().next()) {
        (Style::Angle, Some(next)) if CLOSING.contains(&next) => placeholder(number_end + next.len_utf8()),
        (Style::Ascii(closing), Some(next)) if next == closing => placeholder(number_end + 1),
        (Style::Ascii(_), _) => Form::None,
        (Style::Angle | Style::Bare, Some(next)) if joins_words(next) => Form::None,
        (Style::Angle | Style::Bare, _) => placeholder(number_end),
    }
}

fn read_kind(bytes: &[u8], start: usize, style: Style) -> Option<(FindingKind, usize)> {
    FindingKind::ALL
        .into_iter()
        .filter(|kind| allowed(*kind, style))
        .find_map(|kind| {
            let word = kind.placeholder()?.as_bytes();
            let end = start + word.len();
            (bytes.len() >= end && same(&bytes[start..end], word, style)).then_some((kind, end))
        })
}

fn is_start_of_kind(rest: &[u8], style: Style) -> bool {
    FindingKind::ALL
        .into_iter()
        .filter(|kind| allowed(*kind, style))
        .filter_map(FindingKind::placeholder)
        .any(|word| {
            let word = word.as_bytes();
            rest.len() < word.len() && same(rest, &word[..rest.len()], style)
        })
}

fn allowed(kind: FindingKind, style: Style) -> bool {
    style != Style::Bare || BARE.contains(&kind)
}

fn same(text: &[u8], word: &[u8], style: Style) -> bool {
    if style == Style::Angle {
        text.eq_ignore_ascii_case(word)
    } else {
        text == word
    }
}

fn joins_words(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// Every placeholder in `text`, as byte ranges in order.
pub(crate) fn all(text: &str) -> Vec<(std::ops::Range<usize>, FindingKind, u32)> {
    let mut found = Vec::new();
    let mut previous = None;
    let mut skip_until = 0;
    for (at, character) in text.char_indices() {
        if at >= skip_until
            && may_begin(previous, character)
            && let Form::Placeholder { bytes, kind, number } = read(&text[at..], true)
        {
            found.push((at..at + bytes, kind, number));
            skip_until = at + bytes;
        }
        previous = Some(character);
    }
    found
}

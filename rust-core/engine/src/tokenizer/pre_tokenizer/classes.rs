//! The four character classes of the rules.
//!
//! The classes are those of llama.cpp's tables (Unicode 15.1, `src/unicode-data.cpp` of the package llama-cpp-python 0.3.36) for every code
//! point. `unicode-general-category` follows Unicode 16.0. The two were compared over all code points and differ only in the letters and
//! numbers that 16.0 added. Those count as [`Class::Other`] here, as they do in llama.cpp and for every model with these rules, all of
//! which were trained before.

use unicode_general_category::{GeneralCategory, get_general_category};

/// What a character is to the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// `\p{L}`
    Letter,
    /// `\p{N}`
    Number,
    /// `\s`: Unicode's property White_Space.
    Whitespace,
    /// Everything else, unassigned code points included.
    Other,
}

impl Class {
    pub(super) fn of(character: char) -> Self {
        match character {
            'a'..='z' | 'A'..='Z' => Self::Letter,
            '0'..='9' => Self::Number,
            '\t'..='\r' | ' ' => Self::Whitespace,
            '\0'..='\x7f' => Self::Other,
            _ => Self::beyond_ascii(character),
        }
    }

    fn beyond_ascii(character: char) -> Self {
        use GeneralCategory::{
            DecimalNumber, LetterNumber, LowercaseLetter, ModifierLetter, OtherLetter, OtherNumber, TitlecaseLetter,
            UppercaseLetter,
        };
        let class = match get_general_category(character) {
            UppercaseLetter | LowercaseLetter | TitlecaseLetter | ModifierLetter | OtherLetter => Self::Letter,
            DecimalNumber | LetterNumber | OtherNumber => Self::Number,
            _ if character.is_whitespace() => return Self::Whitespace,
            _ => return Self::Other,
        };
        if is_newer_than_15_1(character) {
            Self::Other
        } else {
            class
        }
    }
}

/// Whether a character is one of `\p{P}`.
pub(super) fn is_punctuation(character: char) -> bool {
    use GeneralCategory::{
        ClosePunctuation, ConnectorPunctuation, DashPunctuation, FinalPunctuation, InitialPunctuation, OpenPunctuation,
        OtherPunctuation,
    };
    matches!(
        get_general_category(character),
        ConnectorPunctuation
            | DashPunctuation
            | OpenPunctuation
            | ClosePunctuation
            | InitialPunctuation
            | FinalPunctuation
            | OtherPunctuation
    )
}

/// Whether a character is one of `\p{S}`.
pub(super) fn is_symbol(character: char) -> bool {
    use GeneralCategory::{CurrencySymbol, MathSymbol, ModifierSymbol, OtherSymbol};
    matches!(
        get_general_category(character),
        MathSymbol | CurrencySymbol | ModifierSymbol | OtherSymbol
    )
}

/// Whether a character is one of `\p{M}`.
pub(super) fn is_mark(character: char) -> bool {
    use GeneralCategory::{EnclosingMark, NonspacingMark, SpacingMark};
    matches!(
        get_general_category(character),
        NonspacingMark | SpacingMark | EnclosingMark
    )
}

/// Length in bytes of the characters at the start of the text that are as asked for.
pub(super) fn run_of(text: &str, wanted: impl Fn(char) -> bool) -> usize {
    text.find(|character| !wanted(character)).unwrap_or(text.len())
}

/// Length in bytes of the carriage returns and line feeds at the start of the text.
pub(super) fn line_ends(text: &str) -> usize {
    run_of(text, |character| matches!(character, '\r' | '\n'))
}

/// Whitespace at the start of a text, under `\s*[\r\n]+|\s+(?!\S)|\s+`: up to its last line end, or else as [`whitespace`].
pub(super) fn whitespace_or_lines(text: &str) -> usize {
    match text[..run(text, Class::Whitespace)].rfind(['\r', '\n']) {
        Some(last) => last + 1,
        None => whitespace(text),
    }
}

/// Length in bytes of the numbers at the start of the text, at most `characters_max` of them.
pub(super) fn numbers(text: &str, characters_max: usize) -> usize {
    // Not the whole run: it would be looked through again for every few of its characters.
    let number = text.chars().take(characters_max);
    number
        .take_while(|&digit| Class::of(digit) == Class::Number)
        .map(char::len_utf8)
        .sum()
}

/// The class of a text's first character.
pub(super) fn first_class(text: &str) -> Option<Class> {
    text.chars().next().map(Class::of)
}

/// Length in bytes of the characters of this class at the start of the text.
pub(super) fn run(text: &str, class: Class) -> usize {
    text.find(|character| Class::of(character) != class)
        .unwrap_or(text.len())
}

/// Length in bytes of a contraction (`'s 't 're 've 'm 'll 'd`) at the start of the text; 0 if there is none. Both rules that
/// have contractions compare ASCII letters only.
pub(super) fn contraction(text: &str, any_case: bool) -> usize {
    let mut letters = text
        .bytes()
        .skip(1)
        .map(|byte| if any_case { byte.to_ascii_lowercase() } else { byte });
    match (text.starts_with('\''), letters.next(), letters.next()) {
        (true, Some(b's' | b't' | b'm' | b'd'), _) => 2,
        (true, Some(b'r' | b'v'), Some(b'e')) | (true, Some(b'l'), Some(b'l')) => 3,
        _ => 0,
    }
}

/// Whitespace at the start of a text, under `\s+(?!\S)|\s+`: all of it at the end of the text, otherwise without its last
/// character (which goes with the next word), but never less than one.
pub(super) fn whitespace(text: &str) -> usize {
    let length = run(text, Class::Whitespace);
    let mut backwards = text[..length].char_indices();
    match backwards.next_back() {
        Some((last, _)) if last > 0 && length < text.len() => last,
        _ => length,
    }
}

fn is_newer_than_15_1(character: char) -> bool {
    let code = u32::from(character);
    let index = NEWER_THAN_15_1.partition_point(|&(_, last)| last < code);
    NEWER_THAN_15_1.get(index).is_some_and(|&(first, _)| first <= code)
}

/// First and last of the letters and numbers that Unicode 16.0 added.
const NEWER_THAN_15_1: [(u32, u32); 26] = [
    (0x1c89, 0x1c8a),
    (0xa7cb, 0xa7cd),
    (0xa7da, 0xa7dc),
    (0x105c0, 0x105f3),
    (0x10d40, 0x10d65),
    (0x10d6f, 0x10d85),
    (0x10ec2, 0x10ec4),
    (0x11380, 0x11389),
    (0x1138b, 0x1138b),
    (0x1138e, 0x1138e),
    (0x11390, 0x113b5),
    (0x113b7, 0x113b7),
    (0x113d1, 0x113d1),
    (0x113d3, 0x113d3),
    (0x116d0, 0x116e3),
    (0x11bc0, 0x11be0),
    (0x11bf0, 0x11bf9),
    (0x13460, 0x143fa),
    (0x16100, 0x1611d),
    (0x16130, 0x16139),
    (0x16d40, 0x16d6c),
    (0x16d70, 0x16d79),
    (0x18cff, 0x18cff),
    (0x1ccf0, 0x1ccf9),
    (0x1e5d0, 0x1e5ed),
    (0x1e5f0, 0x1e5fa),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn check(character: char, expected: Class) {
        assert_eq!(Class::of(character), expected, "U+{:04X}", u32::from(character));
    }

    #[test]
    fn classes_are_those_of_unicode_15_1() {
        for character in ['a', 'Z', 'é', 'ª', 'ǅ', '日', 'ʰ', '한', '\u{1e4d0}', '\u{2ebf0}'] {
            check(character, Class::Letter);
        }
        for character in ['0', '²', '½', 'Ⅷ', '٣', '१', '〇', '\u{1f10c}'] {
            check(character, Class::Number);
        }
        for character in [
            ' ', '\t', '\u{b}', '\u{85}', '\u{a0}', '\u{1680}', '\u{2028}', '\u{202f}', '\u{3000}',
        ] {
            check(character, Class::Whitespace);
        }
        for character in [
            '\0',
            '\x1f',
            '\x7f',
            '-',
            '$',
            '\u{301}',
            '\u{200b}',
            '\u{feff}',
            '🦙',
            '\u{e000}',
            '\u{10ffff}',
        ] {
            check(character, Class::Other);
        }
    }

    #[test]
    fn letters_newer_than_the_models_are_other() {
        for (first, last) in NEWER_THAN_15_1 {
            check(
                char::from_u32(first).expect("no surrogate is in the table"),
                Class::Other,
            );
            check(
                char::from_u32(last).expect("no surrogate is in the table"),
                Class::Other,
            );
        }
        assert!(NEWER_THAN_15_1.is_sorted());
    }

    /// The number of characters in each class, as counted in llama.cpp's tables.
    #[test]
    fn class_sizes_are_llama_cpps() {
        let mut counts = [0_u32; 4];
        for character in '\0'..=char::MAX {
            counts[Class::of(character) as usize] += 1;
        }
        assert_eq!(counts, [136726, 1831, 25, 973482]);
    }
}

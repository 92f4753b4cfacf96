//! Scripts: those that are written without blanks between words, and letters that look like Latin ones.

/// How far a word is read to see whether it mixes scripts, in characters.
const WORD_CHARACTERS_MAX: usize = 64;

/// Cyrillic and Greek letters with the Latin ones that they look like (after Unicode's confusables, UTS #39), in order.
const ALIKE: &[(char, char)] = &[
    ('Α', 'A'),
    ('Β', 'B'),
    ('Ε', 'E'),
    ('Ζ', 'Z'),
    ('Η', 'H'),
    ('Ι', 'I'),
    ('Κ', 'K'),
    ('Μ', 'M'),
    ('Ν', 'N'),
    ('Ο', 'O'),
    ('Ρ', 'P'),
    ('Τ', 'T'),
    ('Υ', 'Y'),
    ('Χ', 'X'),
    ('α', 'a'),
    ('ι', 'i'),
    ('ν', 'v'),
    ('ο', 'o'),
    ('ρ', 'p'),
    ('υ', 'u'),
    ('ϳ', 'j'),
    ('Ѕ', 'S'),
    ('І', 'I'),
    ('Ј', 'J'),
    ('А', 'A'),
    ('В', 'B'),
    ('Е', 'E'),
    ('К', 'K'),
    ('М', 'M'),
    ('Н', 'H'),
    ('О', 'O'),
    ('Р', 'P'),
    ('С', 'C'),
    ('Т', 'T'),
    ('У', 'Y'),
    ('Х', 'X'),
    ('а', 'a'),
    ('е', 'e'),
    ('о', 'o'),
    ('р', 'p'),
    ('с', 'c'),
    ('у', 'y'),
    ('х', 'x'),
    ('ѕ', 's'),
    ('і', 'i'),
    ('ј', 'j'),
    ('ѵ', 'v'),
    ('һ', 'h'),
    ('Ӏ', 'I'),
    ('ӏ', 'l'),
    ('ԁ', 'd'),
    ('ԛ', 'q'),
    ('Ԝ', 'W'),
    ('ԝ', 'w'),
];

/// The Latin letter that looks like `character`, which is none.
pub(super) fn latin_alike(character: char) -> Option<char> {
    if !('\u{391}'..='\u{51d}').contains(&character) {
        return None;
    }
    let at = ALIKE.binary_search_by_key(&character, |(alike, _)| *alike).ok()?;
    Some(ALIKE[at].1)
}

/// How many bytes the word at the beginning of `rest` has, and whether it mixes Latin letters with letters that look like them, and
/// with no others. `behind_latin` says that a Latin letter stands right before it.
pub(super) fn mixes(rest: &str, behind_latin: bool) -> (usize, bool) {
    let (mut bytes, mut latin) = (0, behind_latin);
    for character in rest.chars().take(WORD_CHARACTERS_MAX) {
        match character {
            _ if character.is_ascii_alphabetic() => latin = true,
            '0'..='9' | '_' => {}
            _ if latin_alike(character).is_some() => {}
            _ if character.is_alphabetic() => return (bytes + word_bytes(&rest[bytes..]), false),
            _ => break,
        }
        bytes += character.len_utf8();
    }
    (bytes, latin)
}

fn word_bytes(rest: &str) -> usize {
    let word = rest.chars().take_while(|character| character.is_alphanumeric());
    word.take(WORD_CHARACTERS_MAX).map(char::len_utf8).sum()
}

/// A letter of a script that writes no blanks between words, or that writes its endings right behind foreign words and numbers: Han,
/// kana, Hangul, Thai, Lao, Khmer, Burmese, with their signs.
pub(crate) fn is_unspaced(character: char) -> bool {
    matches!(character,
        '\u{e01}'..='\u{e3a}' | '\u{e40}'..='\u{e4e}' | '\u{e80}'..='\u{ece}' | '\u{edc}'..='\u{edf}' | '\u{1000}'..='\u{103f}'
        | '\u{1050}'..='\u{108f}' | '\u{1100}'..='\u{11ff}' | '\u{1780}'..='\u{17d3}' | '\u{3005}'..='\u{3007}'
        | '\u{3041}'..='\u{309f}' | '\u{30a1}'..='\u{30fa}' | '\u{30fc}'..='\u{30ff}' | '\u{3105}'..='\u{318e}' | '\u{31f0}'..='\u{31ff}' | '\u{3400}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{9fff}' | '\u{a960}'..='\u{a97c}' | '\u{ac00}'..='\u{d7fb}' | '\u{f900}'..='\u{faff}'
        | '\u{ff66}'..='\u{ff9f}' | '\u{20000}'..='\u{3ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_that_look_alike_are_in_order_and_become_ascii() {
        assert!(ALIKE.is_sorted_by(|one, other| one.0 < other.0));
        assert!(ALIKE.iter().all(|(_, latin)| latin.is_ascii_alphabetic()));
    }
}

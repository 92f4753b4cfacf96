//! Letters in the form in which they are compared: lower case, Latin letters without accents.

/// What the letters from U+00C0 to U+017F are without accents, in lower case; the two signs among them are nothing.
#[rustfmt::skip]
const LATIN: [&str; 192] = [
    "a", "a", "a", "a", "a", "a", "ae", "c", "e", "e", "e", "e", "i", "i", "i", "i",
    "d", "n", "o", "o", "o", "o", "o", "", "o", "u", "u", "u", "u", "y", "th", "ss",
    "a", "a", "a", "a", "a", "a", "ae", "c", "e", "e", "e", "e", "i", "i", "i", "i",
    "d", "n", "o", "o", "o", "o", "o", "", "o", "u", "u", "u", "u", "y", "th", "y",
    "a", "a", "a", "a", "a", "a", "c", "c", "c", "c", "c", "c", "c", "c", "d", "d",
    "d", "d", "e", "e", "e", "e", "e", "e", "e", "e", "e", "e", "g", "g", "g", "g",
    "g", "g", "g", "g", "h", "h", "h", "h", "i", "i", "i", "i", "i", "i", "i", "i",
    "i", "i", "ij", "ij", "j", "j", "k", "k", "k", "l", "l", "l", "l", "l", "l", "l",
    "l", "l", "l", "n", "n", "n", "n", "n", "n", "n", "n", "n", "o", "o", "o", "o",
    "o", "o", "oe", "oe", "r", "r", "r", "r", "r", "r", "s", "s", "s", "s", "s", "s",
    "s", "s", "t", "t", "t", "t", "t", "t", "u", "u", "u", "u", "u", "u", "u", "u",
    "u", "u", "u", "u", "w", "w", "y", "y", "y", "z", "z", "z", "z", "z", "z", "s",
];
const LATIN_FIRST: u32 = 0xC0;

/// `character` in lower case and, when it is a Latin letter, without its accent: "É" is "e", "ß" is "ss".
pub(crate) fn folded(character: char) -> Folded {
    if character.is_ascii() {
        return Folded::One(Some(character.to_ascii_lowercase()));
    }
    let latin = (character as u32)
        .checked_sub(LATIN_FIRST)
        .and_then(|index| LATIN.get(index as usize));
    match latin {
        Some(letters) if !letters.is_empty() => Folded::Letters(letters.chars()),
        _ => Folded::Lower(character.to_lowercase()),
    }
}

/// The characters of a folded one.
pub(crate) enum Folded {
    One(Option<char>),
    Letters(std::str::Chars<'static>),
    Lower(std::char::ToLowercase),
}

impl Iterator for Folded {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        match self {
            Folded::One(character) => character.take(),
            Folded::Letters(letters) => letters.next(),
            Folded::Lower(lower) => lower.next(),
        }
    }
}

//! Decides whether the value after a word like "password" is a secret, and not a variable, a type, a placeholder word, or part of
//! a sentence about secrets. `cue` says where the value starts.

use std::sync::LazyLock;

use super::cue::{Place, Sign, Until};
use crate::lexicon::table::WordTable;
use crate::lexicon::{self, COMMON, FUNCTION, KEY, PASSWORD};
use crate::normal::is_unspaced;

/// The longest secret behind a word that says what it is.
const SAID_BYTES_MAX: usize = 256;

const WORDS: &str = include_str!("../../../data/secret_words.txt");

/// What words in and beside values say.
pub(super) struct Role;

impl Role {
    /// Stands where a secret would: "required", "none".
    pub(super) const STAND_IN: u32 = 1;
    /// A type in a program: "string".
    pub(super) const TYPE: u32 = 1 << 1;
    /// Makes a name one of something about a secret: `password_length`.
    pub(super) const ABOUT: u32 = 1 << 2;

    const NAMES: &'static [(&'static str, u32)] = &[
        ("stand_in", Role::STAND_IN),
        ("type", Role::TYPE),
        ("about", Role::ABOUT),
    ];
}

pub(super) static ROLES: LazyLock<WordTable> = LazyLock::new(|| WordTable::of(WORDS, Role::NAMES));

/// The value that begins at `place`.
pub(super) fn read<'t>(text: &'t str, place: &Place) -> &'t str {
    let rest = &text[place.start..];
    let stops = |character: char| match place.until {
        Until::Quote(quote) => character == quote || character == '\n',
        Until::Element => character == '<',
        Until::Blank => match character {
            '"' | '\'' | '`' | '<' | ' ' | '\t'..='\r' | '，' | '。' | '、' | '」' | '｡' => true,
            _ => !character.is_ascii() && character.is_whitespace(),
        },
    };
    let mut length = 0;
    let mut characters = rest.chars().peekable();
    while let Some(character) = characters.next() {
        // A sign and then a word of a script without blanks: the sentence goes on.
        let next = characters.peek();
        let goes_on = character.is_ascii_punctuation() && next.is_some_and(|next| is_unspaced(*next));
        // A string within a string ends its lines and itself with a backslash.
        let escape = character == '\\' && matches!(rest.as_bytes().get(length + 1), Some(b'n' | b'r' | b'"' | b'\''));
        if length >= SAID_BYTES_MAX || escape || stops(character) || goes_on && place.until == Until::Blank {
            break;
        }
        length += character.len_utf8();
    }
    match place.until {
        Until::Quote(_) => rest[..length].trim(),
        Until::Element => rest[..length].trim_end(),
        Until::Blank => rest[..length].trim_end_matches(['.', ',', ';', ':', ')', '?', ']', '}']),
    }
}

/// How sure it is that `value` is a secret.
pub(super) fn confidence(text: &str, place: &Place, value: &str) -> Option<f32> {
    if stands_for_another(value) || place.until == Until::Blank && is_expression(value, place.sign) {
        return None;
    }
    let said = matches!(place.sign, Sign::Tight | Sign::Colon | Sign::Equals);
    if is_varied(value, place) {
        return Some(if said { 0.9 } else { 0.75 });
    }
    (said && is_plain(text, value, place) || place.sign == Sign::Copula && is_odd_word(text, value, place))
        .then_some(0.7)
}

/// A variable, a placeholder, a mask, the name of a secret, or a word like "required".
fn stands_for_another(value: &str) -> bool {
    const BEGINNINGS: &[&str] = &[
        "${",
        "$(",
        "{{",
        "%{",
        "#{",
        "%s",
        "%(",
        "<",
        "***",
        "•••",
        "...",
        "…",
        "&str",
        "&'",
        "!vault",
        "!Ref",
        "!Sub",
        "!secret",
        "!env",
    ];
    let Some(first) = value.chars().next() else { return true };
    let variable = value.strip_prefix('$').or_else(|| value.strip_prefix('@'));
    !first.is_ascii_alphanumeric() && BEGINNINGS.iter().any(|mark| value.starts_with(mark))
        || ["your", "YOUR", "Your"].iter().any(|your| value.starts_with(your))
        || value.contains('⟨')
        || value.contains("://")
        || value.chars().all(|character| character == first || character == '-')
        || variable
            .is_some_and(|name| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_'))
        || value.len() <= lexicon::table::WORD_BYTES_MAX && has_role(value, Role::STAND_IN | Role::TYPE)
}

fn has_role(word: &str, roles: u32) -> bool {
    ROLES.roles(word) & roles != 0
}

/// A name in a program: a call, a field, an index, words joined by `_`. In configuration nothing of it follows a `=` at once.
fn is_expression(value: &str, sign: Sign) -> bool {
    let name = value
        .bytes()
        .take_while(|byte| byte.is_ascii_alphabetic() || *byte == b'_')
        .count();
    let behind = &value[name..];
    let goes_on = behind.starts_with(['(', '[']) || behind.starts_with("::") || behind.starts_with("->");
    let field = behind
        .strip_prefix('.')
        .is_some_and(|rest| rest.starts_with(|next: char| next.is_ascii_alphabetic()));
    let joined = behind.is_empty() && value.contains('_') && sign != Sign::Tight;
    name > 0 && (goes_on || field || joined) || value.starts_with(['[', '(', '|', '&'])
}

/// How many characters of each sort a value has.
#[derive(Default)]
struct Counts {
    all: usize,
    letters: usize,
    digits: usize,
    /// Signs that words and names have not.
    signs: usize,
    /// Signs that end words or join names.
    weak_signs: usize,
    blanks: usize,
    lower: usize,
    /// Capitals behind the first character.
    inner_upper: usize,
}

impl Counts {
    fn of(value: &str) -> Counts {
        let mut counts = Counts::default();
        for character in value.chars() {
            match character {
                'a'..='z' => {
                    counts.letters += 1;
                    counts.lower += 1;
                }
                'A'..='Z' => {
                    counts.letters += 1;
                    counts.inner_upper += usize::from(counts.all > 0);
                }
                '0'..='9' => counts.digits += 1,
                '!' | '?' | '_' | '.' | ',' | ':' => counts.weak_signs += 1,
                '-' | '/' | '\'' | '(' | ')' | '’' => {}
                _ if character.is_whitespace() => counts.blanks += 1,
                _ if character.is_alphabetic() => {
                    counts.letters += 1;
                    counts.lower += usize::from(character.is_lowercase());
                    counts.inner_upper += usize::from(counts.all > 0 && character.is_uppercase());
                }
                _ => counts.signs += usize::from(!character.is_numeric()),
            }
            counts.all += 1;
        }
        counts
    }
}

/// Letters and digits mixed, or signs among them, as in no word.
fn is_varied(value: &str, place: &Place) -> bool {
    let counts = Counts::of(value);
    let (length, digits, signs) = (counts.all, counts.digits, counts.signs);
    let said = !matches!(place.sign, Sign::Copula | Sign::Beside);
    let mixed = counts.letters > 0 && (digits > 0 || signs > 0);
    if counts.blanks > 0 {
        return said && mixed && !is_prose(value);
    }
    // A sign that words have too, where none has it: "hunter!", "a.b".
    let marked = counts.letters > 0 && counts.weak_signs > 0;
    match (place.password, place.sign) {
        (true, Sign::Beside) => mixed && (place.until != Until::Blank || length >= 8 && is_mingled(value)),
        (true, Sign::Copula) => {
            length >= 6 && (mixed || digits > 0 && signs > 0 || marked) || length >= 4 && digits == length
        }
        (true, _) => {
            let inner = counts.inner_upper > 0 && counts.lower > 0;
            length >= 4 && (mixed || digits > 0 && signs > 0 || digits == length || inner || marked)
        }
        (false, Sign::Beside) => place.until != Until::Blank && is_key(value, 12) && !place.generic,
        (false, _) => {
            let least = if place.generic || !said { 12 } else { 8 };
            mixed && is_key(value, least)
                || said && !place.generic && (signs >= 3 && counts.letters > 0 || digits == length && length >= 12)
        }
    }
}

/// Digits among the letters, not only behind them: "sha256" and "v2" are no passwords.
fn is_mingled(value: &str) -> bool {
    let inner = value.trim_end_matches(|character: char| character.is_ascii_digit());
    let cases = value.chars().any(char::is_uppercase) && value.chars().skip(1).any(char::is_lowercase);
    inner.chars().any(|character| character.is_ascii_digit()) && cases
        || inner.chars().filter(char::is_ascii_digit).count() >= 2
        || value.len() - inner.len() >= 2 && cases
}

fn is_key(value: &str, least: usize) -> bool {
    let varied =
        value.bytes().any(|byte| byte.is_ascii_digit()) && value.bytes().any(|byte| byte.is_ascii_alphabetic());
    let plain = value
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"_-./+=~|:!@#$%^&*?".contains(&byte));
    value.len() >= least && varied && plain && super::entropy(value) >= if least > 8 { 2.8 } else { 2.4 }
}

/// Letters only, which is a secret where nothing says otherwise.
fn is_plain(text: &str, value: &str, place: &Place) -> bool {
    let length = value.chars().count();
    let letters = value
        .chars()
        .all(|character| character.is_alphabetic() || matches!(character, '-' | '_' | '\'' | ' '));
    if !letters || length < 4 {
        return false;
    }
    if !value.contains(' ') && is_label(value) {
        return false;
    }
    if value.contains(' ') {
        return place.password && place.until != Until::Blank && value.split(' ').count() >= 3 && !is_prose(value);
    }
    let common = lexicon::meaning(value) & (COMMON | FUNCTION) != 0;
    let closed = place.until != Until::Blank || place.sign == Sign::Tight;
    if !place.password {
        return closed && !place.generic && length >= 8 && value.split(['-', '_']).all(is_unknown);
    }
    if closed {
        return true;
    }
    let rest = text[place.start + value.len()..].trim_start_matches(['.', ',', ';', ')', ' ', '\t', '}', '"']);
    let ends = rest.is_empty() || rest.starts_with(['\n', '\r']);
    // A program sets a password to another variable more often than to a word; a sentence goes on behind its colon.
    if place.sign == Sign::Equals || !ends {
        !common && (ends || is_spoken_of(text, place))
    } else {
        true
    }
}

/// Whether the sentence before the value is one about somebody's password and not a rule for passwords: "my password: …".
fn is_spoken_of(text: &str, place: &Place) -> bool {
    let before = &text[..place.start];
    let line = &before[before.rfind('\n').map_or(0, |at| at + 1)..];
    let line = line.get(line.len().saturating_sub(48)..).unwrap_or("");
    line.split(|character: char| !character.is_alphabetic()).any(|word| {
        [
            "my", "your", "his", "her", "our", "their", "the", "mein", "dein", "mon", "ton", "mi", "tu",
        ]
        .iter()
        .any(|owner| word.eq_ignore_ascii_case(owner))
    })
}

fn is_unknown(part: &str) -> bool {
    part.len() >= 4 && lexicon::meaning(part) == 0 && !has_role(part, Role::STAND_IN | Role::TYPE | Role::ABOUT)
}

/// The name of a field that holds a secret, not a secret: "Password", "Mot de passe".
fn is_label(value: &str) -> bool {
    let mut words = value
        .split(|character: char| !character.is_alphabetic())
        .filter(|word| !word.is_empty());
    words.any(|word| lexicon::meaning(word) & (PASSWORD | KEY) != 0 || has_role(word, Role::STAND_IN))
        || value.len() > 8
            && ["password", "token", "secret", "passwd"]
                .iter()
                .any(|name| value.to_lowercase().contains(name))
}

fn is_prose(value: &str) -> bool {
    let mut stand_ins = 0;
    let mut says = |word: &str| {
        let word = word.trim_matches(|character: char| !character.is_alphabetic());
        stand_ins += u32::from(has_role(word, Role::STAND_IN | Role::TYPE));
        stand_ins > 1 || lexicon::meaning(word) & (FUNCTION | PASSWORD | KEY) != 0
    };
    value.ends_with(['.', '?', '!', '…', ':'])
        || value.starts_with(char::is_uppercase)
        || value.split_whitespace().any(&mut says)
        || value.split_whitespace().count() > 8
}

/// "my password is swordfsh": a word that is none, and says nothing about a password as "salted" would.
fn is_odd_word(text: &str, value: &str, place: &Place) -> bool {
    let before = text[..place.start].trim_end_matches([' ', ':', '*', '"', '\'', '`']);
    let endings = ["ed", "ing", "able", "ible", "ful", "less", "ly"];
    place.password
        && place.english
        && [" is", " was"].iter().any(|copula| before.ends_with(copula))
        && value.len() >= 5
        && value.bytes().all(|byte| byte.is_ascii_lowercase())
        && lexicon::meaning(value) == 0
        && !has_role(value, Role::STAND_IN | Role::TYPE)
        && !endings.iter().any(|ending| value.ends_with(ending))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_of_the_file_is_found() {
        lexicon::table::test::check(WORDS, &ROLES, Role::NAMES, 0);
    }
}

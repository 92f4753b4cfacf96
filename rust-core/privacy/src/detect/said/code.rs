//! The form of a number after the word that identifies it: where it starts, and how far its groups extend.

use std::ops::Range;

/// How far behind a word its number may begin.
const REACH_BYTES: usize = 72;
/// How many other words may stand between them.
const WORDS_MAX: usize = 4;
/// The longest number, with what separates its groups.
const CODE_BYTES_MAX: usize = 40;
/// The most groups of a number.
const GROUPS_MAX: usize = 10;
/// How far behind a word for a home its coordinates may stand.
const HOME_BYTES: usize = 96;

/// The number behind byte `at`; a vehicle's plate may begin with letters.
pub(super) fn behind(text: &str, at: usize, letters_first: bool) -> Option<Range<usize>> {
    let start = beginning(text, at, letters_first)?;
    Some(start..end(text, start, letters_first))
}

fn beginning(text: &str, at: usize, letters_first: bool) -> Option<usize> {
    let rest = &text[at..];
    let (mut words, mut lines) = (0, 0);
    let mut from = 0;
    while from < rest.len().min(REACH_BYTES) {
        let character = rest[from..].chars().next()?;
        if !character.is_alphanumeric() {
            let sentence =
                character == '.' && rest[from + 1..].starts_with([' ', '\n']) && !is_abbreviation(&text[..at + from]);
            lines += usize::from(character == '\n');
            if sentence || lines > 1 || matches!(character, ',' | ';' | '!' | '+' | '$' | '€' | '{' | '⟨' | '[' | '|')
            {
                return None;
            }
            from += character.len_utf8();
            continue;
        }
        let length: usize = rest[from..]
            .chars()
            .take_while(|character| character.is_alphanumeric())
            .map(char::len_utf8)
            .sum();
        let word = &rest[from..from + length];
        if !word.is_ascii() && word.bytes().any(|byte| byte.is_ascii_digit()) {
            // A script without blanks: the number stands in the midst of letters.
            return word
                .bytes()
                .position(|byte| byte.is_ascii_alphanumeric())
                .map(|inner| at + from + inner);
        }
        if word.bytes().any(|byte| byte.is_ascii_digit()) {
            return Some(at + from);
        }
        let capitals = word.bytes().all(|byte| byte.is_ascii_uppercase());
        let most = if letters_first { 4 } else { 2 };
        if capitals && length <= most && begins_code(&rest[from + length..], letters_first) {
            return Some(at + from);
        }
        words += 1;
        if words > WORDS_MAX || lines > 0 {
            return None;
        }
        from += length;
    }
    None
}

/// Whether the dot behind `before` ends an abbreviation and no sentence.
fn is_abbreviation(before: &str) -> bool {
    let letters = before
        .chars()
        .rev()
        .take_while(|character| character.is_alphabetic())
        .count();
    (1..=3).contains(&letters)
}

/// Whether a group with a digit follows letters with one sign between them; for a plate one more group of letters may.
fn begins_code(behind: &str, letters_first: bool) -> bool {
    let Some(group) = behind.strip_prefix(['-', ' ', '.', '·']) else {
        return false;
    };
    let letters = group.bytes().take_while(u8::is_ascii_uppercase).count();
    let follows = |group: &str| group.starts_with(|next: char| next.is_ascii_digit());
    follows(group)
        || letters_first
            && (1..=3).contains(&letters)
            && (follows(&group[letters..]) || group[letters..].strip_prefix(['-', ' ']).is_some_and(follows))
}

/// Where the number ends that begins at byte `start`.
fn end(text: &str, start: usize, letters_first: bool) -> usize {
    let bytes = text.as_bytes();
    let group = |from: usize| {
        bytes[from..]
            .iter()
            .take(CODE_BYTES_MAX)
            .take_while(|byte| byte.is_ascii_alphanumeric())
            .count()
    };
    let mut end = start + group(start);
    for _ in 1..GROUPS_MAX {
        let rest = &text[end..];
        let signs: usize = rest
            .chars()
            .take(3)
            .take_while(|sign| matches!(sign, ' ' | '\u{a0}' | '-' | '–' | '/' | '.' | '\u{2011}'))
            .map(char::len_utf8)
            .sum();
        let length = group(end + signs);
        let word = &text[end + signs..end + signs + length];
        if signs == 0
            || length == 0
            || end + signs + length - start > CODE_BYTES_MAX
            || !belongs(&rest[..signs], word, &text[end + signs + length..], letters_first)
        {
            break;
        }
        end += signs + length;
    }
    end
}

/// Whether `word`, behind `signs`, is a group of the same number.
fn belongs(signs: &str, word: &str, behind: &str, letters_first: bool) -> bool {
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    let capitals = word.len() <= 3 && word.bytes().all(|byte| byte.is_ascii_uppercase());
    // "… 2 years": a quantity, or the next sentence.
    let sentence = signs.starts_with('.') && signs.len() > 1;
    let quantity = digits == word.len() && digits <= 2 && {
        let next = behind.trim_start_matches(' ');
        next.len() < behind.len() && next.starts_with(char::is_lowercase)
    };
    let blank = signs.trim().is_empty();
    !sentence
        && (digits > 0 || capitals)
        && !(blank && quantity)
        && !(blank && digits > 0 && digits < word.len() && word.len() > 8)
        && (digits > 0
            || !blank
            || letters_first
            || behind.starts_with(|next: char| next == ' ' || next.is_ascii_digit()) && follows_digit(behind))
}

fn follows_digit(behind: &str) -> bool {
    behind
        .trim_start_matches(' ')
        .starts_with(|next: char| next.is_ascii_digit())
}

/// Words that stand right before a number that is named, and not before one that counts.
const LINKS: &[&str] = &[
    "is",
    "number",
    "no",
    "nr",
    "num",
    "ist",
    "lautet",
    "est",
    "es",
    "é",
    "è",
    "är",
    "er",
    "jest",
    "code",
    "id",
    "numero",
    "número",
    "numéro",
    "nummer",
    "numer",
    "номер",
];

/// Digits alone, with another word before them and a word behind them: "the inn has 12345 rooms".
pub(super) fn is_quantity(text: &str, at: usize, code: &Range<usize>) -> bool {
    let digits = text[code.clone()].bytes().all(|byte| byte.is_ascii_digit());
    let between = &text[at..code.start];
    let last = between
        .split(|character: char| !character.is_alphabetic())
        .rfind(|word| !word.is_empty());
    let linked = last.is_none_or(|last| LINKS.contains(&last.to_lowercase().as_str()));
    let next = text[code.end..]
        .strip_prefix(' ')
        .is_some_and(|next| next.starts_with(char::is_lowercase));
    digits && !linked && next && !between.contains([':', '=', '#'])
}

/// Day, month and year with dots, hyphens or slashes.
pub(super) fn is_date(code: &str) -> bool {
    let groups: Vec<&str> = code.split(['.', '-', '/']).collect();
    let lengths: Vec<usize> = groups.iter().map(|group| group.len()).collect();
    let digits = groups
        .iter()
        .all(|group| group.bytes().all(|byte| byte.is_ascii_digit()));
    digits && matches!(lengths[..], [1 | 2, 1 | 2, 2 | 4] | [4, 1 | 2, 1 | 2])
}

/// A pair of coordinates within reach of byte `at`: `52.5163, 13.3777`, with signs, degrees or points of the compass.
pub(super) fn coordinates(text: &str, at: usize) -> Option<Range<usize>> {
    let rest = &text[at..text.floor_char_boundary(at + HOME_BYTES)];
    let mut from = 0;
    while let Some(digit) = rest[from..].find(|character: char| character.is_ascii_digit()) {
        let mut start = from + digit;
        if rest[..start].ends_with(['-', '+']) {
            start -= 1;
        }
        let first = coordinate(&rest[start..], 90.0);
        if let Some(length) = first {
            let behind = &rest[start + length..];
            let signs = behind.len() - behind.trim_start_matches([' ', ',', ';', '/', ')']).len();
            let next = behind[signs..]
                .strip_prefix("lon")
                .or(behind[signs..].strip_prefix("lng"))
                .unwrap_or(&behind[signs..]);
            let next = next.trim_start_matches(['g', ':', '=', ' ']);
            if let Some(second) = coordinate(next, 180.0).filter(|_| signs > 0) {
                return Some(at + start..at + rest.len() - next.len() + second);
            }
        }
        from += digit
            + rest[from + digit..]
                .bytes()
                .take_while(|byte| byte.is_ascii_digit() || *byte == b'.')
                .count();
    }
    None
}

/// The length of a coordinate at the beginning of `text`, of at most `most` degrees and four decimals or more.
fn coordinate(text: &str, most: f64) -> Option<usize> {
    let sign = usize::from(text.starts_with(['-', '+']));
    let number = text[sign..]
        .bytes()
        .take(16)
        .take_while(|byte| byte.is_ascii_digit() || *byte == b'.')
        .count();
    let written = text[sign..sign + number].trim_end_matches('.');
    let (whole, decimals) = written.split_once('.')?;
    let valid = (1..=3).contains(&whole.len())
        && decimals.len() >= 4
        && written.parse::<f64>().is_ok_and(|degrees| degrees <= most);
    let mut end = sign + written.len();
    for mark in ["°", " ", "N", "S", "E", "W", "O"] {
        if text[end..].starts_with(mark) && (mark != " " || text[end + 1..].starts_with(['N', 'S', 'E', 'W'])) {
            end += mark.len();
        }
    }
    valid.then_some(end)
}

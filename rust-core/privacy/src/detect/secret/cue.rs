//! Words that say that a secret follows, as they stand in sentences, in programs, in configuration, and in commands; and where
//! behind them the secret begins. Whether what stands there is one says `value`.

use super::value::{ROLES, Role};
use crate::detect::view::{Shape, View};
use crate::lexicon::{KEY, PASSWORD};

/// How far behind a word its secret may begin.
const REACH_BYTES: usize = 64;
/// The longest rest of a name behind a word: `password_super_secure`.
const NAME_BYTES_MAX: usize = 40;

/// What follows a word like "password".
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Place {
    /// The secret's first byte.
    pub(super) start: usize,
    /// How a value ends.
    pub(super) until: Until,
    /// The word is one for passwords, not for keys.
    pub(super) password: bool,
    /// The word is one for keys of any sort: "key", "signature".
    pub(super) generic: bool,
    /// The word is English.
    pub(super) english: bool,
    pub(super) sign: Sign,
}

/// Where a secret ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Until {
    /// At this quotation mark.
    Quote(char),
    /// At the next blank.
    Blank,
    /// At the next `<`.
    Element,
}

/// What stands between a word and its secret.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Sign {
    /// `:` or `=` without a blank behind it, an element, or a command's argument.
    Tight,
    /// `:` or the like.
    Colon,
    /// `=` or the like, with a blank behind it.
    Equals,
    /// "is" or the like.
    Copula,
    /// A blank.
    Beside,
}

/// A word for "is" between a word and its secret, in any language.
const COPULAS: &[&str] = &[
    "is",
    "was",
    "to",
    "on",
    "ist",
    "lautet",
    "est",
    "es",
    "è",
    "é",
    "är",
    "er",
    "jest",
    "to",
    "je",
    "este",
    "είναι",
    "هو",
    "הוא",
    "היא",
    "on",
    "olan",
    "adalah",
    "là",
    "—",
    "–",
    "-",
];

/// The signs, the longest of those that begin alike first.
const SIGNS: &[&str] = &[
    ":::=", "::=", ":=", "=>", "->", "===", "==", "!==", "!=", "?=", ".=", "+=", "||=", "=", ":", "：", "＝",
];

/// Endings of names that say what `dbPassword` and `authtoken` hold, and whether that is a password.
const ENDINGS: &[(&str, bool)] = &[
    ("password", true),
    ("passwd", true),
    ("passphrase", true),
    ("passcode", true),
    ("passwort", true),
    ("contrasena", true),
    ("pwd", true),
    ("pass", true),
    ("token", false),
    ("secret", false),
    ("secrete", false),
    ("apikey", false),
    ("accesskey", false),
    ("secretkey", false),
    ("privatekey", false),
    ("encryptionkey", false),
    ("authkey", false),
    ("credential", false),
    ("credentials", false),
];

/// Where the secret begins that token `index` speaks of.
pub(super) fn place(view: &View, index: usize) -> Option<Place> {
    let end = view.end(index);
    let known = view.is(index, KEY | PASSWORD);
    let behind = view.text.as_bytes().get(end).copied().unwrap_or(b' ');
    if !known
        && !matches!(
            behind,
            b' ' | b'\t' | b':' | b'=' | b'"' | b'\'' | b'`' | b'_' | b'-' | b'>' | b']' | b'?' | b'\\'
        )
    {
        return None;
    }
    let (password, generic) = if known {
        (view.is(index, PASSWORD), is_generic(view, index))
    } else {
        (ending(view.word(index))?, false)
    };
    let mut limit = (end + REACH_BYTES).min(view.text.len());
    while !view.text.is_char_boundary(limit) {
        limit -= 1;
    }
    let reach = &view.text[end..limit];
    let (named, is_name) = rest_of_name(reach)?;
    if let Some(place) = compared(view, index, password, generic) {
        return Some(place);
    }
    let (start, sign, until) = behind_name(view, index, end + named, &reach[named..])?;
    if !known && matches!(sign, Sign::Copula | Sign::Beside) || is_name && sign == Sign::Copula {
        return None;
    }
    let english = ["password", "passphrase", "passcode", "pwd"]
        .iter()
        .any(|word| view.word(index).eq_ignore_ascii_case(word));
    Some(Place {
        start,
        until,
        password,
        generic,
        english,
        sign,
    })
}

/// A word for keys of any sort, without one before it that says which: "API key" is one for secrets.
fn is_generic(view: &View, index: usize) -> bool {
    let is_one_of = |word: &str, words: &[&str]| words.iter().any(|other| word.eq_ignore_ascii_case(other));
    let before = index.checked_sub(1).map_or("", |before| view.word(before));
    is_one_of(
        view.word(index),
        &[
            "key",
            "keys",
            "signature",
            "webhook",
            "schlüssel",
            "clé",
            "cle",
            "chiave",
            "tokens",
            "secrets",
        ],
    ) && !is_one_of(
        before,
        &[
            "api",
            "access",
            "secret",
            "private",
            "auth",
            "encryption",
            "account",
            "master",
            "service",
        ],
    )
}

/// Whether a name like `dbPassword` ends in a word for a secret, and whether that is a password.
fn ending(word: &str) -> Option<bool> {
    let last = word.as_bytes().last()?.to_ascii_lowercase();
    if !matches!(last, b'd' | b'e' | b's' | b't' | b'n' | b'y' | b'a' | b'l') {
        return None;
    }
    let found = ENDINGS.iter().find(|(ending, _)| {
        let at = word.len().checked_sub(ending.len());
        at.is_some_and(|at| {
            let bytes = word.as_bytes();
            let alike = bytes[at..].eq_ignore_ascii_case(ending.as_bytes());
            // "compass" is no password, "dbPass" is one.
            alike
                && (ending.len() > 4 || at == 0 || bytes[at].is_ascii_uppercase() && bytes[at - 1].is_ascii_lowercase())
        })
    });
    let key = || {
        let inner = word.strip_suffix("Key").and_then(|rest| rest.as_bytes().last());
        inner.is_some_and(u8::is_ascii_lowercase).then_some(false)
    };
    found.map(|(_, password)| *password).or_else(key)
}

/// The rest of a name that goes on behind the word, `_super_secure`, and whether there is any. No secret is meant where the rest says
/// something about it: `password_length`.
fn rest_of_name(reach: &str) -> Option<(usize, bool)> {
    let part = |&byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if !matches!(reach.as_bytes(), [b'_' | b'-', next, ..] if next.is_ascii_alphanumeric()) {
        return Some((0, false));
    }
    let length = reach.bytes().take(NAME_BYTES_MAX).take_while(part).count();
    let about = |part: &str| ROLES.roles(part) & Role::ABOUT != 0;
    (!reach[..length].split(['_', '-']).any(about)).then_some((length, true))
}

/// The secret's first byte behind a name that ends at byte `at`, what stands between them, and how the secret ends.
fn behind_name(view: &View, index: usize, at: usize, reach: &str) -> Option<(usize, Sign, Until)> {
    let word_start = view.start(index);
    if let Some(rest) = reach.strip_prefix('>') {
        let blanks = rest.len() - rest.trim_start().len();
        return is_element(&view.text[..word_start]).then_some((at + 1 + blanks, Sign::Tight, Until::Element));
    }
    if let Some(rest) = reach.strip_prefix("\">").or_else(|| reach.strip_prefix("'>")) {
        // `<entry key="password">`, but not `<label for="password">`.
        let before = view.text[..word_start]
            .trim_end_matches(|character: char| character.is_alphanumeric() || "_.-".contains(character));
        let named = ["key=", "name="]
            .iter()
            .any(|attribute| before.trim_end_matches(['"', '\'']).ends_with(attribute));
        return named.then_some((at + reach.len() - rest.len(), Sign::Tight, Until::Element));
    }
    let closing = reach.len()
        - reach
            .trim_start_matches([' ', '\t', '"', '\'', '`', '*', '_', ')', ']', '\\'])
            .len();
    let rest = &reach[closing..];
    if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
        return Some(behind_sign(at + closing + sign.len(), &rest[sign.len()..], sign));
    }
    if let Some(found) = value_of_name(at + closing, rest) {
        return Some(found);
    }
    if reach[..closing].contains(['"', '\'', '`'])
        && let Some(behind) = next_argument(rest)
    {
        let (start, _, until) = behind_sign(at + closing + behind, &rest[behind..], "=");
        return Some((start, Sign::Tight, until));
    }
    in_words(view, index, at, reach)
}

/// `value="…"` behind a name, as in lists of names with values.
fn value_of_name(at: usize, rest: &str) -> Option<(usize, Sign, Until)> {
    let word = rest.trim_start_matches([' ', ',', '\t', '\r', '\n', '"', '\'']);
    let behind = word.strip_prefix("value").or_else(|| word.strip_prefix("Value"))?;
    let behind = behind.trim_start_matches(['"', '\'', ' ']).strip_prefix([':', '='])?;
    let (start, _, until) = behind_sign(at + rest.len() - behind.len(), behind, "=");
    Some((start, Sign::Tight, until))
}

/// `, "…"` behind a name in quotation marks: how many bytes stand before the quotation mark.
fn next_argument(rest: &str) -> Option<usize> {
    let behind = rest.strip_prefix(',')?.trim_start();
    behind.starts_with(['"', '\'', '`']).then(|| rest.len() - behind.len())
}

/// Whether `<` and perhaps a prefix stand before an element's name.
fn is_element(before: &str) -> bool {
    let name = |&byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b':' | b'.');
    let length = before.bytes().rev().take(NAME_BYTES_MAX).take_while(name).count();
    before.as_bytes()[..before.len() - length].last() == Some(&b'<')
}

/// Behind a sign: blanks, a type's name with another sign, a mark before the quotation mark.
fn behind_sign(at: usize, rest: &str, sign: &str) -> (usize, Sign, Until) {
    let blanks = rest.len() - rest.trim_start_matches([' ', '\t', '*']).len();
    let (mut at, mut rest) = (at + blanks, &rest[blanks..]);
    if sign == ":"
        && let Some((annotation, behind)) = rest.split_once('=')
        && !annotation.contains(['\n', '"', '\'', '`'])
        && annotation
            .split(|character: char| !character.is_alphabetic())
            .all(|word| word.is_empty() || is_type(word))
    {
        let blanks = behind.len() - behind.trim_start_matches([' ', '\t']).len();
        at += rest.len() - behind.len() + blanks;
        rest = &behind[blanks..];
    }
    let kind = match () {
        () if blanks == 0 => Sign::Tight,
        () if sign.ends_with([':', '：']) => Sign::Colon,
        () => Sign::Equals,
    };
    for scheme in ["Basic ", "Token ", "Bearer "] {
        if let Some(credentials) = rest.strip_prefix(scheme) {
            return (at + rest.len() - credentials.len(), kind, Until::Blank);
        }
    }
    let (skipped, until) = opening(rest);
    (at + skipped, kind, until)
}

/// A quotation mark at the beginning, perhaps with a mark before it: `@"`, `b'`, `\"`.
fn opening(rest: &str) -> (usize, Until) {
    let marks = rest
        .bytes()
        .take(2)
        .take_while(|byte| b"@brfuRBFU$\\".contains(byte))
        .count();
    match rest[marks..].chars().next() {
        Some(quote @ ('"' | '\'' | '`')) => (marks + 1, Until::Quote(quote)),
        Some('“' | '„') => (marks + 3, Until::Quote('”')),
        Some('«') => (marks + 2, Until::Quote('»')),
        Some('「') => (marks + 3, Until::Quote('」')),
        _ => (0, Until::Blank),
    }
}

fn is_type(word: &str) -> bool {
    ROLES.roles(word) & Role::TYPE != 0
}

/// A command's argument, "password is …", `Bearer …`, `private_key "…"`, `var token string = "…"`, "пароль …".
fn in_words(view: &View, index: usize, at: usize, reach: &str) -> Option<(usize, Sign, Until)> {
    let blanks = reach.len()
        - reach
            .trim_start_matches([' ', '\t', '"', '\'', '`', '*', '_', ')', ']'])
            .len();
    let rest = &reach[blanks..];
    if blanks == 0 {
        return None;
    }
    let (skipped, until) = opening(rest);
    // `--password …`, `PASSWORD '…'` in SQL, and `login … password …` in a file for logins.
    let lead = reach.trim_start_matches([' ', '\t']);
    let (marks, ends) = opening(lead);
    let given = is_argument(&view.text[..view.start(index)])
        || marks > 0 && view.tokens[index].shape == Shape::Upper
        || index > 1 && view.word(index - 2) == "login";
    if given && lead.len() < reach.len() {
        let start = at + reach.len() - lead.len() + marks;
        return (!lead.starts_with('-')).then_some((start, Sign::Tight, ends));
    }
    if skipped == 0 && reach[..blanks].ends_with(['"', '\'', '`']) {
        let quote = reach[..blanks].chars().next_back()?;
        // What stands before is blank: the mark opens a value and closes no name.
        let opens = reach.starts_with([' ', '\t']);
        return opens.then_some((at + blanks, Sign::Beside, Until::Quote(quote)));
    }
    let first = rest.split([' ', ':', '=', '\n']).next().unwrap_or("");
    let behind = &rest[first.len()..];
    let trimmed = behind.trim_start_matches(' ');
    if is_type(first) && trimmed.starts_with(['=', ':']) {
        let sign = SIGNS.iter().find(|sign| trimmed.starts_with(**sign))?;
        let start = at + reach.len() - trimmed.len() + sign.len();
        return Some(behind_sign(start, &trimmed[sign.len()..], "="));
    }
    if COPULAS.contains(&first.to_lowercase().as_str()) {
        let behind = behind.strip_prefix(':').unwrap_or(behind);
        let trimmed = behind.trim_start_matches([' ', '\t', '*']);
        let (skipped, until) = opening(trimmed);
        let start = at + reach.len() - trimmed.len() + skipped;
        return (trimmed.len() < behind.len()).then_some((start, Sign::Copula, until));
    }
    let sign = if view.word(index).eq_ignore_ascii_case("bearer") {
        Sign::Copula
    } else {
        Sign::Beside
    };
    Some((at + blanks + skipped, sign, until))
}

/// `"…" == password`: the secret stands before the word.
fn compared(view: &View, index: usize, password: bool, generic: bool) -> Option<Place> {
    let name = |&byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    let bytes = view.text.as_bytes();
    let word = view.start(index);
    let length = bytes[..word]
        .iter()
        .rev()
        .take(NAME_BYTES_MAX)
        .take_while(|byte| name(byte))
        .count();
    let before = bytes[..word - length].trim_ascii_end();
    let signs = before
        .iter()
        .rev()
        .take(3)
        .take_while(|byte| matches!(byte, b'=' | b'!'))
        .count();
    if signs < 2 {
        return None;
    }
    let before = before[..before.len() - signs].trim_ascii_end();
    let (&quote, inside) = before
        .split_last()
        .filter(|(quote, _)| matches!(quote, b'"' | b'\'' | b'`'))?;
    let length = inside
        .iter()
        .rev()
        .take(256)
        .position(|&byte| byte == quote || byte == b'\n')?;
    let start = inside.len() - length;
    let until = Until::Quote(quote.into());
    Some(Place {
        start,
        until,
        password,
        generic,
        english: false,
        sign: Sign::Tight,
    })
}

/// Whether the name before which `before` ends is a command's option: `--db-password`.
fn is_argument(before: &str) -> bool {
    let name = |&byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    let length = before.bytes().rev().take(NAME_BYTES_MAX).take_while(name).count();
    let name = &before.as_bytes()[before.len() - length..];
    name.starts_with(b"--")
}

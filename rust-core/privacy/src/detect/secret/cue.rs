//! Words that announce a secret in sentences, programs, configuration and commands. `between` reads the text between such a word
//! and its secret; `value` decides whether the following value is a secret.

use super::between::behind_name;
use super::value::{ROLES, Role};
use crate::detect::view::{View, ends_in};
use crate::lexicon::{KEY, PASSWORD};
use crate::normal::is_unspaced;

/// How far behind a word its secret may begin.
const REACH_BYTES: usize = 64;
/// The longest rest of a name behind a word: `password_super_secure`.
pub(super) const NAME_BYTES_MAX: usize = 40;

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
    // In a script without blanks the word may stand anywhere in its run, and speaks of what is behind only at the end.
    let unspaced = view.word(index).ends_with(is_unspaced);
    let known = view.is(index, KEY | PASSWORD) && (!unspaced || ends_in(view.word(index), KEY | PASSWORD));
    if !known && !may_be_set(view, index) {
        return None;
    }
    let (password, generic) = if known {
        (view.is(index, PASSWORD), is_generic(view, index))
    } else {
        (ending(view.word(index))?, false)
    };
    let reach = &view.text[end..view.text.floor_char_boundary(end + REACH_BYTES)];
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

/// Whether what stands behind a name may set it, which the detectors ask of every word: a sign, the end of a quotation, more of the
/// name, or a type behind a name with capitals in it.
fn may_be_set(view: &View, index: usize) -> bool {
    let bytes = view.text.as_bytes();
    let end = view.end(index);
    let word = &bytes[view.start(index)..end];
    let blanks = bytes[end..]
        .iter()
        .take(3)
        .take_while(|byte| matches!(byte, b' ' | b'\t'))
        .count();
    match bytes.get(end + blanks) {
        Some(b':' | b'=' | b'"' | b'\'' | b'`' | b'>' | b']' | b'?' | b'!' | b'\\' | b'.' | b'+' | b'|') => {
            word.len() > 3
        }
        Some(b'_' | b'-') => word.len() > 3,
        Some(b's' | b'S' | b'v') if blanks > 0 => word.len() > 3 && word[1..].iter().any(u8::is_ascii_uppercase),
        Some(first) if *first >= 0x80 => word.len() > 3,
        Some(_) => {
            let start = view.start(index);
            blanks > 0 && start > 1 && matches!(bytes[start - 1], b'-' | b'_') && is_argument(&view.text[..start])
        }
        None => false,
    }
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
pub(super) fn is_argument(before: &str) -> bool {
    let name = |&byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    let length = before.bytes().rev().take(NAME_BYTES_MAX).take_while(name).count();
    let name = &before.as_bytes()[before.len() - length..];
    name.starts_with(b"--")
}

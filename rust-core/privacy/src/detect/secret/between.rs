//! The text between a word like "password" and its secret: a sign, the end of an element, the next argument, "is". The words are
//! in `cue`.

use super::cue::{NAME_BYTES_MAX, Sign, Until, is_argument};
use super::value::{ROLES, Role};
use crate::detect::view::{Shape, View};

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
    "je",
    "este",
    "είναι",
    "هو",
    "הוא",
    "היא",
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

/// The secret's first byte behind a name that ends at byte `at`, what stands between them, and how the secret ends.
pub(super) fn behind_name(view: &View, index: usize, at: usize, reach: &str) -> Option<(usize, Sign, Until)> {
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

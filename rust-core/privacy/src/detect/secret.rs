//! Secrets: keys and tokens with known beginnings, JSON web tokens, private key blocks, and what stands behind words like "password".

use super::view::{Shape, View, ends_in};
use crate::lexicon::{KEY, PASSWORD};
use crate::{Finding, FindingKind};

/// The longest secret in one line.
const SECRET_BYTES_MAX: usize = 1024;
/// The longest private key block.
const BLOCK_BYTES_MAX: usize = 16 << 10;
/// The longest secret behind a word that says what it is.
const SAID_BYTES_MAX: usize = 256;
/// How far behind a word its secret may begin.
const REACH_BYTES: usize = 48;

/// Beginnings that issuers document, with how many characters follow at least.
const PREFIXES: &[(&str, usize)] = &[
    ("AKIA", 16),
    ("ASIA", 16),
    ("AROA", 16),
    ("AIza", 35),
    ("ABSK", 40),
    ("EAACEdEose0cBA", 10),
    ("GOCSPX-", 24),
    ("SG.", 40),
    ("AGE-SECRET-KEY-1", 50),
    ("dckr_pat_", 20),
    ("dop_v1_", 40),
    ("eyJ", 30),
    ("figd_", 20),
    ("ghp_", 30),
    ("gho_", 30),
    ("ghu_", 30),
    ("ghs_", 30),
    ("ghr_", 30),
    ("github_pat_", 40),
    ("glpat-", 18),
    ("glsa_", 30),
    ("gsk_", 30),
    ("hf_", 30),
    ("hvs.", 20),
    ("lin_api_", 30),
    ("npm_", 30),
    ("nvapi-", 40),
    ("pk_live_", 16),
    ("pk_test_", 16),
    ("pypi-", 40),
    ("r8_", 30),
    ("rk_live_", 16),
    ("rk_test_", 16),
    ("sk-", 20),
    ("sk_live_", 16),
    ("sk_test_", 16),
    ("shpat_", 30),
    ("shpss_", 30),
    ("sq0atp-", 20),
    ("sq0csp-", 30),
    ("tskey-", 20),
    ("whsec_", 24),
    ("xai-", 40),
    ("xapp-", 20),
    ("xoxa-", 10),
    ("xoxb-", 10),
    ("xoxe-", 10),
    ("xoxp-", 10),
    ("xoxr-", 10),
    ("xoxs-", 10),
    ("ya29.", 20),
    ("secret_", 30),
    ("pat-", 30),
];

/// Reads a secret that begins with token `index`, or behind it when it is a word like "password".
pub(super) fn at(view: &View, index: usize, found: &mut Vec<Finding>) {
    let token = view.tokens[index];
    let start = token.start as usize;
    if token.meaning & (KEY | PASSWORD) != 0 {
        behind_word(view, index, found);
    }
    if start > 0
        && matches!(view.text.as_bytes()[start - 1], b'_' | b'-' | b'.')
        && index > 0
        && view.gap_before(index).len() == 1
    {
        return;
    }
    let rest = &view.text[start..];
    // Nearly all words end here: their first two letters begin no key.
    let begins = |prefix: &str| rest.as_bytes().get(..2) == prefix.as_bytes().get(..2) && rest.starts_with(prefix);
    let known = PREFIXES.iter().find(|(prefix, _)| begins(prefix));
    if let Some(&(prefix, least)) = known {
        let body = body_length(&rest[prefix.len()..]);
        let varied = rest[prefix.len()..prefix.len() + body]
            .bytes()
            .any(|byte| byte.is_ascii_digit());
        if body >= least && varied {
            super::push(found, FindingKind::ApiKey, start..start + prefix.len() + body, 0.98);
            return;
        }
    }
    if token.shape == Shape::Mixed
        && (24..=SECRET_BYTES_MAX).contains(&(view.end(index) - start))
        && is_random(view.word(index))
    {
        let body = body_length(rest);
        super::push(found, FindingKind::ApiKey, start..start + body, 0.65);
    }
}

fn body_length(rest: &str) -> usize {
    let part = |&byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'/' | b'+' | b'=');
    let length = rest.bytes().take(SECRET_BYTES_MAX).take_while(part).count();
    rest[..length].trim_end_matches(['.', '-', '/']).len()
}

/// Capitals, small letters and digits mixed as only a generator does.
fn is_random(word: &str) -> bool {
    let count = |is: fn(&u8) -> bool| word.bytes().filter(is).count();
    word.is_ascii()
        && count(u8::is_ascii_digit) >= 3
        && count(u8::is_ascii_uppercase) >= 4
        && count(u8::is_ascii_lowercase) >= 4
        && entropy(word) >= 3.9
}

/// Shannon's entropy in bits a byte.
fn entropy(word: &str) -> f32 {
    let mut counts = [0_u32; 256];
    word.bytes().for_each(|byte| counts[usize::from(byte)] += 1);
    let length = word.len() as f32;
    let share = |&count: &u32| count as f32 / length;
    counts
        .iter()
        .filter(|&&count| count > 0)
        .map(share)
        .map(|share| -share * share.log2())
        .sum()
}

/// What is said to be a password or a key: `password: hunter2`, `"token" = "…"`, "the passphrase is …", `Bearer …`.
fn behind_word(view: &View, index: usize, found: &mut Vec<Finding>) {
    let word_end = view.end(index);
    let mut limit = (word_end + REACH_BYTES).min(view.text.len());
    while !view.text.is_char_boundary(limit) {
        limit -= 1;
    }
    let reach = &view.text[word_end..limit];
    let Some((skipped, strong)) = separator(reach, view.word(index)) else {
        return;
    };
    let start = word_end + skipped;
    let value: &str = {
        let rest = &view.text[start..];
        let quoted = view.text[..start]
            .chars()
            .next_back()
            .filter(|quote| matches!(quote, '"' | '\'' | '`'));
        let stop = |character: char| match quoted {
            Some(quote) => character == quote || character == '\n',
            None => character.is_whitespace() || matches!(character, '"' | '\'' | '`' | '<' | '>'),
        };
        let length = rest
            .char_indices()
            .take_while(|(at, character)| *at < SAID_BYTES_MAX && !stop(*character))
            .map(|(at, character)| at + character.len_utf8())
            .last()
            .unwrap_or(0);
        rest[..length].trim_end_matches(['.', ',', ';', ':', ')', '?', ']', '}'])
    };
    let password = view.is(index, PASSWORD);
    if if password {
        is_password(value, strong)
    } else {
        is_key(value)
    } {
        super::push(
            found,
            FindingKind::ApiKey,
            start..start + value.len(),
            if strong { 0.9 } else { 0.75 },
        );
    }
}

/// How many bytes to pass over between a word and its secret, and whether a `:` or `=` was among them.
fn separator(reach: &str, word: &str) -> Option<(usize, bool)> {
    let mut at = reach.len()
        - reach
            .trim_start_matches([' ', '\t', '"', '\'', '`', '*', '_', ')', ']'])
            .len();
    let rest = &reach[at..];
    let sign = [":=", "=>", "->", "==", ":", "="]
        .into_iter()
        .find(|sign| rest.starts_with(sign));
    let copula = [
        "is", "ist", "est", "es", "è", "was", "to", "lautet", "on", "är", "jest", "é",
    ];
    let strong = match sign {
        Some(sign) => {
            at += sign.len();
            true
        }
        None => {
            let first = rest.split([' ', ':']).next().unwrap_or("");
            if copula.contains(&first) && at > 0 {
                at += first.len();
                at += usize::from(reach[at..].starts_with(':'));
            } else if !word.eq_ignore_ascii_case("bearer") && !ends_in(word, KEY | PASSWORD) {
                return None;
            }
            false
        }
    };
    let blanks = reach[at..].len() - reach[at..].trim_start_matches([' ', '\t', '*']).len();
    at += blanks;
    at += usize::from(reach[at..].starts_with(['"', '\'', '`']));
    (at < reach.len()).then_some((at, strong))
}

fn is_password(value: &str, strong: bool) -> bool {
    let letters = value.chars().any(char::is_alphabetic);
    let digits = value.chars().any(|character| character.is_ascii_digit());
    let signs = value
        .chars()
        .any(|character| !character.is_alphanumeric() && !matches!(character, '-' | '/' | '\'' | '(' | '’'));
    let inner_capital = value.chars().skip(1).any(char::is_uppercase) && value.chars().any(char::is_lowercase);
    let length = value.chars().count();
    let placeholder = value.contains('⟨')
        || value.starts_with("${")
        || value.starts_with("{{")
        || value.contains("://")
        || value.starts_with("***");
    !placeholder
        && length >= 4 + 2 * usize::from(!strong)
        && (letters && (digits || signs) || digits && signs || strong && (inner_capital || digits && length >= 6))
}

fn is_key(value: &str) -> bool {
    let varied =
        value.bytes().any(|byte| byte.is_ascii_digit()) && value.bytes().any(|byte| byte.is_ascii_alphabetic());
    let plain = value
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"_-./+=~|:".contains(&byte));
    value.len() >= 12 && varied && plain && !value.contains("://") && entropy(value) >= 2.8
}

/// Private key blocks (RFC 7468), with their end or, where that is missing, as far as one may reach.
pub(super) fn blocks(text: &str, found: &mut Vec<Finding>) {
    let mut from = 0;
    while let Some(at) = text[from..].find("-----BEGIN ").map(|at| from + at) {
        let mut limit = (at + BLOCK_BYTES_MAX).min(text.len());
        while !text.is_char_boundary(limit) {
            limit -= 1;
        }
        let block = &text[at..limit];
        let rest = &block[11..];
        let header = rest
            .bytes()
            .take(64)
            .position(|byte| byte == b'-')
            .map_or("", |end| &rest[..end]);
        if !header.contains("PRIVATE KEY") {
            from = at + 11;
            continue;
        }
        let end = block
            .find("-----END ")
            .and_then(|end| block[end + 9..].find("-----").map(|last| end + 9 + last + 5));
        let end = at + end.unwrap_or(block.len());
        super::push(found, FindingKind::ApiKey, at..end, 1.0);
        from = end;
    }
}

//! Secrets: tokens with known forms, private key blocks, long random words, and values after words like "password".

use super::view::{Shape, View};
use crate::{Finding, FindingKind};

mod between;
mod command;
mod cue;
mod forms;
mod value;

/// The longest secret in one line.
const SECRET_BYTES_MAX: usize = 1024;
/// The longest private key block.
const BLOCK_BYTES_MAX: usize = 16 << 10;
/// The longest line of a block of base64.
const LINE_BYTES_MAX: usize = 256;

/// Reads a secret that begins with token `index`, or behind it when it is a word like "password".
pub(super) fn at(view: &View, index: usize, found: &mut Vec<Finding>) {
    let token = view.tokens[index];
    let start = token.start as usize;
    if token.shape != Shape::Digits
        && let Some(place) = cue::place(view, index)
    {
        let value = value::read(view.text, &place);
        if let Some(confidence) = value::confidence(view.text, &place, value) {
            super::push(
                found,
                FindingKind::ApiKey,
                place.start..place.start + value.len(),
                confidence,
            );
        }
    }
    command::at(view, index, found);
    if let Some(range) = forms::webhook(view, index) {
        super::push(found, FindingKind::ApiKey, range, 0.95);
    }
    if index > 0 && matches!(view.text.as_bytes()[start - 1], b'_' | b'-' | b'.') && view.gap_before(index).len() == 1 {
        return;
    }
    if let Some(end) = forms::end(view, index) {
        super::push(found, FindingKind::ApiKey, start..end, 0.98);
        return;
    }
    if token.shape == Shape::Mixed
        && (24..=SECRET_BYTES_MAX).contains(&(view.end(index) - start))
        && is_random(view.word(index))
        && !is_of_block(view.text, start)
    {
        let body = forms::body_length(&view.text[start..]);
        super::push(found, FindingKind::ApiKey, start..start + body, 0.65);
    }
}

/// Particles and signs between a phrase and its secret in scripts without blanks.
const PARTICLES: &[&str] = &[
    "は",
    "が",
    "を",
    "：",
    ":",
    "=",
    "＝",
    "是",
    "为",
    "為",
    "은",
    "는",
    "이",
    "가",
    "คือ",
    "เป็น",
    "है",
    "হল",
    "(",
    ")",
    "「",
    "“",
    "\"",
    "'",
    "`",
];

/// Where the secret begins, and whether a sign stands before it.
fn behind_phrase_at(text: &str, at: usize) -> (usize, bool) {
    let (mut from, mut sign) = (at, false);
    for _ in 0..6 {
        let rest = text[from..].trim_start_matches([' ', '\u{a0}', '\t']);
        from = text.len() - rest.len();
        let Some(particle) = PARTICLES.iter().find(|particle| rest.starts_with(**particle)) else {
            break;
        };
        sign |= matches!(*particle, "：" | ":" | "=" | "＝");
        from += particle.len();
    }
    (from, sign)
}

/// Finds the secret behind a phrase for a password that ends at byte `at`.
pub(super) fn behind_phrase(text: &str, at: usize, found: &mut Vec<Finding>) {
    let (from, sign) = behind_phrase_at(text, at);
    let part = |&byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\'' | b'`' | b'<' | b'>');
    let length = text[from..].bytes().take(SECRET_BYTES_MAX).take_while(part).count();
    let value = text[from..from + length].trim_end_matches(['.', ',', ';', ')', ':', '?']);
    let digits = value.bytes().filter(u8::is_ascii_digit).count();
    let mixed = digits < value.len() && (digits > 0 || value.bytes().any(|byte| byte.is_ascii_punctuation()));
    let variable = value.starts_with(['$', '{', '%', '*', '/']);
    if !variable && (value.len() >= 4 && (sign || digits == value.len()) || value.len() >= 6 && mixed) {
        super::push(
            found,
            FindingKind::ApiKey,
            from..from + value.len(),
            if sign { 0.9 } else { 0.75 },
        );
    }
}

/// Capitals, small letters and digits mixed as only a generator does.
fn is_random(word: &str) -> bool {
    let count = |is: fn(&u8) -> bool| word.bytes().filter(is).count();
    let turns = |bytes: &[u8]| {
        bytes
            .windows(2)
            .filter(|pair| pair[0].is_ascii_digit() != pair[1].is_ascii_digit())
            .count()
    };
    word.is_ascii()
        && count(u8::is_ascii_digit) >= 3
        && count(u8::is_ascii_uppercase) >= 4
        && count(u8::is_ascii_lowercase) >= 4
        && turns(word.as_bytes()) >= 3
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

/// Whether byte `at` is in a block of base64: a long line of nothing else, beside another one, or the data of a `data:` URL.
fn is_of_block(text: &str, at: usize) -> bool {
    let bytes = text.as_bytes();
    let part = |&&byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
    let back = |from: usize| bytes[..from].iter().rev().take(LINE_BYTES_MAX).take_while(part).count();
    let on = |from: usize| bytes[from..].iter().take(LINE_BYTES_MAX).take_while(part).count();
    let (start, end) = (at - back(at), at + on(at));
    if bytes[..start].ends_with(b"base64,") {
        return true;
    }
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'"' | b'\r' | b'>');
    let indent = bytes[..start]
        .iter()
        .rev()
        .take(16)
        .take_while(|byte| blank(byte))
        .count();
    let trail = bytes[end..].iter().take(4).take_while(|byte| blank(byte)).count();
    let (line_start, line_end) = (start - indent, end + trail);
    let first = line_start == 0 || bytes[line_start - 1] == b'\n';
    let last = line_end == bytes.len() || bytes[line_end] == b'\n';
    if !first || !last || end - start < 32 {
        return false;
    }
    let above = line_start > 1 && {
        let end = line_start
            - 1
            - bytes[..line_start - 1]
                .iter()
                .rev()
                .take(4)
                .take_while(|byte| blank(byte))
                .count();
        back(end) >= 32
    };
    let below = line_end + 1 < bytes.len() && {
        let indent = bytes[line_end + 1..]
            .iter()
            .take(16)
            .take_while(|byte| blank(byte))
            .count();
        on(line_end + 1 + indent) >= 32
    };
    above || below
}

/// Private key blocks (RFC 7468), with their end or, where that is missing, as far as one may reach.
pub(super) fn blocks(text: &str, found: &mut Vec<Finding>) {
    let mut from = 0;
    while let Some(at) = text[from..].find("-----BEGIN ").map(|at| from + at) {
        let block = &text[at..text.floor_char_boundary(at + BLOCK_BYTES_MAX)];
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

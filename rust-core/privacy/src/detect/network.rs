//! Network addresses: IPv4, IPv6, MAC, and URLs with a user name and password.

use std::net::Ipv6Addr;

use super::view::{Shape, View};
use crate::lexicon::OTHER_NUMBER;
use crate::{Finding, FindingKind};

/// The longest text of an IPv6 address (RFC 4291, with an IPv4 address at its end).
const IPV6_BYTES_MAX: usize = 45;
const SCHEME_BYTES_MAX: usize = 16;
const URL_BYTES_MAX: usize = 2048;

/// Four numbers up to 255 with dots between them.
pub(super) fn ipv4(view: &View, first: usize, found: &mut Vec<Finding>) {
    let last = first + 3;
    if last >= view.tokens.len() || first > 0 && matches!(view.gap_before(first), "." | "-" | "_") {
        return;
    }
    let octet = |index: usize| {
        view.tokens[index].shape == Shape::Digits
            && view.word(index).len() <= 3
            && view.word(index).parse::<u8>().is_ok()
    };
    let dots = (first..last).all(|index| view.gap(index) == ".");
    let goes_on = last + 1 < view.tokens.len() && matches!(view.gap(last), "." | "-");
    if !dots || goes_on || !(first..=last).all(octet) {
        return;
    }
    // "Firefox/1.9.0.20" and "rv:1.9.0.20" are versions.
    let product = first > 0 && view.gap_before(first) == "/" && view.tokens[first - 1].shape == Shape::Capitalised
        || first > 0 && view.gap_before(first) == ":" && view.word(first - 1) == "rv";
    let version = product || view.meanings_before(first, 2) & OTHER_NUMBER != 0;
    let end = view.end(last) + prefix_length(&view.text[view.end(last)..], 32);
    super::push(
        found,
        FindingKind::IpAddress,
        view.start(first)..end,
        if version { 0.4 } else { 0.95 },
    );
}

/// The length of `/24` behind an address, of at most `most` bits (RFC 4632).
fn prefix_length(behind: &str, most: u32) -> usize {
    let Some(digits) = behind.strip_prefix('/') else {
        return 0;
    };
    let length = digits.bytes().take(4).take_while(u8::is_ascii_digit).count();
    let goes_on = digits[length..].starts_with(|next: char| next.is_alphanumeric() || next == '/');
    let valid = digits[..length].parse::<u32>().is_ok_and(|bits| bits <= most);
    if valid && !goes_on { 1 + length } else { 0 }
}

/// What Rust's parser takes for an IPv6 address, with at least three groups or a `::` at its start, and a digit.
pub(super) fn ipv6(text: &str, start: usize, found: &mut Vec<Finding>) -> usize {
    let bytes = text.as_bytes();
    let part = |byte: u8| byte.is_ascii_hexdigit() || byte == b':' || byte == b'.';
    let length = bytes[start..]
        .iter()
        .take(IPV6_BYTES_MAX + 1)
        .take_while(|&&byte| part(byte))
        .count();
    let goes_on = text[start + length..]
        .chars()
        .next()
        .is_some_and(|next| next.is_alphanumeric() || next == '_');
    if length > IPV6_BYTES_MAX || goes_on {
        return start + length.max(1);
    }
    let written = text[start..start + length].trim_end_matches('.');
    let written = written
        .strip_suffix(':')
        .filter(|rest| !rest.ends_with(':'))
        .unwrap_or(written);
    let groups = written.split(':').filter(|group| !group.is_empty()).count();
    let bits = prefix_length(&text[start + written.len()..], 128);
    // What begins with a digit is no name in a program, but may be a step of a slice: `list[1::2]`.
    let shortened = written.contains("::")
        && (written.starts_with(|first: char| first.is_ascii_digit())
            || ["fe80", "fc00", "fd00", "ff0"]
                .iter()
                .any(|first| written.starts_with(first)))
        || written.starts_with("::");
    let address = (written.bytes().any(|byte| byte.is_ascii_digit()) || bits > 0)
        && (groups >= 3 || shortened && !is_slice(text, start))
        && written.parse::<Ipv6Addr>().is_ok();
    if address {
        super::push(found, FindingKind::IpAddress, start..start + written.len() + bits, 0.95);
    }
    start + length.max(1)
}

/// Whether a `[` that indexes something stands before byte `start`.
fn is_slice(text: &str, start: usize) -> bool {
    let before = text[..start].strip_suffix('[');
    before
        .is_some_and(|before| before.ends_with(|last: char| last.is_alphanumeric() || matches!(last, '_' | ')' | ']')))
}

/// Six pairs of hexadecimal digits with `:` or `-`, or three groups of four with dots.
pub(super) fn mac(view: &View, first: usize, found: &mut Vec<Finding>) {
    let hex = |index: usize, length: usize| {
        let word = view.word(index);
        word.len() == length && word.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    let run = |count: usize, length: usize, separators: &[&str]| {
        let last = first + count - 1;
        if last >= view.tokens.len() || !hex(first, length) {
            return None;
        }
        let gap = view.gap(first);
        let same = separators.contains(&gap) && (first..last).all(|index| view.gap(index) == gap);
        let alone =
            (first == 0 || view.gap_before(first) != gap) && (last + 1 >= view.tokens.len() || view.gap(last) != gap);
        (same && alone && (first..=last).all(|index| hex(index, length))).then_some(last)
    };
    let dotted = || {
        let last = run(3, 4, &["."])?;
        (first..=last)
            .any(|index| view.word(index).bytes().any(|byte| byte.is_ascii_alphabetic()))
            .then_some(last)
    };
    if let Some(last) = run(6, 2, &[":", "-"]).or_else(dotted) {
        super::push(found, FindingKind::MacAddress, view.start(first)..view.end(last), 0.98);
    }
}

/// A URL around the `://` at byte `at`, when it holds a user's name and a password (RFC 3986, 3.2.1).
pub(super) fn url(text: &str, at: usize, found: &mut Vec<Finding>) {
    let bytes = text.as_bytes();
    let scheme_part = |&&byte: &&u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    let scheme = bytes[..at]
        .iter()
        .rev()
        .take(SCHEME_BYTES_MAX)
        .take_while(scheme_part)
        .count();
    let blank = |byte: u8| byte.is_ascii_whitespace() || b"\"'<>`".contains(&byte);
    // Most URLs end here: the rest of one is read only when it has credentials.
    let behind = &bytes[at + 3..(at + 3 + URL_BYTES_MAX).min(bytes.len())];
    let stops = |&byte: &u8| blank(byte) || b"/?#".contains(&byte);
    let authority = &behind[..behind.iter().position(stops).unwrap_or(behind.len())];
    let Some(sign) = authority.iter().rposition(|&byte| byte == b'@') else {
        return;
    };
    let Some(colon) = authority[..sign].iter().position(|&byte| byte == b':') else {
        return;
    };
    if scheme == 0 || colon + 1 == sign || sign + 1 == authority.len() {
        return;
    }
    let rest = &behind[..behind.iter().position(|&byte| blank(byte)).unwrap_or(behind.len())];
    let trailing = rest.iter().rev().take_while(|byte| b".,;:!?)]".contains(byte)).count();
    let end = text.floor_char_boundary(at + 3 + rest.len() - trailing);
    super::push(found, FindingKind::UrlCredentials, at - scheme..end, 1.0);
}
